#include "store/base_memory.h"
#include "base/buf.h"
#include "base/check.h"
#include <stdlib.h>

struct row { struct str key, value; }; /* owned */
struct table { struct row *rows; size_t n, cap; };
/* What was put or forgotten and is not flushed. */
struct write { enum family family; bool forgets; struct row row; unsigned turn; /* of base_write */ };
struct writes { struct write *all; size_t n, cap; };

struct base_memory {
	struct base base; /* first: what a struct base is cast to */
	uint64_t random;
	struct table now[FAMILY_COUNT], disk[FAMILY_COUNT];
	struct writes gathered, unflushed;
	unsigned turn;
	unsigned calls, fail_at;
	int fail_err;
};

struct base_snapshot { char none; };
struct base_iter { const struct table *table; size_t at, first, end; };
struct base_bulk { struct base_memory *m; enum family family; struct table rows; };

static struct base_memory *memory_of(struct base *b)
{
	return (struct base_memory *)(void *)b;
}

static int call(struct base_memory *m)
{
	return ++m->calls == m->fail_at ? m->fail_err : OK;
}

void base_memory_fail(struct base_memory *m, unsigned nth, int err)
{
	m->fail_at = nth ? m->calls + nth : 0;
	m->fail_err = err;
}

/* --- tables --- */

static struct str copied(struct str s)
{
	char *p = malloc(s.n + 1);
	CHECK(p);
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

static void row_free(struct row *row)
{
	free((char *)(uintptr_t)row->key.p);
	free((char *)(uintptr_t)row->value.p);
}

/* The first with a key >= `key`. */
static size_t place_of(const struct table *t, struct str key)
{
	size_t from = 0, to = t->n;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (str_cmp(t->rows[middle].key, key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void table_forget(struct table *t, struct str key)
{
	size_t at = place_of(t, key);
	if (at == t->n || !str_eq(t->rows[at].key, key))
		return;
	row_free(&t->rows[at]);
	memmove(&t->rows[at], &t->rows[at + 1], (--t->n - at) * sizeof(t->rows[0]));
}

static void table_put(struct table *t, struct str key, struct str value)
{
	table_forget(t, key);
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->rows = realloc(t->rows, t->cap * sizeof(t->rows[0]));
		CHECK(t->rows);
	}
	size_t at = place_of(t, key);
	memmove(&t->rows[at + 1], &t->rows[at], (t->n++ - at) * sizeof(t->rows[0]));
	t->rows[at] = (struct row){ copied(key), copied(value) };
}

static void table_clear(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		row_free(&t->rows[i]);
	free(t->rows);
	*t = (struct table){ 0 };
}

static void table_copy(struct table *to, const struct table *from)
{
	table_clear(to);
	for (size_t i = 0; i < from->n; i++)
		table_put(to, from->rows[i].key, from->rows[i].value);
}

/* --- writing --- */

static void writes_add(struct writes *w, struct write write)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 16;
		w->all = realloc(w->all, w->cap * sizeof(w->all[0]));
		CHECK(w->all);
	}
	w->all[w->n++] = write;
}

static void writes_clear(struct writes *w)
{
	for (size_t i = 0; i < w->n; i++)
		row_free(&w->all[i].row);
	free(w->all);
	*w = (struct writes){ 0 };
}

static void write_apply(struct table tables[FAMILY_COUNT], const struct write *w)
{
	if (w->forgets)
		table_forget(&tables[w->family], w->row.key);
	else
		table_put(&tables[w->family], w->row.key, w->row.value);
}

static void memory_put(struct base *b, enum family family, struct str key, struct str value)
{
	writes_add(&memory_of(b)->gathered, (struct write){ family, false, { copied(key), copied(value) }, 0 });
}

static void memory_forget(struct base *b, enum family family, struct str key)
{
	writes_add(&memory_of(b)->gathered, (struct write){ family, true, { copied(key), copied(STR("")) }, 0 });
}

static int memory_write(struct base *b)
{
	struct base_memory *m = memory_of(b);
	m->turn++;
	for (size_t i = 0; i < m->gathered.n; i++) {
		m->gathered.all[i].turn = m->turn;
		write_apply(m->now, &m->gathered.all[i]);
		writes_add(&m->unflushed, m->gathered.all[i]);
	}
	free(m->gathered.all);
	m->gathered = (struct writes){ 0 };
	return OK;
}

static int memory_flush(struct base *b)
{
	struct base_memory *m = memory_of(b);
	int err = call(m);
	if (err)
		return err;
	for (size_t i = 0; i < m->unflushed.n; i++)
		write_apply(m->disk, &m->unflushed.all[i]);
	writes_clear(&m->unflushed);
	return OK;
}

/* --- reading --- */

static struct base_snapshot *memory_snapshot(struct base *b)
{
	static struct base_snapshot only;
	(void)b;
	return &only;
}

static void memory_snapshot_free(struct base *b, struct base_snapshot *s) { (void)b, (void)s; }

static int memory_get(struct base *b, struct base_snapshot *s, enum family family, struct str key,
		      struct base_got *out)
{
	const struct table *t = &memory_of(b)->now[family];
	size_t at = place_of(t, key);
	(void)s;
	if (at == t->n || !str_eq(t->rows[at].key, key))
		return ERR_NOTFOUND;
	*out = (struct base_got){ t->rows[at].value, NULL };
	return OK;
}

static void memory_got_free(struct base_got *got) { (void)got; }

static struct base_iter *memory_iter(struct base *b, struct base_snapshot *s, enum family family,
				     struct str from, struct str end, bool scan)
{
	struct base_iter *i = malloc(sizeof(*i));
	CHECK(i);
	(void)s, (void)scan;
	i->table = &memory_of(b)->now[family];
	i->at = i->first = place_of(i->table, from);
	i->end = end.n ? place_of(i->table, end) : i->table->n;
	return i;
}

static void memory_iter_last(struct base_iter *i, struct str key)
{
	size_t behind = place_of(i->table, key);
	if (behind < i->table->n && str_eq(i->table->rows[behind].key, key))
		behind++;
	if (behind > i->end)
		behind = i->end;
	i->at = behind > i->first ? behind - 1 : i->end;
}

static bool memory_iter_at(struct base_iter *i, struct str *key_out, struct str *value_out)
{
	if (i->at >= i->end)
		return false;
	*key_out = i->table->rows[i->at].key;
	*value_out = i->table->rows[i->at].value;
	return true;
}

static void memory_iter_next(struct base_iter *i) { i->at++; }

static int memory_iter_free(struct base_iter *i)
{
	free(i);
	return OK;
}

/* --- bulks --- */

static int memory_bulk_new(struct base *b, enum family family, struct base_bulk **out)
{
	int err = call(memory_of(b));
	if (err)
		return err;
	*out = calloc(1, sizeof(**out));
	CHECK(*out);
	(*out)->m = memory_of(b);
	(*out)->family = family;
	return OK;
}

static int memory_bulk_add(struct base_bulk *bulk, struct str key, struct str value)
{
	const struct table *t = &bulk->rows;
	CHECK(t->n == 0 || str_cmp(t->rows[t->n - 1].key, key) < 0); /* as RocksDB wants it */
	table_put(&bulk->rows, key, value);
	return OK;
}

static int memory_bulk_end(struct base_bulk *bulk)
{
	return call(bulk->m);
}

static void memory_bulk_drop(struct base *b, struct base_bulk *bulk)
{
	(void)b;
	table_clear(&bulk->rows);
	free(bulk);
}

/* What was put under these keys before does not come back. */
static int memory_bulk_take(struct base *b, struct base_bulk *bulk)
{
	struct base_memory *m = memory_of(b);
	int err = call(m);
	struct writes left = { 0 };
	CHECK(m->gathered.n == 0);
	for (size_t i = 0; i < m->unflushed.n && !err; i++) {
		struct write *w = &m->unflushed.all[i];
		size_t at = place_of(&bulk->rows, w->row.key);
		bool is = at < bulk->rows.n && str_eq(bulk->rows.rows[at].key, w->row.key);
		if (is && w->family == bulk->family)
			row_free(&w->row);
		else
			writes_add(&left, *w);
	}
	if (!err) {
		free(m->unflushed.all);
		m->unflushed = left;
	}
	for (size_t i = 0; i < bulk->rows.n && !err; i++) {
		table_put(&m->now[bulk->family], bulk->rows.rows[i].key, bulk->rows.rows[i].value);
		table_put(&m->disk[bulk->family], bulk->rows.rows[i].key, bulk->rows.rows[i].value);
	}
	memory_bulk_drop(b, bulk);
	return err;
}

static void memory_forget_slices(struct base *b, uint32_t oldest)
{
	struct base_memory *m = memory_of(b);
	char end[4] = { (char)(oldest >> 24), (char)(oldest >> 16), (char)(oldest >> 8), (char)oldest };
	const struct str bound = { end, sizeof(end) };
	struct table *tables[] = { &m->now[FAMILY_RECEIPTS], &m->disk[FAMILY_RECEIPTS] };
	for (unsigned i = 0; i < 2; i++)
		while (tables[i]->n && str_cmp(tables[i]->rows[0].key, bound) < 0)
			table_forget(tables[i], tables[i]->rows[0].key);
}

/* --- opening, crashing --- */

static void memory_leave(struct base *b)
{
	writes_clear(&memory_of(b)->gathered);
}

static const struct base_calls memory_calls = {
	.put = memory_put, .forget = memory_forget, .write = memory_write, .flush = memory_flush,
	.snapshot = memory_snapshot, .snapshot_free = memory_snapshot_free,
	.get = memory_get, .got_free = memory_got_free,
	.iter = memory_iter, .iter_last = memory_iter_last, .iter_at = memory_iter_at,
	.iter_next = memory_iter_next, .iter_free = memory_iter_free,
	.bulk_new = memory_bulk_new, .bulk_add = memory_bulk_add, .bulk_end = memory_bulk_end,
	.bulk_take = memory_bulk_take, .bulk_drop = memory_bulk_drop,
	.forget_slices = memory_forget_slices, .free = memory_leave,
};

struct base_memory *base_memory_new(uint64_t seed)
{
	struct base_memory *m = calloc(1, sizeof(*m));
	CHECK(m);
	m->base.calls = &memory_calls;
	m->random = seed;
	return m;
}

struct base *base_memory_open(struct base_memory *m)
{
	m->calls = m->fail_at = 0;
	return &m->base;
}

void base_memory_free(struct base_memory *m)
{
	writes_clear(&m->gathered);
	writes_clear(&m->unflushed);
	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		table_clear(&m->now[f]);
		table_clear(&m->disk[f]);
	}
	free(m);
}

void base_memory_crash(struct base_memory *m)
{
	unsigned upto[FAMILY_COUNT], first = m->unflushed.n ? m->unflushed.all[0].turn : m->turn;
	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		upto[f] = first + (unsigned)(m->random >> 33) % (m->turn - first + 2);
	}
	for (size_t i = 0; i < m->unflushed.n; i++)
		if (m->unflushed.all[i].turn < upto[m->unflushed.all[i].family])
			write_apply(m->disk, &m->unflushed.all[i]);
	writes_clear(&m->gathered);
	writes_clear(&m->unflushed);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		table_copy(&m->now[f], &m->disk[f]);
}
