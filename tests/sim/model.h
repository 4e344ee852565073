/* What users, groups and broadcasts are like, and what each request makes of it: sections 5 to 11
 * of protocol.md once more, written down in the shortest way, without storage, time or failure. */
#pragma once
#include "store/txn.h"
#include "talk.h"

#define MODEL_TOKEN_MAX (TALK_ID_MAX + 4)
#define MODEL_NICK_MAX (TALK_TEXT_MAX + 12)
#define MODEL_INFO_MAX 200
#define MODEL_INFOS_MAX 32

struct model_member { int who; bool admin; int64_t muted_ms; uint64_t order; };

struct model_name {
	uint8_t kind;          /* enum store_name_kind */
	int owner;             /* of a broadcast */
	unsigned member_n;
	struct model_member member[TALK_USERS]; /* by order */
	char title[TALK_TEXT_MAX], picture[TALK_TEXT_MAX], status[TALK_TEXT_MAX];
	char token[MODEL_TOKEN_MAX]; /* the hash */
};

struct model {
	struct model_name name[TALK_NAMES];
	bool follow[TALK_USERS][TALK_USERS], block[TALK_USERS][TALK_USERS];
	char nick[TALK_USERS][TALK_USERS][MODEL_NICK_MAX];
};

/* Answers a request may get: bits. */
enum { MODEL_OK = 1, MODEL_400 = 2, MODEL_403 = 4, MODEL_404 = 8, MODEL_409 = 16, MODEL_413 = 32 };
unsigned model_code(const char *code); /* 0: none of these */

/* Information to members: what stands in `g`, and to whom (bits). */
struct model_info { int place; uint32_t to; char g[MODEL_INFO_MAX]; };

struct model_outcome {
	unsigned codes;        /* several errors at once: any of them; OK only alone or where it is open */
	struct model after;    /* if it succeeds */
	struct model_info infos[MODEL_INFOS_MAX];
	unsigned info_n;
};

/* What the request of `asker` comes to; whether those whom it names exist, and block him, left out. */
void model_ask(const struct model *m, int asker, const struct ask *ask, unsigned members_max,
	       struct model_outcome *out);
/* Of those whom it names (bits; TALK_NOBODY is the highest): who must exist for it, and does not;
 * who is fine; who blocks the asker, where that counts. */
struct model_named { uint32_t all, missing, fine, blocking; };
struct model_named model_named(const struct model *m, int asker, const struct ask *ask);

/* What a durable op makes of it. Ops that say nothing of this are left alone. */
void model_apply(struct model *m, const struct store_op *op);
/* A sentence about the first thing in which two differ, in `out`; false: none. */
bool model_differs(const struct model *a, const struct model *b, char *out, size_t size);

/* NULL: he is not in it. */
const struct model_member *model_member(const struct model_name *n, int user);
/* Group: is he in it? Broadcast: is it his? */
bool model_may_write(const struct model *m, int place, int user);
uint32_t model_members(const struct model_name *n); /* bits */
/* The response a reading request must get, without `{"rp":{"id":"…",` and `}}`. False: none that is
 * known beforehand. `created_ms` of the group or broadcast. */
bool model_reply(const struct model *m, int asker, const struct ask *ask, int64_t created_ms, struct buf *out);
