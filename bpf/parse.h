/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From bytes to a struct packet. Every step checks its bounds and says which protocol comes next and where. What we
 * can't translate (other protocols, anything malformed) isn't parsed at all, and so is never touched.
 */
#ifndef SALLYPORT_PARSE_H
#define SALLYPORT_PARSE_H

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "sallyport/abi.h"

/* How long the link-layer header is. The loader says 0 for the devices that have none (WireGuard, tun). */
const volatile __u32 link_header_length = ETH_HLEN;

/* What is read in place: Ethernet, IPv4 with all options or IPv6, TCP without options. */
#define MAX_HEADERS (ETH_HLEN + 60 + sizeof(struct tcphdr))

/* Where a transport header may begin: beyond all extension headers that anybody sends. */
#define MAX_TRANSPORT_OFFSET 2047

/* IPv6 extension headers before the transport header (RFC 8200, 4.1 names six kinds; each once, one twice). */
#define MAX_EXTENSION_HEADERS 7

/* ipv6.h has no names for these. */
#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_FRAGMENT 44
#define IPV6_AUTHENTICATION 51
#define IPV6_DESTINATION_OPTIONS 60

/* IEEE 802.1Q: the VLAN's number. 0 is none: such a tag says a priority only. */
#define VLAN_ID 0x0fff

/* RFC 791: the offset, in 8 bytes, and "more fragments"; the kernel's ip.h isn't for user space. */
#define IPV4_OFFSET 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000

/* RFC 792. linux/icmp.h has them, but drags in the C library's headers. ICMPv6's header has the same shape. */
#define ICMP_DEST_UNREACH 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED 4

struct icmp_header {
	__u8 type;
	__u8 code;
	be16 checksum;
	__u32 rest;
};

/* RFC 8200, 4.5; the same in its own place. */
#define IPV6_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

struct ipv6_fragment_header {
	__u8 nexthdr;
	__u8 reserved;
	be16 offset;
	__u32 id;
};

struct packet {
	union address source;
	union address destination;
	__u32 l3; /* offsets into the skb */
	__u32 l4;
	__u32 sequence; /* TCP, host byte order; this, the next and the flags by parse_segment() */
	__u32 acknowledgement;
	__u32 fragment_id;
	be16 source_port;
	be16 destination_port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP; of an ICMP error IPPROTO_ICMP or IPPROTO_ICMPV6 */
	__u8 scope;    /* enum scope: where we look at it */
	bool v6;
	bool syn, ack, fin, rst;
	bool first_fragment;  /* more of them follow */
	bool later_fragment;  /* it has no transport header; its ports are those of the first */
	be16 header_checksum; /* IPv4's */
};

/* The `size` bytes at `offset`, or NULL where the packet's linear part ends before. */
static __always_inline void *header_at(const struct __sk_buff *skb, __u32 offset, __u32 size)
{
	void *header = (void *)(long)skb->data + offset;

	return header + size <= (void *)(long)skb->data_end ? header : NULL;
}

static __always_inline union address v4_mapped(__be32 address)
{
	union address mapped = { .words = { 0, 0, bpf_htonl(0xffff), address } };

	return mapped;
}

static __always_inline bool is_v4_mapped(const union address *address)
{
	/* In one: each comparison on its own would be one more thing that the verifier knows from here on. */
	return !(address->halves[0] | (address->words[2] ^ bpf_htonl(0xffff)));
}

static __always_inline union address v6_address(const struct in6_addr *in6)
{
	union address address;

	__builtin_memcpy(&address, in6, sizeof(address));
	return address;
}

static __always_inline bool is_icmp_error(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMP)
		return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
	return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB; /* RFC 4443, 2.1: errors are below 128 */
}

/* The header's fields, for a packet on the wire and for one that an ICMP error carries. pkt->l3 is where it stands. */
static __always_inline bool take_ipv4(const struct iphdr *ip, struct packet *pkt)
{
	__u16 fragment = bpf_ntohs(ip->frag_off);

	if (ip->version != 4 || ip->ihl < 5)
		return false;
	pkt->later_fragment = fragment & IPV4_OFFSET;
	pkt->first_fragment = !pkt->later_fragment && (fragment & IPV4_MORE_FRAGMENTS);
	pkt->fragment_id = ip->id;
	pkt->header_checksum = ip->check;
	pkt->source = v4_mapped(ip->saddr);
	pkt->destination = v4_mapped(ip->daddr);
	pkt->protocol = ip->protocol;
	pkt->l4 = pkt->l3 + ip->ihl * 4;
	return true;
}

static __always_inline bool take_ipv6(const struct ipv6hdr *ip, struct packet *pkt)
{
	if (ip->version != 6)
		return false;
	pkt->v6 = true;
	pkt->source = v6_address(&ip->saddr);
	pkt->destination = v6_address(&ip->daddr);
	if (is_v4_mapped(&pkt->source) || is_v4_mapped(&pkt->destination))
		return false; /* never on a wire; in our tables it would stand for IPv4 */
	pkt->protocol = ip->nexthdr;
	pkt->l4 = pkt->l3 + sizeof(*ip);
	return true;
}

static __always_inline bool parse_ipv4(struct __sk_buff *skb, struct packet *pkt)
{
	const struct iphdr *ip = header_at(skb, link_header_length, sizeof(*ip));

	return ip && take_ipv4(ip, pkt);
}

static __always_inline void take_ipv6_fragment(const struct ipv6_fragment_header *header, struct packet *pkt)
{
	__u16 offset = bpf_ntohs(header->offset);

	/* Alone, it is a whole datagram (RFC 6946). */
	pkt->later_fragment = offset & IPV6_OFFSET;
	pkt->first_fragment = !pkt->later_fragment && (offset & IPV6_MORE_FRAGMENTS);
	pkt->fragment_id = header->id;
}

/*
 * Goes from pkt->l4 on to the transport header. Offset and protocol are read from the map in each round: so the
 * verifier sees the same state again, where pointers into the packet would make it follow every chain of headers.
 */
static __always_inline bool skip_extension_headers(struct __sk_buff *skb, struct packet *pkt)
{
	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		struct ipv6_fragment_header extension; /* the others begin with the same two fields */
		struct ipv6_rt_hdr *routing = (struct ipv6_rt_hdr *)&extension;
		__u8 this = pkt->protocol;

		if (this != IPV6_HOP_BY_HOP && this != IPV6_ROUTING && this != IPV6_DESTINATION_OPTIONS &&
		    this != IPV6_AUTHENTICATION && this != IPV6_FRAGMENT)
			return true;
		if (bpf_skb_load_bytes(skb, pkt->l4, &extension, sizeof(extension)))
			return false;
		if (this == IPV6_ROUTING && routing->segments_left)
			return false; /* the destination is a waypoint, and not what the checksum covers */
		if (this == IPV6_FRAGMENT) {
			if (pkt->first_fragment)
				return false; /* a fragment within a fragment */
			take_ipv6_fragment(&extension, pkt);
			if (pkt->later_fragment)
				return true;
			extension.reserved = 0; /* where others have their length */
		}
		/* RFC 4302, 2.2: AH alone counts its length in 4-byte words, less 2. */
		pkt->l4 += this == IPV6_AUTHENTICATION ? (extension.reserved + 2) * 4 : (extension.reserved + 1) * 8;
		pkt->protocol = extension.nexthdr;
	}
	return false;
}

static __always_inline bool parse_ipv6(struct __sk_buff *skb, struct packet *pkt)
{
	const struct ipv6hdr *ip = header_at(skb, link_header_length, sizeof(*ip));

	return ip && take_ipv6(ip, pkt) && skip_extension_headers(skb, pkt);
}

/* The same offset, with a bound that the verifier sees at this very place: kernel 6.1 loses sight of it over a spill.
 */
static __always_inline __u32 bounded(__u32 offset)
{
	asm volatile("%0 &= %1" : "+r"(offset) : "i"(MAX_TRANSPORT_OFFSET));
	return offset;
}

/* The transport header, whole; pulled into the linear part where it isn't there yet. */
static __always_inline void *transport_header(struct __sk_buff *skb, const struct packet *pkt, __u32 size)
{
	void *header;

	if (pkt->l4 > MAX_TRANSPORT_OFFSET)
		return NULL;
	header = header_at(skb, bounded(pkt->l4), size);
	if (header || bpf_skb_pull_data(skb, pkt->l4 + size))
		return header;
	return header_at(skb, bounded(pkt->l4), size);
}

static __always_inline bool parse_tcp(struct __sk_buff *skb, struct packet *pkt)
{
	const struct tcphdr *tcp = transport_header(skb, pkt, sizeof(*tcp));

	if (!tcp || tcp->doff < 5)
		return false;
	pkt->source_port = tcp->source;
	pkt->destination_port = tcp->dest;
	return true;
}

/* What a TCP segment says besides: read once its port is known to be ours. Other protocols, and later fragments, keep
 * zeros. */
static __always_inline bool parse_segment(struct __sk_buff *skb, struct packet *pkt)
{
	const struct tcphdr *tcp;

	if (pkt->protocol != IPPROTO_TCP || pkt->later_fragment)
		return true;
	tcp = transport_header(skb, pkt, sizeof(*tcp));
	if (!tcp)
		return false;
	pkt->sequence = bpf_ntohl(tcp->seq);
	pkt->acknowledgement = bpf_ntohl(tcp->ack_seq);
	pkt->syn = tcp->syn;
	pkt->ack = tcp->ack;
	pkt->fin = tcp->fin;
	pkt->rst = tcp->rst;
	return true;
}

static __always_inline bool parse_udp(struct __sk_buff *skb, struct packet *pkt)
{
	const struct udphdr *udp = transport_header(skb, pkt, sizeof(*udp));

	if (!udp)
		return false;
	pkt->source_port = udp->source;
	pkt->destination_port = udp->dest;
	return true;
}

/* True for an ICMP error; what it is about is read in icmp.h. */
static __always_inline bool parse_icmp(struct __sk_buff *skb, struct packet *pkt)
{
	const struct icmp_header *icmp = transport_header(skb, pkt, sizeof(*icmp));

	return icmp && is_icmp_error(pkt->protocol, icmp->type);
}

/* True for a TCP segment, a UDP datagram, a fragment, or an ICMP error, over IPv4 or IPv6. */
static __always_inline bool parse_packet(struct __sk_buff *skb, struct packet *pkt, enum scope scope)
{
	if (skb->vlan_present && (skb->vlan_tci & VLAN_ID))
		return false; /* it belongs to the VLAN's own device, where we see it without its tag */
	/* Headers may lie in fragments of the skb. What can't be pulled is short, and found out below. */
	if (!header_at(skb, 0, MAX_HEADERS))
		bpf_skb_pull_data(skb, skb->len < MAX_HEADERS ? skb->len : MAX_HEADERS);
	__builtin_memset(pkt, 0, sizeof(*pkt));
	pkt->scope = scope;
	pkt->l3 = link_header_length;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (!parse_ipv4(skb, pkt))
			return false;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (!parse_ipv6(skb, pkt))
			return false;
	} else {
		return false;
	}

	if (pkt->later_fragment)
		return pkt->l4 <= skb->len;
	if (pkt->protocol == IPPROTO_TCP)
		return parse_tcp(skb, pkt);
	if (pkt->protocol == IPPROTO_UDP)
		return parse_udp(skb, pkt);
	if (pkt->protocol == (pkt->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return parse_icmp(skb, pkt);
	return false;
}

#endif
