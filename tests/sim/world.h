/* The simulated world around the cores: clock, connections, workers' inboxes, hashers, the store
 * behind its fault engine, and crashes. One thread; everything that happens is one step, chosen by
 * dice from the run's seed. */
#pragma once
#include "fifo.h"
#include "handlers/handlers.h"
#include "oracle.h"
#include "plan.h"
#include "store/fault.h"
#include "store/simulated.h"

#define WORLD_WORKERS_MAX 4
#define WORLD_ADDRESSES 16

enum link_state { LINK_NEW, LINK_OPEN, LINK_MOVING, LINK_OVER };

/* What travels on a connection; each direction is one ordered stream. */
enum freight_kind { FREIGHT_SAID, FREIGHT_PONG, FREIGHT_HEARD, FREIGHT_PING, FREIGHT_CLOSE };
struct freight {
	enum freight_kind kind;
	struct said *said;     /* SAID; owned */
	struct heard heard;    /* HEARD */
	unsigned show;         /* HEARD: number for oracle_received, 0 none */
	char payload[64];      /* PING, PONG */
	size_t n;              /* of the payload, or of the packet heard */
};

struct link {
	unsigned number;
	int user;
	unsigned device;
	enum link_state state; /* as the server sees it */
	unsigned worker;       /* where it is, or goes */
	uint64_t handle;
	bool paused, wants_room;
	bool client_gone;      /* the client does not read any more */
	bool reset;            /* and the server learns it at once */
	struct fifo up, down;  /* struct freight */
	size_t down_bytes;
	struct chat_carry carry; /* MOVING; the views are owned */
	bool carried;
};

struct verdict { unsigned worker; uint64_t session; int ok; };
struct hashing { unsigned worker; uint64_t job; bool overloaded; char token[TALK_ID_MAX]; };
struct world_env { struct world *world; unsigned worker; };

struct plant;
struct people;

struct world {
	const struct plan *plan;
	struct trace *trace;
	struct oracle *oracle;
	struct people *people;
	struct plant *plant;          /* NULL: the server is left alone */
	struct dice dice, sodium;
	struct chat_settings settings;
	int64_t now_ns, wall_ms;
	unsigned workers;

	bool up, dying, calm;
	int64_t restart_ns;           /* while down */
	struct chat *chats[WORLD_WORKERS_MAX];
	struct chat_env env[WORLD_WORKERS_MAX];
	struct world_env ctx[WORLD_WORKERS_MAX];
	struct metrics metrics[WORLD_WORKERS_MAX];
	int64_t due_ns[WORLD_WORKERS_MAX];      /* when a turn is due; INT64_MAX never */
	struct fifo nodes[WORLD_WORKERS_MAX];   /* from the store */
	struct fifo parcels[WORLD_WORKERS_MAX]; /* from other cores, in the order posted: see chat_env.post */
	struct fifo verdicts, hashings;
	struct link *opening;         /* chat_open has not returned its handle yet */

	struct store *inner, *store;
	struct inbox inner_inbox[WORLD_WORKERS_MAX], outer_inbox[WORLD_WORKERS_MAX];
	struct metrics store_metrics;
	struct simulated_disk disk;   /* if plan->disk */
	uint64_t seq;

	struct fifo links;            /* struct link, those alive on either side */
	unsigned link_numbers;
	int64_t failures_ns[WORLD_ADDRESSES][128];
	unsigned failure_n[WORLD_ADDRESSES];
	unsigned crashes, refusals;
};

struct world *world_create(const struct plan *plan, struct trace *trace, struct plant *plant);
/* Plays one step. */
void world_step(struct world *w);
/* Stops the faults and lets all come to rest, everyone reading all he has. */
void world_calm(struct world *w);
/* Takes stock, and if all was well, shuts down in good order. */
void world_end(struct world *w);
void world_destroy(struct world **world);

/* --- for clients --- */
struct link *world_connect(struct world *w, int user, unsigned device);
struct link *world_link(const struct world *w, unsigned number); /* NULL: gone */
/* Takes `said`. */
void world_say(struct world *w, struct link *l, struct said *said);
void world_pong(struct world *w, struct link *l, const char *payload, size_t n);
/* The client is gone; what is under way to the server may or may not arrive. */
void world_cut(struct world *w, struct link *l);

/* --- for plants --- */
/* Puts a packet on the way to a client as if the core had sent it. */
void world_deliver(struct world *w, struct link *l, const char *text, size_t n);

/* --- inside: world_store.c --- */
void world_store_open(struct world *w);
void world_store_close(struct world *w);
/* The process is gone, and now and then the power. */
void world_store_crash(struct world *w);
void world_store_restart(struct world *w);
/* Takes what the store has handed back; true if there was something. */
bool world_store_collect(struct world *w);
bool world_store_commit(struct world *w);   /* one batch of some worker; false: none waits */
bool world_store_answer(struct world *w);   /* one read of some worker */
bool world_store_busy(const struct world *w);
/* Refuses everything that waits; for cores that are about to die. */
void world_store_refuse_all(struct world *w);

/* --- inside: world_env.c --- */
void world_env_init(struct world *w, unsigned worker);
void link_free(struct link **link);
void link_carry_drop(struct link *l);
void freight_free(void *freight);
size_t link_room(const struct world *w, const struct link *l);
