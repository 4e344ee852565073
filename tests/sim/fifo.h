/* A queue of pointers that grows; the pointers belong to whoever put them in. */
#pragma once
#include "base/check.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct fifo { void **p; size_t first, n, cap; };

static inline void fifo_push(struct fifo *f, void *item)
{
	if (f->first + f->n == f->cap) {
		if (f->first) {
			memmove(f->p, f->p + f->first, f->n * sizeof(void *));
			f->first = 0;
		} else {
			f->cap = f->cap ? f->cap * 2 : 8;
			f->p = realloc(f->p, f->cap * sizeof(void *));
			CHECK(f->p);
		}
	}
	f->p[f->first + f->n++] = item;
}

static inline void *fifo_at(const struct fifo *f, size_t i)
{
	CHECK(i < f->n);
	return f->p[f->first + i];
}

/* NULL when empty. */
static inline void *fifo_pop(struct fifo *f)
{
	if (!f->n)
		return NULL;
	f->n--;
	return f->p[f->first++];
}

/* Takes one out of the middle. */
static inline void *fifo_take(struct fifo *f, size_t i)
{
	void *item = fifo_at(f, i);
	memmove(f->p + f->first + i, f->p + f->first + i + 1, (f->n - i - 1) * sizeof(void *));
	f->n--;
	return item;
}

static inline void *fifo_pop_last(struct fifo *f)
{
	return f->n ? f->p[f->first + --f->n] : NULL;
}

static inline void fifo_free(struct fifo *f)
{
	free(f->p);
	*f = (struct fifo){ NULL, 0, 0, 0 };
}
