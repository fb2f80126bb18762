// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Never attached: asks the running kernel, by BPF_PROG_TEST_RUN, for what no feature list tells. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "rewrite.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* Returns 1 where bpf_l4_csum_replace takes the flag that IPv6 needs with CHECKSUM_COMPLETE. */
SEC("tc")
int probe_csum_ipv6(struct __sk_buff *skb)
{
	return !bpf_l4_csum_replace(skb, 0, 0, 1, BPF_F_PSEUDO_HDR | CSUM_IPV6);
}
