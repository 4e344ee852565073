/* Bloom filters of 128-bit hashes, one a time slice, for the receipt index (receipts.h). A filter is a list
 * of parts, each with room for four times as many rows as the one before; 16 bits a row, 7 set by each, all
 * in one block of 64 bytes: one in some 600 answers of a part is wrong. Bits are only ever set: `no` is certain.
 *
 * Threads: bloom_maybe by worker w < 64 at any time, without a lock; all else by anyone, it locks. */
#pragma once
#include "base/hash.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#define BLOOM_SLOTS 16 /* slices at a time; more than that apart, two share a filter */
#define BLOOM_PARTS 12
#define BLOOM_READERS 64

struct bloom_part { uint64_t *bits; uint64_t blocks, room, n; };
struct bloom_filter {
	_Atomic uint32_t slice;
	_Atomic unsigned part_n;
	uint64_t n;
	struct bloom_part parts[BLOOM_PARTS];
};

struct bloom {
	_Atomic(struct bloom_filter *) _slots[BLOOM_SLOTS];
	_Atomic bool _inside[BLOOM_READERS];
	pthread_mutex_t _lock;
	size_t _bytes_max;
	_Atomic size_t bytes;
	uint64_t _expected; /* rows of a slice, by what the last one got */
};

/* Beyond bytes_max the last part takes more rows than it has room for: more answers are `maybe`. */
void bloom_init(struct bloom *b, size_t bytes_max);
void bloom_deinit(struct bloom *b);
void bloom_add(struct bloom *b, uint32_t slice, struct hash128 hash);
bool bloom_maybe(struct bloom *b, unsigned w, struct hash128 hash); /* in any slice */
/* Slices before `oldest` are forgotten; waits for who is just reading them. */
void bloom_forget(struct bloom *b, uint32_t oldest);
