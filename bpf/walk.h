/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a program keeps while it walks with a packet from one function to the next. */
#ifndef SALLYPORT_WALK_H
#define SALLYPORT_WALK_H

#include "parse.h"
#include "select.h"

/*
 * Where the running program keeps what it parsed. A program isn't interrupted by another on its CPU (bottom halves are
 * off), so one is enough. On the stack, the verifier would follow every value that a header can lead to through the
 * whole rest of the program; what is read from a map it knows nothing of, and the programs load in half the time.
 */
struct walk {
	struct packet packet;
	struct packet embedded; /* in an ICMP error */
	struct endpoint node_port;

	/* Kept here and not on the stack, of which a program has 512 bytes with all that it calls. */
	struct flow_key key;            /* of the packet's flow */
	struct flow_key tuple;          /* the request as it is sent: the key into clashes and held */
	struct flow flow;               /* the entry that is being made */
	struct node_port_backend place; /* of the pod that takes it */
	struct selection selection;     /* how that was chosen */
	bool again;                     /* it was refused before, which its client doesn't know */
	bool moved;                     /* a connection of QUIC, whose client had another address */
	__u32 quic_id;                  /* the same: a hash of its ID, where that is known */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct walk);
	__uint(max_entries, 1);
} scratch SEC(".maps");

static __always_inline struct walk *this_walk(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

#endif
