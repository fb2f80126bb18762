// Copyright The Sallyport Authors
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A pod's own device, inside its namespace: the pod's port -> its listener, and back. On the host's side it would be
 * too early and too late: bpf_redirect_peer goes past that, and there the primary plugin checks the pod's source
 * address.
 */
#include "icmp.h"

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tcx/ingress")
int pod_ingress(struct __sk_buff *skb)
{
	return packet_from_client(skb, AT_POD);
}

SEC("tcx/egress")
int pod_egress(struct __sk_buff *skb)
{
	return packet_from_pod(skb, AT_POD);
}
