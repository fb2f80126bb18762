# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# System calls of the node's own processes and its pods: local access, and ports that are reserved.

expose='"sallyport.dev/expose": "80:9080, 80:9080/udp"'
expose_8080='"sallyport.dev/expose": "8080:9080, 8080:9080/udp"'
case $(uname -r) in 5.*) refusal=EPERM ;; *) refusal=EADDRINUSE ;; esac

# As a process of the node, or of a pod: not in the root cgroup.
in_slice()
{
    sh -c 'echo $$ >/sys/fs/cgroup/node.slice/cgroup.procs && exec "$@"' sh "$@"
}

# Is any program attached to that cgroup? On 5.10 bpftool prints no more than the head of its table then, and fails.
is_hooked()
{
    bpftool cgroup show "$1" >/tmp/hooks
    grep AttachType /tmp/hooks
}

is_bare()
{
    bpftool cgroup show "$1" >/tmp/hooks && ! grep . /tmp/hooks
}

# local_access <pod that asks, or nothing> <its addresses of IPv4 and IPv6> <the node's addresses...>
local_access()
{
    local from=$1 v4=$2 v6=$3 address source transport
    shift 3
    for address; do
        case $address in ::ffff:*) source=$v4 ;; *:*) source=$v6 ;; *) source=$v4 ;; esac
        for transport in tcp udp unconnected; do
            claim "${from:-the node} reaches $address: $transport" \
                in_slice ${from:+/programs/ip netns exec $from} peer ask $transport "pod1 $source" $address 80
        done
    done
}

# binds <"bound" or an error's name> <words for peer bind>
binds()
{
    local answer=$1
    shift
    claim "bind to $*: $answer" says "^$answer\$" in_slice peer bind "$@"
}

serve pod1 9080
claim "ADD" call ADD 1 "$expose"
claim "the hooks are at a child of the cgroup root" is_hooked $cgroup/node.slice
claim "nothing is at the cgroup root" is_bare $cgroup

# A connection from the node to a pod has an address of the pod's device as its source.
local_access "" 10.1.0.1 fd00:10:1::1 127.0.0.1 192.168.100.1 ::1 fd00:100::1 ::ffff:192.168.100.1
local_access pod2 10.1.0.3 fd00:10:1::3 192.168.100.1 fd00:100::1
local_access pod1 10.1.0.2 fd00:10:1::2 192.168.100.1 fd00:100::1
claim "another pod's localhost is its own" says 'Connection refused' in_slice /programs/ip netns exec pod2 peer ask tcp - 127.0.0.1 80

for transport in tcp udp; do
    binds $refusal $transport 0.0.0.0 80
    binds $refusal $transport 192.168.100.1 80
    binds $refusal $transport :: 80
    binds $refusal $transport fd00:100::1 80
    binds bound $transport 0.0.0.0 81
done
claim "a pod binds what it likes" says '^bound$' in_slice /programs/ip netns exec pod2 peer bind tcp 0.0.0.0 80

export IPV4_ONLY=yes
claim "ADD of a pod without IPv6" call ADD 2 "$expose_8080"
unset IPV4_ONLY
binds $refusal tcp :: 8080
binds bound tcp :: 8080 v6only
claim "DEL of that pod" call DEL 2
binds bound tcp :: 8080
claim "DEL" call DEL 1
binds bound tcp 0.0.0.0 80
claim "nothing is at the child either" is_bare $cgroup/node.slice
nothing_is_left
stop $server
