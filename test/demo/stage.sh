# shellcheck shell=bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# What the story in `run` needs: the namespaces, the runtime's part, and words. Sourced inside the private namespaces.

node_v4=192.168.100.1 node_v6=fd00:100::1
client_v4=192.168.100.2 client_v6=fd00:100::2
dir=/run/demo
conflist=$here/../../conf/10-ptp-sallyport.conflist
answer= # of the last CNI call

if [ -t 1 ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
    bold='' green='' red='' dim='' plain=''
fi

step_number=0

step()
{
    step_number=$((step_number + 1))
    printf '\n%s%d. %s%s\n' "$bold" $step_number "$1" "$plain"
}

say()
{
    printf '   %s\n' "$1"
}

indent()
{
    sed 's/^/   /'
}

show()
{
    printf '%s%s%s\n' "$dim" "$1" "$plain" | fold -s -w 110 | indent
}

fail()
{
    printf '   %snot as promised: %s%s\n' "$red" "$1" "$plain"
    exit 1
}

# expect <answer> <command>...: runs the command, shows both, and compares.
expect()
{
    local wanted=$1 got
    shift
    got=$("$@" 2>&1) || fail "$*: $got"
    printf '   %s$ %s%s\n   %s\n' "$dim" "$(sed "s,--cacert $dir/tls.crt ,--cacert tls.crt ," <<<"$*")" "$plain" "$got"
    [ "$got" = "$wanted" ] || fail "expected \"$wanted\""
}

# The client's curl.
curl()
{
    nsenter --net=/run/netns/client curl --silent --show-error --max-time 10 "$@"
}

new_namespace()
{
    ip netns add "$1"
    # Duplicate address detection would cost each address its first second.
    nsenter --net=/run/netns/"$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; ip link set lo up'
}

set_the_stage()
{
    mount --make-rprivate /
    mount -t sysfs sysfs /sys # shows this namespace's devices
    mount -t bpf bpf /sys/fs/bpf
    for place in /run /var/lib /var/log; do # where plugins keep their state and log
        mount -t tmpfs -o mode=755 tmpfs $place
    done
    mkdir -p $dir /run/netns
    cd $dir

    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
    ip link set lo up
    new_namespace client
    ip -batch - <<-END
	link add eth0 type veth peer name eth0 netns client
	addr add $node_v4/24 dev eth0
	addr add $node_v6/64 dev eth0 nodad
	link set eth0 up
	END
    ip -netns client -batch - <<-END
	addr add $client_v4/24 dev eth0
	addr add $client_v6/64 dev eth0 nodad
	link set eth0 up
	END
    ip route add default via $client_v4
    ip route add ::/0 via $client_v6

    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=gateway.test \
        -addext subjectAltName=DNS:gateway.test -keyout tls.key -out tls.crt 2>/dev/null
    chmod 644 tls.key # for nginx, which isn't root
}

# pod_add <namespace> <name> <expose>: what kubelet and the container runtime do.
pod_add()
{
    new_namespace "$2"
    answer=$(python3 "$here/chain.py" ADD "$conflist" "$1" "$2" "$3" 2>$dir/timing) || return 1
    indent <$dir/timing
}

pod_del()
{
    answer=$(python3 "$here/chain.py" DEL "$conflist" - "$1" 2>$dir/timing) || return 1
    [ ! -e $dir/"$1"/nginx.pid ] || kill "$(cat $dir/"$1"/nginx.pid)"
    indent <$dir/timing
    ip netns del "$1"
}

start_nginx()
{
    mkdir -p "$dir/$1"
    sed "s,@NAME@,$1,g; s,@DIR@,$dir,g" "$here/nginx.conf" >"$dir/$1/nginx.conf"
    chown -R nobody "$dir/$1"
    nsenter --net=/run/netns/"$1" setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups \
        nginx -p "$dir/$1" -c "$dir/$1/nginx.conf" || fail "nginx didn't start in $1"
}

# Whatever a plugin could leave on a node, as text.
everything_on_the_node()
{
    echo "links:" && ip -brief link
    echo "addresses:" && ip -brief address
    echo "routes:" && ip route show table all && ip -6 route show table all
    echo "rules:" && ip rule && ip -6 rule
    echo "pins:" && find /sys/fs/bpf -mindepth 1 ! -name '*.debug' # the kernel's own two
    echo "programs:" && python3 "$here/programs.py"
    for device in /sys/class/net/*; do
        tc qdisc show dev "${device##*/}"
        tc filter show dev "${device##*/}" ingress 2>/dev/null || true
        tc filter show dev "${device##*/}" egress 2>/dev/null || true
    done
}
