#include "store/txn.h"

/* --- writing --- */

static void put_u8(struct buf *b, uint8_t v) { buf_add(b, &v, sizeof(v)); }
static void put_u32(struct buf *b, uint32_t v) { buf_add(b, &v, sizeof(v)); } /* little-endian hosts only */
static void put_u64(struct buf *b, uint64_t v) { buf_add(b, &v, sizeof(v)); }
static void put_str(struct buf *b, struct str s)
{
	put_u32(b, (uint32_t)s.n);
	buf_str(b, s);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are stored as they lie in memory");

/* Reserves a length that put_length fills in once what it counts is there. */
static size_t put_mark(struct buf *b)
{
	size_t mark = b->n;
	put_u32(b, 0);
	return mark;
}

static void put_length(struct buf *b, size_t mark)
{
	if (b->failed)
		return;
	uint32_t n = (uint32_t)(b->n - mark - sizeof(n));
	memcpy(b->p + mark, &n, sizeof(n));
}

size_t txn_begin(struct buf *ops) { return put_mark(ops); }
void txn_end(struct buf *ops, size_t mark) { put_length(ops, mark); }

static void put_mail(struct buf *b, const struct op_mail *m)
{
	put_u64(b, m->seq);
	put_u8(b, m->flags);
	put_u64(b, (uint64_t)m->ms);
	put_u64(b, m->sender_born);
	buf_add(b, &m->once, sizeof(m->once));
	put_str(b, m->sender);
	put_str(b, m->target);
	put_str(b, m->id);
	put_u32(b, m->receiver_count);
	put_str(b, m->receivers);
	put_str(b, m->text);
}

static void put_release(struct buf *b, const struct op_release *r)
{
	put_str(b, r->user);
	put_u64(b, r->seq);
	put_u8(b, r->flags);
	put_u8(b, r->kinds);
	put_u64(b, (uint64_t)r->ms);
	put_u64(b, r->sender_born);
	buf_add(b, &r->once, sizeof(r->once));
	put_str(b, r->sender);
	put_str(b, r->id);
}

static void put_ack(struct buf *b, const struct op_ack *a)
{
	put_str(b, a->user);
	put_u8(b, a->flags);
	put_u8(b, a->kinds);
	put_u64(b, (uint64_t)a->ms);
	put_u64(b, a->sender_born);
	put_str(b, a->sender);
	put_str(b, a->id);
}

static void put_user(struct buf *b, const struct op_user_put *u)
{
	put_str(b, u->name);
	put_u64(b, u->born);
	put_u8(b, u->type);
	put_str(b, u->token);
}

static void put_name(struct buf *b, const struct op_name_put *n)
{
	put_str(b, n->name);
	put_u8(b, n->kind);
	put_u64(b, n->born);
	put_u64(b, (uint64_t)n->created_ms);
	put_str(b, n->title);
	put_str(b, n->owner);
}

static void put_link(struct buf *b, const struct op_link_put *l)
{
	put_u8(b, l->kind);
	put_str(b, l->from);
	put_str(b, l->to);
	put_u64(b, l->born);
	put_u64(b, l->order);
	put_u8(b, l->flags);
	put_u64(b, (uint64_t)l->ms);
	put_str(b, l->text);
}

static void put_fanout(struct buf *b, const struct op_fanout *f)
{
	put_u64(b, f->seq);
	put_u8(b, f->flags);
	put_u8(b, f->kind);
	put_u64(b, (uint64_t)f->ms);
	put_u64(b, f->sender_born);
	buf_add(b, &f->once, sizeof(f->once));
	put_str(b, f->sender);
	put_str(b, f->target);
	put_str(b, f->id);
	put_u32(b, f->r_at);
	put_u32(b, f->r_n);
	put_u32(b, f->slice_count);
	put_str(b, f->slices);
	put_str(b, f->text);
}

size_t txn_add(struct buf *ops, const struct store_op *op)
{
	size_t mark = put_mark(ops);
	put_u8(ops, (uint8_t)op->type);
	switch (op->type) {
	case OP_USER_PUT:
		put_user(ops, &op->user_put);
		break;
	case OP_NAME_DEL:
		put_str(ops, op->name_del.name);
		break;
	case OP_NAME_PUT:
		put_name(ops, &op->name_put);
		break;
	case OP_LINK_PUT:
		put_link(ops, &op->link_put);
		break;
	case OP_LINK_DEL:
		put_u8(ops, op->link_del.kind);
		put_str(ops, op->link_del.from);
		put_str(ops, op->link_del.to);
		break;
	case OP_TEXT_PUT:
		put_str(ops, op->text_put.name);
		put_u8(ops, op->text_put.what);
		put_str(ops, op->text_put.text);
		break;
	case OP_ONCE:
		buf_add(ops, &op->once.once, sizeof(op->once.once));
		put_u64(ops, (uint64_t)op->once.ms);
		break;
	case OP_FANOUT:
		put_fanout(ops, &op->fanout);
		break;
	case OP_FANOUT_DONE:
		put_u64(ops, op->fanout_done.seq);
		put_u32(ops, op->fanout_done.slice);
		break;
	case OP_FANOUT_END:
		put_u64(ops, op->fanout_end.seq);
		break;
	case OP_LAST_SEEN:
		put_str(ops, op->last_seen.name);
		put_u64(ops, (uint64_t)op->last_seen.ms);
		break;
	case OP_MAIL:
		put_mail(ops, &op->mail);
		break;
	case OP_RELEASE:
		put_release(ops, &op->release);
		break;
	case OP_ACK:
		put_ack(ops, &op->ack);
		break;
	case OP_NONE:
	case OP_TYPE_COUNT:
		CHECK_NEVER("an op without type");
	}
	put_length(ops, mark);
	return mark;
}

/* --- reading: a cursor that remembers that it ran over the end --- */

struct cut { const char *p, *end; bool bad; };

static struct str cut_bytes(struct cut *c, size_t n)
{
	if (n > (size_t)(c->end - c->p)) {
		c->bad = true;
		return STR(""); /* never absent, so that nobody trips over it */
	}
	struct str s = { c->p, n };
	c->p += n;
	return s;
}

static void cut_into(struct cut *c, void *out, size_t n)
{
	struct str s = cut_bytes(c, n);
	if (s.n == n)
		memcpy(out, s.p, n);
	else
		memset(out, 0, n);
}

static uint8_t cut_u8(struct cut *c) { uint8_t v; cut_into(c, &v, sizeof(v)); return v; }
static uint32_t cut_u32(struct cut *c) { uint32_t v; cut_into(c, &v, sizeof(v)); return v; }
static uint64_t cut_u64(struct cut *c) { uint64_t v; cut_into(c, &v, sizeof(v)); return v; }
static struct str cut_str(struct cut *c) { return cut_bytes(c, cut_u32(c)); }

static void cut_mail(struct cut *c, struct op_mail *m)
{
	m->seq = cut_u64(c);
	m->flags = cut_u8(c);
	m->ms = (int64_t)cut_u64(c);
	m->sender_born = cut_u64(c);
	cut_into(c, &m->once, sizeof(m->once));
	m->sender = cut_str(c);
	m->target = cut_str(c);
	m->id = cut_str(c);
	m->receiver_count = cut_u32(c);
	m->receivers = cut_str(c);
	m->text = cut_str(c);
}

static void cut_release(struct cut *c, struct op_release *r)
{
	r->user = cut_str(c);
	r->seq = cut_u64(c);
	r->flags = cut_u8(c);
	r->kinds = cut_u8(c);
	r->ms = (int64_t)cut_u64(c);
	r->sender_born = cut_u64(c);
	cut_into(c, &r->once, sizeof(r->once));
	r->sender = cut_str(c);
	r->id = cut_str(c);
}

static void cut_ack(struct cut *c, struct op_ack *a)
{
	a->user = cut_str(c);
	a->flags = cut_u8(c);
	a->kinds = cut_u8(c);
	a->ms = (int64_t)cut_u64(c);
	a->sender_born = cut_u64(c);
	a->sender = cut_str(c);
	a->id = cut_str(c);
}

static void cut_user(struct cut *c, struct op_user_put *u)
{
	u->name = cut_str(c);
	u->born = cut_u64(c);
	u->type = cut_u8(c);
	u->token = cut_str(c);
}

static void cut_name(struct cut *c, struct op_name_put *n)
{
	n->name = cut_str(c);
	n->kind = cut_u8(c);
	n->born = cut_u64(c);
	n->created_ms = (int64_t)cut_u64(c);
	n->title = cut_str(c);
	n->owner = cut_str(c);
}

static void cut_link(struct cut *c, struct op_link_put *l)
{
	l->kind = cut_u8(c);
	l->from = cut_str(c);
	l->to = cut_str(c);
	l->born = cut_u64(c);
	l->order = cut_u64(c);
	l->flags = cut_u8(c);
	l->ms = (int64_t)cut_u64(c);
	l->text = cut_str(c);
}

static void cut_fanout(struct cut *c, struct op_fanout *f)
{
	f->seq = cut_u64(c);
	f->flags = cut_u8(c);
	f->kind = cut_u8(c);
	f->ms = (int64_t)cut_u64(c);
	f->sender_born = cut_u64(c);
	cut_into(c, &f->once, sizeof(f->once));
	f->sender = cut_str(c);
	f->target = cut_str(c);
	f->id = cut_str(c);
	f->r_at = cut_u32(c);
	f->r_n = cut_u32(c);
	f->slice_count = cut_u32(c);
	f->slices = cut_str(c);
	f->text = cut_str(c);
}

/* Reads an op that fills `body` exactly. */
static int op_read(struct str body, struct store_op *out)
{
	struct cut c = { body.p, body.p + body.n, false };
	memset(out, 0, sizeof(*out));
	uint8_t type = cut_u8(&c);
	switch (type) {
	case OP_USER_PUT:
		cut_user(&c, &out->user_put);
		break;
	case OP_NAME_DEL:
		out->name_del.name = cut_str(&c);
		break;
	case OP_NAME_PUT:
		cut_name(&c, &out->name_put);
		break;
	case OP_LINK_PUT:
		cut_link(&c, &out->link_put);
		break;
	case OP_LINK_DEL:
		out->link_del.kind = cut_u8(&c);
		out->link_del.from = cut_str(&c);
		out->link_del.to = cut_str(&c);
		break;
	case OP_TEXT_PUT:
		out->text_put.name = cut_str(&c);
		out->text_put.what = cut_u8(&c);
		out->text_put.text = cut_str(&c);
		break;
	case OP_ONCE:
		cut_into(&c, &out->once.once, sizeof(out->once.once));
		out->once.ms = (int64_t)cut_u64(&c);
		break;
	case OP_FANOUT:
		cut_fanout(&c, &out->fanout);
		break;
	case OP_FANOUT_DONE:
		out->fanout_done.seq = cut_u64(&c);
		out->fanout_done.slice = cut_u32(&c);
		break;
	case OP_FANOUT_END:
		out->fanout_end.seq = cut_u64(&c);
		break;
	case OP_LAST_SEEN:
		out->last_seen.name = cut_str(&c);
		out->last_seen.ms = (int64_t)cut_u64(&c);
		break;
	case OP_MAIL:
		cut_mail(&c, &out->mail);
		break;
	case OP_RELEASE:
		cut_release(&c, &out->release);
		break;
	case OP_ACK:
		cut_ack(&c, &out->ack);
		break;
	default:
		return ERR_CORRUPT;
	}
	out->type = type;
	return c.bad || c.p != c.end ? ERR_CORRUPT : OK;
}

/* What stands behind the length at *cursor: 1, 0 at the end, ERR_CORRUPT. */
static int next_counted(struct str bytes, size_t *cursor, struct str *out)
{
	if (*cursor == bytes.n)
		return 0;
	if (*cursor > bytes.n)
		return ERR_CORRUPT;
	struct cut c = { bytes.p + *cursor, bytes.p + bytes.n, false };
	*out = cut_str(&c);
	if (c.bad)
		return ERR_CORRUPT;
	*cursor = (size_t)(c.p - bytes.p);
	return 1;
}

int store_op_at(struct str bytes, size_t offset, struct store_op *out)
{
	struct str body;
	int r = next_counted(bytes, &offset, &body);
	return r == 1 ? op_read(body, out) : ERR_CORRUPT;
}

int store_txn_next(struct str batch, size_t *cursor, struct str *ops_out)
{
	return next_counted(batch, cursor, ops_out);
}

int store_op_next(struct str ops, size_t *cursor, struct store_op *out)
{
	struct str body;
	int r = next_counted(ops, cursor, &body);
	if (r != 1)
		return r;
	int err = op_read(body, out);
	return err ? err : 1;
}

/* --- rows --- */

void store_name_row_add(struct buf *rows, const struct store_name_row *row)
{
	size_t mark = put_mark(rows);
	put_str(rows, row->name);
	put_u8(rows, row->kind);
	put_u8(rows, row->type);
	put_u64(rows, row->born);
	put_u64(rows, (uint64_t)row->last_seen_ms);
	put_u32(rows, row->mail_count);
	put_u64(rows, row->mail_bytes);
	put_str(rows, row->token);
	put_u64(rows, row->low_seq);
	put_u64(rows, (uint64_t)row->created_ms);
	put_str(rows, row->title);
	put_str(rows, row->owner);
	put_length(rows, mark);
}

int store_name_row_next(struct str rows, size_t *cursor, struct store_name_row *out)
{
	struct str body;
	int r = next_counted(rows, cursor, &body);
	if (r != 1)
		return r;
	struct cut c = { body.p, body.p + body.n, false };
	out->name = cut_str(&c);
	out->kind = cut_u8(&c);
	out->type = cut_u8(&c);
	out->born = cut_u64(&c);
	out->last_seen_ms = (int64_t)cut_u64(&c);
	out->mail_count = cut_u32(&c);
	out->mail_bytes = cut_u64(&c);
	out->token = cut_str(&c);
	out->low_seq = cut_u64(&c);
	out->created_ms = (int64_t)cut_u64(&c);
	out->title = cut_str(&c);
	out->owner = cut_str(&c);
	return c.bad || c.p != c.end ? ERR_CORRUPT : 1;
}

void store_find_row_add(struct buf *rows, const struct store_find_row *row)
{
	size_t mark = put_mark(rows);
	put_str(rows, row->sender);
	put_u64(rows, row->sender_born);
	put_u64(rows, row->seq);
	put_u32(rows, row->bytes);
	put_u8(rows, row->flags);
	put_u8(rows, row->kinds);
	buf_add(rows, &row->once, sizeof(row->once));
	put_length(rows, mark);
}

int store_find_row_next(struct str rows, size_t *cursor, struct store_find_row *out)
{
	struct str body;
	int r = next_counted(rows, cursor, &body);
	if (r != 1)
		return r;
	struct cut c = { body.p, body.p + body.n, false };
	out->sender = cut_str(&c);
	out->sender_born = cut_u64(&c);
	out->seq = cut_u64(&c);
	out->bytes = cut_u32(&c);
	out->flags = cut_u8(&c);
	out->kinds = cut_u8(&c);
	cut_into(&c, &out->once, sizeof(out->once));
	return c.bad || c.p != c.end ? ERR_CORRUPT : 1;
}

void store_link_row_add(struct buf *rows, const struct store_link_row *row)
{
	size_t mark = put_mark(rows);
	put_u8(rows, row->kind);
	put_str(rows, row->other);
	put_u64(rows, row->born);
	put_u64(rows, row->order);
	put_u8(rows, row->flags);
	put_u64(rows, (uint64_t)row->ms);
	put_str(rows, row->text);
	put_str(rows, row->title);
	put_length(rows, mark);
}

int store_link_row_next(struct str rows, size_t *cursor, struct store_link_row *out)
{
	struct str body;
	int r = next_counted(rows, cursor, &body);
	if (r != 1)
		return r;
	struct cut c = { body.p, body.p + body.n, false };
	out->kind = cut_u8(&c);
	out->other = cut_str(&c);
	out->born = cut_u64(&c);
	out->order = cut_u64(&c);
	out->flags = cut_u8(&c);
	out->ms = (int64_t)cut_u64(&c);
	out->text = cut_str(&c);
	out->title = cut_str(&c);
	return c.bad || c.p != c.end ? ERR_CORRUPT : 1;
}
