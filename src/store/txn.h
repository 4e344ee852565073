/* Transactions as bytes: how chat writes them and engines read them, without allocation.
 *
 *   batch  = txn …                       a whole number of them
 *   txn    = u32 bytes of what follows, op …
 *   op     = u32 bytes of what follows, u8 type (ops.def), fields
 *   field  = little-endian integer | u32 length + bytes
 *
 * The same op encoding carries the rows of mailbox reads. Integers are not aligned.
 * Views that come out of a reader point into the buffer read. */
#pragma once
#include "store/store.h"

enum store_op_type {
	OP_NONE,
#define OP(NAME, member, meaning) OP_##NAME,
#include "store/ops.def"
#undef OP
	OP_TYPE_COUNT
};

struct op_user_put {
	struct str name;
	uint64_t born;     /* sequence at creation: tells this user from a later one of that name */
	uint8_t type;      /* 0 user, 1 admin */
	struct str token;  /* the hash, never the token */
};
struct op_user_del { struct str name; };
struct op_last_seen { struct str name; int64_t ms; };
struct op_mail {
	uint64_t seq;
	uint8_t flags;          /* MAIL_… */
	int64_t ms;             /* wall time of acceptance */
	uint64_t sender_born;
	struct hash128 once;    /* zero: not to be remembered (receipts, information) */
	struct str sender;
	struct str target;      /* what `r` named: the user himself, a group, a broadcast */
	struct str id;
	uint32_t receiver_count;
	struct str receivers;   /* receiver_count times u32 length + name; see store_receiver_next */
	struct str text;        /* the packet as it goes over the wire */
};
struct op_release {
	struct str user;
	uint64_t seq;
	uint8_t flags;          /* of the mail */
	uint8_t kinds;          /* ACK_… */
	int64_t ms;             /* now: the retention counts from here */
	uint64_t sender_born;
	struct hash128 once;    /* as it stood in the mail */
	struct str sender;
	struct str id;
};
struct op_ack { /* adds kinds to an acknowledgement made before, keeping its other fields */
	struct str user;
	uint8_t flags;
	uint8_t kinds;
	int64_t ms;
	uint64_t sender_born;
	struct str sender;
	struct str id;
};

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
void store_receiver_add(struct buf *receivers, struct str name);

/* Reading. 0, or ERR_CORRUPT for bytes that are no such thing (never reads past the end). */
int store_op_at(struct str bytes, size_t offset, struct store_op *out) WARN_UNUSED;
/* Iterates over txns (with *cursor = 0 at first): 1 and the ops' bytes, 0 at the end, ERR_CORRUPT. */
int store_txn_next(struct str batch, size_t *cursor, struct str *ops_out) WARN_UNUSED;
/* Iterates over ops of one txn, or rows of a mailbox read: 1, 0, ERR_CORRUPT. */
int store_op_next(struct str ops, size_t *cursor, struct store_op *out) WARN_UNUSED;
/* Iterates over op_mail.receivers: 1, 0, ERR_CORRUPT. */
int store_receiver_next(struct str receivers, size_t *cursor, struct str *name_out) WARN_UNUSED;

/* Rows of reads. */
struct store_name_row {
	struct str name;
	uint8_t kind;          /* store_name_kind */
	uint8_t type;          /* user: 0 user, 1 admin */
	uint64_t born;
	int64_t last_seen_ms;  /* -1 never */
	uint32_t mail_count;   /* what lies in the mailbox, receipts and information left out */
	uint64_t mail_bytes;   /* sum of their text lengths; both 0 in rows of STORE_READ_NAMES */
	struct str token;      /* hash; empty in rows of STORE_READ_NAMES */
};
struct store_find_row {
	struct str sender;
	uint64_t sender_born;
	uint64_t seq;          /* 0: released already */
	uint32_t bytes;        /* of its text; 0 when released */
	uint8_t flags;         /* MAIL_… (never RECEIPT or INFO) */
	uint8_t kinds;         /* ACK_… so far */
};
void store_name_row_add(struct buf *rows, const struct store_name_row *row);
int store_name_row_next(struct str rows, size_t *cursor, struct store_name_row *out) WARN_UNUSED;
void store_find_row_add(struct buf *rows, const struct store_find_row *row);
/* In order of sequence, released ones first (they are older). */
int store_find_row_next(struct str rows, size_t *cursor, struct store_find_row *out) WARN_UNUSED;
