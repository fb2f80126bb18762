/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One client port may be in use towards two node ports, or a node port and the pod itself, that end at the same
 * backend: for the pod that would be one tuple twice. The later connection is shown to the pod under another client
 * port, as netfilter would. The way from the tuple that the client sends to the flow's key is kept in `clashes`.
 */
#ifndef SALLYPORT_CLASH_H
#define SALLYPORT_CLASH_H

#include "connection.h"

/* Ports tried before a connection is given up: with half of them taken, one in a thousand is. */
#define CLASH_ATTEMPTS 10
#define FIRST_SHOWN_PORT 1024

/* The flow of the request walk->tuple where it is shown under another client port, and its key. NULL where it isn't. */
static __always_inline struct flow *find_clash(const struct walk *walk, const struct packet *pkt, struct flow_key *key)
{
	struct flow_key *shown = bpf_map_lookup_elem(&clashes, &walk->tuple);
	struct flow *flow;

	if (!shown)
		return NULL;
	*key = *shown;
	flow = find_flow(key);
	if (!flow || !is_flow_of(flow, pkt))
		return NULL;
	return find_backend_of(flow->pod, &key->backend, key->backend_port, key->protocol) ? flow : NULL;
}

/* The client port that the pod knows this client by. */
static __always_inline be16 shown_port(const struct walk *walk)
{
	struct flow_key *shown = bpf_map_lookup_elem(&clashes, &walk->tuple);

	return shown ? shown->client_port : walk->packet.source_port;
}

static __always_inline bool is_taken(const struct flow_key *key, __u64 pod)
{
	struct flow *flow = find_flow(key);

	return flow && flow->pod == pod && !is_over(flow, key->protocol);
}

/*
 * May the pod see walk->key already: through another node port, or from a client that talks to it directly? Where the
 * client port is the packet's own, a handshake that is under way may be this very connection's, whose entry was
 * evicted. Not inlined: the verifier follows it once, and not for each port that is tried.
 */
__noinline int is_clash(struct __sk_buff *skb, int own_port)
{
	struct walk *walk = this_walk();
	__u32 state;

	if (!walk)
		return false;
	if (is_taken(&walk->key, walk->place.pod))
		return true;
	if (walk->packet.protocol != IPPROTO_TCP)
		return false;
	state = connection_state(skb, &walk->packet, walk->key.client_port, &walk->place);
	return is_connected(state) && !(own_port && state == TCP_STATE_NEW_SYN_RECV);
}

/* Gives walk->key a client port that neither a flow nor a socket of the pod uses. False where none was found. */
static __always_inline bool show_other_port(struct __sk_buff *skb, struct walk *walk)
{
	const struct packet *pkt = &walk->packet;
	struct flow_key *key = &walk->key;
	__u64 seed = mix(pkt->source.halves[1] ^ ((__u64)pkt->source_port << 32) ^ pkt->destination_port ^ now());

	for (__u32 i = 0; i < CLASH_ATTEMPTS; i++) {
		seed = mix(seed + forget(1));
		key->client_port = bpf_htons(FIRST_SHOWN_PORT + (__u32)seed % (65536 - FIRST_SHOWN_PORT));
		if (!is_clash(skb, false))
			return !bpf_map_update_elem(&clashes, &walk->tuple, key, BPF_ANY);
	}
	return false;
}

#endif
