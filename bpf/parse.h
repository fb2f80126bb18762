/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From bytes to a struct packet. A cursor goes over the headers; every step checks its bounds, advances, and says which
 * protocol comes next. What we can't translate (fragments, other protocols, anything malformed) isn't parsed at all,
 * and so is never touched.
 */
#ifndef SALLYPORT_PARSE_H
#define SALLYPORT_PARSE_H

#include <linux/bpf.h>
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

/* Longest headers that we read: Ethernet, IPv4 with all options (or IPv6 with some extensions), TCP without options. */
#define MAX_HEADERS (ETH_HLEN + 60 + sizeof(struct tcphdr))

/* IPv6 extension headers before the transport header (RFC 8200, 4.1 names six kinds; each once, one twice). */
#define MAX_EXTENSION_HEADERS 7

/* ipv6.h has no names for these. */
#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_AUTHENTICATION 51
#define IPV6_DESTINATION_OPTIONS 60

struct packet {
	union address source;
	union address destination;
	__u32 l3; /* offsets into the skb */
	__u32 l4;
	__u32 sequence; /* TCP, host byte order */
	__u32 acknowledgement;
	be16 source_port;
	be16 destination_port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	bool v6;
	bool syn, ack, fin, rst;
};

struct cursor {
	void *at;
	void *end;
	__u32 offset; /* of `at` in the skb */
};

/* The next `size` bytes as a header, or NULL where the packet ends before. Doesn't advance. */
static __always_inline void *peek(const struct cursor *cursor, __u32 size)
{
	return cursor->at + size <= cursor->end ? cursor->at : NULL;
}

static __always_inline void advance(struct cursor *cursor, __u32 size)
{
	cursor->at += size;
	cursor->offset += size;
}

static __always_inline union address v4_mapped(__be32 address)
{
	union address mapped = { .words = { 0, 0, bpf_htonl(0xffff), address } };

	return mapped;
}

static __always_inline bool is_v4_mapped(const union address *address)
{
	return !address->halves[0] && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline union address v6_address(const struct in6_addr *in6)
{
	union address address;

	__builtin_memcpy(&address, in6, sizeof(address));
	return address;
}

/* Returns the transport protocol, or -1. */
static __always_inline int parse_ipv4(struct cursor *cursor, struct packet *pkt)
{
	struct iphdr *ip = peek(cursor, sizeof(*ip));
	__u32 length;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return -1;
	if (ip->frag_off & bpf_htons(0x3fff))
		return -1; /* a fragment, or the first of some */

	length = ip->ihl * 4;
	pkt->v6 = false;
	pkt->l3 = cursor->offset;
	pkt->source = v4_mapped(ip->saddr);
	pkt->destination = v4_mapped(ip->daddr);
	advance(cursor, length);
	return ip->protocol;
}

static __always_inline int parse_ipv6(struct cursor *cursor, struct packet *pkt)
{
	struct ipv6hdr *ip = peek(cursor, sizeof(*ip));
	__u8 next;

	if (!ip || ip->version != 6)
		return -1;

	pkt->v6 = true;
	pkt->l3 = cursor->offset;
	pkt->source = v6_address(&ip->saddr);
	pkt->destination = v6_address(&ip->daddr);
	if (is_v4_mapped(&pkt->source) || is_v4_mapped(&pkt->destination))
		return -1; /* never on a wire; in our tables it would stand for IPv4 */
	next = ip->nexthdr;
	advance(cursor, sizeof(*ip));

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		struct ipv6_rt_hdr *extension; /* the others begin with the same two fields */

		if (next != IPV6_HOP_BY_HOP && next != IPV6_ROUTING && next != IPV6_DESTINATION_OPTIONS &&
		    next != IPV6_AUTHENTICATION)
			return next;
		extension = peek(cursor, sizeof(*extension));
		if (!extension)
			return -1;
		if (next == IPV6_ROUTING && extension->segments_left)
			return -1; /* the destination is a waypoint, and not what the checksum covers */
		/* RFC 4302, 2.2: AH alone counts its length in 4-byte words, less 2. */
		advance(cursor,
			next == IPV6_AUTHENTICATION ? (extension->hdrlen + 2) * 4 : (extension->hdrlen + 1) * 8);
		next = extension->nexthdr;
	}
	return -1;
}

static __always_inline bool parse_tcp(struct cursor *cursor, struct packet *pkt)
{
	struct tcphdr *tcp = peek(cursor, sizeof(*tcp));

	if (!tcp || tcp->doff < 5)
		return false;
	pkt->source_port = tcp->source;
	pkt->destination_port = tcp->dest;
	pkt->sequence = bpf_ntohl(tcp->seq);
	pkt->acknowledgement = bpf_ntohl(tcp->ack_seq);
	pkt->syn = tcp->syn;
	pkt->ack = tcp->ack;
	pkt->fin = tcp->fin;
	pkt->rst = tcp->rst;
	return true;
}

static __always_inline bool parse_udp(struct cursor *cursor, struct packet *pkt)
{
	struct udphdr *udp = peek(cursor, sizeof(*udp));

	if (!udp)
		return false;
	pkt->source_port = udp->source;
	pkt->destination_port = udp->dest;
	return true;
}

/*
 * Where the running program keeps what it parsed. A program isn't interrupted by another on its CPU (bottom halves are
 * off), so one is enough. On the stack, the verifier would follow every value that a header can lead to through the
 * whole rest of the program; what is read from a map it knows nothing of, and the programs load in half the time.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct packet);
	__uint(max_entries, 1);
} scratch SEC(".maps");

static __always_inline struct packet *scratch_packet(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* True for a whole TCP segment or UDP datagram over IPv4 or IPv6; `pkt` is complete then. */
static __always_inline bool parse_packet(struct __sk_buff *skb, struct packet *pkt)
{
	struct cursor cursor;
	int protocol;

	/* Headers may lie in fragments of the skb. What can't be pulled is short, and found out below. */
	if (skb->data + MAX_HEADERS > skb->data_end)
		bpf_skb_pull_data(skb, skb->len < MAX_HEADERS ? skb->len : MAX_HEADERS);

	cursor.at = (void *)(long)skb->data;
	cursor.end = (void *)(long)skb->data_end;
	cursor.offset = 0;
	__builtin_memset(pkt, 0, sizeof(*pkt));

	if (!peek(&cursor, ETH_HLEN))
		return false;
	advance(&cursor, ETH_HLEN);

	if (skb->protocol == bpf_htons(ETH_P_IP))
		protocol = parse_ipv4(&cursor, pkt);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		protocol = parse_ipv6(&cursor, pkt);
	else
		return false;

	pkt->l4 = cursor.offset;
	pkt->protocol = protocol;
	if (protocol == IPPROTO_TCP)
		return parse_tcp(&cursor, pkt);
	if (protocol == IPPROTO_UDP)
		return parse_udp(&cursor, pkt);
	return false;
}

#endif
