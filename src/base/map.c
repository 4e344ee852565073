#include "base/map.h"
#include "base/err.h"
#include <pthread.h>
#include <stdlib.h>

#define MAP_SLOTS_FIRST 8

static struct hash_key map_process_seed;
static pthread_once_t map_seeded = PTHREAD_ONCE_INIT;

static void map_draw_seed(void)
{
	hash_key_random(&map_process_seed);
}

/* One secret a process is as good as one a map (its address is mixed in, so that one map's order
 * tells nothing of another's), and drawing it costs no system call for each small map. */
void map_init(struct map *m)
{
	pthread_once(&map_seeded, map_draw_seed);
	*m = (struct map){ ._seed = map_process_seed };
	uintptr_t self = (uintptr_t)m;
	for (size_t i = 0; i < sizeof(self); i++)
		m->_seed.b[i] ^= (uint8_t)(self >> (8 * i));
}

void map_deinit(struct map *m)
{
	free(m->_slots);
	m->_slots = NULL;
	m->_mask = m->count = 0;
}

/* The slot of the key, or the free one where it would go. */
static size_t map_find(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = hash & m->_mask;
	while (m->_slots[i].value &&
	       (m->_slots[i].hash != hash || !str_eq(m->_slots[i].key, key)))
		i = (i + 1) & m->_mask;
	return i;
}

void *map_get(const struct map *m, struct str key)
{
	if (!m->count)
		return NULL;
	return m->_slots[map_find(m, key, hash64(&m->_seed, key))].value;
}

static int map_grow(struct map *m)
{
	size_t slots = m->_slots ? (m->_mask + 1) * 2 : MAP_SLOTS_FIRST;
	struct map_slot *old = m->_slots;
	size_t old_slots = old ? m->_mask + 1 : 0;
	struct map_slot *fresh = calloc(slots, sizeof(*fresh));
	if (!fresh)
		return ERR_NOMEM;
	m->_slots = fresh;
	m->_mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].value)
			fresh[map_find(m, old[i].key, old[i].hash)] = old[i];
	free(old);
	return OK;
}

int map_put(struct map *m, struct str key, void *value)
{
	CHECK(value);
	if (!m->_slots || (m->count + 1) * 4 > (m->_mask + 1) * 3) {
		int err = map_grow(m);
		if (err)
			return err;
	}
	uint64_t hash = hash64(&m->_seed, key);
	struct map_slot *slot = &m->_slots[map_find(m, key, hash)];
	if (slot->value)
		return ERR_EXISTS;
	*slot = (struct map_slot){ key, value, hash };
	m->count++;
	return OK;
}

void *map_remove(struct map *m, struct str key)
{
	if (!m->count)
		return NULL;
	size_t hole = map_find(m, key, hash64(&m->_seed, key));
	void *value = m->_slots[hole].value;
	if (!value)
		return NULL;
	m->count--;
	m->_slots[hole].value = NULL;
	/* Close the gap: whoever stands behind it and wanted to stand before it moves up. */
	for (size_t i = (hole + 1) & m->_mask; m->_slots[i].value; i = (i + 1) & m->_mask) {
		size_t home = m->_slots[i].hash & m->_mask;
		if (((i - home) & m->_mask) >= ((i - hole) & m->_mask)) {
			m->_slots[hole] = m->_slots[i];
			m->_slots[i].value = NULL;
			hole = i;
		}
	}
	return value;
}

bool map_next(const struct map *m, size_t *cursor, struct str *key_out, void **value_out)
{
	while (m->_slots && *cursor <= m->_mask) {
		const struct map_slot *slot = &m->_slots[(*cursor)++];
		if (slot->value) {
			*key_out = slot->key;
			*value_out = slot->value;
			return true;
		}
	}
	return false;
}
