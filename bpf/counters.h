/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What operators can see of the datapath. */
#ifndef SALLYPORT_COUNTERS_H
#define SALLYPORT_COUNTERS_H

#include "events.h"
#include "maps.h"
#include "parse.h"

/*
 * `port` is where the last taker is remembered: a connection that another pod takes is a handover, unless it is a
 * trial. `again`: it was counted before, and refused, and its client asks again. Atomically, as a packet's program may
 * interrupt one at a system call, on this CPU too.
 */
static __always_inline void count_connection(const struct endpoint *node_port, struct node_port *port,
					     const struct backend *backend, bool trial, bool again)
{
	struct traffic *seen = bpf_map_lookup_elem(&traffic, node_port);
	__u64 before = port->taker, pod = backend->pod;

	if (seen && !again)
		__sync_fetch_and_add(&seen->connections, 1);
	if (before == pod || trial)
		return;
	port->taker = pod;
	if (!seen || !before || port->backends[0].share != SHARE_NEWEST)
		return;
	__sync_fetch_and_add(&seen->handovers, 1);
	tell_handover(node_port, pod, before,
		      backend->listening_since ? WITNESS_SOCKET :
		      backend->answering_since ? WITNESS_ANSWER :
						 WITNESS_NONE);
}

static __always_inline void count_held(const struct endpoint *node_port)
{
	struct traffic *seen = bpf_map_lookup_elem(&traffic, node_port);

	if (seen)
		seen->held++;
}

static __always_inline void count_packet(const struct endpoint *node_port, const struct __sk_buff *skb,
					 const struct packet *pkt, enum direction direction)
{
	struct traffic *seen = bpf_map_lookup_elem(&traffic, node_port);

	if (!seen)
		return;
	seen->packets[direction]++;
	seen->bytes[direction] += skb->len - pkt->l3;
}

static __always_inline void count_drop(enum drop reason)
{
	__u32 key = reason;
	__u64 *drops_for_reason = bpf_map_lookup_elem(&drops, &key);

	if (drops_for_reason)
		(*drops_for_reason)++;
}

#endif
