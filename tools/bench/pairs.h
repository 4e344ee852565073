/* Pairs of users: those on a driver at 2i and 2i+1 send messages to each other.
 *
 *   closed loop   each direction keeps a window of messages under way
 *   open loop     message k is due at a fixed time; a direction whose window is full sends late, and its
 *                 latencies count from when it should have sent (so a server that stalls cannot hide it) */
#pragma once
#include "driver.h"

#define PAIRS_WINDOW_MAX 65536

enum pairs_latency { PAIRS_DELIVERY, PAIRS_RECEIPT, PAIRS_DM, PAIRS_SENDING, PAIRS_UNNOTED };
#define PAIRS_LATENCIES PAIRS_UNNOTED

struct pairs_plan {
	double rate;       /* messages a second of this driver; 0: closed loop */
	int64_t offset_ns; /* its first message is due so long after a phase begins */
	uint32_t window;   /* messages under way in each direction, at most PAIRS_WINDOW_MAX */
	const char *flags; /* one that is known */
	size_t size;       /* bytes of content, at most LETTER_CONTENT_BYTES_MAX */
};

struct pairs;

bool pairs_flags_known(const char *flags); /* default, p0 */
/* 0 or ERR_NOMEM; close it in either case. */
int pairs_open(struct driver *d, const struct pairs_plan *plan, struct pairs **out) WARN_UNUSED;
void pairs_close(struct pairs **pairs);
/* Sends from now on, until pairs_pause. row: which of the scenario's latencies is which, -1: none. */
void pairs_begin(struct pairs *pairs, const int row[PAIRS_LATENCIES]);
void pairs_pause(struct pairs *pairs);
void pairs_heard(struct pairs *pairs, struct peer *p, const struct answer *a);
