/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a port number and an address stand for on this node: the first questions, for packets and for sockets. */
#ifndef SALLYPORT_NODE_PORT_H
#define SALLYPORT_NODE_PORT_H

#include "maps.h"
#include "parse.h"

/* enum port_use bits: almost everything that is not for us is told by this alone. */
static __always_inline __u32 uses_of(__u8 protocol, be16 port)
{
	__u32 index = port_use_index(protocol, bpf_ntohs(port));
	__u32 *uses = bpf_map_lookup_elem(&port_uses, &index);

	return uses ? *uses : 0;
}

static __always_inline union address any_of_family(bool v6)
{
	return v6 ? (union address){} : v4_mapped(0);
}

/* "Port 80 on anything that passes by" is somebody else's port 80. */
static __always_inline bool is_answered_here(const union address *address)
{
	struct address_prefix prefix = { .length = 128 };
	__u32 *origin;

	__builtin_memcpy(prefix.bytes, address, sizeof(prefix.bytes));
	origin = bpf_map_lookup_elem(&addresses, &prefix);
	return origin && *origin != ADDRESS_EXCLUDED;
}

/* The node port that a packet to a port of these uses is sent to, and its key. An exact address goes before "any". */
static __always_inline struct node_port *find_node_port(const struct packet *pkt, __u32 uses, struct endpoint *key)
{
	struct node_port *port;

	__builtin_memset(key, 0, sizeof(*key));
	key->address = pkt->destination;
	key->port = pkt->destination_port;
	key->protocol = pkt->protocol;
	key->scope = pkt->scope;
	if (pkt->scope == AT_POD)
		return uses & PORT_REMAPPED ? bpf_map_lookup_elem(&node_ports, key) : NULL;
	if (uses & (pkt->v6 ? PORT_EXACT_V6 : PORT_EXACT_V4)) {
		port = bpf_map_lookup_elem(&node_ports, key);
		if (port)
			return port;
	}
	if (!(uses & (pkt->v6 ? PORT_ANY_V6 : PORT_ANY_V4)))
		return NULL;
	key->address = any_of_family(pkt->v6);
	return bpf_map_lookup_elem(&node_ports, key);
}

/* A remap's key has the pod's own address, and its port is nobody else's. */
static __always_inline bool is_for_us(const struct packet *pkt)
{
	return pkt->scope == AT_POD || is_answered_here(&pkt->destination);
}

#endif
