#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every manifest under conf/ is what an API server takes: every folder with a kustomization.yaml as kustomize renders
# it, every other file as it is. Helm values are no manifests; examples.py reads them.
#
# manifests.sh [CONF [FILE]]: another conf/ to check; or only what that file in it is, or its own folder's rendering.
cd "$(dirname "$0")/../.."
# shellcheck source=test/conf/tools
. test/conf/tools
conf=${1:-conf}
[ $# -gt 0 ] || build_checker # mutations.py has built it

files=()

# render <folder>: one more of the files.
render()
{
    files+=("$scratch/$(echo "$1" | tr / _).yaml")
    kustomize build "$1" >"${files[-1]}"
}

if [ $# -gt 1 ]; then
    if [ -e "$(dirname "$2")"/kustomization.yaml ]; then render "$(dirname "$2")"; else files=("$2"); fi
    check manifests test/conf/schemas "${files[@]}"
    exit
fi

while read -r kustomization; do
    render "$(dirname "$kustomization")"
done < <(find "$conf" -name kustomization.yaml | sort)

# What a kustomization names is in its rendering; the rest of the YAML stands alone.
while read -r file; do
    kustomization=$(dirname "$file")/kustomization.yaml
    grep -qs -- "- $(basename "$file")\$" "$kustomization" || files+=("$file")
done < <(find "$conf" -name '*.yaml' ! -name kustomization.yaml ! -name '*-values.yaml' | sort)

# The README's kustomization of one's own.
mkdir -p "$scratch"/own/sallyport
cp -r "$conf" "$scratch"/own/sallyport/conf
awk '/^```/ { inside = 0 } inside; /^```yaml/ { getline; if (/kustomize/) { inside = 1; print } }' "$conf"/README.md \
    >"$scratch"/own/kustomization.yaml
kustomize build "$scratch"/own >"$scratch"/own.yaml
grep -q 'image: registry.example.com/sallyport:0.1.0' "$scratch"/own.yaml
files+=("$scratch"/own.yaml)

[ ${#files[@]} -ge 15 ] || { echo "found only ${files[*]}"; exit 1; }
check manifests test/conf/schemas "${files[@]}"
echo "${#files[@]} renderings and files"
