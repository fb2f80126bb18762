/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which pod takes a new connection: the kernel's own socket tables say who is ready. No probe, no agent, no delay: a
 * pod is a candidate from the moment that its gateway calls listen() until it closes the listener or dies.
 */
#ifndef SALLYPORT_SELECT_H
#define SALLYPORT_SELECT_H

#include "maps.h"
#include "parse.h"

/* net/tcp_states.h */
#define TCP_STATE_ESTABLISHED 1
#define TCP_STATE_LISTEN 10

static __always_inline __u32 socket_tuple(struct bpf_sock_tuple *tuple, bool v6, const union address *source,
					  be16 source_port, const union address *destination, be16 destination_port)
{
	__builtin_memset(tuple, 0, sizeof(*tuple));
	if (v6) {
		__builtin_memcpy(tuple->ipv6.saddr, source, sizeof(*source));
		__builtin_memcpy(tuple->ipv6.daddr, destination, sizeof(*destination));
		tuple->ipv6.sport = source_port;
		tuple->ipv6.dport = destination_port;
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = source->words[3];
	tuple->ipv4.daddr = destination->words[3];
	tuple->ipv4.sport = source_port;
	tuple->ipv4.dport = destination_port;
	return sizeof(tuple->ipv4);
}

/*
 * Does a socket of the pod take connections or datagrams from anyone there? Asked from source 0:0, which no connection
 * has: a connected or TIME_WAIT socket of the client's own tuple would hide the listener.
 */
static __always_inline bool listens(struct __sk_buff *skb, bool v6, __u8 protocol, const union address *address,
				    be16 port, __u32 netns)
{
	const union address nobody = {};
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	__u32 size = socket_tuple(&tuple, v6, &nobody, 0, address, port);
	struct bpf_sock *socket = protocol == IPPROTO_TCP ? bpf_sk_lookup_tcp(skb, &tuple, size, netns, 0) :
							    bpf_sk_lookup_udp(skb, &tuple, size, netns, 0);
	bool listening;

	if (!socket)
		return false;
	listening = protocol == IPPROTO_UDP || socket->state == TCP_STATE_LISTEN;
	bpf_sk_release(socket);
	return listening;
}

/* The state of the pod's socket for this very client; TCP_STATE_LISTEN or 0 where it has none of its own. */
static __always_inline __u32 connection_state(struct __sk_buff *skb, const struct packet *pkt,
					      const struct node_port_backend *backend)
{
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	struct bpf_sock *socket;
	__u32 size = socket_tuple(&tuple, pkt->v6, &pkt->source, pkt->source_port, &backend->address, backend->port);
	__u32 state;

	socket = bpf_skc_lookup_tcp(skb, &tuple, size, backend->netns, 0);
	if (!socket)
		return 0;
	state = socket->state;
	bpf_sk_release(socket);
	return state;
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014): every input bit reaches every output bit. */
static __always_inline __u64 mix(__u64 bits)
{
	bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
	bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
	return bits ^ (bits >> 31);
}

/*
 * Rendezvous hashing (Thaler, Ravishankar 1998): the client goes to the pod with the highest score, so that a pod that
 * comes or goes moves nobody but its own clients. Never 0.
 */
static __always_inline __u64 score(const struct packet *pkt, __u64 pod)
{
	return mix(pkt->source.halves[0] ^ mix(pkt->source.halves[1] ^ mix(pkt->source_port ^ (pod << 16)))) | 1;
}

static __always_inline bool backend_listens(struct __sk_buff *skb, const struct packet *pkt,
					    const struct node_port_backend *backend)
{
	return listens(skb, pkt->v6, pkt->protocol, &backend->address, backend->port, backend->netns);
}

/*
 * The same number, but unknown to the verifier. It follows each value of a number that it knows through the whole rest
 * of the program; forgotten in time, all places of a list are one.
 */
static __always_inline __u32 forget(const struct __sk_buff *skb, __u32 number)
{
	__u32 length = *(volatile __u32 *)&skb->len;

	return number + length - *(volatile __u32 *)&skb->len;
}

/* The functions below return a place in port->backends, or MAX_BACKENDS for "none". */

/*
 * The one with the highest score among those that listen: with `newest` its youth, with `spread` what the client's hash
 * gives it. Youngest come first, so that with `newest` nobody is asked after the first who listens. Both scores are
 * made and one is masked out: a branch here would double what the verifier has to follow.
 */
static __always_inline __u32 select_backend(struct __sk_buff *skb, const struct node_port *port,
					    const struct packet *pkt)
{
	__u64 spread = -(__u64)forget(skb, port->backends[0].share == SHARE_SPREAD);
	__u32 chosen = MAX_BACKENDS;
	__u64 best = 0;

	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		__u64 youth = MAX_BACKENDS - forget(skb, i);
		__u64 mine;

		if (i >= port->count)
			break;
		mine = (score(pkt, port->backends[i].pod) & spread) | (youth & ~spread);
		if (mine <= best || !backend_listens(skb, pkt, &port->backends[i]))
			continue;
		best = mine;
		chosen = forget(skb, i);
	}
	return chosen;
}

/* The pod that holds a connection with this very client. */
static __always_inline __u32 find_connection(struct __sk_buff *skb, const struct node_port *port,
					     const struct packet *pkt)
{
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		__u32 state;

		if (i >= port->count)
			break;
		state = connection_state(skb, pkt, &port->backends[i]);
		if (state && state != TCP_STATE_LISTEN)
			return forget(skb, i);
	}
	return MAX_BACKENDS;
}

#endif
