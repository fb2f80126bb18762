// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The node's outside devices: node port -> backend on the way in, backend -> node port on the way out. */
#include "icmp.h"
#include "way_out.h"

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
 * connection came in, if that is the way to the client. There, node_egress translates them.
 */
SEC("tcx/ingress")
int pod_uplink(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct backend *backend;
	struct flow *flow;
	__u32 uses;

	if (!walk || !parse_packet(skb, &walk->packet, AT_NODE) || is_fragment(&walk->packet) ||
	    is_error(&walk->packet))
		return TCX_NEXT;
	flow = find_flow_of_reply(walk, &uses, &backend);
	return flow && flow->device ? send_out(skb, &walk->packet, flow) : TCX_NEXT;
}

/*
 * The last two are never attached: the command runs them (BPF_PROG_TEST_RUN).
 *
 * ask_listener looks just where the datapath would look, and notes it as that would. The question comes as packet data;
 * the answer is the return value, enum listener_answer.
 */
SEC("tc")
int ask_listener(struct __sk_buff *skb)
{
	struct listener_question question;
	struct node_port_backend place = {};
	struct backend *backend;
	struct said said;
	__u64 stands;
	bool v6;

	if (bpf_skb_load_bytes(skb, 0, &question, sizeof(question)))
		return 0;
	v6 = !is_v4_mapped(&question.backend.address);
	place.address = question.backend.address;
	place.netns = question.netns;
	place.listener = question.listener;
	backend = find_backend_of(question.pod, &question.backend.address, question.backend.port,
				  question.backend.protocol);
	if (!backend)
		return 0;
	look(skb, &place, v6, question.backend.protocol, backend);
	said = ask_kubernetes(question.pod);
	stands = stand(backend, &said, 0, 0);
	return (backend->listening_since ? LISTENS : 0) |
	       (stands >= STANDING(SERVES_UNREADY) || (stands >= STANDING(UNKNOWN) && said.ready && !said.ending &&
						       stands < STANDING(SERVES_AND_ENDS)) ?
			TAKES_TRAFFIC :
			0);
}

/* Writes an event of the command's own. */
SEC("tc")
int tell_event(struct __sk_buff *skb)
{
	__u64 number;
	struct event *event = begin_event(EVENT_BIND, false, &number);
	__u64 time = event ? event->time : 0;

	if (!event || bpf_skb_load_bytes(skb, 0, event, sizeof(*event)))
		return 0;
	event->time = time;
	publish_event(event, number);
	return 1;
}
