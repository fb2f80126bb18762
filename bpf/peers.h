/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a socket of the node or of a pod asked for, and what it was given, so that it is shown the one and keeps the
 * other. It lies with the socket itself: no other process can make so many connections that it is lost.
 */
#ifndef SALLYPORT_PEERS_H
#define SALLYPORT_PEERS_H

#include "socket.h"

static __always_inline bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->address.halves[0] == b->address.halves[0] && a->address.halves[1] == b->address.halves[1] &&
	       a->port == b->port && a->protocol == b->protocol;
}

/* ---- connect() ------------------------------------------------------------------------------------------------ */

/* The socket goes there without us: what it asked for before isn't what it should be shown now. */
static __always_inline void forget_connection(struct bpf_sock *socket)
{
	bpf_sk_storage_delete(&connected_peer, socket);
}

/* Made anew, and never changed: who reads it meanwhile sees the old one or the new one. */
static __always_inline void remember_connection(struct bpf_sock *socket, struct socket_peer *peer)
{
	forget_connection(socket);
	bpf_sk_storage_get(&connected_peer, socket, peer, BPF_SK_STORAGE_GET_F_CREATE);
}

/* What the socket asked for when it was given that. False where it wasn't. */
static __always_inline bool recall_connection(struct bpf_sock *socket, const struct endpoint *given,
					      struct endpoint *asked)
{
	const struct socket_peer *peer = bpf_sk_storage_get(&connected_peer, socket, NULL, 0);

	if (!peer || !same_endpoint(&peer->given, given))
		return false;
	*asked = peer->asked;
	return true;
}

/* ---- datagrams without connect() ------------------------------------------------------------------------------ */

/* Where the socket's datagrams to that node port went until now. False where it never asked for it. One goes there. */
static __always_inline bool recall_given(struct bpf_sock *socket, const struct endpoint *asked,
					 struct socket_peer *peer)
{
	struct datagram_peers *peers = bpf_sk_storage_get(&datagram_peers, socket, NULL, 0);
	__u64 time = now();
	bool found = false;

	if (!peers)
		return false;
	bpf_spin_lock(&peers->lock);
	for (__u32 i = 0; i < PEERS_OF_A_SOCKET; i++) {
		struct socket_peer *known = &peers->peers[i];

		if (found || known->former || !same_endpoint(&known->asked, asked))
			continue;
		*peer = *known;
		if (!known->unanswered_since)
			known->unanswered_since = time;
		else if (!known->asked_again_at && time - known->unanswered_since > SILENT_AFTER)
			known->asked_again_at = time;
		else
			known->streams = true;
		found = true;
	}
	bpf_spin_unlock(&peers->lock);
	return found;
}

/*
 * Has the pod fallen silent? Who asks, waits, and asks again is answered each time, or something is lost. Of others,
 * QUIC among them, a datagram may be left unanswered and an hour pass before the next: that one must stay so too.
 */
static __always_inline bool is_silent(const struct socket_peer *peer)
{
	__u64 since = peer->streams ? peer->asked_again_at : peer->unanswered_since;

	return peer->answers && since && passed_since(since) > SILENT_AFTER;
}

/*
 * From now on the socket's datagrams to that node port go to peer->given. Where that is nowhere, they go to peer->asked
 * without us, and what comes from there is shown as that.
 */
static __always_inline void remember_given(struct bpf_sock *socket, const struct socket_peer *peer)
{
	struct datagram_peers *peers =
		bpf_sk_storage_get(&datagram_peers, socket, NULL, peer->given.port ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	__u32 place = PEERS_OF_A_SOCKET;

	if (!peers)
		return;
	bpf_spin_lock(&peers->lock);
	for (__u32 i = 0; i < PEERS_OF_A_SOCKET; i++) {
		if (same_endpoint(&peers->peers[i].asked, &peer->asked)) {
			peers->peers[i].former = true;
			if (same_endpoint(&peers->peers[i].given, &peer->given))
				place = i;
		}
		if (!peer->given.port && same_endpoint(&peers->peers[i].given, &peer->asked))
			peers->peers[i].given.port = 0;
	}
	if (peer->given.port) {
		if (place == PEERS_OF_A_SOCKET)
			place = peers->next++;
		peers->peers[place % PEERS_OF_A_SOCKET] = *peer;
	}
	bpf_spin_unlock(&peers->lock);
}

/*
 * As recall_connection(), for a datagram that has come from there. Of several node ports that lead there, it is the one
 * that was asked last, and not answered yet.
 */
static __always_inline bool take_datagram(struct bpf_sock *socket, const struct endpoint *given, struct endpoint *asked)
{
	struct datagram_peers *peers = bpf_sk_storage_get(&datagram_peers, socket, NULL, 0);
	__u32 place = PEERS_OF_A_SOCKET;
	__u64 latest = 0;

	if (!peers)
		return false;
	bpf_spin_lock(&peers->lock);
	for (__u32 i = 0; i < PEERS_OF_A_SOCKET; i++) {
		const struct socket_peer *known = &peers->peers[i];

		if (!same_endpoint(&known->given, given) ||
		    (place < PEERS_OF_A_SOCKET && known->unanswered_since <= latest))
			continue;
		place = i;
		latest = known->unanswered_since;
	}
	if (place < PEERS_OF_A_SOCKET) {
		struct socket_peer *known = &peers->peers[place];

		*asked = known->asked;
		known->unanswered_since = 0;
		known->asked_again_at = 0;
		known->answers = true;
	}
	bpf_spin_unlock(&peers->lock);
	return place < PEERS_OF_A_SOCKET;
}

#endif
