/* Mailboxes and what was released from them.
 *
 *   FAMILY_BOX   str8 user, u64 seq                                        -> the mail
 *   FAMILY_IDS   str8 user, str8 id, u64 seq                               -> the mail in small
 *   FAMILY_ACKS  str8 user, str8 id, u64 sender_born, str8 sender, u8 kinds -> flags, time */
#include "store/embedded.h"
#include "base/clock.h"

_Static_assert(OP_MAIL == 4, "the type stands in every row of a mailbox on disk");

/* In `kinds` of a row that was made by the release itself. A row made later never replaces that one,
 * whose age is the age of them all. */
#define KINDS_RELEASE 0x80

static bool may_be_acknowledged(uint8_t flags)
{
	return !(flags & (MAIL_RECEIPT | MAIL_INFO));
}

/* --- rows --- */

static struct key key_box(struct str user, uint64_t seq)
{
	struct key k = key_str(user);
	key_add_u64(&k, seq);
	return k;
}

/* Prefix of all under one id, in FAMILY_IDS and FAMILY_ACKS. */
static struct key key_id(struct str user, struct str id)
{
	struct key k = key_str(user);
	key_add_str(&k, id);
	return k;
}

static struct key key_ids(struct str user, struct str id, uint64_t seq)
{
	struct key k = key_id(user, id);
	key_add_u64(&k, seq);
	return k;
}

static struct key key_ack(const struct op_ack *ack)
{
	struct key k = key_id(ack->user, ack->id);
	key_add_u64(&k, ack->sender_born);
	key_add_str(&k, ack->sender);
	key_add_u8(&k, ack->kinds);
	return k;
}

/* The sequence at the end of a key; 0 if there is none. */
static uint64_t key_seq(struct str key)
{
	uint64_t seq;
	struct str end = { key.p + key.n - sizeof(seq), sizeof(seq) };
	return key.n >= sizeof(seq) && key_cut_u64(&end, &seq) ? seq : 0;
}

static void value_box(struct buf *out, const struct op_mail *mail)
{
	struct store_op op = { .type = OP_MAIL, .mail = *mail };
	op.mail.receiver_count = 0; /* he stands in the key */
	op.mail.receivers = STR("");
	value_begin(out);
	txn_add(out, &op);
}

static void value_ids(struct buf *out, const struct op_mail *mail)
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

static void value_ack(struct buf *out, uint8_t flags, int64_t ms)
{
	value_begin(out);
	buf_u8(out, flags);
	buf_add(out, &ms, sizeof(ms));
}

static bool value_cut_ack(struct str value, uint8_t *flags_out, int64_t *ms_out)
{
	return value_cut_version(&value) && value_cut(&value, flags_out, sizeof(*flags_out)) &&
	       value_cut(&value, ms_out, sizeof(*ms_out)) && value.n == 0;
}

bool mail_ack_aged(const struct store_embedded *e, struct str value)
{
	int64_t ms;
	uint8_t flags;
	return value_cut_ack(value, &flags, &ms) && embedded_aged(e, ms);
}

/* --- ops --- */

static void apply_ids(struct store_embedded *e, const struct op_mail *op)
{
	struct str name;
	size_t cursor = 0;
	value_ids(&e->value, op);
	while (strs_next(op->receivers, &cursor, &name) == 1) {
		struct key key = key_ids(name, op->id, op->seq);
		rows_put(e, FAMILY_IDS, &key);
	}
}

void mail_apply(struct store_embedded *e, const struct op_mail *op)
{
	struct str name;
	size_t cursor = 0;
	int r;
	value_box(&e->value, op);
	while ((r = strs_next(op->receivers, &cursor, &name)) == 1) {
		struct key key = key_box(name, op->seq);
		rows_put(e, FAMILY_BOX, &key);
	}
	CHECK(r == 0);
	if (may_be_acknowledged(op->flags))
		apply_ids(e, op);
	once_apply(e, op->once, 0);
}

void mail_apply_ack(struct store_embedded *e, const struct op_ack *op)
{
	struct key key = key_ack(op);
	value_ack(&e->value, op->flags, op->ms);
	rows_put(e, FAMILY_ACKS, &key);
}

/* Plain deletes, though each row is put once: a single-delete would save tombstones, but what it
 * leaves when a row was put or deleted twice is undefined, and twice must do no harm. */
void mail_apply_release(struct store_embedded *e, const struct op_release *op)
{
	struct key key = key_box(op->user, op->seq);
	rows_forget(e, FAMILY_BOX, &key);
	once_apply(e, op->once, op->ms);
	if (!may_be_acknowledged(op->flags))
		return;
	key = key_ids(op->user, op->id, op->seq);
	rows_forget(e, FAMILY_IDS, &key);
	struct op_ack ack = { op->user, op->flags, op->kinds | KINDS_RELEASE, op->ms,
			      op->sender_born, op->sender, op->id };
	mail_apply_ack(e, &ack);
}

/* Nobody will release what lies in his mailbox, so its `once` rows would stay for ever: they count as
 * released now. */
static int release_all(struct store_embedded *e, const struct key *prefix)
{
	struct buf rows;
	struct store_find_row row;
	struct str key, value;
	size_t cursor = 0;
	buf_init(&rows, (size_t)1 << 30);
	int err = rows_list(e, FAMILY_IDS, prefix, true, &rows);
	while (!err && strs_next(buf_view(&rows), &cursor, &key) == 1 &&
	       strs_next(buf_view(&rows), &cursor, &value) == 1) {
		struct key gone = key_bytes(key);
		if (value_cut_ids(value, &row))
			once_apply(e, row.once, wall_now().ms);
		else
			err = ERR_UNAVAILABLE;
		rows_forget(e, FAMILY_IDS, &gone);
	}
	buf_deinit(&rows);
	return err;
}

int mail_apply_name_del(struct store_embedded *e, struct str name)
{
	struct key prefix = key_str(name);
	int err = release_all(e, &prefix);
	if (!err)
		err = rows_forget_all(e, FAMILY_BOX, &prefix);
	if (!err)
		err = rows_forget_all(e, FAMILY_ACKS, &prefix);
	return err;
}

/* --- reads of mailboxes --- */

void mail_read_mailbox(struct reading *g)
{
	struct store_read *r = g->r;
	if (r->after == UINT64_MAX)
		return;
	struct key prefix = key_str(r->name), from = key_box(r->name, r->after + 1);
	struct range range;
	struct str key, value;
	unsigned rows = 0;
	range_open(g->e, FAMILY_BOX, g->options, &prefix, &from, &range);
	for (; range_at(&range, &key, &value) && !reading_page_full(g, rows); rows++) {
		if (!value_cut_version(&value)) {
			reading_damaged(g);
			break;
		}
		buf_str(&r->rows, value);
		rocksdb_iter_next(range.it);
	}
	reading_close(g, &range);
}

/* Of those with a low sequence the last one is next to the first of the others. The end of the range
 * keeps the search from what other users left before. */
static uint64_t low_seq(struct reading *g)
{
	struct key prefix = key_str(g->r->name);
	struct key last = key_box(g->r->name, (UINT64_C(1) << STORE_SEQ_BITS) - 1);
	struct range range;
	struct str key, value;
	rocksdb_readoptions_set_iterate_lower_bound(g->options, prefix.p, prefix.n);
	range_open(g->e, FAMILY_BOX, g->options, &prefix, &prefix, &range);
	rocksdb_iter_seek_for_prev(range.it, last.p, last.n);
	uint64_t seq = range_at(&range, &key, &value) ? key_seq(key) : 0;
	reading_close(g, &range);
	rocksdb_readoptions_set_iterate_lower_bound(g->options, NULL, 0);
	return seq;
}

void mail_read_count(struct reading *g, struct store_name_row *row)
{
	struct key prefix = key_str(g->r->name);
	struct range range;
	struct str key, value;
	struct store_find_row ids;
	range_open(g->e, FAMILY_IDS, g->options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!value_cut_ids(value, &ids)) {
			reading_damaged(g);
			break;
		}
		row->mail_count++;
		row->mail_bytes += ids.bytes;
	}
	reading_close(g, &range);
	row->low_seq = low_seq(g);
}

/* --- reads by id --- */

/* What several rows say of the acknowledgement of one message. */
struct acked { struct store_find_row find; char sender[EMBEDDED_NAME_BYTES_MAX]; };

static void acked_end(struct reading *g, struct acked *a)
{
	if (a->find.kinds & KINDS_RELEASE) { /* else what remains is of one that has aged */
		a->find.kinds &= (uint8_t)~KINDS_RELEASE;
		store_find_row_add(&g->r->rows, &a->find);
	}
	a->find = (struct store_find_row){ 0 };
}

/* `key` is what stands behind the id. */
static bool acked_row(struct reading *g, struct acked *a, struct str key, struct str value)
{
	struct str sender;
	uint64_t born;
	uint8_t kinds, flags;
	int64_t ms;
	if (!key_cut_u64(&key, &born) || !key_cut_str(&key, &sender) || !key_cut_u8(&key, &kinds) ||
	    key.n || !value_cut_ack(value, &flags, &ms))
		return false;
	if (embedded_aged(g->e, ms))
		return true;
	if (a->find.sender_born != born || !str_eq(a->find.sender, sender)) {
		acked_end(g, a);
		memcpy(a->sender, sender.p, sender.n);
		a->find.sender = (struct str){ a->sender, sender.n };
		a->find.sender_born = born;
	}
	a->find.kinds |= kinds;
	if (kinds & KINDS_RELEASE)
		a->find.flags = flags;
	return true;
}

static void find_acks(struct reading *g)
{
	struct key prefix = key_id(g->r->name, g->r->id);
	struct range range;
	struct str key, value;
	struct acked acked;
	acked.find = (struct store_find_row){ 0 };
	range_open(g->e, FAMILY_ACKS, g->options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		struct str behind = { key.p + prefix.n, key.n - prefix.n };
		if (!acked_row(g, &acked, behind, value)) {
			reading_damaged(g);
			break;
		}
	}
	acked_end(g, &acked);
	reading_close(g, &range);
}

static void find_mail(struct reading *g)
{
	struct key prefix = key_id(g->r->name, g->r->id);
	struct range range;
	struct str key, value;
	struct store_find_row row;
	range_open(g->e, FAMILY_IDS, g->options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!value_cut_ids(value, &row)) {
			reading_damaged(g);
			break;
		}
		row.seq = key_seq(key);
		store_find_row_add(&g->r->rows, &row);
	}
	reading_close(g, &range);
}

void mail_read_find(struct reading *g)
{
	find_acks(g);
	if (g->r->status == OK)
		find_mail(g);
}
