/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that go through a node port. One entry each, keyed by the backend's side: a reply finds it directly, a
 * request by trying the node port's few backends. Two tiers: what a spoofed packet can make (flows_new) never evicts
 * what took an answer to make (flows_established).
 */
#ifndef SALLYPORT_FLOW_H
#define SALLYPORT_FLOW_H

#include "counters.h"
#include "parse.h"
#include "rewrite.h"
#include "select.h"
#include "walk.h"

/* How far beyond our SYN-ACK the client's first acknowledgement may be: data sent with it (TCP Fast Open, RFC 7413). */
#define FIRST_WINDOW (1 << 20)

/* RFC 4787, REQ-5: a UDP mapping lives for five minutes after its last packet. */
#define UDP_IDLE (300 * 1000000000ULL)

static __always_inline struct flow *find_flow(const struct flow_key *key)
{
	return bpf_map_lookup_elem(&flows_established, key) ?: bpf_map_lookup_elem(&flows_new, key);
}

static __always_inline void delete_flow(const struct flow_key *key)
{
	bpf_map_delete_elem(&flows_established, key);
	bpf_map_delete_elem(&flows_new, key);
}

/* Is it translated where we are? */
static __always_inline bool is_at(const struct flow *flow, __u8 scope)
{
	return !!(flow->state & FLOW_AT_POD) == (scope == AT_POD);
}

static __always_inline bool is_over(const struct flow *flow, __u8 protocol)
{
	const __u16 both = FLOW_CLIENT_FIN | FLOW_SERVER_FIN;

	if (protocol == IPPROTO_UDP && passed_since(flow->last_seen) > UDP_IDLE)
		return true;
	return (flow->state & FLOW_RESET) || (flow->state & both) == both;
}

/* The first packet of a connection, or one that may be. */
static __always_inline bool opens(const struct packet *pkt)
{
	return pkt->protocol == IPPROTO_UDP || (pkt->syn && !pkt->ack);
}

static __always_inline void make_key(struct flow_key *key, __u8 protocol, const union address *backend,
				     be16 backend_port, const union address *client, be16 client_port)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->backend = *backend;
	key->client = *client;
	key->backend_port = backend_port;
	key->client_port = client_port;
	key->protocol = protocol;
}

/* The key of the flow of a request that carries what the pod sees: one to the pod itself, or translated already. */
static __always_inline void direct_key(struct flow_key *key, const struct packet *pkt)
{
	make_key(key, pkt->protocol, &pkt->destination, pkt->destination_port, &pkt->source, pkt->source_port);
}

/* A request's own tuple: the key into `clashes` and `held`. */
static __always_inline void sent_tuple(struct flow_key *key, const struct packet *pkt)
{
	direct_key(key, pkt);
	key->scope = pkt->scope;
}

static __always_inline void request_key(struct flow_key *key, const struct packet *pkt,
					const struct node_port_backend *backend)
{
	make_key(key, pkt->protocol, &backend->address, backend->port, &pkt->source, pkt->source_port);
}

static __always_inline void reply_key(struct flow_key *key, const struct packet *pkt)
{
	make_key(key, pkt->protocol, &pkt->source, pkt->source_port, &pkt->destination, pkt->destination_port);
}

/* Is it the flow of this request? Others from the same client port may end at the same backend. */
static __always_inline bool is_flow_of(const struct flow *flow, const struct packet *pkt)
{
	return is_at(flow, pkt->scope) && flow->node_port == pkt->destination_port &&
	       flow->client_port == pkt->source_port && same_address(&flow->node_address, &pkt->destination);
}

/* The flow and its key, for a packet to a node port; NULL where there is none that leads to a pod of today. */
static __always_inline struct flow *find_flow_of_request(const struct node_port *port, const struct packet *pkt,
							 struct flow_key *key)
{
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		const struct node_port_backend *backend = &port->backends[i];
		struct flow *flow;

		if (i >= port->count)
			break;
		request_key(key, pkt, backend);
		flow = find_flow(key);
		if (flow && flow->pod == backend->pod && is_flow_of(flow, pkt))
			return flow;
	}
	return NULL;
}

/* Keeps the entry where a flood of first packets can't reach it. The old entry goes last: there is always one. */
static __always_inline void promote(const struct flow_key *key, struct flow *flow)
{
	if (flow->state & FLOW_ESTABLISHED)
		return;
	flow->state |= FLOW_ESTABLISHED;
	if (!bpf_map_update_elem(&flows_established, key, flow, BPF_ANY))
		bpf_map_delete_elem(&flows_new, key);
}

static __always_inline bool completes_handshake(const struct flow *flow, const struct packet *pkt)
{
	return pkt->ack && !pkt->syn && (flow->state & FLOW_SYN_ACKED) &&
	       pkt->acknowledgement - flow->server_isn - 1 < FIRST_WINDOW;
}

/* Follows a packet of the flow. `flow` may be stale afterwards: copy what you need of it before. */
static __always_inline void track(const struct flow_key *key, struct flow *flow, const struct packet *pkt,
				  enum direction direction)
{
	flow->last_seen = now();
	if (pkt->protocol == IPPROTO_UDP) {
		if (direction == FROM_POD)
			promote(key, flow);
		return;
	}
	if (pkt->rst)
		flow->state |= FLOW_RESET;
	if (pkt->fin)
		flow->state |= direction == FROM_CLIENT ? FLOW_CLIENT_FIN : FLOW_SERVER_FIN;
	if (direction == FROM_POD && pkt->syn && pkt->ack) {
		flow->server_isn = pkt->sequence;
		flow->state |= FLOW_SYN_ACKED;
	}
	if (direction == FROM_CLIENT && completes_handshake(flow, pkt))
		promote(key, flow);
}

/* Has the pod never answered it? Of a datagram's flow, the first answer is what establishes it. */
static __always_inline bool is_unanswered(const struct flow *flow)
{
	return !(flow->state & (FLOW_SYN_ACKED | FLOW_ESTABLISHED));
}

static __always_inline void fill_flow(struct flow *flow, const struct packet *pkt, __u64 pod)
{
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->node_address = pkt->destination;
	flow->node_port = pkt->destination_port;
	flow->client_port = pkt->source_port;
	flow->state = pkt->scope == AT_POD ? FLOW_AT_POD : 0;
	flow->pod = pod;
	flow->last_seen = now();
}

/* In midstream an entry was evicted, but the pod's socket still knows the connection. */
static __always_inline void reopen_flow(struct walk *walk)
{
	walk->flow.state |= FLOW_SYN_ACKED | FLOW_ESTABLISHED | (walk->packet.fin ? FLOW_CLIENT_FIN : 0) |
			    (walk->packet.rst ? FLOW_RESET : 0);
	bpf_map_update_elem(&flows_established, &walk->key, &walk->flow, BPF_ANY);
}

/* The state of the pod's socket for that very client; TCP_STATE_LISTEN or 0 where it has none of its own. */
static __always_inline __u32 connection_state(struct __sk_buff *skb, const struct packet *pkt, be16 client_port,
					      const struct node_port_backend *place)
{
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	__u32 size = socket_tuple(&tuple, pkt->v6, &pkt->source, client_port, &place->address, place->listener);
	struct bpf_sock *socket = bpf_skc_lookup_tcp(skb, &tuple, size, (__s64)(__s32)place->netns, 0);
	__u32 state;

	if (!socket)
		return 0;
	state = socket->state;
	bpf_sk_release(socket);
	return state;
}

/* Has the pod a socket of its own for that client? TIME_WAIT gives way to a new connection. */
static __always_inline bool is_connected(__u32 state)
{
	return state && state != TCP_STATE_LISTEN && state != TCP_STATE_TIME_WAIT;
}

/* The place of the pod that holds a connection with this very client, or MAX_BACKENDS. */
static __always_inline __u64 find_connection(struct __sk_buff *skb, const struct node_port *port,
					     const struct packet *pkt, be16 client_port)
{
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		if (i >= port->count)
			break;
		if (is_connected(connection_state(skb, pkt, client_port, &port->backends[i])))
			return forget(i);
	}
	return MAX_BACKENDS;
}

/* The pod at a flow's backend, as a place at a node port would say it. False where there is none that lives. */
static __always_inline bool find_place(const struct flow_key *key, const struct packet *pkt,
				       struct node_port_backend *place)
{
	struct backend *backend = find_backend(&key->backend, key->backend_port, key->protocol);

	if (!backend || !lives(backend->pod))
		return false;
	place->address = key->backend;
	place->pod = backend->pod;
	place->netns = pkt->scope == AT_POD ? (__u32)BPF_F_CURRENT_NETNS : backend->netns;
	place->port = key->backend_port;
	place->listener = backend->listener;
	return true;
}

#endif
