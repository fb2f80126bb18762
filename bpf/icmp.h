/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors about translated packets: who gets one looks up its own connection in the header that the error carries,
 * so that must be what it sent itself. Of the transport header, 8 bytes may be all that is carried (RFC 792).
 *
 * The ICMP checksum covers all that is carried. Each change there goes into it on its own, the change of a carried
 * checksum too. Nothing of it may touch the skb's own sum, which stays what it is.
 */
#ifndef SALLYPORT_ICMP_H
#define SALLYPORT_ICMP_H

#include "translate.h"

/* Reads what the error carries into `inner`. False where it isn't a packet that could be ours. */
static __always_inline bool parse_embedded(struct __sk_buff *skb, const struct packet *outer, struct packet *inner)
{
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} ip;
	struct udphdr ports; /* TCP's first 8 bytes begin alike */

	__builtin_memset(inner, 0, sizeof(*inner));
	inner->scope = outer->scope;
	inner->l3 = outer->l4 + sizeof(struct icmp_header);
	if (outer->v6) {
		if (bpf_skb_load_bytes(skb, inner->l3, &ip.v6, sizeof(ip.v6)) || !take_ipv6(&ip.v6, inner) ||
		    !skip_extension_headers(skb, inner))
			return false;
	} else if (bpf_skb_load_bytes(skb, inner->l3, &ip.v4, sizeof(ip.v4)) || !take_ipv4(&ip.v4, inner)) {
		return false;
	}
	if (!same_address(&outer->destination, &inner->source))
		return false; /* an error goes to whom it is about; else it is forged */
	if (inner->later_fragment || (inner->protocol != IPPROTO_TCP && inner->protocol != IPPROTO_UDP) ||
	    bpf_skb_load_bytes(skb, inner->l4, &ports, sizeof(ports)))
		return false;
	inner->source_port = ports.source;
	inner->destination_port = ports.dest;
	return true;
}

static __always_inline __u32 icmp_checksum(const struct packet *outer)
{
	return outer->l4 + offsetof(struct icmp_header, checksum);
}

/* Two carried bytes were `from` and are now `to`. */
static __always_inline bool carry(struct __sk_buff *skb, const struct packet *outer, be16 from, be16 to)
{
	return from == to || !bpf_l4_csum_replace(skb, icmp_checksum(outer), from, to, sizeof(to));
}

/* Changes a carried checksum by what changed in what it covers: `difference`, or two bytes. */
static __always_inline bool follow_change(struct __sk_buff *skb, const struct packet *outer, const struct packet *inner,
					  __u32 field, __u64 from, __u64 to, __u64 size)
{
	be16 before, after;

	if (bpf_skb_load_bytes(skb, field, &before, sizeof(before)))
		return true; /* cut off */
	if (inner->protocol == IPPROTO_UDP && field == checksum_offset(inner) && !before)
		return true; /* none */
	if (bpf_l3_csum_replace(skb, field, from, to, size) || bpf_skb_load_bytes(skb, field, &after, sizeof(after)))
		return false;
	if (inner->protocol == IPPROTO_UDP && field == checksum_offset(inner) && !after) {
		after = 0xffff; /* 0 would say "none" */
		if (bpf_skb_store_bytes(skb, field, &after, sizeof(after), 0))
			return false;
	}
	return carry(skb, outer, before, after);
}

static __always_inline bool rewrite_embedded_address(struct __sk_buff *skb, const struct packet *outer,
						     const struct packet *inner, enum side side,
						     const union address *from, const union address *to)
{
	__u32 field = inner->v6 ? (side == SOURCE ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr)) :
				  (side == SOURCE ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr));
	/* The rest of the 16-byte form is alike in both, and adds nothing. */
	__s64 difference = bpf_csum_diff((__be32 *)from, sizeof(*from), (__be32 *)to, sizeof(*to), 0);

	if (same_address(from, to))
		return true;
	if (!inner->v6 &&
	    !follow_change(skb, outer, inner, inner->l3 + offsetof(struct iphdr, check), 0, difference, 0))
		return false;
	if (!follow_change(skb, outer, inner, checksum_offset(inner), 0, difference, 0) ||
	    bpf_l4_csum_replace(skb, icmp_checksum(outer), 0, difference, 0))
		return false;
	return inner->v6 ? !bpf_skb_store_bytes(skb, inner->l3 + field, to, sizeof(*to), 0) :
			   !bpf_skb_store_bytes(skb, inner->l3 + field, &to->words[3], sizeof(to->words[3]), 0);
}

static __always_inline bool rewrite_embedded_port(struct __sk_buff *skb, const struct packet *outer,
						  const struct packet *inner, enum side side, be16 from, be16 to)
{
	__u32 field = side == SOURCE ? offsetof(struct udphdr, source) : offsetof(struct udphdr, dest);

	if (from == to)
		return true;
	return follow_change(skb, outer, inner, checksum_offset(inner), from, to, sizeof(to)) &&
	       carry(skb, outer, from, to) && !bpf_skb_store_bytes(skb, inner->l4 + field, &to, sizeof(to), 0);
}

/* The pod's answer to a request: ends and ports changed over. */
static __always_inline void turn_around(struct packet *pkt)
{
	union address address = pkt->source;
	be16 port = pkt->source_port;

	pkt->source = pkt->destination;
	pkt->destination = address;
	pkt->source_port = pkt->destination_port;
	pkt->destination_port = port;
}

/* From the world, about what we sent there: an answer of the pod's, carried as it left, from the node port. */
__noinline int error_from_client(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct packet *outer, *inner;
	struct node_port *port;
	struct flow *flow = NULL;

	if (!walk)
		return TCX_NEXT;
	outer = &walk->packet;
	inner = &walk->embedded;
	if (!parse_embedded(skb, outer, inner))
		return TCX_NEXT;
	turn_around(inner); /* now it is the request that was answered */
	port = find_node_port(inner, uses_of(inner->protocol, inner->destination_port), &walk->node_port);
	if (port)
		flow = find_flow_of_request(walk, port, true);
	sent_tuple(&walk->tuple, inner);
	if (!flow)
		flow = find_clash(walk, inner, &walk->key);
	if (!flow || !is_at(flow, outer->scope))
		return TCX_NEXT;

	if (!rewrite_embedded_address(skb, outer, inner, SOURCE, &inner->destination, &walk->key.backend) ||
	    !rewrite_embedded_port(skb, outer, inner, SOURCE, inner->destination_port, walk->key.backend_port) ||
	    !rewrite_embedded_port(skb, outer, inner, DESTINATION, inner->source_port, walk->key.client_port))
		return drop(DROP_REWRITE_FAILED);
	return rewrite_error(skb, outer, DESTINATION, &walk->key.backend) ? TCX_NEXT : drop(DROP_REWRITE_FAILED);
}

/* Does the pod itself say that nothing takes what it got? A router's word is of the way, not of the pod. */
static __always_inline bool is_refusal(struct __sk_buff *skb, const struct packet *outer, const struct packet *inner,
				       const struct flow *flow)
{
	struct icmp_header icmp;

	if (!same_address(&outer->source, &inner->destination) ||
	    bpf_skb_load_bytes(skb, outer->l4, &icmp, sizeof(icmp)))
		return false;
	if (icmp.type != (outer->v6 ? ICMPV6_DEST_UNREACH : ICMP_DEST_UNREACH))
		return false;
	if (icmp.code == (outer->v6 ? ICMPV6_PORT_UNREACH : ICMP_PORT_UNREACH))
		return inner->protocol == IPPROTO_UDP || is_unanswered(flow);
	/* A firewall in the pod has other words for it; "fragmentation needed" is none. */
	return is_unanswered(flow) && (outer->v6 || icmp.code != ICMP_FRAG_NEEDED);
}

/* From the pod, or a router before it, about what we sent there: a request, carried as the pod saw it. */
__noinline int error_from_pod(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct packet *outer, *inner;
	struct backend *backend;
	struct flow *flow;

	if (!walk)
		return TCX_NEXT;
	outer = &walk->packet;
	inner = &walk->embedded;
	if (!parse_embedded(skb, outer, inner))
		return TCX_NEXT;
	if (!(uses_of(inner->protocol, inner->destination_port) & PORT_OF_BACKEND))
		return TCX_NEXT;
	backend = find_backend(&inner->destination, inner->destination_port, inner->protocol);
	direct_key(&walk->key, inner); /* translated already, and so the flow's own key */
	flow = find_flow(&walk->key);
	if (!backend || !flow || flow->pod != backend->pod || !is_at(flow, outer->scope))
		return TCX_NEXT;
	walk->flow = *flow;
	if (is_refusal(skb, outer, inner, flow)) {
		flow->state |= FLOW_RESET;
		retire(&walk->key, flow);
		note_refusal(backend);
		if (!(flow->state & FLOW_DIRECT)) {
			node_port_of_flow(walk);
			if (is_put_off(skb))
				return TCX_DROP;
		}
	}

	if (!rewrite_embedded_address(skb, outer, inner, DESTINATION, &inner->destination, &walk->flow.node_address) ||
	    !rewrite_embedded_port(skb, outer, inner, DESTINATION, inner->destination_port, walk->flow.node_port) ||
	    !rewrite_embedded_port(skb, outer, inner, SOURCE, inner->source_port, walk->flow.client_port))
		return drop(DROP_REWRITE_FAILED);
	if (same_address(&outer->source, &inner->destination) &&
	    !rewrite_error(skb, outer, SOURCE, &walk->flow.node_address))
		return drop(DROP_REWRITE_FAILED);
	return TCX_NEXT;
}

static __always_inline bool is_error(const struct packet *pkt)
{
	return !pkt->later_fragment && (pkt->protocol == IPPROTO_ICMP || pkt->protocol == IPPROTO_ICMPV6);
}

static __always_inline int packet_from_client(struct __sk_buff *skb, enum scope scope)
{
	struct walk *walk = this_walk();

	if (!walk || !parse_packet(skb, &walk->packet, scope))
		return TCX_NEXT; /* neither TCP nor UDP, nor an ICMP error */
	return is_error(&walk->packet) ? error_from_client(skb) : from_client(skb, walk);
}

static __always_inline int packet_from_pod(struct __sk_buff *skb, enum scope scope)
{
	struct walk *walk = this_walk();

	if (!walk || !parse_packet(skb, &walk->packet, scope))
		return TCX_NEXT;
	return is_error(&walk->packet) ? error_from_pod(skb) : from_pod(skb, walk);
}

#endif
