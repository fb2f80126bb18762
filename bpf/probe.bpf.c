// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Never attached: asks the running kernel, by BPF_PROG_TEST_RUN, for what no feature list tells. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "rewrite.h"
#include "v6only.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* Returns 1 where bpf_l4_csum_replace takes the flag that IPv6 needs with CHECKSUM_COMPLETE. */
SEC("tc")
int probe_csum_ipv6(struct __sk_buff *skb)
{
	return !bpf_l4_csum_replace(skb, 0, 0, 1, BPF_F_PSEUDO_HDR | CSUM_IPV6);
}

enum v6only {
	V6ONLY_NO_SOCKET,
	V6ONLY_OFF,
	V6ONLY_ON,
};

/* How the UDP socket at [::]:port looks to v6only.h. The port, be16, is the packet's first bytes. */
SEC("?tc") /* loaded only where the kernel has bpf_probe_read_kernel */
int probe_v6only(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = { .ipv6.daddr = { 0, 0, 0, bpf_htonl(1) } };
	enum v6only found = V6ONLY_NO_SOCKET;
	struct bpf_sock *socket;

	if (bpf_skb_load_bytes(skb, 0, &tuple.ipv6.dport, sizeof(tuple.ipv6.dport)))
		return found;
	socket = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!socket)
		return found;
	found = is_v6_only(socket) ? V6ONLY_ON : V6ONLY_OFF;
	bpf_sk_release(socket);
	return found;
}
