# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Another build replaces every program under connections that stay. It differs from this one in a letter that the BPF object
# carries for debugging.

annotations='"sallyport.dev/expose": "80:9080, 80:9080/udp", "sallyport.dev/remap": "82:9080"'

# is_replaced <program> <its old ids>: is it in the kernel, and none of the old ones? There are two where a device has no
# link-layer header.
is_replaced()
{
    local now=$(programs "$1") id
    echo "$1: before" $2, now $now
    [ "$(echo $now | wc -w)" = "$(echo $2 | wc -w)" ] || return 1
    for id in $now; do
        case " $(echo $2) " in *" $id "*) return 1 ;; esac
    done
}

flow_table()
{
    bpftool map list | sed -nE 's/^([0-9]+): .* name flows_establish.*/\1/p'
}

# Over both connections.
say_and_hear()
{
    echo "$1" >&3
    echo "$1" >&4
    await grep -qx "$1" /tmp/heard-from-node && await grep -qx "$1" /tmp/heard-from-pod
}

serve pod1 9080
gateway=$server
claim "ADD" call ADD 1 "$annotations"
mkfifo /tmp/to-node /tmp/to-pod
ip netns exec client peer talk 192.168.100.1 80 </tmp/to-node >/tmp/heard-from-node &
ip netns exec client peer talk fd00:10:1::2 82 </tmp/to-pod >/tmp/heard-from-pod &
exec 3>/tmp/to-node 4>/tmp/to-pod
claim "connections to a node port and to a remapped one" say_and_hear "before the upgrade"

names="node_ingress node_egress pod_ingress pod_egress socket_connect4 socket_getpeern"
for name in $names; do
    eval "old_$name='$(programs $name)'"
done
old_table=$(flow_table)
export SALLYPORT=sallyport-next
claim "ADD of another pod, by another build" call ADD 2 "$annotations"
for name in $names; do
    eval "old=\$old_$name"
    claim "$name was replaced, wherever it was" await is_replaced $name "$old"
done
claim "the flows are where they were" [ "$(flow_table)" = "$old_table" ]
claim "the connections live on" say_and_hear "after the upgrade"
exchange "new connections" pod1 80
claim "CHECK by the new build" call CHECK 1 "$annotations"
exec 3>&- 4>&-
claim "DEL of one" call DEL 2
claim "DEL of the other" call DEL 1
nothing_is_left
unset SALLYPORT
stop $gateway
