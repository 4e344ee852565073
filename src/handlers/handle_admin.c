/* protocol.md section 11: administration of users, by administrators' packets and for the
 * operator's command line. Runs at the home of the user it is about. */
#include "handlers/handler.h"
#include <stdlib.h>

bool handle_admin_about(struct chat *chat, struct session *s, const struct packet *p, struct str *about_out)
{
	*about_out = p->ad.i;
	const struct packet_ad *ad = &p->ad;
	const char *fault = NULL;
	if (str_eq(ad->c, STR("cr")))
		fault = ad->t.p ? NULL : "Creating a user needs a token (t).";
	else if (str_eq(ad->c, STR("del")))
		fault = str_eq(ad->i, s->entity->name) ? "You cannot delete yourself." : NULL;
	else if (str_eq(ad->c, STR("up")))
		fault = ad->t.p || ad->ty >= 0 ? NULL : "Nothing to change: give t or ty.";
	else
		fault = "Unknown request: c is 'cr', 'del' or 'up'.";
	if (fault)
		session_refuse(chat, s, p->id, REFUSAL_BAD, fault);
	return !fault;
}

static void admin_refuse(struct chat *chat, const struct request *r, enum refusal code,
			 const char *before, const char *after)
{
	struct buf sentence;
	buf_init(&sentence, 1024);
	buf_printf(&sentence, "%s'%.*s'%s", before, STR_ARG(r->about), after);
	request_reply(chat, r, code, buf_view(&sentence));
	buf_deinit(&sentence);
}

/* The user as he is to be; token absent: as it is. */
static struct store_op admin_put(struct chat *chat, struct entity *e, const struct packet_ad *ad,
				 struct str token)
{
	bool create = e->kind != STORE_USER;
	bool admin = ad->ty >= 0 ? ad->ty == 1 : !create && e->user.admin;
	return (struct store_op){ .type = OP_USER_PUT, .user_put = {
		.name = e->name, .born = create ? chat_next_seq(chat) : e->user.born,
		.type = admin, .token = token.p ? token : e->user.token } };
}

/* The token is hashed: the user can be written. */
static void admin_hashed(struct chat *chat, struct job *job, struct str hash)
{
	struct entity *e = job->entity;
	struct post post;
	size_t cursor = 0;
	CHECK(post_next(buf_view(&job->request), &cursor, &post) && post.kind == POST_REQUEST);
	const struct request *r = &post.request;
	if (!hash.p || e->stale) {
		request_reply(chat, r, REFUSAL_UNAVAILABLE, STR("Too busy, try again."));
		entity_go_on(chat, e);
	} else {
		struct store_op op = admin_put(chat, e, &r->packet.ad, hash);
		commit_change(chat, e, &op, r);
	}
	entity_unpin(chat, e);
	job_free(job);
}

static void admin_hash(struct chat *chat, struct entity *e, const struct request *r)
{
	struct job *job = job_new(chat);
	job->entity = e;
	job->hashed = admin_hashed;
	post_put(&job->request, POST_REQUEST, r);
	entity_pin(e);
	chat->env->hash(chat->env->ctx, job->id, r->packet.ad.t);
}

static void admin_act(struct chat *chat, struct entity *e, const struct request *r)
{
	const struct packet_ad *ad = &r->packet.ad;
	struct store_op op = { .type = OP_USER_DEL, .user_del = { e->name } };
	if (!str_eq(ad->c, STR("del")) && ad->t.p) {
		admin_hash(chat, e, r);
		return;
	}
	if (!str_eq(ad->c, STR("del")))
		op = admin_put(chat, e, ad, STR_NONE);
	commit_change(chat, e, &op, r);
}

void handle_admin(struct chat *chat, struct entity *e, const struct request *r)
{
	const struct packet_ad *ad = &r->packet.ad;
	bool create = str_eq(ad->c, STR("cr"));
	if (create && e->kind != STORE_NOBODY) {
		admin_refuse(chat, r, REFUSAL_TAKEN, "The name ", " is taken.");
	} else if (!create && e->kind != STORE_USER) {
		admin_refuse(chat, r, REFUSAL_NOT_FOUND, "Not found: user ", ".");
	} else {
		entity_busy(e); /* what comes after waits for the outcome */
		admin_act(chat, e, r);
	}
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
	entity_pin(e);
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

void handlers_import(struct chat *chat, const struct handlers_import_row *rows, size_t n,
		     void (*done)(void *ctx, enum refusal refusal), void *ctx)
{
	struct job *job = hold_job(chat, done, ctx);
	struct request r = { .job = job->id };
	struct buf *ops = &commit_open(chat)->batch.ops;
	size_t mark = txn_begin(ops);
	for (size_t i = 0; i < n; i++) {
		struct store_op op = { .type = OP_USER_PUT, .user_put = {
			.name = rows[i].name, .born = chat_next_seq(chat), .type = rows[i].type,
			.token = rows[i].hash } };
		txn_add(ops, &op);
	}
	txn_end(ops, mark);
	commit_done(chat, &r);
}
