/* Mailboxes. What came by live segments of the journal is in memory (held.h), with the text where the
 * journal has it; older mail lies in FAMILY_BOX of the base:
 *
 *   str8 user, u64 seq                       -> the mail
 *   BOX_IDS, str8 user, str8 id, u64 seq     -> the mail in small
 *   BOX_ONCE, 16 bytes                       -> see receipts.h
 *   BOX_SPILLED                              -> u64: segments up to this one lie here
 *
 * No mail is in both. */
#include "store/embedded.h"
#include "base/log.h"
#include "store/crc32c.h"

_Static_assert(OP_MAIL == 4, "the type stands in every row of a mailbox on disk");

#define WINDOW_BYTES ((uint32_t)64 << 10) /* read of the journal at once, if what is wanted lies close … */
#define WINDOW_GAP_BYTES 2048             /* … together */

bool mail_may_be_acknowledged(uint8_t flags)
{
	return !(flags & (MAIL_RECEIPT | MAIL_INFO));
}

bool once_is(struct hash128 once)
{
	return once.a | once.b;
}

/* --- rows --- */

struct key key_box(struct str user, uint64_t seq)
{
	struct key k = key_str(user);
	key_add_u64(&k, seq);
	return k;
}

/* Prefix of all mail in small of a user. */
static struct key key_ids_of(struct str user)
{
	struct key k;
	k.n = 0;
	key_add_u8(&k, BOX_IDS);
	key_add_str(&k, user);
	return k;
}

struct key key_ids(struct str user, struct str id, uint64_t seq)
{
	struct key k = key_ids_of(user);
	key_add_str(&k, id);
	key_add_u64(&k, seq);
	return k;
}

struct key key_spilled(void)
{
	struct key k;
	k.n = 0;
	key_add_u8(&k, BOX_SPILLED);
	return k;
}

/* The sequence at the end of a key; 0 if there is none. */
static uint64_t key_seq(struct str key)
{
	uint64_t seq;
	struct str end = { key.p + key.n - sizeof(seq), sizeof(seq) };
	return key.n >= sizeof(seq) && key_cut_u64(&end, &seq) ? seq : 0;
}

static void add_mail(struct buf *out, const struct op_mail *mail)
{
	struct store_op op = { .type = OP_MAIL, .mail = *mail };
	op.mail.receiver_count = 0; /* he stands in the key, or was asked for */
	op.mail.receivers = STR("");
	txn_add(out, &op);
}

void value_box(struct buf *out, const struct op_mail *mail)
{
	value_begin(out);
	add_mail(out, mail);
}

void value_ids(struct buf *out, const struct op_mail *mail)
{
	uint32_t bytes = (uint32_t)mail->text.n;
	value_begin(out);
	buf_u8(out, mail->flags);
	buf_add(out, &bytes, sizeof(bytes));
	buf_add(out, &mail->sender_born, sizeof(mail->sender_born));
	buf_add(out, &mail->once, sizeof(mail->once));
	buf_str(out, mail->sender);
}

/* All but the sequence, which stands in the key. */
static bool value_cut_ids(struct str value, struct store_find_row *row_out)
{
	*row_out = (struct store_find_row){ 0 };
	if (!value_cut_version(&value) ||
	    !value_cut(&value, &row_out->flags, sizeof(row_out->flags)) ||
	    !value_cut(&value, &row_out->bytes, sizeof(row_out->bytes)) ||
	    !value_cut(&value, &row_out->sender_born, sizeof(row_out->sender_born)) ||
	    !value_cut(&value, &row_out->once, sizeof(row_out->once)))
		return false;
	row_out->sender = value;
	return true;
}

/* --- ops --- */

void mail_apply_once(struct store_embedded *e, struct hash128 once, int64_t ms)
{
	if (once_is(once))
		receipts_add_once(e->receipts, e->segment, once, ms, ms);
}

/* Information with a low sequence is written over, as it counts up: what of it is in the base, or on its
 * way there, goes. */
static void mail_replaces(struct store_embedded *e, struct str user, const struct op_mail *op)
{
	const struct held_entry *before = held_get(&e->held, user, op->seq);
	struct key key = key_box(user, op->seq);
	if (before)
		spill_note(e, before, user, op, STR(""));
	else
		rows_forget(e, FAMILY_BOX, &key);
}

/* `bytes` are the op's own. */
void mail_apply(struct store_embedded *e, const struct op_mail *op, struct str bytes)
{
	uint32_t offset = e->offset + (uint32_t)(bytes.p - e->from);
	struct held_entry entry = {
		.seq = op->seq, .segment = e->segment, .offset = offset, .bytes = (uint32_t)bytes.n,
		.crc = crc32c(bytes, 0), .id_hash = held_id_hash(op->id),
		.text_bytes = op->text.n & 0x1fffffff, .flags = (unsigned)op->flags & 7U,
	};
	struct str name;
	size_t cursor = 0;
	int r;
	held_add_op(&e->held, e->segment, (struct held_op){ offset, (uint32_t)bytes.n });
	while ((r = strs_next(op->receivers, &cursor, &name)) == 1) {
		if (op->seq >> STORE_SEQ_BITS == 0 && op->flags & MAIL_INFO)
			mail_replaces(e, name, op);
		held_add(&e->held, name, &entry);
	}
	CHECK(r == 0);
	if (once_is(op->once))
		receipts_add_once(e->receipts, e->segment, op->once, 0, op->ms);
}

void mail_apply_ack(struct store_embedded *e, const struct op_ack *op)
{
	receipts_add_ack(e->receipts, e->segment, op);
}

/* It may lie in the base. Twice does no harm. */
static void rows_release(struct store_embedded *e, const struct op_release *op)
{
	struct key key = key_box(op->user, op->seq);
	rows_forget(e, FAMILY_BOX, &key);
	if (mail_may_be_acknowledged(op->flags)) {
		key = key_ids(op->user, op->id, op->seq);
		rows_forget(e, FAMILY_BOX, &key);
	}
	if (!once_is(op->once))
		return;
	key = receipts_held_key(op->once);
	rows_forget(e, FAMILY_BOX, &key);
	if (e->has_once)
		base_forget(e->base, FAMILY_ONCE,
			    (struct str){ (const char *)&op->once, sizeof(op->once) });
}

void mail_apply_release(struct store_embedded *e, const struct op_release *op)
{
	struct held_entry entry;
	if (!held_remove(&e->held, op->user, op->seq, &entry)) {
		rows_release(e, op);
	} else {
		struct op_mail mail = { .seq = op->seq, .flags = op->flags, .once = op->once, .id = op->id };
		spill_note(e, &entry, op->user, &mail, STR(""));
	}
	if (once_is(op->once))
		receipts_add_once(e->receipts, e->segment, op->once, op->ms, op->ms);
	if (!mail_may_be_acknowledged(op->flags))
		return;
	struct op_ack ack = { op->user, op->flags, op->kinds | KINDS_RELEASE, op->ms,
			      op->sender_born, op->sender, op->id };
	mail_apply_ack(e, &ack);
}

/* --- deletion --- */

/* Reads the op of an entry into `buf`. OK, ERR_UNAVAILABLE. */
static int entry_read(struct store_embedded *e, const struct held_entry *entry, struct buf *buf,
		      struct store_op *op_out)
{
	buf_clear(buf);
	char *to = buf_reserve(buf, entry->bytes);
	if (!to || journal_read(e->journal, entry->segment, entry->offset, to, entry->bytes))
		return ERR_UNAVAILABLE;
	buf_commit(buf, entry->bytes);
	if (crc32c(buf_view(buf), 0) != entry->crc ||
	    store_op_at(buf_view(buf), 0, op_out) || op_out->type != OP_MAIL)
		return ERR_UNAVAILABLE;
	return OK;
}

/* Nobody will release what lies in his mailbox: it counts as released now. That is said in the base, beside
 * the mail: if the journal is read again, the mail may not be there any more to be found. Returns what is put
 * there. */
static struct str once_leaves(struct store_embedded *e, struct hash128 once)
{
	if (!once_is(once))
		return STR("");
	struct key key = receipts_held_key(once);
	receipts_left_value(e->receipts, once, embedded_wall_ms(e), &e->value);
	struct str value = buf_view(&e->value);
	base_put(e->base, FAMILY_BOX, key_view(&key), value);
	if (e->has_once)
		base_forget(e->base, FAMILY_ONCE, (struct str){ (const char *)&once, sizeof(once) });
	return value;
}

static int held_release_all(struct store_embedded *e, struct str name, bool dry)
{
	const struct held_user *u = held_user(&e->held, name);
	const struct held_entry *entry = u ? held_after(u, 0) : NULL;
	struct store_op op;
	struct buf buf;
	int err = OK;
	buf_init(&buf, UINT32_MAX);
	for (; u && entry < held_end(u) && !err; entry++) {
		err = entry_read(e, entry, &buf, &op);
		if (err || dry)
			continue;
		spill_note(e, entry, name, &op.mail, once_leaves(e, op.mail.once));
		mail_apply_once(e, op.mail.once, embedded_wall_ms(e)); /* what is in memory says otherwise */
	}
	if (!err && !dry)
		held_forget_user(&e->held, name);
	buf_deinit(&buf);
	return err;
}

static int rows_release_all(struct store_embedded *e, const struct key *prefix, bool dry)
{
	struct buf rows;
	struct store_find_row row;
	struct str key, value;
	size_t cursor = 0;
	buf_init(&rows, (size_t)1 << 30);
	int err = rows_list(e, FAMILY_BOX, prefix, true, &rows);
	while (!err && strs_next(buf_view(&rows), &cursor, &key) == 1 &&
	       strs_next(buf_view(&rows), &cursor, &value) == 1) {
		if (!value_cut_ids(value, &row))
			err = ERR_UNAVAILABLE;
		if (err || dry)
			continue;
		(void)once_leaves(e, row.once);
		base_forget(e->base, FAMILY_BOX, key);
	}
	buf_deinit(&rows);
	return err;
}

int mail_apply_name_del(struct store_embedded *e, struct str name, bool dry)
{
	struct key box = key_str(name), ids = key_ids_of(name);
	int err = held_release_all(e, name, dry);
	if (!err)
		err = rows_release_all(e, &ids, dry);
	if (!err)
		err = rows_forget_all(e, FAMILY_BOX, &box, dry);
	if (!err && receipts_forget_user(e->receipts, e->segment, name, dry))
		err = ERR_UNAVAILABLE;
	return err;
}

/* --- reads of what is in memory --- */

static void hold_count(struct reading *g, const struct held_user *u)
{
	const struct held_entry *e = held_after(u, 0);
	g->mail_count = u->mail_count;
	g->mail_bytes = u->mail_bytes;
	for (; e < held_end(u) && e->seq < UINT64_C(1) << STORE_SEQ_BITS; e++)
		g->low_seq = e->seq;
}

void mail_hold(struct reading *g)
{
	const struct held_user *u = held_user(&g->e->held, g->r->name);
	if (!u)
		return;
	if (g->r->kind == STORE_READ_NAME) {
		hold_count(g, u);
		return;
	}
	bool find = g->r->kind == STORE_READ_FIND;
	uint32_t hash = find ? held_id_hash(g->r->id) : 0;
	unsigned rows = 0;
	for (const struct held_entry *e = held_after(u, find ? 0 : g->r->after); e < held_end(u); e++) {
		if (find && (e->id_hash != hash || !mail_may_be_acknowledged(e->flags)))
			continue;
		if (!find && rows++ > g->r->rows_max) /* one more, so that `more` is told */
			break;
		buf_add(&g->entries, e, sizeof(*e));
	}
}

/* How much to read from `entry` on, of those up to `end`: what lies close behind it in the journal. */
static uint32_t window_bytes(const struct held_entry *entry, const struct held_entry *end)
{
	uint32_t bytes = entry->bytes;
	for (const struct held_entry *e = entry + 1; e < end; e++) {
		uint32_t at = e->offset - entry->offset;
		if (e->segment != entry->segment || e->offset < entry->offset ||
		    at > bytes + WINDOW_GAP_BYTES || at + e->bytes > WINDOW_BYTES)
			break;
		if (at + e->bytes > bytes)
			bytes = at + e->bytes;
	}
	return bytes;
}

/* The op of an entry, in the window; false ends the read. */
static bool window_op(struct reading *g, const struct held_entry *entry, const struct held_entry *end,
		      struct store_op *op_out)
{
	if (entry->segment != g->window_segment || entry->offset < g->window_offset ||
	    entry->offset - g->window_offset + entry->bytes > g->window.n) {
		uint32_t bytes = window_bytes(entry, end);
		buf_clear(&g->window);
		g->window_segment = entry->segment;
		g->window_offset = entry->offset;
		char *to = buf_reserve(&g->window, bytes);
		int err = to ? journal_read(g->e->journal, entry->segment, entry->offset, to, bytes)
			     : ERR_NOMEM;
		reading_failed(g, err);
		if (err)
			return false;
		buf_commit(&g->window, bytes);
	}
	struct str bytes = { g->window.p + (entry->offset - g->window_offset), entry->bytes };
	if (crc32c(bytes, 0) == entry->crc && store_op_at(bytes, 0, op_out) == OK &&
	    op_out->type == OP_MAIL)
		return true;
	reading_damaged(g);
	return false;
}

/* --- mailboxes --- */

struct held_list { const struct held_entry *at, *end; };

static struct held_list held_list(const struct reading *g)
{
	const struct held_entry *at = (const struct held_entry *)(const void *)g->entries.p;
	return (struct held_list){ at, at ? at + g->entries.n / sizeof(*at) : at };
}

static bool mailbox_row(struct reading *g, struct range *range, struct str value)
{
	if (!value_cut_version(&value)) {
		reading_damaged(g);
		return false;
	}
	buf_str(&g->r->rows, value);
	range_next(range);
	return true;
}

static bool mailbox_held(struct reading *g, struct held_list *held)
{
	struct store_op op;
	if (!window_op(g, held->at, held->end, &op))
		return false;
	add_mail(&g->r->rows, &op.mail);
	held->at++;
	return true;
}

void mail_read_mailbox(struct reading *g)
{
	struct store_read *r = g->r;
	if (r->after == UINT64_MAX)
		return;
	struct key prefix = key_str(r->name), from = key_box(r->name, r->after + 1);
	struct held_list held = held_list(g);
	struct range range;
	struct str key, value;
	bool ok = true;
	range_open(g, FAMILY_BOX, &prefix, &from, &range);
	for (unsigned rows = 0; ok; rows++) {
		bool base = range_at(&range, &key, &value), memory = held.at < held.end;
		if ((!base && !memory) || reading_page_full(g, rows))
			break;
		if (base && (!memory || key_seq(key) < held.at->seq))
			ok = mailbox_row(g, &range, value);
		else
			ok = mailbox_held(g, &held);
	}
	range_close(g, &range);
}

/* --- counting --- */

/* Of those with a low sequence the last one is next to the first of the others. The end of the range
 * keeps the search from what other users left before. */
static uint64_t low_seq(struct reading *g)
{
	struct key prefix = key_str(g->r->name);
	struct key last = key_box(g->r->name, (UINT64_C(1) << STORE_SEQ_BITS) - 1);
	struct range range;
	struct str key, value;
	range_open(g, FAMILY_BOX, &prefix, &prefix, &range);
	range.base->calls->iter_last(range.it, key_view(&last));
	uint64_t seq = range_at(&range, &key, &value) ? key_seq(key) : 0;
	range_close(g, &range);
	return seq > g->low_seq ? seq : g->low_seq;
}

void mail_read_count(struct reading *g, struct store_name_row *row)
{
	struct key prefix = key_ids_of(g->r->name);
	struct range range;
	struct str key, value;
	struct store_find_row ids;
	row->mail_count = g->mail_count;
	row->mail_bytes = g->mail_bytes;
	range_open(g, FAMILY_BOX, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); range_next(&range)) {
		if (!value_cut_ids(value, &ids)) {
			reading_damaged(g);
			break;
		}
		row->mail_count++;
		row->mail_bytes += ids.bytes;
	}
	range_close(g, &range);
	row->low_seq = low_seq(g);
}

/* --- by id --- */

static bool find_row(struct reading *g, struct str key, struct str value)
{
	struct store_find_row row;
	bool ok = value_cut_ids(value, &row);
	if (!ok) {
		reading_damaged(g);
		return false;
	}
	row.seq = key_seq(key);
	store_find_row_add(&g->r->rows, &row);
	return true;
}

static bool find_held(struct reading *g, const struct held_entry *entry)
{
	struct store_op op;
	if (!window_op(g, entry, entry + 1, &op))
		return false;
	const struct op_mail *m = &op.mail;
	struct store_find_row row = { .sender = m->sender, .sender_born = m->sender_born, .seq = m->seq,
				      .once = m->once, .flags = m->flags, .bytes = (uint32_t)m->text.n };
	if (str_eq(m->id, g->r->id))
		store_find_row_add(&g->r->rows, &row);
	return true;
}

static void find_mail(struct reading *g)
{
	struct key prefix = key_ids_of(g->r->name);
	key_add_str(&prefix, g->r->id);
	struct held_list held = held_list(g);
	struct range range;
	struct str key, value;
	bool ok = true;
	range_open(g, FAMILY_BOX, &prefix, &prefix, &range);
	while (ok) {
		bool base = range_at(&range, &key, &value), memory = held.at < held.end;
		if (!base && !memory)
			break;
		if (base && (!memory || key_seq(key) < held.at->seq)) {
			ok = find_row(g, key, value);
			range_next(&range);
		} else {
			ok = find_held(g, held.at++);
		}
	}
	range_close(g, &range);
}

void mail_read_find(struct reading *g)
{
	int err = receipts_base_acks(g->e->receipts, g->snapshot, g->r->name, g->r->id,
				     embedded_wall_ms(g->e), &g->acks, g->gone, &g->r->rows);
	reading_failed(g, err);
	if (!err)
		find_mail(g);
}

void mail_read_seen(struct reading *g)
{
	if (!g->r->found)
		reading_failed(g, receipts_base_once(g->e->receipts, g->snapshot, g->r->once,
						     embedded_wall_ms(g->e), &g->r->found));
}
