/* Bump allocator for what lives as long as one request or one load: no single frees.
 * Owned by one thread. Alignment is 16 bytes. */
#pragma once
#include "base/check.h"
#include "base/str.h"

struct arena_block;
struct arena {
	struct arena_block *_block;
	size_t _used;  /* in the newest block */
	size_t _total; /* in all blocks */
	size_t max;    /* bytes in all blocks together */
};

void arena_init(struct arena *a, size_t max); /* allocates nothing */
void arena_deinit(struct arena *a);
void arena_clear(struct arena *a); /* keeps one block of the usual size for the next request */
/* NULL when max would be exceeded or memory is out. Not zeroed. */
void *arena_get(struct arena *a, size_t bytes) WARN_UNUSED;
/* A copy; .p == NULL when it did not fit. */
struct str arena_str(struct arena *a, struct str s) WARN_UNUSED;
