/* The inside of the embedded engine: RocksDB behind the store contract. Included by embedded_*.c
 * and store_embedded.c only. What lies on disk is told byte by byte in docs/storage-format.md.
 *
 *   store_embedded.c    opening and closing the database
 *   embedded_dir.c      the directory it lies in: lock and format
 *   embedded_commit.c   the committer thread: all workers' batches in one synced write
 *   embedded_read.c     the reader threads: whatever may wait for the disk
 *   embedded_keys.c     keys, values and ranges of them */
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
	FAMILY_COUNT
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

	/* Committer. Batches come with the worker's number as node.kind; how many there can be is bounded
	 * by what each worker may have under way, and so is the size of one write. */
	struct inbox inbox;
	int wake_fd;
	pthread_t committer;
	struct batch_rule rule;
	rocksdb_writebatch_t *batch;
	struct buf value;

	/* Readers: a queue, bounded by what the workers have under way (one read a name or session). */
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct inbox_node *first, **last; /* reads; the worker's number as node.kind */
	pthread_t readers[EMBEDDED_READERS];
	_Atomic int64_t complained_ns; /* when a failed read was logged last */

	_Atomic bool stopping;
};

/* Keys. All are order-preserving; sequences are big-endian. */
struct key { char p[EMBEDDED_KEY_BYTES_MAX]; size_t n; };
struct key key_user(struct str user);                    /* prefix of all that is a user's */
struct key key_box(struct str user, uint64_t seq);
struct key key_id(struct str user, struct str id);       /* prefix of all under one id */
struct key key_ids(struct str user, struct str id, uint64_t seq);
/* `kinds` is what the row says: ACK_… and, when it was made by the release itself, KINDS_RELEASE. A
 * row made later never replaces the one of the release, whose age is the age of them all. */
#define KINDS_RELEASE 0x80
struct key key_ack(struct str user, struct str id, uint64_t born, struct str sender, uint8_t kinds);
bool key_cut_ack(struct str key, struct str prefix, uint64_t *born_out, struct str *sender_out,
		 uint8_t *kinds_out);
uint64_t key_cut_seq(struct str key);
struct key key_links(uint8_t kind, uint8_t side, struct str name); /* prefix */
struct key key_link(uint8_t kind, uint8_t side, struct str name, struct str other);
struct key key_text(struct str name, uint8_t what);
struct key key_fanout(uint64_t seq);
struct key key_fanout_done(uint64_t seq, uint32_t slice);
struct key key_after(struct key prefix);                 /* the first key behind all with that prefix */

/* Values. The value_cut_… return false for what is damaged or of another version. */
void value_box(struct buf *out, const struct op_mail *mail);
bool value_cut_box(struct str value, struct str *op_out); /* as store_op_next takes it */
struct ids_row { struct store_find_row find; struct hash128 once; }; /* find.seq stands in the key */
void value_ids(struct buf *out, const struct op_mail *mail);
bool value_cut_ids(struct str value, struct ids_row *row_out);
void value_name(struct buf *out, const struct op_user_put *put);
bool value_cut_name(struct str value, struct store_name_row *row_out);
void value_ack(struct buf *out, uint8_t flags, int64_t ms);
bool value_cut_ack(struct str value, uint8_t *flags_out, int64_t *ms_out);
void value_group(struct buf *out, const struct op_name_put *put);
void value_link(struct buf *out, const struct op_link_put *put, struct str other);
bool value_cut_link(struct str value, struct store_link_row *row_out);
void value_bytes(struct buf *out, struct str bytes);
bool value_cut_bytes(struct str value, struct str *out);
void value_time(struct buf *out, int64_t ms);            /* of FAMILY_SEEN and FAMILY_ONCE */
bool value_cut_time(struct str value, int64_t *ms_out);

/* Was it released so long ago that it may be forgotten? 0 is not released. */
bool embedded_aged(const struct store_embedded *e, int64_t ms);

/* An iterator from key `from` up to the last with that prefix, if `prefix` is not empty. Uses the
 * options, which must live as long and bound one range at a time. */
struct range { rocksdb_iterator_t *it; struct key end; };
void range_open(const struct store_embedded *e, enum family family, rocksdb_readoptions_t *options,
		const struct key *prefix, const struct key *from, struct range *out);
bool range_at(const struct range *r, struct str *key_out, struct str *value_out);
char *range_close(struct range *r); /* NULL, or an error text for rocksdb_free */

/* Opening the data directory. All return 0, or ERR_IO or what is said, with the reason in `why`. */
#define DIR_PATH_BYTES_MAX 4096
struct why { char *text; size_t size; };
int why_fail(const struct why *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4); /* returns err */
int dir_path(char out[DIR_PATH_BYTES_MAX], const char *dir, const char *name,
	     const struct why *why) WARN_UNUSED;
int dir_sync(const char *dir, const char *name, const struct why *why) WARN_UNUSED;
int dir_make(const char *dir, const struct why *why) WARN_UNUSED;
int dir_lock(const char *dir, int *fd_out, const struct why *why) WARN_UNUSED; /* ERR_LOCKED */
/* ERR_VERSION, ERR_CORRUPT. Fresh: no format stands there, so nothing was ever kept there. */
int dir_format_read(const char *dir, bool *fresh_out, const struct why *why) WARN_UNUSED;
int dir_format_write(const char *dir, const struct why *why) WARN_UNUSED;

int commit_start(struct store_embedded *e) WARN_UNUSED; /* 0 or ERR_NOMEM */
void commit_stop(struct store_embedded *e); /* after committing all there is */
void embedded_submit(struct store *s, unsigned w, struct store_batch *batch);
/* Writes the message where a person sees it and ends the process, status 70: what is on disk can
 * not be told any more. */
_Noreturn void embedded_die(const char *what, char *error);

int readers_start(struct store_embedded *e) WARN_UNUSED; /* 0 or ERR_NOMEM */
void readers_stop(struct store_embedded *e); /* after answering all there is; also after a failed start */
int embedded_seen(struct store *s, unsigned w, struct hash128 once);
void embedded_read(struct store *s, unsigned w, struct store_read *read);
