/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine: a client's packet to a node port goes to a pod, the pod's answers come from the node port. The same on
 * the node's outside devices (exposures) and on a pod's own (remaps).
 *
 * Every verdict is TCX_NEXT (or a drop). TCX_PASS would end the chain, and with it skip Cilium and its policies.
 *
 * Functions that aren't inlined are verified once, whoever calls them; they find what was parsed in the walk.
 */
#ifndef SALLYPORT_TRANSLATE_H
#define SALLYPORT_TRANSLATE_H

#include "clash.h"
#include "counters.h"
#include "flow.h"
#include "fragment.h"
#include "hold.h"
#include "node_port.h"

static __always_inline int drop(enum drop reason)
{
	count_drop(reason);
	return TCX_DROP;
}

/* The node port that the packet may be sent to, and its key. An exact address goes before "any". */
static __always_inline struct node_port *find_node_port(const struct packet *pkt, struct endpoint *key)
{
	__u32 uses = uses_of(pkt->protocol, pkt->destination_port);
	struct node_port *port;

	__builtin_memset(key, 0, sizeof(*key));
	key->address = pkt->destination;
	key->port = pkt->destination_port;
	key->protocol = pkt->protocol;
	key->scope = pkt->scope;
	if (pkt->scope == AT_POD)
		return uses & PORT_REMAPPED ? bpf_map_lookup_elem(&node_ports, key) : NULL;
	if (uses & (pkt->v6 ? PORT_EXACT_V6 : PORT_EXACT_V4)) {
		port = bpf_map_lookup_elem(&node_ports, key);
		if (port)
			return port;
	}
	if (!(uses & (pkt->v6 ? PORT_ANY_V6 : PORT_ANY_V4)))
		return NULL;
	key->address = any_of_family(pkt->v6);
	return bpf_map_lookup_elem(&node_ports, key);
}

/* A remap's key has the pod's own address, and its port is nobody else's. */
static __always_inline bool is_for_us(const struct packet *pkt)
{
	return pkt->scope == AT_POD || is_answered_here(&pkt->destination);
}

/* The slot was read while the command may have been writing it: what counts is whom the backend belongs to now. */
static __always_inline bool still_there(const struct packet *pkt, const struct node_port_backend *place)
{
	struct backend *backend = find_backend(&place->address, place->port, pkt->protocol);

	return backend && backend->pod == place->pod;
}

static __always_inline bool is_fragment(const struct packet *pkt)
{
	return pkt->first_fragment || pkt->later_fragment;
}

/* `host_device`: where the pod's device is at hand (fastPath), else 0. Fragments go the usual way. */
static __always_inline int to_pod(struct __sk_buff *skb, const struct packet *pkt, const struct flow_key *key,
				  __u32 host_device)
{
	remember_fragment(pkt);
	if (!rewrite(skb, pkt, DESTINATION, &key->backend, key->backend_port) ||
	    !rewrite_port(skb, pkt, SOURCE, key->client_port))
		return drop(DROP_REWRITE_FAILED);
	return host_device && !is_fragment(pkt) ? bpf_redirect_peer(host_device, 0) : TCX_NEXT;
}

/* A packet of a connection that goes on. */
static __always_inline int forward(struct __sk_buff *skb, const struct walk *walk, const struct flow_key *key,
				   struct flow *flow)
{
	__u32 host_device = flow->host_device;

	track(key, flow, &walk->packet, FROM_CLIENT);
	count_packet(&walk->node_port, skb, &walk->packet, FROM_CLIENT);
	return to_pod(skb, &walk->packet, key, host_device);
}

/* A first packet on a known tuple: a retransmission stays where it was; a new connection chooses anew. */
static __always_inline bool stays(struct __sk_buff *skb, struct walk *walk, const struct flow *flow)
{
	const struct packet *pkt = &walk->packet;
	__u32 state;

	if (!opens(pkt))
		return true;
	if (is_over(flow, pkt->protocol))
		return false;
	if (pkt->protocol == IPPROTO_UDP)
		return true;
	if (!find_place(&walk->key, pkt, &walk->place) || flow->pod != walk->place.pod)
		return false;
	state = connection_state(skb, pkt, walk->key.client_port, &walk->place);
	if (is_connected(state))
		return true; /* the pod answers as TCP wants */
	/* The pod knows nothing of it. It may have answered with a SYN cookie, and wait without a socket. */
	return !(flow->state & FLOW_ESTABLISHED) && state == TCP_STATE_LISTEN;
}

/* Makes the entry of a new connection. False where its tuple can't be told from another's. */
static __always_inline bool open_flow(struct __sk_buff *skb, struct walk *walk, bool known)
{
	if (!is_clash(skb, walk, known))
		bpf_map_delete_elem(&clashes, &walk->tuple); /* an earlier connection's */
	else if (!show_other_port(skb, walk))
		return false;
	bpf_map_delete_elem(&flows_established, &walk->key); /* an earlier connection of this tuple, closed */
	bpf_map_update_elem(&flows_new, &walk->key, &walk->flow, BPF_ANY);
	return true;
}

/* In midstream an entry was evicted, but the pod's socket still knows the connection. */
static __always_inline void reopen_flow(struct walk *walk)
{
	walk->flow.state |= FLOW_SYN_ACKED | FLOW_ESTABLISHED | (walk->packet.fin ? FLOW_CLIENT_FIN : 0) |
			    (walk->packet.rst ? FLOW_RESET : 0);
	bpf_map_update_elem(&flows_established, &walk->key, &walk->flow, BPF_ANY);
}

/* A number of the client's own, for `spread`. */
static __always_inline __u64 client_number(const struct packet *pkt)
{
	return pkt->source.halves[0] ^ mix(pkt->source.halves[1] ^ mix(pkt->source_port));
}

/* A packet to a node port that belongs to no living flow: makes one where it may. `known`: see is_clash(). */
__noinline int admit(struct __sk_buff *skb, int known)
{
	struct walk *walk = this_walk();
	const struct packet *pkt = walk ? &walk->packet : NULL;
	struct node_port *port = walk ? bpf_map_lookup_elem(&node_ports, &walk->node_port) : NULL;
	be16 client_port;
	__u64 chosen;

	if (!pkt || !port)
		return TCX_NEXT;
	client_port = opens(pkt) ? pkt->source_port : shown_port(walk);
	chosen = opens(pkt) ? select_backend(skb, port, pkt->v6, pkt->protocol, client_number(pkt), true) :
			      find_connection(skb, port, pkt, client_port);
	if (chosen >= MAX_BACKENDS) {
		if (!opens(pkt) || !is_held(port, &walk->tuple))
			return TCX_NEXT; /* nobody there: the host refuses it, as it does any closed port */
		count_held(&walk->node_port);
		return TCX_DROP;
	}
	walk->place = port->backends[chosen];
	if (!still_there(pkt, &walk->place))
		return TCX_NEXT;

	make_key(&walk->key, pkt->protocol, &walk->place.address, walk->place.port, &pkt->source, client_port);
	fill_flow(&walk->flow, pkt, walk->place.pod);
	if (!same_address(&walk->node_port.address, &pkt->destination))
		walk->flow.state |= FLOW_VIA_ANY;
	if (walk->place.host_device && link_header_length) { /* the pod's device wants a link-layer header */
		walk->flow.host_device = walk->place.host_device;
		walk->flow.device = skb->ifindex;
	}
	if (!opens(pkt)) {
		reopen_flow(walk);
	} else {
		if (!open_flow(skb, walk, known))
			return drop(DROP_CLASH);
		release(port, &walk->tuple);
		count_connection(&walk->node_port, port, walk->place.pod);
	}
	count_packet(&walk->node_port, skb, pkt, FROM_CLIENT);
	return to_pod(skb, pkt, &walk->key, walk->flow.host_device);
}

/* In midstream: the entry of a direct connection that is shown under another client port was evicted. */
static __always_inline int recall_direct(struct __sk_buff *skb, struct walk *walk)
{
	const struct packet *pkt = &walk->packet;

	walk->key.client_port = shown_port(walk);
	if (walk->key.client_port == pkt->source_port ||
	    !is_connected(connection_state(skb, pkt, walk->key.client_port, &walk->place)))
		return TCX_NEXT;
	reopen_flow(walk);
	return to_pod(skb, pkt, &walk->key, 0);
}

/* The flow of a client that uses its port towards this backend through a node port too; or of one that did before. */
static __always_inline int tell_apart(struct __sk_buff *skb, struct walk *walk, bool taken)
{
	struct packet *pkt = &walk->packet;
	struct flow *flow = find_clash(walk, pkt, &walk->key);

	if (flow && !(opens(pkt) && is_over(flow, pkt->protocol))) {
		track(&walk->key, flow, pkt, FROM_CLIENT);
		return to_pod(skb, pkt, &walk->key, 0);
	}
	if (pkt->later_fragment)
		return TCX_NEXT;
	if (flow)
		delete_flow(&walk->key);

	direct_key(&walk->key, pkt);
	fill_flow(&walk->flow, pkt, walk->place.pod);
	walk->flow.state |= FLOW_DIRECT;
	if (!opens(pkt))
		return recall_direct(skb, walk);
	if (!taken)
		bpf_map_delete_elem(&clashes, &walk->tuple); /* an earlier connection's */
	else if (!show_other_port(skb, walk))
		return drop(DROP_CLASH);
	/* No socket tells who sends datagrams directly; so that a later one through a node port can be told apart. */
	if (taken || pkt->protocol == IPPROTO_UDP)
		bpf_map_update_elem(&flows_new, &walk->key, &walk->flow, BPF_ANY);
	return to_pod(skb, pkt, &walk->key, 0);
}

/* A packet to a backend's own address. It is left alone, unless its client uses the same port through a node port. */
__noinline int from_client_directly(struct __sk_buff *skb)
{
	struct walk *walk = this_walk();
	struct packet *pkt = walk ? &walk->packet : NULL;
	struct flow *flow;
	bool taken;

	if (!pkt)
		return TCX_NEXT;
	direct_key(&walk->key, pkt);
	sent_tuple(&walk->tuple, pkt);
	if (!find_place(&walk->key, pkt, &walk->place))
		return TCX_NEXT; /* nobody's that we know of */
	flow = find_flow(&walk->key);
	taken = flow && flow->pod == walk->place.pod && !is_over(flow, pkt->protocol);
	if (taken && pkt->scope == AT_POD && !(flow->state & FLOW_AT_POD))
		return TCX_NEXT; /* translated by the node's programs, which see to clashes */
	if (taken && (flow->state & FLOW_DIRECT)) {
		flow->last_seen = now();
		return TCX_NEXT;
	}
	if (flow && !taken && opens(pkt))
		delete_flow(&walk->key);
	return tell_apart(skb, walk, taken);
}

/* What from_client() doesn't decide at once: first packets, and those without a flow. `known`: walk->key is a flow's.
 */
__noinline int from_new_client(struct __sk_buff *skb, int known)
{
	struct walk *walk = this_walk();
	struct packet *pkt = walk ? &walk->packet : NULL;
	struct flow *flow;

	if (!pkt)
		return TCX_NEXT;
	if (!is_for_us(pkt))
		return from_client_directly(skb);
	sent_tuple(&walk->tuple, pkt);
	flow = known ? find_flow(&walk->key) : find_clash(walk, pkt, &walk->key);
	if (flow && stays(skb, walk, flow))
		return forward(skb, walk, &walk->key, flow);
	if (pkt->later_fragment)
		return TCX_NEXT;
	if (flow)
		delete_flow(&walk->key); /* left behind, it could be found before the new one, and take its packets */
	/* Where that was shown under another port, the socket at the client's own is somebody else's. */
	return admit(skb, flow && walk->key.client_port == pkt->source_port);
}

static __always_inline int from_client(struct __sk_buff *skb, struct walk *walk)
{
	struct packet *pkt = &walk->packet;
	struct node_port *port;
	struct flow *flow;

	forget_fragment(pkt);
	if (pkt->later_fragment && !recall_fragment(pkt))
		return TCX_NEXT;
	port = find_node_port(pkt, &walk->node_port);
	if (!port) {
		if (uses_of(pkt->protocol, pkt->destination_port) & PORT_OF_BACKEND)
			return from_client_directly(skb);
		return TCX_NEXT; /* everybody else's traffic */
	}
	flow = find_flow_of_request(port, pkt, &walk->key);
	if (!flow || (opens(pkt) && (pkt->protocol == IPPROTO_TCP || is_over(flow, pkt->protocol))))
		return from_new_client(skb, flow != NULL);
	return forward(skb, walk, &walk->key, flow);
}

/* The flow of a reply, at walk->key. NULL for a direct connection to the pod, or one that is translated elsewhere. */
static __always_inline struct flow *find_flow_of_reply(struct walk *walk)
{
	const struct packet *pkt = &walk->packet;
	struct backend *backend;
	struct flow *flow;

	if (!(uses_of(pkt->protocol, pkt->source_port) & PORT_OF_BACKEND))
		return NULL;
	backend = find_backend(&pkt->source, pkt->source_port, pkt->protocol);
	if (!backend)
		return NULL; /* not from an exposed port of a pod */
	reply_key(&walk->key, pkt);
	flow = find_flow(&walk->key);
	return flow && flow->pod == backend->pod && is_at(flow, pkt->scope) ? flow : NULL;
}

static __always_inline int from_pod(struct __sk_buff *skb, struct walk *walk)
{
	struct packet *pkt = &walk->packet;
	struct flow *flow = &walk->flow;
	struct flow *found;

	forget_fragment(pkt);
	if (pkt->later_fragment && !recall_fragment(pkt))
		return TCX_NEXT;
	found = find_flow_of_reply(walk);
	if (!found)
		return TCX_NEXT;

	*flow = *found;
	track(&walk->key, found, pkt, FROM_POD);
	if (!(flow->state & FLOW_DIRECT)) {
		walk->node_port.address = flow->node_address;
		if (flow->state & FLOW_VIA_ANY)
			walk->node_port.address = any_of_family(pkt->v6);
		walk->node_port.port = flow->node_port;
		walk->node_port.protocol = pkt->protocol;
		walk->node_port.scope = pkt->scope;
		count_packet(&walk->node_port, skb, pkt, FROM_POD);
	}
	remember_fragment(pkt);
	return rewrite(skb, pkt, SOURCE, &flow->node_address, flow->node_port) &&
			       rewrite_port(skb, pkt, DESTINATION, flow->client_port) ?
		       TCX_NEXT :
		       drop(DROP_REWRITE_FAILED);
}

#endif
