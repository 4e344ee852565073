/* The inside of the embedded engine: RocksDB behind the store contract. Included by embedded_*.c
 * and store_embedded.c only. What lies on disk is told byte by byte in docs/storage-format.md.
 *
 *   store_embedded.c    the data directory: lock, format, opening and closing
 *   embedded_commit.c   the committer thread: all workers' batches in one synced write
 *   embedded_read.c     the reader threads: whatever may wait for the disk
 *   embedded_keys.c     keys and values */
#pragma once
#include "store/batch_rule.h"
#include "store/txn.h"
#include <pthread.h>
#include <rocksdb/c.h>

/* Column families; their names are the file format. */
enum family { FAMILY_META, FAMILY_NAMES, FAMILY_SEEN, FAMILY_BOX, FAMILY_ONCE, FAMILY_ACKS, FAMILY_COUNT };

#define EMBEDDED_READERS 2
#define EMBEDDED_KEY_BYTES_MAX 1024 /* names and ids are 128 bytes at most */
#define EMBEDDED_VALUE_VERSION 1

struct read_entry;

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

	/* Committer. Batches come with the worker's number as node.kind. */
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

	_Atomic bool stopping;
};

/* Keys. All are order-preserving; sequences are big-endian. */
struct key { char p[EMBEDDED_KEY_BYTES_MAX]; size_t n; };
struct key key_user(struct str user);                    /* prefix of all that is a user's */
struct key key_box(struct str user, uint64_t seq);
struct key key_acks(struct str user, struct str id);     /* prefix of the acknowledgements of one id */
struct key key_ack(struct str user, struct str id, uint64_t born, struct str sender, uint8_t kind);
bool key_cut_ack(struct str key, struct str prefix, uint64_t *born, struct str *sender, uint8_t *kind);
uint64_t key_cut_seq(struct str key);
struct key key_after(struct key prefix);                 /* the first key behind all with that prefix */

/* Values. */
struct box_head { uint8_t flags; uint32_t text_bytes; };
void value_box(struct buf *out, const struct op_mail *mail);
/* The head, and the op's bytes as store_op_next takes them. False: damaged or of another version. */
bool value_cut_box(struct str value, struct box_head *head_out, struct str *op_out);
void value_name(struct buf *out, const struct op_user_put *put);
bool value_cut_name(struct str value, struct store_name_row *row_out);
void value_ack(struct buf *out, uint8_t flags, int64_t ms);
bool value_cut_ack(struct str value, uint8_t *flags, int64_t *ms);
void value_time(struct buf *out, int64_t ms);            /* of FAMILY_SEEN and FAMILY_ONCE */
bool value_cut_time(struct str value, int64_t *ms);

/* Was it released so long ago that it may be forgotten? 0 is not released. */
bool embedded_aged(const struct store_embedded *e, int64_t ms);

int commit_start(struct store_embedded *e); /* 0 or ERR_IO */
void commit_stop(struct store_embedded *e); /* after committing all there is */
void embedded_submit(struct store *s, unsigned w, struct store_batch *batch);
/* Writes the message where a person sees it and ends the process, status 70: what is on disk can
 * not be told any more. */
_Noreturn void embedded_die(const char *what, char *error);

int readers_start(struct store_embedded *e);
void readers_stop(struct store_embedded *e);
int embedded_seen(struct store *s, unsigned w, struct hash128 once);
void embedded_read(struct store *s, unsigned w, struct store_read *read);
