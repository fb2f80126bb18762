// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in for Cilium's programs, which does what matters to whoever comes before them: it ends every chain, delivers
 * to pods and from pods past the host's stack, checks pods' sources, admits from outside only what a policy allows, and
 * drops later fragments of a datagram whose first it hasn't seen. Names and places are Cilium's.
 *
 * Of its own making, and nothing of bpf/: a mistake there must not be made here once more.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

char _license[] SEC("license") = "Dual BSD/GPL";

#define FAMILY_INET 2
#define FAMILY_INET6 10

union ip {
	__u8 bytes[16];
	__u32 words[4];
};

struct endpoint {
	__u32 device; /* the host's end of the pod's device */
	__u8 device_mac[6];
	__u8 pod_mac[6];
};

struct permission {
	union ip pod;
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

struct connection {
	union ip pod;
	union ip peer;
	__be16 pod_port;
	__be16 peer_port;
	__u32 protocol;
};

struct datagram {
	union ip source;
	union ip destination;
	__u32 id;
	__u32 protocol;
};

struct ports {
	__be16 source;
	__be16 destination;
};

struct packet {
	union ip source;
	union ip destination;
	struct ports ports;
	__u32 fragment_id;
	__u32 l4;
	__u8 protocol;
	bool v6;
	bool fragment; /* one of several */
	bool later;    /* and not the first */
};

#define MAP(name, kind, key_type, value_type, entries) \
	struct {                                       \
		__uint(type, kind);                    \
		__type(key, key_type);                 \
		__type(value, value_type);             \
		__uint(max_entries, entries);          \
	} name SEC(".maps")

MAP(endpoints, BPF_MAP_TYPE_HASH, union ip, struct endpoint, 256);
MAP(policy, BPF_MAP_TYPE_HASH, struct permission, __u32, 256);
MAP(connections, BPF_MAP_TYPE_LRU_HASH, struct connection, __u32, 4096);
MAP(datagrams, BPF_MAP_TYPE_LRU_HASH, struct datagram, struct ports, 4096);

enum drop { INVALID_SOURCE, POLICY_DENIED, FRAGMENT_UNKNOWN, DROP_REASONS };
MAP(drops, BPF_MAP_TYPE_ARRAY, __u32, __u64, DROP_REASONS);

static __always_inline int drop(enum drop reason)
{
	__u32 key = reason;
	__u64 *count = bpf_map_lookup_elem(&drops, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_SHOT;
}

static __always_inline bool parse_ipv4(struct __sk_buff *skb, struct packet *pkt)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	pkt->source.words[2] = pkt->destination.words[2] = bpf_htonl(0xffff);
	pkt->source.words[3] = ip.saddr;
	pkt->destination.words[3] = ip.daddr;
	pkt->protocol = ip.protocol;
	pkt->fragment = ip.frag_off & bpf_htons(0x3fff);
	pkt->later = ip.frag_off & bpf_htons(0x1fff);
	pkt->fragment_id = ip.id;
	pkt->l4 = ETH_HLEN + ip.ihl * 4;
	return true;
}

static __always_inline bool parse_ipv6(struct __sk_buff *skb, struct packet *pkt)
{
	struct {
		__u8 next;
		__u8 reserved;
		__be16 offset;
		__be32 id;
	} fragment;
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	__builtin_memcpy(&pkt->source, &ip.saddr, sizeof(pkt->source));
	__builtin_memcpy(&pkt->destination, &ip.daddr, sizeof(pkt->destination));
	pkt->v6 = true;
	pkt->protocol = ip.nexthdr;
	pkt->l4 = ETH_HLEN + sizeof(ip);
	if (ip.nexthdr != IPPROTO_FRAGMENT)
		return true;
	if (bpf_skb_load_bytes(skb, pkt->l4, &fragment, sizeof(fragment)))
		return false;
	pkt->protocol = fragment.next;
	pkt->fragment = fragment.offset & bpf_htons(0xfff9);
	pkt->later = fragment.offset & bpf_htons(0xfff8);
	pkt->fragment_id = fragment.id;
	pkt->l4 += sizeof(fragment);
	return true;
}

/* The ports of a TCP or UDP packet; of a later fragment, those that the first had. False: they aren't known. */
static __always_inline bool find_ports(struct __sk_buff *skb, struct packet *pkt)
{
	struct datagram datagram = {
		.source = pkt->source,
		.destination = pkt->destination,
		.id = pkt->fragment_id,
		.protocol = pkt->protocol,
	};
	struct ports *known;

	if (pkt->protocol != IPPROTO_TCP && pkt->protocol != IPPROTO_UDP)
		return true;
	if (pkt->later) {
		known = bpf_map_lookup_elem(&datagrams, &datagram);
		if (known)
			pkt->ports = *known;
		return known;
	}
	if (bpf_skb_load_bytes(skb, pkt->l4, &pkt->ports, sizeof(pkt->ports)))
		return false;
	if (pkt->fragment)
		bpf_map_update_elem(&datagrams, &datagram, &pkt->ports, BPF_ANY);
	return true;
}

static __always_inline bool parse(struct __sk_buff *skb, struct packet *pkt)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return parse_ipv4(skb, pkt);
	return skb->protocol == bpf_htons(ETH_P_IPV6) && parse_ipv6(skb, pkt);
}

/* Into the pod past the host's side of its device, as BPF host routing does. */
static __always_inline int deliver(struct __sk_buff *skb, const struct endpoint *to)
{
	bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_dest), to->pod_mac, ETH_ALEN, 0);
	bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_source), to->device_mac, ETH_ALEN, 0);
	return bpf_redirect_peer(to->device, 0);
}

/* Does the pod's policy let this in? What answers the pod's own connection needs none, nor do errors and pings. */
static __always_inline bool is_allowed(const struct packet *pkt)
{
	struct permission permission = {
		.pod = pkt->destination,
		.port = pkt->ports.destination,
		.protocol = pkt->protocol,
	};
	struct connection connection = {
		.pod = pkt->destination,
		.peer = pkt->source,
		.pod_port = pkt->ports.destination,
		.peer_port = pkt->ports.source,
		.protocol = pkt->protocol,
	};

	if (pkt->protocol != IPPROTO_TCP && pkt->protocol != IPPROTO_UDP)
		return true;
	return bpf_map_lookup_elem(&policy, &permission) || bpf_map_lookup_elem(&connections, &connection);
}

SEC("tcx/ingress")
int cil_from_netdev(struct __sk_buff *skb)
{
	struct packet pkt = {};
	struct endpoint *pod;

	if (!parse(skb, &pkt))
		return TC_ACT_OK;
	pod = bpf_map_lookup_elem(&endpoints, &pkt.destination);
	if (!pod)
		return TC_ACT_OK; /* to the host */
	if (!find_ports(skb, &pkt))
		return drop(FRAGMENT_UNKNOWN);
	if (!is_allowed(&pkt))
		return drop(POLICY_DENIED);
	return deliver(skb, pod);
}

SEC("tcx/egress")
int cil_to_netdev(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_OK;
}

static __always_inline int leave_node(struct __sk_buff *skb, const struct packet *pkt)
{
	struct bpf_fib_lookup route = {
		.family = pkt->v6 ? FAMILY_INET6 : FAMILY_INET,
		.ifindex = skb->ifindex,
	};
	long found;

	if (pkt->v6) {
		__builtin_memcpy(route.ipv6_src, &pkt->source, sizeof(pkt->source));
		__builtin_memcpy(route.ipv6_dst, &pkt->destination, sizeof(pkt->destination));
	} else {
		route.ipv4_src = pkt->source.words[3];
		route.ipv4_dst = pkt->destination.words[3];
	}
	found = bpf_fib_lookup(skb, &route, sizeof(route), 0);
	if (found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH)
		return TC_ACT_OK; /* to the host itself */
	return bpf_redirect_neigh(route.ifindex, NULL, 0, 0);
}

SEC("tcx/ingress")
int cil_from_container(struct __sk_buff *skb)
{
	struct connection connection = {};
	struct endpoint *source, *destination;
	struct packet pkt = {};
	__u32 one = 1;

	if (!parse(skb, &pkt))
		return TC_ACT_OK; /* ARP */
	if (pkt.v6 && (pkt.source.bytes[0] == 0xfe || pkt.destination.bytes[0] == 0xff))
		return TC_ACT_OK; /* neighbours and groups */
	source = bpf_map_lookup_elem(&endpoints, &pkt.source);
	if (!source || source->device != skb->ifindex)
		return drop(INVALID_SOURCE);
	if (!find_ports(skb, &pkt))
		return drop(FRAGMENT_UNKNOWN);

	connection.pod = pkt.source;
	connection.peer = pkt.destination;
	connection.pod_port = pkt.ports.source;
	connection.peer_port = pkt.ports.destination;
	connection.protocol = pkt.protocol;
	bpf_map_update_elem(&connections, &connection, &one, BPF_ANY);
	destination = bpf_map_lookup_elem(&endpoints, &pkt.destination);
	return destination ? deliver(skb, destination) : leave_node(skb, &pkt);
}
