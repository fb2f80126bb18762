/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Has the namespace of a pod's socket an address of the node's for itself? Docker in a pod has 172.17.0.1, as a node
 * with Docker has. What a pod sends there is for itself, and none of ours.
 *
 * No program is shown a namespace's addresses. But the kernel binds a socket only to an address that is there, and says
 * EADDRNOTAVAIL of any other before it looks at the socket; so it is asked that, and what it did is undone. Only
 * connect() has that helper. An IPv6 socket that has a port already can't be asked, and counts as one that asks the
 * node.
 */
#ifndef SALLYPORT_HOME_H
#define SALLYPORT_HOME_H

#include <linux/in6.h>

#include "socket.h"

/* linux/socket.h and linux/errno.h aren't for BPF. */
#define AF_INET 2
#define EADDRNOTAVAIL 99

/* Addresses that nobody has: reserved (RFC 1112, section 4), and for discarding (RFC 6666). */
#define NOBODYS_V4 bpf_htonl(0xfffffffe)
#define NOBODYS_V6 bpf_htonl(0x01000000)

/* Binds the socket to that address and to no port; 0, or -errno. */
static __always_inline int bind_v4(struct bpf_sock_addr *ctx, __u32 address)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = address };

	return bpf_bind(ctx, (struct sockaddr *)&at, sizeof(at));
}

static __always_inline int bind_v6(struct bpf_sock_addr *ctx, const union address *address)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6 };

	__builtin_memcpy(&at.sin6_addr, address, sizeof(*address));
	return bpf_bind(ctx, (struct sockaddr *)&at, sizeof(at));
}

/* Some sockets may be bound to any address (IP_FREEBIND, ip_nonlocal_bind), which tells nothing. */
static __always_inline bool has_v4_at_home(struct bpf_sock_addr *ctx, __u32 address, __u32 source)
{
	int own = bind_v4(ctx, address);
	int nobodys;

	if (own == -EADDRNOTAVAIL)
		return false;
	nobodys = bind_v4(ctx, NOBODYS_V4);
	if (!own || !nobodys)
		bind_v4(ctx, source);
	return nobodys == -EADDRNOTAVAIL;
}

static __always_inline bool has_v6_at_home(struct bpf_sock_addr *ctx, const union address *address,
					   const union address *source)
{
	union address nobody = {};
	int own = bind_v6(ctx, address);
	int nobodys;

	if (own == -EADDRNOTAVAIL)
		return false;
	nobody.words[3] = bpf_htonl(1);
	nobody.words[0] = NOBODYS_V6;
	if (is_v4_mapped(address))
		nobody = v4_mapped(NOBODYS_V4);
	nobodys = bind_v6(ctx, &nobody);
	if (!own || !nobodys)
		bind_v6(ctx, source);
	return nobodys == -EADDRNOTAVAIL;
}

/* connect() to an address of the node's, from a socket of another namespace. */
static __always_inline bool is_at_home(struct bpf_sock_addr *ctx, bool v6_hook, const union address *address)
{
	struct bpf_sock *socket = ctx->sk;
	union address source = {};

	if (!socket || is_in_host(ctx) || !is_answered_here(address))
		return false;
	if (!v6_hook)
		return has_v4_at_home(ctx, address->words[3], socket->src_ip4);
	source.words[0] = *(volatile __u32 *)&socket->src_ip6[0];
	source.words[1] = *(volatile __u32 *)&socket->src_ip6[1];
	source.words[2] = *(volatile __u32 *)&socket->src_ip6[2];
	source.words[3] = *(volatile __u32 *)&socket->src_ip6[3];
	return has_v6_at_home(ctx, address, &source);
}

/* A datagram without connect(): only a socket that is bound to exactly that address shows that it is there. */
static __always_inline bool is_served_at_home(struct bpf_sock_addr *ctx, const struct endpoint *to)
{
	const union address nobody = {};
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	bool v6 = !is_v4_mapped(&to->address);
	struct bpf_sock *socket;
	__u32 size;
	bool exact;

	if (is_in_host(ctx))
		return false;
	size = socket_tuple(&tuple, v6, &nobody, 0, &to->address, to->port);
	socket = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!socket)
		return false;
	exact = v6 ? socket->src_ip6[0] || socket->src_ip6[1] || socket->src_ip6[2] || socket->src_ip6[3] :
		     socket->src_ip4 == to->address.words[3];
	bpf_sk_release(socket);
	return exact;
}

#endif
