#include "store/memory.h"

static bool may_be_acknowledged(uint8_t flags)
{
	return !(flags & (MAIL_RECEIPT | MAIL_INFO));
}

static int mail_order(const void *key, const void *item)
{
	uint64_t seq = *(const uint64_t *)key, other = ((const struct kept *)item)->op.mail.seq;
	return (seq > other) - (seq < other);
}

static size_t mail_place(const struct mem_name *n, uint64_t seq)
{
	return sorted_place(&n->mails, &seq, mail_order);
}

static const struct op_mail *mail_at(const struct mem_name *n, size_t place)
{
	const struct kept *mail = n->mails.items[place];
	return &mail->op.mail;
}

static int ack_order(const void *key, const void *item)
{
	const struct op_ack *a = key, *b = &((const struct kept *)item)->op.ack;
	int ids = str_cmp(a->id, b->id);
	if (ids)
		return ids;
	if (a->sender_born != b->sender_born)
		return a->sender_born > b->sender_born ? 1 : -1;
	return str_cmp(a->sender, b->sender);
}

/* --- ops --- */

static void mail_take(struct mem_name *n, uint64_t seq)
{
	size_t place = mail_place(n, seq);
	if (place == n->mails.n || mail_at(n, place)->seq != seq)
		return;
	struct kept *mail = sorted_take(&n->mails, place);
	kept_unref(&mail);
}

void mem_mail_apply(struct store_mem *m, const struct store_op *op)
{
	struct store_op alone = *op;
	struct str name;
	size_t cursor = 0;
	int r;
	alone.mail.receiver_count = 0;
	alone.mail.receivers = STR("");
	struct kept *mail = kept_new(&alone);
	while ((r = strs_next(op->mail.receivers, &cursor, &name)) == 1) {
		struct mem_name *n = mem_names_make(m, name);
		mail_take(n, op->mail.seq);
		sorted_put(&n->mails, mail_place(n, op->mail.seq), mail);
		mail->refs++;
	}
	CHECK(r == 0);
	kept_unref(&mail);
	mem_once_put(m, op->mail.once, 0);
	mem_once_note_time(m, op->mail.ms);
}

/* Released twice, it was released the second time. */
static void ack_put(struct mem_name *n, const struct op_ack *ack)
{
	struct kept *before = sorted_get(&n->acks, ack, ack_order);
	if (before) {
		before->op.ack.kinds |= ack->kinds;
		before->op.ack.ms = ack->ms;
		return;
	}
	struct store_op op = { .type = OP_ACK, .ack = *ack };
	sorted_put(&n->acks, sorted_place(&n->acks, ack, ack_order), kept_new(&op));
}

void mem_mail_apply_release(struct store_mem *m, const struct op_release *op)
{
	struct mem_name *n = mem_names_make(m, op->user);
	struct op_ack ack = { op->user, op->flags, op->kinds, op->ms,
			      op->sender_born, op->sender, op->id };
	mail_take(n, op->seq);
	mem_once_put(m, op->once, op->ms);
	mem_once_note_time(m, op->ms);
	if (may_be_acknowledged(op->flags))
		ack_put(n, &ack);
}

void mem_mail_apply_ack(struct store_mem *m, const struct op_ack *op)
{
	const struct mem_name *n = mem_names_get(m, op->user);
	struct kept *before = n ? sorted_get(&n->acks, op, ack_order) : NULL;
	if (before)
		before->op.ack.kinds |= op->kinds;
}

void mem_mail_sweep(const struct store_mem *m, struct mem_name *n)
{
	size_t left = 0;
	for (size_t i = 0; i < n->acks.n; i++) {
		struct kept *ack = n->acks.items[i];
		if (mem_once_aged(m, ack->op.ack.ms))
			kept_unref(&ack);
		else
			n->acks.items[left++] = ack;
	}
	n->acks.n = left;
}

/* --- reads --- */

void mem_mail_count(const struct mem_name *n, struct store_name_row *row)
{
	for (size_t i = 0; i < n->mails.n; i++) {
		const struct op_mail *mail = mail_at(n, i);
		if (mail->seq < UINT64_C(1) << STORE_SEQ_BITS)
			row->low_seq = mail->seq;
		if (!may_be_acknowledged(mail->flags))
			continue;
		row->mail_count++;
		row->mail_bytes += mail->text.n;
	}
}

void mem_mail_read(const struct store_mem *m, struct store_read *r)
{
	const struct mem_name *n = mem_names_get(m, r->name);
	unsigned rows = 0;
	if (!n || r->after == UINT64_MAX)
		return;
	size_t i = mail_place(n, r->after + 1);
	for (; i < n->mails.n && !page_is_full(r, rows); i++) {
		const struct kept *mail = n->mails.items[i];
		txn_add(&r->rows, &mail->op);
		rows++;
	}
}

static void find_released(const struct store_mem *m, const struct mem_name *n, struct store_read *r)
{
	struct op_ack first = { .id = r->id };
	for (size_t i = sorted_place(&n->acks, &first, ack_order); i < n->acks.n; i++) {
		const struct op_ack *ack = &((const struct kept *)n->acks.items[i])->op.ack;
		if (!str_eq(ack->id, r->id))
			return;
		if (mem_once_aged(m, ack->ms))
			continue;
		struct store_find_row row = {
			.sender = ack->sender, .sender_born = ack->sender_born,
			.flags = ack->flags, .kinds = ack->kinds,
		};
		store_find_row_add(&r->rows, &row);
	}
}

void mem_mail_read_find(const struct store_mem *m, struct store_read *r)
{
	const struct mem_name *n = mem_names_get(m, r->name);
	if (!n)
		return;
	find_released(m, n, r);
	for (size_t i = 0; i < n->mails.n; i++) {
		const struct op_mail *mail = mail_at(n, i);
		if (!may_be_acknowledged(mail->flags) || !str_eq(mail->id, r->id))
			continue;
		struct store_find_row row = { mail->sender, mail->sender_born, mail->seq,
					      (uint32_t)mail->text.n, mail->flags, 0, mail->once };
		store_find_row_add(&r->rows, &row);
	}
}
