# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The node in miniature, and the words that the claims are made of.
#
#   client 192.168.100.2, fd00:100::2  --  eth0 of the node 192.168.100.1, fd00:100::1  --  pod 1 at 10.1.0.2, fd00:10:1::2, ...

bpffs=/sys/fs/bpf
cgroup=/sys/fs/cgroup
failures=0

# To this shell its own ip comes before any in PATH.
ip()
{
    /programs/ip "$@"
}

tc()
{
    /programs/tc "$@"
}

# ---- claims ---------------------------------------------------------------------------------------------------------

# claim <words> <command...>
claim()
{
    local what=$1
    shift
    if "$@" >/tmp/said 2>&1; then
        echo "ok     $what"
    else
        echo "not ok $what"
        sed 's/^/       | /' /tmp/said
        failures=$((failures + 1))
    fi
}

fails()
{
    ! "$@"
}

# Where silence is expected, nobody is given much time.
is_silent()
{
    fails env PATIENCE=2 "$@"
}

# says <pattern> <command...>: does its output have a line like that?
says()
{
    local pattern=$1
    shift
    "$@" >/tmp/output 2>&1
    cat /tmp/output
    grep -qE "$pattern" /tmp/output
}

uptime()
{
    cut -d. -f1 /proc/uptime
}

# Tries the command until it succeeds, for half a minute.
await()
{
    local end=$(($(uptime) + 30))
    until "$@" >/tmp/tried 2>&1; do
        if [ $(uptime) -gt $end ]; then
            cat /tmp/tried
            return 1
        fi
        sleep 0.2
    done
}

# ---- the network ----------------------------------------------------------------------------------------------------

# The sender sums: with the work left to the device, veth passes packets whose checksum was never right.
without_offload()
{
    ip netns exec "$1" ethtool -K "$2" tx off tso off gso off >/dev/null
}

v4_of()
{
    echo 10.1.0.$(($1 + 1))
}

v6_of()
{
    echo fd00:10:1::$(($1 + 1))
}

# Addresses and routes inside the pod, whose device is there.
set_up_pod()
{
    local number=$1
    ip -n pod$number link set lo up
    ip -n pod$number address add $(v4_of $number)/32 dev eth0
    ip -n pod$number address add $(v6_of $number)/128 dev eth0 nodad
    ip -n pod$number link set eth0 up
}

# add_pod <number> [netkit's mode]: as Cilium wires pods. The node's device has an address that all of them share, and a route
# to this one.
add_pod()
{
    local number=$1 mode=${2:-} pod=pod$1 device=lxc$1
    ip netns add $pod
    if [ -n "$mode" ]; then
        peer netkit $mode $device $pod
    else
        ip link add $device type veth peer name eth0 netns $pod
    fi
    ip address add 10.1.0.1/32 dev $device
    ip address add fd00:10:1::1/128 dev $device nodad
    ip link set $device up
    ip route add $(v4_of $number)/32 dev $device
    ip route add $(v6_of $number)/128 dev $device
    set_up_pod $number
    ip -n $pod route add 10.1.0.1/32 dev eth0
    ip -n $pod route add fd00:10:1::1/128 dev eth0
    ip -n $pod route add default via 10.1.0.1
    ip -n $pod route add default via fd00:10:1::1
    without_offload $pod eth0
}

# connect_client <device> <number>: addresses for it, which both namespaces have: 192.168.<number>.1 the node's, .2 the client's.
connect_client()
{
    ip address add 192.168.$2.1/24 dev "$1"
    ip address add fd00:$2::1/64 dev "$1" nodad
    ip link set "$1" up
    ip -n client address add 192.168.$2.2/24 dev "$1"
    ip -n client address add fd00:$2::2/64 dev "$1" nodad
    ip -n client link set "$1" up
}

set_up_network()
{
    set -e
    ip link set lo up
    ip netns add client
    ip -n client link set lo up
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding

    ip link add eth0 type veth peer name eth0 netns client
    connect_client eth0 100
    ip -n client route add default via 192.168.100.1
    ip -n client route add default via fd00:100::1
    ip route add default via 192.168.100.2
    ip route add default via fd00:100::2
    without_offload client eth0

    add_pod 1
    add_pod 2
    tc qdisc add dev eth0 clsact
    stand_in_for_cilium add
}

# A filter where Cilium's would be. It ends the chain with TC_ACT_OK, as Cilium does, and drops what is sent to port 80 (so
# that only those who run before it can translate that) and to port 9081 (as a policy for the container port would).
stand_in_for_cilium()
{
    if [ "$1" = delete ]; then
        tc filter delete dev eth0 ingress protocol all prio 1 handle 1 bpf
        return
    fi
    tc filter "$1" dev eth0 ingress protocol all prio 1 handle 1 bpf da bytecode \
        '10,40 0 0 12,21 0 2 2048,40 0 0 36,5 0 0 2,21 0 3 34525,40 0 0 56,21 2 0 80,21 1 0 9081,6 0 0 0,6 0 0 2'
}

# ---- the plugin -----------------------------------------------------------------------------------------------------

# call <command> <pod's number> ['"<annotation>": "<value>", ...']: what libcni would send behind Cilium. The environment may say
# which binary (SALLYPORT), the outside devices as JSON (DEVICES), that packets go straight to the pod (FAST_PATH), and that it
# has no IPv6 (IPV4_ONLY).
call()
{
    local command=$1 pod=pod$2 device=lxc$2 annotations=${3:-} v6 previous
    v6="{\"version\": \"6\", \"interface\": 1, \"address\": \"$(v6_of $2)/128\"},"
    [ -z "${IPV4_ONLY:-}" ] || v6=
    previous="\"prevResult\": {
        \"cniVersion\": \"0.4.0\",
        \"interfaces\": [{\"name\": \"$device\"}, {\"name\": \"eth0\", \"sandbox\": \"/run/netns/$pod\"}],
        \"ips\": [$v6 {\"version\": \"4\", \"interface\": 1, \"address\": \"$(v4_of $2)/32\"}]},"
    [ "$command" != DEL ] || previous=
    CNI_COMMAND=$command CNI_CONTAINERID=$pod CNI_NETNS=/run/netns/$pod CNI_IFNAME=eth0 CNI_PATH=/bin \
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=gateways;K8S_POD_NAME=$pod" ${SALLYPORT:-sallyport} <<JSON
{
    "cniVersion": "0.4.0", "name": "pods", "type": "sallyport", $previous
    "gateways": { "namespaces": ["gateways"], "ports": [80, "8000-8999"] },
    "devices": ${DEVICES:-\"auto\"}, "fastPath": ${FAST_PATH:-false},
    "logLevel": "debug", "logFile": "/var/log/sallyport.log",
    "runtimeConfig": { "io.kubernetes.cri.pod-annotations": { $annotations } }
}
JSON
}

# Ours at eth0: clsact, or tcx where the kernel has it.
is_attached()
{
    if [ $hook = tcx ]; then
        [ -e "$bpffs/sallyport/links/$(cat /sys/class/net/eth0/ifindex)-$1" ]
    else
        tc filter show dev eth0 "$1" | grep -q 'pref 1 .*handle 0x5a11 .*node_'
    fi
}

# Ids of the programs in the kernel whose names begin so.
programs()
{
    bpftool prog list | sed -nE "s/^([0-9]+): .* name $1.*/\1/p"
}

no_program()
{
    programs '(node_|pod_|socket_|ask_)'
    [ -z "$(programs '(node_|pod_|socket_|ask_)')" ]
}

# After the last DEL. The kernel frees programs some time after they were let go.
nothing_is_left()
{
    claim "no pin is left" [ ! -e $bpffs/sallyport ]
    claim "no program is left in the kernel" await no_program
}

# ---- traffic --------------------------------------------------------------------------------------------------------

listens_in()
{
    ip netns exec "$1" cat /proc/net/tcp6 | grep -q "$(printf ':%04X 0*:0000 0A' "$2")"
}

# serve <namespace> <port>: a gateway there, that says the namespace's name. Its pid is in $server, until the next call.
serve()
{
    /programs/ip netns exec "$1" peer serve "$1" "$2" &
    server=$!
    await listens_in "$1" "$2"
}

stop()
{
    kill "$1"
    wait "$1"
} 2>/dev/null

# ask <tcp|udp|unconnected> <answer> <address> <port>...: from the client.
ask()
{
    ip netns exec client peer ask "$@"
}

# exchange <words> <pod> <node port> [node's number]: over both protocols and families.
exchange()
{
    local number=${4:-100}
    claim "$1: TCP, IPv4" ask tcp "$2 192.168.$number.2" 192.168.$number.1 $3
    claim "$1: TCP, IPv6" ask tcp "$2 fd00:$number::2" fd00:$number::1 $3
    claim "$1: UDP, IPv4" ask udp "$2 192.168.$number.2" 192.168.$number.1 $3
    claim "$1: UDP, IPv6" ask udp "$2 fd00:$number::2" fd00:$number::1 $3
}
