/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of a node port's pods takes a new connection. */
#ifndef SALLYPORT_SELECT_H
#define SALLYPORT_SELECT_H

#include "listen.h"

#define NSEC_PER_MSEC 1000000ULL

/* Before any pod that has listened for less than the settle time. */
#define SETTLED (1ULL << 63)

/* splitmix64's finaliser (Steele, Lea, Flood 2014): every input bit reaches every output bit. */
static __always_inline __u64 mix(__u64 bits)
{
	bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
	bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
	return bits ^ (bits >> 31);
}

/* Always 0, which the verifier doesn't know. */
volatile __u64 unknown_zero = 0;

/*
 * The same number, but unknown to the verifier. It follows each value of a number that it knows through the whole rest
 * of the program; forgotten in time, all places of a list are one, and all answers too.
 */
static __always_inline __u64 forget(__u64 number)
{
	return number + unknown_zero;
}

/*
 * The place of the pod that takes the connection of `client` (a number that is the client's own, as random as may be),
 * or MAX_BACKENDS where none listens. `may_ask`: in another namespace than the host's the ids of namespaces mean
 * something else, so that nobody can be asked there, and what was last seen counts.
 *
 * It is the one with the highest rank among those that listen. Whoever has settled stands above whoever hasn't; among
 * the settled, `newest` ranks by youth, and `spread` by rendezvous hashing (Thaler, Ravishankar 1998), so that a pod
 * that comes or goes moves nobody but its own clients. Where none has settled, the oldest goes on. Youngest come first
 * in the list, so that with `newest` nobody is asked after the first who listens. Both ranks are made and one is masked
 * out: a branch here would double what the verifier has to follow.
 */
static __always_inline __u64 select_backend(void *context, const struct node_port *port, bool v6, __u8 protocol,
					    __u64 client, bool may_ask)
{
	__u64 settle = port->backends[0].settle_ms * NSEC_PER_MSEC;
	__u64 spread = -forget(port->backends[0].share == SHARE_SPREAD);
	__u64 chosen = forget(MAX_BACKENDS);
	__u64 best = forget(0);

	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		__u64 youth = MAX_BACKENDS - forget(i);
		__u64 rank, answer;

		if (i >= port->count)
			break;
		rank = (mix(client ^ mix(port->backends[i].pod)) & spread) | (youth & ~spread) | SETTLED;
		if (rank <= best)
			continue;
		answer = forget(may_ask ?
					ask_backend(context, &port->backends[i], forget(v6), forget(protocol), settle) :
					recall_backend(&port->backends[i], protocol, settle));
		if (answer == SILENT)
			continue;
		if (answer == LISTENS)
			rank = forget(i + 1);
		if (rank <= best)
			continue;
		best = rank;
		chosen = forget(i);
	}
	return chosen;
}

#endif
