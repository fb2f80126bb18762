# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Connections in unusual states: held, unsettled, clashing, refused by the pod, in fragments.
# The port is 8000, which the stand-in for Cilium lets pass: what isn't translated is refused by the node.

expose='"sallyport.dev/expose": "80:9080, 80:9080/udp, 8000:9080, 8000:9080/udp"'

# A client that asks while nobody listens, and a gateway that comes two seconds after.
ask_and_serve()
{
    ask tcp "pod1 $2" "$1" 8000 &
    local client=$!
    sleep 2
    serve pod1 9080
    wait $client
}

# Nobody holds it: the control.
claim "ADD, without hold" call ADD 1 "$expose"
claim "without a listener, the node refuses" says 'Connection refused' ask tcp - 192.168.100.1 8000
claim "ADD, with hold" call ADD 1 "$expose, \"sallyport.dev/hold\": \"60s\""
claim "a connection is held until the gateway listens: IPv4" ask_and_serve 192.168.100.1 192.168.100.2
stop $server
claim "a connection is held until the gateway listens: IPv6" ask_and_serve fd00:100::1 fd00:100::2
old=$server

claim "ADD of a younger pod, with settle" call ADD 2 "$expose, \"sallyport.dev/settle\": \"60s\""
serve pod2 9080
young=$server
exchange "a pod that has just begun to listen isn't settled" pod1 8000
stop $old
exchange "where nobody else listens, an unsettled one will do" pod2 8000
claim "DEL of the younger pod" call DEL 2
stop $young

# With it, the node port would outlive the pod.
claim "ADD, without hold again" call ADD 1 "$expose"
serve pod1 9080
export CLIENT_PORT=45000
for transport in tcp udp; do
    claim "one client port to two node ports of one backend, and to that itself: $transport, IPv4" \
        ask $transport "pod1 192.168.100.2" 192.168.100.1 80 192.168.100.1 8000 10.1.0.2 9080
    claim "one client port to two node ports of one backend, and to that itself: $transport, IPv6" \
        ask $transport "pod1 fd00:100::2" fd00:100::1 80 fd00:100::1 8000 fd00:10:1::2 9080
done
unset CLIENT_PORT

# 1,500 bytes fit a packet here.
export SIZE=5000
claim "a datagram in fragments, both ways: IPv4" ask udp "pod1 192.168.100.2" 192.168.100.1 80
claim "a datagram in fragments, both ways: IPv6" ask udp "pod1 fd00:100::2" fd00:100::1 80
unset SIZE

# With a flow, a single datagram goes to the pod and no other, so that what comes back is the pod's word.
export CLIENT_PORT=45001
claim "a flow, IPv4" ask udp "pod1 192.168.100.2" 192.168.100.1 80
claim "a flow, IPv6" ask udp "pod1 fd00:100::2" fd00:100::1 80
stop $server
claim "the pod's ICMP error reaches the client: IPv4" says 'Connection refused' ask udp - 192.168.100.1 80
claim "the pod's ICMP error reaches the client: IPv6" says 'Connection refused' ask udp - fd00:100::1 80
unset CLIENT_PORT
claim "DEL" call DEL 1
nothing_is_left
