#include "store/memory.h"
#include <stdlib.h>

#define SWEEP_EVERY 1024 /* transactions between two looks for what has aged */

struct mem_once { struct hash128 key; int64_t released_ms; };

static struct str once_bytes(const struct hash128 *key)
{
	return (struct str){ (const char *)key, sizeof(*key) };
}

void mem_once_put(struct store_mem *m, struct hash128 key, int64_t released_ms)
{
	if (!(key.a | key.b))
		return;
	struct mem_once *o = map_get(&m->once, once_bytes(&key));
	if (!o) {
		o = malloc(sizeof(*o));
		CHECK(o);
		o->key = key;
		CHECK(map_put(&m->once, once_bytes(&o->key), o) == OK);
	}
	o->released_ms = released_ms;
}

bool mem_once_has(const struct store_mem *m, struct hash128 key)
{
	const struct mem_once *o = map_get(&m->once, once_bytes(&key));
	return o && !mem_once_aged(m, o->released_ms);
}

void mem_once_free(struct store_mem *m)
{
	struct str key;
	void *value;
	size_t cursor = 0;
	while (map_next(&m->once, &cursor, &key, &value))
		free(value);
	map_deinit(&m->once);
}

void mem_once_note_time(struct store_mem *m, int64_t ms)
{
	if (ms > m->newest_ms)
		m->newest_ms = ms;
}

bool mem_once_aged(const struct store_mem *m, int64_t released_ms)
{
	return released_ms && released_ms + m->config.retention_ms <= m->newest_ms;
}

void mem_once_sweep(struct store_mem *m)
{
	struct map left;
	struct str key;
	void *value;
	size_t cursor = 0;
	if (++m->since_sweep < SWEEP_EVERY)
		return;
	m->since_sweep = 0;
	map_init(&left);
	while (map_next(&m->once, &cursor, &key, &value)) {
		struct mem_once *o = value;
		if (mem_once_aged(m, o->released_ms))
			free(o);
		else
			CHECK(map_put(&left, key, o) == OK);
	}
	map_deinit(&m->once);
	m->once = left;
	for (size_t i = 0; i < m->names.n; i++)
		mem_mail_sweep(m, m->names.items[i]);
}
