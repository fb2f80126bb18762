/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A pod's refusal of a first packet: RST, or "unreachable". Where another pod serves, or the connection may wait, it is
 * kept from the client, who asks again after a moment and is chosen for anew. Else it passes, and the port is as closed
 * as any other.
 */
#ifndef SALLYPORT_REFUSE_H
#define SALLYPORT_REFUSE_H

#include "admit.h"

/* The node port of the flow in walk->flow, as walk->node_port. */
static __always_inline void node_port_of_flow(struct walk *walk)
{
	const struct packet *pkt = &walk->packet;
	const struct flow *flow = &walk->flow;

	walk->node_port.address = flow->node_address;
	if (flow->state & FLOW_VIA_ANY)
		walk->node_port.address = any_of_family(pkt->v6);
	walk->node_port.port = flow->node_port;
	walk->node_port.protocol = walk->key.protocol;
	walk->node_port.scope = pkt->scope;
}

/* The request of the flow in walk->flow, as its client sent it, as walk->tuple. */
static __always_inline void tuple_of_flow(struct walk *walk)
{
	make_key(&walk->tuple, walk->key.protocol, &walk->flow.node_address, walk->flow.node_port, &walk->key.client,
		 walk->flow.client_port);
	walk->tuple.scope = walk->packet.scope;
}

/* The pod took it. */
static __always_inline void end_wait(struct walk *walk)
{
	tuple_of_flow(walk);
	bpf_map_delete_elem(&held, &walk->tuple);
}

/* Would another pod take it than the one that refused it? */
static __always_inline bool is_wanted_elsewhere(struct __sk_buff *skb, struct walk *walk, const struct node_port *port)
{
	__u64 chosen = select_among(skb, walk, port);

	return chosen < MAX_BACKENDS && port->backends[chosen].pod != walk->flow.pod &&
	       walk->selection.rank >= STANDING(SERVES_AND_ENDS);
}

/*
 * Shall the refusal of the flow in walk->flow be dropped? Its pod is known to refuse by now, and the flow is over. Who
 * was answered before is told: it has something to end.
 */
__noinline int is_put_off(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	struct flow *flow;
	bool kept;

	if (!walk || !port || !is_unanswered(&walk->flow))
		return false;
	tuple_of_flow(walk);
	kept = (port->count > 1 && is_wanted_elsewhere(skb, walk, port)) || is_held(port, &walk->tuple);
	tell_packet(EVENT_REFUSAL, kept ? OUTCOME_KEPT : OUTCOME_PASSED, walk->flow.pod, walk->tuple.protocol,
		    &walk->tuple.backend, walk->tuple.backend_port, &walk->tuple.client, walk->tuple.client_port);
	if (!kept)
		return false;
	flow = find_flow(&walk->key);
	if (flow)
		flow->state |= FLOW_PUT_OFF;
	count_held(&walk->node_port);
	return true;
}

#endif
