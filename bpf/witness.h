/* Copyright The Sallyport Authors */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a pod serve? Its socket says so at once, where the kernel has one that we see; what its own stack answered to
 * the latest first packets says it of every kind of pod, and better. Both are noted in `backends`. Of Kubernetes' word,
 * select.h.
 *
 * CPUs write there without a lock. What is lost is one of several packets, and the next one writes the same.
 */
#ifndef SALLYPORT_WITNESS_H
#define SALLYPORT_WITNESS_H

#include "listen.h"

#define NSEC_PER_MSEC 1000000ULL

/*
 * A pod in doubt is asked again after this, by one connection. Its client pays a second where the doubt was right; all
 * others go elsewhere meanwhile.
 */
#define ASK_AGAIN_AFTER (5000 * NSEC_PER_MSEC)

/* Each answer is noted no more often, so that the CPUs don't take the entry from each other. */
#define ANSWER_RESOLUTION (100 * NSEC_PER_MSEC)

/* Looks for the pod's socket. A new listener begins with a clean slate; one that closed takes its answers along. */
static __always_inline void look(void *context, const struct node_port_backend *place, __u64 v6, __u8 protocol,
				 struct backend *backend)
{
	enum sight sight = sight_of(context, v6, protocol, place);

	if (sight == LISTENER) {
		if (backend->listening_since)
			return;
		backend->refused_at = 0;
		backend->unanswered = 0;
		backend->listening_since = now();
	} else if (sight == NO_LISTENER && backend->listening_since) {
		backend->listening_since = 0;
		backend->answering_since = 0;
		backend->refused_at = now();
	}
}

/* Of an answered first packet. `unseen`: there was no socket to see when it was sent. */
static __always_inline void note_answer(struct backend *backend, bool unseen)
{
	if (backend->refused_at | backend->unanswered) {
		backend->refused_at = 0;
		backend->unanswered = 0;
	}
	if (unseen && !backend->answering_since)
		backend->answering_since = now();
	if (passed_since(backend->answered_at) > ANSWER_RESOLUTION)
		backend->answered_at = now();
}

static __always_inline void note_refusal(struct backend *backend)
{
	backend->answering_since = 0;
	backend->refused_at = now();
}

/* Of a first packet that goes there. Many a datagram is never answered: only a SYN without an answer says something. */
static __always_inline void note_question(struct backend *backend, __u8 protocol)
{
	backend->asked_at = now();
	if (protocol != IPPROTO_TCP)
		return;
	if (!backend->unanswered)
		backend->unanswered_since = now();
	backend->unanswered++;
}

/*
 * The verifier follows each branch of the ranking through all places that come after it. So conditions there are
 * numbers, 0 or 1, made without a jump, and hidden from the compiler, which would make one again. Times and ranks are
 * below 2^63.
 */
static __always_inline __u64 hide(__u64 number)
{
	asm volatile("" : "+r"(number));
	return number;
}

static __always_inline __u64 is_set(__u64 number)
{
	return hide((number | hide(-number)) >> 63);
}

static __always_inline __u64 exceeds(__u64 number, __u64 limit)
{
	return hide(hide(limit - number) >> 63);
}

/* `yes` or `no`, by a condition that is 0 or 1. */
static __always_inline __u64 either(__u64 condition, __u64 yes, __u64 no)
{
	return no ^ ((yes ^ no) & hide(-condition));
}

static __always_inline __u64 is_doubted(const struct backend *backend)
{
	__u64 silent = exceeds(backend->unanswered, SILENT_ASKS - 1) &
		       exceeds(passed_since(backend->unanswered_since), SILENT_AFTER);

	return is_set(backend->refused_at) | silent;
}

/* Since when its socket is there, or answers without one; 0: neither. */
static __always_inline __u64 seen_since(const struct backend *backend)
{
	return either(is_set(backend->listening_since), backend->listening_since, backend->answering_since);
}

/* May it be asked again, after what it said or didn't say? */
static __always_inline __u64 is_due(const struct backend *backend)
{
	return exceeds(passed_since(backend->refused_at), ASK_AGAIN_AFTER) &
	       exceeds(passed_since(backend->asked_at), ASK_AGAIN_AFTER);
}

#endif
