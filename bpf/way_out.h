/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a reply leaves with fastPath. On the wire it comes from the node's own address, so the kernel is asked where it
 * would send such a packet itself, by its routes and rules. Asked with the pod's address, as the host's stack will be,
 * a node with source routing may say something else.
 */
#ifndef SALLYPORT_WAY_OUT_H
#define SALLYPORT_WAY_OUT_H

#include "walk.h"

/* linux/socket.h isn't for BPF. */
#define AF_INET 2
#define AF_INET6 10

/* A reply of that flow, as it will leave. Asked as from the device where its requests arrive, which may be a VRF's. */
static __always_inline void ask_for(struct bpf_fib_lookup *way, const struct packet *pkt, const struct flow *flow)
{
	__builtin_memset(way, 0, sizeof(*way));
	way->family = pkt->v6 ? AF_INET6 : AF_INET;
	way->l4_protocol = pkt->protocol;
	way->sport = flow->node_port;
	way->dport = flow->client_port;
	way->ifindex = flow->device;
	if (pkt->v6) {
		__builtin_memcpy(way->ipv6_src, &flow->node_address, sizeof(way->ipv6_src));
		__builtin_memcpy(way->ipv6_dst, &pkt->destination, sizeof(way->ipv6_dst));
	} else {
		way->ipv4_src = flow->node_address.words[3];
		way->ipv4_dst = pkt->destination.words[3];
	}
}

/*
 * Sends a reply of that flow out at once, where the way to its client is by the device that its requests arrive on: we
 * are there. Anywhere else it is the stack's, as without fastPath: so is what has no way, would have to be fragmented,
 * or needs a tunnel. A node that doesn't forward answers no such question, and its stack takes nothing: there is the
 * device alone.
 */
static __always_inline int send_out(struct __sk_buff *skb, const struct packet *pkt, const struct flow *flow)
{
	struct bpf_redir_neigh next = {};
	__u32 device = flow->device;
	struct bpf_fib_lookup way;
	long answer;

	ask_for(&way, pkt, flow);
	answer = bpf_fib_lookup(skb, &way, sizeof(way), BPF_FIB_LOOKUP_SKIP_NEIGH);
	if (answer == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return bpf_redirect_neigh(device, NULL, 0, 0);
	if (answer != BPF_FIB_LKUP_RET_SUCCESS || way.ifindex != device)
		return TCX_NEXT;
	next.nh_family = way.family; /* a router of IPv6 may lead to IPv4 */
	__builtin_memcpy(next.ipv6_nh, way.ipv6_dst, sizeof(next.ipv6_nh));
	return bpf_redirect_neigh(device, &next, sizeof(next), 0);
}

#endif
