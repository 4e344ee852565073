/* The receipt index: which messages were stored before, and what was acknowledged, within
 * delivery.receipt_retention (protocol.md section 12, promise 3; section 6 on dm and nm).
 *
 * Two kinds of rows, both with a time `ms` (Unix, milliseconds):
 *   once   16 bytes of hash                               -> when the message was released (or accepted,
 *                                                            where nothing is released)
 *   ack    user, id, birth of the sender, sender, kinds   -> flags, when
 * Rows lie in three places: those that came by segments of the journal that are still live are in
 * memory, a table a segment (`recent`); older ones are sorted rows in the base's FAMILY_RECEIPTS
 * under time slices of retention / 8; and what lies un-released in mailboxes in the base has its once
 * in FAMILY_ONCE. Before all of them stands a blocked Bloom filter a slice, in memory, which knows
 * every once: nearly each new message is answered by it alone, by any worker, without a lock.
 *
 * Slices: slice = ms / slice_ms. The window is the newest slice and the 8 before it; what has aged
 * out of the window is dropped a slice at a time. A row of a time before the window is not kept, one
 * after the newest slice makes that slice the newest (the clock of the rows decides, not ours; a clock
 * set back goes on in the newest slice).
 *
 * FAMILY_RECEIPTS   u32 slice, 'o', 16 bytes                                     -> version 1, i64 ms
 *                   u32 slice, 'a', str8 user, str8 id, u64 birth, str8 sender, u8 kinds
 *                                                                               -> version 1, u8 flags, i64 ms
 * FAMILY_ONCE       16 bytes  -> version 1, i64 0 (in a mailbox; of directories of format 2 also a time of
 *                                release); version 2, u32 slice in whose filter its bits are
 * FAMILY_ACKS       of directories of format 2 only: read, never written
 * (integers within keys are big-endian, in values little-endian; str8: a byte of length and the bytes)
 *
 * Filters: a filter is a list of parts, each twice (at least) as large as the one before; 12 bits a
 * row, 64-byte blocks, one block a row. A new slice's first part has room for what its predecessor
 * held. All parts of all slices together take at most `filter_bytes_max`; beyond that the last part
 * takes more rows than it is made for (more answers are `unknown`, none is wrong).
 * They are not on disk: after opening they are filled again from the base by receipts_rebuild, on a
 * thread of its own; till then receipts_seen answers -1 for what it does not know.
 *
 * Threads: receipts_seen by worker `w` < 64, any time, lock-free. receipts_rebuild, _build, _carry by
 * one other thread at a time. Functions marked (L): the caller holds the engine's lock, as everybody does
 * who calls one of them. Out of memory: ends the process by CHECK, as elsewhere in store/. */
#pragma once
#include "base/metrics.h"
#include "store/base.h"
#include "store/txn.h"

struct receipts;
struct receipts_config {
	struct base *base;
	int64_t retention_ms;     /* >= 1; slice_ms is an eighth, at least 1 */
	int64_t now_ms;           /* the newest slice to begin with */
	size_t filter_bytes_max;
};
struct receipts *receipts_new(const struct receipts_config *config);
void receipts_free(struct receipts *r);

/* --- what transactions say (committer, L); `segment` is never smaller than at the call before --- */

/* ms 0: it lies in a mailbox: known as long as its segment is live; whoever spills the mail puts it
 * into FAMILY_ONCE (receipts_held_value). `accepted_ms` chooses the slice of the filter then. */
void receipts_add_once(struct receipts *r, uint64_t segment, struct hash128 once, int64_t ms,
		       int64_t accepted_ms);
/* kinds: ACK_… | KINDS_RELEASE in the row of the release itself. */
void receipts_add_ack(struct receipts *r, uint64_t segment, const struct op_ack *ack);
#define KINDS_RELEASE 0x80
/* The name is deleted: no ack row of that user added before is found any more. Rows in the base are
 * forgotten by base_forget (the caller's base_write follows). ERR_IO, ERR_CORRUPT: they can not be read.
 * With `dry`, nothing is done but the reading. */
int receipts_forget_user(struct receipts *r, uint64_t segment, struct str user, bool dry) WARN_UNUSED;

/* --- questions --- */

/* 0: never stored (or forgotten). -1: it may have been, ask receipts_read_once. Never wrong; knows what
 * receipts_add_once was told before. */
int receipts_seen(struct receipts *r, unsigned w, struct hash128 once);
/* A question in two parts: under the lock what is in memory (L), together with the snapshot; then,
 * without it, the base. `now_ms` decides what has aged: ms + retention <= now_ms. */
bool receipts_recent_once(struct receipts *r, struct hash128 once, int64_t now_ms);      /* L */
int receipts_base_once(struct receipts *r, struct base_snapshot *s, struct hash128 once, int64_t now_ms,
		       bool *found_out) WARN_UNUSED;
/* Ack rows of (user, id), joined: one row of store_find_row for each (birth, sender) that has a row
 * with KINDS_RELEASE that has not aged, its kinds those of all its rows, its flags that row's; seq 0.
 * `gone_out`: the user was deleted in a live segment, so the base's rows of him are none of his.
 * recent: appends "ack rows" in a private form to `found`; base: adds the base's rows to `found` and
 * writes the joined result to `rows`. */
void receipts_recent_acks(struct receipts *r, struct str user, struct str id, struct buf *found,
			  bool *gone_out); /* L */
int receipts_base_acks(struct receipts *r, struct base_snapshot *s, struct str user, struct str id,
		       int64_t now_ms, const struct buf *found, bool gone, struct buf *rows) WARN_UNUSED;

/* --- from memory to the base --- */

/* Rows of segments <= `upto`, which grow no more, as one bulk, aged ones left out (no lock; while the
 * committer goes on with later segments, and with receipts_forget_user). *bulk_out NULL: there are none. */
int receipts_build(struct receipts *r, uint64_t upto, int64_t now_ms, struct base_bulk **bulk_out) WARN_UNUSED;
/* After the bulk was taken: forgets these segments' rows in memory (L, committer). Users deleted between
 * build and this: their rows in the base are forgotten (base_forget; a base_write follows). */
void receipts_built(struct receipts *r, uint64_t upto);

/* --- time --- */

/* Makes the slice of `now_ms` the newest if it is later. True: a slice has aged, receipts_carry is to be
 * called (committer, L). */
bool receipts_tick(struct receipts *r, int64_t now_ms);
/* Gives what lies in FAMILY_ONCE and whose slice ages a place in the newest slice's filter (a row comes
 * up again each 9 slices: (newest - its slice) % 9 == 0), then drops the aged slices: filters at once
 * (waiting for workers that are just reading them), rows by base->forget_slices. Other thread, no lock. */
int receipts_carry(struct receipts *r) WARN_UNUSED;
/* Fills the filters from the base. Other thread, no lock, may take minutes; stops when *stop is set. */
int receipts_rebuild(struct receipts *r, const _Atomic bool *stop) WARN_UNUSED;
/* Value of a row of FAMILY_ONCE for a message accepted at `ms` (6 bytes and its size). */
struct str receipts_held_value(struct receipts *r, int64_t ms, char out[8]);
size_t receipts_bytes(const struct receipts *r); /* of memory, filters and recent rows: a gauge; any thread */
