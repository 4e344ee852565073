#include "store/txn.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers go as they lie in memory");

/* --- writing --- */

static void put_U8(struct buf *b, uint8_t v) { buf_add(b, &v, sizeof(v)); }
static void put_U32(struct buf *b, uint32_t v) { buf_add(b, &v, sizeof(v)); }
static void put_U64(struct buf *b, uint64_t v) { buf_add(b, &v, sizeof(v)); }
static void put_MS(struct buf *b, int64_t v) { buf_add(b, &v, sizeof(v)); }
static void put_HASH(struct buf *b, struct hash128 v) { buf_add(b, &v, sizeof(v)); }
static void put_STR(struct buf *b, struct str v)
{
	put_U32(b, (uint32_t)v.n);
	buf_str(b, v);
}

/* put_op_user_put … put_store_find_row: the fields one after the other. */
#define STRUCT_BEGIN(name) static void put_##name(struct buf *b, const struct name *v) {
#define FIELD(name, TYPE, member) put_##TYPE(b, v->member);
#define STRUCT_END(name) }
#include "store/fields.def"

/* Reserves a length that put_length fills in once what it counts is there. */
static size_t put_mark(struct buf *b)
{
	size_t mark = b->n;
	put_U32(b, 0);
	return mark;
}

static void put_length(struct buf *b, size_t mark)
{
	if (b->failed)
		return;
	uint32_t n = (uint32_t)(b->n - mark - sizeof(n));
	memcpy(b->p + mark, &n, sizeof(n));
}

size_t txn_begin(struct buf *ops)
{
	return put_mark(ops);
}

void txn_end(struct buf *ops, size_t mark)
{
	put_length(ops, mark);
}

size_t txn_add(struct buf *ops, const struct store_op *op)
{
	size_t mark = put_mark(ops);
	put_U8(ops, (uint8_t)op->type);
	switch (op->type) {
#define OP(NAME, member, meaning)                  \
	case OP_##NAME:                            \
		put_op_##member(ops, &op->member); \
		break;
#include "store/ops.def"
#undef OP
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

static uint8_t cut_U8(struct cut *c) { uint8_t v; cut_into(c, &v, sizeof(v)); return v; }
static uint32_t cut_U32(struct cut *c) { uint32_t v; cut_into(c, &v, sizeof(v)); return v; }
static uint64_t cut_U64(struct cut *c) { uint64_t v; cut_into(c, &v, sizeof(v)); return v; }
static int64_t cut_MS(struct cut *c) { int64_t v; cut_into(c, &v, sizeof(v)); return v; }
static struct hash128 cut_HASH(struct cut *c)
{
	struct hash128 v;
	cut_into(c, &v, sizeof(v));
	return v;
}
static struct str cut_STR(struct cut *c) { return cut_bytes(c, cut_U32(c)); }

/* cut_op_user_put … cut_store_find_row: bytes that are what put_… writes: 1, else ERR_CORRUPT. */
#define STRUCT_BEGIN(name)                                     \
	static int cut_##name(struct str bytes, struct name *out) \
	{                                                         \
		struct cut c = { bytes.p, bytes.p + bytes.n, false };
#define FIELD(name, TYPE, member) out->member = cut_##TYPE(&c);
#define STRUCT_END(name)                                       \
		return c.bad || c.p != c.end ? ERR_CORRUPT : 1;   \
	}
#include "store/fields.def"

static int cut_op(struct str bytes, struct store_op *out)
{
	if (!bytes.n)
		return ERR_CORRUPT;
	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)bytes.p[0];
	struct str fields = { bytes.p + 1, bytes.n - 1 };
	switch (out->type) {
#define OP(NAME, member, meaning) \
	case OP_##NAME:           \
		return cut_op_##member(fields, &out->member);
#include "store/ops.def"
#undef OP
	case OP_NONE:
	case OP_TYPE_COUNT:
		break;
	}
	return ERR_CORRUPT;
}

/* What stands behind the length at *cursor: 1, 0 at the end, ERR_CORRUPT. */
static int cut_next(struct str bytes, size_t *cursor, struct str *out)
{
	if (*cursor == bytes.n)
		return 0;
	if (*cursor > bytes.n)
		return ERR_CORRUPT;
	struct cut c = { bytes.p + *cursor, bytes.p + bytes.n, false };
	*out = cut_STR(&c);
	if (c.bad)
		return ERR_CORRUPT;
	*cursor = (size_t)(c.p - bytes.p);
	return 1;
}

int store_op_at(struct str bytes, size_t offset, struct store_op *out)
{
	return store_op_next(bytes, &offset, out) == 1 ? OK : ERR_CORRUPT;
}

int store_txn_next(struct str batch, size_t *cursor, struct str *ops_out)
{
	return cut_next(batch, cursor, ops_out);
}

int store_op_next(struct str ops, size_t *cursor, struct store_op *out)
{
	struct str bytes;
	int r = cut_next(ops, cursor, &bytes);
	return r == 1 ? cut_op(bytes, out) : r;
}

/* --- rows --- */

void store_name_row_add(struct buf *rows, const struct store_name_row *row)
{
	size_t mark = put_mark(rows);
	put_store_name_row(rows, row);
	put_length(rows, mark);
}

int store_name_row_next(struct str rows, size_t *cursor, struct store_name_row *out)
{
	struct str bytes;
	int r = cut_next(rows, cursor, &bytes);
	return r == 1 ? cut_store_name_row(bytes, out) : r;
}

void store_link_row_add(struct buf *rows, const struct store_link_row *row)
{
	size_t mark = put_mark(rows);
	put_store_link_row(rows, row);
	put_length(rows, mark);
}

int store_link_row_next(struct str rows, size_t *cursor, struct store_link_row *out)
{
	struct str bytes;
	int r = cut_next(rows, cursor, &bytes);
	return r == 1 ? cut_store_link_row(bytes, out) : r;
}

void store_find_row_add(struct buf *rows, const struct store_find_row *row)
{
	size_t mark = put_mark(rows);
	put_store_find_row(rows, row);
	put_length(rows, mark);
}

int store_find_row_next(struct str rows, size_t *cursor, struct store_find_row *out)
{
	struct str bytes;
	int r = cut_next(rows, cursor, &bytes);
	return r == 1 ? cut_store_find_row(bytes, out) : r;
}
