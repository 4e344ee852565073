#include "store/memory.h"
#include <stdlib.h>

struct kept *kept_new(const struct store_op *op)
{
	struct kept *k = calloc(1, sizeof(*k));
	CHECK(k);
	k->refs = 1;
	buf_init(&k->bytes, UINT32_MAX);
	txn_add(&k->bytes, op);
	CHECK(store_op_at(buf_view(&k->bytes), 0, &k->op) == OK);
	return k;
}

void kept_unref(struct kept **kept)
{
	struct kept *k = *kept;
	*kept = NULL;
	if (!k || --k->refs)
		return;
	buf_deinit(&k->bytes);
	free(k);
}

size_t sorted_place(const struct sorted *s, const void *key, sorted_compare *compare)
{
	size_t low = 0, high = s->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare(key, s->items[mid]) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void *sorted_get(const struct sorted *s, const void *key, sorted_compare *compare)
{
	size_t place = sorted_place(s, key, compare);
	return place < s->n && compare(key, s->items[place]) == 0 ? s->items[place] : NULL;
}

void sorted_put(struct sorted *s, size_t place, void *item)
{
	CHECK(place <= s->n);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4;
		s->items = realloc(s->items, s->cap * sizeof(s->items[0]));
		CHECK(s->items);
	}
	memmove(&s->items[place + 1], &s->items[place], (s->n - place) * sizeof(s->items[0]));
	s->items[place] = item;
	s->n++;
}

void *sorted_take(struct sorted *s, size_t place)
{
	CHECK(place < s->n);
	void *item = s->items[place];
	s->n--;
	memmove(&s->items[place], &s->items[place + 1], (s->n - place) * sizeof(s->items[0]));
	return item;
}

void sorted_free_kept(struct sorted *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct kept *k = s->items[i];
		kept_unref(&k);
	}
	free(s->items);
	*s = (struct sorted){ 0 };
}
