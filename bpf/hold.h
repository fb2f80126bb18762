/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A new connection that finds no pod which serves is left unanswered for a while: its client sends the first packet
 * again, and finds the pod that serves meanwhile. The clock is the connection's own, so that nobody waits longer than
 * said. Where there is no pod, or it is ending, the packet is dropped; where there is one, it gets the packet, and its
 * refusal is dropped (refuse.h).
 */
#ifndef SALLYPORT_HOLD_H
#define SALLYPORT_HOLD_H

#include "flow.h"

/* RTO_MAX of the kernel: a client that was silent for longer doesn't repeat, it begins anew. */
#define LONGEST_SILENCE (120 * 1000000000ULL)

/* How long, in ns, connections to this port may wait. 0 too where the port has no pod, and none came in time. */
static __always_inline __u64 hold_time(const struct node_port *port)
{
	__u64 limit = port->backends[0].hold_ms * NSEC_PER_MSEC;

	if (!limit || (port->count ? !any_lives(port) : now() >= port->vacant_until))
		return 0;
	return limit;
}

/* Shall this packet be left unanswered? */
static __always_inline bool is_held(const struct node_port *port, const struct flow_key *tuple)
{
	__u64 limit = hold_time(port);
	__u64 time = now();
	__u64 *since;

	if (!limit)
		return false;
	since = bpf_map_lookup_elem(&held, tuple);
	if (!since || passed_since(*since) > limit + LONGEST_SILENCE) {
		bpf_map_update_elem(&held, tuple, &time, BPF_ANY);
		tell_packet(EVENT_HOLD, 0, 0, tuple->protocol, &tuple->backend, tuple->backend_port, &tuple->client,
			    tuple->client_port);
		return true;
	}
	if (passed_since(*since) < limit)
		return true;
	bpf_map_delete_elem(&held, tuple);
	return false;
}

/*
 * Was the pod that takes it told to end a moment ago? What waits in a listener's queue when its server ends is reset by
 * most of them; who waits for the next pod isn't. After the hold time the pod serves for as long as it does.
 */
static __always_inline bool is_leaving(const struct node_port *port, __u64 pod)
{
	__u64 limit = port->backends[0].hold_ms * NSEC_PER_MSEC; /* it lives: else it wouldn't take it */
	const struct pod_word *word = limit ? bpf_map_lookup_elem(&words, &pod) : NULL;

	return word && word->ending && passed_since(word->told_at) <= WORD_LASTS && passed_since(word->since) < limit;
}

/* Has the connection waited already? */
static __always_inline bool was_held(const struct node_port *port, const struct flow_key *tuple)
{
	return port->backends[0].hold_ms && bpf_map_lookup_elem(&held, tuple);
}

#endif
