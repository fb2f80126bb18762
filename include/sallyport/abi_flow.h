/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The end of abi.h, which includes it: connections, and what is kept to tell them apart. */
#ifndef SALLYPORT_ABI_FLOW_H
#define SALLYPORT_ABI_FLOW_H

#include "sallyport/abi.h"

#ifdef __cplusplus
namespace sallyport::abi {
#endif

/*
 * ---- flows_new, flows_established, flows_answered: one entry a connection, keyed by its backend side -------------
 *
 * Tables are told apart by who can fill them. Anybody's first packet makes an entry in flows_new, where ended
 * connections linger too. flows_established has TCP alone, of clients who were seen to get the pod's answers, and
 * flows_answered has datagrams that the pod answered, which whoever forges an address can bring about.
 */

struct flow_key {
	union address backend;
	union address client;
	be16 backend_port;
	be16 client_port;
	__u8 protocol;
	__u8 scope; /* enum scope, of a key of clashes, held or questions; of a flow's own key 0 */
	__u8 zero[2];
};
SALLYPORT_ASSERT(sizeof(struct flow_key) == 40);

enum flow_state {
	FLOW_SYN_ACKED = 1 << 0,   /* the pod has answered the SYN; server_isn is valid */
	FLOW_ESTABLISHED = 1 << 1, /* handshake completed, or a datagram answered */
	FLOW_CLIENT_FIN = 1 << 2,
	FLOW_SERVER_FIN = 1 << 3,
	FLOW_RESET = 1 << 4,
	FLOW_VIA_ANY = 1 << 5, /* the node port is an "any": the counters' key */
	FLOW_AT_POD = 1 << 6,  /* translated on the pod's device: the node's programs leave it alone, and vice versa */
	FLOW_DIRECT = 1 << 7,  /* to the pod's own address; kept only to tell it from flows of the same client port */
	FLOW_UNSEEN = 1 << 8,  /* when it began, no socket of the pod's was seen: its answer is the only witness */
	FLOW_WAITED = 1 << 9,  /* it is in `held` */
	FLOW_PUT_OFF =
		1 << 10, /* refused, and its client wasn't told: when it asks again, it isn't another connection */
	FLOW_AT_SOCKET = 1 << 11, /* the pod's socket has a copy: socket_flows */
	FLOW_QUIC = 1 << 12,      /* the pod chose quic_id */
	FLOW_QUIC_USED = 1 << 13, /* and the client used it: it is in quic_ids */
};

struct flow {
	union address node_address; /* where the client sent it */
	be16 node_port;
	be16 client_port; /* the client's own; the key has another one where two flows would clash in the pod */
	__u16 state;      /* enum flow_state */
	__u16 zero;
	union {
		__u32 server_isn; /* TCP: the pod's initial sequence number, host byte order */
		__u32 quic_id;    /* UDP: a hash of the ID by which the pod knows the connection; 0: it has none */
	};
	__u32 device;      /* with fastPath: ifindex of the outside device that it arrived on; else 0 */
	__u32 host_device; /* the same: of the host's end of the pod's device */
	__u32 zero2;
	__u64 pod;       /* dead at once when the backend belongs to another */
	__u64 last_seen; /* CLOCK_MONOTONIC, ns */
};
SALLYPORT_ASSERT(sizeof(struct flow) == 56);

/*
 * ---- socket_flows: the flow once more, kept with the pod's own socket for as long as that lives -------------------
 * ---- room: one entry; how full flows_established is ---------------------------------------------------------------
 */

struct socket_flows {
	struct flow flow[2]; /* by enum scope: a connection may be translated at the node, and again at its pod */
};
SALLYPORT_ASSERT(sizeof(struct socket_flows) == 112);

struct room {
	__s64 established; /* entries that were made, less those that were removed; an evicted one stays counted */
};
SALLYPORT_ASSERT(sizeof(struct room) == 8);

/*
 * ---- quic_ids: a hash of a connection's ID, as in struct flow -> its pod. One for each flow whose client has used it.
 * ---- quic_clients: a client's address, and the node's port -> the pod with which it spoke QUIC last ---------------
 */

/*
 * ---- guesses: at which of its node port's places a request's flow was found last, by a hash of its tuple ----------
 *
 * Others may have written there since: it is where the search begins.
 */

struct guess_row {
	__u8 places[8];
};
SALLYPORT_ASSERT(sizeof(struct guess_row) == 8);

/*
 * ---- clashes: a request as it is sent -> the key of its flow, where that has another client port -----------------
 *
 * Key: a flow_key with the node port (or, for a direct connection, the pod's) in the backend's place, and the scope: a
 * remapped connection passes the node as a direct one, with the same tuple.
 * ---- held: the same key -> since when (CLOCK_MONOTONIC, ns) a new connection waits for a pod that serves ----------
 * ---- questions: a datagram that somebody here asked from a node port -> when it last did (CLOCK_MONOTONIC, ns) ------
 *
 * Key: a flow_key with the asker's address and port in the backend's place, and whom it asked in the client's. The
 * address is :: where a later program will give the datagram the node's.
 */

/* ---- fragmented: what only a datagram's first fragment says ------------------------------------------------------ */

struct fragment_key {
	union address source;
	union address destination;
	__u32 id;      /* as in the packet; IPv4 has 16 bits */
	__u8 protocol; /* IPv4's; 0 with IPv6, where only the first fragment's counts */
	__u8 scope;    /* enum scope: the same fragment passes the node's device and a pod's */
	__u8 zero[2];
};
SALLYPORT_ASSERT(sizeof(struct fragment_key) == 40);

struct fragment_ports {
	be16 source; /* as it arrived, before any translation */
	be16 destination;
	__u8 protocol;
	__u8 zero[3];
};
SALLYPORT_ASSERT(sizeof(struct fragment_ports) == 8);

/*
 * ---- connected_peer, datagram_peers: what a socket of the node or of a pod asked for, and what it was given -------
 *
 * Each is kept with the socket and goes with it, so that nobody's sockets take room from another's.
 */

struct socket_peer {
	struct endpoint asked;  /* a node port */
	struct endpoint given;  /* the backend that it stands for; port 0: nothing is kept here */
	__u64 pod;              /* dead at once when the backend belongs to another */
	__u64 unanswered_since; /* the first datagram that nothing came back for; CLOCK_MONOTONIC, ns; 0: there is none
				 */
	__u64 asked_again_at;   /* the first of them that was sent SILENT_AFTER later, or after that; the same */
	__u8 answers;           /* something came back from there before */
	__u8 streams;           /* it sends without waiting for answers: silence between two datagrams says nothing */
	__u8 former;            /* what is sent there now goes to another; late answers may still come from here */
	__u8 zero[5];
};
SALLYPORT_ASSERT(sizeof(struct socket_peer) == 80);

/* So many node ports one socket may ask in turn; the first of them is forgotten for another one. */
#define PEERS_OF_A_SOCKET 8

struct datagram_peers {
	struct bpf_spin_lock lock; /* threads may share the socket */
	__u32 next;                /* the place that is taken next, modulo PEERS_OF_A_SOCKET */
	struct socket_peer peers[PEERS_OF_A_SOCKET];
};
SALLYPORT_ASSERT(sizeof(struct datagram_peers) == 8 + 80 * PEERS_OF_A_SOCKET);

#ifdef __cplusplus
} // namespace sallyport::abi
#endif

#endif
