/* The inside of the embedded engine: a journal before an ordered key-value store, behind the store
 * contract. Included by embedded_*.c, store_embedded.c and their tests only. What lies on disk is told
 * byte by byte in docs/storage-format.md.
 *
 *   store_embedded.c    opening and closing; the threads around all else
 *   embedded_dir.c      the data directory: lock and format
 *   embedded_open.c     base and journal to what the engine knows; bringing up older directories
 *   embedded_commit.c   batches to the journal, then to where reads find them
 *   embedded_spill.c    old segments of the journal to the base
 *   embedded_backup.c   a copy of all while it runs; a look through all of a directory
 *   embedded_read.c     what a read sees, and which part answers it
 *   embedded_rows.c     what the following share: ranges, writing and reading of rows
 *   embedded_names.c    users, groups and broadcasts, their texts, deletion
 *   embedded_links.c    ties between names
 *   embedded_mail.c     mailboxes
 *   embedded_fanouts.c  fan-outs not ended
 * beneath them
 *   journal.h           segments and records: the only write-ahead log
 *   held.h              what lies un-released in live segments
 *   receipts.h          what was stored before, what was acknowledged
 *   base.h              all else, and what the segments held that are not live any more
 *
 * An op takes effect where it belongs after the journal has it: names, ties, texts and fan-outs in the
 * base (in memory first: it is flushed before the segment goes), mail in `held`, releases there and in
 * the receipt index. Mail that is released while its segment is live never reaches the base.
 *
 * But for the threads of store_embedded.c nothing here knows threads: the tests and the simulator run it
 * in one, over simulated files and a base in memory. Functions called …_apply_… run on the committer with
 * the lock held; those called …_read_… on a reader thread, with the lock only where it is said. */
#pragma once
#include "store/base.h"
#include "store/batch_rule.h"
#include "store/embedded_dir.h"
#include "store/held.h"
#include "store/journal.h"
#include "store/keys.h"
#include "store/receipts.h"
#include "store/txn.h"
#include <pthread.h>
#include <stdatomic.h>

#define EMBEDDED_READERS 2
#define EMBEDDED_PINS (EMBEDDED_READERS + 1) /* the last is the backup's */

/* Bounds; the tests have smaller ones. */
struct embedded_bounds {
	struct journal_config journal;
	unsigned segments_max;    /* live ones; beyond it the oldest is spilled, twice it: commits wait for that */
	uint64_t held_max;        /* entries in memory; likewise */
	size_t filter_bytes_max;  /* of the receipt index */
	uint64_t room_bytes;      /* free on the disk, or batches are refused */
};
extern const struct embedded_bounds embedded_bounds;

/* What time it is: the simulator has its own. Any thread. */
struct embedded_clock { int64_t (*wall_ms)(void *ctx), (*mono_ns)(void *ctx); void *ctx; };

/* A segment on its way from memory to the base, see embedded_spill.c. */
enum spill_state { SPILL_NONE, SPILL_WANTED, SPILL_BUILT };
struct spill {
	_Atomic enum spill_state state;
	uint32_t upto;            /* segments up to this one */
	struct buf keys, rows;    /* keys; struct spill_row … in their order */
	struct base_bulk *mail, *receipts;
	int err;
	struct buf released;      /* (L) keys that were released meanwhile, each with the value it has now, empty
	                           * where it is to be forgotten (base/strs.h) */
	bool failing;             /* the last one failed: tried again later, told once */
	int64_t again_ns;         /* monotonic; when */
};

struct store_embedded {
	struct store store;
	const struct embedded_bounds *bounds;
	struct metrics *metrics;
	int64_t retention_ms;
	struct embedded_clock clock;
	struct base *base;
	struct journal *journal;

	/* Committer. */
	struct batch_rule rule;
	struct buf value;
	uint32_t segment;              /* where the ops that are being applied stand: `from` is there … */
	uint32_t offset;               /* … at this offset */
	const char *from;
	bool full;                     /* the disk has no room: told when it changes */
	int64_t room_ns;               /* monotonic; when it was looked at */
	struct spill spill;

	/* What follows changes with the lock only (L), as what the base shows does: a read that takes the
	 * lock for its snapshot sees whole transactions. */
	pthread_mutex_t lock;
	struct held held;
	struct receipts *receipts;
	uint32_t in_base;              /* what segments up to this one left lies in the base */
	uint32_t pins[EMBEDDED_PINS];  /* who reads segments from this one on; 0 none */
	uint32_t end_segment;          /* the journal is whole up to here … */
	uint64_t end;                  /* … at this offset */
	bool has_once;                 /* format 2 left rows in FAMILY_ONCE */
};

static inline int64_t embedded_wall_ms(const struct store_embedded *e)
{
	return e->clock.wall_ms(e->clock.ctx);
}
static inline int64_t embedded_mono_ns(const struct store_embedded *e)
{
	return e->clock.mono_ns(e->clock.ctx);
}

/* --- embedded_open.c --- */

/* What an engine is made over. `files` and `base` belong to it, also if it fails. */
struct embedded_parts {
	struct files *files;           /* of the journal */
	struct base *base;
	const struct embedded_bounds *bounds;
	struct metrics *metrics;
	int64_t retention_ms;
	struct embedded_clock clock;
	bool fresh;                    /* nothing was ever kept there */
	bool migrate;                  /* of format 2 or before */
};
/* Fills in a zeroed struct but for store.engine and store.inbox. */
int embedded_parts_open(struct store_embedded *e, const struct embedded_parts *parts,
			const struct why *why) WARN_UNUSED;
/* Frees what it holds; `clean`: after flushing it. */
void embedded_parts_close(struct store_embedded *e, bool clean);

/* --- embedded_commit.c --- */

/* Commits all of the batches (their worker's number as node.kind), as few records as may be, and hands
 * each back. */
void embedded_commit(struct store_embedded *e, struct inbox_node *nodes);
/* Applies a record's payload that lies there. */
int embedded_apply(struct store_embedded *e, struct journal_place place, struct str payload) WARN_UNUSED;
/* Writes the message where a person sees it and ends the process, status 70: what is on disk can
 * not be told any more. */
_Noreturn void embedded_die(const char *what, int err);
/* Called first, if set: tests that live on do not return from it. */
extern void (*embedded_dying)(void);

/* --- embedded_spill.c --- */

/* Committer, after a commit: begins a spill where one is due (state WANTED) or finishes one that was
 * built. */
void spill_step(struct store_embedded *e);
/* A commit has to wait till the spill under way is built. */
bool spill_behind(const struct store_embedded *e);
/* Builds what was WANTED; any one thread. The state is BUILT then. */
void spill_build(struct store_embedded *e);
/* (L) An entry of a live segment goes: what a spill under way has built of it must be forgotten again, or of
 * its once replaced by `once_value` if that is not empty. */
void spill_note(struct store_embedded *e, const struct held_entry *entry, struct str user,
		const struct op_mail *mail, struct str once_value);
void spill_drop(struct store_embedded *e); /* at the end */

/* --- embedded_backup.c --- */

/* As store_engine has it; `dir` is the engine's own. */
int embedded_backup(struct store_embedded *e, const char *dir, const char *path, const struct why *why);
int embedded_check(const char *dir, struct store_checked *out, const struct why *why);

/* --- embedded_read.c --- */

/* Answers a read. `reader` < EMBEDDED_READERS: which thread. */
void embedded_answer(struct store_embedded *e, unsigned reader, struct store_read *r);

/* One read: all it looks at is as of one moment, so that it never sees part of a transaction. What of it
 * is in memory was copied at that moment. */
struct reading {
	struct store_embedded *e;
	struct store_read *r;
	struct base_snapshot *snapshot;
	struct buf entries;    /* struct held_entry …: what is asked for, or all of the user, by seq */
	struct buf acks;       /* of receipts_recent_acks */
	bool gone;             /* likewise */
	uint32_t mail_count;   /* of what is held of the user */
	uint64_t mail_bytes, low_seq;
	struct buf window;     /* what was read last of the journal: from here on */
	uint32_t window_segment, window_offset;
};
/* These end it; it is told once a second at most, as damage is usually met again and again. */
void reading_damaged(struct reading *g);
void reading_failed(struct reading *g, int err); /* OK: goes on */
/* True, and says so in the read, if the page must end before another row. */
bool reading_page_full(struct reading *g, unsigned rows);

/* --- embedded_rows.c --- */

/* What is gathered for the next base_write. rows_put takes the value from e->value. */
void rows_put(struct store_embedded *e, enum family family, const struct key *key);
void rows_forget(struct store_embedded *e, enum family family, const struct key *key);
/* Lets what was gathered take effect; ends the process if it can't. */
void rows_write(struct store_embedded *e);
/* Lists the rows with that prefix that were written so far: key, value, key, value … as base/strs.h has
 * it, the values empty if not wanted. OK, ERR_UNAVAILABLE: not all could be read. */
int rows_list(struct store_embedded *e, enum family family, const struct key *prefix, bool values,
	      struct buf *out) WARN_UNUSED;
/* Forgets them all; `dry`: only sees whether they can be read. Likewise. Row by row: what RocksDB keeps
 * of a deleted range slows every later read of the family. */
int rows_forget_all(struct store_embedded *e, enum family family, const struct key *prefix,
		    bool dry) WARN_UNUSED;

/* Rows from key `from` up to the last with that prefix; NULL: to the end. */
struct range { struct base *base; struct base_iter *it; struct key from, end; };
void range_open(struct reading *g, enum family family, const struct key *prefix,
		const struct key *from, struct range *out);
bool range_at(const struct range *r, struct str *key_out, struct str *value_out);
void range_next(struct range *r);
void range_close(struct reading *g, struct range *r); /* the read, too, if it failed */

/* A value that is held till got_free, or false for none. */
bool got_value(struct reading *g, enum family family, struct str key, struct base_got *out);
void got_free(struct reading *g, struct base_got *got);

/* --- embedded_names.c --- */

void names_apply_user(struct store_embedded *e, const struct op_user_put *op);
void names_apply_put(struct store_embedded *e, const struct op_name_put *op);
void names_apply_text(struct store_embedded *e, const struct op_text_put *op);
void names_apply_last_seen(struct store_embedded *e, const struct op_last_seen *op);
/* Whatever was gathered is written before. `dry`: only sees whether all that is to be deleted can be
 * read. ERR_UNAVAILABLE: it can not. */
int names_apply_del(struct store_embedded *e, struct str name, bool dry) WARN_UNUSED;
void names_read_one(struct reading *g);
void names_read(struct reading *g);
void names_read_text(struct reading *g);
/* The title of a group or broadcast; false for others. Valid till got_free. */
bool names_read_title(struct reading *g, struct str name, struct base_got *got_out,
		      struct str *title_out);

/* --- embedded_links.c --- */

void links_apply_put(struct store_embedded *e, const struct op_link_put *op);
void links_apply_del(struct store_embedded *e, const struct op_link_del *op);
int links_apply_name_del(struct store_embedded *e, struct str name, bool dry) WARN_UNUSED; /* at both ends */
void links_read(struct reading *g);
void links_read_all(struct reading *g, enum store_link kind, enum store_side side); /* no bounds */

/* --- embedded_mail.c --- */

/* Keys in FAMILY_BOX, beside receipts_held_key, and values. */
struct key key_box(struct str user, uint64_t seq);                /* -> the mail */
struct key key_ids(struct str user, struct str id, uint64_t seq); /* -> the mail in small */
struct key key_spilled(void);                                     /* -> u64: e->in_base */
void value_box(struct buf *out, const struct op_mail *mail);
void value_ids(struct buf *out, const struct op_mail *mail);
bool mail_may_be_acknowledged(uint8_t flags);
bool once_is(struct hash128 once); /* zero is nothing to remember */

void mail_apply(struct store_embedded *e, const struct op_mail *op, struct str bytes);
void mail_apply_release(struct store_embedded *e, const struct op_release *op);
void mail_apply_ack(struct store_embedded *e, const struct op_ack *op);
void mail_apply_once(struct store_embedded *e, struct hash128 once, int64_t ms);
int mail_apply_name_del(struct store_embedded *e, struct str name, bool dry) WARN_UNUSED;
void mail_hold(struct reading *g); /* (L) what is in memory */
void mail_read_mailbox(struct reading *g);
void mail_read_find(struct reading *g);
void mail_read_seen(struct reading *g);
void mail_read_count(struct reading *g, struct store_name_row *row); /* what it says of mail */

/* --- embedded_fanouts.c --- */

void fanouts_apply_put(struct store_embedded *e, const struct op_fanout *op);
void fanouts_apply_done(struct store_embedded *e, const struct op_fanout_done *op);
void fanouts_apply_end(struct store_embedded *e, const struct op_fanout_end *op);
void fanouts_read(struct reading *g);
