# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Outside devices of other kinds than veth, and a pod's device without a link-layer header.

expose='"sallyport.dev/expose": "80:9080, 80:9080/udp"'

add_vlan()
{
    ip link add eth1 type veth peer name eth1 netns client
    ip link set eth1 up
    ip -n client link set eth1 up
    ip link add link eth1 name eth1.5 type vlan id 5
    ip -n client link add link eth1 name eth1.5 type vlan id 5
    connect_client eth1.5 101
    without_offload client eth1
}

# The client's end is an ordinary device.
add_bond()
{
    ip link add eth2 type veth peer name bond0 netns client
    ip link add bond0 type bond mode active-backup miimon 100
    ip link set eth2 master bond0
    connect_client bond0 102
    without_offload client bond0
    await says LOWER_UP ip link show bond0
}

# add_wireguard <device> <port> <addresses at this end> <at the client's>: a tunnel over eth0.
add_wireguard()
{
    (umask 077 && wg genkey >/tmp/node.key && wg genkey >/tmp/client.key)
    ip link add $1 type wireguard
    ip -n client link add $1 type wireguard
    wg set $1 private-key /tmp/node.key listen-port $2 peer $(wg pubkey </tmp/client.key) allowed-ips $4
    ip netns exec client wg set $1 private-key /tmp/client.key \
        peer $(wg pubkey </tmp/node.key) endpoint 192.168.100.1:$2 allowed-ips $3
}

# The tunnel's socket stays in the namespace that it was made in: the node's.
add_wireguard_pod()
{
    ip netns add pod5
    add_wireguard wg5 51825 $(v4_of 5)/32,$(v6_of 5)/128 192.168.105.2/32,fd00:105::2/128
    ip link set wg5 netns pod5
    ip -n pod5 link set wg5 name eth0
    set_up_pod 5
    ip -n pod5 route add default dev eth0
    ip -n pod5 -6 route add default dev eth0
    ip -n client address add 192.168.105.2/32 dev wg5
    ip -n client address add fd00:105::2/128 dev wg5 nodad
    ip -n client link set wg5 up
    ip -n client route add $(v4_of 5)/32 dev wg5 src 192.168.105.2
    ip -n client route add $(v6_of 5)/128 dev wg5 src fd00:105::2
}

claim "a VLAN" add_vlan
claim "a bond" add_bond
claim "a WireGuard tunnel" add_wireguard wg0 51820 192.168.103.1/32,fd00:103::1/128 192.168.103.2/32,fd00:103::2/128
claim "addresses of the tunnel" connect_client wg0 103

serve pod1 9080
export DEVICES='["eth0", "eth1"]'
claim "ADD, where only the VLAN's parent is served" call ADD 1 "$expose"
claim "the parent's program leaves tagged frames alone" says 'Connection refused' ask tcp - 192.168.101.1 80
export DEVICES='["eth*"]'
claim "ADD, where both are" call ADD 1 "$expose"
exchange "a VLAN beside its parent" pod1 80 101
unset DEVICES
claim "ADD, where the devices are found out" call ADD 1 "$expose"
exchange "a VLAN" pod1 80 101
exchange "a bond" pod1 80 102
exchange "WireGuard" pod1 80 103
claim "CHECK" call CHECK 1 "$expose"
claim "DEL" call DEL 1
stop $server

claim "a pod whose device is WireGuard" add_wireguard_pod
serve pod5 9080
claim "its ADD" call ADD 5 '"sallyport.dev/remap": "82:9080, 82:9080/udp"'
remap "a pod on WireGuard" 5 192.168.105.2 fd00:105::2
claim "its CHECK" call CHECK 5 '"sallyport.dev/remap": "82:9080, 82:9080/udp"'
claim "its DEL" call DEL 5
nothing_is_left
stop $server
