# shellcheck shell=bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The cluster's cgroups: one of this machine's in each hierarchy that there is, and in it one for each node, which is that node's root.
# With pure cgroup v2 there is one hierarchy; with v1's controllers one for each of them, and v2's, which then has none.

# mounted <type> [<option>]: where that kind of cgroup file system is.
mounted()
{
    findmnt --noheadings --first-only --output TARGET --types "$1" ${2:+--options "$2"} || true
}

# hierarchies: a line for each, v2 first: its name, and the directory below which this process may make a cgroup. In v2 that's the
# root, as elsewhere a cgroup that has processes gives its children no controllers.
hierarchies()
{
    local id controllers path at
    at=$(mounted cgroup2)
    [ -n "$at" ] || die "cgroup v2 isn't mounted here: mount -t cgroup2 none /sys/fs/cgroup/unified"
    echo "unified $at"
    while IFS=: read -r id controllers path; do
        [ "$id" != 0 ] || continue
        at=$(mounted cgroup "$controllers")
        [ -z "$at" ] || echo "$controllers $at${path%/}"
    done </proc/self/cgroup
}

# make_cgroup <directory>: a v1 cpuset takes no process before it has been told its processors.
make_cgroup()
{
    local file
    mkdir -p "$1"
    [ ! -e "$1"/cgroup.controllers ] || return 0
    for file in cpuset.cpus cpuset.mems; do
        [ ! -e "$1/$file" ] || cat "$1/../$file" >"$1/$file"
    done
}

# be_nice <directory>: between cgroups a process' nice value doesn't count. So the cluster, which is many processes, weighs as much as eight
# of its caller's, and at most as much as any cgroup.
be_nice()
{
    local full=1024 file=cpu.shares
    if [ -e "$1"/cpu.weight ]; then
        full=100 file=cpu.weight
    fi
    [ ! -e "$1/$file" ] ||
        awk -v full=$full -v nice="$(nice)" 'BEGIN { weight = 8 / 1.25 ^ nice; print int(full * (weight < 1 ? weight : 1)) }' >"$1/$file"
}

# mount_cgroups <directory>: what a machine has in /sys/fs/cgroup, of this cgroup namespace.
mount_cgroups()
{
    local id controllers name
    if [ "$(stat --file-system --format %T /sys/fs/cgroup)" = cgroup2fs ]; then
        mount -t cgroup2 cgroup2 "$1"
        return
    fi
    mount -t tmpfs -o mode=755 tmpfs "$1"
    while IFS=: read -r id controllers _; do
        name=${controllers#name=}
        name=${name:-unified}
        mkdir "$1/$name"
        if [ "$id" = 0 ]; then
            mount -t cgroup2 cgroup2 "$1/$name"
        else
            mount -t cgroup -o "$controllers" cgroup "$1/$name"
        fi
    done </proc/self/cgroup
}

# cgroup_roots: the directories where mount_cgroups has mounted some.
cgroup_roots()
{
    findmnt --noheadings --list --output TARGET --types cgroup,cgroup2
}

# share_controllers: gives a v2 root's controllers to its children.
share_controllers()
{
    local root controller
    for root in $(findmnt --noheadings --list --output TARGET --types cgroup2); do
        for controller in $(cat "$root"/cgroup.controllers); do
            echo "+$controller" >"$root"/cgroup.subtree_control 2>/dev/null || true # some can't be had, as `cpu` beside real-time processes
        done
    done
}

# remove_cgroup <directory>: with all below it, once its last process has gone.
remove_cgroup()
{
    [ ! -d "$1" ] || try_for 20 find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || die "can't remove the cgroup $1"
}
