/* The storage contract, in words of chat: what an engine must keep and what it promises.
 *
 * Every name (user, group, broadcast) has its home on one worker, and only that worker changes
 * what belongs to the name; a link belongs to the user it comes from (FOLLOW, BLOCK), or to the
 * group or broadcast (MEMBER, LISTED, OWN). A worker writes by batches of transactions
 * (store/txn.h) and reads by requests. Nothing here blocks: an engine does its work on
 * threads of its own and hands batches and reads back through the inbox of the worker that
 * gave them.
 *
 * Promises of an engine:
 *  - A batch comes back with status OK only after all of it is on durable storage
 *    (protocol.md section 12, promise 1). A transaction is kept whole or not at all,
 *    also over a crash.
 *  - Batches of one worker come back in the order submitted.
 *  - A batch that comes back with ERR_UNAVAILABLE left nothing behind, and so did every later
 *    batch of that worker submitted before the worker had seen the failure: the engine
 *    refuses batches whose `failures_seen` is not its own count of failed batches of that
 *    worker. (So a repeat is never receipted on the strength of a first sending that failed.)
 *  - What can not be trusted any more (a failed sync) ends the process with a clear message.
 *  - A read sees every batch that came back before the read was handed over, and never a
 *    part of a transaction. It may see newer batches.
 *
 * Not promised: any order between workers; that two reads in flight come back in order.
 *
 * Threads: open and close from the main thread, the rest from worker `w`, which passes its
 * own number. Batches and reads belong to the engine from submit/read until they come back. */
#pragma once
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/inbox.h"
#include "base/metrics.h"
#include "base/str.h"

/* Kinds of the nodes an engine puts into a worker's inbox. */
enum { INBOX_STORE_BATCH = 1, INBOX_STORE_READ = 2 };

struct store_batch {
	struct inbox_node node;
	struct buf ops;         /* whole transactions, see store/txn.h; the engine only reads it */
	uint32_t failures_seen; /* failed batches the worker had got back when it submitted this */
	int status;             /* set by the engine: OK, ERR_UNAVAILABLE */
};

enum store_read_kind {
	STORE_READ_NAME,    /* what is known of `name`         -> store_name_row, then what stays with it in
			       memory, in any order: of a user his BLOCK and OWN links (side OF), of a group its
			       MEMBER, of a broadcast its LISTED links (side TO)    -> store_link_row… */
	STORE_READ_SEEN,    /* was `once` stored, and is not yet forgotten?       -> `found` only */
	STORE_READ_FIND,    /* what user `name` may acknowledge under `id`        -> store_find_row… */
	STORE_READ_MAILBOX, /* un-released mail of user `name` with seq > `after` -> txn MAIL ops…  */
	STORE_READ_NAMES,   /* names of users > `id` that begin with `name`       -> store_name_row… */
	STORE_READ_LINKS,   /* links `link` of `name` seen from `side`, to others > `id`, by the other's
			       name                                               -> store_link_row… */
	STORE_READ_TEXT,    /* text `what` of `name`                              -> `found`, its bytes */
	STORE_READ_FANOUTS, /* fan-outs not ended with seq > `after`, by seq, their slices that are done
			       emptied (their numbers stay)                       -> FANOUT ops… */
};

struct store_read {
	struct inbox_node node;
	enum store_read_kind kind;
	/* In. The views must live until the read comes back. */
	struct str name;
	struct str id;         /* FIND: a message id. NAMES, LINKS: the name after which to go on */
	struct hash128 once;   /* SEEN */
	uint64_t after;        /* MAILBOX, FANOUTS */
	size_t bytes_max;      /* MAILBOX, LINKS, FANOUTS: stop after the row that reaches it (one at least) */
	unsigned rows_max;     /* MAILBOX, NAMES, LINKS, FANOUTS: stop after so many rows */
	uint8_t link, side;    /* LINKS: enum store_link, enum store_side */
	uint8_t what;          /* TEXT: enum store_text */
	/* Out. */
	int status;            /* OK, ERR_UNAVAILABLE, ERR_CORRUPT */
	bool found;            /* NAME, SEEN, TEXT */
	bool more;             /* MAILBOX, NAMES, LINKS, FANOUTS: stopped at a bound; there may be more */
	struct buf rows;       /* read with store/txn.h; the caller initialises and frees it */
};

/* What kind of thing bears a name (protocol.md section 2: one name space). */
enum store_name_kind { STORE_NOBODY, STORE_USER, STORE_GROUP, STORE_BROADCAST };

/* Ties between names, from the user. The numbers stand on disk. */
enum store_link {
	LINK_FOLLOW = 1, /* user follows user */
	LINK_BLOCK = 2,  /* user blocks user */
	LINK_MEMBER = 3, /* user is in group */
	LINK_LISTED = 4, /* user is a receiver of broadcast */
	LINK_OWN = 5,    /* user owns broadcast */
};
enum store_side { SIDE_OF, SIDE_TO }; /* links of which the name is `from`; `to` */
enum { LINK_ADMIN = 1 };               /* flags of a link; MEMBER: is an administrator */
/* Texts that belong to a name. The numbers stand on disk. */
enum store_text { TEXT_PICTURE = 1, TEXT_STATUS = 2 };

/* How much was acknowledged: bits of `kinds`. */
enum { ACK_DM = 1, ACK_NM = 2, ACK_PONG = 4 };

/* Bits of `flags` of mail. */
enum {
	MAIL_NO_PC = 1,   /* sender wrote pc 0: dm/nm release it and go no further */
	MAIL_RECEIPT = 2, /* a dm or nm on its way back: no dm acknowledges it */
	MAIL_INFO = 4,    /* information from the server (an `i` packet): likewise */
};

struct store_config {
	const char *path;            /* data directory; NULL where an engine needs none */
	unsigned workers;
	struct inbox *const *inbox;  /* one per worker, valid until close */
	int64_t retention_ms;        /* delivery.receipt_retention */
	bool sync;                   /* delivery.durability=fsync */
	uint64_t segment_bytes;      /* of the journal; 0: what the engine takes by itself */
	struct metrics *metrics;     /* the engine's own set (its committer thread writes it) */
};

#define STORE_WORKERS_MAX 64

/* What a look through all data found. */
struct store_checked {
	uint64_t names, mails, rows;      /* mail in the journal counts for each receiver */
	uint64_t records, ops;            /* of the journal */
	uint64_t torn_bytes;              /* at its end: what the next start cuts off */
};

struct store;
struct store_engine {
	const char *name;
	/* 0 and *store_out, or ERR_LOCKED, ERR_VERSION, ERR_CORRUPT, ERR_IO, ERR_NOMEM with a
	 * sentence for a person in why[0..why_size). */
	int (*open)(const struct store_config *config, struct store **store_out, char *why,
		    size_t why_size);
	/* Commits what was submitted, hands everything back, then frees. */
	void (*close)(struct store *store);
	void (*submit)(struct store *store, unsigned w, struct store_batch *batch);
	/* Whether a message was stored before, if that is known without waiting: 1 yes, 0 no,
	 * -1 ask by STORE_READ_SEEN. Knows nothing of batches that have not come back: the
	 * caller keeps those (chat/once.h). */
	int (*seen)(struct store *store, unsigned w, struct hash128 once);
	void (*read)(struct store *store, unsigned w, struct store_read *read);
	/* Both NULL where there is nothing to keep. Any thread but the engine's own; they wait for the disk.
	 * backup: all that was committed when it ends, as a data directory of its own in the new directory
	 * `path`, synced. 0, or ERR_IO, ERR_NOSPC, ERR_LOCKED (another one is under way). */
	int (*backup)(struct store *store, const char *path, char *why, size_t why_size);
	/* Reads all of a directory that nobody uses, and changes nothing. 0, or as open with what is damaged. */
	int (*check)(const char *path, struct store_checked *out, char *why, size_t why_size);
};

/* The visible head of every engine's own struct. Constant after open. */
struct store {
	const struct store_engine *engine;
	/* Grows with every open of the same data: sequences of this run are epoch << 40 | 1, 2, …
	 * and so lie above those of every earlier run. 1 to 2^24 - 1. */
	uint32_t epoch;
	/* Secret kept with the data: the key of the `once` hashes. */
	struct hash_key once_key;
	/* Where it hands back, one a worker; the engine's own copy of what it was configured with. */
	struct inbox *inbox[STORE_WORKERS_MAX];
};

#define STORE_SEQ_BITS 40

extern const struct store_engine store_memory;   /* reference; forgets at close */
extern const struct store_engine store_embedded; /* journal, RocksDB */

static inline void store_submit(struct store *s, unsigned w, struct store_batch *b)
{
	s->engine->submit(s, w, b);
}
static inline int store_seen(struct store *s, unsigned w, struct hash128 once)
{
	return s->engine->seen(s, w, once);
}
static inline void store_read(struct store *s, unsigned w, struct store_read *r)
{
	s->engine->read(s, w, r);
}
