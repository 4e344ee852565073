/* A worker: one thread with its event loop, its connections and its core of the chat. Here the
 * pieces meet: packets of connections go to the core, what the core wants done (chat_env) goes to
 * connections, hashers and other workers.
 *
 *   loop ── events ──> net ── text, pong, room, closed ──> handlers, chat
 *    └── turn:  inbox (posts, store, hashers, connections that move here, tasks of main)
 *               -> chat_turn -> net_flush
 *
 * Threads: init, open, listen, start, join and deinit from main; `struct task`s pushed to `inbox`
 * run on the worker's thread and may use all of it; everything else is the worker's own. */
#pragma once
#include "base/list.h"
#include "base/metrics.h"
#include "chat/chat.h"
#include "daemon/config.h"
#include "daemon/hashers.h"
#include "daemon/limiter.h"
#include "daemon/task.h"
#include "net/listener.h"
#include <pthread.h>

/* What all workers share; constant once they run but for the atomics. */
struct workers {
	struct worker *worker;
	unsigned n;
	struct store *store;
	struct hashers *hashers;
	struct limiter *limiter;
	struct metrics *const *sets; /* of all threads */
	unsigned set_n;
	struct inbox *main;
	_Atomic uint64_t seq;              /* of this run, see store.h */
	_Atomic int64_t connections_max;
	_Atomic unsigned per_address_max;  /* 0: no limit */
};

struct worker {
	struct workers *all;
	unsigned index;
	pthread_t thread;
	bool started;
	struct loop *loop;
	struct inbox inbox;
	struct metrics metrics;
	struct config *config;      /* a reference */
	struct net *net;
	struct net_settings net_settings;
	struct chat *chat;
	struct chat_settings chat_settings;
	struct chat_env env;
	struct listener *listeners[CONFIG_LIST_MAX];
	unsigned listener_n;
	struct conn **conns;        /* by the index in a session's handle; NULL: none */
	uint32_t conn_cap;
	struct conn *opening;       /* its handle is being made by chat_open */
	bool called;                /* the core was called since chat_turn */
	bool leaving;               /* the server shuts down: no input is read */
	struct list reads;          /* worker_read */
	uint64_t sent, taken;       /* parcels and connections given to other workers, and taken from them */
};

/* Before the store is opened, which wants the inbox: loop and inbox. 0 or ERR_NOMEM. */
int worker_init(struct worker *w, struct workers *all, unsigned index);
/* With the store open: connections and core. 0 or ERR_NOMEM. */
int worker_open(struct worker *w, struct config *config);
/* Accepts on a listening socket, which is the worker's from here. 0 or ERR_NOMEM. */
int worker_listen(struct worker *w, int fd);
int worker_start(struct worker *w); /* 0 or ERR_NOMEM */
void worker_join(struct worker *w);
/* After the store and the hashers are gone, if the worker was idle: takes what they left in the
 * inbox and frees all. */
void worker_deinit(struct worker *w);

/* Uses another configuration from now on. On the worker's thread, or before it runs. */
void worker_use(struct worker *w, struct config *config);

/* A read of the store for somebody other than the core; `done` runs on the worker's thread. */
struct worker_read {
	struct store_read read;
	struct list node;
	void (*done)(struct worker_read *read, struct worker *w);
};
void worker_read(struct worker *w, struct worker_read *read);

/* Steps of a shutdown, on the worker's thread; each may be repeated. */
enum worker_step {
	WORKER_QUIET,   /* accepts nothing, reads nothing: what was taken in is finished */
	WORKER_HANG_UP, /* ends all sessions */
	WORKER_STOP,    /* the thread ends */
};
struct worker_report {
	bool idle;           /* nothing is under way in this core … */
	uint64_t sent, taken; /* … nor between workers, if the sums of these are equal */
	unsigned connections;
};
struct worker_report worker_leave(struct worker *w, enum worker_step step);

/* --- between the worker's own files --- */

/* worker_env.c */
void worker_env_init(struct worker *w);
/* worker_conn.c */
extern const struct net_handler worker_net_handler;
bool worker_admit(void *ctx, const struct sockaddr *address);
struct conn *worker_conn(struct worker *w, uint64_t session); /* NULL: none any more */
/* Is this an address to limit by? Whoever comes over a unix: socket has none: all would be one. */
bool worker_limits(struct str address);
/* Makes the connection a session of the core. */
void worker_adopt(struct worker *w, struct conn *conn, const struct chat_carry *carry);
void worker_conn_close(struct worker *w, uint64_t session, enum close_reason why);
void worker_conn_move(struct worker *w, uint64_t session, struct worker *to,
		      const struct chat_carry *carry);
