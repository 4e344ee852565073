/* Randomness from a seed: everything the simulator leaves to chance is drawn from one of these,
 * so that a seed plays the same run again. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice { uint64_t state; };

uint64_t dice_u64(struct dice *d);
/* 0 to n - 1; n is at least 1. */
unsigned dice_below(struct dice *d, unsigned n);
/* low to high, both included. */
unsigned dice_between(struct dice *d, unsigned low, unsigned high);
/* True so often out of 1000. */
bool dice_chance(struct dice *d, unsigned per_mille);
void dice_bytes(struct dice *d, void *out, size_t n);
/* Makes libsodium draw from this die too (keys of maps, ids): the run would differ otherwise. */
void dice_feed_sodium(struct dice *d);
