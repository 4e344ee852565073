/* The receipt index's rows to the base and back into the filters; what ages. */
#include "store/receipts_private.h"
#include <stdlib.h>

/* --- to the base --- */

struct built {
	struct key_begin begin;
	size_t key, key_n;
	const struct recent_row *row;
	uint64_t told;                /* grows with the time it was told */
};
struct building { struct buf rows, keys; };

static void built_add(struct building *b, uint64_t segment, const struct recent_row *row,
		      const struct key *key)
{
	struct built built = { key_begin(key_view(key)), b->keys.n, key->n, row,
			       segment << 32 | (uint32_t)b->rows.n / sizeof(built) };
	buf_str(&b->keys, key_view(key));
	buf_add(&b->rows, &built, sizeof(built));
}

static struct key row_key(const struct receipts *r, const struct recent_row *row,
			  const struct recent_ack *ack)
{
	struct key key = receipts_key(receipts_slice(r, row->ms), row->kind == RECENT_ACK ? KIND_ACK : KIND_ONCE);
	if (row->kind == RECENT_ONCE) {
		key_add_bytes(&key, (struct str){ (const char *)&row->once, sizeof(row->once) });
		return key;
	}
	receipts_key_ack(&key, &(struct op_ack){ .user = ack->user, .kinds = row->kinds, .id = ack->id,
						 .sender_born = row->once.a, .sender = ack->sender });
	return key;
}

/* `gone`: some users are (L). */
static void gather(const struct receipts *r, const struct recent_segment *s, int64_t now_ms, bool gone,
		   struct building *b)
{
	const struct recent_row *row;
	struct recent_ack ack;
	size_t cursor = 0;
	while ((row = recent_next(s, &cursor, &ack))) {
		if (row->ms <= 0 || receipts_aged(r, row->ms, now_ms))
			continue;
		if (gone && row->kind == RECENT_ACK && recent_is_gone(&r->recent, s, cursor, ack.user))
			continue;
		struct key key = row_key(r, row, &ack);
		built_add(b, s->number, row, &key);
	}
}

static struct str built_key(const struct building *b, const struct built *built)
{
	return (struct str){ b->keys.p + built->key, built->key_n };
}

static int built_order(const void *x, const void *y, void *ctx)
{
	const struct built *a = x, *b = y;
	int order = key_begin_cmp(a->begin, b->begin);
	if (!order)
		order = str_cmp(built_key(ctx, a), built_key(ctx, b));
	return order ? order : a->told < b->told ? -1 : a->told > b->told;
}

static int bulk_write(struct receipts *r, const struct building *b, struct base_bulk *bulk)
{
	const struct base_calls *calls = r->config.base->calls;
	const struct built *rows = (const struct built *)(const void *)b->rows.p;
	size_t n = b->rows.n / sizeof(*rows);
	struct buf value;
	int err = OK;
	buf_init(&value, 64);
	for (size_t i = 0; i < n && !err; i++) {
		const struct recent_row *row = rows[i].row;
		struct str key = built_key(b, &rows[i]);
		if (i + 1 < n && str_eq(key, built_key(b, &rows[i + 1])))
			continue; /* what was told last counts */
		buf_clear(&value);
		if (row->kind == RECENT_ACK)
			receipts_value_ack(&value, row->flags, row->ms);
		else
			value_time(&value, row->ms);
		err = calls->bulk_add(bulk, key, buf_view(&value));
	}
	buf_deinit(&value);
	return err ? err : calls->bulk_end(bulk);
}

static int bulk_make(struct receipts *r, struct building *b, struct base_bulk **bulk_out)
{
	struct base *base = r->config.base;
	if (b->rows.n == 0)
		return OK;
	qsort_r(b->rows.p, b->rows.n / sizeof(struct built), sizeof(struct built), built_order, b);
	int err = base->calls->bulk_new(base, FAMILY_RECEIPTS, bulk_out);
	if (err)
		return err;
	err = bulk_write(r, b, *bulk_out);
	if (err) {
		base->calls->bulk_drop(base, *bulk_out);
		*bulk_out = NULL;
	}
	return err;
}

/* The lock is not kept while rows are copied, unless users were deleted; who is deleted from here on is
 * noted. */
static void gather_upto(struct receipts *r, uint64_t upto, int64_t now_ms, struct building *b)
{
	pthread_mutex_lock(r->config.lock);
	buf_clear(&r->gone);
	r->building = true;
	bool gone = recent_any_gone(&r->recent);
	const struct recent_segment *s = r->recent.newest;
	while (s && s->number > upto)
		s = s->older;
	if (!gone)
		pthread_mutex_unlock(r->config.lock);
	for (; s; s = s->older)
		gather(r, s, now_ms, gone, b);
	if (gone)
		pthread_mutex_unlock(r->config.lock);
}

int receipts_build(struct receipts *r, uint64_t upto, int64_t now_ms, struct base_bulk **bulk_out)
{
	struct building b;
	buf_init(&b.rows, SIZE_MAX / 2);
	buf_init(&b.keys, SIZE_MAX / 2);
	*bulk_out = NULL;
	gather_upto(r, upto, now_ms, &b);
	CHECK(!b.rows.failed && !b.keys.failed);
	int err = bulk_make(r, &b, bulk_out);
	buf_deinit(&b.rows);
	buf_deinit(&b.keys);
	return err;
}

/* --- into the filters --- */

struct filling {
	struct receipts *r;
	uint32_t slice;               /* of the rows of FAMILY_RECEIPTS under way */
	uint32_t newest, after;       /* of what lies in mailboxes: only slices after this one */
	bool held_only;               /* what lies in mailboxes */
	bool damaged;
	const _Atomic bool *stop;
};

static bool goes_on(const struct filling *f)
{
	return !f->damaged && !(f->stop && atomic_load_explicit(f->stop, memory_order_relaxed));
}

/* The 16 bytes at the end of a key. */
static struct hash128 hash_at_end(struct filling *f, struct str key)
{
	struct hash128 hash = { 0 };
	if (key.n < sizeof(hash))
		f->damaged = true;
	else
		memcpy(&hash, key.p + key.n - sizeof(hash), sizeof(hash));
	return hash;
}

static bool fill_once(void *ctx, struct str key, struct str value)
{
	struct filling *f = ctx;
	(void)value;
	struct hash128 hash = hash_at_end(f, key);
	if (!f->damaged)
		bloom_add(&f->r->bloom, f->slice, hash);
	return goes_on(f);
}

/* Bits of what was put to slice `s` are in that slice's filter and each ninth after it. */
static void fill_class(struct filling *f, uint32_t s, struct hash128 hash)
{
	int64_t behind = ((int64_t)f->newest - s) % (SLICES_BEFORE + 1);
	if (behind < 0)
		behind += SLICES_BEFORE + 1;
	uint32_t slice = behind > f->newest ? 0 : f->newest - (uint32_t)behind;
	if (slice > f->after || f->after == 0)
		bloom_add(&f->r->bloom, slice, hash);
}

static void fill_time(struct filling *f, int64_t ms, struct hash128 hash)
{
	if (!f->held_only)
		bloom_add(&f->r->bloom, receipts_slice(f->r, ms), hash);
}

static bool fill_held(void *ctx, struct str key, struct str value)
{
	struct filling *f = ctx;
	uint32_t slice;
	int64_t ms;
	struct hash128 hash = hash_at_end(f, key);
	bool in_mailbox = value.n == 1 + sizeof(slice) && value.p[0] == VALUE_VERSION_SLICE;
	f->damaged = f->damaged || (!in_mailbox && !value_cut_time(value, &ms));
	if (f->damaged)
		return false;
	if (in_mailbox) {
		memcpy(&slice, value.p + 1, sizeof(slice));
		fill_class(f, slice, hash);
	} else {
		fill_time(f, ms, hash);
	}
	return goes_on(f);
}

static bool fill_old(void *ctx, struct str key, struct str value)
{
	struct filling *f = ctx;
	int64_t ms;
	struct hash128 hash = hash_at_end(f, key);
	f->damaged = f->damaged || !value_cut_time(value, &ms);
	if (!f->damaged && ms == 0)
		fill_class(f, 0, hash);
	else if (!f->damaged)
		fill_time(f, ms, hash);
	return goes_on(f);
}

static int fill_boxes(struct filling *f)
{
	struct key box = { .n = 0 }, all = { .n = 0 };
	key_add_u8(&box, BOX_ONCE);
	int err = receipts_rows(f->r, NULL, FAMILY_BOX, &box, fill_held, f);
	if (!err)
		err = receipts_rows(f->r, NULL, FAMILY_ONCE, &all, fill_old, f);
	return f->damaged ? ERR_CORRUPT : err;
}

int receipts_rebuild(struct receipts *r, const _Atomic bool *stop)
{
	struct filling f = { .r = r, .newest = atomic_load(&r->newest), .stop = stop };
	int err = OK;
	for (f.slice = receipts_oldest(r); f.slice <= f.newest && !err; f.slice++) {
		struct key key = receipts_key(f.slice, KIND_ONCE);
		err = receipts_rows(r, NULL, FAMILY_RECEIPTS, &key, fill_once, &f);
	}
	if (!err && goes_on(&f))
		err = fill_boxes(&f);
	if (!err && goes_on(&f))
		atomic_store_explicit(&r->ready, true, memory_order_release);
	return f.damaged ? ERR_CORRUPT : err;
}

/* --- time --- */

/* (L) What lies in mailboxes in memory. */
static void carry_recent(struct receipts *r, uint32_t newest)
{
	struct recent_ack ack;
	for (const struct recent_segment *s = r->recent.newest; s; s = s->older) {
		const struct recent_row *row;
		for (size_t cursor = 0; (row = recent_next(s, &cursor, &ack));)
			if (row->kind == RECENT_ONCE && row->ms <= 0 &&
			    -row->ms / r->slice_ms <= (int64_t)newest - SLICES_BEFORE)
				bloom_add(&r->bloom, newest, row->once);
	}
}

int receipts_carry(struct receipts *r)
{
	struct filling f = { .r = r, .newest = atomic_load(&r->newest), .after = r->carried,
			     .held_only = true };
	pthread_mutex_lock(r->config.lock);
	carry_recent(r, f.newest);
	pthread_mutex_unlock(r->config.lock);
	int err = fill_boxes(&f);
	if (err)
		return err;
	r->carried = f.newest;
	uint32_t oldest = f.newest < SLICES_BEFORE ? 0 : f.newest - SLICES_BEFORE;
	bloom_forget(&r->bloom, oldest);
	r->config.base->calls->forget_slices(r->config.base, oldest);
	return OK;
}
