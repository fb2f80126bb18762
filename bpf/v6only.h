/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does an IPv6 socket take IPv4 too? Nothing that programs are shown says so, and so this looks where the kernel keeps
 * it (struct sock_common of net/sock.h, the same from 5.10 to this day). The loader tries it out on sockets of its own
 * before any hook relies on it: `probe_v6only`.
 */
#ifndef SALLYPORT_V6ONLY_H
#define SALLYPORT_V6ONLY_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define V6ONLY_BYTE 19
#define V6ONLY_BIT (1 << 5)

static __always_inline bool is_v6_only(const void *socket)
{
	__u8 head[V6ONLY_BYTE + 1] = {};

	return bpf_probe_read_kernel(head, sizeof(head), socket) || (head[V6ONLY_BYTE] & V6ONLY_BIT);
}

#endif
