// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hooks at the system calls of the node's processes and of its pods: a node port is reached from here too, without a
 * packet on any wire, and isn't taken away from the pods by a process of the node.
 *
 * Attached to the children of the cgroup root. IPv4 on an IPv6 socket comes as v4-mapped through the hooks that end
 * in 6.
 */
#include "home.h"
#include "peers.h"
#include "v6only.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#define EADDRINUSE 98

/* bpf_set_retval came with kernel 5.18 for these hooks; without it a refused bind() says EPERM. */
const volatile bool have_set_retval = false;

/* Whether v6only.h is right about this kernel; else a socket at :: counts as one of IPv6 alone. */
const volatile bool sees_v6only = false;

enum verdict {
	REFUSE = 0,
	PROCEED = 1,
};

static __always_inline void show_v4(struct bpf_sock_addr *ctx, const struct endpoint *endpoint)
{
	ctx->user_ip4 = endpoint->address.words[3];
	ctx->user_port = endpoint->port;
}

static __always_inline void show_v6(struct bpf_sock_addr *ctx, const struct endpoint *endpoint)
{
	ctx->user_ip6[0] = endpoint->address.words[0];
	ctx->user_ip6[1] = endpoint->address.words[1];
	ctx->user_ip6[2] = endpoint->address.words[2];
	ctx->user_ip6[3] = endpoint->address.words[3];
	ctx->user_port = endpoint->port;
}

/* What the port number of a destination stands for; nothing where it is no TCP or UDP port. */
static __always_inline __u32 uses_of_destination(const struct endpoint *to)
{
	return to->protocol == IPPROTO_TCP || to->protocol == IPPROTO_UDP ? uses_of(to->protocol, to->port) : 0;
}

/* connect(): a TCP connection, or a UDP socket's peer. Returns true with the backend in *to. */
static __always_inline bool connect_to(struct bpf_sock_addr *ctx, bool v6_hook, struct endpoint *to)
{
	__u32 uses = uses_of_destination(to);
	struct bpf_sock *socket = ctx->sk;
	struct socket_peer peer;

	if (!uses || !socket)
		return false;
	if (!is_node_port_use(uses, &to->address) || is_at_home(ctx, v6_hook, &to->address) ||
	    !choose(ctx, v6_hook, to, 0, &peer)) {
		forget_connection(socket); /* it goes there directly now */
		return false;
	}
	remember_connection(socket, &peer);
	*to = peer.given;
	return true;
}

/*
 * Does the pod that this was given to still take datagrams? In the host its socket is looked for. From another
 * namespace it can't be, and what was last seen counts, and what the asker itself has seen: a pod that answered it
 * before, and is silent now.
 */
static __always_inline bool still_serves(struct bpf_sock_addr *ctx, const struct socket_peer *peer)
{
	struct backend *backend =
		find_backend_of(peer->pod, &peer->given.address, peer->given.port, peer->given.protocol);
	struct node_port_backend place = {};

	if (!backend || is_silent(peer))
		return false;
	if (is_in_host(ctx)) {
		place.address = peer->given.address;
		place.netns = backend->netns;
		place.listener = backend->listener;
		look(ctx, &place, !is_v4_mapped(&place.address), IPPROTO_UDP, backend);
	}
	return !is_doubted(backend);
}

/* A connected socket of IPv6 sends each datagram to IPv4 by here, to the peer that connect() gave it. */
static __always_inline bool goes_to_peer(struct bpf_sock_addr *ctx, const struct endpoint *to)
{
	struct bpf_sock *socket = ctx->sk;

	return socket && socket->state == TCP_STATE_ESTABLISHED && socket->dst_ip4 == to->address.words[3] &&
	       socket->dst_port == to->port;
}

/* sendto() and sendmsg() of a datagram: its socket keeps the pod that it was given for as long as that pod lives. */
static __always_inline bool send_to(struct bpf_sock_addr *ctx, bool v6_hook, struct endpoint *to)
{
	__u32 uses = uses_of_destination(to);
	struct bpf_sock *socket = ctx->sk;
	struct socket_peer peer = {};
	bool taken;

	if (!uses || !socket || (!v6_hook && goes_to_peer(ctx, to)))
		return false;
	taken = is_node_port_use(uses, &to->address) && !is_served_at_home(ctx, to);
	if (taken && recall_given(socket, to, &peer) && still_serves(ctx, &peer)) {
		*to = peer.given;
		return true;
	}
	if (!taken || !choose(ctx, v6_hook, to, peer.pod, &peer)) {
		__builtin_memset(&peer, 0, sizeof(peer));
		peer.asked = *to;
		remember_given(socket, &peer); /* it goes there without us */
		return false;
	}
	peer.unanswered_since = now();
	remember_given(socket, &peer);
	*to = peer.given;
	return true;
}

/* getpeername(): a pod that the socket reached through a node port is shown as that. */
static __always_inline bool show_connected(struct bpf_sock_addr *ctx, struct endpoint *peer)
{
	const struct endpoint given = *peer;
	struct bpf_sock *socket = ctx->sk;

	return socket && recall_connection(socket, &given, peer);
}

/* recvmsg(): the same, of whom a datagram comes from. */
static __always_inline bool show_sender(struct bpf_sock_addr *ctx, struct endpoint *from)
{
	const struct endpoint given = *from;
	struct bpf_sock *socket = ctx->sk;

	return (uses_of(given.protocol, given.port) & PORT_OF_BACKEND) && socket &&
	       (recall_connection(socket, &given, from) || take_datagram(socket, &given, from));
}

SEC("cgroup/connect4")
int socket_connect4(struct bpf_sock_addr *ctx)
{
	struct endpoint to = endpoint_v4(ctx);

	if (connect_to(ctx, false, &to))
		show_v4(ctx, &to);
	return PROCEED;
}

SEC("cgroup/connect6")
int socket_connect6(struct bpf_sock_addr *ctx)
{
	struct endpoint to = endpoint_v6(ctx);

	if (connect_to(ctx, true, &to))
		show_v6(ctx, &to);
	return PROCEED;
}

SEC("cgroup/sendmsg4")
int socket_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct endpoint to = endpoint_v4(ctx);

	if (send_to(ctx, false, &to))
		show_v4(ctx, &to);
	return PROCEED;
}

SEC("cgroup/sendmsg6")
int socket_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct endpoint to = endpoint_v6(ctx);

	if (send_to(ctx, true, &to))
		show_v6(ctx, &to);
	return PROCEED;
}

SEC("cgroup/recvmsg4")
int socket_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct endpoint from = endpoint_v4(ctx);

	if (show_sender(ctx, &from))
		show_v4(ctx, &from);
	return PROCEED;
}

SEC("cgroup/recvmsg6")
int socket_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct endpoint from = endpoint_v6(ctx);

	if (show_sender(ctx, &from))
		show_v6(ctx, &from);
	return PROCEED;
}

/* Connections outlive their pod's entries, so the port number isn't asked first. */
SEC("cgroup/getpeername4")
int socket_getpeername4(struct bpf_sock_addr *ctx)
{
	struct endpoint from = endpoint_v4(ctx);

	if (show_connected(ctx, &from))
		show_v4(ctx, &from);
	return PROCEED;
}

SEC("cgroup/getpeername6")
int socket_getpeername6(struct bpf_sock_addr *ctx)
{
	struct endpoint from = endpoint_v6(ctx);

	if (show_connected(ctx, &from))
		show_v6(ctx, &from);
	return PROCEED;
}

/* ---- bind() --------------------------------------------------------------------------------------------------- */

/* Is there a node port with a pod that lives, or does one wait for its next pod? */
static __always_inline bool is_exposed(const struct endpoint *node_port)
{
	struct node_port *port = bpf_map_lookup_elem(&node_ports, node_port);

	return port && (port->count ? any_lives(port) : now() < port->vacant_until);
}

/* Would a socket at this place of the node take, or seem to take, what goes to a pod? */
static __always_inline bool is_reserved(const struct endpoint *bound)
{
	bool v4 = is_v4_mapped(&bound->address);
	struct endpoint any = *bound;
	__u32 uses = uses_of(bound->protocol, bound->port);

	if (!is_node_port_use(uses, &bound->address))
		return false;
	if (is_any(&bound->address) && (uses & (v4 ? PORT_EXACT_V4 : PORT_EXACT_V6)))
		return true; /* it would lack one address */
	if (is_exposed(bound))
		return true;
	any.address = any_of_family(!v4);
	return is_of_node(&bound->address, true) && is_exposed(&any);
}

/* A socket at :: takes IPv4 too, unless it was told not to. */
static __always_inline bool takes_ipv4_too(struct bpf_sock *ctx, const struct endpoint *bound)
{
	return sees_v6only && is_any(&bound->address) && !is_v4_mapped(&bound->address) && !is_v6_only(ctx);
}

static __always_inline int judge(struct bpf_sock *ctx, const struct endpoint *bound)
{
	struct endpoint over_ipv4 = *bound;

	over_ipv4.address = v4_mapped(0);
	if (bound->protocol != IPPROTO_TCP && bound->protocol != IPPROTO_UDP)
		return PROCEED;
	if (!is_in_host(ctx))
		return PROCEED;
	if (!is_reserved(bound) && !(takes_ipv4_too(ctx, bound) && is_reserved(&over_ipv4)))
		return PROCEED;
	if (have_set_retval)
		bpf_set_retval(-EADDRINUSE);
	return REFUSE;
}

SEC("cgroup/post_bind4")
int socket_post_bind4(struct bpf_sock *ctx)
{
	struct endpoint bound = {
		.address = v4_mapped(ctx->src_ip4),
		.port = bpf_htons(ctx->src_port),
		.protocol = ctx->protocol,
	};

	return judge(ctx, &bound);
}

SEC("cgroup/post_bind6")
int socket_post_bind6(struct bpf_sock *ctx)
{
	struct endpoint bound = {
		.address.words = { ctx->src_ip6[0], ctx->src_ip6[1], ctx->src_ip6[2], ctx->src_ip6[3] },
		.port = bpf_htons(ctx->src_port),
		.protocol = ctx->protocol,
	};

	return judge(ctx, &bound);
}
