/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* New connections to a node port, and old ones whose entry was evicted. */
#ifndef SALLYPORT_ADMIT_H
#define SALLYPORT_ADMIT_H

#include "clash.h"
#include "deliver.h"
#include "hold.h"

/* A pod that is alone at its node port has nobody who could take its clients. */
static __always_inline bool is_alone(const struct node_port *port)
{
	return port && port->count == 1;
}

/* A first packet on a known tuple: a retransmission stays where it was; a new connection chooses anew. */
static __always_inline bool stays(struct __sk_buff *skb, struct walk *walk, const struct flow *flow)
{
	const struct packet *pkt = &walk->packet;
	__u32 state;

	if (!lives(flow->pod))
		return false;
	if (!opens(pkt))
		return true;
	if (pkt->protocol == IPPROTO_UDP)
		return !is_over(flow, IPPROTO_UDP);
	if (!find_place(&walk->key, pkt, &walk->place) || flow->pod != walk->place.pod)
		return false;
	state = connection_state(skb, pkt, walk->key.client_port, &walk->place);
	if (is_connected(state))
		return true; /* whoever sent this SYN: the pod answers as TCP wants (RFC 5961, 4) */
	if (is_over(flow, IPPROTO_TCP))
		return false;
	if (flow->state &
	    FLOW_ESTABLISHED) /* then the pod knows nothing of it any more, or has sockets that we don't see */
		return flow->state & FLOW_UNSEEN;
	/* It may have answered with a SYN cookie, and wait without a socket; or have sockets that we don't see. */
	if (flow->state & FLOW_SYN_ACKED)
		return state == TCP_STATE_LISTEN || (flow->state & FLOW_UNSEEN);
	return is_alone(bpf_map_lookup_elem(&node_ports, &walk->node_port)); /* else another may answer */
}

/* Makes the entry of a new connection. False where its tuple can't be told from another's. */
static __always_inline bool open_flow(struct __sk_buff *skb, struct walk *walk)
{
	if (!is_clash(skb, true))
		bpf_map_delete_elem(&clashes, &walk->tuple); /* an earlier connection's */
	else if (!show_other_port(skb, walk))
		return false;
	release_flow(&walk->key); /* an earlier connection of this tuple, closed */
	bpf_map_update_elem(&flows_new, &walk->key, &walk->flow, BPF_ANY);
	return true;
}

/* A number of the client's own, for `spread`. */
static __always_inline __u64 client_number(const struct packet *pkt)
{
	return pkt->source.halves[0] ^ mix(pkt->source.halves[1] ^ mix(pkt->source_port));
}

/* ask_pod() for the walk's packet and node port. */
__noinline __u64 ask_for_packet(struct __sk_buff *skb, __u32 number)
{
	struct walk *walk = this_walk();
	const struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;

	if (!walk || !port)
		return STANDING(STANDS_NOWHERE);
	return ask_pod(skb, port, number, walk->packet.v6, walk->node_port.protocol, FROM_PACKET, 0);
}

static __always_inline __u64 ask_at_packet(void *context, __u32 number, __u64 doubted)
{
	(void)doubted;
	return ask_for_packet(context, number);
}

/* select_backend() for the walk's packet and node port; walk->selection says how. */
static __always_inline __u64 select_among(struct __sk_buff *skb, struct walk *walk, const struct node_port *port)
{
	return select_backend(skb, port, client_number(&walk->packet), ask_at_packet, &walk->selection);
}

/*
 * A pod that is alone is looked at only until its socket was seen, and again once it refused: there is nothing to
 * choose, and it answers for itself.
 */
static __always_inline __u64 select_only(struct __sk_buff *skb, struct walk *walk, const struct node_port *port)
{
	const struct node_port_backend *only = &port->backends[0];
	const struct packet *pkt = &walk->packet;
	struct backend *backend = find_backend_of(only->pod, &only->address, only->port, pkt->protocol);

	if (!backend)
		return MAX_BACKENDS;
	if (!backend->listening_since || backend->refused_at)
		look(skb, only, pkt->v6, pkt->protocol, backend);
	walk->selection.trial = false;
	walk->selection.rank = STANDING(seen_since(backend) && !is_doubted(backend) ? SERVES : UNKNOWN);
	return 0;
}

/*
 * The place of the pod that takes a packet without a living flow, or MAX_BACKENDS. Not called from where the flow is
 * made: their frames together would be more than a program may have.
 */
__noinline int choose_pod(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;

	if (!walk || !port)
		return MAX_BACKENDS;
	if (!opens(&walk->packet))
		return find_connection(skb, port, shown_port(walk));
	return is_alone(port) ? select_only(skb, walk, port) : select_among(skb, walk, port);
}

/* A packet to a node port that belongs to no living flow: makes one to the pod that was chosen. */
__noinline int admit(struct __sk_buff *skb, int chosen)
{
	struct walk *walk = this_walk();
	const struct packet *pkt = walk ? &walk->packet : NULL;
	struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	struct backend *backend;
	be16 client_port;

	if (!pkt || !port)
		return TCX_NEXT;
	if ((__u32)chosen >= MAX_BACKENDS) {
		if (!opens(pkt) || !is_held(port, &walk->tuple))
			return TCX_NEXT; /* nobody there: the host refuses it, as it does any closed port */
		count_held(&walk->node_port);
		return TCX_DROP;
	}
	walk->place = port->backends[(__u32)chosen];
	backend = find_backend_of(walk->place.pod, &walk->place.address, walk->place.port, pkt->protocol);
	if (!backend)
		return TCX_NEXT; /* the command was just writing the place, or the pod has ended */
	if (opens(pkt) && !walk->moved && is_leaving(port, walk->place.pod) && is_held(port, &walk->tuple)) {
		count_held(&walk->node_port);
		return TCX_DROP;
	}

	client_port = opens(pkt) ? pkt->source_port : shown_port(walk);
	make_key(&walk->key, pkt->protocol, &walk->place.address, walk->place.port, &pkt->source, client_port);
	fill_flow(&walk->flow, pkt, walk->place.pod);
	if (!same_address(&walk->node_port.address, &pkt->destination))
		walk->flow.state |= FLOW_VIA_ANY;
	if (walk->place.fast && link_header_length) { /* the pod's device wants a link-layer header */
		walk->flow.host_device = walk->place.host_device;
		walk->flow.device = skb->ifindex;
	}
	if (!opens(pkt)) {
		reopen_flow(walk);
	} else {
		if (!backend->listening_since)
			walk->flow.state |= FLOW_UNSEEN;
		if (was_held(port, &walk->tuple))
			walk->flow.state |= FLOW_WAITED;
		if (walk->moved && walk->quic_id) {
			walk->flow.quic_id = walk->quic_id;
			walk->flow.state |= FLOW_QUIC | FLOW_QUIC_USED;
		}
		if (!open_flow(skb, walk))
			return drop(DROP_CLASH);
		if (!is_alone(port))
			note_question(backend, pkt->protocol);
		if (!walk->moved)
			count_connection(&walk->node_port, port, backend, walk->selection.trial, walk->again);
	}
	count_packet(&walk->node_port, skb, pkt, FROM_CLIENT);
	return send_to_pod(skb, walk->flow.host_device);
}

#endif
