/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pinned maps. They are the whole state: what isn't here doesn't exist.
 *
 * Tables that only the command writes aren't preallocated, so that an empty node pays for none of them. Capacities
 * of the flow tables come from the configuration (0 here: set before loading).
 */
#ifndef SALLYPORT_MAPS_H
#define SALLYPORT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sallyport/abi.h"

#define TABLE(name, kind, key_type, value_type, entries, flags) \
	struct {                                                \
		__uint(type, kind);                             \
		__type(key, key_type);                          \
		__type(value, value_type);                      \
		__uint(max_entries, entries);                   \
		__uint(map_flags, flags);                       \
		__uint(pinning, LIBBPF_PIN_BY_NAME);            \
	} name SEC(".maps")

TABLE(meta, BPF_MAP_TYPE_ARRAY, __u32, struct meta, 1, 0);
TABLE(pods, BPF_MAP_TYPE_HASH, struct pod_key, struct pod, MAX_PODS, BPF_F_NO_PREALLOC);
TABLE(pod_exposures, BPF_MAP_TYPE_HASH, struct pod_exposure_key, struct pod_exposure, MAX_POD_EXPOSURES,
      BPF_F_NO_PREALLOC);
TABLE(backends, BPF_MAP_TYPE_HASH, struct endpoint, struct backend, MAX_POD_BACKENDS, BPF_F_NO_PREALLOC);
TABLE(pod_addresses, BPF_MAP_TYPE_HASH, union address, __u64, MAX_POD_ADDRESSES, BPF_F_NO_PREALLOC);
TABLE(living, BPF_MAP_TYPE_DEVMAP_HASH, __u32, __u32, MAX_LIVING, 0);
TABLE(words, BPF_MAP_TYPE_HASH, __u64, struct pod_word, MAX_PODS, BPF_F_NO_PREALLOC);
TABLE(node_ports, BPF_MAP_TYPE_HASH, struct endpoint, struct node_port, MAX_NODE_PORTS, BPF_F_NO_PREALLOC);
TABLE(addresses, BPF_MAP_TYPE_LPM_TRIE, struct address_prefix, __u32, MAX_ADDRESSES, BPF_F_NO_PREALLOC);
TABLE(flows_new, BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct flow, 0, 0);
TABLE(flows_established, BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct flow, 0, 0);
TABLE(flows_answered, BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct flow, 0, 0);
TABLE(room, BPF_MAP_TYPE_ARRAY, __u32, struct room, 1, 0);
TABLE(socket_flows, BPF_MAP_TYPE_SK_STORAGE, int, struct socket_flows, 0, BPF_F_NO_PREALLOC);
TABLE(guesses, BPF_MAP_TYPE_ARRAY, __u32, struct guess_row, GUESS_ROWS, 0);
TABLE(quic_ids, BPF_MAP_TYPE_LRU_HASH, __u32, __u64, MAX_QUIC_IDS, 0);
TABLE(quic_clients, BPF_MAP_TYPE_LRU_HASH, struct endpoint, __u64, MAX_QUIC_CLIENTS, 0);
TABLE(clashes, BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct flow_key, MAX_CLASHES, 0);
TABLE(held, BPF_MAP_TYPE_LRU_HASH, struct flow_key, __u64, MAX_HELD, 0);
TABLE(questions, BPF_MAP_TYPE_LRU_HASH, struct flow_key, __u64, MAX_QUESTIONS, 0);
TABLE(fragmented, BPF_MAP_TYPE_LRU_HASH, struct fragment_key, struct fragment_ports, MAX_FRAGMENTED, 0);
TABLE(connected_peer, BPF_MAP_TYPE_SK_STORAGE, int, struct socket_peer, 0, BPF_F_NO_PREALLOC);
TABLE(datagram_peers, BPF_MAP_TYPE_SK_STORAGE, int, struct datagram_peers, 0, BPF_F_NO_PREALLOC);
TABLE(port_uses, BPF_MAP_TYPE_ARRAY, __u32, __u32, PORT_USES, 0);
TABLE(traffic, BPF_MAP_TYPE_PERCPU_HASH, struct endpoint, struct traffic, MAX_NODE_PORTS, BPF_F_NO_PREALLOC);
TABLE(events, BPF_MAP_TYPE_ARRAY, __u32, struct event, MAX_EVENTS, 0);
TABLE(event_head, BPF_MAP_TYPE_ARRAY, __u32, struct event_head, 1, 0);
TABLE(drops, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, DROP_REASONS, 0);

#endif
