/* The inside of the oracle, shared by its files. */
#pragma once
#include "oracle.h"
#include "store/txn.h"

#define ORACLE_NAMES (PLAN_USERS_MAX + 1)
#define ORACLE_ADMIN 0 /* user number of the administrator, if there is one */
#define ORACLE_ACK_MS 1000 /* how long a dm may be on its way before a ping is one too many */

/* One time a client sent a letter. */
struct sending {
	unsigned link;
	uint64_t handed;    /* when the server got it */
	uint64_t done;      /* when it was answered, 0 not yet */
	bool refused, of_p0;
	char *passed_on;
};

/* A letter as it lies in a mailbox, or lay. Usually one per letter; a deleted user who is created
 * again is somebody else, and so may get or send it anew. */
struct copy {
	unsigned from_gen, to_gen;
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
};

enum letter_kind { LETTER_MESSAGE, LETTER_P0, LETTER_DM, LETTER_NM };

/* A message or receipt: all sendings of the same id to the same receiver. */
struct letter {
	enum letter_kind kind;
	int from, to;
	char id[TALK_ID_MAX];  /* of the message; for receipts of the one acknowledged */
	struct sending *sendings;
	unsigned sending_n, sending_cap;
	struct copy *copies;
	unsigned copy_n, copy_cap;
	uint64_t p0_shown;     /* P0 and receipts for such: when first */
	struct letter *next;   /* of the same pair, newest first */
};

struct show { struct letter *letter; int copy; int64_t ms; uint64_t at; bool received; };
struct ping { char payload[64]; size_t n; unsigned shows; };

/* A question the server owes an answer, or a message it may refuse. */
struct pending {
	enum said_kind kind;
	char id[TALK_ID_MAX];
	char token[TALK_ID_MAX];
	struct letter *letter;
	unsigned sending;
	int to;
	const char *code;
	enum admin_act act;
	bool optional, answered, early, malformed, loose, of_p0;
	bool known;          /* DM, NM: the message must be found */
	uint64_t handed;
};

struct watch {
	unsigned link;
	int user;
	bool live, closed, logout, kicked, malformed_over;
	uint64_t login_handed; /* of the login that succeeded, or the last one tried */
	uint64_t live_at;
	uint64_t last_seq;
	unsigned malformed_row, login_failures;
	struct show *shows;
	unsigned show_n, show_cap;
	struct ping *pings;
	unsigned ping_n, ping_cap;
	struct pending *pendings;
	unsigned pending_n, pending_cap;
};

struct account {
	bool alive;
	unsigned gen;
	uint64_t born[64];    /* of each generation */
	char hash[TALK_ID_MAX + 4];
	uint64_t changed;     /* last USER_PUT or USER_DEL committed */
	uint64_t admin_handed;/* last time the server was asked to change it */
	uint64_t seq_last;    /* newest in his mailbox */
};

struct oracle {
	const struct plan *plan;
	struct trace *trace;
	int64_t ack_ping_ms;
	uint64_t stamp;       /* counts everything that happens */
	uint64_t quiet;       /* when nothing was under way last */
	bool store_failed;
	struct account accounts[ORACLE_NAMES];
	struct letter *pairs[ORACLE_NAMES][ORACLE_NAMES];
	struct watch **watches; /* by link - 1 */
	unsigned watch_n, watch_cap;
	struct oracle_counts counts;
	enum finding finding;
	char details[1500];
	char words[3][TALK_ID_MAX + 2];
	const char *word_list[4];
};

/* Makes room for one more element of an array that grows. */
void oracle_grow(void **array, unsigned n, unsigned *cap, size_t size);
#define ORACLE_GROW(array, n, cap) oracle_grow((void **)&(array), (n), &(cap), sizeof(*(array)))

struct watch *oracle_watch(const struct oracle *o, unsigned link);
/* NULL if there is none. */
struct letter *oracle_letter(const struct oracle *o, enum letter_kind kind, int from, int to, const char *id);
/* The copy for the users as they are now; NULL if there is none. */
struct copy *oracle_copy(const struct oracle *o, const struct letter *letter);
/* Does its receiver still exist? */
bool oracle_copy_counts(const struct oracle *o, const struct letter *letter, const struct copy *copy);
/* Is this user one that comes and goes? */
bool oracle_volatile(const struct oracle *o, int user);
/* Was x surely sent before y? */
bool oracle_before(const struct letter *x, const struct letter *y);
enum letter_kind oracle_receipt_kind(enum said_kind kind);
/* Accuses with the letter as the word to look for. */
void oracle_accuse_letter(struct oracle *o, enum finding finding, const struct letter *letter,
			  const char *fmt, ...) PRINTF_LIKE(4, 5);
