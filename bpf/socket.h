/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the node's own processes and its pods ask for, before there is a packet: which node port an address in a system
 * call stands for, and which pod takes it. System calls can be preempted, so nothing here is per CPU.
 */
#ifndef SALLYPORT_SOCKET_H
#define SALLYPORT_SOCKET_H

#include "counters.h"
#include "node_port.h"
#include "select.h"

/* linux/socket.h isn't for BPF. */
#define AF_INET6 10

/* The namespace of the node itself, by SO_NETNS_COOKIE. 0 before kernel 5.14: it is the initial one then. */
const volatile __u64 host_netns_cookie = 0;

static __always_inline bool is_in_host(void *context)
{
	return bpf_get_netns_cookie(context) == (host_netns_cookie ?: bpf_get_netns_cookie(NULL));
}

static __always_inline bool is_any(const union address *address)
{
	return is_v4_mapped(address) ? !address->words[3] : !address->halves[0] && !address->halves[1];
}

static __always_inline bool is_loopback(const union address *address)
{
	if (is_v4_mapped(address))
		return address->bytes[12] == 127;
	return !address->halves[0] && !address->words[2] && address->words[3] == bpf_htonl(1);
}

/* The one address of loopback that means the node to everybody. 127.0.0.53 is systemd-resolved's, and so on. */
static __always_inline bool is_localhost(const union address *address)
{
	return is_loopback(address) && (!is_v4_mapped(address) || address->words[3] == bpf_htonl(0x7f000001));
}

/* What the context says: the destination of connect and sendmsg, the source that recvmsg and getpeername show. */
static __always_inline struct endpoint endpoint_v4(const struct bpf_sock_addr *ctx)
{
	struct endpoint endpoint = {
		.address = v4_mapped(ctx->user_ip4),
		.port = ctx->user_port,
		.protocol = ctx->protocol,
	};

	return endpoint;
}

static __always_inline struct endpoint endpoint_v6(const struct bpf_sock_addr *ctx)
{
	struct endpoint endpoint = {
		.address.words = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] },
		.port = ctx->user_port,
		.protocol = ctx->protocol,
	};

	return endpoint;
}

/* Does the address count as the node's, seen from this socket? Each other namespace has a loopback of its own. */
static __always_inline bool is_of_node(const union address *address, bool in_host)
{
	if (is_localhost(address) || is_any(address)) /* connect() takes "any" for loopback */
		return in_host;
	return is_answered_here(address);
}

static __always_inline bool is_node_port_use(__u32 uses, const union address *address)
{
	return uses & (is_v4_mapped(address) ? PORT_ANY_V4 | PORT_EXACT_V4 : PORT_ANY_V6 | PORT_EXACT_V6);
}

/* The node port that a socket asks for, and its key. An exact address goes before "any". */
static __always_inline struct node_port *find_asked(const struct endpoint *asked, bool in_host, struct endpoint *key)
{
	struct node_port *port;

	if (!is_of_node(&asked->address, in_host))
		return NULL;
	*key = *asked;
	port = bpf_map_lookup_elem(&node_ports, key);
	if (port)
		return port;
	key->address = any_of_family(!is_v4_mapped(&asked->address));
	return bpf_map_lookup_elem(&node_ports, key);
}

/* Nothing leaves the host from a loopback address, so such a socket is left to find what listens on loopback. */
static __always_inline bool is_bound_to_loopback(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *socket = ctx->sk;
	union address source;

	if (!socket)
		return false;
	if (socket->family != AF_INET6)
		return (bpf_ntohl(socket->src_ip4) >> 24) == 127;
	source.words[0] = *(volatile __u32 *)&socket->src_ip6[0]; /* one by one: a socket can't be copied from */
	source.words[1] = *(volatile __u32 *)&socket->src_ip6[1];
	source.words[2] = *(volatile __u32 *)&socket->src_ip6[2];
	source.words[3] = *(volatile __u32 *)&socket->src_ip6[3];
	return is_loopback(&source);
}

/* ask_pod() for what the socket asks for. What a pod answers it isn't seen, so that none is asked again by it. */
static __always_inline __u64 ask_for_socket(struct bpf_sock_addr *ctx, const struct endpoint *asked, __u32 number,
					    __u64 doubted)
{
	bool in_host = is_in_host(ctx);
	struct node_port *port;
	struct endpoint key;

	port = find_asked(asked, in_host, &key);
	if (!port)
		return STANDING(STANDS_NOWHERE);
	return ~ASK_IT & ask_pod(ctx, port, number, !is_v4_mapped(&asked->address), asked->protocol,
				 in_host ? FROM_HOST : FROM_ELSEWHERE, doubted);
}

/* Two of each, as a hook of IPv4 may not look at what those of IPv6 have. */
__noinline __u64 ask_at_v4_hook(struct bpf_sock_addr *ctx, __u32 number, __u64 doubted)
{
	struct endpoint asked = endpoint_v4(ctx);

	return ask_for_socket(ctx, &asked, number, doubted);
}

__noinline __u64 ask_at_v6_hook(struct bpf_sock_addr *ctx, __u32 number, __u64 doubted)
{
	struct endpoint asked = endpoint_v6(ctx);

	return ask_for_socket(ctx, &asked, number, doubted);
}

static __always_inline __u64 ask_at_v4(void *ctx, __u32 number, __u64 doubted)
{
	return ask_at_v4_hook(ctx, number, doubted);
}

static __always_inline __u64 ask_at_v6(void *ctx, __u32 number, __u64 doubted)
{
	return ask_at_v6_hook(ctx, number, doubted);
}

/* The place of the pod that takes what the socket asks for, or MAX_BACKENDS. The pod `doubted` is in doubt; 0: none. */
static __always_inline int select_for(struct bpf_sock_addr *ctx, const struct endpoint *asked, __u64 doubted,
				      ask_at *ask)
{
	struct selection selection = { .doubted = doubted };
	struct node_port *port;
	struct endpoint key;

	port = find_asked(asked, is_in_host(ctx), &key);
	if (!port || is_bound_to_loopback(ctx))
		return MAX_BACKENDS;
	return select_backend(ctx, port, bpf_get_socket_cookie(ctx), ask, &selection);
}

__noinline int select_at_v4_hook(struct bpf_sock_addr *ctx, __u64 doubted)
{
	struct endpoint asked = endpoint_v4(ctx);

	return select_for(ctx, &asked, doubted, ask_at_v4);
}

__noinline int select_at_v6_hook(struct bpf_sock_addr *ctx, __u64 doubted)
{
	struct endpoint asked = endpoint_v6(ctx);

	return select_for(ctx, &asked, doubted, ask_at_v6);
}

/*
 * Chooses a pod for what the socket asks for. False where it asks for something else, or where there is no pod: then
 * the host refuses. There is no hold here: a system call is answered now, and connect() has no "try again". The pod
 * `doubted` was given until now, and doesn't serve, or doesn't answer; 0: none was.
 */
static __always_inline bool choose(struct bpf_sock_addr *ctx, bool v6_hook, const struct endpoint *asked, __u64 doubted,
				   struct socket_peer *peer)
{
	struct node_port_backend *place;
	struct backend *backend;
	struct node_port *port;
	struct endpoint key;
	__u32 chosen;

	port = find_asked(asked, is_in_host(ctx), &key);
	if (!port)
		return false;
	chosen = v6_hook ? select_at_v6_hook(ctx, doubted) : select_at_v4_hook(ctx, doubted);
	if (chosen >= MAX_BACKENDS)
		return false;
	place = &port->backends[chosen];
	__builtin_memset(peer, 0, sizeof(*peer));
	peer->asked = *asked;
	peer->given.address = place->address;
	peer->given.port = place->port;
	peer->given.protocol = asked->protocol;
	peer->pod = place->pod;
	/* The place was read while the command may have been writing it. */
	backend = find_backend_of(peer->pod, &peer->given.address, peer->given.port, asked->protocol);
	if (!backend)
		return false;
	count_connection(&key, port, backend, false, peer->pod == doubted);
	return true;
}

#endif
