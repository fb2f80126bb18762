/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Somebody here may ask from a port that is a node port too: the node's resolver from 53, WireGuard from 51820, a
 * masqueraded pod from any. Who asked first gets the answer; on its way out, the question says so.
 *
 * Datagrams alone: of an answer over TCP it can be told that it opens no connection.
 */
#ifndef SALLYPORT_QUESTION_H
#define SALLYPORT_QUESTION_H

#include "flow.h"
#include "node_port.h"

/*
 * We look at what leaves before Cilium gives it the node's address. Its NAT keeps a source port from here on (above
 * `nodePort.range`, bpf/lib/nat.h); of one below, nobody can tell which it will get.
 */
#define FIRST_MASQUERADED_PORT 32768

/* A question is noted again after this, so that a stream of them doesn't cost as many writes. */
#define QUESTION_RESOLUTION (1000 * NSEC_PER_MSEC)

static __always_inline bool is_masqueraded_port(be16 port)
{
	return bpf_ntohs(port) >= FIRST_MASQUERADED_PORT;
}

/* Could an answer to a datagram from this port be taken for a request? */
static __always_inline bool is_node_port_of(const struct packet *pkt, __u32 uses)
{
	if (pkt->scope == AT_POD)
		return uses & PORT_REMAPPED;
	return uses & (pkt->v6 ? PORT_ANY_V6 | PORT_EXACT_V6 : PORT_ANY_V4 | PORT_EXACT_V4);
}

/* Notes a datagram that leaves and belongs to no flow. */
__noinline int note_leaving(void)
{
	struct walk *walk = this_walk();
	const struct packet *pkt = walk ? &walk->packet : NULL;
	struct flow_key *key;
	__u64 time = now();
	__u64 *asked_at;

	if (!pkt || pkt->protocol != IPPROTO_UDP || !is_node_port_of(pkt, uses_of(IPPROTO_UDP, pkt->source_port)))
		return 0;
	if (find_backend(&pkt->source, pkt->source_port, IPPROTO_UDP))
		return 0; /* a pod's answer, or its question from the port where it takes the answers too */
	key = &walk->tuple;
	reply_key(key, pkt);
	key->scope = pkt->scope;
	if (pkt->scope == AT_NODE && !is_answered_here(&pkt->source)) {
		if (!is_masqueraded_port(pkt->source_port))
			return 0; /* its answer comes to another address, or another port */
		__builtin_memset(&key->backend, 0, sizeof(key->backend));
	}
	asked_at = bpf_map_lookup_elem(&questions, key);
	if (!asked_at || passed_since(*asked_at) > QUESTION_RESOLUTION)
		bpf_map_update_elem(&questions, key, &time, BPF_ANY);
	return 0;
}

static __always_inline bool was_asked(const struct flow_key *key)
{
	const __u64 *asked_at = bpf_map_lookup_elem(&questions, key);

	return asked_at && passed_since(*asked_at) < UDP_IDLE;
}

/* Did somebody here ask for what seems to be a first datagram? walk->tuple is the packet's own. */
static __always_inline bool is_answer(struct walk *walk)
{
	const struct packet *pkt = &walk->packet;
	bool answer;

	if (pkt->protocol != IPPROTO_UDP)
		return false;
	if (was_asked(&walk->tuple))
		return true;
	if (pkt->scope == AT_POD || !is_masqueraded_port(pkt->destination_port))
		return false;
	__builtin_memset(&walk->tuple.backend, 0, sizeof(walk->tuple.backend));
	answer = was_asked(&walk->tuple);
	walk->tuple.backend = pkt->destination;
	return answer;
}

#endif
