/* Inside of the memory engine, which is the reference: clear rather than fast.
 *
 *   store_memory.c     opening and closing, applying transactions, answering reads
 *   mem_kept.c         copies of ops, and arrays that hold them in order
 *   mem_names.c        users, groups and broadcasts, their texts
 *   mem_links.c        ties between names
 *   mem_mail.c         mailboxes and acknowledgements
 *   mem_fanouts.c      fan-outs not ended
 *   mem_once.c         what was stored before, and forgetting what has aged
 *
 * What is known are the ops themselves, copied and put where a read looks for them. All is called
 * with the engine's lock held; out of memory is the end. */
#pragma once
#include "base/map.h"
#include "store/batch_rule.h"
#include "store/txn.h"
#include <pthread.h>

/* --- mem_kept.c --- */

/* A copy of an op whose strings it holds itself; the op's integers may be changed. */
struct kept { struct store_op op; struct buf bytes; unsigned refs; };
struct kept *kept_new(const struct store_op *op); /* one reference */
void kept_unref(struct kept **kept);              /* NULL in it is fine, and what is left */

/* Pointers in an order told by a comparison: is the key before (<0), at (0) or behind the item? */
struct sorted { void **items; size_t n, cap; };
typedef int sorted_compare(const void *key, const void *item);
/* Where the item with that key is or would be. */
size_t sorted_place(const struct sorted *s, const void *key, sorted_compare *compare);
void *sorted_get(const struct sorted *s, const void *key, sorted_compare *compare); /* or NULL */
void sorted_put(struct sorted *s, size_t place, void *item);
void *sorted_take(struct sorted *s, size_t place);
void sorted_free_kept(struct sorted *s); /* the array, and a reference of each struct kept in it */

/* --- what is known --- */

struct mem_name {
	struct str name;               /* points behind the struct */
	struct kept *put;              /* USER_PUT, NAME_PUT; NULL: nobody, but things lie here */
	int64_t last_seen_ms;          /* -1 never */
	struct kept *texts[TEXT_STATUS + 1]; /* TEXT_PUT, by enum store_text; NULL none */
	struct sorted links[2];        /* LINK_PUT, by enum store_side; each lies at both ends */
	struct sorted mails;           /* MAIL without receivers, each in all their mailboxes */
	struct sorted acks;            /* ACK: what was released */
};

struct store_mem {
	struct store store;
	struct store_config config;
	struct batch_rule rule;
	pthread_mutex_t lock;
	struct sorted names;
	struct sorted fanouts;         /* FANOUT, by seq; slices that are done are empty lists */
	struct map once;               /* by the 16 bytes of the key */
	int64_t newest_ms;             /* the latest time an op told: what is old is old by it */
	unsigned since_sweep;          /* transactions */
};

/* True, and says so in the read, if the page must end before another row. */
static inline bool page_is_full(struct store_read *r, unsigned rows)
{
	r->more = rows && (rows >= r->rows_max || r->rows.n >= r->bytes_max);
	return r->more;
}

/* --- mem_names.c --- */

struct mem_name *mem_names_get(const struct store_mem *m, struct str name); /* or NULL */
/* The one there is, or a new one. */
struct mem_name *mem_names_make(struct store_mem *m, struct str name);
uint8_t mem_name_kind(const struct mem_name *n); /* enum store_name_kind; NULL is nobody */
void mem_names_apply_put(struct store_mem *m, const struct store_op *op); /* USER_PUT, NAME_PUT */
void mem_names_apply_text(struct store_mem *m, const struct store_op *op);
void mem_names_apply_del(struct store_mem *m, struct str name);
void mem_names_read_one(const struct store_mem *m, struct store_read *r);
void mem_names_read(const struct store_mem *m, struct store_read *r);
void mem_names_read_text(const struct store_mem *m, struct store_read *r);
void mem_names_free(struct store_mem *m);

/* --- mem_links.c --- */

void mem_links_apply_put(struct store_mem *m, const struct store_op *op);
void mem_links_apply_del(struct store_mem *m, const struct op_link_del *op);
void mem_links_forget(struct store_mem *m, struct mem_name *n); /* at both their ends */
void mem_links_read(const struct store_mem *m, struct store_read *r);
/* Adds all of one kind and side to the rows. */
void mem_links_add(const struct store_mem *m, const struct mem_name *n, uint8_t kind, uint8_t side,
	       struct buf *rows);

/* --- mem_mail.c --- */

void mem_mail_apply(struct store_mem *m, const struct store_op *op);
void mem_mail_apply_release(struct store_mem *m, const struct op_release *op);
void mem_mail_apply_ack(struct store_mem *m, const struct op_ack *op);
/* Fills in what the row says of mail. */
void mem_mail_count(const struct mem_name *n, struct store_name_row *row);
void mem_mail_read(const struct store_mem *m, struct store_read *r);
void mem_mail_read_find(const struct store_mem *m, struct store_read *r);
/* Forgets acknowledgements that have aged. */
void mem_mail_sweep(const struct store_mem *m, struct mem_name *n);

/* --- mem_fanouts.c --- */

void mem_fanouts_apply_put(struct store_mem *m, const struct store_op *op);
void mem_fanouts_apply_done(struct store_mem *m, const struct op_fanout_done *op);
void mem_fanouts_apply_end(struct store_mem *m, uint64_t seq);
void mem_fanouts_read(const struct store_mem *m, struct store_read *r);

/* --- mem_once.c --- */

/* Remembers it; zero is nothing to remember. released_ms 0: it lies in a mailbox. */
void mem_once_put(struct store_mem *m, struct hash128 key, int64_t released_ms);
bool mem_once_has(const struct store_mem *m, struct hash128 key);
void mem_once_free(struct store_mem *m);
/* An op told the time. */
void mem_once_note_time(struct store_mem *m, int64_t ms);
bool mem_once_aged(const struct store_mem *m, int64_t released_ms);
/* Called after each transaction: now and then forgets what has aged. */
void mem_once_sweep(struct store_mem *m);
