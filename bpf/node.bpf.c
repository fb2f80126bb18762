// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The node's outside devices: node port -> backend on the way in, backend -> node port on the way out.
 *
 * Every verdict is TCX_NEXT (or a drop). TCX_PASS would end the chain, and with it skip Cilium and its policies.
 */
#include "flow.h"
#include "rewrite.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The node port that the packet is sent to, and its key. An exact address goes before "any". */
static __always_inline struct node_port *find_node_port(const struct packet *pkt, struct endpoint *key)
{
	struct address_prefix prefix = { .length = 128 };
	struct node_port *port;

	__builtin_memset(key, 0, sizeof(*key));
	key->address = pkt->destination;
	key->port = pkt->destination_port;
	key->protocol = pkt->protocol;
	port = bpf_map_lookup_elem(&node_ports, key);
	if (!port) {
		key->address = pkt->v6 ? (union address){} : v4_mapped(0);
		port = bpf_map_lookup_elem(&node_ports, key);
	}
	if (!port)
		return NULL;

	/* "Port 80 on anything that passes by" is somebody else's port 80. */
	__builtin_memcpy(prefix.bytes, &pkt->destination, sizeof(prefix.bytes));
	return bpf_map_lookup_elem(&addresses, &prefix) ? port : NULL;
}

static __always_inline int drop(enum drop reason)
{
	count_drop(reason);
	return TCX_DROP;
}

/* A packet to a node port that belongs to no flow: makes one where it may. `known`: it had one, which is over. */
static __always_inline int admit(struct __sk_buff *skb, const struct node_port *port, const struct endpoint *node_port,
				 const struct packet *pkt, bool known)
{
	bool opens = pkt->protocol == IPPROTO_UDP || (pkt->syn && !pkt->ack);
	struct node_port_backend backend;
	struct flow_key key;
	struct flow flow;
	__u32 chosen;

	/* In midstream an entry was evicted, but the pod's socket still knows the connection. */
	chosen = opens ? select_backend(skb, port, pkt) : find_connection(skb, port, pkt);
	if (chosen >= MAX_BACKENDS)
		return TCX_NEXT; /* nobody there: the host refuses it, as it does any closed port */
	backend = port->backends[chosen];
	if (!still_there(pkt, &backend))
		return TCX_NEXT;

	request_key(&key, pkt, &backend);
	if (clashes_with(&key, &backend))
		return drop(DROP_CLASH);
	/* The pod has this client's connection, and no flow knows of it: it was made without us, to the pod's own
	 * address. */
	if (opens && !known && pkt->protocol == IPPROTO_TCP &&
	    connection_state(skb, pkt, &backend) == TCP_STATE_ESTABLISHED)
		return drop(DROP_CLASH);

	fill_flow(&flow, pkt, node_port, &backend);
	if (opens) {
		bpf_map_delete_elem(&flows_established, &key); /* an earlier connection of this tuple, closed */
		bpf_map_update_elem(&flows_new, &key, &flow, BPF_ANY);
		count_connection(node_port);
	} else {
		flow.state |= FLOW_SYN_ACKED | FLOW_ESTABLISHED | (pkt->fin ? FLOW_CLIENT_FIN : 0) |
			      (pkt->rst ? FLOW_RESET : 0);
		bpf_map_update_elem(&flows_established, &key, &flow, BPF_ANY);
	}
	count_packet(node_port, skb, pkt, FROM_CLIENT);
	return rewrite(skb, pkt, DESTINATION, &backend.address, backend.port) ? TCX_NEXT : drop(DROP_REWRITE_FAILED);
}

/* A SYN on a known tuple: a retransmission stays where it was; a new connection chooses anew. */
static __always_inline bool must_choose_anew(struct __sk_buff *skb, const struct packet *pkt, const struct flow *flow,
					     const struct flow_key *key)
{
	struct endpoint endpoint = {
		.address = key->backend,
		.port = key->backend_port,
		.protocol = key->protocol,
	};
	struct backend *backend;

	if (pkt->protocol != IPPROTO_TCP || !pkt->syn || pkt->ack)
		return false;
	if (is_closed(flow))
		return true;
	if (flow->state & FLOW_SYN_ACKED)
		return false; /* the pod has a socket for it, and answers as TCP wants */
	backend = bpf_map_lookup_elem(&backends, &endpoint);
	return !backend || !listens(skb, pkt->v6, pkt->protocol, &key->backend, key->backend_port, backend->netns);
}

/* A client that talks to the pod directly, from a port that it used through a node port before: that flow is over. */
static __always_inline void end_flow_of_direct_connection(const struct packet *pkt)
{
	struct endpoint endpoint = {
		.address = pkt->destination,
		.port = pkt->destination_port,
		.protocol = pkt->protocol,
	};
	struct flow_key key = {
		.backend = pkt->destination,
		.client = pkt->source,
		.backend_port = pkt->destination_port,
		.client_port = pkt->source_port,
		.protocol = pkt->protocol,
	};
	struct flow *flow;

	if (pkt->protocol != IPPROTO_TCP || !pkt->syn || pkt->ack || !bpf_map_lookup_elem(&backends, &endpoint))
		return;
	flow = find_flow(&key);
	if (!flow || !is_closed(flow))
		return;
	bpf_map_delete_elem(&flows_established, &key);
	bpf_map_delete_elem(&flows_new, &key);
}

SEC("tcx/ingress")
int node_ingress(struct __sk_buff *skb)
{
	struct packet *pkt = scratch_packet();
	struct endpoint node_port;
	struct node_port *port;
	struct flow_key key;
	struct flow *flow;

	if (!pkt || !parse_packet(skb, pkt))
		return TCX_NEXT; /* not a whole TCP segment or UDP datagram */

	port = find_node_port(pkt, &node_port);
	if (!port) {
		end_flow_of_direct_connection(pkt);
		return TCX_NEXT; /* everybody else's traffic */
	}

	flow = find_flow_of_request(port, pkt, &key);
	if (flow && !must_choose_anew(skb, pkt, flow, &key)) {
		track(&key, flow, pkt, FROM_CLIENT);
		count_packet(&node_port, skb, pkt, FROM_CLIENT);
		return rewrite(skb, pkt, DESTINATION, &key.backend, key.backend_port) ? TCX_NEXT :
											drop(DROP_REWRITE_FAILED);
	}
	if (flow) {
		/* Left behind, it could be found before the new one, and take its packets to the old pod. */
		bpf_map_delete_elem(&flows_established, &key);
		bpf_map_delete_elem(&flows_new, &key);
	}
	return admit(skb, port, &node_port, pkt, flow != NULL);
}

SEC("tcx/egress")
int node_egress(struct __sk_buff *skb)
{
	struct packet *pkt = scratch_packet();
	struct endpoint endpoint = {};
	struct backend *backend;
	struct flow_key key;
	struct flow *flow;

	if (!pkt || !parse_packet(skb, pkt))
		return TCX_NEXT;

	endpoint.address = pkt->source;
	endpoint.port = pkt->source_port;
	endpoint.protocol = pkt->protocol;
	backend = bpf_map_lookup_elem(&backends, &endpoint);
	if (!backend)
		return TCX_NEXT; /* not from an exposed port of a pod */

	reply_key(&key, pkt);
	flow = find_flow(&key);
	if (!flow || flow->pod != backend->pod)
		return TCX_NEXT; /* a direct connection to the pod */

	endpoint.address = flow->node_address;
	endpoint.port = flow->node_port;
	if (flow->state & FLOW_VIA_ANY) {
		struct endpoint any = endpoint;

		any.address = pkt->v6 ? (union address){} : v4_mapped(0);
		count_packet(&any, skb, pkt, FROM_POD);
	} else {
		count_packet(&endpoint, skb, pkt, FROM_POD);
	}
	track(&key, flow, pkt, FROM_POD);
	return rewrite(skb, pkt, SOURCE, &endpoint.address, endpoint.port) ? TCX_NEXT : drop(DROP_REWRITE_FAILED);
}

/*
 * Never attached: the command runs it (BPF_PROG_TEST_RUN) to ask just what the datapath would ask. The question comes
 * as packet data; the answer is the return value, 1 for "listens".
 */
SEC("tc")
int ask_listener(struct __sk_buff *skb)
{
	struct listener_question question;
	bool v6;

	if (bpf_skb_load_bytes(skb, 0, &question, sizeof(question)))
		return 0;
	v6 = question.backend.address.words[0] || question.backend.address.words[1] ||
	     question.backend.address.words[2] != bpf_htonl(0xffff);
	return listens(skb, v6, question.backend.protocol, &question.backend.address, question.backend.port,
		       question.netns);
}
