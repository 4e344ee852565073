/* protocol.md section 11: administration of users, by administrators' packets and for the
 * operator's command line. Runs at the home of the user it is about. */
#include "handlers/handler.h"
#include <stdlib.h>

/* The user as he is to be; token absent: as it is. */
static void admin_put(struct chat *chat, struct job *job, struct str token)
{
	struct entity *e = job->entity;
	bool create = e->kind != STORE_USER;
	int8_t ty = job->r.packet.ad.ty;
	bool admin = ty >= 0 ? ty == 1 : !create && e->user.admin;
	struct store_op op = { .type = OP_USER_PUT, .user_put = {
		.name = e->name, .born = create ? chat_next_seq(chat) : e->user.born,
		.type = admin, .token = token.p ? token : e->user.token } };
	if (e->stale) {
		job_refuse(chat, job, REFUSAL_UNAVAILABLE, "Storage is unavailable, try again.");
		return;
	}
	txn_add(job_change(chat, job), &op);
	job_commit(chat, job);
}

static void admin_hashed(struct chat *chat, struct job *job)
{
	admin_put(chat, job, job->hash);
}

void handle_admin_create(struct chat *chat, struct entity *e, const struct request *r)
{
	if (e->kind != STORE_NOBODY)
		request_refuse(chat, r, REFUSAL_TAKEN, "The name '%.*s' is taken.", STR_ARG(e->name));
	else
		job_hash(chat, job_begin(chat, e, r, true), r->packet.ad.t, admin_hashed);
}

static bool admin_is_user(struct chat *chat, const struct entity *e, const struct request *r)
{
	if (e->kind == STORE_USER)
		return true;
	request_refuse(chat, r, REFUSAL_NOT_FOUND, "Not found: user '%.*s'.", STR_ARG(r->about));
	return false;
}

void handle_admin_delete(struct chat *chat, struct entity *e, const struct request *r)
{
	if (r->session && str_eq(r->user, e->name))
		request_refuse(chat, r, REFUSAL_BAD, "You cannot delete yourself.");
	else if (admin_is_user(chat, e, r))
		deletion_begin(chat, job_begin(chat, e, r, true));
}

void handle_admin_change(struct chat *chat, struct entity *e, const struct request *r)
{
	const struct packet_ad *ad = &r->packet.ad;
	if (!ad->t.p && ad->ty < 0)
		request_refuse(chat, r, REFUSAL_BAD, "Nothing to change: give t or ty.");
	else if (!admin_is_user(chat, e, r))
		return;
	else if (ad->t.p)
		job_hash(chat, job_begin(chat, e, r, true), ad->t, admin_hashed);
	else
		admin_put(chat, job_begin(chat, e, r, true), STR_NONE);
}

/* --- the operator's command line --- */

void handlers_admin(struct chat *chat, const struct handlers_admin_job *asked)
{
	static const char *const what[] = { "cr", "del", "up" };
	struct job *job = job_new(chat);
	job->done = asked->done;
	job->ctx = asked->ctx;
	struct request r = { .job = job->id, .about = asked->name };
	r.packet.kind = PACKET_RQ_AD;
	r.packet.ad = (struct packet_ad){ .c = str_of(what[asked->what]), .i = asked->name,
					  .t = asked->token, .ty = (int8_t)asked->type };
	enum name_verdict verdict = name_check(asked->name, chat->settings->names_ascii);
	if (verdict != NAME_GOOD)
		request_reply(chat, &r, verdict == NAME_TOO_LONG ? REFUSAL_TOO_LONG : REFUSAL_BAD,
			      str_of(name_verdict_text(verdict)));
	else if (asked->token.n > TOKEN_BYTES_MAX)
		request_reply(chat, &r, REFUSAL_TOO_LONG, STR("The token is longer than 1 KiB."));
	else
		request_accept(chat, &r);
}

/* --- import: names are held, then written in one transaction, then let go --- */

struct hold { void (*done)(void *ctx, enum refusal refusal); void *ctx; };

static void hold_done(void *ctx, enum refusal refusal, struct str sentence)
{
	struct hold *hold = ctx;
	(void)sentence;
	hold->done(hold->ctx, refusal);
	free(hold);
}

static struct job *hold_job(struct chat *chat, void (*done)(void *ctx, enum refusal refusal), void *ctx)
{
	struct hold *hold = malloc(sizeof(*hold));
	CHECK(hold);
	*hold = (struct hold){ done, ctx };
	struct job *job = job_new(chat);
	job->done = hold_done;
	job->ctx = hold;
	return job;
}

void handlers_hold(struct chat *chat, struct str name,
		   void (*done)(void *ctx, enum refusal refusal), void *ctx)
{
	struct job *job = hold_job(chat, done, ctx);
	struct request r = { .job = job->id, .about = name };
	r.packet.kind = PACKET_UNKNOWN; /* its row is handle_hold */
	if (name_check(name, chat->settings->names_ascii) != NAME_GOOD)
		request_reply(chat, &r, REFUSAL_BAD, STR_NONE);
	else
		request_accept(chat, &r);
}

void handle_hold(struct chat *chat, struct entity *e, const struct request *r)
{
	if (e->kind != STORE_NOBODY) {
		request_reply(chat, r, REFUSAL_TAKEN, STR_NONE);
		return;
	}
	entity_pin(chat, e);
	entity_busy(e);
	request_reply(chat, r, REFUSAL_NONE, STR_NONE);
}

void handlers_unhold(struct chat *chat, struct str name)
{
	struct entity *e = entity_get(chat, name);
	CHECK(e->state == ENTITY_BUSY);
	e->stale = true; /* the store may know more by now */
	entity_go_on(chat, e);
	entity_unpin(chat, e);
}

static void import_applied(struct chat *chat, struct job *job, bool ok)
{
	(void)chat;
	job->done(job->ctx, ok ? REFUSAL_NONE : REFUSAL_UNAVAILABLE, STR_NONE);
	job_free(job);
}

void handlers_import(struct chat *chat, const struct handlers_import_row *rows, size_t n,
		     void (*done)(void *ctx, enum refusal refusal), void *ctx)
{
	struct job *job = hold_job(chat, done, ctx);
	struct buf *ops = job_change(chat, job);
	job->applied = import_applied;
	for (size_t i = 0; i < n; i++) {
		struct store_op op = { .type = OP_USER_PUT, .user_put = {
			.name = rows[i].name, .born = chat_next_seq(chat), .type = rows[i].type,
			.token = rows[i].hash } };
		txn_add(ops, &op);
	}
	job_commit(chat, job);
}
