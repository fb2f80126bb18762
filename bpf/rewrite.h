/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes one end of a packet, and the checksums with it. Checksums are never summed by hand: with CHECKSUM_PARTIAL the
 * field holds only the pseudo-header's sum, and only the kernel's helpers know which case a packet is.
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
	return pkt->l4 +
	       (pkt->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
}

static __always_inline int rewrite_ipv4_address(struct __sk_buff *skb, const struct packet *pkt, enum side side,
						__u32 to, __u64 flags)
{
	__u32 from = side == SOURCE ? pkt->source.words[3] : pkt->destination.words[3];
	__u32 field = side == SOURCE ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);

	return bpf_l4_csum_replace(skb, checksum_offset(pkt), from, to, flags | BPF_F_PSEUDO_HDR | sizeof(to)) ?:
		       bpf_l3_csum_replace(skb, pkt->l3 + offsetof(struct iphdr, check), from, to, sizeof(to)) ?:
		       bpf_skb_store_bytes(skb, pkt->l3 + field, &to, sizeof(to), 0);
}

static __always_inline int rewrite_ipv6_address(struct __sk_buff *skb, const struct packet *pkt, enum side side,
						const union address *to, __u64 flags)
{
	const union address *from = side == SOURCE ? &pkt->source : &pkt->destination;
	__u32 field = side == SOURCE ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr);
	__s64 difference = bpf_csum_diff((__be32 *)from, sizeof(*from), (__be32 *)to, sizeof(*to), 0);

	if (csum_knows_ipv6)
		flags |= CSUM_IPV6;
	return bpf_l4_csum_replace(skb, checksum_offset(pkt), 0, difference, flags | BPF_F_PSEUDO_HDR) ?:
		       bpf_skb_store_bytes(skb, pkt->l3 + field, to, sizeof(*to), 0);
}

/* Returns false where the kernel refused; the packet may be half changed then, and must be dropped. */
static __always_inline bool rewrite(struct __sk_buff *skb, const struct packet *pkt, enum side side,
				    const union address *address, be16 port)
{
	be16 from = side == SOURCE ? pkt->source_port : pkt->destination_port;
	__u32 field = side == SOURCE ? offsetof(struct udphdr, source) : offsetof(struct udphdr, dest);
	/* A UDP checksum of 0 means "none" and stays; one that comes out as 0 is written as 0xffff (RFC 768). */
	__u64 flags = pkt->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	int error;

	error = pkt->v6 ? rewrite_ipv6_address(skb, pkt, side, address, flags) :
			  rewrite_ipv4_address(skb, pkt, side, address->words[3], flags);
	/* TCP and UDP have their ports at the same place. They aren't part of the pseudo-header. */
	return !error && !bpf_l4_csum_replace(skb, checksum_offset(pkt), from, port, flags | sizeof(port)) &&
	       !bpf_skb_store_bytes(skb, pkt->l4 + field, &port, sizeof(port), 0);
}

#endif
