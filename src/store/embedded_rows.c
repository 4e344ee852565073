#include "store/embedded.h"
#include "base/clock.h"
#include "base/log.h"

/* --- keys --- */

void key_add_bytes(struct key *k, struct str bytes)
{
	CHECK(bytes.n <= sizeof(k->p) - k->n);
	if (bytes.n)
		memcpy(k->p + k->n, bytes.p, bytes.n);
	k->n += bytes.n;
}

void key_add_u8(struct key *k, uint8_t v)
{
	key_add_bytes(k, (struct str){ (const char *)&v, sizeof(v) });
}

void key_add_u32(struct key *k, uint32_t v)
{
	uint32_t big = __builtin_bswap32(v);
	key_add_bytes(k, (struct str){ (const char *)&big, sizeof(big) });
}

void key_add_u64(struct key *k, uint64_t v)
{
	uint64_t big = __builtin_bswap64(v);
	key_add_bytes(k, (struct str){ (const char *)&big, sizeof(big) });
}

void key_add_str(struct key *k, struct str s)
{
	CHECK(s.n <= EMBEDDED_NAME_BYTES_MAX);
	key_add_u8(k, (uint8_t)s.n);
	key_add_bytes(k, s);
}

struct key key_bytes(struct str bytes)
{
	struct key k;
	k.n = 0;
	key_add_bytes(&k, bytes);
	return k;
}

struct key key_str(struct str s)
{
	struct key k;
	k.n = 0;
	key_add_str(&k, s);
	return k;
}

struct key key_u64(uint64_t v)
{
	struct key k;
	k.n = 0;
	key_add_u64(&k, v);
	return k;
}

struct key key_after(struct key k)
{
	while (k.n && (uint8_t)k.p[k.n - 1] == 0xff)
		k.n--;
	CHECK(k.n); /* neither a length of 255 nor such a sequence occurs */
	k.p[k.n - 1]++;
	return k;
}

static bool cut(struct str *from, void *out, size_t n)
{
	if (from->n < n)
		return false;
	memcpy(out, from->p, n);
	from->p += n;
	from->n -= n;
	return true;
}

bool key_cut_u8(struct str *key, uint8_t *out)
{
	return cut(key, out, sizeof(*out));
}

bool key_cut_u32(struct str *key, uint32_t *out)
{
	uint32_t big;
	bool ok = cut(key, &big, sizeof(big));
	*out = ok ? __builtin_bswap32(big) : 0;
	return ok;
}

bool key_cut_u64(struct str *key, uint64_t *out)
{
	uint64_t big;
	bool ok = cut(key, &big, sizeof(big));
	*out = ok ? __builtin_bswap64(big) : 0;
	return ok;
}

bool key_cut_str(struct str *key, struct str *out)
{
	uint8_t n;
	if (!key_cut_u8(key, &n) || key->n < n)
		return false;
	*out = (struct str){ key->p, n };
	key->p += n;
	key->n -= n;
	return true;
}

/* --- values --- */

void value_begin(struct buf *out)
{
	buf_clear(out);
	buf_u8(out, EMBEDDED_VALUE_VERSION);
}

bool value_cut_version(struct str *value)
{
	uint8_t version;
	return cut(value, &version, 1) && version == EMBEDDED_VALUE_VERSION;
}

bool value_cut(struct str *value, void *out, size_t n)
{
	return cut(value, out, n);
}

/* --- writing --- */

void rows_put(struct store_embedded *e, enum family family, const struct key *key)
{
	rocksdb_column_family_handle_t *to = e->families[family];
	if (e->indexed)
		rocksdb_writebatch_wi_put_cf(e->indexed, to, key->p, key->n, e->value.p, e->value.n);
	else
		rocksdb_writebatch_put_cf(e->batch, to, key->p, key->n, e->value.p, e->value.n);
}

void rows_forget(struct store_embedded *e, enum family family, const struct key *key)
{
	rocksdb_column_family_handle_t *in = e->families[family];
	if (e->indexed)
		rocksdb_writebatch_wi_delete_cf(e->indexed, in, key->p, key->n);
	else
		rocksdb_writebatch_delete_cf(e->batch, in, key->p, key->n);
}

int rows_list(struct store_embedded *e, enum family family, const struct key *prefix, bool values,
	      struct buf *out)
{
	rocksdb_readoptions_t *options = rocksdb_readoptions_create();
	struct range range;
	struct str key, value;
	CHECK(e->indexed);
	rocksdb_readoptions_set_fill_cache(options, 0); /* nobody will ask for it again */
	range_open(e, family, options, prefix, prefix, &range);
	range.it = rocksdb_writebatch_wi_create_iterator_with_base_cf(e->indexed, range.it,
								      e->families[family]);
	rocksdb_iter_seek(range.it, prefix->p, prefix->n);
	/* What the batch adds is not bounded by the options. */
	while (range_at(&range, &key, &value) && str_begins(key, key_view(prefix))) {
		strs_add(out, key);
		strs_add(out, values ? value : STR(""));
		rocksdb_iter_next(range.it);
	}
	char *error = range_close(&range);
	rocksdb_readoptions_destroy(options);
	if (error)
		LOG(ERROR, "storage", LOG_Z("failed", "reading"), LOG_Z("error", error));
	int err = error || out->failed ? ERR_UNAVAILABLE : OK;
	rocksdb_free(error);
	return err;
}

int rows_forget_all(struct store_embedded *e, enum family family, const struct key *prefix)
{
	struct buf rows;
	struct str key, value;
	size_t cursor = 0;
	buf_init(&rows, (size_t)1 << 30);
	int err = rows_list(e, family, prefix, false, &rows);
	while (!err && strs_next(buf_view(&rows), &cursor, &key) == 1 &&
	       strs_next(buf_view(&rows), &cursor, &value) == 1) {
		struct key gone = key_bytes(key);
		rows_forget(e, family, &gone);
	}
	buf_deinit(&rows);
	return err;
}

/* --- reading --- */

void range_open(const struct store_embedded *e, enum family family, rocksdb_readoptions_t *options,
		const struct key *prefix, const struct key *from, struct range *out)
{
	out->end.n = 0;
	if (prefix)
		out->end = key_after(*prefix);
	rocksdb_readoptions_set_iterate_upper_bound(options, prefix ? out->end.p : NULL, out->end.n);
	out->it = rocksdb_create_iterator_cf(e->db, options, e->families[family]);
	rocksdb_iter_seek(out->it, from->p, from->n);
}

bool range_at(const struct range *r, struct str *key_out, struct str *value_out)
{
	if (!rocksdb_iter_valid(r->it))
		return false;
	key_out->p = rocksdb_iter_key(r->it, &key_out->n);
	value_out->p = rocksdb_iter_value(r->it, &value_out->n);
	return true;
}

char *range_close(struct range *r)
{
	char *error = NULL;
	rocksdb_iter_get_error(r->it, &error);
	rocksdb_iter_destroy(r->it);
	return error;
}

static void reading_fail(struct reading *g, int status, const char *what)
{
	int64_t now = mono_now().ns, last = atomic_load(&g->e->complained_ns);
	g->r->status = status;
	if (now - last >= NS_PER_S && atomic_compare_exchange_strong(&g->e->complained_ns, &last, now))
		LOG(ERROR, "storage", LOG_Z("failed", "reading"), LOG_Z("error", what));
}

/* Takes what RocksDB says went wrong; NULL is nothing. */
static void reading_error(struct reading *g, char *error)
{
	if (!error)
		return;
	reading_fail(g, strstr(error, "Corruption") ? ERR_CORRUPT : ERR_UNAVAILABLE, error);
	rocksdb_free(error);
}

void reading_damaged(struct reading *g)
{
	reading_fail(g, ERR_CORRUPT, "a row is not what this version writes");
}

void reading_close(struct reading *g, struct range *range)
{
	reading_error(g, range_close(range));
}

bool reading_page_full(struct reading *g, unsigned rows)
{
	g->r->more = rows && (rows >= g->r->rows_max || g->r->rows.n >= g->r->bytes_max);
	return g->r->more;
}

bool got_value(struct reading *g, enum family family, struct str key, struct got *out)
{
	char *error = NULL;
	out->slice = rocksdb_get_pinned_cf(g->e->db, g->options, g->e->families[family], key.p, key.n,
					   &error);
	bool got = !error && out->slice;
	reading_error(g, error);
	if (got)
		out->value.p = rocksdb_pinnableslice_value(out->slice, &out->value.n);
	return got;
}

void got_free(struct got *got)
{
	rocksdb_pinnableslice_destroy(got->slice);
}
