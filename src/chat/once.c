#include "chat/once.h"
#include <stdlib.h>

#define ONCE_SLOTS_FIRST 256

void once_deinit(struct once *o)
{
	free(o->_slots);
	*o = (struct once){ 0 };
}

/* The keys are keyed hashes already, so their low bits serve as the place. */
static size_t once_find(const struct once *o, struct hash128 key)
{
	size_t i = key.a & o->_mask;
	while (o->_slots[i].count && !hash128_eq(o->_slots[i].key, key))
		i = (i + 1) & o->_mask;
	return i;
}

bool once_has(const struct once *o, struct hash128 key)
{
	return o->_slots && o->_slots[once_find(o, key)].count != 0;
}

static void once_grow(struct once *o)
{
	struct once old = *o;
	size_t slots = old._slots ? (old._mask + 1) * 2 : ONCE_SLOTS_FIRST;
	o->_slots = calloc(slots, sizeof(*o->_slots));
	CHECK(o->_slots);
	o->_mask = slots - 1;
	for (size_t i = 0; old._slots && i <= old._mask; i++)
		if (old._slots[i].count)
			o->_slots[once_find(o, old._slots[i].key)] = old._slots[i];
	free(old._slots);
}

void once_add(struct once *o, struct hash128 key)
{
	if (!o->_slots || o->_used >= (o->_mask + 1) / 2)
		once_grow(o);
	struct once_slot *slot = &o->_slots[once_find(o, key)];
	if (!slot->count) {
		slot->key = key;
		o->_used++;
	}
	slot->count++;
}

void once_remove(struct once *o, struct hash128 key)
{
	size_t hole = once_find(o, key);
	CHECK(o->_slots[hole].count);
	if (--o->_slots[hole].count)
		return;
	o->_used--;
	/* Close the gap: whoever stands behind it and wanted to stand before it moves up. */
	for (size_t i = (hole + 1) & o->_mask; o->_slots[i].count; i = (i + 1) & o->_mask) {
		size_t home = o->_slots[i].key.a & o->_mask;
		if (((i - home) & o->_mask) >= ((i - hole) & o->_mask)) {
			o->_slots[hole] = o->_slots[i];
			o->_slots[i].count = 0;
			hole = i;
		}
	}
}

struct hash128 once_key(const struct hash_key *secret, uint64_t target_born, uint64_t sender_born,
			struct str id)
{
	char bytes[16 + 128];
	size_t id_n = id.n < 128 ? id.n : 128; /* the reader let no longer one pass */
	memcpy(bytes, &target_born, 8);
	memcpy(bytes + 8, &sender_born, 8);
	memcpy(bytes + 16, id.p, id_n);
	return hash128(secret, (struct str){ bytes, 16 + id_n });
}
