/* The checker: is told everything that passes between clients, cores and store, keeps its own
 * picture of it, and says when a promise of protocol.md is broken. It knows nothing
 * of how the server works; what it knows of the store are the transactions that became durable.
 * Only the first finding of a run counts.
 *
 *   oracle.c           names, letters, what clients do
 *   oracle_end.c       the end: has everybody got what is his?
 *   oracle_stored.c    mail that became durable: mailboxes, acknowledgements, fan-outs
 *   oracle_changed.c   changes that became durable: each must be what some request asks for
 *   oracle_heard.c     what the server answers
 *   oracle_shown.c     messages, receipts and information it shows; pings and closes
 *   oracle_presence.c  logins and logouts it tells of
 *
 * Links are numbered by the world from 1 and never used twice. */
#pragma once
#include "base/str.h"
#include "model.h"
#include "packet/close.h"
#include "plan.h"
#include "talk.h"
#include "trace.h"

enum finding {
	FINDING_NONE,
#define FINDING(name, promise, text) FINDING_##name,
#include "finding.def"
#undef FINDING
	FINDING_COUNT
};
struct finding_row { const char *name, *promise, *text; };
extern const struct finding_row finding_rows[FINDING_COUNT];

struct oracle;
struct oracle *oracle_create(const struct plan *plan, struct trace *trace, int64_t ack_ping_ms);
void oracle_destroy(struct oracle **oracle);

/* NONE while all is well. `details` and the words to look for in the trace live with the oracle. */
enum finding oracle_finding(const struct oracle *o, const char **details_out,
			    const char *const **words_out);
/* For findings that the world or the clients make. */
void oracle_accuse(struct oracle *o, enum finding finding, const char *word, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* A name, and back: of users only, or of any; TALK_NOBODY for what is none. */
const char *oracle_name(int name);
int oracle_user(struct str name);
int oracle_any(struct str name);

/* --- what clients do --- */
void oracle_connected(struct oracle *o, unsigned link, int user);
/* The server is given a packet. The oracle copies what it keeps. */
void oracle_handed(struct oracle *o, unsigned link, const struct said *said);
void oracle_pong(struct oracle *o, unsigned link, struct str payload);
/* The client has read the packet that oracle_shown numbered so. */
void oracle_received(struct oracle *o, unsigned link, unsigned show);
/* The server has been told that the connection is gone. */
void oracle_gone(struct oracle *o, unsigned link);

/* --- what the server does --- */
/* Returns the number for oracle_received, 0 if it needs none. */
unsigned oracle_shown(struct oracle *o, unsigned link, struct str text, const struct heard *heard);
void oracle_pinged(struct oracle *o, unsigned link, struct str payload, int64_t now_ms);
void oracle_closed(struct oracle *o, unsigned link, enum close_reason why);
/* A batch of transactions became durable. */
void oracle_committed(struct oracle *o, struct str batch);
/* The store said no at least once (so that errors 503 are understandable). */
void oracle_store_failed(struct oracle *o);
/* The process died; what was committed is still there. */
void oracle_crashed(struct oracle *o);
/* The operator throws out a user's sessions. */
void oracle_kicked(struct oracle *o, int user);
/* Nothing is under way anywhere. */
void oracle_quiet(struct oracle *o);

/* --- the end --- */
/* Has everyone got everything and acknowledged it? */
bool oracle_settled(const struct oracle *o);
bool oracle_user_alive(const struct oracle *o, int user);
const struct model *oracle_model(const struct oracle *o); /* what is durable */
const char *oracle_token(const struct oracle *o, int user); /* as it is now */
void oracle_finish(struct oracle *o);

/* --- for plants, which must know when tampering breaks a promise --- */
bool oracle_live(const struct oracle *o, unsigned link);
bool oracle_was_stored(const struct oracle *o, const char *id); /* any message of that id */
bool oracle_was_released(const struct oracle *o, const char *from, const char *to, const char *id);
/* Does this session know surely that this user is online? */
bool oracle_knows_online(const struct oracle *o, unsigned link, const char *name);
/* Is this the id of a request for a change? */
bool oracle_asks_change(const struct oracle *o, unsigned link, const char *id);
/* A user with a session who is not in this group, nor was; TALK_NOBODY: none. */
int oracle_outsider(const struct oracle *o, int place);

struct oracle_counts {
	unsigned sent, stored, shown, received, released, receipts, pings, refused;
	unsigned asked, changes, fans, told, gaps; /* requests; changes durable; fan-outs; li and lo; missed */
};
struct oracle_counts oracle_counts(const struct oracle *o);
