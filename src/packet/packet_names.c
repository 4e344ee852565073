#include "packet/packet_names.h"
#include "base/hash.h"
#include <stdlib.h>

#define FEW 8 /* as many are compared one by one */

struct entry {
	struct str name;
	uint64_t hash; /* only once there are more than FEW */
	unsigned object;
};

/* entries[0..count) in the order added; index[] is an open-addressing table of entry numbers + 1,
 * 0 = free, never more than half full, unused while count <= FEW. */
struct packet_names {
	struct entry *entries;
	uint32_t *index;
	size_t count, entries_max;
	size_t mask;      /* slots in use - 1 */
	size_t slots_max; /* slots allocated */
	struct hash_key key;
};

struct packet_names *packet_names_create(void)
{
	struct packet_names *names = calloc(1, sizeof(*names));
	CHECK(names);
	names->entries = calloc(FEW, sizeof(*names->entries));
	CHECK(names->entries);
	names->entries_max = FEW;
	hash_key_random(&names->key);
	return names;
}

void packet_names_destroy(struct packet_names **names)
{
	if (!*names)
		return;
	free((*names)->entries);
	free((*names)->index);
	free(*names);
	*names = NULL;
}

void packet_names_clear(struct packet_names *names)
{
	names->count = 0;
	names->mask = 0;
}

static bool entry_is(const struct entry *e, unsigned object, struct str name)
{
	return e->object == object && str_eq(e->name, name);
}

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *slot_find(struct packet_names *names, const struct entry *wanted)
{
	for (size_t i = wanted->hash & names->mask;; i = (i + 1) & names->mask) {
		uint32_t *slot = &names->index[i];
		if (!*slot)
			return slot;
		const struct entry *e = &names->entries[*slot - 1];
		if (e->hash == wanted->hash && entry_is(e, wanted->object, wanted->name))
			return slot;
	}
}

/* Twice the slots, or the first ones. Their size follows the packet, not the memory kept from a
 * larger one before: clearing costs no more than this packet's own names. */
static bool index_grow(struct packet_names *names)
{
	size_t slots = names->mask ? (names->mask + 1) * 2 : (size_t)FEW * 4;
	if (slots > names->slots_max) {
		uint32_t *index = realloc(names->index, slots * sizeof(*index));
		if (!index)
			return false;
		names->index = index;
		names->slots_max = slots;
	}
	bool first = !names->mask;
	names->mask = slots - 1;
	memset(names->index, 0, slots * sizeof(*names->index));
	for (size_t i = 0; i < names->count; i++) {
		struct entry *e = &names->entries[i];
		if (first)
			e->hash = hash64(&names->key, e->name);
		*slot_find(names, e) = (uint32_t)i + 1;
	}
	return true;
}

static bool entries_grow(struct packet_names *names)
{
	size_t max = names->entries_max * 2;
	struct entry *entries = realloc(names->entries, max * sizeof(*entries));
	if (!entries)
		return false;
	names->entries = entries;
	names->entries_max = max;
	return true;
}

static bool few_has(const struct packet_names *names, unsigned object, struct str name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (entry_is(&names->entries[i], object, name))
			return true;
	}
	return false;
}

enum packet_names_result packet_names_add(struct packet_names *names, unsigned object,
					  struct str name)
{
	struct entry e = { .name = name, .object = object };
	if (names->count < FEW) {
		if (few_has(names, object, name))
			return NAMES_REPEATED;
		names->entries[names->count++] = e;
		return NAMES_NEW;
	}
	if ((names->count + 1) * 2 > names->mask && !index_grow(names))
		return NAMES_NO_MEMORY;
	e.hash = hash64(&names->key, name);
	uint32_t *slot = slot_find(names, &e);
	if (*slot)
		return NAMES_REPEATED;
	if (names->count == names->entries_max && !entries_grow(names))
		return NAMES_NO_MEMORY;
	names->entries[names->count++] = e;
	*slot = (uint32_t)names->count;
	return NAMES_NEW;
}
