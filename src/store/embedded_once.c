/* FAMILY_ONCE: which messages were stored before, and since when they need not be known any more. */
#include "store/embedded.h"
#include "base/clock.h"

void value_time(struct buf *out, int64_t ms)
{
	value_begin(out);
	buf_add(out, &ms, sizeof(ms));
}

bool value_cut_time(struct str value, int64_t *ms_out)
{
	return value_cut_version(&value) && value_cut(&value, ms_out, sizeof(*ms_out)) && value.n == 0;
}

bool embedded_aged(const struct store_embedded *e, int64_t released_ms)
{
	return released_ms && released_ms + e->retention_ms <= wall_now().ms;
}

static struct str once_key(const struct hash128 *once)
{
	return (struct str){ (const char *)once, sizeof(*once) };
}

void once_apply(struct store_embedded *e, struct hash128 once, int64_t released_ms)
{
	struct key key = key_bytes(once_key(&once));
	if (!(once.a | once.b))
		return;
	value_time(&e->value, released_ms);
	rows_put(e, FAMILY_ONCE, &key);
}

bool once_aged(const struct store_embedded *e, struct str value)
{
	int64_t ms;
	return value_cut_time(value, &ms) && embedded_aged(e, ms);
}

void once_read(struct reading *g)
{
	struct got once;
	int64_t ms;
	if (!got_value(g, FAMILY_ONCE, once_key(&g->r->once), &once))
		return;
	if (!value_cut_time(once.value, &ms))
		reading_damaged(g);
	else
		g->r->found = !embedded_aged(g->e, ms);
	got_free(&once);
}

/* Bloom filters and memtables are in memory: nearly every new message is answered here. */
int embedded_seen(struct store *s, unsigned w, struct hash128 once)
{
	struct store_embedded *e = (struct store_embedded *)(void *)s;
	struct str key = once_key(&once);
	char *value = NULL;
	size_t value_n = 0;
	unsigned char found = 0;
	int64_t ms;
	(void)w;
	int known = rocksdb_key_may_exist_cf(e->db, e->read_options, e->families[FAMILY_ONCE], key.p,
					     key.n, &value, &value_n, NULL, 0, &found) ? -1 : 0;
	if (known && found && value_cut_time((struct str){ value, value_n }, &ms))
		known = !embedded_aged(e, ms);
	rocksdb_free(value); /* which it may have set though the key is not there */
	return known;
}
