/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happened of late, for people. Written in place over the oldest, so that nobody need read it and any number may,
 * each from a place of their own; the kernel's ring buffer has one reader, and keeps the oldest when it is full.
 */
#ifndef SALLYPORT_EVENTS_H
#define SALLYPORT_EVENTS_H

#include <stdbool.h>

#include "maps.h"

/* Of events that a client can cause at will, so many are kept in a second; a flood would push out all others. */
#define EVENTS_BY_CLIENTS 64
#define EVENT_WINDOW 1000000000LL

/* Not where another CPU has begun it since we took the time: that isn't long ago, but in our future. */
static __always_inline bool window_is_over(const struct event_head *head, __u64 time)
{
	return (__s64)(time - head->window) >= EVENT_WINDOW;
}

/* The number of the next event; 0 where it is one too many of those by clients. */
static __always_inline __u64 next_event(bool by_client, __u64 time)
{
	const __u32 zero = 0;
	struct event_head *head = bpf_map_lookup_elem(&event_head, &zero);
	__u64 number = 0;

	if (!head)
		return 0;
	/* Under a flood nobody waits for the lock. */
	if (by_client && head->by_clients >= EVENTS_BY_CLIENTS && !window_is_over(head, time))
		return 0;
	bpf_spin_lock(&head->lock);
	if (by_client && window_is_over(head, time)) {
		head->window = time;
		head->by_clients = 0;
	}
	if (!by_client || head->by_clients++ < EVENTS_BY_CLIENTS)
		number = ++head->last;
	bpf_spin_unlock(&head->lock);
	return number;
}

/* The slot of a new event, its head filled in; NULL where there is none. Whoever has filled in the rest publishes it.
 */
static __always_inline struct event *begin_event(enum event_kind kind, bool by_client, __u64 *number)
{
	__u64 time = bpf_ktime_get_ns();
	struct event *event;
	__u32 slot;

	*number = next_event(by_client, time);
	if (!*number)
		return NULL;
	slot = *number % MAX_EVENTS;
	event = bpf_map_lookup_elem(&events, &slot);
	if (!event)
		return NULL;
	event->number = 0; /* whoever reads it now finds none */
	event->time = time;
	event->pod = 0;
	event->previous_pod = 0;
	event->kind = kind;
	event->reason = 0;
	return event;
}

static __always_inline void publish_event(struct event *event, __u64 number)
{
	*(volatile __u64 *)&event->number = number;
}

/*
 * A connection to `node_port` went to `pod`, and the one before to another. Inlined: the frames of all calls together
 * may have 512 bytes, and none is left.
 */
static __always_inline void tell_handover(const struct endpoint *node_port, __u64 pod, __u64 previous_pod,
					  enum witness witness)
{
	__u64 number;
	struct event *event = begin_event(EVENT_HANDOVER, false, &number);

	if (!event)
		return;
	event->pod = pod;
	event->previous_pod = previous_pod;
	event->reason = witness;
	event->node_port = *node_port;
	__builtin_memset(&event->peer, 0, sizeof(event->peer));
	publish_event(event, number);
}

/* A packet of a client's: `asked` is where it goes; `pod`: whose refusal it met, or 0. */
static __always_inline void tell_packet(enum event_kind kind, __u8 reason, __u64 pod, __u8 protocol,
					const union address *asked, be16 asked_port, const union address *client,
					be16 client_port)
{
	__u64 number;
	struct event *event = begin_event(kind, true, &number);

	if (!event)
		return;
	event->reason = reason;
	event->pod = pod;
	__builtin_memset(&event->node_port, 0, sizeof(event->node_port));
	event->node_port.address = *asked;
	event->node_port.port = asked_port;
	event->node_port.protocol = protocol;
	__builtin_memset(&event->peer, 0, sizeof(event->peer));
	event->peer.address = *client;
	event->peer.port = client_port;
	event->peer.protocol = protocol;
	publish_event(event, number);
}

#endif
