# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Debian's kernels: which there are, and how to get one (with .ci/packages.bash). For scripts that end at the first failure.

# Architecture, name here, Debian's release, the package that depends on the newest kernel there, and the processor that qemu
# is to be. amd64 without cx16, as 6.12's allocator crashes on the cmpxchg16b that qemu 7.2 translates. For arm64 none that
# has pointer authentication ("max"): translated, it takes for ever. cortex-a72 has no pages of 16 KiB.
kernels="
amd64 5.10     bullseye linux-image-cloud-amd64 qemu64,-cx16
amd64 6.1      bookworm linux-image-cloud-amd64 qemu64,-cx16
amd64 6.12     trixie   linux-image-cloud-amd64 qemu64,-cx16
arm64 5.10     bullseye linux-image-cloud-arm64 cortex-a72
arm64 6.1      bookworm linux-image-cloud-arm64 neoverse-n1
arm64 6.12     trixie   linux-image-cloud-arm64 neoverse-n1
arm64 6.12-16k trixie   linux-image-arm64-16k   neoverse-n1
"
modules="veth sch_ingress cls_bpf inet_diag tcp_diag udp_diag 8021q bonding wireguard ip_vs ip_vs_rr"

# lines_of <architecture> [<name>]: of the table above.
lines_of()
{
    awk -v architecture="$1" -v name="${2:-}" '$1 == architecture && (name == "" || $2 == name)' <<<"$kernels"
}

# said_by <module's file> <begin>: the rest of what it says of itself that begins so.
said_by()
{
    tr '\0' '\n' <"$1" | LC_ALL=C sed -n "s/^$2//p"
}

# take_module <unpacked package> <to> <module>: the module, and first those that it needs; in "order" too.
take_module()
{
    local -r from=$1 to=$2 name=$3
    local found needed
    [ ! -e "$to/$name.ko" ] || return 0
    found=$(find "$from" -name "${name//[-_]/[-_]}.ko*") # a file may have a dash where the module has none
    case $found in
        *.ko) cp "$found" "$to/$name.ko" ;;
        *.xz) xz -dc "$found" >"$to/$name.ko" ;;
        *) echo "no module $name in ${from##*/}" >&2; return 1 ;;
    esac
    for needed in $(said_by "$to/$name.ko" depends= | tr , ' '); do
        take_module "$from" "$to" "$needed"
    done
    # An algorithm that it asks the kernel for by name: built in, or the generic module.
    for needed in $(said_by "$to/$name.ko" 'softdep=pre: '); do
        [ -z "$(find "$from" -name "${needed}[-_]generic.ko*")" ] || take_module "$from" "$to" "${needed}_generic"
    done
    echo "$name" >>"$to/order"
}

# fetch_kernel <to> <architecture> <release> <package>: the kernel and the modules that init loads, unless they are there.
# Through apt lists of its own: the machine's stay as they are.
fetch_kernel()
{
    local -r to=$1 architecture=$2 release=$3 package=$4
    local scratch=$1/package newest module
    [ "$(cat "$to/complete" 2>/dev/null)" != "$modules" ] || return 0
    rm -rf "$to"
    mkdir -p "$to/modules" "$scratch"
    apt_in "$scratch" "$architecture" "$release"
    newest=$(apt-cache "${apt[@]:1}" depends "$package" |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ && !found { print $2; found = 1 }')
    [ -n "$newest" ] || { echo "no $package in $release" >&2; return 1; }
    (cd "$scratch" && "${apt[@]}" download "$newest")
    dpkg-deb -x "$scratch/$newest"_*.deb "$scratch/$newest"

    cp "$scratch/$newest"/boot/vmlinuz-* "$to/vmlinuz"
    for module in $modules; do
        take_module "$scratch/$newest" "$to/modules" "$module"
    done
    rm -rf "$scratch"
    echo "$modules" >"$to/complete"
}
