/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A part of abi.h, which includes it: the pods, what each of them holds, and which of them live. */
#ifndef SALLYPORT_ABI_PODS_H
#define SALLYPORT_ABI_PODS_H

#include "sallyport/abi.h"

#ifdef __cplusplus
namespace sallyport::abi {
#endif

/* ---- pods: the owner records --------------------------------------------------------------------------------- */

struct pod_key {
	char container_id[128]; /* NUL-padded */
	char ifname[16];        /* NUL-padded */
};
SALLYPORT_ASSERT(sizeof(struct pod_key) == 144);

struct pod {
	__u64 id;           /* a generation: never given twice while the maps live, so nothing outlives its pod */
	__u64 made_at;      /* ns since 1970: pods rank by it, as adopted ones are bound later than they began */
	__u64 netns_device; /* st_dev and st_ino of the namespace: a path alone may lead to another one later */
	__u64 netns_inode;
	__u32 netns;     /* its id, seen from the node's namespace */
	__u32 exposures; /* entries 0 to exposures - 1 of pod_exposures are its: what it exposes and what it remaps */
	__u32 share;     /* enum share; this and the next two as the pod wants them */
	__u32 settle_ms;
	__u32 hold_ms;
	__u32 host_device; /* this and the next as in struct node_port_backend */
	__u32 fast;
	__u32 zero;
	char netns_path[256]; /* NUL-terminated, as are all below */
	char network[128];
	char pod_namespace[64];
	char pod_name[256];
	char pod_uid[64]; /* as the API server knows it; "" where the runtime didn't say */
};
SALLYPORT_ASSERT(sizeof(struct pod) == 832);

/* ---- pod_exposures: what each pod holds, so that DEL costs what the pod has and not what the node has -------- */

struct pod_exposure_key {
	__u64 pod;
	__u32 index;
	__u32 zero;
};
SALLYPORT_ASSERT(sizeof(struct pod_exposure_key) == 16);

struct pod_exposure {
	struct endpoint node_port;
	struct endpoint backend;
};
SALLYPORT_ASSERT(sizeof(struct pod_exposure) == 48);

/*
 * ---- living: which pods there still are, whether or not anybody tells us that one went ----------------------------
 *
 * The pod's id -> a device of its namespace. The kernel keeps the device itself there, not its number, and takes the
 * entry out when that device ends, which it does with its namespace at the latest (a DEVMAP_HASH; kernel 5.4). So an
 * entry is proof of life; ids of namespaces, numbers of devices, addresses and paths are given to others again.
 *
 * Such keys have 32 bits. Nobody adds that many pods between two starts of the kernel.
 */
static inline __u32 living_key(__u64 pod)
{
	return (__u32)pod;
}

/* ---- pod_addresses: address -> the pod that had it last. The command alone asks: whoever gets it, ends that one. --
 */

#ifdef __cplusplus
} // namespace sallyport::abi
#endif

#endif
