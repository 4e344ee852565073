/* Transactions as bytes: how chat writes them and engines read them, without allocation.
 *
 *   batch  = txn …                       a whole number of them
 *   txn    = u32 bytes of what follows, op …
 *   op     = u32 bytes of what follows, u8 type (ops.def), fields
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

struct op_user_put {
	struct str name;
	uint64_t born;     /* sequence at creation: tells this user from a later one of that name */
	uint8_t type;      /* 0 user, 1 admin */
	struct str token;  /* the hash, never the token */
};
struct op_name_del { struct str name; };
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
	struct str receivers;   /* receiver_count names (base/strs.h) */
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

struct op_name_put {
	struct str name;
	uint8_t kind;           /* STORE_GROUP, STORE_BROADCAST */
	uint64_t born;
	int64_t created_ms;
	struct str title;       /* the name for people */
	struct str owner;       /* of a broadcast; empty for groups */
};
/* One tie, readable from both ends. Those of one (kind, from, to) are one. */
struct op_link_put {
	uint8_t kind;           /* enum store_link */
	struct str from, to;
	uint64_t born;          /* of the user at the far end: FOLLOW, BLOCK of `to`, else of `from` */
	uint64_t order;         /* sequence: members are listed by it */
	uint8_t flags;          /* LINK_… */
	int64_t ms;             /* MEMBER: muted till, 0 not */
	struct str text;        /* FOLLOW: nick name */
};
struct op_link_del { uint8_t kind; struct str from, to; };
struct op_text_put { struct str name; uint8_t what; struct str text; }; /* enum store_text */
struct op_once { struct hash128 once; int64_t ms; };
struct op_fanout {
	uint64_t seq;           /* its own number; the mail gets one from the home of each receiver */
	uint8_t flags;          /* MAIL_… */
	uint8_t kind;           /* of `target`: STORE_GROUP or STORE_BROADCAST */
	int64_t ms;
	uint64_t sender_born;
	struct hash128 once;    /* zero: not to be remembered. Kept as `in a mailbox` (GROUP) or as released
				   at `ms` (BROADCAST, whose copies are remembered each) */
	struct str sender;      /* empty: information */
	struct str target;      /* the group or broadcast */
	struct str id;
	uint32_t r_at, r_n;     /* where in the text the value of `r` stands, its quotes too; 0, 0 nowhere */
	uint32_t slice_count;
	struct str slices;      /* a list (base/strs.h) of lists of receivers; slice 0, 1, … */
	struct str text;
};
struct op_fanout_done { uint64_t seq; uint32_t slice; };
struct op_fanout_end { uint64_t seq; };

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
	uint64_t low_seq;      /* the highest sequence below 1 << STORE_SEQ_BITS in the mailbox; 0 none */
	int64_t created_ms;    /* group, broadcast: as in op_name_put */
	struct str title, owner;
};
/* One end of a tie, as seen from the name asked about. */
struct store_link_row {
	uint8_t kind;          /* enum store_link */
	struct str other;      /* the name at the other end */
	uint64_t born, order;  /* as in op_link_put */
	uint8_t flags;
	int64_t ms;
	struct str text;
	struct str title;      /* MEMBER, OWN, LISTED on side OF: the title of `other`, as it is now */
};
struct store_find_row {
	struct str sender;
	uint64_t sender_born;
	uint64_t seq;          /* 0: released already */
	uint32_t bytes;        /* of its text; 0 when released */
	uint8_t flags;         /* MAIL_… (never RECEIPT or INFO) */
	uint8_t kinds;         /* ACK_… so far */
	struct hash128 once;   /* as it stood in the mail; zero when released */
};
void store_name_row_add(struct buf *rows, const struct store_name_row *row);
int store_name_row_next(struct str rows, size_t *cursor, struct store_name_row *out) WARN_UNUSED;
void store_find_row_add(struct buf *rows, const struct store_find_row *row);
/* In order of sequence, released ones first (they are older). */
int store_find_row_next(struct str rows, size_t *cursor, struct store_find_row *out) WARN_UNUSED;
void store_link_row_add(struct buf *rows, const struct store_link_row *row);
int store_link_row_next(struct str rows, size_t *cursor, struct store_link_row *out) WARN_UNUSED;
