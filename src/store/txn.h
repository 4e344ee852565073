/* Transactions as bytes: how chat writes them and engines read them, without allocation.
 *
 *   batch  = txn …                       a whole number of them
 *   txn    = u32 bytes of what follows, op …
 *   op     = u32 bytes of what follows, u8 type (ops.def), fields (fields.def)
 *   row    = u32 bytes of what follows, fields (fields.def)
 *   field  = little-endian integer | u32 length + bytes
 *
 * The same op encoding carries the rows of mailbox reads. Integers are not aligned.
 * Lists of names are as in base/strs.h. Views that come out of a reader point into the buffer read. */
#pragma once
#include "base/strs.h"
#include "store/store.h"

enum store_op_type {
	OP_NONE,
#define OP(NAME, member, meaning) OP_##NAME,
#include "store/ops.def"
#undef OP
	OP_TYPE_COUNT
};

/* struct op_user_put … op_fanout_end, one for each row of ops.def, and the rows of reads: struct
 * store_name_row, store_link_row, store_find_row. Their fields stand in fields.def. */
#define FIELD_C_U8 uint8_t
#define FIELD_C_U32 uint32_t
#define FIELD_C_U64 uint64_t
#define FIELD_C_MS int64_t
#define FIELD_C_HASH struct hash128
#define FIELD_C_STR struct str

#define STRUCT_BEGIN(name) struct name {
#define FIELD(name, TYPE, member) FIELD_C_##TYPE member;
#define STRUCT_END(name) };
#include "store/fields.def"

struct store_op {
	enum store_op_type type;
	union {
#define OP(NAME, member, meaning) struct op_##member member;
#include "store/ops.def"
#undef OP
	};
};

/* Writing. txn_begin returns a mark that txn_end needs; ops in between are one transaction.
 * Ops are appended whole or the buffer is marked failed. */
size_t txn_begin(struct buf *ops);
void txn_end(struct buf *ops, size_t mark);
/* Returns the offset of the op in the buffer, for store_op_at. */
size_t txn_add(struct buf *ops, const struct store_op *op);

/* Reading. 0, or ERR_CORRUPT for bytes that are no such thing (never reads past the end). */
int store_op_at(struct str bytes, size_t offset, struct store_op *out) WARN_UNUSED;
/* Iterates over txns (with *cursor = 0 at first): 1 and the ops' bytes, 0 at the end, ERR_CORRUPT. */
int store_txn_next(struct str batch, size_t *cursor, struct str *ops_out) WARN_UNUSED;
/* Iterates over ops of one txn, or rows of a mailbox read: 1, 0, ERR_CORRUPT. */
int store_op_next(struct str ops, size_t *cursor, struct store_op *out) WARN_UNUSED;

/* Rows of reads: 1, 0 at the end, ERR_CORRUPT. */
void store_name_row_add(struct buf *rows, const struct store_name_row *row);
int store_name_row_next(struct str rows, size_t *cursor, struct store_name_row *out) WARN_UNUSED;
void store_find_row_add(struct buf *rows, const struct store_find_row *row);
/* In order of sequence, released ones first (they are older). */
int store_find_row_next(struct str rows, size_t *cursor, struct store_find_row *out) WARN_UNUSED;
void store_link_row_add(struct buf *rows, const struct store_link_row *row);
int store_link_row_next(struct str rows, size_t *cursor, struct store_link_row *out) WARN_UNUSED;
