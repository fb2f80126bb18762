#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Is every source formatted as .clang-format says, and BPF programs as bpf/.clang-format does? How far a trailing comment is from
# its code isn't compared: in the kernel's style comments stand on tab stops, which clang-format doesn't know. `--fix` formats
# instead.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v clang-format-19 >/dev/null || { echo "skipped: clang-format 19 decides, and isn't here"; exit 77; }

sources=('(' -name '*.[ch]' -o -name '*.[ch]pp' ')')
programs=('(' -path 'bpf/*' -o -path 'test/support/bpf/*' -o -path 'include/sallyport/abi*.h' ')')

# Both work on the current directory's sources, in place.
format()
{
    find bpf include plugin test "${sources[@]}" "${programs[@]}" -exec clang-format-19 -i --style=file:bpf/.clang-format {} +
    find bpf include plugin test "${sources[@]}" ! "${programs[@]}" -exec clang-format-19 -i --style=file:.clang-format {} +
}

normalise()
{
    find . "${sources[@]}" -exec sed -i -E 's#([^[:space:]])[[:space:]]+(/\*|//|\\$)#\1 \2#' {} +
}

[ "${1:-}" != --fix ] || { format; exit; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch"/{written,formatted}
find bpf include plugin test "${sources[@]}" -exec cp --parents -t "$scratch"/written {} +
cp -r "$scratch"/written/. "$scratch"/formatted
cp --parents -t "$scratch"/formatted .clang-format bpf/.clang-format
(cd "$scratch"/formatted && format && rm .clang-format bpf/.clang-format && normalise)
cd "$scratch"/written
normalise
cd ..
diff -ru written formatted
