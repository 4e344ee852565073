/* The inside of the embedded engine: RocksDB behind the store contract. Included by embedded_*.c
 * and store_embedded.c only. What lies on disk is told byte by byte in docs/storage-format.md.
 *
 *   store_embedded.c    opening and closing the database
 *   embedded_dir.c      the directory it lies in: lock and format
 *   embedded_commit.c   the committer thread: all workers' batches in one synced write
 *   embedded_readers.c  the reader threads: whatever may wait for the disk
 *   embedded_rows.c     what the following share: keys, values, ranges, writing and reading of rows
 *   embedded_names.c    users, groups and broadcasts, their texts, deletion
 *   embedded_links.c    ties between names
 *   embedded_mail.c     mailboxes and acknowledgements
 *   embedded_fanouts.c  fan-outs not ended
 *   embedded_once.c     what was stored before
 *
 * Each of the last five says of its families what an op writes and what a read finds. Functions
 * called …_apply_… run on the committer thread and write by rows_put and rows_forget; those called
 * …_read_… run on a reader thread. */
#pragma once
#include "store/batch_rule.h"
#include "store/txn.h"
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdarg.h>

/* Column families; their names are the file format. */
enum family {
	FAMILY_META, FAMILY_NAMES, FAMILY_SEEN, FAMILY_BOX, FAMILY_IDS, FAMILY_ONCE, FAMILY_ACKS,
	FAMILY_LINKS, FAMILY_TEXTS, FAMILY_FANOUTS,
	FAMILY_COUNT,
	FAMILY_COUNT_1 = FAMILY_LINKS /* a directory of format 1 has those before */
};

#define EMBEDDED_READERS 2
#define EMBEDDED_NAME_BYTES_MAX 255 /* of names and ids in keys; protocol.md section 2 allows 128 */
#define EMBEDDED_KEY_BYTES_MAX 1024
#define EMBEDDED_VALUE_VERSION 1

struct store_embedded {
	struct store store;
	struct metrics *metrics;
	int64_t retention_ms;
	int lock_fd;
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_options_t *family_options[FAMILY_COUNT];
	rocksdb_compactionfilter_t *filters[2];
	rocksdb_cache_t *cache;
	rocksdb_column_family_handle_t *families[FAMILY_COUNT];
	rocksdb_readoptions_t *read_options;
	rocksdb_writeoptions_t *write_options;

	/* Committer. Batches come with the worker's number as node.kind; how many there can be is
	 * bounded by what each worker may have under way, and so is the size of one write. */
	struct inbox inbox;
	int wake_fd;
	pthread_t committer;
	struct batch_rule rule;
	rocksdb_writebatch_t *batch;
	rocksdb_writebatch_wi_t *indexed; /* instead of `batch` while a deletion is gathered, else NULL */
	struct buf value;

	/* Readers: a queue, bounded by what the workers have under way (a read a name or session). */
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct inbox_node *first, **last; /* reads; the worker's number as node.kind */
	pthread_t readers[EMBEDDED_READERS];
	_Atomic int64_t complained_ns; /* when a failed read was logged last */

	_Atomic bool stopping;
};

/* --- embedded_rows.c --- */

/* Keys are order-preserving: integers in them are big-endian. */
struct key { char p[EMBEDDED_KEY_BYTES_MAX]; size_t n; };
struct key key_bytes(struct str bytes);        /* just these */
struct key key_str(struct str s);              /* a byte of length first: keeps prefixes apart */
struct key key_u64(uint64_t v);
void key_add_bytes(struct key *k, struct str bytes);
void key_add_str(struct key *k, struct str s);
void key_add_u8(struct key *k, uint8_t v);
void key_add_u32(struct key *k, uint32_t v);
void key_add_u64(struct key *k, uint64_t v);
struct key key_after(struct key prefix);       /* the first key behind all with that prefix */
static inline struct str key_view(const struct key *k) { return (struct str){ k->p, k->n }; }
/* Takes the integer off the front; false if there are not so many bytes. */
bool key_cut_u8(struct str *key, uint8_t *out);
bool key_cut_u32(struct str *key, uint32_t *out);
bool key_cut_u64(struct str *key, uint64_t *out);
bool key_cut_str(struct str *key, struct str *out);

/* Values: a version byte, then what value_cut takes off the front as it was added. */
void value_begin(struct buf *out);
bool value_cut_version(struct str *value);     /* false: damaged or of another version */
bool value_cut(struct str *value, void *out, size_t n);

/* What is gathered for the next write. rows_put takes the value from e->value. */
void rows_put(struct store_embedded *e, enum family family, const struct key *key);
void rows_forget(struct store_embedded *e, enum family family, const struct key *key);
/* Lists the rows with that prefix as the ops gathered so far leave them, while e->indexed is there:
 * key, value, key, value … as base/strs.h has it, the values empty if not wanted. OK,
 * ERR_UNAVAILABLE: not all could be read. */
int rows_list(struct store_embedded *e, enum family family, const struct key *prefix, bool values,
	      struct buf *out) WARN_UNUSED;
/* Forgets them all. Likewise. Row by row: what RocksDB keeps of a deleted range slows every later
 * read of the family, and an index knows no ranges. */
int rows_forget_all(struct store_embedded *e, enum family family,
		    const struct key *prefix) WARN_UNUSED;

/* An iterator from key `from` up to the last with that prefix; NULL: to the end. Uses the options,
 * which must live as long and bound one range at a time. */
struct range { rocksdb_iterator_t *it; struct key end; };
void range_open(const struct store_embedded *e, enum family family, rocksdb_readoptions_t *options,
		const struct key *prefix, const struct key *from, struct range *out);
bool range_at(const struct range *r, struct str *key_out, struct str *value_out);
char *range_close(struct range *r); /* NULL, or an error text for rocksdb_free */

/* One read: all it looks at is as of one moment, so that it never sees part of a transaction. */
struct reading { struct store_embedded *e; struct store_read *r; rocksdb_readoptions_t *options; };
/* These end it; it is told once a second at most, as damage is usually met again and again. */
void reading_damaged(struct reading *g);
void reading_close(struct reading *g, struct range *range); /* a range; the read, if that failed */
/* True, and says so in the read, if the page must end before another row. */
bool reading_page_full(struct reading *g, unsigned rows);

/* A value that RocksDB holds till got_free, or false for none. */
struct got { rocksdb_pinnableslice_t *slice; struct str value; };
bool got_value(struct reading *g, enum family family, struct str key, struct got *out);
void got_free(struct got *got);

/* --- embedded_names.c --- */

void names_apply_user(struct store_embedded *e, const struct op_user_put *op);
void names_apply_put(struct store_embedded *e, const struct op_name_put *op);
void names_apply_text(struct store_embedded *e, const struct op_text_put *op);
void names_apply_last_seen(struct store_embedded *e, const struct op_last_seen *op);
/* Needs e->indexed. ERR_UNAVAILABLE: what is to be deleted can not be read. */
int names_apply_del(struct store_embedded *e, struct str name) WARN_UNUSED;
void names_read_one(struct reading *g);
void names_read(struct reading *g);
void names_read_text(struct reading *g);
/* The title of a group or broadcast; false for others. Valid till got_free. */
bool names_read_title(struct reading *g, struct str name, struct got *got_out,
		      struct str *title_out);

/* --- embedded_links.c --- */

void links_apply_put(struct store_embedded *e, const struct op_link_put *op);
void links_apply_del(struct store_embedded *e, const struct op_link_del *op);
int links_apply_name_del(struct store_embedded *e, struct str name) WARN_UNUSED; /* at both ends */
void links_read(struct reading *g);
void links_read_all(struct reading *g, enum store_link kind, enum store_side side); /* no bounds */

/* --- embedded_mail.c --- */

void mail_apply(struct store_embedded *e, const struct op_mail *op);
void mail_apply_release(struct store_embedded *e, const struct op_release *op);
void mail_apply_ack(struct store_embedded *e, const struct op_ack *op);
int mail_apply_name_del(struct store_embedded *e, struct str name) WARN_UNUSED;
void mail_read_mailbox(struct reading *g);
void mail_read_find(struct reading *g);
void mail_read_count(struct reading *g, struct store_name_row *row); /* what it says of mail */
/* May a row of FAMILY_ACKS be forgotten? */
bool mail_ack_aged(const struct store_embedded *e, struct str value);

/* --- embedded_fanouts.c --- */

void fanouts_apply_put(struct store_embedded *e, const struct op_fanout *op);
void fanouts_apply_done(struct store_embedded *e, const struct op_fanout_done *op);
void fanouts_apply_end(struct store_embedded *e, const struct op_fanout_end *op);
void fanouts_read(struct reading *g);

/* --- embedded_once.c --- */

/* Remembers it; zero is nothing to remember. released_ms 0: it lies in a mailbox. */
void once_apply(struct store_embedded *e, struct hash128 once, int64_t released_ms);
void once_read(struct reading *g);
bool once_aged(const struct store_embedded *e, struct str value); /* may the row be forgotten? */
int embedded_seen(struct store *s, unsigned w, struct hash128 once);
/* Values of FAMILY_SEEN and FAMILY_ONCE. */
void value_time(struct buf *out, int64_t ms);
bool value_cut_time(struct str value, int64_t *ms_out);
/* Was it released so long ago that it may be forgotten? 0 is not released. */
bool embedded_aged(const struct store_embedded *e, int64_t released_ms);

/* --- embedded_dir.c --- */

/* Opening the data directory. All return 0, or ERR_IO or what is said, with the reason in `why`. */
#define DIR_PATH_BYTES_MAX 4096
struct why { char *text; size_t size; };
int why_fail(const struct why *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4); /* returns err */
int dir_path(char out[DIR_PATH_BYTES_MAX], const char *dir, const char *name,
	     const struct why *why) WARN_UNUSED;
int dir_sync(const char *dir, const char *name, const struct why *why) WARN_UNUSED;
int dir_make(const char *dir, const struct why *why) WARN_UNUSED;
int dir_lock(const char *dir, int *fd_out, const struct why *why) WARN_UNUSED; /* ERR_LOCKED */
/* What the directory says of itself (docs/storage-format.md). NONE: nothing was ever kept there. */
enum dir_format { DIR_FORMAT_NONE, DIR_FORMAT_1, DIR_FORMAT_2, DIR_FORMAT_NOW = DIR_FORMAT_2 };
/* ERR_VERSION, ERR_CORRUPT. */
int dir_format_read(const char *dir, enum dir_format *format_out,
		    const struct why *why) WARN_UNUSED;
int dir_format_write(const char *dir, const struct why *why) WARN_UNUSED; /* DIR_FORMAT_NOW */

/* --- embedded_commit.c --- */

int commit_start(struct store_embedded *e) WARN_UNUSED; /* 0 or ERR_NOMEM */
void commit_stop(struct store_embedded *e); /* after committing all there is */
void embedded_submit(struct store *s, unsigned w, struct store_batch *batch);
/* Writes the message where a person sees it and ends the process, status 70: what is on disk can
 * not be told any more. */
_Noreturn void embedded_die(const char *what, char *error);

/* --- embedded_readers.c --- */

int readers_start(struct store_embedded *e) WARN_UNUSED; /* 0 or ERR_NOMEM */
/* After answering all there is. Also after a failed start. */
void readers_stop(struct store_embedded *e);
void embedded_read(struct store *s, unsigned w, struct store_read *read);
