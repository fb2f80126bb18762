/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of a node port's pods takes a new connection: the one ranking, for packets and for sockets. */
#ifndef SALLYPORT_SELECT_H
#define SALLYPORT_SELECT_H

#include "witness.h"

/*
 * What is known of a pod, from the worst to the best. A pod that Kubernetes says nothing of counts as Ready, and as one
 * that isn't ending. Of several pods that aren't known to serve, the youngest gets the packet, and its own stack
 * answers.
 */
enum standing {
	STANDS_NOWHERE = 0, /* the command is just taking it away, or its device is gone */
	ENDS = 1,           /* and isn't known to serve */
	DOUBTED = 2,        /* it refused, or was silent, or closed its listener */
	UNKNOWN = 3,        /* nobody has asked it yet */
	SERVES_AND_ENDS = 4,
	SERVES_UNREADY = 5,
	SERVES = 6,
};

/*
 * A rank is a standing, whether the pod has settled in it, and its turn among those that are equal so far: by age, or
 * by the client's number. Whoever has settled stands above whoever hasn't.
 */
#define STANDING(standing) ((__u64)(standing) << 60)
#define SETTLED (1ULL << 59)
#define TURNS (SETTLED - 1)

/* Who asks. */
enum asker {
	FROM_PACKET,
	FROM_HOST,
	FROM_ELSEWHERE,
};

struct selection {
	__u64 rank; /* of the best; 0 where there is none */
	bool trial; /* not the best, but one that is asked whether it serves */

	__u64 doubted; /* for the question: a pod that didn't answer the asker; 0: none */
};

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

/* What Kubernetes says of a pod, where it says something, and said it not too long ago. Each is 0 or 1. */
struct said {
	__u64 ending;
	__u64 ready;
	__u64 unready;
};

static __always_inline struct said ask_kubernetes(__u64 pod)
{
	const struct pod_word *word = bpf_map_lookup_elem(&words, &pod);
	struct said said = {};

	if (word) {
		__u64 counts = 1 - exceeds(passed_since(word->told_at), WORD_LASTS);

		said.ending = word->ending & counts;
		said.ready = (word->readiness & READY) & counts;
		said.unready = (word->readiness >> 1) & counts;
	}
	said.ending = forget(said.ending);
	said.ready = forget(said.ready);
	said.unready = forget(said.unready);
	return said;
}

/* In what stand() says of a pod: it shall be asked again. Below all turns. */
#define ASK_IT 1ULL

/* Standing and SETTLED of a pod; and ASK_IT. `doubt`, 0 or 1: the asker knows better than we. */
static __always_inline __u64 stand(const struct backend *backend, const struct said *said, __u64 settle, __u64 doubt)
{
	__u64 since = seen_since(backend);
	__u64 doubted = is_doubted(backend) | doubt;
	__u64 serves = is_set(since) & (1 - doubted);
	__u64 stays = 1 - said->ending;
	__u64 standing =
		ENDS + serves * (SERVES_AND_ENDS - ENDS) + stays * (2 - either(serves, said->unready, doubted));
	__u64 settled = serves & (1 - exceeds(settle, passed_since(since)));
	/* Its socket is there, or Kubernetes calls it Ready: that it doesn't serve may have been yesterday. */
	__u64 ask = (1 - serves) & stays & (1 - said->unready) & (is_set(backend->listening_since) | said->ready) &
		    is_due(backend);

	return STANDING(standing) | (settled * SETTLED) | (ask * ASK_IT);
}

/*
 * The same of the pod at place number `number`, after a look at its socket. In another namespace than the host's, the
 * ids of namespaces mean something else, so that no socket can be looked for there, and what was last seen counts.
 */
static __always_inline __u64 ask_pod(void *context, const struct node_port *port, __u32 number, bool v6, __u8 protocol,
				     enum asker asker, __u64 doubted)
{
	const struct node_port_backend *place = &port->backends[number % MAX_BACKENDS];
	__u64 settle = port->backends[0].settle_ms * NSEC_PER_MSEC;
	struct backend *backend = find_backend_of(place->pod, &place->address, place->port, protocol);
	struct said said;

	if (!backend)
		return STANDING(STANDS_NOWHERE);
	if (asker != FROM_ELSEWHERE)
		look(context, place, v6, protocol, backend);
	said = ask_kubernetes(place->pod);
	return stand(backend, &said, settle, asker == FROM_PACKET ? 0 : 1 - is_set(place->pod ^ doubted));
}

/* ask_pod() by a function that isn't inlined: the verifier follows that once, and not for each place. */
typedef __u64 ask_at(void *context, __u32 number, __u64 doubted);

/* The rank of the pod at place number `i`, whose turn is `turn` where it has settled. */
static __always_inline __u64 rank_of(__u64 stands, __u64 turn, __u64 i)
{
	__u64 standing = stands & ~(SETTLED | TURNS);
	__u64 serves = exceeds(standing, STANDING(UNKNOWN));
	__u64 settled = hide((stands / SETTLED) & 1);
	/* Of those that aren't known to serve the youngest; where none has settled, the oldest goes on. */
	__u64 by_age = either(serves, i + 1, MAX_BACKENDS - i);

	return hide(-is_set(standing)) & (standing | either(settled, SETTLED | turn, by_age));
}

/*
 * The place of the pod that takes the connection of `client` (a number that is the client's own, as random as may be),
 * or MAX_BACKENDS where there is none: that with the highest rank.
 *
 * Among the settled, `newest` ranks by youth, and `spread` by rendezvous hashing (Thaler, Ravishankar 1998), so that a
 * pod that comes or goes moves nobody but its own clients. Youngest come first in the list, so that with `newest`
 * nobody is asked after the first who serves.
 *
 * A connection may be a trial of a pod that would go before the best, if it served: selection->trial. A packet's alone:
 * who asks for a socket leaves ASK_IT out.
 */
static __always_inline __u64 select_backend(void *context, const struct node_port *port, __u64 client, ask_at *ask,
					    struct selection *selection)
{
	__u64 spread = forget(port->backends[0].share == SHARE_SPREAD);
	__u64 chosen = forget(MAX_BACKENDS);
	__u64 trial = forget(0); /* the place's number, plus 1 */
	__u64 best = forget(0);

	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		const struct node_port_backend *place = &port->backends[i];
		__u64 turn, stands, rank, better;

		if (i >= port->count)
			break;
		turn = either(spread, mix(client ^ mix(place->pod)), MAX_BACKENDS - forget(i)) & TURNS;
		if ((STANDING(SERVES) | SETTLED | turn) > best) { /* else it can't be better */
			stands = ask(context, i, selection->doubted);
			rank = rank_of(stands, turn, forget(i));
			better = exceeds(rank, best);
			best = either(better, rank, best);
			chosen = either(better, forget(i), chosen);
			trial = either(is_set(trial), trial, (stands & ASK_IT) * (forget(i) + 1));
		}
		best = forget(best);
		chosen = forget(chosen);
		trial = forget(trial);
	}
	selection->rank = best;
	selection->trial = trial && best >= STANDING(SERVES_AND_ENDS);
	return selection->trial ? trial - 1 : chosen;
}

#endif
