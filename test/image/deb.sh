#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The packages: the right fields, the programs that were built, made the same way twice; and one, installed by dpkg below a directory,
# works and is gone without a trace when it is removed. SALLYPORT_DEB: the directory they are in.
. "$(dirname "$0")"/common.bash

need aarch64-linux-gnu-g++ buildah cpack dpkg
packages=${SALLYPORT_DEB:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check_package()
{
    local architecture=$1 directory=$2
    local package=$packages/sallyport_${version}_$architecture.deb
    [ -r "$package" ] || fail "$package isn't there; \`make deb\` builds it"
    same "fields of $package" "Package: sallyport
Version: $version
Architecture: $architecture
Section: net
Priority: optional" "$(dpkg-deb -f "$package" Package Version Architecture Section Priority Depends Pre-Depends)"
    same "scripts in $package" "control md5sums" "$(dpkg-deb --ctrl-tarfile "$package" | tar t | sed 's,^\./,,' | sort | xargs)"
    same "files in $package that not root alone may write" "" \
        "$(dpkg-deb -c "$package" | awk '$1 !~ /^l/ && ($2 != "root/root" || substr($1, 6, 1) == "w" || substr($1, 9, 1) == "w")')"

    dpkg-deb -x "$package" "$scratch/$architecture"
    cmp "$directory/sallyport" "$scratch/$architecture/usr/bin/sallyport" || fail "the program in $package is another one"
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CMakeLists.txt)} \
        cpack --config "$directory/CPackConfig.cmake" -B "$scratch/again" >/dev/null
    cmp "$package" "$scratch/again/${package##*/}" || fail "$package isn't the same when it is made again"
    stat -c '%n, %s bytes' "$package"
}

check_package amd64 build
check_package arm64 build/arm64

root=$scratch/root
mkdir -p "$root"/var/lib/dpkg/{info,updates}
touch "$root"/var/lib/dpkg/status
own_dpkg()
{
    # A container's dpkg may be told to leave documentation out.
    dpkg --root="$root" --path-include='/*' --force-not-root --log=/dev/null "$@" >/dev/null
}

own_dpkg --install "$packages/sallyport_${version}_amd64.deb"
own_dpkg --verify sallyport || fail "dpkg finds the installed files changed"
same "the installed program" "$("$binary" version)" "$("$root"/usr/bin/sallyport version)"
same "the link where CNI plugins are" "$root/usr/bin/sallyport" "$(realpath "$root"/usr/lib/cni/sallyport)"
for file in copyright README.md examples/10-ptp-sallyport.conflist; do
    [ -s "$root/usr/share/doc/sallyport/$file" ] || fail "no $file in the documentation"
done
own_dpkg --purge sallyport
same "what is left after removal" "" "$(find "$root" -mindepth 1 -path "$root"/var -prune -o -print)"
