/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine: a client's packet to a node port goes to a pod, the pod's answers come from the node port. The same on
 * the node's outside devices (exposures) and on a pod's own (remaps).
 *
 * Functions that aren't inlined are verified once, whoever calls them; they find what was parsed in the walk.
 */
#ifndef SALLYPORT_TRANSLATE_H
#define SALLYPORT_TRANSLATE_H

#include "admit.h"
#include "direct.h"
#include "node_port.h"
#include "question.h"
#include "refuse.h"

/* What from_client() doesn't decide at once: first packets, and those without a flow. `known`: walk->key is a flow's.
 */
__noinline int from_new_client(struct __sk_buff *skb, int known)
{
	struct walk *walk = this_walk();
	struct packet *pkt = walk ? &walk->packet : NULL;
	struct flow *flow;
	int chosen;

	if (!pkt)
		return TCX_NEXT;
	if (!is_for_us(pkt))
		return from_client_directly(skb);
	sent_tuple(&walk->tuple, pkt);
	flow = known ? find_flow(&walk->key) : find_clash(walk, pkt, &walk->key);
	if (flow && stays(skb, walk, flow))
		return forward(skb, walk, flow);
	if (pkt->later_fragment)
		return TCX_NEXT;
	walk->again = flow && (flow->state & FLOW_PUT_OFF);
	if (flow)
		delete_flow(&walk->key); /* left behind, it could be found before the new one, and take its packets */
	if (is_answer(walk))
		return TCX_NEXT; /* whoever asked for it gets it */
	chosen = pkt->protocol == IPPROTO_UDP ? find_quic(skb) : MAX_BACKENDS;
	walk->moved = chosen < MAX_BACKENDS;
	return admit(skb, walk->moved ? chosen : choose_pod(skb));
}

static __always_inline int from_client(struct __sk_buff *skb, struct walk *walk)
{
	struct packet *pkt = &walk->packet;
	struct node_port *port;
	struct flow *flow;
	__u32 uses;

	forget_fragment(pkt);
	if (pkt->later_fragment && !recall_fragment(pkt))
		return TCX_NEXT;
	uses = uses_of(pkt->protocol, pkt->destination_port);
	if (!uses || !parse_segment(skb, pkt))
		return TCX_NEXT; /* everybody else's traffic */
	port = find_node_port(pkt, uses, &walk->node_port);
	if (!port)
		return uses & PORT_OF_BACKEND ? from_client_directly(skb) : TCX_NEXT;
	flow = find_flow_of_request(walk, port, false);
	if (!flow || !lives(flow->pod) ||
	    (opens(pkt) && (pkt->protocol == IPPROTO_TCP || is_over(flow, pkt->protocol))))
		return from_new_client(skb, flow != NULL);
	return forward(skb, walk, flow);
}

/*
 * The flow of a reply, at walk->key, what its port stands for, and its backend, NULL where it is none's. NULL for a
 * direct connection to the pod, or one that is translated elsewhere.
 */
static __always_inline struct flow *find_flow_of_reply(struct walk *walk, __u32 *uses, struct backend **backend)
{
	const struct packet *pkt = &walk->packet;
	struct flow *flow;

	*backend = NULL;
	*uses = uses_of(pkt->protocol, pkt->source_port);
	if (!(*uses & PORT_OF_BACKEND))
		return NULL;
	*backend = find_backend(&pkt->source, pkt->source_port, pkt->protocol);
	if (!*backend)
		return NULL; /* not from an exposed port of a pod */
	reply_key(&walk->key, pkt);
	flow = find_flow(&walk->key);
	if (!flow || flow->pod != (*backend)->pod || !is_at(flow, pkt->scope))
		return NULL;
	return lives(flow->pod) ? flow : NULL; /* else whoever has its address now says that */
}

/* What a reply to a first packet says of its pod. False where it is a refusal that the client needn't see. */
static __always_inline bool take_answer(struct __sk_buff *skb, struct walk *walk, struct backend *backend)
{
	const struct packet *pkt = &walk->packet;

	/* RFC 9293, 3.10.7.1: a SYN's refusal acknowledges it; that of a stray segment doesn't. */
	if (pkt->protocol == IPPROTO_TCP && pkt->rst && pkt->ack) {
		note_refusal(backend);
		return !is_put_off(skb);
	}
	if (pkt->protocol == IPPROTO_UDP || (pkt->syn && pkt->ack)) {
		note_answer(backend, walk->flow.state & FLOW_UNSEEN);
		if (walk->flow.state & FLOW_WAITED)
			end_wait(walk);
	}
	return true;
}

static __always_inline int from_pod(struct __sk_buff *skb, struct walk *walk)
{
	struct packet *pkt = &walk->packet;
	struct flow *flow = &walk->flow;
	struct backend *backend;
	struct flow *found;
	__u32 uses;

	forget_fragment(pkt);
	if (pkt->later_fragment && !recall_fragment(pkt))
		return TCX_NEXT;
	found = find_flow_of_reply(walk, &uses, &backend);
	if (!uses || !parse_segment(skb, pkt))
		return TCX_NEXT;
	if (!found && backend && pkt->protocol == IPPROTO_TCP && !pkt->syn && may_have_evicted() &&
	    recall_from_socket(skb))
		found = find_flow(&walk->key);
	if (!found) {
		if (pkt->protocol == IPPROTO_UDP)
			note_leaving();
		return TCX_NEXT;
	}

	*flow = *found;
	if ((flow->state & (FLOW_ESTABLISHED | FLOW_AT_SOCKET | FLOW_DIRECT)) == FLOW_ESTABLISHED &&
	    pkt->protocol == IPPROTO_TCP && !pkt->rst)
		keep_at_socket(skb);
	if (pkt->protocol == IPPROTO_UDP)
		follow_quic_pod(skb, pkt);
	track(&walk->key, found, pkt, FROM_POD);
	if (!(flow->state & FLOW_DIRECT)) {
		node_port_of_flow(walk);
		if (is_unanswered(flow) && !take_answer(skb, walk, backend))
			return TCX_DROP;
		count_packet(&walk->node_port, skb, pkt, FROM_POD);
	}
	remember_fragment(pkt);
	return rewrite(skb, pkt, SOURCE, &flow->node_address, flow->node_port, flow->client_port) ?
		       TCX_NEXT :
		       drop(DROP_REWRITE_FAILED);
}

#endif
