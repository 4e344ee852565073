/* Hash map from byte strings to pointers, with a seed nobody outside knows. Owned by one thread.
 * The map keeps the view `key` as given: it must stay valid while the entry is in the map
 * (usually it points into the value). Open addressing, no tombstones left behind. */
#pragma once
#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct map_slot { struct str key; void *value; uint64_t hash; };
struct map {
	struct map_slot *_slots;
	size_t _mask;   /* slots - 1, or 0 when empty */
	size_t count;
	struct hash_key _seed;
};

void map_init(struct map *m); /* allocates nothing */
void map_deinit(struct map *m);
void *map_get(const struct map *m, struct str key); /* NULL if absent */
/* Adds an absent key. 0, or ERR_EXISTS, ERR_NOMEM. value is not NULL. */
int map_put(struct map *m, struct str key, void *value) WARN_UNUSED;
void *map_remove(struct map *m, struct str key); /* what was there, or NULL */
/* Iterates in no order; start with *cursor = 0; false at the end. Nothing may be added or
 * removed meanwhile. */
bool map_next(const struct map *m, size_t *cursor, struct str *key_out, void **value_out);
