/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes a packet's ends, and the checksums with them. A transport checksum is never summed by hand: with
 * CHECKSUM_PARTIAL the field holds only the pseudo-header's sum, and only the kernel's helpers know which case a packet
 * is. IPv4's header has no such cases.
 *
 * The functions return false where the kernel refused; the packet may be half changed then, and must be dropped.
 */
#ifndef SALLYPORT_REWRITE_H
#define SALLYPORT_REWRITE_H

#include "parse.h"

/* uapi/linux/bpf.h of kernel 6.16; older headers lack the name. */
#define CSUM_IPV6 (1ULL << 7)

/*
 * With CHECKSUM_COMPLETE the sum over the packet lives in the skb. Under IPv4 an address change cancels out against the
 * header's own checksum; under IPv6 nothing cancels it but the transport checksum, and the helper must be told.
 * False on kernels whose helper refuses the flag (5.10 does, and leaves the checksum wrong): the loader asks.
 */
const volatile bool csum_knows_ipv6 = false;

enum side { SOURCE, DESTINATION };

static __always_inline __u32 checksum_offset(const struct packet *pkt)
{
	if (pkt->protocol == IPPROTO_TCP)
		return pkt->l4 + offsetof(struct tcphdr, check);
	if (pkt->protocol == IPPROTO_UDP)
		return pkt->l4 + offsetof(struct udphdr, check);
	return pkt->l4 + offsetof(struct icmp_header, checksum);
}

/* Does the packet hold a checksum that covers its addresses? ICMP's doesn't, ICMPv6's does. */
static __always_inline bool has_pseudo_header(const struct packet *pkt)
{
	return !pkt->later_fragment && pkt->protocol != IPPROTO_ICMP;
}

/* A UDP checksum of 0 means "none" and stays; one that comes out as 0 is written as 0xffff (RFC 768). */
static __always_inline __u64 checksum_flags(const struct packet *pkt)
{
	return pkt->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

static __always_inline bool same_address(const union address *a, const union address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

/* TCP and UDP begin with them. They aren't part of the pseudo-header. */
struct ports {
	be16 source, destination;
};

static __always_inline bool has_ports(const struct packet *pkt)
{
	return !pkt->later_fragment && (pkt->protocol == IPPROTO_TCP || pkt->protocol == IPPROTO_UDP);
}

/* What stands together in most packets, and so is written by one call: an IPv4 header from its checksum on, ... */
struct ipv4_ends {
	__u16 unused; /* aligns the addresses */
	be16 checksum;
	__be32 source, destination;
	struct ports ports; /* where the header has no options */
};

/* ... and an IPv6 header's addresses. */
struct ipv6_ends {
	union address source, destination;
	struct ports ports; /* where no extension header follows */
};

/* The checksum of an IPv4 header in which four bytes changed (RFC 1624, equation 3). */
static __always_inline be16 follow_ipv4_change(be16 checksum, __be32 from, __be32 to)
{
	__u32 sum = (__u16)~checksum + (~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* `addresses`, `size` bytes, are written at `offset`, and `ports`, which must follow them in memory, where the packet's
 * are. */
static __always_inline bool store_ends(struct __sk_buff *skb, const struct packet *pkt, __u32 offset,
				       const void *addresses, __u32 size, const struct ports *ports, __u64 flags)
{
	bool at_once = has_ports(pkt) && pkt->l4 == offset + size;

	if (bpf_skb_store_bytes(skb, offset, addresses, at_once ? size + sizeof(*ports) : size, flags))
		return false;
	return at_once || !has_ports(pkt) || !bpf_skb_store_bytes(skb, pkt->l4, ports, sizeof(*ports), 0);
}

static __always_inline bool rewrite_ipv4(struct __sk_buff *skb, const struct packet *pkt, enum side side, __be32 to,
					 const struct ports *ports)
{
	struct ipv4_ends ends = { 0, 0, pkt->source.words[3], pkt->destination.words[3], *ports };
	__be32 *end = side == SOURCE ? &ends.source : &ends.destination;
	__u64 flags = checksum_flags(pkt) | BPF_F_PSEUDO_HDR | sizeof(to);

	if (*end != to && has_pseudo_header(pkt) && bpf_l4_csum_replace(skb, checksum_offset(pkt), *end, to, flags))
		return false;
	ends.checksum = follow_ipv4_change(pkt->header_checksum, *end, to);
	*end = to;
	return store_ends(skb, pkt, pkt->l3 + offsetof(struct iphdr, check), &ends.checksum,
			  offsetof(struct ipv4_ends, ports) - offsetof(struct ipv4_ends, checksum), &ends.ports, 0);
}

static __always_inline bool rewrite_ipv6(struct __sk_buff *skb, const struct packet *pkt, enum side side,
					 const union address *to, const struct ports *ports)
{
	struct ipv6_ends ends = { pkt->source, pkt->destination, *ports };
	union address *end = side == SOURCE ? &ends.source : &ends.destination;
	__u64 flags = checksum_flags(pkt) | BPF_F_PSEUDO_HDR | (csum_knows_ipv6 ? CSUM_IPV6 : 0);
	__s64 difference;

	/* The datagram's checksum is in its first fragment. Of a later one the skb's own sum, if it has one, is all. */
	if (has_pseudo_header(pkt) && !same_address(end, to)) {
		difference = bpf_csum_diff((__be32 *)end, sizeof(*end), (__be32 *)to, sizeof(*to), 0);
		if (bpf_l4_csum_replace(skb, checksum_offset(pkt), 0, difference, flags))
			return false;
	}
	*end = *to;
	return store_ends(skb, pkt, pkt->l3 + offsetof(struct ipv6hdr, saddr), &ends, offsetof(struct ipv6_ends, ports),
			  &ends.ports, pkt->later_fragment ? BPF_F_RECOMPUTE_CSUM : 0);
}

/* The address of one side, and the ports of both. A packet that says so already isn't written to. */
static __always_inline bool rewrite(struct __sk_buff *skb, const struct packet *pkt, enum side side,
				    const union address *address, be16 port, be16 other_port)
{
	struct ports from = { pkt->source_port, pkt->destination_port };
	struct ports to = side == SOURCE ? (struct ports){ port, other_port } : (struct ports){ other_port, port };
	__u32 before, after;

	__builtin_memcpy(&before, &from, sizeof(from));
	__builtin_memcpy(&after, &to, sizeof(to));
	if (before == after && same_address(side == SOURCE ? &pkt->source : &pkt->destination, address))
		return true;
	if (before != after && has_ports(pkt) &&
	    bpf_l4_csum_replace(skb, checksum_offset(pkt), before, after, checksum_flags(pkt) | sizeof(after)))
		return false;
	return pkt->v6 ? rewrite_ipv6(skb, pkt, side, address, &to) :
			 rewrite_ipv4(skb, pkt, side, address->words[3], &to);
}

/* Of an ICMP error, which has no ports. */
static __always_inline bool rewrite_error(struct __sk_buff *skb, const struct packet *pkt, enum side side,
					  const union address *to)
{
	return rewrite(skb, pkt, side, to, 0, 0);
}

#endif
