/* The receipt index: which messages were stored before, and what was acknowledged, within
 * delivery.receipt_retention (protocol.md section 12, promise 3; section 6 on dm and nm).
 *
 * Two kinds of rows, both with a time `ms` (Unix, milliseconds):
 *   once   16 bytes of hash                               -> when the message was released (or accepted,
 *                                                            where nothing is released)
 *   ack    user, id, birth of the sender, sender, kinds   -> flags, when
 * Rows lie in three places: those that came by segments of the journal that are still live are in
 * memory, a table a segment (recent.h); older ones are sorted rows in the base's FAMILY_RECEIPTS
 * under time slices of retention / 8; and what lies un-released in mailboxes in the base has its once
 * in FAMILY_BOX, beside the mail. Before all of them stands a Bloom filter a slice, in memory (bloom.h),
 * which knows every once: nearly each new message is answered by it alone, by any worker, without a lock.
 *
 * Slices: the window is the newest slice, which is that of the time it is (never an earlier one than
 * before: a clock set back goes on in it), and the 8 before it. A row goes to the slice of its time, or
 * the newest if that is not in the window. What has aged out of the window is dropped a slice at a time.
 *
 * FAMILY_RECEIPTS   u32 slice, 'o', 16 bytes                                     -> version 1, i64 ms
 *                   u32 slice, 'a', str8 user, str8 id, u64 birth, str8 sender, u8 kinds
 *                                                                               -> version 1, u8 flags, i64 ms
 * FAMILY_BOX        BOX_ONCE, 16 bytes      -> version 2, u32 slice in whose filter its bits are, and in
 *                                              that of each ninth slice after it; or, if its receiver was
 *                                              deleted, version 1, i64 ms
 * FAMILY_META       "slice_ms"              -> u64: how long a slice is
 * FAMILY_ONCE       of directories of format 2 only, read and never written: 16 bytes -> version 1, i64 ms
 *                   (0: in a mailbox)
 * FAMILY_ACKS       likewise: str8 user, str8 id, u64 birth, str8 sender, u8 kinds -> version 1, u8 flags,
 *                   i64 ms
 * (integers within keys are big-endian, in values little-endian; str8: a byte of length and the bytes)
 *
 * The filters are not on disk: after opening they are filled again from the base by receipts_rebuild, on
 * a thread of its own; till then receipts_seen answers -1 for what it does not know.
 *
 * Threads: receipts_seen by worker `w` < 64, any time, lock-free. receipts_build and _carry by one other
 * thread, receipts_rebuild by one more. (L): the caller holds config.lock. Out of memory ends the process
 * by CHECK, as elsewhere in store/. */
#pragma once
#include "base/metrics.h"
#include "store/base.h"
#include "store/keys.h"
#include "store/txn.h"
#include <pthread.h>

struct receipts;
struct receipts_config {
	struct base *base;
	pthread_mutex_t *lock;    /* what (L) means; taken by the others where they need it */
	int64_t retention_ms;     /* >= 1; a slice is an eighth, a second at least */
	int64_t now_ms;           /* the newest slice to begin with, unless the base has a later one */
	size_t filter_bytes_max;  /* beyond it filters take more rows than they are made for: more answers
	                           * are `unknown`, none is wrong */
};
/* Changes the base's rows where slices were of another length before (waits till that is durable).
 * ERR_IO, ERR_CORRUPT, ERR_NOSPC. */
int receipts_open(const struct receipts_config *config, struct receipts **out) WARN_UNUSED;
void receipts_free(struct receipts *r); /* NULL is none */

/* --- what transactions say (committer, L); `segment` is never smaller than at the call before --- */

/* ms 0: it lies in a mailbox, accepted at accepted_ms: known as long as its segment is live; whoever spills
 * the mail puts it into FAMILY_BOX (receipts_held_key). */
void receipts_add_once(struct receipts *r, uint64_t segment, struct hash128 once, int64_t ms,
		       int64_t accepted_ms);
/* kinds: ACK_… | KINDS_RELEASE in the row of the release itself, whose age is the age of them all. */
void receipts_add_ack(struct receipts *r, uint64_t segment, const struct op_ack *ack);
#define KINDS_RELEASE 0x80
/* The name is deleted: no ack row of that user added before is found any more. Rows in the base are
 * forgotten by base_forget (the caller's base_write follows). ERR_IO, ERR_CORRUPT: they can not be read.
 * With `dry`, nothing is done but the reading. */
int receipts_forget_user(struct receipts *r, uint64_t segment, struct str user, bool dry) WARN_UNUSED;

/* --- questions --- */

/* 0: never stored (or forgotten). -1: it may have been, ask on. Never wrong; knows what receipts_add_once
 * was told before. */
int receipts_seen(struct receipts *r, unsigned w, struct hash128 once);
/* A question in two parts: under the lock what is in memory (L), together with the snapshot; then,
 * without it, the base. `now_ms` decides what has aged: ms + retention <= now_ms. */
bool receipts_recent_once(const struct receipts *r, struct hash128 once, int64_t now_ms); /* L */
int receipts_base_once(struct receipts *r, struct base_snapshot *s, struct hash128 once, int64_t now_ms,
		       bool *found_out) WARN_UNUSED;
/* Ack rows of (user, id), joined: one row of store_find_row for each (birth, sender) that has a row
 * with KINDS_RELEASE that has not aged, its kinds those of all its rows, its flags that row's; seq 0.
 * In order of (birth, sender). recent: appends them to `found` in a form of its own; *gone_out: the user was
 * deleted in a live segment, so the base's rows of him are none of his. base: takes `found`, adds the base's
 * rows to it and writes the joined result to `rows`. */
void receipts_recent_acks(const struct receipts *r, struct str user, struct str id, struct buf *found,
			  bool *gone_out); /* L */
int receipts_base_acks(struct receipts *r, struct base_snapshot *s, struct str user, struct str id,
		       int64_t now_ms, struct buf *found, bool gone, struct buf *rows) WARN_UNUSED;

/* --- from memory to the base --- */

/* Rows of segments <= `upto`, which grow no more, as one bulk, aged ones left out (while the committer goes
 * on with later segments, and with receipts_forget_user). *bulk_out NULL: there are none. */
int receipts_build(struct receipts *r, uint64_t upto, int64_t now_ms, struct base_bulk **bulk_out) WARN_UNUSED;
/* After the bulk was taken: forgets these segments' rows in memory (L, committer). Users deleted between
 * build and this: their rows in the base are forgotten (base_forget; a base_write follows). */
void receipts_built(struct receipts *r, uint64_t upto);
/* What a mail that is un-released in the base has there: key in FAMILY_BOX, and value if it was accepted at
 * `ms` (in `out`). */
struct key receipts_held_key(struct hash128 once);
struct str receipts_held_value(struct receipts *r, int64_t ms, char out[8]);
/* What it has there once its receiver was deleted at `ms` (L). */
void receipts_left_value(struct receipts *r, struct hash128 once, int64_t ms, struct buf *out);

/* --- time --- */

/* Makes the slice of `now_ms` the newest if it is later. True: a slice has aged, receipts_carry is to be
 * called (committer, L). */
bool receipts_tick(struct receipts *r, int64_t now_ms);
/* Gives what lies in mailboxes and whose slice ages a place in a later slice's filter, then drops the aged
 * slices: filters at once (waiting for workers that are just reading them), rows by base->forget_slices. */
int receipts_carry(struct receipts *r) WARN_UNUSED;
/* Fills the filters from the base. May take minutes; stops when *stop is set. */
int receipts_rebuild(struct receipts *r, const _Atomic bool *stop) WARN_UNUSED;
size_t receipts_bytes(const struct receipts *r); /* of memory, filters and recent rows: a gauge; any thread */
