/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of a packet in the end. Every verdict is TCX_NEXT (or a drop, or with fastPath a redirect): TCX_PASS
 * would end the chain, and with it skip Cilium and its policies.
 */
#ifndef SALLYPORT_DELIVER_H
#define SALLYPORT_DELIVER_H

#include "connection.h"
#include "fragment.h"
#include "quic.h"

__noinline int drop(enum drop reason)
{
	const struct walk *walk = this_walk();

	count_drop(reason);
	if (walk)
		tell_packet(EVENT_DROP, reason, 0, walk->packet.protocol, &walk->packet.destination,
			    walk->packet.destination_port, &walk->packet.source, walk->packet.source_port);
	return TCX_DROP;
}

static __always_inline bool is_fragment(const struct packet *pkt)
{
	return pkt->first_fragment || pkt->later_fragment;
}

/* `host_device`: where the pod's device is at hand (fastPath), else 0. Fragments go the usual way. */
static __always_inline int to_pod(struct __sk_buff *skb, const struct packet *pkt, const struct flow_key *key,
				  __u32 host_device)
{
	remember_fragment(pkt);
	if (!rewrite(skb, pkt, DESTINATION, &key->backend, key->backend_port, key->client_port))
		return drop(DROP_REWRITE_FAILED);
	return host_device && !is_fragment(pkt) ? bpf_redirect_peer(host_device, 0) : TCX_NEXT;
}

/* The same of walk->packet and walk->key, for slow paths: verified once. */
__noinline int send_to_pod(struct __sk_buff *skb, __u32 host_device)
{
	struct walk *walk = this_walk();

	return walk ? to_pod(skb, &walk->packet, &walk->key, host_device) : TCX_NEXT;
}

/* Follows a client's packet of the flow at walk->key: a forged reset changes nothing. */
static __always_inline void follow_client(struct __sk_buff *skb, const struct walk *walk, struct flow *flow)
{
	bool quic = flow->state & FLOW_QUIC;

	if (!walk->packet.rst || is_reset_taken(skb))
		track(&walk->key, flow, &walk->packet, FROM_CLIENT);
	if (quic)
		note_id_of_client(skb);
}

/* A packet of a connection that goes on, of the flow at walk->key. */
static __always_inline int forward(struct __sk_buff *skb, const struct walk *walk, struct flow *flow)
{
	__u32 host_device = flow->host_device;

	follow_client(skb, walk, flow);
	count_packet(&walk->node_port, skb, &walk->packet, FROM_CLIENT);
	return to_pod(skb, &walk->packet, &walk->key, host_device);
}

#endif
