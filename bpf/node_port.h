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

	__builtin_memcpy(prefix.bytes, address, sizeof(prefix.bytes));
	return bpf_map_lookup_elem(&addresses, &prefix);
}

#endif
