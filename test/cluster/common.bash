# shellcheck shell=bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Names, places and addresses of the cluster, and how to get into its namespaces; every script of this folder starts by reading it.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
checkout=$(realpath "$here/../..")
deps=/usr/local/lib/sallyport-deps
programs=$deps/cluster

# All that the cluster keeps: another directory is another cluster.
state=$(realpath -m "${SALLYPORT_CLUSTER:-$checkout/build/cluster}")
run=$state/run   # what is gone with the cluster: process ids, its cgroups
log=$state/log
pki=$state/pki

export PATH=$programs/kubernetes:$programs/etcd/usr/bin:$deps/containerd-2:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$deps/runtime/usr/sbin:$deps/runtime/usr/bin

nodes=(node-1 node-2)
control=10.100.0.1 control6=fd00:100::1
client=10.100.0.100 client6=fd00:100::100
services=10.96.0.0/16 services6=fd00:96::/112
api_service=10.96.0.1 api_service6=fd00:96::1 # the first of each
pods=10.244.0.0/16 pods6=fd00:244::/48

# Of node-<number>.
address_of() { echo "10.100.0.1${1#node-}"; }
address6_of() { echo "fd00:100::1${1#node-}"; }
pods_of() { echo "10.244.${1#node-}.0/24"; }
pods6_of() { echo "fd00:244:0:${1#node-}::/64"; }

die()
{
    echo "cluster: $*" >&2
    exit 1
}

# try_for <seconds> <command>...: repeats it until it succeeds.
try_for()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

# Somebody holds this lock for as long as the cluster runs.
running()
{
    [ -e "$state"/lock ] && ! flock --nonblock --shared "$state"/lock true
}

must_run()
{
    [ "$(id -u)" = 0 ] || die "needs root"
    running || die "no cluster runs in $state; \`make cluster\` starts one"
}

# The cluster's first process, as this machine counts.
keeper()
{
    cat "$run"/control
}

# join <where>: this process is of the cluster's cgroups from now on, so it ends with the cluster, and programs at cgroups see it as one
# of the node's processes. Version 2's alone: how much it may use is its caller's affair.
join()
{
    local cgroup
    read -r cgroup <"$run"/cgroups
    case $1 in
        node-*) cgroup=$cgroup/$1/user ;;
        *) cgroup=$cgroup/$1 ;;
    esac
    echo $BASHPID >"$cgroup"/cgroup.procs
}

# enter <control or node> <command>...: in all its namespaces. A node's processes are counted by the cluster's first process.
enter()
{
    local where=$1
    shift
    if [ "$where" = control ]; then
        nsenter --target "$(keeper)" --all -- "$@"
    else
        nsenter --target "$(keeper)" --mount --pid -- nsenter --target "$(cat "$run/$where")" --all -- "$@"
    fi
}
