/* What the embedded engine wants of an ordered key-value store beneath its journal: RocksDB
 * (base_rocksdb.c), or in memory for tests and the simulator (base_memory.h).
 *
 * What is put or forgotten is gathered; base_write lets it take effect, all at once. It is durable
 * after base_flush, and after a crash some of it may be there though nothing was flushed, of each family
 * the first base_writes since: whatever was written since the last flush that returned is written again from
 * the journal, in order. Rows
 * taken from a bulk are durable at once. Nothing that was durable is lost.
 *
 * Threads: put, forget, write, bulk_take from the committer; the rest from any.
 * Errors: ERR_IO, ERR_CORRUPT (what is read is damaged), ERR_NOSPC. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <stdint.h>

/* Families of rows; their names in base_rocksdb.c are the file format. */
enum family {
	FAMILY_META, FAMILY_NAMES, FAMILY_SEEN, FAMILY_BOX, FAMILY_IDS, FAMILY_ONCE, FAMILY_ACKS,
	FAMILY_LINKS, FAMILY_TEXTS, FAMILY_FANOUTS, FAMILY_RECEIPTS,
	FAMILY_COUNT,
	FAMILY_COUNT_1 = FAMILY_LINKS,   /* a directory of format 1 has those before */
	FAMILY_COUNT_2 = FAMILY_RECEIPTS /* one of format 2 */
};

struct base;
struct base_snapshot; /* what all reads with it see; NULL: what there is now */
struct base_iter;
struct base_bulk;
struct base_got { struct str value; void *held; }; /* valid until got_free */

struct base_calls {
	void (*put)(struct base *b, enum family family, struct str key, struct str value);
	void (*forget)(struct base *b, enum family family, struct str key);
	int (*write)(struct base *b);
	int (*flush)(struct base *b); /* waits */

	struct base_snapshot *(*snapshot)(struct base *b);
	void (*snapshot_free)(struct base *b, struct base_snapshot *s);
	int (*get)(struct base *b, struct base_snapshot *s, enum family family, struct str key,
		   struct base_got *out); /* ERR_NOTFOUND */
	void (*got_free)(struct base_got *got);
	/* Rows with `from` <= key < `end` (an empty end: no bound) in order. Nothing can fail here: see
	 * iter_free. `scan`: a long one, whose blocks are not worth keeping in memory. The views must live
	 * as long as the iterator. */
	struct base_iter *(*iter)(struct base *b, struct base_snapshot *s, enum family family,
				  struct str from, struct str end, bool scan);
	/* Goes to the last row with a key <= `key`, of those within the bounds. */
	void (*iter_last)(struct base_iter *i, struct str key);
	bool (*iter_at)(struct base_iter *i, struct str *key_out, struct str *value_out);
	void (*iter_next)(struct base_iter *i);
	int (*iter_free)(struct base_iter *i); /* OK, or why it ended early */

	/* Many rows at once, in ascending order of keys and each key once, for one family. Not visible
	 * before bulk_take, which makes all of them visible and durable, over whatever the family held
	 * under these keys. bulk_take and bulk_drop free it. bulk_add may be called from any one thread. */
	int (*bulk_new)(struct base *b, enum family family, struct base_bulk **out);
	int (*bulk_add)(struct base_bulk *bulk, struct str key, struct str value);
	int (*bulk_end)(struct base_bulk *bulk); /* synced; may wait */
	int (*bulk_take)(struct base *b, struct base_bulk *bulk);
	void (*bulk_drop)(struct base *b, struct base_bulk *bulk);

	/* Rows of FAMILY_RECEIPTS whose key begins with a big-endian u32 below `oldest` may go now or later. */
	void (*forget_slices)(struct base *b, uint32_t oldest);
	/* A copy of all that is durable and written so far, as a database of its own in the new directory
	 * `path`; waits. NULL where there is none. */
	int (*checkpoint)(struct base *b, const char *path);
	void (*free)(struct base *b); /* without a flush */
};
struct base { const struct base_calls *calls; };

static inline void base_put(struct base *b, enum family f, struct str k, struct str v) { b->calls->put(b, f, k, v); }
static inline void base_forget(struct base *b, enum family f, struct str k) { b->calls->forget(b, f, k); }
