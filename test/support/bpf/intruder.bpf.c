// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
/* Somebody's programs. What stands behind the first never runs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tcx/ingress")
int intruder(struct __sk_buff *skb)
{
	(void)skb;
	return TCX_PASS;
}

SEC("tcx/ingress")
int observer(struct __sk_buff *skb)
{
	(void)skb;
	return TCX_NEXT;
}
