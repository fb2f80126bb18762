# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Node ports, next to Cilium: ADD, traffic, CHECK, handover, DEL.

annotations='"sallyport.dev/expose": "80:9080, 80:9080/udp, 8081:9081"'

no_filter_of_ours()
{
    fails grep -E '5a11|node_|pod_' <<FILTERS
$(tc filter show dev eth0 ingress; tc filter show dev eth0 egress)
$(ip netns exec pod1 tc filter show dev eth0 ingress; ip netns exec pod1 tc filter show dev eth0 egress)
FILTERS
}

serve pod1 9081
guarded=$server
serve pod1 9080
gateway=$server

claim "before ADD nobody answers" is_silent ask tcp "pod1 192.168.100.2" 192.168.100.1 80
claim "ADD" call ADD 1 "$annotations"
claim "$hook on the way in" is_attached ingress
claim "$hook on the way out" is_attached egress
exchange "through node:80, before Cilium's filter" pod1 80
claim "Cilium's filter runs after ours, and drops by container port" \
    is_silent ask tcp "pod1 192.168.100.2" 192.168.100.1 8081
stand_in_for_cilium replace
exchange "after Cilium's agent restarted" pod1 80
claim "directly to the pod" ask tcp "pod1 192.168.100.2" 10.1.0.2 9080
claim "status shows the pod and its listener" says 'gateways/pod1' sallyport status
claim "CHECK" call CHECK 1 "$annotations"

stand_in_for_cilium delete
claim "what it dropped passes without it" ask tcp "pod1 192.168.100.2" 192.168.100.1 8081
stand_in_for_cilium add
[ $hook = tcx ] || claim "CHECK tells that the filter which Cilium made anew came before ours" fails call CHECK 1 "$annotations"
claim "ADD of a second pod, which doesn't listen yet" call ADD 2 "$annotations, \"sallyport.dev/settle\": \"0s\""
claim "ADD put ours before the filter that Cilium had made anew, and the first pod alone listens" \
    ask tcp "pod1 192.168.100.2" 192.168.100.1 80
claim "CHECK finds ours first" call CHECK 1 "$annotations"
serve pod2 9080
exchange "the second pod takes over as it listens" pod2 80
stop $server
exchange "the first one takes over as the second dies" pod1 80
claim "DEL of the second pod" call DEL 2
claim "the first one is served on" ask tcp "pod1 192.168.100.2" 192.168.100.1 80

claim "DEL" call DEL 1
claim "DEL again" call DEL 1
claim "no filter of ours is left, nor in the pod" no_filter_of_ours
nothing_is_left
claim "Cilium's filter is left" says 'handle 0x1 ' tc filter show dev eth0 ingress
claim "after DEL nobody answers" is_silent ask tcp "pod1 192.168.100.2" 192.168.100.1 80
stop $gateway
stop $guarded
