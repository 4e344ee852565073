#include "base/arena.h"
#include <stdint.h>
#include <stdlib.h>

#define ARENA_BLOCK_BYTES 4096
#define ARENA_ALIGN 16

struct arena_block {
	struct arena_block *next;
	size_t cap; /* bytes behind this head */
};
#define BLOCK_HEAD ((sizeof(struct arena_block) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1))

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void arena_free_until(struct arena *a, struct arena_block *keep)
{
	while (a->_block != keep) {
		struct arena_block *next = a->_block->next;
		a->_total -= a->_block->cap;
		free(a->_block);
		a->_block = next;
	}
}

void arena_deinit(struct arena *a)
{
	arena_free_until(a, NULL);
	a->_used = 0;
}

void arena_clear(struct arena *a)
{
	struct arena_block *first = a->_block;
	while (first && first->next)
		first = first->next;
	if (first && first->cap > ARENA_BLOCK_BYTES)
		first = NULL; /* an unusually large one is not kept */
	arena_free_until(a, first);
	a->_used = 0;
}

void *arena_get(struct arena *a, size_t bytes)
{
	if (bytes > a->max || bytes > SIZE_MAX - ARENA_ALIGN - BLOCK_HEAD)
		return NULL;
	bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (!a->_block || bytes > a->_block->cap - a->_used) {
		size_t left = a->max - a->_total;
		size_t cap = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
		if (cap > left)
			cap = bytes;
		if (cap > left)
			return NULL;
		struct arena_block *block = malloc(BLOCK_HEAD + cap);
		if (!block)
			return NULL;
		*block = (struct arena_block){ a->_block, cap };
		a->_block = block;
		a->_total += cap;
		a->_used = 0;
	}
	void *p = (char *)a->_block + BLOCK_HEAD + a->_used;
	a->_used += bytes;
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_get(a, s.n ? s.n : 1);
	if (!p)
		return STR_NONE;
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}
