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
#include "maps.h"
#include "parse.h"
#include "select.h"

/* bpf_ktime_get_coarse_ns came with kernel 5.11 and costs a fraction; the loader says whether it is there. */
const volatile bool have_coarse_clock = false;

/* How far beyond our SYN-ACK the client's first acknowledgement may be: data sent with it (TCP Fast Open, RFC 7413). */
#define FIRST_WINDOW (1 << 20)

static __always_inline __u64 now(void)
{
	return have_coarse_clock ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
}

static __always_inline struct flow *find_flow(const struct flow_key *key)
{
	return bpf_map_lookup_elem(&flows_established, key) ?: bpf_map_lookup_elem(&flows_new, key);
}

static __always_inline bool is_closed(const struct flow *flow)
{
	const __u16 both = FLOW_CLIENT_FIN | FLOW_SERVER_FIN;

	return (flow->state & FLOW_RESET) || (flow->state & both) == both;
}

static __always_inline void request_key(struct flow_key *key, const struct packet *pkt,
					const struct node_port_backend *backend)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->backend = backend->address;
	key->client = pkt->source;
	key->backend_port = backend->port;
	key->client_port = pkt->source_port;
	key->protocol = pkt->protocol;
}

static __always_inline void reply_key(struct flow_key *key, const struct packet *pkt)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->backend = pkt->source;
	key->client = pkt->destination;
	key->backend_port = pkt->source_port;
	key->client_port = pkt->destination_port;
	key->protocol = pkt->protocol;
}

static __always_inline bool same_address(const union address *a, const union address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
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
		if (flow && flow->pod == backend->pod && flow->node_port == pkt->destination_port &&
		    same_address(&flow->node_address, &pkt->destination))
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

/*
 * The backend's tuple as the pod would see it may be taken: by a flow through another node port from the same client
 * port. To give it away would send the other flow's replies to the wrong port.
 */
static __always_inline bool clashes_with(const struct flow_key *key, const struct node_port_backend *backend)
{
	struct flow *other = find_flow(key);

	return other && other->pod == backend->pod && !is_closed(other);
}

static __always_inline void fill_flow(struct flow *flow, const struct packet *pkt, const struct endpoint *node_port,
				      const struct node_port_backend *backend)
{
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->node_address = pkt->destination;
	flow->node_port = pkt->destination_port;
	flow->pod = backend->pod;
	flow->last_seen = now();
	if (!same_address(&node_port->address, &pkt->destination))
		flow->state = FLOW_VIA_ANY;
}

/* The slot was read while the command may have been writing it: what counts is whom the backend belongs to now. */
static __always_inline bool still_there(const struct packet *pkt, const struct node_port_backend *slot)
{
	struct endpoint endpoint = {
		.address = slot->address,
		.port = slot->port,
		.protocol = pkt->protocol,
	};
	struct backend *backend = bpf_map_lookup_elem(&backends, &endpoint);

	return backend && backend->pod == slot->pod;
}

#endif
