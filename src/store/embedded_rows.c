#include "store/embedded.h"
#include "base/clock.h"
#include "base/log.h"

/* --- writing --- */

void rows_put(struct store_embedded *e, enum family family, const struct key *key)
{
	CHECK(!e->value.failed);
	base_put(e->base, family, key_view(key), buf_view(&e->value));
}

void rows_forget(struct store_embedded *e, enum family family, const struct key *key)
{
	base_forget(e->base, family, key_view(key));
}

/* It is in the journal: what reads see must not fall behind that. */
void rows_write(struct store_embedded *e)
{
	int err = e->base->calls->write(e->base);
	if (err)
		embedded_die("writing to the database", err);
}

int rows_list(struct store_embedded *e, enum family family, const struct key *prefix, bool values,
	      struct buf *out)
{
	struct key end = key_after(*prefix);
	struct str key, value;
	struct base_iter *it = e->base->calls->iter(e->base, NULL, family, key_view(prefix),
						    key_view(&end), true);
	for (; e->base->calls->iter_at(it, &key, &value); e->base->calls->iter_next(it)) {
		strs_add(out, key);
		strs_add(out, values ? value : STR(""));
	}
	return e->base->calls->iter_free(it) || out->failed ? ERR_UNAVAILABLE : OK;
}

int rows_forget_all(struct store_embedded *e, enum family family, const struct key *prefix, bool dry)
{
	struct buf rows;
	struct str key, value;
	size_t cursor = 0;
	buf_init(&rows, (size_t)1 << 30);
	int err = rows_list(e, family, prefix, false, &rows);
	while (!err && !dry && strs_next(buf_view(&rows), &cursor, &key) == 1 &&
	       strs_next(buf_view(&rows), &cursor, &value) == 1)
		base_forget(e->base, family, key);
	buf_deinit(&rows);
	return err;
}

/* --- reading --- */

void range_open(struct reading *g, enum family family, const struct key *prefix,
		const struct key *from, struct range *out)
{
	out->base = g->e->base;
	out->from = *from;
	out->end.n = 0;
	if (prefix)
		out->end = key_after(*prefix);
	out->it = out->base->calls->iter(out->base, g->snapshot, family, key_view(&out->from),
					 key_view(&out->end), false);
}

bool range_at(const struct range *r, struct str *key_out, struct str *value_out)
{
	return r->base->calls->iter_at(r->it, key_out, value_out);
}

void range_next(struct range *r)
{
	r->base->calls->iter_next(r->it);
}

void range_close(struct reading *g, struct range *r)
{
	reading_failed(g, r->base->calls->iter_free(r->it));
}

void reading_failed(struct reading *g, int err)
{
	if (err)
		g->r->status = err == ERR_CORRUPT ? ERR_CORRUPT : ERR_UNAVAILABLE;
}

void reading_damaged(struct reading *g)
{
	static _Atomic int64_t told_ns;
	int64_t now = mono_now().ns, last = atomic_load(&told_ns);
	if ((!last || now - last >= NS_PER_S) && atomic_compare_exchange_strong(&told_ns, &last, now))
		LOG(ERROR, "storage", LOG_Z("failed", "reading"),
		    LOG_Z("error", "a row is not what this version writes"));
	reading_failed(g, ERR_CORRUPT);
}

bool reading_page_full(struct reading *g, unsigned rows)
{
	g->r->more = rows && (rows >= g->r->rows_max || g->r->rows.n >= g->r->bytes_max);
	return g->r->more;
}

bool got_value(struct reading *g, enum family family, struct str key, struct base_got *out)
{
	int err = g->e->base->calls->get(g->e->base, g->snapshot, family, key, out);
	reading_failed(g, err == ERR_NOTFOUND ? OK : err);
	return err == OK;
}

void got_free(struct reading *g, struct base_got *got)
{
	g->e->base->calls->got_free(got);
}
