# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# A guest: its initramfs, and its boot. For scripts that end at the first failure.

programs="ip tc ethtool bpftool wg ipvsadm"
patience=7200 # seconds for one boot, which needs one or two minutes of a core: for machines with other things to do

# put_libraries <unpacked packages> <directory> <file>: the shared libraries that it loads, and those that they load.
put_libraries()
{
    local library found
    for library in $(readelf -d "$3" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'); do
        [ ! -e "$2/$library" ] || continue
        found=$(find "$1/usr/lib" -name "$library" -print -quit)
        [ -n "$found" ] || { echo "no package has $library, which ${3##*/} loads" >&2; return 1; }
        install "$found" "$2/$library"
        put_libraries "$1" "$2" "$found"
    done
}

# another_build <binary> <to>: the same program as another build. Of a source line that the BPF object carries for debugging, a
# letter differs. So its hash does, and nothing of what it does.
another_build()
{
    LC_ALL=C sed 's/int node_\(in\|e\)gress(struct/Int node_\1gress(struct/' "$1" >"$2"
    chmod 0755 "$2"
    ! cmp -s "$1" "$2" || { echo "$1 has no source lines in its BPF object to tell builds apart" >&2; return 1; }
}

# make_initramfs <kernel's directory> <unpacked packages> <binary> <peer>
make_initramfs()
{
    local -r to=$1 packages=$2 binary=$3 peer=$4 root=$1/root
    local program
    rm -rf "$root"
    mkdir -p "$root"/{bin,dev,etc,proc,sys,run,tmp,var/log,guest,modules,programs,lib}
    ln -s lib "$root/lib64" # where amd64's programs look for their loader
    install "$packages/bin/busybox" "$root/bin/busybox"
    for program in $programs; do
        install "$(find "$packages" -path "*bin/$program" -type f -print -quit)" "$root/programs/$program"
        put_libraries "$packages" "$root/lib" "$root/programs/$program"
    done
    install "$binary" "$root/bin/sallyport"
    another_build "$binary" "$root/bin/sallyport-next"
    install "$peer" "$root/bin/peer"
    install "$here/init" "$root/init"
    install -m 0644 "$here"/guest/*.sh "$root/guest/"
    cp "$to"/modules/* "$root/modules/"
    (cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$to/initramfs"
    rm -rf "$root"
}

# emulator_of <architecture>
emulator_of()
{
    case $1 in amd64) echo qemu-system-x86_64 ;; arm64) echo qemu-system-aarch64 ;; esac
}

# boot <kernel's directory> <architecture> <processor>: what the guest says is in "console". It alone decides: qemu exits with 0
# after a panic too. The guest's clock counts instructions: on a busy machine its waits don't end too early, and where all of
# it sleeps, time passes at once.
boot()
{
    local -r to=$1 architecture=$2 processor=$3
    local machine=virt terminal=ttyAMA0
    [ "$architecture" = arm64 ] || machine=pc terminal=ttyS0
    timeout --foreground --kill-after=5 $patience "$(emulator_of "$architecture")" -M $machine -accel tcg \
        -icount shift=1,sleep=off -cpu "$processor" -m 1024 -nodefaults -no-user-config -no-reboot -display none \
        -serial stdio -monitor none -kernel "$to/vmlinuz" -initrd "$to/initramfs" \
        -append "console=$terminal quiet panic=-1 rdinit=/init" </dev/null 2>&1 | sed -u 's/\r$//' >"$to/console" || true
    grep -qx 'SALLYPORT GUEST: all passed' "$to/console"
}
