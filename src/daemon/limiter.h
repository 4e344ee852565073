/* What one address has cost lately: failed logins within the last minute, and connections now.
 * Shared by all workers, under one lock that is held for a look into a hash table.
 *
 * Bounds: LIMITER_ADDRESSES_MAX addresses with failures are remembered, whoever failed longest ago
 * is forgotten first. Connections are bounded by limits.max_connections. */
#pragma once
#include "base/clock.h"
#include "base/str.h"

#define LIMITER_ADDRESSES_MAX 65536
#define LIMITER_ADDRESS_BYTES_MAX 64

struct limiter;
struct limiter *limiter_create(void); /* NULL: out of memory */
void limiter_destroy(struct limiter **limiter);
/* Counts `add` failures (0: only looks) and returns how many there were in the last 50 to 60 seconds. */
unsigned limiter_failures(struct limiter *limiter, struct str address, unsigned add, struct mono now);
/* Counts one more connection. False: now there are more than `max` (0: no limit). */
bool limiter_connect(struct limiter *limiter, struct str address, unsigned max);
/* One that was counted has ended, whatever limiter_connect said of it. */
void limiter_disconnect(struct limiter *limiter, struct str address);
/* How many are counted now. */
unsigned limiter_connections(struct limiter *limiter, struct str address);
