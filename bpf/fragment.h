/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Later fragments of a datagram have no ports: they go where the first one went, whose ports are kept for them. */
#ifndef SALLYPORT_FRAGMENT_H
#define SALLYPORT_FRAGMENT_H

#include "maps.h"
#include "parse.h"

static __always_inline void fragment_key_of(struct fragment_key *key, const struct packet *pkt)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->source = pkt->source;
	key->destination = pkt->destination;
	key->id = pkt->fragment_id;
	key->protocol = pkt->v6 ? 0 : pkt->protocol;
	key->scope = pkt->scope;
}

/* An earlier datagram of the same id may have been translated; this one may be for somebody else. */
static __always_inline void forget_fragment(const struct packet *pkt)
{
	struct fragment_key key;

	if (!pkt->first_fragment)
		return;
	fragment_key_of(&key, pkt);
	bpf_map_delete_elem(&fragmented, &key);
}

/* To be called for what is translated alone, so that other people's fragments don't push ours out. */
static __always_inline void remember_fragment(const struct packet *pkt)
{
	struct fragment_ports ports = {
		.source = pkt->source_port,
		.destination = pkt->destination_port,
		.protocol = pkt->protocol,
	};
	struct fragment_key key;

	if (!pkt->first_fragment)
		return;
	fragment_key_of(&key, pkt);
	bpf_map_update_elem(&fragmented, &key, &ports, BPF_ANY);
}

/* Completes a later fragment. False where its first one wasn't ours. */
static __always_inline bool recall_fragment(struct packet *pkt)
{
	struct fragment_ports *ports;
	struct fragment_key key;

	fragment_key_of(&key, pkt);
	ports = bpf_map_lookup_elem(&fragmented, &key);
	if (!ports)
		return false;
	pkt->source_port = ports->source;
	pkt->destination_port = ports->destination;
	pkt->protocol = ports->protocol;
	return true;
}

#endif
