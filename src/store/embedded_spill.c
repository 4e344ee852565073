/* The oldest segment's un-released mail and its part of the receipt index go to the base, in bulks of
 * sorted rows; then the segment is not live any more.
 *
 *   1. spill_step (committer): chooses the segment; from here on, what is released of it is noted.
 *   2. spill_build (any thread, while commits go on): flushes the base, so that all that the segment said of
 *      names is durable there; builds a bulk of the receipt index's rows and one of the mail, with the row
 *      BOX_SPILLED.
 *   3. spill_step: takes the bulks, forgets what was noted, lets go of the entries in memory.
 *   4. the segment is retired once nobody reads it any more.
 *
 * A crash before the bulk of mail is taken: as if nothing had been begun; what was taken of the receipt
 * index is written over by the same rows later. After it: the next opening begins behind the segment, and
 * what was noted is said again by the releases, which stand in later segments. */
#include "store/embedded.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>

#define AGAIN_NS NS_PER_S

struct spill_row {
	struct key_begin begin;
	uint32_t key, key_n;          /* in spill->keys */
	uint32_t segment, offset, bytes; /* of the op */
};

/* --- 1. --- */

static uint64_t live(const struct store_embedded *e)
{
	return journal_newest(e->journal) - e->in_base;
}

static bool over(const struct store_embedded *e, unsigned times)
{
	return live(e) > (uint64_t)e->bounds->segments_max * times ||
	       e->held.count > e->bounds->held_max * times;
}

bool spill_behind(const struct store_embedded *e)
{
	return atomic_load(&e->spill.state) == SPILL_WANTED && !e->spill.failing && over(e, 2);
}

static void spill_begin(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	if (!over(e, 1) || (s->failing && embedded_mono_ns(e) < s->again_ns))
		return;
	if (live(e) == 1) { /* it grows no more once the next commit began another */
		journal_turn(e->journal);
		return;
	}
	s->upto = e->in_base + 1;
	buf_clear(&s->released);
	s->err = OK;
	atomic_store(&s->state, SPILL_WANTED);
}

static void note(struct spill *s, struct key key, struct str value)
{
	strs_add(&s->released, key_view(&key));
	strs_add(&s->released, value);
}

void spill_note(struct store_embedded *e, const struct held_entry *entry, struct str user,
		const struct op_mail *mail, struct str once_value)
{
	struct spill *s = &e->spill;
	if (atomic_load_explicit(&s->state, memory_order_relaxed) == SPILL_NONE ||
	    entry->segment > s->upto)
		return;
	note(s, key_box(user, mail->seq), STR(""));
	if (mail_may_be_acknowledged(mail->flags))
		note(s, key_ids(user, mail->id, mail->seq), STR(""));
	if (once_is(mail->once))
		note(s, receipts_held_key(mail->once), once_value);
}

/* --- 2. --- */

static void row_add(struct spill *s, struct key key, uint32_t segment, struct held_op op)
{
	struct spill_row row = { key_begin(key_view(&key)), (uint32_t)s->keys.n, (uint32_t)key.n, segment, op.offset, op.bytes };
	buf_str(&s->keys, key_view(&key));
	buf_add(&s->rows, &row, sizeof(row));
}

static int op_read(struct store_embedded *e, uint32_t segment, struct held_op at, struct buf *buf,
		   struct op_mail *out)
{
	struct store_op op;
	buf_clear(buf);
	char *to = buf_reserve(buf, at.bytes);
	if (!to)
		return ERR_NOMEM;
	int err = journal_read(e->journal, segment, at.offset, to, at.bytes);
	if (err)
		return err;
	buf_commit(buf, at.bytes);
	if (store_op_at(buf_view(buf), 0, &op) || op.type != OP_MAIL)
		return ERR_CORRUPT;
	*out = op.mail;
	return OK;
}

/* Keys of what is still held of one op. */
static void gather_op(struct store_embedded *e, uint32_t segment, struct held_op at,
		      const struct op_mail *mail)
{
	struct str user;
	size_t cursor = 0;
	bool some = false;
	pthread_mutex_lock(&e->lock);
	while (strs_next(mail->receivers, &cursor, &user) == 1) {
		const struct held_entry *entry = held_get(&e->held, user, mail->seq);
		if (!entry || entry->segment != segment || entry->offset != at.offset)
			continue; /* released, or written over */
		some = true;
		row_add(&e->spill, key_box(user, mail->seq), segment, at);
		if (mail_may_be_acknowledged(mail->flags))
			row_add(&e->spill, key_ids(user, mail->id, mail->seq), segment, at);
	}
	pthread_mutex_unlock(&e->lock);
	if (some && once_is(mail->once))
		row_add(&e->spill, receipts_held_key(mail->once), segment, at);
}

static int gather(struct store_embedded *e, uint32_t segment, struct buf *buf)
{
	struct op_mail mail;
	int err = OK;
	pthread_mutex_lock(&e->lock);
	struct held_segment held = held_segment(&e->held, segment); /* gets no more ops */
	pthread_mutex_unlock(&e->lock);
	for (uint32_t i = 0; held.live && i < held.n && !err; i++) {
		err = op_read(e, segment, held.ops[i], buf, &mail);
		if (!err)
			gather_op(e, segment, held.ops[i], &mail);
	}
	return err;
}

static struct str row_key(const struct spill *s, const struct spill_row *row)
{
	return (struct str){ s->keys.p + row->key, row->key_n };
}

static int rows_compare(const void *a, const void *b, void *ctx)
{
	const struct spill_row *x = a, *y = b;
	int order = key_begin_cmp(x->begin, y->begin);
	return order ? order : str_cmp(row_key(ctx, x), row_key(ctx, y));
}

static struct str row_value(struct store_embedded *e, struct str key, const struct op_mail *mail,
			    struct buf *value, char once[8])
{
	if ((uint8_t)key.p[0] == BOX_ONCE)
		return receipts_held_value(e->receipts, mail->ms, once);
	if ((uint8_t)key.p[0] == BOX_IDS)
		value_ids(value, mail);
	else
		value_box(value, mail);
	return buf_view(value);
}

static int rows_build(struct store_embedded *e, struct buf *buf, struct buf *value)
{
	struct spill *s = &e->spill;
	const struct base_calls *calls = e->base->calls;
	struct spill_row *rows = (struct spill_row *)(void *)s->rows.p;
	size_t n = s->rows.n / sizeof(*rows);
	struct str last = STR("");
	struct op_mail mail;
	char once[8];
	int err = OK;
	if (n)
		qsort_r(rows, n, sizeof(*rows), rows_compare, s);
	for (size_t i = 0; i < n && !err; i++) {
		struct str key = row_key(s, &rows[i]);
		if (str_eq(key, last)) /* the same message in several mailboxes is one to remember */
			continue;
		last = key;
		err = op_read(e, rows[i].segment, (struct held_op){ rows[i].offset, rows[i].bytes }, buf, &mail);
		if (!err)
			err = calls->bulk_add(s->mail, key, row_value(e, key, &mail, value, once));
	}
	return err;
}

static int mail_build(struct store_embedded *e, struct buf *buf, struct buf *value)
{
	struct spill *s = &e->spill;
	struct key spilled = key_spilled();
	uint64_t upto = s->upto;
	int err = OK;
	buf_clear(&s->keys);
	buf_clear(&s->rows);
	for (uint32_t segment = e->in_base + 1; segment <= s->upto && !err; segment++)
		err = gather(e, segment, buf);
	if (!err && (s->keys.failed || s->rows.failed))
		err = ERR_NOMEM;
	if (!err)
		err = e->base->calls->bulk_new(e->base, FAMILY_BOX, &s->mail);
	if (!err)
		err = rows_build(e, buf, value);
	if (!err)
		err = e->base->calls->bulk_add(s->mail, key_view(&spilled),
					       (struct str){ (const char *)&upto, sizeof(upto) });
	return err ? err : e->base->calls->bulk_end(s->mail);
}

void spill_build(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	struct buf buf, value;
	buf_init(&buf, UINT32_MAX);
	buf_init(&value, UINT32_MAX);
	s->err = e->base->calls->flush(e->base);
	if (!s->err)
		s->err = receipts_build(e->receipts, s->upto, embedded_wall_ms(e), &s->receipts);
	if (!s->err)
		s->err = mail_build(e, &buf, &value);
	buf_deinit(&buf);
	buf_deinit(&value);
	atomic_store(&s->state, SPILL_BUILT);
}

/* --- 3. --- */

static void bulks_drop(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	if (s->mail)
		e->base->calls->bulk_drop(e->base, s->mail);
	if (s->receipts)
		e->base->calls->bulk_drop(e->base, s->receipts);
	s->mail = s->receipts = NULL;
}

/* Bulks not taken. What was in memory still is, and the segment still live: nothing is lost but time. */
static void spill_fail(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	bulks_drop(e);
	if (!s->failing)
		LOG(ERROR, "storage", LOG_Z("failed", "moving old messages from the journal to the database"),
		    LOG_Z("error", err_text(s->err)), LOG_Z("hint", "tried again; the journal grows till then"));
	s->failing = true;
	s->again_ns = embedded_mono_ns(e) + AGAIN_NS;
	atomic_store(&s->state, SPILL_NONE);
}

static struct base_bulk *taken(struct base_bulk **bulk)
{
	struct base_bulk *b = *bulk;
	*bulk = NULL;
	return b;
}

static void held_let_go(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	const struct spill_row *rows = (const struct spill_row *)(const void *)s->rows.p;
	struct held_entry entry;
	for (size_t i = 0; i < s->rows.n / sizeof(*rows); i++) {
		struct str key = row_key(s, &rows[i]), user;
		uint64_t seq;
		if ((uint8_t)key.p[0] >= BOX_IDS || !key_cut_str(&key, &user) || !key_cut_u64(&key, &seq))
			continue;
		const struct held_entry *there = held_get(&e->held, user, seq);
		if (there && there->segment <= s->upto) /* else released or written over meanwhile */
			held_remove(&e->held, user, seq, &entry);
	}
	held_forget_segments(&e->held, s->upto);
}

/* (L) */
static void released_apply(struct store_embedded *e, struct str released)
{
	struct str key, value;
	size_t cursor = 0;
	while (strs_next(released, &cursor, &key) == 1 && strs_next(released, &cursor, &value) == 1) {
		if (value.n)
			base_put(e->base, FAMILY_BOX, key, value);
		else
			base_forget(e->base, FAMILY_BOX, key);
	}
	rows_write(e);
}

/* (L) */
static int spill_take(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	int err = s->receipts ? e->base->calls->bulk_take(e->base, taken(&s->receipts)) : OK;
	if (!err)
		err = e->base->calls->bulk_take(e->base, taken(&s->mail));
	if (err)
		return err;
	e->in_base = s->upto;
	receipts_built(e->receipts, s->upto);
	released_apply(e, buf_view(&s->released));
	held_let_go(e);
	return OK;
}

static void spill_finish(struct store_embedded *e)
{
	struct spill *s = &e->spill;
	CHECK(!s->released.failed);
	if (!s->err) {
		pthread_mutex_lock(&e->lock);
		s->err = spill_take(e);
		pthread_mutex_unlock(&e->lock);
	}
	if (s->err) {
		spill_fail(e);
		return;
	}
	if (s->failing)
		LOG(INFO, "storage", LOG_Z("state", "old messages are moved to the database again"));
	s->failing = false;
	buf_deinit(&s->keys);
	buf_deinit(&s->rows);
	metric_add(e->metrics, METRIC_spills_total, 1);
	atomic_store(&s->state, SPILL_NONE);
}

/* --- 4. --- */

static void retire(struct store_embedded *e)
{
	uint32_t upto = e->in_base;
	if (journal_oldest(e->journal) > upto)
		return;
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < EMBEDDED_PINS; i++)
		if (e->pins[i] && e->pins[i] <= upto)
			upto = e->pins[i] - 1;
	pthread_mutex_unlock(&e->lock);
	if (journal_oldest(e->journal) <= upto && journal_retire(e->journal, upto))
		return; /* tried again after the next commit */
}

void spill_step(struct store_embedded *e)
{
	if (atomic_load(&e->spill.state) == SPILL_BUILT)
		spill_finish(e);
	if (atomic_load(&e->spill.state) == SPILL_NONE) {
		retire(e);
		spill_begin(e);
	}
}

void spill_drop(struct store_embedded *e)
{
	bulks_drop(e);
	buf_deinit(&e->spill.keys);
	buf_deinit(&e->spill.rows);
	buf_deinit(&e->spill.released);
}
