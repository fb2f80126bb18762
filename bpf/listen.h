/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking the kernel's own socket tables who is ready. No probe, no agent, no delay: a pod is ready from the moment that
 * its gateway calls listen() until it closes the listener or dies. `context` is a packet's or a socket hook's.
 */
#ifndef SALLYPORT_LISTEN_H
#define SALLYPORT_LISTEN_H

#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

#include "maps.h"

/* net/tcp_states.h */
#define TCP_STATE_ESTABLISHED 1
#define TCP_STATE_TIME_WAIT 6
#define TCP_STATE_LISTEN 10
#define TCP_STATE_NEW_SYN_RECV 12

/* bpf_ktime_get_coarse_ns came with kernel 5.11 and costs a fraction; the loader says whether it is there. */
const volatile bool have_coarse_clock = false;

static __always_inline __u64 now(void)
{
	return have_coarse_clock ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
}

/* Nanoseconds since then; 0 where it is yet to come: another CPU or the command may have read the clock later than we.
 */
static __always_inline __u64 passed_since(__u64 moment)
{
	__s64 passed = now() - moment;

	return passed & ~(passed >> 63); /* no branch: each would double what the verifier follows */
}

static __always_inline __u32 socket_tuple(struct bpf_sock_tuple *tuple, __u64 v6, const union address *source,
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
 * Does a socket of the namespace take connections or datagrams from anyone there? Asked from source 0:0, which no
 * connection has: a connected or TIME_WAIT socket of the client's own tuple would hide the listener. `netns` is an id
 * as the context's namespace knows it, or BPF_F_CURRENT_NETNS.
 */
static __always_inline bool listens(void *context, __u64 v6, __u8 protocol, const union address *address, be16 port,
				    __u32 netns)
{
	const union address nobody = {};
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	__u32 size = socket_tuple(&tuple, v6, &nobody, 0, address, port);
	__u64 where = (__s64)(__s32)netns;
	struct bpf_sock *socket = protocol == IPPROTO_TCP ? bpf_sk_lookup_tcp(context, &tuple, size, where, 0) :
							    bpf_sk_lookup_udp(context, &tuple, size, where, 0);
	bool listening;

	if (!socket)
		return false;
	listening = protocol == IPPROTO_UDP || socket->state == TCP_STATE_LISTEN;
	bpf_sk_release(socket);
	return listening;
}

/* Whose that endpoint is; NULL where it is no pod's that we know of. */
static __always_inline struct backend *find_backend(const union address *address, be16 port, __u8 protocol)
{
	struct endpoint endpoint = {
		.address = *address,
		.port = port,
		.protocol = protocol,
	};

	return bpf_map_lookup_elem(&backends, &endpoint);
}

/* The same, where it is that pod's still: what we know of it may be older than the command's last change. */
static __always_inline struct backend *find_backend_of(__u64 pod, const union address *address, be16 port,
						       __u8 protocol)
{
	struct backend *backend = find_backend(address, port, protocol);

	return backend && backend->pod == pod ? backend : NULL;
}

enum answer { SILENT, LISTENS, LISTENS_AND_SETTLED };

/* Does the pod at this place listen, and has it for `settle` ns? Noted in `backends`, for whoever asks next. */
static __always_inline enum answer ask_backend(void *context, const struct node_port_backend *place, __u64 v6,
					       __u8 protocol, __u64 settle)
{
	bool listening = listens(context, v6, protocol, &place->address, place->listener, place->netns);
	struct backend *backend = find_backend_of(place->pod, &place->address, place->port, protocol);

	if (!backend)
		return SILENT; /* the command is just taking it away */
	if (!listening) {
		backend->listening_since = 0;
		return SILENT;
	}
	if (!backend->listening_since)
		backend->listening_since = now();
	return passed_since(backend->listening_since) >= settle ? LISTENS_AND_SETTLED : LISTENS;
}

/* The same by what whoever asked last has seen. */
static __always_inline enum answer recall_backend(const struct node_port_backend *place, __u8 protocol, __u64 settle)
{
	struct backend *backend = find_backend_of(place->pod, &place->address, place->port, protocol);

	if (!backend || !backend->listening_since)
		return SILENT;
	return passed_since(backend->listening_since) >= settle ? LISTENS_AND_SETTLED : LISTENS;
}

#endif
