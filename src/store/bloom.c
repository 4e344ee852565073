#include "store/bloom.h"
#include "base/check.h"
#include <sched.h>
#include <stdlib.h>

#define BLOCK_WORDS 8   /* of 64 bits: one cache line */
#define BITS_PER_ROW 16
#define BITS_SET 7
#define ROOM_MIN 65536
#define GROWTH 4        /* each part is asked: few of them, so that their mistakes do not add up */

void bloom_init(struct bloom *b, size_t bytes_max)
{
	*b = (struct bloom){ ._bytes_max = bytes_max, ._expected = ROOM_MIN };
	pthread_mutex_init(&b->_lock, NULL);
}

static void filter_free(struct bloom *b, struct bloom_filter *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->part_n; i++) {
		b->bytes -= f->parts[i].blocks * BLOCK_WORDS * sizeof(uint64_t);
		free(f->parts[i].bits);
	}
	free(f);
}

void bloom_deinit(struct bloom *b)
{
	for (unsigned i = 0; i < BLOOM_SLOTS; i++)
		filter_free(b, b->_slots[i]);
	pthread_mutex_destroy(&b->_lock);
}

/* --- one part --- */

static uint64_t *block_of(const struct bloom_part *part, struct hash128 hash)
{
	uint64_t block = (uint64_t)(((unsigned __int128)hash.a * part->blocks) >> 64);
	return part->bits + block * BLOCK_WORDS;
}

/* The nth bit within the block. */
static unsigned bit_of(struct hash128 hash, unsigned n)
{
	return (unsigned)(hash.b >> (9 * n)) & 511;
}

static bool part_has(const struct bloom_part *part, struct hash128 hash)
{
	const uint64_t *block = block_of(part, hash);
	for (unsigned i = 0; i < BITS_SET; i++) {
		unsigned bit = bit_of(hash, i);
		if (!(__atomic_load_n(&block[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
			return false;
	}
	return true;
}

static void part_set(struct bloom_part *part, struct hash128 hash)
{
	uint64_t *block = block_of(part, hash);
	for (unsigned i = 0; i < BITS_SET; i++) {
		unsigned bit = bit_of(hash, i);
		uint64_t word = block[bit / 64] | UINT64_C(1) << bit % 64;
		__atomic_store_n(&block[bit / 64], word, __ATOMIC_RELAXED);
	}
	part->n++;
}

/* False: it may not take the memory. One half is for the first parts of all slots. */
static bool part_make(struct bloom *b, struct bloom_filter *f, uint64_t room)
{
	uint64_t blocks = room * BITS_PER_ROW / (BLOCK_WORDS * 64) + 1;
	size_t bytes = blocks * BLOCK_WORDS * sizeof(uint64_t);
	if (f->part_n == BLOOM_PARTS || (f->part_n && b->bytes + bytes > b->_bytes_max / 2))
		return false;
	void *bits = aligned_alloc(BLOCK_WORDS * sizeof(uint64_t), bytes);
	CHECK(bits);
	memset(bits, 0, bytes);
	b->bytes += bytes;
	f->parts[f->part_n] = (struct bloom_part){ bits, blocks, room, 0 };
	atomic_store(&f->part_n, f->part_n + 1); /* now readers may look at it */
	return true;
}

/* --- slices --- */

static struct bloom_filter *filter_make(struct bloom *b, uint32_t slice)
{
	_Atomic(struct bloom_filter *) *slot = &b->_slots[slice % BLOOM_SLOTS];
	struct bloom_filter *f = atomic_load(slot);
	if (f) { /* its own; or one that is not forgotten yet: then it holds more than it should */
		if (slice > f->slice)
			atomic_store(&f->slice, slice);
		return f;
	}
	f = calloc(1, sizeof(*f));
	CHECK(f);
	f->slice = slice;
	uint64_t room = b->_expected, most = b->_bytes_max / 2 / BLOOM_SLOTS * 8 / BITS_PER_ROW;
	CHECK(part_make(b, f, room < most ? room : most));
	atomic_store(slot, f);
	return f;
}

void bloom_add(struct bloom *b, uint32_t slice, struct hash128 hash)
{
	pthread_mutex_lock(&b->_lock);
	struct bloom_filter *f = filter_make(b, slice);
	struct bloom_part *part = &f->parts[f->part_n - 1];
	if (!part_has(part, hash)) {
		if (part->n >= part->room && part_make(b, f, part->room * GROWTH))
			part++;
		part_set(part, hash);
		f->n++;
		b->_expected = f->n > ROOM_MIN ? f->n : ROOM_MIN;
	}
	pthread_mutex_unlock(&b->_lock);
}

static bool filters_have(struct bloom *b, struct hash128 hash)
{
	struct bloom_filter *filters[BLOOM_SLOTS];
	unsigned n = 0;
	for (unsigned i = 0; i < BLOOM_SLOTS; i++) {
		filters[n] = atomic_load_explicit(&b->_slots[i], memory_order_acquire);
		if (filters[n])
			__builtin_prefetch(block_of(&filters[n++]->parts[0], hash));
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned parts = atomic_load_explicit(&filters[i]->part_n, memory_order_acquire);
		for (unsigned p = 0; p < parts; p++)
			if (part_has(&filters[i]->parts[p], hash))
				return true;
	}
	return false;
}

bool bloom_maybe(struct bloom *b, unsigned w, struct hash128 hash)
{
	atomic_store(&b->_inside[w], true);
	bool maybe = filters_have(b, hash);
	atomic_store_explicit(&b->_inside[w], false, memory_order_release);
	return maybe;
}

void bloom_forget(struct bloom *b, uint32_t oldest)
{
	struct bloom_filter *gone[BLOOM_SLOTS];
	unsigned n = 0;
	pthread_mutex_lock(&b->_lock);
	for (unsigned i = 0; i < BLOOM_SLOTS; i++) {
		struct bloom_filter *f = atomic_load(&b->_slots[i]);
		if (!f || f->slice >= oldest)
			continue;
		atomic_store(&b->_slots[i], NULL);
		gone[n++] = f;
	}
	/* Who comes from now on does not see them. */
	for (unsigned w = 0; w < BLOOM_READERS; w++)
		while (n && atomic_load(&b->_inside[w]))
			sched_yield();
	for (unsigned i = 0; i < n; i++)
		filter_free(b, gone[i]);
	pthread_mutex_unlock(&b->_lock);
}
