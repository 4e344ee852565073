/* Rows of the receipt index that came by live segments of the journal: a table a segment, which goes with
 * it. One thread, or under a lock. Out of memory ends the process by CHECK. */
#pragma once
#include "base/map.h"
#include "store/txn.h"

/* A row as it lies in the segment's buffer: this, then for an ack str8 user, str8 id, str8 sender. */
struct recent_row {
	uint32_t next;      /* in its chain: offset + 1, 0 the end */
	uint32_t hash;
	int64_t ms;         /* once: 0 or less: in a mailbox, accepted at -ms */
	struct hash128 once; /* ack: the sender's birth in `a` */
	uint8_t kind;       /* RECENT_… */
	uint8_t flags, kinds;
	uint8_t pad[5];
};
enum { RECENT_ONCE, RECENT_ACK };
struct recent_ack { struct str user, id, sender; };

struct recent_segment {
	uint64_t number;
	struct buf rows;
	uint32_t *_chains;
	uint32_t _chain_n, row_n;
	struct map _gone;   /* users that were deleted: struct recent_gone */
	struct recent_segment *older;
};
struct recent { struct recent_segment *newest; struct hash_key _key; };

void recent_init(struct recent *r);
void recent_deinit(struct recent *r);
/* Returns what the segment had: ms, 0 for nothing. */
int64_t recent_add_once(struct recent *r, uint64_t segment, struct hash128 once, int64_t ms);
void recent_add_ack(struct recent *r, uint64_t segment, const struct op_ack *ack);
/* No ack row of the user that was added before is found any more. */
void recent_forget_user(struct recent *r, uint64_t segment, struct str user);
/* What was told last; NULL: nothing. */
const struct recent_row *recent_once(const struct recent *r, struct hash128 once);
/* Calls each(ctx, row, ack) for the user's rows of that id, the last one first. True: he was deleted in a
 * live segment, and what was before that is none of his. */
typedef void recent_each(void *ctx, const struct recent_row *row, const struct recent_ack *ack);
bool recent_acks(const struct recent *r, struct str user, struct str id, recent_each *each, void *ctx);
/* Iterates over a segment's rows in the order added; *cursor 0 at first. NULL at the end. */
const struct recent_row *recent_next(const struct recent_segment *s, size_t *cursor,
				     struct recent_ack *ack_out);
/* The user was deleted behind the row that ends at `end` of `s`: in it or in a later segment. */
bool recent_is_gone(const struct recent *r, const struct recent_segment *s, size_t end, struct str user);
bool recent_any_gone(const struct recent *r);
void recent_forget_segments(struct recent *r, uint64_t upto);
size_t recent_bytes(const struct recent *r);
