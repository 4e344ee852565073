/* Names. Each is loaded from the store when somebody first needs it; until then, and while one
 * thing about it is being decided elsewhere (BUSY), whatever concerns it waits in order. */
#include "chat/core.h"
#include <stdlib.h>

#define ENTITY_WAITING_BYTES ((size_t)1 << 30) /* sessions' credits bound it long before */

void entity_pin(struct entity *e)
{
	if (e->pins++ == 0)
		list_remove(&e->idle);
}

static void user_init(struct user *u)
{
	*u = (struct user){ .last_seen_ms = -1 };
	list_init(&u->sessions);
	mailbox_init(&u->box);
}

static void user_deinit(struct user *u)
{
	free((char *)(uintptr_t)u->token.p);
	mailbox_deinit(&u->box);
}

void entity_free(struct entity *e)
{
	list_remove(&e->idle);
	user_deinit(&e->user);
	buf_deinit(&e->waiting);
	free(e);
}

static void entity_forget(struct chat *chat, struct entity *e)
{
	map_remove(&chat->entities, e->name);
	entity_free(e);
}

static void entity_load(struct chat *chat, struct entity *e)
{
	e->state = ENTITY_LOADING;
	e->stale = false;
	e->recount = e->acks > 0;
	lookup_start(chat, lookup_new(chat, LOOKUP_NAME, STORE_READ_NAME, e));
}

struct entity *entity_get(struct chat *chat, struct str name)
{
	struct entity *e = map_get(&chat->entities, name);
	if (e) {
		if (!e->pins) { /* the longest idle one is forgotten first */
			list_remove(&e->idle);
			list_append(&chat->idle, &e->idle);
		}
		return e;
	}
	e = calloc(1, sizeof(*e) + name.n);
	CHECK(e);
	memcpy(e + 1, name.p, name.n);
	e->name = (struct str){ (const char *)(e + 1), name.n };
	list_init(&e->idle);
	buf_init(&e->waiting, ENTITY_WAITING_BYTES);
	user_init(&e->user);
	CHECK(map_put(&chat->entities, e->name, e) == OK);
	entity_load(chat, e);
	return e;
}

/* After a failure memory may say what the store does not: it is read anew as soon as nothing that
 * touches it is on its way, if anybody wants to know. */
static void entity_settle(struct chat *chat, struct entity *e)
{
	if (!e->stale || e->effects || e->state != ENTITY_READY)
		return;
	if (e->waiting.n || e->user.session_count)
		entity_load(chat, e);
}

void entity_wait(struct chat *chat, struct entity *e, enum post_kind kind, const void *body)
{
	DCHECK(!entity_ready(e));
	post_put(&e->waiting, kind, body);
	entity_settle(chat, e);
}

static void entity_set_token(struct entity *e, struct str token)
{
	char *copy = malloc(token.n + 1);
	CHECK(copy);
	memcpy(copy, token.p, token.n);
	free((char *)(uintptr_t)e->user.token.p);
	e->user.token = (struct str){ copy, token.n };
}

static void entity_become_user(struct entity *e, uint64_t born, bool admin, struct str token)
{
	if (e->user.born != born) { /* what another of that name was shown is none of his */
		unsigned reads = e->user.box.reads;
		mailbox_deinit(&e->user.box);
		mailbox_init(&e->user.box);
		e->user.box.reads = reads;
	}
	e->kind = STORE_USER;
	e->user.born = born;
	e->user.admin = admin;
	e->user.last_seen_ms = -1;
	e->user.mail_count = 0;
	e->user.mail_bytes = 0;
	entity_set_token(e, token);
}

void entity_close_sessions(struct chat *chat, struct entity *e, enum close_reason why)
{
	while (!list_empty(&e->user.sessions))
		session_close(chat, LIST_ENTRY(e->user.sessions.next, struct session, of_user), why);
}

static void entity_become_nobody(struct chat *chat, struct entity *e)
{
	e->kind = STORE_NOBODY;
	entity_close_sessions(chat, e, CLOSE_REMOVED);
}

void entity_apply(struct chat *chat, struct entity *e, const struct store_op *op)
{
	if (op->type == OP_USER_DEL) {
		entity_become_nobody(chat, e);
		return;
	}
	CHECK(op->type == OP_USER_PUT);
	if (e->kind != STORE_USER || e->user.born != op->user_put.born)
		entity_become_user(e, op->user_put.born, false, op->user_put.token);
	entity_set_token(e, op->user_put.token);
	e->user.admin = op->user_put.type == 1;
}

/* Runs what waits, in order, until something makes it wait again. */
static void entity_drain(struct chat *chat, struct entity *e)
{
	struct buf waiting = e->waiting;
	struct post post;
	size_t cursor = 0;
	buf_init(&e->waiting, ENTITY_WAITING_BYTES);
	while (entity_ready(e) && post_next(buf_view(&waiting), &cursor, &post))
		chat_run_post(chat, e, &post);
	if (cursor < waiting.n) { /* what is left goes before what came meanwhile */
		buf_consume(&waiting, cursor);
		buf_str(&waiting, buf_view(&e->waiting));
		buf_deinit(&e->waiting);
		e->waiting = waiting;
		return;
	}
	buf_deinit(&waiting);
}

void entity_unpin(struct chat *chat, struct entity *e)
{
	CHECK(e->pins > 0);
	entity_settle(chat, e);
	if (--e->pins)
		return;
	if (e->stale) {
		entity_forget(chat, e);
		return;
	}
	list_append(&chat->idle, &e->idle);
	if (chat->entities.count > chat->settings->entities_max) {
		struct entity *oldest = LIST_ENTRY(chat->idle.next, struct entity, idle);
		if (oldest != e && !oldest->waiting.n)
			entity_forget(chat, oldest);
	}
}

void entity_busy(struct entity *e)
{
	CHECK(e->state == ENTITY_READY);
	e->state = ENTITY_BUSY;
}

void entity_go_on(struct chat *chat, struct entity *e)
{
	e->state = ENTITY_READY;
	entity_pin(e);
	entity_settle(chat, e);
	if (entity_ready(e))
		entity_drain(chat, e);
	entity_unpin(chat, e);
}

/* The store could not tell: everything that waits is refused, sessions must come again. */
static void entity_refuse(struct chat *chat, struct entity *e)
{
	struct buf waiting = e->waiting;
	struct post post;
	size_t cursor = 0;
	buf_init(&e->waiting, ENTITY_WAITING_BYTES);
	while (post_next(buf_view(&waiting), &cursor, &post)) {
		if (post.kind == POST_MAIL) {
			struct answer a = answer_to(&post.mail, REFUSAL_UNAVAILABLE);
			answer_send(chat, &a);
		} else if (post.kind == POST_REQUEST) {
			request_reply(chat, &post.request, REFUSAL_UNAVAILABLE,
				      STR("Storage is unavailable, try again."));
		} else if (post.kind == POST_LOGIN) {
			struct session *s = session_get(chat, post.login.session);
			if (s)
				session_close(chat, s, CLOSE_OVERLOADED);
		}
	}
	buf_deinit(&waiting);
	entity_close_sessions(chat, e, CLOSE_OVERLOADED);
}

/* Sessions and items stay through a reload; only what the store says is taken over. */
static void entity_fill(struct chat *chat, struct entity *e, const struct store_name_row *row)
{
	if (row && row->kind == STORE_USER) {
		if (e->kind != STORE_USER || e->user.born != row->born)
			entity_become_user(e, row->born, row->type == 1, row->token);
		entity_set_token(e, row->token);
		e->user.admin = row->type == 1;
		e->user.last_seen_ms = row->last_seen_ms;
		/* The store may or may not have known of receipts under way meanwhile: read it
		 * again after them. */
		e->stale = e->recount && !e->acks;
		e->recount = e->acks > 0;
		e->user.mail_count = row->mail_count;
		e->user.mail_bytes = row->mail_bytes;
		return;
	}
	if (e->kind == STORE_USER)
		entity_become_nobody(chat, e);
}

void entity_loaded(struct chat *chat, struct lookup *l)
{
	struct entity *e = l->entity;
	struct store_name_row row;
	size_t cursor = 0;
	int status = l->read.status;
	int found = 0;
	if (status == OK && l->read.found) {
		found = store_name_row_next(buf_view(&l->read.rows), &cursor, &row);
		status = found < 0 ? found : OK;
	}
	if (status != OK) {
		entity_refuse(chat, e);
		e->stale = true;
		e->state = ENTITY_READY;
		return;
	}
	entity_fill(chat, e, found ? &row : NULL);
	entity_go_on(chat, e);
}
