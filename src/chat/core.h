/* The inside of a core: what the files of chat/ and handlers/ share. Nobody else includes it.
 *
 *   session.c  who is connected: handles, holds, responses
 *   login.c    how a session becomes a user's
 *   entity.c   names: loading, waiting, keeping and forgetting them
 *   mailbox.c  what a user was shown and has not acknowledged; streaming to his sessions
 *   receipt.c  dm and nm: finding what they acknowledge
 *   router.c   mail at the home of its receiver, answers back to its sender
 *   group.c    groups and broadcasts: members, what leaving means
 *   request.c  requests at the home of the name they are about, and their responses
 *   job.c      requests of several steps: reads, hashes, the change at the end
 *   guard.c    what a request must know of other users, who stay till its outcome
 *   deletion.c a user's end, and what it means for groups he is in
 *   fanout.c   one message or information for many: kept, spread, ended; after a crash gone on with
 *   slice.c    its slices at the homes of the receivers …
 *   fan.c      … of a group, who share one mail
 *   copies.c   … of a broadcast, who get one each
 *   gap.c      what a receiver missed while his mailbox was full
 *   presence.c telling followers who comes and goes
 *   commit.c   batches of transactions and what happens when they are durable
 *   chat.c     the outside: turns, inbox, parcels                                            */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "chat/chat.h"
#include "chat/group.h"
#include "chat/mailbox.h"
#include "chat/once.h"
#include "chat/post.h"
#include "packet/name.h"
#include "store/txn.h"

#define CHAT_ADDRESS_BYTES_MAX 64
#define CHAT_IN_FLIGHT_MAX 2       /* batches of one core at the store; the next one gathers */
#define CHAT_LAZY_MS 200           /* how long an acknowledgement may wait for company (promise 2: 1 s) */
#define LOGIN_DELAYS 6             /* how often the delay of a suspect login doubles */
#define CHAT_BLOCKS_MAX 10000      /* of one user */
#define CHAT_OWN_MAX 10000         /* broadcasts of one user kept in memory */
#define CHAT_LIST_BYTES_MAX ((size_t)16 << 20) /* of a list that is a response; 413 when longer */

/* --- names --- */

enum entity_state {
	ENTITY_LOADING, /* a read of the name is on its way */
	ENTITY_READY,
	ENTITY_BUSY,    /* one thing is being decided about it that everything after must wait for */
};

struct user {
	uint64_t born;         /* sequence at creation */
	bool admin;
	struct str token;      /* hash; owned */
	int64_t last_seen_ms;  /* -1 never */
	uint32_t mail_count;   /* stored messages not released, those on their way to the store too */
	uint64_t mail_bytes;
	struct list sessions;  /* oldest first */
	unsigned session_count;
	struct mailbox box;
	struct map blocks;     /* whom he blocks: name -> struct tie */
	struct map own;        /* his broadcasts, likewise … */
	bool own_more;         /* … but they are more than are kept in memory */
	uint64_t low_seq;      /* the last sequence given to a gap mail (gap.c) */
	struct list gaps;      /* those that may still count up */
	bool told_online;      /* what his followers were told last … */
	bool telling;          /* … and are being told now */
};

struct tie { struct str name; uint64_t born; }; /* the name behind the struct */

struct entity {
	struct str name;       /* points behind the struct */
	enum entity_state state;
	bool stale;            /* a batch that touched it failed: read anew once nothing is in flight */
	uint8_t kind;          /* enum store_name_kind */
	unsigned pins;         /* effects, reads and jobs in flight that point here, and sessions */
	unsigned effects;      /* of those, effects of batches not committed … */
	unsigned acks;         /* … and receipts under way that say something of its mailbox */
	unsigned due;          /* copies of broadcasts that come before all that waits (copies.c) */
	bool recount;          /* mail_count may be off by these: read anew after them */
	struct list idle;      /* in chat->idle while nothing pins it … */
	unsigned weight;       /* … and what it counts for there */
	struct buf waiting;    /* posts that wait till it is ready */
	bool wanted;           /* somebody waits for it without a post (entity_want) */
	bool unreadable;       /* the last read of it failed */
	bool deleting;         /* a user's deletion is under way: no new guards … */
	bool doomed;           /* … and at the store: nothing more into his mailbox */
	unsigned guards;       /* requests elsewhere that count on this user to stay (guard.c) */
	struct job *unguarded; /* waits till there are none */
	unsigned failures;     /* failed logins in the minute since … */
	struct mono failures_since;
	struct user user;      /* when kind is STORE_USER */
	struct group *group;   /* when it is STORE_GROUP or STORE_BROADCAST, else NULL */
};

/* --- sessions --- */

enum session_state { SESSION_NEW, SESSION_LOGGING_IN, SESSION_LIVE };

/* Why a session's packets wait. */
enum { HOLD_LOGIN = 1, HOLD_REQUEST = 2, HOLD_CREDIT = 4, HOLD_BARRIER = 8, HOLD_FIND = 16, HOLD_PENDING = 32,
       HOLD_ROOM = 64, HOLD_COPIES = 128 };

struct session {
	uint64_t handle;
	enum session_state state;
	struct entity *entity;     /* whose; pinned; from LOGGING_IN on */
	struct list of_user;       /* in user.sessions */
	struct list timed;         /* in chat->logins, chat->delayed[…] or chat->unacked */
	struct list throttled;     /* in chat->throttled */
	char address[CHAT_ADDRESS_BYTES_MAX];
	size_t address_n;
	struct mono since;         /* logged in */
	struct mono due;           /* of `timed` */
	struct mono login_due;
	unsigned failures, malformed;
	unsigned hold;             /* HOLD_… */
	bool verified;             /* the token was right; waits for its name to be ready */
	uint64_t login_born;       /* whom the token was compared with */
	struct buf login;          /* a login_carry: id, token of the login under way (login.c) */
	unsigned messages;         /* sent, not answered */
	size_t message_bytes;
	uint64_t touched;          /* bit per worker that got posts of it since the last barrier */
	unsigned barriers;         /* on their way */
	struct buf response;       /* waits for them */
	unsigned slot;             /* which bit of item.shown is its */
	struct stream stream;      /* what it was shown */
};

/* --- batches --- */

#define NO_OP SIZE_MAX

enum effect_kind {
	EFFECT_MAIL,     /* show the mail at `op`, answer its sender */
	EFFECT_UNSTORED, /* show the mail_in at `data` (p 0 behind stored ones), answer its sender */
	EFFECT_ANSWER,   /* give the answer at `data` */
	EFFECT_RELEASED, /* the release at `op` is durable */
	EFFECT_JOB,      /* the transaction at `op` is what job `job` wanted */
	EFFECT_FAN,      /* the mail at `op` of a fan-out's slice: show it to all its receivers */
	EFFECT_COPIES,   /* a broadcast's slice is done */
};

struct effect {
	uint8_t kind;
	uint8_t ack_kind;
	bool ack_release;
	bool want_sr;
	struct entity *entity; /* pinned; may be NULL */
	uint64_t session;
	uint64_t ack_seq;
	uint64_t job;
	uint64_t fan;          /* MAIL, ANSWER: of a copy; FAN, COPIES: the slice */
	size_t op;             /* offset in batch.ops; FAN: NO_OP if there is none */
	size_t data;           /* offset in commit.data */
};

struct commit {
	struct store_batch batch;
	struct buf data;       /* posts that effects refer to */
	struct effect *effects;
	size_t effect_n, effect_cap;
	unsigned releases;     /* by pongs, in it */
	bool urgent;           /* somebody waits for it */
	bool doomed;           /* a batch before it failed while it gathered: it must fail, too */
	struct mono lazy_due;  /* else it goes then */
	struct commit *next;   /* in chat->spare */
};

/* --- reads --- */

enum lookup_kind {
	LOOKUP_NAME, LOOKUP_SEEN, LOOKUP_FIND, LOOKUP_MAILBOX, LOOKUP_JOB, LOOKUP_PRESENCE, LOOKUP_FANOUTS,
};

struct lookup {
	struct store_read read;
	enum lookup_kind kind;
	struct entity *entity; /* pinned; NULL: FANOUTS */
	uint64_t session;      /* FIND, MAILBOX; JOB: its id */
	struct buf post;       /* SEEN: the mail_in; FIND: the receipt (receipt.c); else bytes that views of
				  the read point to */
	struct lookup *next;   /* in chat->deferred */
};

/* --- requests of more than one step (job.c) --- */

/* What a request found out about another user, whom it guards. */
struct fact { struct str name; uint64_t born; bool blocks; }; /* blocks: the one who asks */

struct job {
	struct list node;          /* in chat->jobs */
	uint64_t id;
	struct entity *entity;     /* pinned; NULL for what is the operator's */
	bool busy;                 /* it keeps the entity BUSY */
	struct buf bytes;          /* the request, as a post … */
	struct request r;          /* … and as views of it */
	void (*next)(struct chat *chat, struct job *job); /* when what it waits for is there */
	void (*applied)(struct chat *chat, struct job *job, bool ok); /* instead of the usual, see job_commit */
	unsigned awaited;          /* answers under way */
	enum refusal refusal;      /* the worst of them, and about whom */
	struct buf about;
	struct map facts;          /* name -> struct fact */
	struct buf rows;           /* what was read */
	size_t rows_max;           /* more is refused with 413 */
	struct buf list;           /* the job's own */
	struct str hash;           /* of a token; absent: too busy to hash */
	size_t mark, op;           /* of the transaction being written */
	struct deletion *deletion;
	void (*done)(void *ctx, enum refusal refusal, struct str sentence); /* operator's: to be told */
	void *ctx;
};

/* --- slices of fan-outs (slice.c) --- */

struct slice {
	struct list node;      /* in chat->fans or chat->copies */
	uint64_t id;
	struct buf bytes;      /* the post … */
	struct fan_slice in;   /* … and views of it */
	struct entity **who;   /* its receivers, pinned */
	size_t n;
};

struct chat {
	unsigned worker, workers;
	const struct chat_env *env;
	const struct chat_settings *settings;
	struct store *store;
	struct metrics *metrics;
	void (*request_run)(struct chat *chat, struct entity *entity, const struct request *request);

	struct map entities;
	struct list idle;              /* entities nobody needs now, longest idle first … */
	unsigned idle_weight;          /* … and how much they are, in names without members */

	struct session **sessions;     /* by index; NULL: free */
	uint32_t *generations;
	uint32_t session_cap, session_free_hint;
	unsigned session_n;
	struct list logins;            /* sessions not logged in, by due */
	struct list delayed[LOGIN_DELAYS];
	struct list unacked;           /* sessions with something unacknowledged, by due */
	struct list throttled;         /* sessions held because too much is pending */

	struct commit *open;           /* gathers */
	struct commit *spare;
	unsigned in_flight;            /* batches at the store */
	bool failing;                  /* one failed, and so will those that are still there */
	unsigned lookups;              /* reads at the store */
	uint32_t failures_seen;
	size_t pending_bytes;          /* of all batches not back */
	struct once once;              /* what is in them */

	struct parcel *outbox[CHAT_WORKERS_MAX];
	struct buf behind;             /* answers that leave when the outbox did (answer_behind) */
	struct packet_reader reader;
	struct buf scratch;            /* packets being written */
	struct buf receivers;          /* of the mail being written */
	uint64_t next_id;              /* of ids the server chooses */
	struct list jobs;              /* under way */
	uint64_t next_job;
	struct list asks;              /* of other homes' jobs, till all their names are in memory (guard.c) */
	bool loaded;                   /* a name came since they were looked at */

	struct list fans;              /* slices of groups' fan-outs, in order, till they are done (fan.c) */
	struct list copies;            /* of broadcasts' (copies.c) */
	unsigned fans_written;         /* of those, whose outcome is awaited */
	bool fans_failed;              /* one failed: when nothing is awaited, again from the first */
	uint64_t next_slice;
	struct map fanouts;            /* not ended, by the 8 bytes of their seq (fanout.c) */
	struct buf spread[CHAT_WORKERS_MAX]; /* receivers of the one being written, by their homes */
	struct buf releases;           /* struct release…: proven by pongs, not yet in a batch (receipt.c) … */
	size_t releases_at;            /* … from here on */
	bool turned;                   /* chat_turn was called before */
	bool ending;                   /* being destroyed: nothing new begins */
	/* Fan-outs of an earlier run are being read, here or at another core: no name is loaded before all
	 * of them are in line at the homes of their receivers. */
	bool recovering;
	unsigned recovered;            /* cores that have posted theirs */
	struct lookup *deferred;       /* reads that wait for that */
};

static inline void chat_count(struct chat *chat, enum metric which, int64_t by)
{
	metric_add(chat->metrics, which, by);
}
static inline struct mono chat_now(const struct chat *chat) { return chat->env->now(chat->env->ctx); }
static inline struct wall chat_wall(const struct chat *chat) { return chat->env->wall(chat->env->ctx); }
static inline uint64_t chat_next_seq(const struct chat *chat) { return chat->env->next_seq(chat->env->ctx); }
/* An id for a packet the server begins; lives till the next call. */
struct str chat_next_id(struct chat *chat, char out[32]);
/* The buffer to write a packet in; empty; good till the next call. */
struct buf *chat_scratch(struct chat *chat);
/* Appends a post to the parcel for `worker`, which leaves at the end of the turn. */
void chat_post(struct chat *chat, unsigned worker, enum post_kind kind, const void *body);
/* The same, or taken in at once when `worker` is this one. */
void chat_tell(struct chat *chat, unsigned worker, enum post_kind kind, const void *body);

/* session.c */
/* How often a session with something unacknowledged is looked at. */
static inline int64_t session_ack_check_ms(const struct chat *chat)
{
	return chat->settings->ack_ping_ms / 4 + 1;
}
static inline unsigned session_worker(uint64_t handle) { return (unsigned)(handle >> 56); }
struct session *session_get(struct chat *chat, uint64_t handle); /* NULL: over */
void session_hold(struct chat *chat, struct session *s, unsigned why);
/* Room for mail. A part of the output is kept free for responses and receipts, so that they always
 * fit: who does not read is not read from (session_check_room), and has few messages under way. */
static inline size_t session_reserve(const struct chat *chat) { return chat->settings->send_buffer / 4; }
size_t session_room(struct chat *chat, const struct session *s);
void session_check_room(struct chat *chat, struct session *s);
void session_unhold(struct chat *chat, struct session *s, unsigned why);
/* Sends a response once all the session sent before is taken in (protocol.md section 3). */
void session_respond(struct chat *chat, struct session *s, struct str text);
void session_await_login(struct chat *chat, struct session *s); /* in chat->logins, by s->due */
void session_barrier_back(struct chat *chat, uint64_t handle);
/* Sends the response to a request at another core's session, too, and lets its packets go on. */
void reply_send(struct chat *chat, uint64_t session, struct str text);
void reply_apply(struct chat *chat, const struct reply *reply);
/* Ends a session from this side. `s` is gone afterwards. */
void session_close(struct chat *chat, struct session *s, enum close_reason why);
/* The user was seen now. */
void session_write_last_seen(struct chat *chat, struct entity *e);
/* The same without a word to its connection, which has ended or moves. */
void session_end(struct chat *chat, struct session *s);
/* Sends an error that is a response or stands for one. */
void session_refuse(struct chat *chat, struct session *s, struct str id, enum refusal code, const char *sentence);

/* login.c */
void login_begin(struct chat *chat, struct session *s, struct str id, struct str who, struct str token);
void login_go(struct chat *chat, struct entity *e, const struct login_wait *wait); /* its name is ready */
void login_due(struct chat *chat, struct mono now); /* timeouts and delays */
int64_t login_wait_ms(const struct chat *chat, struct mono now); /* till the next of them; -1 none */

/* entity.c */
/* The entity of a name, loading it if it is not in memory. Not pinned: valid till the next call. */
struct entity *entity_get(struct chat *chat, struct str name);
/* Queues a post for the time the name is ready. */
void entity_wait(struct chat *chat, struct entity *e, enum post_kind kind, const void *body);
void entity_pin(struct chat *chat, struct entity *e);
void entity_unpin(struct chat *chat, struct entity *e);
void entity_busy(struct entity *e);                     /* READY -> BUSY */
void entity_go_on(struct chat *chat, struct entity *e); /* back; runs what waits */
/* Memory knows all of it, and nothing about it is being decided. */
static inline bool entity_at_rest(const struct entity *e) { return e->state == ENTITY_READY && !e->stale; }
/* It takes what comes; else that waits. */
static inline bool entity_ready(const struct entity *e) { return entity_at_rest(e) && !e->due; }
void entity_loaded(struct chat *chat, struct lookup *l);
/* What a USER_PUT or NAME_DEL that is durable now means for memory. */
void entity_apply(struct chat *chat, struct entity *e, const struct store_op *op);
void entity_close_sessions(struct chat *chat, struct entity *e, enum close_reason why);
void entity_free(struct entity *e);
/* Whether it is in memory (perhaps BUSY); if not, it will be: chat->loaded tells when to look again. */
bool entity_want(struct chat *chat, struct entity *e);
/* Does the user block that one? `born` 0: whoever bears the name. */
bool entity_blocks(const struct entity *e, struct str name, uint64_t born);
void entity_forget_block(struct entity *e, const struct forget *f);
/* Is that a broadcast of his? Perhaps, if it is none. */
bool entity_owns(const struct entity *e, struct str name);
void entity_note_own(struct entity *e, const struct own *own);
void entity_take_own(struct chat *chat, const struct own *own); /* at the owner's home */

/* router.c */
void router_send(struct chat *chat, const struct mail_in *mail);   /* from its sender's session */
void router_accept(struct chat *chat, const struct mail_in *mail); /* at the receiver's home */
void router_take(struct chat *chat, struct entity *e, const struct mail_in *mail);
void router_looked_up(struct chat *chat, struct lookup *l);
void router_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail); /* p 0 */
void router_show_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail);
void router_drop_unstored(struct chat *chat, const struct mail_in *mail);
void answer_send(struct chat *chat, const struct answer *a);
/* The same once all that this turn posts has left, so that what its session sends then, to whatever
 * core, comes behind. */
void answer_behind(struct chat *chat, const struct answer *a);
void answer_apply(struct chat *chat, const struct answer *a);
struct answer answer_to(const struct mail_in *mail, enum refusal refusal);
/* From the asker's core to the home of r->about, and there. */
void request_send(struct chat *chat, const struct request *r);
void request_accept(struct chat *chat, const struct request *r);
/* Answers a request: NONE is success without content. */
void request_reply(struct chat *chat, const struct request *r, enum refusal refusal, struct str sentence);
/* Answers with an error and a sentence made of the format. */
void request_refuse(struct chat *chat, const struct request *r, enum refusal refusal, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* job.c. A job begins with job_begin, goes from step to step (each names the function that is called
 * when it is done: perhaps at once, before it returns), and ends with exactly one of job_refuse,
 * job_done, job_respond, job_commit; steps that fail refuse it (503) instead of going on. */
/* Copies the request. `busy`: the entity, which is READY, is BUSY till the end. */
struct job *job_begin(struct chat *chat, struct entity *e, const struct request *r, bool busy);
void job_refuse(struct chat *chat, struct job *job, enum refusal refusal, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void job_done(struct chat *chat, struct job *job);                     /* success without content */
void job_respond(struct chat *chat, struct job *job, struct str text); /* a response packet */
/* Hashes a token; then job->hash is there. */
void job_hash(struct chat *chat, struct job *job, struct str token, void (*next)(struct chat *, struct job *));
/* Learns of users (a list of names, base/strs.h): each gets a fact in job->facts. One who does not exist:
 * refused with 404. They are guarded till the job ends; so the asker is among them when a link of his is
 * written elsewhere than at his home. */
void job_ask(struct chat *chat, struct job *job, struct str names, void (*next)(struct chat *, struct job *));
const struct fact *job_fact(const struct job *job, struct str name);   /* of one asked about */
/* Reads all links of the job's entity (or `name`) into job->rows as store_link_row…; 413 if they are
 * more than CHAT_LIST_BYTES_MAX. */
void job_read_links(struct chat *chat, struct job *job, enum store_link link, enum store_side side,
		    void (*next)(struct chat *, struct job *));
/* Reads a text of the job's entity into job->rows; empty if there is none. */
void job_read_text(struct chat *chat, struct job *job, enum store_text what,
		   void (*next)(struct chat *, struct job *));
/* The one transaction of a job, which is busy: ops are added to the buffer returned (txn_add) till
 * job_commit. When it is durable, memory follows those ops that say something of the job's entity,
 * its fan-outs start, and the request succeeded; else nothing changed and it is refused with 503. */
struct buf *job_change(struct chat *chat, struct job *job);
void job_commit(struct chat *chat, struct job *job);
void job_committed(struct chat *chat, uint64_t id, struct str ops, bool ok); /* from commit.c */
void job_read_back(struct chat *chat, struct lookup *l);
struct job *job_new(struct chat *chat); /* one to be told `done` only */
struct job *job_get(struct chat *chat, uint64_t id);
void job_end(struct chat *chat, struct job *job); /* guards, BUSY, pin, memory */
void job_free(struct job *job);

/* guard.c */
void guard_ask(struct chat *chat, const struct guard_ask *ask);      /* at the home of the names */
void guard_facts(struct chat *chat, const struct guard_facts *facts); /* back at the job's */
void guard_release(struct chat *chat, struct str names);
void guard_end(struct chat *chat, struct job *job);                  /* tells all homes it asked */
void guard_turn(struct chat *chat);
void guard_free(struct chat *chat);

/* deletion.c */
/* Deletes the user of a busy job and all that is his (protocol.md section 11). */
void deletion_begin(struct chat *chat, struct job *job);
void deletion_unguarded(struct chat *chat, struct job *job);
void deletion_end(struct chat *chat, struct job *job); /* thaws what it froze */
void deletion_freeze(struct chat *chat, struct entity *e, const struct freeze *f); /* at the group's home; READY */
void deletion_unreadable(struct chat *chat, const struct freeze *f);
void deletion_frozen(struct chat *chat, const struct frozen *f);
void deletion_thaw(struct chat *chat, const struct thaw *t);
void deletion_forget(struct chat *chat, const struct forget *f);   /* at the home of those who block him */
void deletion_free(struct deletion *d);

/* fanout.c */
/* Who gets it: names added since fanout_begin. */
void fanout_begin(struct chat *chat);
void fanout_to(struct chat *chat, struct str name);
void fanout_to_members(struct chat *chat, const struct entity *e, struct str but);
/* Adds the op with these receivers; the caller filled in all but the slices. Returns its offset. */
size_t fanout_add(struct chat *chat, struct buf *ops, struct op_fanout *head);
/* Adds information from group e to these receivers, if there are any. */
void fanout_inform(struct chat *chat, struct buf *ops, const struct entity *e, struct packet_info *info);
/* It is durable: goes out to the homes of the receivers. At the home of its target. */
void fanout_start(struct chat *chat, const struct op_fanout *op);
/* A message to a group or broadcast that is no repeat. */
void fanout_accept(struct chat *chat, struct entity *e, const struct mail_in *mail, struct hash128 once);
void fanout_show_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail); /* p 0 */
/* So much of it is under way that it must be BUSY till there is less; then entity_go_on is called. */
bool fanout_full(struct entity *e);
void fanout_fanned(struct chat *chat, const struct fanned *f); /* a slice is done */
void fanout_recover(struct chat *chat);                        /* at start */
void fanout_recovered(struct chat *chat, struct lookup *l);
void fanout_recovery_ended(struct chat *chat);                 /* of one core */
void fanout_free(struct chat *chat);

/* fan.c */
void fan_take(struct chat *chat, const struct fan_slice *slice);
void fan_turn(struct chat *chat);
bool fan_runnable(struct chat *chat);                         /* another turn would get on */
void fan_committed(struct chat *chat, uint64_t fan, const struct op_mail *mail, bool ok); /* mail may be NULL */
void fan_free(struct chat *chat);

/* slice.c */
void slice_keep(struct chat *chat, struct slice *s, const struct fan_slice *in); /* copies it, pins who gets it */
struct slice *slice_get(struct list *line, uint64_t id);
/* Is he the one who was a receiver then? One who took the name later is somebody else. */
bool slice_reaches(const struct slice *s, const struct entity *e);
void slice_add_done(struct buf *ops, const struct slice *s);
void slice_done(struct chat *chat, struct slice *s); /* tells the fan-out's home; frees what s holds */
void slice_free(struct slice *s);                    /* what it holds, at the end of all */

/* copies.c */
void copies_take(struct chat *chat, const struct fan_slice *in);
void copies_recovered(struct chat *chat);                        /* all of an earlier run have come */
void copies_reached(struct chat *chat, const struct copy *copy); /* what waited before it has run */
void copies_answered(struct chat *chat, const struct answer *a);
void copies_committed(struct chat *chat, uint64_t slice, bool ok);
void copies_turn(struct chat *chat);
bool copies_runnable(const struct chat *chat);                   /* another turn would get on */
void copies_free(struct chat *chat);

/* gap.c */
/* Adds to the transaction that e missed one of a group (or of a broadcast of `owner`). */
void gap_add(struct chat *chat, struct buf *ops, struct entity *e, struct str group, struct str owner);
void gap_close(struct user *u); /* they are being told, or what is on disk is not known */

/* presence.c */
void presence_changed(struct chat *chat, struct entity *e); /* perhaps: tells the followers if so */
void presence_read(struct chat *chat, struct lookup *l);
void presence_tell(struct chat *chat, const struct entity *e, bool online, struct str rows); /* link rows */
void presence_show(struct chat *chat, const struct presence *p); /* at the home of followers */

/* commit.c */
struct commit *commit_open(struct chat *chat);
struct effect *commit_effect(struct chat *chat, enum effect_kind kind, struct entity *e); /* pins e */
void commit_answer(struct chat *chat, struct entity *e, const struct answer *a);
void commit_back(struct chat *chat, struct commit *c);
/* Hands the open batch to the store if it is time; `all`: also what could wait for company. */
void commit_submit(struct chat *chat, bool all);
size_t commit_pending_bytes(const struct chat *chat);
int64_t commit_wait_ms(const struct chat *chat, struct mono now);
void commit_free(struct commit *c);

/* Reads. */
struct lookup *lookup_new(struct chat *chat, enum lookup_kind kind, enum store_read_kind read, struct entity *e);
void lookup_start(struct chat *chat, struct lookup *l);
void lookup_free(struct chat *chat, struct lookup *l); /* unpins */

/* receipt.c */
/* A dm or nm of a session for the message `ack_id` (protocol.md section 12). `p` is the packet. */
void receipt_take(struct chat *chat, struct session *s, const struct packet *p, uint8_t ack_kind);
void receipt_found(struct chat *chat, struct lookup *l);
/* Adds a transaction that takes a shown item out of the mailbox, to be written with others. */
void receipt_release(struct chat *chat, struct entity *e, struct item *item, uint8_t kinds);
/* The same for what a pong proves, when nobody waits: a few go with each batch. */
void receipt_release_soon(struct chat *chat, struct entity *e, struct item *item, uint8_t kinds);
void receipt_turn(struct chat *chat, bool all); /* puts some of these, or all, into the open batch */
bool receipt_runnable(const struct chat *chat); /* another turn would get on with these */
/* The release of an item failed with its batch: it goes into the next one. */
void receipt_release_again(struct chat *chat, struct entity *e, uint64_t seq, uint8_t kinds);
/* The answer to a receipt came: what it released is gone, or not. True: the receipt is taken. */
bool receipt_settled(struct chat *chat, struct entity *e, const struct answer *a);

/* chat.c */
/* Holds the session if too much is pending in this core. */
bool chat_throttle(struct chat *chat, struct session *s);
void chat_run_post(struct chat *chat, struct entity *e, const struct post *post); /* e is ready */
