/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking the kernel's own socket tables who listens. No probe, no agent, no delay: a socket is seen from the moment
 * that its gateway calls listen() until it closes it or dies. `context` is a packet's or a socket hook's.
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

enum sight {
	NO_LISTENER,
	LISTENER,
	OBSCURED, /* a socket that tells nothing: it is bound to a device */
};

/*
 * Does a socket of the pod's namespace take connections or datagrams from anyone there? Asked from source 0:0, which no
 * connection has: a connected or TIME_WAIT socket of the client's own tuple would hide the listener.
 *
 * The kernel holds the device that a socket is bound to against the one that we run on, by number alone, though they
 * are of different namespaces. So it is found on one of the node's devices, by chance, and missed on others, at system
 * calls and by the agent. It counts as one that we don't see, and the pod's answers tell.
 */
static __always_inline enum sight sight_of(void *context, __u64 v6, __u8 protocol,
					   const struct node_port_backend *place)
{
	const union address nobody = {};
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	__u32 size = socket_tuple(&tuple, v6, &nobody, 0, &place->address, place->listener);
	__u64 where = (__s64)(__s32)place->netns;
	struct bpf_sock *socket = protocol == IPPROTO_TCP ? bpf_sk_lookup_tcp(context, &tuple, size, where, 0) :
							    bpf_sk_lookup_udp(context, &tuple, size, where, 0);
	enum sight sight = NO_LISTENER;

	if (!socket)
		return NO_LISTENER;
	if (protocol == IPPROTO_UDP || socket->state == TCP_STATE_LISTEN)
		sight = socket->bound_dev_if ? OBSCURED : LISTENER;
	bpf_sk_release(socket);
	return sight;
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

/* Is it still there? Where nobody calls DEL for a pod, its entries outlive it. */
static __always_inline bool lives(__u64 pod)
{
	__u32 key = living_key(pod);

	return bpf_map_lookup_elem(&living, &key);
}

/* Has the port a pod that lives? One that went without DEL leaves its place behind, and nobody comes back to it. */
static __always_inline bool any_lives(const struct node_port *port)
{
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		if (i >= port->count)
			break;
		if (lives(port->backends[i].pod))
			return true;
	}
	return false;
}

/*
 * As find_backend(), where it is that pod's still, and the pod lives: what we know of it may be older than the
 * command's last change, and than the pod's end.
 */
static __always_inline struct backend *find_backend_of(__u64 pod, const union address *address, be16 port,
						       __u8 protocol)
{
	struct backend *backend = find_backend(address, port, protocol);

	return backend && backend->pod == pod && lives(pod) ? backend : NULL;
}

#endif
