/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * QUIC connections whose client's address or port changes, as behind a NAT that forgot it. A pod knows its connection
 * by an ID of its own (RFC 9000, 5.1), which its long headers show, and which its client's datagrams begin with. So it
 * is remembered with the pod, and a datagram from nowhere finds its pod by it.
 *
 * Anybody can make a pod choose IDs. So one is remembered when the client uses it: then it got the pod's answer, and
 * each flow has one. Later ones, which the pod gives its client encrypted, are seen when they are used.
 */
#ifndef SALLYPORT_QUIC_H
#define SALLYPORT_QUIC_H

#include "flow.h"

/* RFC 8999, 5.1: of a long header's first byte; a short one's is 0. RFC 9000, 17.3.1: the next bit is 1. */
#define QUIC_LONG 0x80
#define QUIC_FIXED 0x40
#define QUIC_FORM (QUIC_LONG | QUIC_FIXED)

#define QUIC_1 0x00000001 /* RFC 9000 */
#define QUIC_2 0x6b3343cf /* RFC 9369 */
#define MAX_QUIC_ID 20    /* of both versions */

/* Of both versions (RFC 8999, 5.1): after these, the destination's ID, the source's length, and the source's ID. */
struct quic_long_header {
	__u8 form;
	__u8 version[4];
	__u8 destination_length;
};

/* A number for the ID at that offset, never 0; 0 where there is none. */
static __always_inline __u32 hash_id(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__u64 words[4] = {}; /* for as much as the verifier believes */

	if (!length || length > MAX_QUIC_ID)
		return 0;
	length--;
	asm volatile("%0 &= 31" : "+r"(length)); /* kernel 5.10 forgets that it isn't 0 */
	if (bpf_skb_load_bytes(skb, offset, words, length + 1))
		return 0;
	return (__u32)mix(words[0] ^ mix(words[1] ^ mix(words[2]))) | 1;
}

static __always_inline bool is_version_with_ids(const struct quic_long_header *header)
{
	__be32 version;

	__builtin_memcpy(&version, header->version, sizeof(version));
	return version == bpf_htonl(QUIC_1) || version == bpf_htonl(QUIC_2);
}

/* The datagram's first byte as far as it says what header that is; 0 where it is none of QUIC's. */
static __always_inline __u8 quic_form(struct __sk_buff *skb, const struct packet *pkt)
{
	const __u8 *first;

	if (pkt->protocol != IPPROTO_UDP || pkt->later_fragment || pkt->l4 > MAX_TRANSPORT_OFFSET)
		return 0;
	first = header_at(skb, bounded(pkt->l4), sizeof(struct udphdr) + 1);
	return first && (first[sizeof(struct udphdr)] & QUIC_FIXED) ? first[sizeof(struct udphdr)] & QUIC_FORM : 0;
}

/*
 * The ID by which the pod knows the connection, in a client's datagram; 0 where there is none. A short header doesn't
 * say how long it is: `length` is how long that pod makes them.
 */
static __always_inline __u32 id_from_client(struct __sk_buff *skb, const struct packet *pkt, __u8 form, __u32 length)
{
	__u32 payload = pkt->l4 + sizeof(struct udphdr);
	struct quic_long_header header;

	if (form == QUIC_FIXED)
		return hash_id(skb, payload + 1, length);
	if (form != QUIC_FORM || bpf_skb_load_bytes(skb, payload, &header, sizeof(header)) ||
	    !is_version_with_ids(&header))
		return 0;
	return hash_id(skb, payload + sizeof(header), header.destination_length);
}

/* A pod's datagram, of the flow at walk->key: the ID that its client shall use from now on. */
__noinline int note_id_of_pod(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	__u32 payload = walk ? walk->packet.l4 + sizeof(struct udphdr) : 0;
	struct quic_long_header header;
	struct backend *backend;
	struct flow *flow;
	__u8 length;
	__u32 id;

	if (!walk || bpf_skb_load_bytes(skb, payload, &header, sizeof(header)) || !is_version_with_ids(&header) ||
	    header.destination_length > MAX_QUIC_ID)
		return 0;
	payload += sizeof(header) + header.destination_length;
	if (bpf_skb_load_bytes(skb, payload, &length, sizeof(length)))
		return 0;
	id = hash_id(skb, payload + sizeof(length), length);
	flow = find_flow(&walk->key);
	backend = find_backend(&walk->key.backend, walk->key.backend_port, IPPROTO_UDP);
	if (!id || !flow || !backend || (flow->state & FLOW_QUIC_USED))
		return 0;
	if (backend->quic_id_length != length)
		backend->quic_id_length = length;
	flow->quic_id = id;
	flow->state |= FLOW_QUIC;
	return 0;
}

/* A client's datagram, of the flow at walk->key, which is one of QUIC. */
__noinline int note_id_of_client(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	const struct packet *pkt = walk ? &walk->packet : NULL;
	struct flow *flow = walk ? find_flow(&walk->key) : NULL;
	struct endpoint client = {};
	struct backend *backend;
	__u64 pod;
	__u32 id;
	__u8 form;

	if (!pkt || !flow)
		return 0;
	backend = find_backend(&walk->key.backend, walk->key.backend_port, IPPROTO_UDP);
	form = quic_form(skb, pkt);
	id = backend && form ? id_from_client(skb, pkt, form, backend->quic_id_length) : 0;
	/* A long header may still have an ID that the client made up itself, for a pod that it doesn't know yet. */
	if (!id || (id == flow->quic_id) == !!(flow->state & FLOW_QUIC_USED) ||
	    (form != QUIC_FIXED && id != flow->quic_id))
		return 0;
	pod = flow->pod;
	if (flow->state & FLOW_QUIC_USED)
		bpf_map_delete_elem(&quic_ids, &flow->quic_id); /* one each: so nobody fills the table alone */
	flow->quic_id = id;
	flow->state |= FLOW_QUIC_USED;
	bpf_map_update_elem(&quic_ids, &id, &pod, BPF_ANY);
	client.address = pkt->source;
	client.port = pkt->destination_port;
	bpf_map_update_elem(&quic_clients, &client, &pod, BPF_ANY);
	return 0;
}

/* Follows a pod's datagram of the flow at walk->key: what isn't QUIC pays a look at a byte. */
static __always_inline void follow_quic_pod(struct __sk_buff *skb, const struct packet *pkt)
{
	if (quic_form(skb, pkt) == QUIC_FORM)
		note_id_of_pod(skb);
}

/* The pod that knows the connection of a client's datagram, where its IDs are of that length; 0: none. */
__noinline __u64 recall_quic(struct __sk_buff *skb, __u32 length)
{
	struct walk *walk = this_walk();
	const __u64 *pod;
	__u32 id;

	if (!walk)
		return 0;
	id = id_from_client(skb, &walk->packet, quic_form(skb, &walk->packet), length);
	pod = id ? bpf_map_lookup_elem(&quic_ids, &id) : NULL;
	walk->quic_id = pod ? id : 0;
	return pod ? *pod : 0;
}

/* The pod with which the datagram's client spoke QUIC last; 0: none. */
static __always_inline __u64 recall_client(const struct packet *pkt)
{
	const struct endpoint client = { .address = pkt->source, .port = pkt->destination_port };
	const __u64 *pod = bpf_map_lookup_elem(&quic_clients, &client);

	return pod ? *pod : 0;
}

static __always_inline const struct backend *backend_at(const struct node_port *port, __u32 place)
{
	const struct node_port_backend *at = &port->backends[place % MAX_BACKENDS];

	return find_backend_of(at->pod, &at->address, at->port, IPPROTO_UDP);
}

/* In what ask_speaker() says: the pod at that place has shown IDs. */
#define SPEAKS_QUIC (1ULL << 63)

/*
 * The pod that knows the connection of the walk's datagram, by the length of the IDs of the pod at that place. Not
 * inlined: the verifier follows it once, and not for each place.
 */
__noinline __u64 ask_speaker(struct __sk_buff *skb, __u32 place)
{
	struct walk *walk = this_walk();
	const struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	const struct backend *backend = port ? backend_at(port, place) : NULL;

	return backend && backend->quic_id_length ? SPEAKS_QUIC | recall_quic(skb, backend->quic_id_length) : 0;
}

/*
 * The place of the pod that knows the connection of a datagram without a flow, or MAX_BACKENDS: by its ID, else by
 * its client's address, as an ID that is new can't be known. walk->quic_id is the ID.
 */
__noinline int find_quic(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	const struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	const struct backend *backend;
	__u64 place = MAX_BACKENDS;
	__u64 speaks = 0;
	__u64 pod = 0;
	__u64 said;
	__u8 form;

	if (!port || port->count < 2)
		return MAX_BACKENDS; /* there is nothing to choose */
	form = quic_form(skb, &walk->packet);
	if (!form)
		return MAX_BACKENDS;
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		if (i >= port->count || pod)
			break;
		said = ask_speaker(skb, i);
		speaks |= said & SPEAKS_QUIC;
		pod = said & ~SPEAKS_QUIC;
	}
	if (!pod && speaks && form == QUIC_FIXED)
		pod = recall_client(&walk->packet);
	if (!pod)
		return MAX_BACKENDS;
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		if (i >= port->count)
			break;
		place = either(is_set(port->backends[i].pod ^ pod), place, forget(i));
	}
	if (place >= MAX_BACKENDS)
		return MAX_BACKENDS;
	backend = backend_at(port, place);
	return backend && !backend->refused_at ? place : MAX_BACKENDS;
}

#endif
