/* A growing byte buffer with a maximum. Owned by one thread.
 * A writer keeps its first failure (`failed`): append many times, test once at the end. */
#pragma once
#include "base/check.h"
#include "base/str.h"
#include <stdint.h>

struct buf {
	char *p;      /* NULL until something is appended */
	size_t n;     /* bytes in use */
	size_t cap;   /* bytes there is room for */
	size_t max;   /* n never exceeds this */
	bool failed;  /* an append did not fit below max or memory ran out; later appends do nothing */
};

void buf_init(struct buf *b, size_t max); /* allocates nothing */
void buf_deinit(struct buf *b);           /* frees; the buffer may be initialised again */
void buf_clear(struct buf *b);            /* n = 0, failed = false, keeps the memory */
/* Returns where the next `n` bytes may be written (valid till the next call), or NULL and
 * sets failed when that exceeds max. Does not change b->n: call buf_commit after writing. */
char *buf_reserve(struct buf *b, size_t n) WARN_UNUSED;
static inline void buf_commit(struct buf *b, size_t n) { b->n += n; }

/* Slow paths live in buf.c; these are inline because every packet goes through them. */
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n <= b->cap - b->n && !b->failed) {
		if (n) memcpy(b->p + b->n, p, n);
		b->n += n;
		return;
	}
	char *to = buf_reserve(b, n);
	if (to && n) {
		memcpy(to, p, n);
		b->n += n;
	}
}
static inline void buf_str(struct buf *b, struct str s) { buf_add(b, s.p, s.n); }
static inline void buf_u8(struct buf *b, uint8_t v) { buf_add(b, &v, 1); }
#define BUF_LIT(b, literal) buf_add((b), "" literal, sizeof(literal) - 1)
void buf_i64(struct buf *b, int64_t v); /* decimal text */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops the first n bytes (n <= b->n), moving the rest to the front. */
void buf_consume(struct buf *b, size_t n);
static inline struct str buf_view(const struct buf *b) { return (struct str){ b->p ? b->p : "", b->n }; }
