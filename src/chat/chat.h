/* The chat core of one worker: sessions, users, mailboxes, routing. All rules of protocol.md
 * that are about chat live in this folder and in handlers/, and none of it knows a socket, a
 * thread, a clock or an engine: those come in through struct chat_env and the store contract.
 *
 * Threads: a core is used by one thread at a time, its worker's. Cores speak to each other by
 * parcels (post.h) that the owner carries.
 *
 * Sessions are known by handles: worker << 56 | generation << 32 | index, never 0. A handle
 * outlives its session harmlessly: whatever is sent to an old one is dropped. */
#pragma once
#include "base/clock.h"
#include "base/inbox.h"
#include "base/metrics.h"
#include "base/str.h"
#include "packet/close.h"
#include "store/store.h"

#define CHAT_WORKERS_MAX 64
#define CHAT_SESSIONS_MAX_PER_USER 32

enum { INBOX_POST = 3 }; /* kind of a parcel's node, beside those of store.h */

struct chat;
struct parcel; /* posts of one turn from one core to another */

/* What a connection takes along when it moves to the home worker of the name it logs in with. */
struct chat_carry {
	unsigned failures;          /* logins refused so far */
	unsigned malformed;         /* packets in a row that could not be parsed */
	struct mono login_due;      /* when it must have logged in */
	struct str id, who, token;  /* the login that caused the move */
};

/* What the world does for a core. None of these calls back into the core. */
struct chat_env {
	void *ctx;
	struct mono (*now)(void *ctx);
	struct wall (*wall)(void *ctx);
	int (*utc_offset_minutes)(void *ctx);
	void (*random)(void *ctx, void *out, size_t n);
	/* The next sequence of this run (store.h), the same counter for all workers. */
	uint64_t (*next_seq)(void *ctx);

	/* One packet to a session of this worker. n is within what room() allows, or a response. */
	void (*send)(void *ctx, uint64_t session, const char *text, size_t n);
	size_t (*room)(void *ctx, uint64_t session); /* bytes that may be sent to it now */
	void (*want_room)(void *ctx, uint64_t session); /* call chat_room when there is more */
	void (*ping)(void *ctx, uint64_t session, const void *payload, size_t n);
	/* Hangs up; chat_closed is not called for it any more. */
	void (*close)(void *ctx, uint64_t session, enum close_reason why);
	void (*pause)(void *ctx, uint64_t session);  /* give out no packets of it … */
	void (*resume)(void *ctx, uint64_t session); /* … till now */
	/* Its connection goes to another worker, where chat_open gets `carry`. The session is
	 * over here. Views in carry must be copied. */
	void (*move)(void *ctx, uint64_t session, unsigned worker, const struct chat_carry *carry);

	/* Carries a parcel to the core of `worker` (its chat_inbox). Parcels for one core arrive in the order
	 * in which they were posted, whoever posted them: what a core posts after it heard of something
	 * comes behind that (base/inbox.h). */
	void (*post)(void *ctx, unsigned worker, struct inbox_node *parcel);

	/* Compares token and stored hash (absent: an unknown user; takes the same time), then calls
	 * chat_verified. Copies what it needs. May answer OVERLOADED by ok = -1. */
	void (*verify)(void *ctx, uint64_t session, struct str token, struct str hash);
	/* Hashes a token, then calls chat_hashed with the same job. */
	void (*hash)(void *ctx, uint64_t job, struct str token);
	/* Counts failed logins of an address over all workers: adds `add`, returns how many there
	 * were in the last minute. */
	unsigned (*address_failures)(void *ctx, struct str address, unsigned add);
};

/* Limits; names as in the configuration. May change between turns. */
struct chat_settings {
	int64_t login_timeout_ms;
	int64_t ack_ping_ms;          /* delivery.ack_ping_delay */
	unsigned max_login_failures;  /* on one connection */
	unsigned identity_failures_max; /* a minute, for one identity: 10 */
	unsigned address_failures_max;  /* a minute, from one address: 100 */
	unsigned max_sessions;        /* per user; at most CHAT_SESSIONS_MAX_PER_USER */
	unsigned malformed_max;       /* the so manyth malformed packet in a row closes: 16 */
	uint32_t mailbox_max_messages;
	uint64_t mailbox_max_bytes;
	size_t max_packet;
	size_t send_buffer;           /* what room() is at most; at least 2 * max_packet */
	bool names_ascii;
	unsigned session_messages_max; /* messages of one session not answered yet; then its input pauses */
	size_t session_bytes_max;      /* and their bytes */
	size_t pending_bytes_max;      /* bytes of all batches of one core not yet committed; then all input pauses */
	unsigned entities_max;         /* names kept in memory by one core while idle; 16 members of a group count for one */
	unsigned max_group_members;    /* receivers of a broadcast, too */
	unsigned fan_slice;            /* receivers that a fan-out reaches in one step */
};
/* The defaults of interface.md. */
void chat_settings_default(struct chat_settings *s);

/* What handlers/ offers to the core: runs a request at the home of the name it is about. */
struct request;
struct entity;

struct chat_config {
	unsigned worker, workers;
	const struct chat_env *env;
	const struct chat_settings *settings; /* read, not copied */
	struct store *store;
	struct metrics *metrics; /* this core's own set */
	/* Runs a request whose name is loaded: handlers_request (handlers/handlers.h). */
	void (*request_run)(struct chat *chat, struct entity *entity, const struct request *request);
};

struct chat *chat_create(const struct chat_config *config); /* NULL: out of memory */
/* Frees everything; batches and reads must have come back (chat_idle) or died with the store. */
void chat_destroy(struct chat **chat);

/* Which worker is home to a name. The same in every core of a process. */
unsigned chat_home(struct str name, unsigned workers);

/* A connection is there (handshake done). carry is NULL for a new one. Returns its handle, or
 * 0 when there are too many. `address` is copied. With a carry the login goes on at once: the
 * core may pause the session, answer it or ask for its token before the handle is returned. */
uint64_t chat_open(struct chat *chat, struct str address, const struct chat_carry *carry);
void chat_pong(struct chat *chat, uint64_t session, const void *payload, size_t n);
void chat_room(struct chat *chat, uint64_t session);
void chat_closed(struct chat *chat, uint64_t session); /* the connection ended by itself */
/* Packets go to handlers_text (handlers/handlers.h). */

/* A node of kind INBOX_STORE_BATCH, INBOX_STORE_READ or INBOX_POST that came for this core. */
void chat_inbox(struct chat *chat, struct inbox_node *node);
void chat_verified(struct chat *chat, uint64_t session, int ok); /* 1, 0, -1 overloaded */
void chat_hashed(struct chat *chat, uint64_t job, struct str hash); /* hash absent: overloaded */

/* At the end of every turn, and once at the start (what a crash left unfinished goes on then): runs what
 * is due, hands parcels and batches over. Returns in how
 * many milliseconds at the latest it must be called again, -1: not before something comes in. */
int64_t chat_turn(struct chat *chat);
/* Nothing is in flight to or from the store, other cores or hashers, nor waits to be. */
bool chat_idle(const struct chat *chat);
/* Writes down now what would have waited (acknowledgements); for shutdown. */
void chat_flush(struct chat *chat);

/* For lempctl: calls fn for each session logged in; kicks a user's sessions (4002), returns how many. */
struct chat_session_info { struct str user, address; uint64_t session; struct mono since; unsigned unacknowledged; };
void chat_each_session(struct chat *chat, void (*fn)(void *ctx, const struct chat_session_info *info), void *ctx);
unsigned chat_kick(struct chat *chat, struct str user);
