/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that go through a node port. One entry each, keyed by the backend's side: a reply finds it directly, a
 * request by trying the node port's few backends. What a spoofed packet can make (flows_new), or an answer to one
 * (flows_answered), never evicts what took a client that got the answer (flows_established); nor does what has ended.
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

/* How far beyond what a pod's socket has read a client's reset may be: what it sent before is still on its way there.
 */
#define RESET_WINDOW (1 << 20)

/* RFC 4787, REQ-5: a UDP mapping lives for five minutes after its last packet. */
#define UDP_IDLE (300 * 1000000000ULL)

/*
 * Each table has a call of its own. clang would make one of both, with either table, and the kernel inlines a look-up
 * only where a call has one: a tenth of all that an established packet costs.
 */
static __always_inline struct flow *find_flow(const struct flow_key *key)
{
	struct flow *flow;

	if (key->protocol == IPPROTO_UDP) {
		flow = bpf_map_lookup_elem(&flows_answered, key);
		asm volatile("" : "+r"(flow));
	} else {
		flow = bpf_map_lookup_elem(&flows_established, key);
	}
	return flow ?: bpf_map_lookup_elem(&flows_new, key);
}

/* With fewer entries than this, flows_established has evicted none; the loader knows how many. */
const volatile __s64 evicts_from = 0;

static __always_inline struct room *this_room(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&room, &zero);
}

/* May an established connection have lost its entry? */
static __always_inline bool may_have_evicted(void)
{
	const struct room *room = this_room();

	return room && room->established >= evicts_from;
}

static __always_inline void count_established(__s64 change)
{
	struct room *room = this_room();

	if (room)
		__sync_fetch_and_add(&room->established, change);
}

/* Puts the entry where a flood of first packets can't reach it. False where the kernel refused. */
static __always_inline bool keep_flow(const struct flow_key *key, const struct flow *flow)
{
	if (key->protocol == IPPROTO_UDP)
		return !bpf_map_update_elem(&flows_answered, key, flow, BPF_ANY);
	if (bpf_map_update_elem(&flows_established, key, flow, BPF_NOEXIST))
		return !bpf_map_update_elem(&flows_established, key, flow, BPF_EXIST);
	count_established(1);
	return true;
}

static __always_inline void release_flow(const struct flow_key *key)
{
	if (key->protocol == IPPROTO_UDP)
		bpf_map_delete_elem(&flows_answered, key);
	else if (!bpf_map_delete_elem(&flows_established, key))
		count_established(-1);
}

static __always_inline void delete_flow(const struct flow_key *key)
{
	release_flow(key);
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

/* The flow and its key, for a packet to a node port, where it leads to the pod at that place; else NULL. */
static __always_inline struct flow *find_flow_at(const struct node_port_backend *place, const struct packet *pkt,
						 struct flow_key *key)
{
	struct flow *flow;

	request_key(key, pkt, place);
	flow = find_flow(key);
	return flow && flow->pod == place->pod && is_flow_of(flow, pkt) ? flow : NULL;
}

/* Where the search for a request's flow begins, and where it is noted for the next one. NULL: at the first place. */
static __always_inline __u8 *guess_of(const struct packet *pkt)
{
	__u64 hash = mix(pkt->source.halves[0] ^ mix(pkt->source.halves[1]) ^ (__u64)pkt->source_port << 48 ^
			 (__u64)pkt->destination_port << 32 ^ pkt->protocol);
	__u32 number = hash % GUESS_ROWS;
	struct guess_row *row = bpf_map_lookup_elem(&guesses, &number);

	return row ? &row->places[(hash >> 32) % sizeof(row->places)] : NULL;
}

/*
 * Is the flow of a packet to walk->node_port found at that place: of the walk's packet, or of the one that an ICMP
 * error carries? Changes walk->key. Not inlined: the verifier follows it once, and not for each place.
 */
__noinline int is_flow_at(int embedded, __u32 place)
{
	struct walk *walk = this_walk();
	const struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	const struct packet *pkt = walk ? (embedded ? &walk->embedded : &walk->packet) : NULL;

	return pkt && port && find_flow_at(&port->backends[place % MAX_BACKENDS], pkt, &walk->key);
}

/* The place at which it is found, or MAX_BACKENDS. */
static __always_inline __u32 search_places(const struct node_port *port, bool embedded)
{
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		if (i >= port->count)
			break;
		if (is_flow_at(embedded, i))
			return forget(i);
	}
	return MAX_BACKENDS;
}

/*
 * The flow and its key, walk->key, for a packet to walk->node_port, which is `port`; NULL where there is none that
 * leads to a pod of today.
 */
static __always_inline struct flow *find_flow_of_request(struct walk *walk, const struct node_port *port, bool embedded)
{
	const struct packet *pkt = embedded ? &walk->embedded : &walk->packet;
	__u8 *guess = port->count > 1 ? guess_of(pkt) : NULL;
	__u32 place = guess ? *guess % MAX_BACKENDS : 0;
	struct flow *flow = place < port->count ? find_flow_at(&port->backends[place], pkt, &walk->key) : NULL;

	if (flow || !guess)
		return flow;
	place = search_places(port, embedded);
	if (place >= MAX_BACKENDS)
		return NULL;
	*guess = place;
	return find_flow_at(&port->backends[place], pkt, &walk->key);
}

/* The old entry goes last, here and below: there is always one. True where it was new; `flow` is stale then. */
static __always_inline bool promote(const struct flow_key *key, struct flow *flow, bool client_fin)
{
	const __u16 ends = FLOW_RESET | FLOW_CLIENT_FIN | FLOW_SERVER_FIN;

	if (flow->state & FLOW_ESTABLISHED)
		return false;
	/* What seemed to end the handshake before didn't. */
	flow->state = (flow->state & ~ends) | FLOW_ESTABLISHED | (client_fin ? FLOW_CLIENT_FIN : 0);
	if (keep_flow(key, flow))
		bpf_map_delete_elem(&flows_new, key);
	return true;
}

/* It is over, and makes room for the living. What its ends still have to say finds it among the new. */
static __always_inline void retire(const struct flow_key *key, const struct flow *flow)
{
	if ((flow->state & FLOW_ESTABLISHED) && !bpf_map_update_elem(&flows_new, key, flow, BPF_ANY))
		release_flow(key);
}

/* The pod goes on, whatever reset the client, or somebody in its name, has sent. */
static __always_inline void revive(const struct flow_key *key, struct flow *flow)
{
	flow->state &= ~FLOW_RESET;
	if ((flow->state & FLOW_ESTABLISHED) && keep_flow(key, flow))
		bpf_map_delete_elem(&flows_new, key);
}

static __always_inline bool completes_handshake(const struct flow *flow, const struct packet *pkt)
{
	return pkt->ack && !pkt->syn && !pkt->rst && (flow->state & FLOW_SYN_ACKED) &&
	       pkt->acknowledgement - flow->server_isn - 1 < FIRST_WINDOW;
}

/* Follows a TCP segment that ends one side, or both. */
static __always_inline void track_end(const struct flow_key *key, struct flow *flow, const struct packet *pkt,
				      enum direction direction)
{
	bool was_over = is_over(flow, IPPROTO_TCP);

	if (pkt->rst)
		flow->state |= FLOW_RESET;
	if (pkt->fin)
		flow->state |= direction == FROM_CLIENT ? FLOW_CLIENT_FIN : FLOW_SERVER_FIN;
	if (!was_over && is_over(flow, IPPROTO_TCP))
		retire(key, flow);
}

/* Follows a packet of the flow. `flow` may be stale afterwards: copy what you need of it before. */
static __always_inline void track(const struct flow_key *key, struct flow *flow, const struct packet *pkt,
				  enum direction direction)
{
	flow->last_seen = now();
	if (pkt->protocol == IPPROTO_UDP) {
		if (direction == FROM_POD)
			promote(key, flow, false);
		return;
	}
	if (direction == FROM_POD && pkt->syn && pkt->ack) {
		flow->server_isn = pkt->sequence;
		flow->state |= FLOW_SYN_ACKED;
	}
	if (direction == FROM_CLIENT && completes_handshake(flow, pkt) && promote(key, flow, pkt->fin))
		return;
	if (pkt->rst || pkt->fin)
		track_end(key, flow, pkt, direction);
	else if (direction == FROM_POD && (flow->state & FLOW_RESET))
		revive(key, flow);
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
	if (walk->packet.rst)
		bpf_map_update_elem(&flows_new, &walk->key, &walk->flow, BPF_ANY);
	else
		keep_flow(&walk->key, &walk->flow);
}

#endif
