#include "store/receipts_private.h"
#include <stdlib.h>

#define SLICE_MS_MIN 1000 /* so that their numbers are u32 */

/* --- slices --- */

uint32_t receipts_oldest(const struct receipts *r)
{
	uint32_t newest = atomic_load(&r->newest);
	return newest < SLICES_BEFORE ? 0 : newest - SLICES_BEFORE;
}

uint32_t receipts_slice(const struct receipts *r, int64_t ms)
{
	uint32_t newest = atomic_load(&r->newest);
	int64_t slice = ms / r->slice_ms;
	return slice > newest || slice < receipts_oldest(r) ? newest : (uint32_t)slice;
}

bool receipts_tick(struct receipts *r, int64_t now_ms)
{
	uint32_t slice = (uint32_t)(now_ms / r->slice_ms);
	if (slice > atomic_load(&r->newest))
		atomic_store(&r->newest, slice);
	atomic_store(&r->recent_bytes, recent_bytes(&r->recent));
	bool later = atomic_load(&r->newest) > r->ticked;
	r->ticked = atomic_load(&r->newest);
	return later;
}

size_t receipts_bytes(const struct receipts *r)
{
	return r->bloom.bytes + atomic_load(&r->recent_bytes);
}

/* --- rows in the base --- */

struct key receipts_key(uint32_t slice, uint8_t kind)
{
	struct key k;
	k.n = 0;
	key_add_u32(&k, slice);
	key_add_u8(&k, kind);
	return k;
}

static struct str once_bytes(const struct hash128 *once)
{
	return (struct str){ (const char *)once, sizeof(*once) };
}

struct key receipts_held_key(struct hash128 once)
{
	struct key k;
	k.n = 0;
	key_add_u8(&k, BOX_ONCE);
	key_add_bytes(&k, once_bytes(&once));
	return k;
}

struct str receipts_held_value(struct receipts *r, int64_t ms, char out[8])
{
	uint32_t slice = receipts_slice(r, ms);
	out[0] = VALUE_VERSION_SLICE;
	memcpy(out + 1, &slice, sizeof(slice));
	return (struct str){ out, 1 + sizeof(slice) };
}

void receipts_left_value(struct receipts *r, struct hash128 once, int64_t ms, struct buf *out)
{
	bloom_add(&r->bloom, receipts_slice(r, ms), once);
	value_time(out, ms);
}

int receipts_rows(struct receipts *r, struct base_snapshot *s, enum family family, const struct key *prefix,
		  receipts_each *each, void *ctx)
{
	const struct base_calls *calls = r->config.base->calls;
	struct key end = prefix->n ? key_after(*prefix) : *prefix;
	struct base_iter *it = calls->iter(r->config.base, s, family, key_view(prefix), key_view(&end),
					   prefix->n == 0);
	struct str key, value;
	while (calls->iter_at(it, &key, &value) && each(ctx, key, value))
		calls->iter_next(it);
	return calls->iter_free(it);
}

/* --- opening: slices may have been of another length --- */

struct rekeying { struct receipts *r; unsigned n; bool damaged; int err; };

/* The same row under the slice it belongs to now. A time stands at the end of every value. */
static bool rekey_row(void *ctx, struct str key, struct str value)
{
	struct rekeying *g = ctx;
	struct base *base = g->r->config.base;
	struct str rest = key;
	uint32_t slice;
	int64_t ms;
	g->damaged = !key_cut_u32(&rest, &slice) || value.n < sizeof(ms);
	if (g->damaged)
		return false;
	memcpy(&ms, value.p + value.n - sizeof(ms), sizeof(ms));
	uint32_t now = receipts_slice(g->r, ms);
	if (now == slice)
		return true;
	struct key to;
	to.n = 0;
	key_add_u32(&to, now);
	key_add_bytes(&to, rest);
	base_put(base, FAMILY_RECEIPTS, key_view(&to), value);
	base_forget(base, FAMILY_RECEIPTS, key);
	if (++g->n % 10000 == 0)
		g->err = base->calls->write(base);
	return !g->err;
}

static int rekey(struct receipts *r)
{
	struct rekeying g = { .r = r };
	struct base *base = r->config.base;
	struct key all = { .n = 0 };
	int err = receipts_rows(r, NULL, FAMILY_RECEIPTS, &all, rekey_row, &g);
	if (!err)
		err = g.damaged ? ERR_CORRUPT : g.err;
	if (!err)
		err = base->calls->write(base);
	return err ? err : base->calls->flush(base);
}

static int slices_open(struct receipts *r)
{
	struct base *base = r->config.base;
	struct base_got got;
	uint64_t now = (uint64_t)r->slice_ms, before = 0;
	int err = base->calls->get(base, NULL, FAMILY_META, STR("slice_ms"), &got);
	if (err == OK) {
		if (got.value.n == sizeof(before))
			memcpy(&before, got.value.p, sizeof(before));
		base->calls->got_free(&got);
	}
	if (err && err != ERR_NOTFOUND)
		return err;
	if (before == now)
		return OK;
	err = before ? rekey(r) : OK;
	if (!err)
		base_put(base, FAMILY_META, STR("slice_ms"), (struct str){ (const char *)&now, sizeof(now) });
	return err ? err : base->calls->write(base);
}

/* A clock that was set back. */
static int newest_open(struct receipts *r)
{
	struct base *base = r->config.base;
	struct base_iter *it = base->calls->iter(base, NULL, FAMILY_RECEIPTS, STR(""), STR(""), false);
	struct str key, value;
	uint32_t slice;
	base->calls->iter_last(it, STR("\xff\xff\xff\xff\xff"));
	if (base->calls->iter_at(it, &key, &value) && key_cut_u32(&key, &slice) &&
	    slice > atomic_load(&r->newest))
		atomic_store(&r->newest, slice);
	return base->calls->iter_free(it);
}

int receipts_open(const struct receipts_config *config, struct receipts **out)
{
	struct receipts *r = calloc(1, sizeof(*r));
	CHECK(r);
	r->config = *config;
	r->slice_ms = (config->retention_ms + SLICES_BEFORE - 1) / SLICES_BEFORE;
	if (r->slice_ms < SLICE_MS_MIN)
		r->slice_ms = SLICE_MS_MIN;
	bloom_init(&r->bloom, config->filter_bytes_max);
	recent_init(&r->recent);
	buf_init(&r->gone, UINT32_MAX);
	atomic_store(&r->newest, (uint32_t)(config->now_ms / r->slice_ms));
	int err = slices_open(r);
	if (!err)
		err = newest_open(r);
	r->carried = r->ticked = atomic_load(&r->newest);
	if (err)
		receipts_free(r);
	else
		*out = r;
	return err;
}

void receipts_free(struct receipts *r)
{
	if (!r)
		return;
	bloom_deinit(&r->bloom);
	recent_deinit(&r->recent);
	buf_deinit(&r->gone);
	free(r);
}

/* --- told --- */

void receipts_add_once(struct receipts *r, uint64_t segment, struct hash128 once, int64_t ms,
		       int64_t accepted_ms)
{
	uint32_t slice = receipts_slice(r, ms ? ms : accepted_ms);
	int64_t before = recent_add_once(&r->recent, segment, once, ms ? ms : -accepted_ms);
	if (!before || receipts_slice(r, llabs(before)) != slice) /* else its bits are there */
		bloom_add(&r->bloom, slice, once);
}

void receipts_add_ack(struct receipts *r, uint64_t segment, const struct op_ack *ack)
{
	recent_add_ack(&r->recent, segment, ack);
}

/* --- asked --- */

int receipts_seen(struct receipts *r, unsigned w, struct hash128 once)
{
	return atomic_load_explicit(&r->ready, memory_order_acquire) &&
	       !bloom_maybe(&r->bloom, w, once) ? 0 : -1;
}

bool receipts_recent_once(const struct receipts *r, struct hash128 once, int64_t now_ms)
{
	const struct recent_row *row = recent_once(&r->recent, once);
	return row && (row->ms <= 0 || !receipts_aged(r, row->ms, now_ms));
}

/* A row whose value is a time: is it there, and still to be known? */
static int once_get(struct receipts *r, struct base_snapshot *s, enum family family, struct str key,
		    int64_t now_ms, bool *found_out)
{
	struct base_got got;
	int64_t ms;
	int err = r->config.base->calls->get(r->config.base, s, family, key, &got);
	if (err)
		return err == ERR_NOTFOUND ? OK : err;
	if (value_cut_time(got.value, &ms))
		*found_out = ms == 0 || !receipts_aged(r, ms, now_ms);
	else
		err = ERR_CORRUPT;
	r->config.base->calls->got_free(&got);
	return err;
}

/* In a mailbox, or left by one who was deleted. */
static int held_get(struct receipts *r, struct base_snapshot *s, struct hash128 once, int64_t now_ms,
		    bool *found_out)
{
	struct base_got got;
	struct key key = receipts_held_key(once);
	int64_t ms;
	int err = r->config.base->calls->get(r->config.base, s, FAMILY_BOX, key_view(&key), &got);
	*found_out = false;
	if (err)
		return err == ERR_NOTFOUND ? OK : err;
	if (value_cut_time(got.value, &ms))
		*found_out = !receipts_aged(r, ms, now_ms);
	else if (got.value.n && got.value.p[0] == VALUE_VERSION_SLICE)
		*found_out = true;
	else
		err = ERR_CORRUPT;
	r->config.base->calls->got_free(&got);
	return err;
}

int receipts_base_once(struct receipts *r, struct base_snapshot *s, struct hash128 once, int64_t now_ms,
		       bool *found_out)
{
	uint32_t slice = atomic_load(&r->newest), oldest = receipts_oldest(r);
	int err = held_get(r, s, once, now_ms, found_out);
	for (; !err && !*found_out && slice >= oldest; slice--) {
		struct key key = receipts_key(slice, KIND_ONCE);
		key_add_bytes(&key, once_bytes(&once));
		err = once_get(r, s, FAMILY_RECEIPTS, key_view(&key), now_ms, found_out);
		if (slice == 0)
			break;
	}
	if (!err && !*found_out)
		err = once_get(r, s, FAMILY_ONCE, once_bytes(&once), now_ms, found_out);
	return err;
}
