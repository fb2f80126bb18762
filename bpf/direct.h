/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections to a backend's own address. They are left alone, but for those whose client uses the same port through a
 * node port too.
 */
#ifndef SALLYPORT_DIRECT_H
#define SALLYPORT_DIRECT_H

#include "clash.h"
#include "deliver.h"

/* In midstream: the entry of a direct connection that is shown under another client port was evicted. */
static __always_inline int recall_direct(struct __sk_buff *skb, struct walk *walk)
{
	const struct packet *pkt = &walk->packet;

	walk->key.client_port = shown_port(walk);
	if (walk->key.client_port == pkt->source_port ||
	    !is_connected(connection_state(skb, pkt, walk->key.client_port, &walk->place)))
		return TCX_NEXT;
	reopen_flow(walk);
	return send_to_pod(skb, 0);
}

/* The flow of a client that uses its port towards this backend through a node port too; or of one that did before. */
static __always_inline int tell_apart(struct __sk_buff *skb, struct walk *walk, bool taken)
{
	struct packet *pkt = &walk->packet;
	struct flow *flow = find_clash(walk, pkt, &walk->key);

	if (flow && !(opens(pkt) && is_over(flow, pkt->protocol))) {
		follow_client(skb, walk, flow);
		return send_to_pod(skb, 0);
	}
	if (pkt->later_fragment)
		return TCX_NEXT;
	if (flow)
		delete_flow(&walk->key);

	direct_key(&walk->key, pkt);
	fill_flow(&walk->flow, pkt, walk->place.pod);
	walk->flow.state |= FLOW_DIRECT;
	if (!opens(pkt))
		return recall_direct(skb, walk);
	if (!taken)
		bpf_map_delete_elem(&clashes, &walk->tuple); /* an earlier connection's */
	else if (!show_other_port(skb, walk))
		return drop(DROP_CLASH);
	/* No socket tells who sends datagrams directly; so that a later one through a node port can be told apart. */
	if (taken || pkt->protocol == IPPROTO_UDP)
		bpf_map_update_elem(&flows_new, &walk->key, &walk->flow, BPF_ANY);
	return send_to_pod(skb, 0);
}

/* A packet to a backend's own address. It is left alone, unless its client uses the same port through a node port. */
__noinline int from_client_directly(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct packet *pkt = walk ? &walk->packet : NULL;
	struct flow *flow;
	bool taken;

	if (!pkt)
		return TCX_NEXT;
	direct_key(&walk->key, pkt);
	sent_tuple(&walk->tuple, pkt);
	if (!find_place(&walk->key, pkt, &walk->place))
		return TCX_NEXT; /* nobody's that we know of */
	flow = find_flow(&walk->key);
	taken = flow && flow->pod == walk->place.pod && !is_over(flow, pkt->protocol);
	if (taken && pkt->scope == AT_POD && !(flow->state & FLOW_AT_POD))
		return TCX_NEXT; /* translated by the node's programs, which see to clashes */
	if (taken && (flow->state & FLOW_DIRECT)) {
		flow->last_seen = now();
		return TCX_NEXT;
	}
	if (flow && !taken && opens(pkt))
		delete_flow(&walk->key);
	return tell_apart(skb, walk, taken);
}

#endif
