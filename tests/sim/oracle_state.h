/* The inside of the oracle, shared by its files. */
#pragma once
#include "fifo.h"
#include "oracle.h"

#define ORACLE_NAMES (TALK_NAMES + 1) /* and the server */
#define ORACLE_GENS 256     /* how often one name may be born in a run */
#define ORACLE_ADMIN 0      /* user number of the administrator, if there is one */
#define ORACLE_ACK_MS 1000  /* how long a dm may be on its way before a ping is one too many */
#define ORACLE_NOW UINT64_MAX /* of a `last time that`: still so */

/* One time a client sent a letter. */
struct sending {
	unsigned link;      /* 0: the server, out of a broadcast */
	uint64_t handed;    /* when the server got it */
	unsigned way;       /* the link it was sent on, as message to a broadcast perhaps; 0: on several … */
	uint64_t begun;     /* … and when the server got that */
	uint64_t done;      /* when it was answered, 0 not yet */
	bool refused, of_p0;
	char *passed_on;
	struct fan *fan;    /* the broadcast */
	int place;          /* p 0 out of one: which; else TALK_NOBODY */
};

/* A letter as it lies in a mailbox, or lay. A letter to a user has usually one; a deleted user who is
 * created again is somebody else, and so may get or send it anew. One to a group has one for each member. */
struct copy {
	struct letter *letter;
	int receiver;
	unsigned from_gen, to_gen; /* of sender and receiver */
	uint64_t seq;
	uint8_t flags;       /* MAIL_… */
	uint8_t kinds;       /* ACK_… committed */
	uint8_t acked;       /* ACK_… of which the server has been told; lost in a crash */
	size_t bytes;
	char *text;
	uint64_t committed, first_shown, released;
	uint64_t acked_at;   /* when it was told last */
	int64_t acked_ms;
	uint64_t sure;       /* since when the server can not but know it is acknowledged */
	bool received;
	struct fan *fan;     /* what brought it; NULL: sent to him alone */
};

enum letter_kind { LETTER_MESSAGE, LETTER_P0, LETTER_DM, LETTER_NM, LETTER_INFO, LETTER_GAP };

/* A message or receipt: all sendings of the same id to the same receiver. Information is a letter of the
 * server to its group; a gap one to the user who missed something. */
struct letter {
	enum letter_kind kind;
	int from, to;
	char id[TALK_ID_MAX];  /* of the message; for receipts of the one acknowledged */
	struct sending *sendings;
	unsigned sending_n, sending_cap;
	struct copy **copies;
	unsigned copy_n, copy_cap;
	struct fan **fans;     /* to a group or broadcast: usually one */
	unsigned fan_n, fan_cap;
	uint64_t taken;        /* when it became durable first, as copy or fan-out */
	uint64_t p0_shown[TALK_USERS]; /* P0 and receipts for such: when first, to whom */
	uint64_t vanished;     /* receipted, and the receiver blocks the sender */
	unsigned vanished_from, vanished_to; /* … of these generations */
	unsigned gap_count;    /* GAP: how many it says are missed */
	int gap_about;         /* … of this group, or of broadcasts of this user */
	struct letter *next;   /* of the same pair, newest first */
};

/* One message or information for many that became durable (FANOUT). */
struct fan {
	uint64_t seq;
	struct letter *letter;
	int place;
	bool broadcast;
	unsigned from_gen, place_gen;
	uint64_t committed;
	unsigned at[TALK_USERS]; /* which of those of its place it was that was shown to him; 0 not yet */
	unsigned slice_n, done_n;
	uint32_t slice[TALK_USERS]; /* who (bits) */
	bool done[TALK_USERS], ended;
	unsigned to_gen[TALK_USERS];
	char *text;
};

struct show { struct letter *letter; struct copy *copy; int64_t ms; uint64_t at; bool received; };
struct ping { char payload[64]; size_t n; unsigned shows; };

/* A request on its way: what it may come to, as things are or were since the server got it. */
struct asked {
	unsigned link;
	int user;
	unsigned gen;        /* of the user */
	char id[TALK_ID_MAX];
	struct ask ask;
	uint64_t handed;
	uint64_t committed;  /* when its change became durable */
	uint64_t fitted;     /* when one did that might have been its change */
	unsigned codes;      /* MODEL_… */
	bool idle;           /* success that changes nothing */
	struct model_named named; /* at any time since */
};

/* A question the server owes an answer, or a message it may refuse. */
struct pending {
	enum said_kind kind;
	char id[TALK_ID_MAX];
	char token[TALK_ID_MAX];
	struct letter *letter;
	unsigned sending;
	int to;
	const char *code;
	struct asked *asked; /* owned by the oracle */
	bool optional, answered, early, malformed, loose, of_p0;
	bool known;          /* DM, NM: the message must be found */
	uint64_t handed;
};

struct watch {
	unsigned link;
	int user;
	bool live, closed, logout, kicked, malformed_over;
	uint64_t login_handed; /* of the login that succeeded, or the last one tried */
	uint64_t login_quiet;  /* the last quiet moment before it */
	uint64_t live_at, closed_at;
	uint64_t last_seq;
	unsigned malformed_row, login_failures;
	uint8_t seen[TALK_USERS];      /* who was said to be … or is known to be: PRESENCE_… */
	uint64_t seen_quiet[TALK_USERS]; /* the last quiet moment then */
	struct show *shows;
	unsigned show_n, show_cap;
	struct ping *pings;
	unsigned ping_n, ping_cap;
	struct pending *pendings;
	unsigned pending_n, pending_cap;
};

/* Of a name. */
struct account {
	bool alive;           /* it is a user's */
	unsigned gen;
	uint64_t born[ORACLE_GENS], ended[ORACLE_GENS]; /* of each generation: its sequence; when, 0 not yet */
	char hash[TALK_ID_MAX + 4];
	int64_t created_ms;
	uint64_t changed;     /* last USER_PUT or NAME_DEL committed */
	uint64_t admin_handed;/* last time the server was asked to change it */
	uint64_t gone_at;     /* last time nobody bore the name */
	uint64_t seq_last;    /* newest in his mailbox */
	struct fifo box;      /* struct copy: all that was ever in it */
	unsigned missed[ORACLE_NAMES]; /* of this group, or of broadcasts of this user */
	uint64_t missed_at[ORACLE_NAMES]; /* the first */
	unsigned fan_shown[TALK_USERS]; /* place: how many of its fan-outs were shown to him */
	uint64_t in_at[TALK_USERS], out_at[TALK_USERS]; /* place: last time he might write to it, might not */
	uint64_t member_at[TALK_USERS]; /* … and got what was written to it */
};

struct oracle {
	const struct plan *plan;
	struct trace *trace;
	int64_t ack_ping_ms;
	uint64_t stamp;       /* counts everything that happens */
	uint64_t quiet;       /* when nothing was under way last */
	bool store_failed;
	struct account accounts[ORACLE_NAMES];
	struct model model;
	uint64_t model_changed;
	/* Last time he blocked him, since when he does; last change of it, and of a following. */
	uint64_t blocked_at[TALK_USERS][TALK_USERS], blocked_since[TALK_USERS][TALK_USERS];
	uint64_t follow_changed[TALK_USERS][TALK_USERS], block_changed[TALK_USERS][TALK_USERS];
	uint64_t block_told[TALK_USERS][TALK_USERS]; /* when he was answered that it is changed */
	struct letter *pairs[ORACLE_NAMES][ORACLE_NAMES];
	struct fifo fans;     /* struct fan */
	struct fifo asked;    /* struct asked: all */
	struct fifo open;     /* … those not answered */
	struct model_outcome outcome; /* scratch */
	struct watch **watches; /* by link - 1 */
	unsigned watch_n, watch_cap;
	struct oracle_counts counts;
	enum finding finding;
	char details[2500];
	char words[3][TALK_ID_MAX + 2];
	const char *word_list[4];
};

/* Makes room for one more element of an array that grows. */
void oracle_grow(void **array, unsigned n, unsigned *cap, size_t size);
#define ORACLE_GROW(array, n, cap) oracle_grow((void **)&(array), (n), &(cap), sizeof(*(array)))

/* Is a `last time that` later than `since`? */
static inline bool oracle_since(uint64_t last, uint64_t since) { return last > since; }
static inline uint32_t oracle_bit(int user) { return UINT32_C(1) << user; }
/* Was it meant for him alone, not for a group? */
static inline bool oracle_direct(const struct copy *c) { return c->letter->to == c->receiver; }

/* oracle.c */
struct watch *oracle_watch(const struct oracle *o, unsigned link);
/* NULL if there is none. */
struct letter *oracle_letter(const struct oracle *o, enum letter_kind kind, int from, int to, const char *id);
struct letter *oracle_letter_make(struct oracle *o, enum letter_kind kind, int from, int to, const char *id);
struct sending *oracle_sending(struct oracle *o, struct letter *l, unsigned link, const char *passed_on);
/* A message to a broadcast, as one of its receivers gets it; the caller frees it. */
char *oracle_readdressed(const char *text, int place, int receiver);
/* Is it durable, between users (or user and group) who are or were since then? */
bool oracle_taken(const struct oracle *o, const struct letter *letter, uint64_t since);
/* Was this generation of the name there since then? */
bool oracle_was(const struct oracle *o, int name, unsigned gen, uint64_t since);
/* The copy of this receiver, of users as they are now; NULL if there is none. */
struct copy *oracle_copy(const struct oracle *o, const struct letter *letter, int receiver);
/* Does its receiver still exist? */
bool oracle_copy_counts(const struct oracle *o, const struct copy *copy);
/* A message to him of that id and sender, the one in his mailbox first; NULL: none. */
struct copy *oracle_copy_of(const struct oracle *o, int receiver, int sender, const char *id);
/* Is this user one that comes and goes? */
bool oracle_volatile(const struct oracle *o, int user);
/* Does the receiver block the one who wrote to him alone, or did since? */
bool oracle_hidden(const struct oracle *o, const struct letter *letter, uint64_t since);
/* Was x surely sent before y? */
bool oracle_before(const struct letter *x, const struct letter *y);
enum letter_kind oracle_receipt_kind(enum said_kind kind);
/* Accuses with the letter as the word to look for. */
void oracle_accuse_letter(struct oracle *o, enum finding finding, const struct letter *letter,
			  const char *fmt, ...) PRINTF_LIKE(4, 5);

/* oracle_stored.c */
unsigned stored_gap_sum(const struct oracle *o, int user, int about, bool *shown_out);
/* Messages of this id and sender in a mailbox: more than one if a group was ended and made again. */
unsigned stored_twins(const struct oracle *o, int receiver, int sender, const char *id);
unsigned account_gen(const struct account *a, uint64_t born); /* 0: none */

/* oracle_changed.c */
/* A request is on its way. */
struct asked *changed_ask(struct oracle *o, const struct watch *w, const struct said *said);
void changed_answered(struct oracle *o, struct asked *a);
/* It succeeded, but nothing of it is durable; another one like it has been taken for it? Or it failed though
 * something is durable. True: they are exchanged. */
bool changed_exchange(struct oracle *o, struct asked *a);
/* A transaction: is what it changes beside mailboxes what some request asks for? */
void changed_txn(struct oracle *o, struct str ops);
void changed_forget(struct oracle *o, bool crashed); /* requests that can not take effect any more */

/* oracle_heard.c */
void heard_answer(struct oracle *o, struct watch *w, const struct heard *h, struct str text);
bool heard_plan_fails(const struct plan *p);
/* Could his mailbox be full? Counts all that is or may yet be in it. */
bool heard_mailbox_may_be_full(const struct oracle *o, int user, size_t bytes);

/* oracle_presence.c */
enum { PRESENCE_UNKNOWN, PRESENCE_ON, PRESENCE_OFF };
void presence_heard(struct oracle *o, struct watch *w, const struct heard *h);
void presence_check(struct oracle *o); /* nothing is under way */
bool presence_online(const struct oracle *o, int user);
