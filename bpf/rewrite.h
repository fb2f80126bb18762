/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes one end of a packet, and the checksums with it. Checksums are never summed by hand: with CHECKSUM_PARTIAL the
 * field holds only the pseudo-header's sum, and only the kernel's helpers know which case a packet is.
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

static __always_inline bool rewrite_ipv4_address(struct __sk_buff *skb, const struct packet *pkt, enum side side,
						 __u32 to)
{
	__u32 from = side == SOURCE ? pkt->source.words[3] : pkt->destination.words[3];
	__u32 field = side == SOURCE ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
	__u64 flags = checksum_flags(pkt) | BPF_F_PSEUDO_HDR | sizeof(to);

	if (has_pseudo_header(pkt) && bpf_l4_csum_replace(skb, checksum_offset(pkt), from, to, flags))
		return false;
	return !bpf_l3_csum_replace(skb, pkt->l3 + offsetof(struct iphdr, check), from, to, sizeof(to)) &&
	       !bpf_skb_store_bytes(skb, pkt->l3 + field, &to, sizeof(to), 0);
}

static __always_inline bool rewrite_ipv6_address(struct __sk_buff *skb, const struct packet *pkt, enum side side,
						 const union address *to)
{
	const union address *from = side == SOURCE ? &pkt->source : &pkt->destination;
	__u32 field = pkt->l3 + (side == SOURCE ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr));
	__u64 flags = checksum_flags(pkt) | BPF_F_PSEUDO_HDR | (csum_knows_ipv6 ? CSUM_IPV6 : 0);
	__s64 difference;

	/* The datagram's checksum is in its first fragment; here the skb's own sum, if it has one, is all there is. */
	if (pkt->later_fragment)
		return !bpf_skb_store_bytes(skb, field, to, sizeof(*to), BPF_F_RECOMPUTE_CSUM);
	difference = bpf_csum_diff((__be32 *)from, sizeof(*from), (__be32 *)to, sizeof(*to), 0);
	return !bpf_l4_csum_replace(skb, checksum_offset(pkt), 0, difference, flags) &&
	       !bpf_skb_store_bytes(skb, field, to, sizeof(*to), 0);
}

/* TCP and UDP have their ports at the same place. They aren't part of the pseudo-header. */
static __always_inline bool rewrite_port(struct __sk_buff *skb, const struct packet *pkt, enum side side, be16 to)
{
	be16 from = side == SOURCE ? pkt->source_port : pkt->destination_port;
	__u32 field = side == SOURCE ? offsetof(struct udphdr, source) : offsetof(struct udphdr, dest);

	if (from == to || pkt->later_fragment)
		return true;
	return !bpf_l4_csum_replace(skb, checksum_offset(pkt), from, to, checksum_flags(pkt) | sizeof(to)) &&
	       !bpf_skb_store_bytes(skb, pkt->l4 + field, &to, sizeof(to), 0);
}

static __always_inline bool rewrite_address(struct __sk_buff *skb, const struct packet *pkt, enum side side,
					    const union address *to)
{
	if (same_address(side == SOURCE ? &pkt->source : &pkt->destination, to))
		return true;
	return pkt->v6 ? rewrite_ipv6_address(skb, pkt, side, to) : rewrite_ipv4_address(skb, pkt, side, to->words[3]);
}

static __always_inline bool rewrite(struct __sk_buff *skb, const struct packet *pkt, enum side side,
				    const union address *address, be16 port)
{
	return rewrite_address(skb, pkt, side, address) && rewrite_port(skb, pkt, side, port);
}

#endif
