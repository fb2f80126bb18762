/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs and the command share: the keys, values, capacities and names of the pinned maps.
 *
 * Maps outlive the binary that made them. Whoever changes a size, an offset or a meaning below raises
 * SALLYPORT_ABI. No padding is left to the compiler: hash keys are compared byte by byte.
 */
#ifndef SALLYPORT_ABI_H
#define SALLYPORT_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>

#ifdef __cplusplus
#include <cstddef>
#define SALLYPORT_ASSERT(condition) static_assert(condition)
namespace sallyport::abi {
#else
#include <stddef.h>
#define SALLYPORT_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/*
 * An agent of another ABI answers for a load balancer by tables that it didn't make. So what it reads for that stays:
 * the key and the value of node_ports, the program `ask_listener` with its question and answer. They may grow at the
 * end.
 */
#define SALLYPORT_ABI 6

/* A number in network byte order. */
typedef __u16 be16;

enum capacity {
	MAX_BACKENDS = 16, /* pods that share one node port */
	MAX_PODS = 1024,
	MAX_LIVING = 2 * MAX_PODS, /* of a pod that is bound anew, both */
	MAX_POD_ADDRESSES = 2 * MAX_PODS,
	MAX_NODE_PORTS = 16384,
	MAX_POD_EXPOSURES = 32768,
	MAX_POD_BACKENDS = 16384,
	MAX_ADDRESSES = 4096,
	MAX_CLASHES = 16384,
	MAX_HELD = 16384,
	MAX_FRAGMENTED = 16384,
	MAX_QUESTIONS = 16384,
	GUESS_ROWS = 32768,
	MAX_QUIC_IDS = 65536,
	MAX_QUIC_CLIENTS = 16384,
	MAX_EVENTS = 1024,
};

/* IPv6, or IPv4 as v4-mapped (RFC 4291, 2.5.5.2); network byte order. */
union address {
	__u8 bytes[16];
	__u32 words[4];
	__u64 halves[2];
};

/* Where a port is translated. */
enum scope {
	AT_NODE = 0, /* on the node's outside devices, and at the sockets of its processes: an exposure */
	AT_POD = 1,  /* on one pod's own device, inside its namespace: a remap */
};

/* A port at an address. As a node port, the address may be its family's "any": :: or ::ffff:0.0.0.0. */
struct endpoint {
	union address address;
	be16 port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 scope;    /* enum scope, of a key of node_ports or traffic; elsewhere 0 */
	__u8 zero[4];
};
SALLYPORT_ASSERT(sizeof(struct endpoint) == 24);

/* ---- backends: endpoint of a pod -> whose it is. The first filter on replies. -------------------------------- */

/*
 * What the datapath itself has seen of the pod there: its socket, and its answers to first packets. Moments are of
 * CLOCK_MONOTONIC, in ns; 0: never. The command writes an entry whole, before the datapath knows of it, and then no
 * more.
 */
struct backend {
	__u64 pod;
	__u64 listening_since;  /* when the socket was first seen; 0: last seen not to be there, or never looked for */
	__u64 answering_since;  /* the same of answers, where there is no socket that we see */
	__u64 answered_at;      /* the latest answer; up to 100 ms behind */
	__u64 refused_at;       /* the latest refusal, or when the listener was seen to be gone; 0: it answered since */
	__u64 asked_at;         /* the latest first packet that went there, where another pod could have taken it */
	__u64 unanswered_since; /* the first of those that nothing came back for */
	__u32 unanswered;       /* how many */
	__u32 netns;
	be16 listener;       /* the port that the socket listens on: another where the pod remaps this one */
	__u8 quic_id_length; /* of the connection IDs that it chose last; 0: it doesn't, or speaks no QUIC */
	__u8 zero[5];
};
SALLYPORT_ASSERT(sizeof(struct backend) == 72);

/*
 * So many first packets without an answer, and for so long, and a pod counts as silent. One may be lost, and a kernel
 * whose queue is full drops them; a second is when a client sends its SYN again (RFC 6298, 2.1).
 */
#define SILENT_ASKS 3
#define SILENT_AFTER (1000 * 1000000ULL)

/*
 * ---- words: what Kubernetes says of a pod, by its id. The agent alone writes it. ------------------------------------
 *
 * A word counts for WORD_LASTS after it was told: the agent tells it again while its watch is sound. It must outlive
 * the agent's restart and an API server's, and end before people wonder who still believes it.
 */
enum readiness {
	READY_UNKNOWN = 0, /* counts as ready */
	READY = 1,
	NOT_READY = 2,
};

#define WORD_LASTS (60 * 1000000000ULL)

struct pod_word {
	__u64 told_at;  /* CLOCK_MONOTONIC, ns */
	__u64 since;    /* the same: since when it ends, or isn't ready; 0: not known */
	__u8 readiness; /* enum readiness */
	__u8 ending;    /* it was told to end */
	__u8 zero[6];
	char reason[40]; /* for people: why it isn't ready; NUL-terminated */
};
SALLYPORT_ASSERT(sizeof(struct pod_word) == 64);

/* ---- node_ports: endpoint of the node -> the pods behind it -------------------------------------------------- */

enum share {
	SHARE_NEWEST = 0,
	SHARE_SPREAD = 1,
};

struct node_port_backend {
	union address address;
	__u64 pod;
	__u32 netns;
	__u32 host_device; /* ifindex of the host's end of the pod's device; 0 where it has none */
	be16 port;
	be16 listener;   /* as in struct backend */
	__u16 settle_ms; /* this and the next two as the pod wants them; those of the youngest pod count */
	__u16 hold_ms;
	__u8 share; /* enum share */
	__u8 fast;  /* deliver to host_device at once (fastPath) */
	__u8 zero[6];
};
SALLYPORT_ASSERT(sizeof(struct node_port_backend) == 48);

struct node_port {
	__u32 count; /* of backends; 0: the last pod went, and new connections wait for the next one */
	__u32 zero;
	__u64 vacant_until;                              /* CLOCK_MONOTONIC, ns: how long they do, where count is 0 */
	__u64 taker;                                     /* the pod that took the last connection */
	struct node_port_backend backends[MAX_BACKENDS]; /* youngest first */
};
SALLYPORT_ASSERT(sizeof(struct node_port) == 24 + 48 * MAX_BACKENDS);

/* ---- port_uses: what a port number stands for on this node; an array indexed by port_use_index() ------------- */

/* A bit too many costs a look-up, so nobody takes pains to clear PORT_OF_BACKEND; a missing one costs connections. */
enum port_use {
	PORT_ANY_V4 = 1 << 0, /* a node port at 0.0.0.0; the key's family, not the pod's */
	PORT_ANY_V6 = 1 << 1,
	PORT_EXACT_V4 = 1 << 2, /* a node port at one address */
	PORT_EXACT_V6 = 1 << 3,
	PORT_OF_BACKEND = 1 << 4, /* some pod's container port */
	PORT_REMAPPED = 1 << 5,   /* some pod remaps it */
};

#define PORT_USES (2 * 65536)

/* `port` in host byte order. */
static inline __u32 port_use_index(__u8 protocol, __u16 port)
{
	return (protocol == 17 /* IPPROTO_UDP */ ? 65536 : 0) + port;
}

/* ---- addresses: what counts as the node's. A longest-prefix-match trie. -------------------------------------- */

struct address_prefix {
	__u32 length; /* bits of the 16-byte form */
	__u8 bytes[16];
};
SALLYPORT_ASSERT(sizeof(struct address_prefix) == 20);
enum address_origin {
	ADDRESS_OF_NODE = 1,    /* a device has it */
	ADDRESS_CONFIGURED = 2, /* `addresses` names it */
	ADDRESS_EXCLUDED = 3,   /* `addresses` names it with a `!`: it doesn't count */
};

/* ---- traffic: per node port and CPU -------------------------------------------------------------------------- */

enum direction {
	FROM_CLIENT = 0,
	FROM_POD = 1,
};

struct traffic {
	__u64 connections; /* flows admitted */
	__u64 handovers;   /* of them, those that went to another pod than the one before; not with SHARE_SPREAD */
	__u64 held;        /* packets, or their refusals, that were dropped so that the client asks again */
	__u64 packets[2];  /* by enum direction */
	__u64 bytes[2];    /* from the IP header on */
};
SALLYPORT_ASSERT(sizeof(struct traffic) == 56);

/* ---- drops: per CPU, indexed by reason ----------------------------------------------------------------------- */

enum drop {
	DROP_REWRITE_FAILED = 0, /* the kernel refused to change the packet */
	DROP_CLASH = 1,          /* the client port is in use towards this backend, and no other was found free */
	DROP_REASONS
};

/* ---- meta: one entry ----------------------------------------------------------------------------------------- */

struct meta {
	__u32 abi;      /* SALLYPORT_ABI of whoever made the maps; 0: not complete yet */
	__u32 waiting;  /* 0: no node port is without pods, so nobody need look for one; else some may be */
	__u64 programs; /* hash of the object that the pinned programs came from */
	__u64 last_pod; /* the id that was given last */
};
SALLYPORT_ASSERT(sizeof(struct meta) == 24);

#ifdef __cplusplus
} // namespace sallyport::abi
#endif

#include "sallyport/abi_events.h"
#include "sallyport/abi_flow.h"
#include "sallyport/abi_pods.h"

#endif
