// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The node's outside devices: node port -> backend on the way in, backend -> node port on the way out. */
#include "icmp.h"

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tcx/ingress")
int node_ingress(struct __sk_buff *skb)
{
	return packet_from_client(skb, AT_NODE);
}

SEC("tcx/egress")
int node_egress(struct __sk_buff *skb)
{
	return packet_from_pod(skb, AT_NODE);
}

/*
 * The host's end of a gateway pod's device, with fastPath alone: the pod's replies go out at once where their
 * connection came in. There, node_egress translates them.
 */
SEC("tcx/ingress")
int pod_uplink(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct flow *flow;

	if (!walk || !parse_packet(skb, &walk->packet, AT_NODE) || is_fragment(&walk->packet) ||
	    is_error(&walk->packet))
		return TCX_NEXT;
	flow = find_flow_of_reply(walk);
	return flow && flow->device ? bpf_redirect_neigh(flow->device, NULL, 0, 0) : TCX_NEXT;
}

/*
 * Never attached: the command runs it (BPF_PROG_TEST_RUN) to ask just what the datapath would ask. The question comes
 * as packet data; the answer is the return value, 1 for "listens".
 */
SEC("tc")
int ask_listener(struct __sk_buff *skb)
{
	struct listener_question question;

	if (bpf_skb_load_bytes(skb, 0, &question, sizeof(question)))
		return 0;
	return listens(skb, !is_v4_mapped(&question.backend.address), question.backend.protocol,
		       &question.backend.address, question.backend.port, question.netns);
}
