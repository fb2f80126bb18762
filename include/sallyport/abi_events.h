/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The end of abi.h, which includes it: what happens, and what the command puts to programs. */
#ifndef SALLYPORT_ABI_EVENTS_H
#define SALLYPORT_ABI_EVENTS_H

#include "sallyport/abi.h"

#ifdef __cplusplus
namespace sallyport::abi {
#endif

/* ---- events: what happened of late. Number n is in slot n % MAX_EVENTS, until n + MAX_EVENTS takes its place. ------
 */

enum event_kind {
	EVENT_BIND = 1,     /* a pod took a node port */
	EVENT_UNBIND = 2,   /* it left it */
	EVENT_HANDOVER = 3, /* a connection went to another pod than the one before */
	EVENT_HOLD = 4,     /* a new connection begins to wait for a pod that serves */
	EVENT_DROP = 5,
	EVENT_WORD = 6,    /* Kubernetes says something else of a pod than before */
	EVENT_REFUSAL = 7, /* a pod refused the first packet of a connection */
	EVENT_REJECT = 8,  /* we refused a pod what it asks for */
};

/* Of a handover: by which witness the pod serves that took the connection. */
enum witness {
	WITNESS_NONE = 0, /* nobody has asked it yet, or nobody better is left */
	WITNESS_SOCKET = 1,
	WITNESS_ANSWER = 2,
};

/* Of a refusal. */
enum outcome {
	OUTCOME_PASSED = 1, /* the client was told */
	OUTCOME_KEPT = 2,   /* it was kept from the client, who asks again and is chosen for anew */
};

enum word {
	WORD_READY = 1,
	WORD_NOT_READY = 2,
	WORD_ENDING = 3,
};

struct event {
	__u64 number;              /* from 1; 0 while it is being written */
	__u64 time;                /* CLOCK_MONOTONIC, ns */
	__u64 pod;                 /* bind, unbind, word, refusal: whose it is; handover: who took the connection */
	__u64 previous_pod;        /* handover: who took the one before */
	struct endpoint node_port; /* as a key of node_ports; hold, drop, refusal: where the packet was sent; word,
				      reject: none */
	struct endpoint peer;      /* bind, unbind: the backend; hold, drop, refusal: where the packet came from */
	__u8 kind;                 /* enum event_kind */
	__u8 reason; /* drop: enum drop; handover: enum witness; word: enum word; refusal: enum outcome; reject: CNI's
		      * code
		      */
	__u8 zero[6];
	char pod_namespace[64]; /* bind, unbind, word, reject; NUL-terminated, as in struct pod */
	char pod_name[256];
};
SALLYPORT_ASSERT(sizeof(struct event) == 408);

/* One entry. */
struct event_head {
	struct bpf_spin_lock lock;
	__u32 by_clients; /* events in this window that clients caused */
	__u64 window;     /* when it began; CLOCK_MONOTONIC, ns */
	__u64 last;       /* number of the newest event; 0: there is none yet */
};
SALLYPORT_ASSERT(sizeof(struct event_head) == 24);

/*
 * ---- what the command puts to programs that run on nothing, as packet data ---------------------------------------
 *
 * The kernel takes it for a frame: bytes 12 and 13 must not say "IP". To `tell_event`: a struct event, its number and
 * time 0. To `ask_listener`:
 */
enum listener_answer {
	LISTENS = 1 << 0,       /* its socket is there */
	TAKES_TRAFFIC = 1 << 1, /* it isn't ending, and serves; or Kubernetes calls it Ready, and nobody knows better */
};

struct listener_question {
	__u32 netns;
	be16 listener;
	__u16 zero[5];
	__u64 pod;
	struct endpoint backend;
};
SALLYPORT_ASSERT(sizeof(struct listener_question) == 48);

#ifdef __cplusplus
} // namespace sallyport::abi
#endif

#endif
