/* Base and journal to what the engine knows. */
#include "store/embedded.h"
#include "base/log.h"
#include <stdio.h>

#define MIGRATE_ROWS 10000 /* at once */

/* --- the base's own records --- */

static int meta_get(struct store_embedded *e, const char *key, void *out, size_t n, bool *found_out,
		    const struct why *why)
{
	struct base_got got;
	int err = e->base->calls->get(e->base, NULL, FAMILY_META, (struct str){ key, strlen(key) }, &got);
	*found_out = err == OK;
	if (err == ERR_NOTFOUND)
		return OK;
	if (err)
		return why_fail(why, ERR_CORRUPT, "cannot read the database: %s", err_text(err));
	bool whole = got.value.n == n;
	if (whole)
		memcpy(out, got.value.p, n);
	e->base->calls->got_free(&got);
	return whole ? OK
		     : why_fail(why, ERR_CORRUPT, "the database's own record '%s' is damaged", key);
}

/* What was put is durable when it returns. */
static int base_settle(struct store_embedded *e, const struct why *why)
{
	int err = e->base->calls->write(e->base);
	if (!err)
		err = e->base->calls->flush(e->base);
	return err ? why_fail(why, err, "cannot write to the database: %s", err_text(err)) : OK;
}

/* The epoch of this run is durable before anything is numbered with it. */
static int meta_open(struct store_embedded *e, bool fresh, const struct why *why)
{
	bool has_key = false, has_epoch = false;
	int err = meta_get(e, "once_key", &e->store.once_key, sizeof(e->store.once_key), &has_key, why);
	if (!err)
		err = meta_get(e, "epoch", &e->store.epoch, sizeof(e->store.epoch), &has_epoch, why);
	if (err)
		return err;
	if (has_key != has_epoch || (!fresh && !has_epoch))
		return why_fail(why, ERR_CORRUPT,
				"the database's own records 'epoch' and 'once_key' are damaged");
	if (fresh && has_epoch && e->store.epoch > 1) /* 1: the first opening did not come to its end */
		return why_fail(why, ERR_CORRUPT, "the data directory's file 'format' is missing");
	if (!has_key)
		hash_key_random(&e->store.once_key);
	e->store.epoch = has_epoch ? e->store.epoch + 1 : 1;
	if (e->store.epoch >= UINT32_C(1) << (64 - STORE_SEQ_BITS))
		return why_fail(why, ERR_VERSION,
				"the data directory was opened too often to number another run");
	base_put(e->base, FAMILY_META, STR("once_key"),
		 (struct str){ (const char *)&e->store.once_key, sizeof(e->store.once_key) });
	base_put(e->base, FAMILY_META, STR("epoch"),
		 (struct str){ (const char *)&e->store.epoch, sizeof(e->store.epoch) });
	return base_settle(e, why);
}

/* --- format 2: mail in small had a family of its own --- */

typedef void migrate_row(struct store_embedded *e, struct str key, struct str value);

static void ids_copy(struct store_embedded *e, struct str key, struct str value)
{
	struct key to;
	to.n = 0;
	key_add_u8(&to, BOX_IDS);
	key_add_bytes(&to, key);
	base_put(e->base, FAMILY_BOX, key_view(&to), value);
}

static void ids_forget(struct store_embedded *e, struct str key, struct str value)
{
	(void)value;
	base_forget(e->base, FAMILY_IDS, key);
}

static int ids_each(struct store_embedded *e, migrate_row *each, const struct why *why)
{
	const struct base_calls *calls = e->base->calls;
	struct base_iter *it = calls->iter(e->base, NULL, FAMILY_IDS, STR(""), STR(""), true);
	struct str key, value;
	int err = OK;
	for (unsigned n = 1; !err && calls->iter_at(it, &key, &value); n++, calls->iter_next(it)) {
		each(e, key, value);
		if (n % MIGRATE_ROWS == 0)
			err = calls->write(e->base);
	}
	int ended = calls->iter_free(it);
	err = err ? err : ended;
	return err ? why_fail(why, err, "cannot read or write the database: %s", err_text(err))
		   : base_settle(e, why);
}

static bool has_rows(struct store_embedded *e, enum family family)
{
	struct str key, value;
	struct base_iter *it = e->base->calls->iter(e->base, NULL, family, STR(""), STR(""), true);
	bool some = e->base->calls->iter_at(it, &key, &value);
	return e->base->calls->iter_free(it) != OK || some;
}

/* The old rows go only when no older program opens the directory any more. */
static int migrate(struct store_embedded *e, bool older, const struct why *why)
{
	e->has_once = has_rows(e, FAMILY_ONCE);
	if (older)
		return ids_each(e, ids_copy, why);
	return has_rows(e, FAMILY_IDS) ? ids_each(e, ids_forget, why) : OK;
}

/* --- the journal --- */

static int spilled_get(struct store_embedded *e, const struct why *why)
{
	struct key key = key_spilled();
	struct base_got got;
	uint64_t upto = 0;
	int err = e->base->calls->get(e->base, NULL, FAMILY_BOX, key_view(&key), &got);
	if (err == ERR_NOTFOUND)
		return OK;
	if (err)
		return why_fail(why, ERR_CORRUPT, "cannot read the database: %s", err_text(err));
	bool whole = got.value.n == sizeof(upto);
	if (whole)
		memcpy(&upto, got.value.p, sizeof(upto));
	e->base->calls->got_free(&got);
	e->in_base = (uint32_t)upto;
	return whole && upto < UINT32_MAX
		       ? OK : why_fail(why, ERR_CORRUPT, "the database's own record of the journal is damaged");
}

static int visit(void *ctx, struct journal_place place, struct str payload)
{
	struct store_embedded *e = ctx;
	return embedded_apply(e, place, payload);
}

static int journal_replay(struct store_embedded *e, struct files *files, bool used, const struct why *why)
{
	struct journal_cut cut = { 0 };
	struct journal_config config = e->bounds->journal;
	config.used = used;
	int err = journal_open(files, &config, e->in_base, visit, e, &e->journal, &cut,
			       why->text, why->size);
	if (!err) {
		e->end_segment = (uint32_t)journal_newest(e->journal);
		e->end = journal_end(e->journal);
	}
	if (!err && cut.bytes)
		LOG(WARN, "storage", LOG_Z("cut", "what was being written at the last end"),
		    LOG_INT("segment", (int64_t)cut.segment), LOG_INT("offset", (int64_t)cut.offset));
	return err;
}

static int receipts_begin(struct store_embedded *e, const struct why *why)
{
	struct receipts_config config = {
		.base = e->base, .lock = &e->lock, .retention_ms = e->retention_ms,
		.now_ms = embedded_wall_ms(e), .filter_bytes_max = e->bounds->filter_bytes_max };
	int err = receipts_open(&config, &e->receipts);
	return err ? why_fail(why, err, "cannot read or write the database: %s", err_text(err)) : OK;
}

int embedded_parts_open(struct store_embedded *e, const struct embedded_parts *parts,
			const struct why *why)
{
	e->bounds = parts->bounds;
	e->metrics = parts->metrics;
	e->retention_ms = parts->retention_ms;
	e->clock = parts->clock;
	e->base = parts->base;
	pthread_mutex_init(&e->lock, NULL);
	buf_init(&e->value, (size_t)1 << 30);
	buf_init(&e->spill.keys, (size_t)1 << 30);
	buf_init(&e->spill.rows, (size_t)1 << 30);
	buf_init(&e->spill.released, (size_t)1 << 30);
	held_init(&e->held);
	int err = receipts_begin(e, why);
	if (!err)
		err = spilled_get(e, why);
	if (!err)
		err = migrate(e, parts->migrate, why);
	if (err)
		parts->files->calls->free(parts->files);
	else
		err = journal_replay(e, parts->files, !parts->fresh && !parts->migrate, why);
	return err ? err : meta_open(e, parts->fresh, why);
}

void embedded_parts_close(struct store_embedded *e, bool clean)
{
	spill_drop(e);
	if (clean)
		(void)e->base->calls->flush(e->base); /* else the journal has it all */
	if (e->journal)
		journal_close(e->journal, clean);
	receipts_free(e->receipts);
	held_deinit(&e->held);
	e->base->calls->free(e->base);
	buf_deinit(&e->value);
	pthread_mutex_destroy(&e->lock);
}
