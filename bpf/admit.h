/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* New connections to a node port, and old ones whose entry was evicted. */
#ifndef SALLYPORT_ADMIT_H
#define SALLYPORT_ADMIT_H

#include "clash.h"
#include "deliver.h"
#include "hold.h"

/* A first packet on a known tuple: a retransmission stays where it was; a new connection chooses anew. */
static __always_inline bool stays(struct __sk_buff *skb, struct walk *walk, const struct flow *flow)
{
	const struct packet *pkt = &walk->packet;
	__u32 state;

	if (!opens(pkt))
		return true;
	if (is_over(flow, pkt->protocol))
		return false;
	if (pkt->protocol == IPPROTO_UDP)
		return true;
	if (!find_place(&walk->key, pkt, &walk->place) || flow->pod != walk->place.pod)
		return false;
	state = connection_state(skb, pkt, walk->key.client_port, &walk->place);
	if (is_connected(state))
		return true; /* the pod answers as TCP wants */
	/* The pod knows nothing of it. It may have answered with a SYN cookie, and wait without a socket. */
	return !(flow->state & FLOW_ESTABLISHED) && state == TCP_STATE_LISTEN;
}

/* Makes the entry of a new connection. False where its tuple can't be told from another's. */
static __always_inline bool open_flow(struct __sk_buff *skb, struct walk *walk, bool known)
{
	if (!is_clash(skb, walk, known))
		bpf_map_delete_elem(&clashes, &walk->tuple); /* an earlier connection's */
	else if (!show_other_port(skb, walk))
		return false;
	bpf_map_delete_elem(&flows_established, &walk->key); /* an earlier connection of this tuple, closed */
	bpf_map_update_elem(&flows_new, &walk->key, &walk->flow, BPF_ANY);
	return true;
}

/* A number of the client's own, for `spread`. */
static __always_inline __u64 client_number(const struct packet *pkt)
{
	return pkt->source.halves[0] ^ mix(pkt->source.halves[1] ^ mix(pkt->source_port));
}

/* A packet to a node port that belongs to no living flow: makes one where it may. `known`: see is_clash(). */
__noinline int admit(struct __sk_buff *skb, int known)
{
	struct walk *walk = this_walk();
	const struct packet *pkt = walk ? &walk->packet : NULL;
	struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	be16 client_port;
	__u64 chosen;

	if (!pkt || !port)
		return TCX_NEXT;
	client_port = opens(pkt) ? pkt->source_port : shown_port(walk);
	chosen = opens(pkt) ? select_backend(skb, port, pkt->v6, pkt->protocol, client_number(pkt), true) :
			      find_connection(skb, port, pkt, client_port);
	if (chosen >= MAX_BACKENDS) {
		if (!opens(pkt) || !is_held(port, &walk->tuple))
			return TCX_NEXT; /* nobody there: the host refuses it, as it does any closed port */
		count_held(&walk->node_port);
		return TCX_DROP;
	}
	walk->place = port->backends[chosen];
	if (!find_backend_of(walk->place.pod, &walk->place.address, walk->place.port, pkt->protocol))
		return TCX_NEXT; /* the command was just writing the place */

	make_key(&walk->key, pkt->protocol, &walk->place.address, walk->place.port, &pkt->source, client_port);
	fill_flow(&walk->flow, pkt, walk->place.pod);
	if (!same_address(&walk->node_port.address, &pkt->destination))
		walk->flow.state |= FLOW_VIA_ANY;
	if (walk->place.host_device && link_header_length) { /* the pod's device wants a link-layer header */
		walk->flow.host_device = walk->place.host_device;
		walk->flow.device = skb->ifindex;
	}
	if (!opens(pkt)) {
		reopen_flow(walk);
	} else {
		if (!open_flow(skb, walk, known))
			return drop(DROP_CLASH);
		release(port, &walk->tuple);
		count_connection(&walk->node_port, port, walk->place.pod);
	}
	count_packet(&walk->node_port, skb, pkt, FROM_CLIENT);
	return to_pod(skb, pkt, &walk->key, walk->flow.host_device);
}

#endif
