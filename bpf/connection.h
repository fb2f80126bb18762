/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a pod's own socket knows of a connection. It is right where an entry of ours may be missing, or forged. */
#ifndef SALLYPORT_CONNECTION_H
#define SALLYPORT_CONNECTION_H

#include "flow.h"

/* The state of the pod's socket for that very client; TCP_STATE_LISTEN or 0 where it has none of its own. */
static __always_inline __u32 connection_state(struct __sk_buff *skb, const struct packet *pkt, be16 client_port,
					      const struct node_port_backend *place)
{
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	__u32 size = socket_tuple(&tuple, pkt->v6, &pkt->source, client_port, &place->address, place->listener);
	struct bpf_sock *socket = bpf_skc_lookup_tcp(skb, &tuple, size, (__s64)(__s32)place->netns, 0);
	__u32 state;

	if (!socket)
		return 0;
	state = socket->state;
	bpf_sk_release(socket);
	return state;
}

/* Has the pod a socket of its own for that client? TIME_WAIT gives way to a new connection. */
static __always_inline bool is_connected(__u32 state)
{
	return state && state != TCP_STATE_LISTEN && state != TCP_STATE_TIME_WAIT;
}

/*
 * Has the pod at that place of walk->node_port a connection with the packet's client? Not inlined: the verifier follows
 * it once, and not for each place.
 */
__noinline int is_connected_at(struct __sk_buff *skb, __u32 place, __u32 client_port)
{
	const struct walk *walk = this_walk();
	const struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;

	return walk && port &&
	       is_connected(connection_state(skb, &walk->packet, client_port, &port->backends[place % MAX_BACKENDS]));
}

/* The place of the pod that holds a connection with this very client, or MAX_BACKENDS. */
static __always_inline __u64 find_connection(struct __sk_buff *skb, const struct node_port *port, be16 client_port)
{
	for (__u32 i = 0; i < MAX_BACKENDS; i++) {
		if (i >= port->count)
			break;
		if (is_connected_at(skb, i, client_port))
			return forget(i);
	}
	return MAX_BACKENDS;
}

/* The pod at a flow's backend, as a place at a node port would say it. False where there is none that lives. */
static __always_inline bool find_place(const struct flow_key *key, const struct packet *pkt,
				       struct node_port_backend *place)
{
	struct backend *backend = find_backend(&key->backend, key->backend_port, key->protocol);

	if (!backend || !lives(backend->pod))
		return false;
	place->address = key->backend;
	place->pod = backend->pod;
	place->netns = pkt->scope == AT_POD ? (__u32)BPF_F_CURRENT_NETNS : backend->netns;
	place->port = key->backend_port;
	place->listener = backend->listener;
	return true;
}

/* The pod's socket for the flow at walk->key, to be released; NULL where it has none, or only the listener. */
static __always_inline struct bpf_sock *find_socket(struct __sk_buff *skb, struct walk *walk)
{
	struct bpf_sock_tuple tuple __attribute__((aligned(8)));
	const struct packet *pkt = &walk->packet;
	struct bpf_sock *socket;
	__u32 size;

	if (!find_place(&walk->key, pkt, &walk->place))
		return NULL;
	size = socket_tuple(&tuple, pkt->v6, &walk->key.client, walk->key.client_port, &walk->place.address,
			    walk->place.listener);
	socket = bpf_sk_lookup_tcp(skb, &tuple, size, (__s64)(__s32)walk->place.netns, 0);
	if (!socket)
		return NULL;
	if (socket->state != TCP_STATE_LISTEN)
		return socket;
	bpf_sk_release(socket);
	return NULL;
}

/*
 * Would the pod take this reset of its client's (RFC 5961, 3.2)? Anybody can send one in the client's name; the pod
 * answers it by a challenge, and goes on. It is believed where the pod has no socket that we see. Of walk->key.
 */
__noinline int is_reset_taken(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct bpf_sock *socket = walk ? find_socket(skb, walk) : NULL;
	struct bpf_tcp_sock *tcp;
	bool taken = true;

	if (!socket)
		return true;
	tcp = bpf_tcp_sock(socket);
	if (tcp)
		taken = walk->packet.sequence - tcp->rcv_nxt < RESET_WINDOW;
	bpf_sk_release(socket);
	return taken;
}

/*
 * ---- socket_flows: a server may be the first to speak, and of what it says nothing tells where its client sent its
 * requests. So the flow is kept once more with the pod's socket: written once, when the pod first speaks, and read only
 * where the table's entry may have been evicted.
 */

/*
 * At the node, the socket of a port that the pod remaps can't be told for sure: the pod's own programs may have shown
 * the connection to it under another client port.
 */
static __always_inline bool is_certain(const struct walk *walk)
{
	return walk->packet.scope == AT_POD || walk->place.listener == walk->place.port;
}

/* Of walk->flow, at walk->key. */
__noinline int keep_at_socket(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct bpf_sock *socket = walk ? find_socket(skb, walk) : NULL;
	struct socket_flows *flows;
	struct flow *entry;

	if (!walk)
		return 0;
	walk->flow.state |= FLOW_AT_SOCKET;
	if (socket) {
		flows = is_certain(walk) ?
				bpf_sk_storage_get(&socket_flows, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE) :
				NULL;
		if (flows)
			flows->flow[walk->packet.scope == AT_POD] = walk->flow;
		bpf_sk_release(socket);
	}
	entry = find_flow(&walk->key);
	if (entry)
		entry->state |= FLOW_AT_SOCKET; /* or there is no such socket, and nobody looks again */
	return 0;
}

/* The same back into the table, and into walk->flow. False where the pod's socket knows of none. */
__noinline int recall_from_socket(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct bpf_sock *socket = walk ? find_socket(skb, walk) : NULL;
	struct socket_flows *flows;

	if (!socket)
		return false;
	flows = is_certain(walk) ? bpf_sk_storage_get(&socket_flows, socket, NULL, 0) : NULL;
	if (flows)
		walk->flow = flows->flow[walk->packet.scope == AT_POD];
	bpf_sk_release(socket);
	return flows && walk->flow.pod == walk->place.pod && keep_flow(&walk->key, &walk->flow);
}

#endif
