# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Remaps, on a pod's own device inside its namespace, and exposures of pods on devices of other kinds than veth.

annotations='"sallyport.dev/expose": "80:9080, 80:9080/udp", "sallyport.dev/remap": "82:9080, 82:9080/udp"'

# remap <words> <pod's number> <the client's addresses of IPv4 and IPv6>
remap()
{
    local v4=$(v4_of $2) v6=$(v6_of $2) transport
    for transport in tcp udp; do
        claim "$1, a remapped port: $transport, IPv4" ask $transport "pod$2 $3" $v4 82
        claim "$1, a remapped port: $transport, IPv6" ask $transport "pod$2 $4" $v6 82
        export CLIENT_PORT=45002
        claim "$1, a remapped port and the one that it leads to, from one client port: $transport, IPv4" \
            ask $transport "pod$2 $3" $v4 82 $v4 9080
        claim "$1, a remapped port and the one that it leads to, from one client port: $transport, IPv6" \
            ask $transport "pod$2 $4" $v6 82 $v6 9080
        unset CLIENT_PORT
    done
}

fast_path()
{
    export FAST_PATH=true
    if [ $hook = tcx ]; then
        claim "$1, fastPath: ADD" call ADD $2 "$annotations"
        exchange "$1, fastPath" pod$2 80
        claim "$1, fastPath: CHECK" call CHECK $2 "$annotations"
    else
        claim "$1, fastPath: refused, for want of tcx" says '"code":103,.*needs tcx' call ADD $2 "$annotations"
    fi
    unset FAST_PATH
}

# pod_on <kind of device> <pod's number>
pod_on()
{
    serve pod$2 9080
    claim "$1: ADD" call ADD $2 "$annotations"
    exchange "$1, node port" pod$2 80
    remap "$1" $2 192.168.100.2 fd00:100::2
    export SIZE=5000
    claim "$1, a datagram in fragments to a remapped port" ask udp "pod$2 192.168.100.2" $(v4_of $2) 82
    unset SIZE
    claim "$1: CHECK" call CHECK $2 "$annotations"
    fast_path "$1" $2
    claim "$1: DEL" call DEL $2
    nothing_is_left
    claim "$1: after DEL the remapped port is closed" says 'Connection refused' ask tcp - $(v4_of $2) 82
    stop $server
}

pod_on veth 1
if [ $hook = tcx ]; then # netkit came with kernel 6.7, tcx with 6.6
    add_pod 3 l2
    pod_on "netkit in L2 mode" 3
    add_pod 4 l3
    pod_on "netkit in L3 mode" 4
fi
