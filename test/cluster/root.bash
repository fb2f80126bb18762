# shellcheck shell=bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The root of the file system that the cluster, and each node in it, has: of this machine its /usr and this checkout, both read-only.
# So whatever runs there changes no file of the machine's.

# read_only <directory>: binds it to the same place of the new root.
read_only()
{
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
}

# What programs look up in /etc; iptables is a link to /etc/alternatives.
fill_etc()
{
    local file name
    mkdir -p "$1"
    for file in alternatives group ld.so.cache ld.so.conf ld.so.conf.d nsswitch.conf passwd protocols services; do
        [ -e "$1/$file" ] || [ ! -e /etc/$file ] || cp -a /etc/$file "$1/$file"
    done
    : >"$1"/resolv.conf
    {
        echo "127.0.0.1 localhost"
        echo "::1 localhost"
        for name in "${nodes[@]}"; do
            echo "$(address_of "$name") $name"
        done
    } >"$1"/hosts
}

mount_devices()
{
    local device
    mount -t tmpfs -o mode=755 tmpfs "$root"/dev
    mkdir "$root"/dev/{net,pts,shm,mqueue}
    for device in null zero full random urandom tty kmsg fuse net/tun; do
        [ -e /dev/$device ] || continue
        touch "$root"/dev/$device
        mount --bind /dev/$device "$root"/dev/$device
    done
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root"/dev/pts
    mount -t tmpfs -o mode=1777 tmpfs "$root"/dev/shm
    mount -t mqueue mqueue "$root"/dev/mqueue
    ln -s pts/ptmx "$root"/dev/ptmx
    ln -s /proc/self/fd "$root"/dev/fd
    ln -s fd/0 "$root"/dev/stdin
    ln -s fd/1 "$root"/dev/stdout
    ln -s fd/2 "$root"/dev/stderr
}

# Of the kernel's settings only those of this network namespace can be changed. A kubelet insists on some others: in their places are files
# that say what it wants to read.
mount_proc()
{
    local setting
    mount -t proc proc "$root"/proc
    mount --bind "$root"/proc/sys "$root"/proc/sys
    mount -o remount,bind,ro "$root"/proc/sys
    mount --bind "$root"/proc/sys/net "$root"/proc/sys/net
    mount -o remount,bind,rw "$root"/proc/sys/net
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 \
        kernel/keys/root_maxbytes=25000000; do
        echo "${setting#*=}" >"$root/dev/${setting//[\/=]/-}"
        mount --bind "$root/dev/${setting//[\/=]/-}" "$root/proc/sys/${setting%=*}"
    done
}

# make_root <disk>: and goes there. The disk's /etc, /opt and /var stay when the node goes, as on a machine.
make_root()
{
    local disk=$1 link directory
    root=$state/root
    mkdir -p "$root" "$disk"/{etc,opt,var/lib,var/log,var/tmp}
    mount -t tmpfs -o mode=755 tmpfs "$root"
    mkdir -p "$root"/{dev,etc,opt,proc,root,run,sys,tmp,usr,var}
    chmod 1777 "$root"/tmp
    for link in bin sbin lib lib32 lib64 libx32; do
        [ ! -L /$link ] || cp -P /$link "$root"/$link
    done
    read_only /usr
    fill_etc "$disk"/etc
    ln -sfn /run "$disk"/var/run
    for directory in etc opt var; do
        mount --bind "$disk"/$directory "$root"/$directory
    done
    mount -t tmpfs -o mode=755 tmpfs "$root"/run
    mkdir "$root"/run/lock
    read_only "$checkout" # wherever it is, it's at the same place in there
    mkdir -p "$root$state"
    mount --bind "$state" "$root$state"
    mount_devices
    mount_proc
    mount -t sysfs -o ro sysfs "$root"/sys
    mount -t bpf bpf "$root"/sys/fs/bpf
    mount_cgroups "$root"/sys/fs/cgroup
    cd "$root"
    pivot_root . .
    umount -l .
    hash -r
    mount --make-rshared / # what is mounted later shows in pods that ask for it
    cd "$checkout"
}
