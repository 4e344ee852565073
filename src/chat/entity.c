/* Names. Each is loaded from the store when somebody first needs it; until then, and while one
 * thing about it is being decided elsewhere (BUSY), whatever concerns it waits in order. */
#include "chat/core.h"
#include <stdlib.h>

#define ENTITY_WAITING_BYTES ((size_t)1 << 30) /* sessions' credits bound it long before */

#define MEMBERS_PER_WEIGHT 16 /* members that weigh as much as a name without any */

void entity_pin(struct chat *chat, struct entity *e)
{
	if (e->pins++)
		return;
	list_remove(&e->idle);
	chat->idle_weight -= e->weight;
	e->weight = 0;
}

/* Nobody needs it: to the end of the idle, of whom the first are forgotten when they are too many. */
static void entity_rest(struct chat *chat, struct entity *e)
{
	e->weight = 1 + (unsigned)(e->group ? e->group->member_n / MEMBERS_PER_WEIGHT : 0);
	chat->idle_weight += e->weight;
	list_append(&chat->idle, &e->idle);
}

static void user_init(struct user *u)
{
	*u = (struct user){ .last_seen_ms = -1 };
	list_init(&u->sessions);
	list_init(&u->gaps);
	map_init(&u->blocks);
	map_init(&u->own);
	mailbox_init(&u->box);
}

static void ties_forget(struct map *ties)
{
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(ties, &cursor, &key, &value))
		free(value);
	map_deinit(ties);
	map_init(ties);
}

static void tie_put(struct map *ties, struct str name, uint64_t born)
{
	free(map_remove(ties, name));
	struct tie *t = malloc(sizeof(*t) + name.n);
	CHECK(t);
	memcpy(t + 1, name.p, name.n);
	*t = (struct tie){ { (const char *)(t + 1), name.n }, born };
	CHECK(map_put(ties, t->name, t) == OK);
}

static void user_own(struct user *u, struct str broadcast)
{
	if (u->own.count < CHAT_OWN_MAX)
		tie_put(&u->own, broadcast, 0);
	else
		u->own_more = true;
}

bool entity_blocks(const struct entity *e, struct str name, uint64_t born)
{
	const struct tie *t = e->user.blocks.count ? map_get(&e->user.blocks, name) : NULL;
	return t && (!born || t->born == born);
}

void entity_forget_block(struct entity *e, const struct forget *f)
{
	if (entity_blocks(e, f->user, f->born))
		free(map_remove(&e->user.blocks, f->user));
}

bool entity_owns(const struct entity *e, struct str name)
{
	return e->user.own_more || (e->user.own.count && map_get(&e->user.own, name));
}

void entity_note_own(struct entity *e, const struct own *own)
{
	if (own->on && e->kind == STORE_USER)
		user_own(&e->user, own->broadcast);
	else if (!own->on)
		free(map_remove(&e->user.own, own->broadcast));
}

void entity_take_own(struct chat *chat, const struct own *own)
{
	struct entity *e = map_get(&chat->entities, own->owner);
	if (e && e->state == ENTITY_LOADING) /* what is being read may be older */
		entity_wait(chat, e, POST_OWN, own);
	else if (e)
		entity_note_own(e, own);
}

static void user_deinit(struct user *u)
{
	free((char *)(uintptr_t)u->token.p);
	ties_forget(&u->blocks);
	ties_forget(&u->own);
	map_deinit(&u->blocks);
	map_deinit(&u->own);
	gap_close(u);
	mailbox_deinit(&u->box);
}

void entity_free(struct entity *e)
{
	list_remove(&e->idle);
	user_deinit(&e->user);
	group_free(e->group);
	buf_deinit(&e->waiting);
	free(e);
}

static void entity_forget(struct chat *chat, struct entity *e)
{
	chat->idle_weight -= e->weight;
	map_remove(&chat->entities, e->name);
	entity_free(e);
}

static void entity_load(struct chat *chat, struct entity *e)
{
	e->state = ENTITY_LOADING;
	e->stale = e->wanted = e->unreadable = false;
	e->recount = e->acks > 0;
	struct lookup *l = lookup_new(chat, LOOKUP_NAME, STORE_READ_NAME, e);
	if (!chat->recovering) {
		lookup_start(chat, l);
		return;
	}
	l->next = chat->deferred;
	chat->deferred = l;
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
	if (e->waiting.n || e->user.session_count || e->wanted)
		entity_load(chat, e);
}

bool entity_want(struct chat *chat, struct entity *e)
{
	if (e->state == ENTITY_BUSY || entity_at_rest(e)) /* what may be stale of a BUSY one are counts */
		return true;
	e->wanted = true;
	entity_settle(chat, e);
	return false;
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
	e->user.low_seq = 0;
	ties_forget(&e->user.blocks);
	ties_forget(&e->user.own);
	e->user.own_more = false;
	gap_close(&e->user);
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
	group_free(e->group);
	e->group = NULL;
	entity_close_sessions(chat, e, CLOSE_REMOVED);
	e->user.told_online = false;
}

static void entity_put_user(struct entity *e, const struct op_user_put *put)
{
	if (e->kind != STORE_USER || e->user.born != put->born)
		entity_become_user(e, put->born, false, put->token);
	entity_set_token(e, put->token);
	e->user.admin = put->type == 1;
}

static void entity_put_group(struct entity *e, const struct op_name_put *put)
{
	if (e->group) {
		group_put(e->group, put);
		return;
	}
	e->kind = put->kind;
	e->group = group_new(put);
}

static void entity_link(struct entity *e, const struct op_link_put *put)
{
	if (put->kind == LINK_BLOCK && str_eq(put->from, e->name))
		tie_put(&e->user.blocks, put->to, put->born);
	else if (put->kind == LINK_OWN && str_eq(put->from, e->name))
		user_own(&e->user, put->to);
	else if ((put->kind == LINK_MEMBER || put->kind == LINK_LISTED) && e->group &&
		 str_eq(put->to, e->name))
		group_link(e->group, put);
}

static void entity_unlink(struct entity *e, const struct op_link_del *del)
{
	if (del->kind == LINK_BLOCK && str_eq(del->from, e->name))
		free(map_remove(&e->user.blocks, del->to));
	else if (e->group && str_eq(del->to, e->name))
		group_unlink(e->group, del->from);
}

void entity_apply(struct chat *chat, struct entity *e, const struct store_op *op)
{
	switch (op->type) {
	case OP_USER_PUT:
		entity_put_user(e, &op->user_put);
		break;
	case OP_NAME_PUT:
		entity_put_group(e, &op->name_put);
		break;
	case OP_NAME_DEL:
		entity_become_nobody(chat, e);
		break;
	case OP_LINK_PUT:
		entity_link(e, &op->link_put);
		break;
	case OP_LINK_DEL:
		entity_unlink(e, &op->link_del);
		break;
	default:
		break; /* nothing that memory knows of */
	}
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
	entity_rest(chat, e);
	while (chat->idle_weight > chat->settings->entities_max) {
		struct entity *oldest = LIST_ENTRY(chat->idle.next, struct entity, idle);
		if (oldest == e || oldest->waiting.n)
			return;
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
	if (fanout_full(e))
		return;
	e->state = ENTITY_READY;
	entity_pin(chat, e);
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
		} else if (post.kind == POST_FREEZE) {
			deletion_unreadable(chat, &post.freeze);
		} else if (post.kind == POST_COPY) { /* promised: comes when the store can tell again */
			copies_reached(chat, &post.copy);
		}
	}
	buf_deinit(&waiting);
	entity_close_sessions(chat, e, CLOSE_OVERLOADED);
}

static void entity_fill_user(struct entity *e, const struct store_name_row *row)
{
	struct user *u = &e->user;
	if (e->kind != STORE_USER || u->born != row->born)
		entity_become_user(e, row->born, row->type == 1, row->token);
	e->kind = STORE_USER;
	entity_set_token(e, row->token);
	u->admin = row->type == 1;
	u->last_seen_ms = row->last_seen_ms;
	/* The store may or may not have known of receipts under way meanwhile: read it again after them. */
	e->stale = e->recount && !e->acks;
	e->recount = e->acks > 0;
	u->mail_count = row->mail_count;
	u->mail_bytes = row->mail_bytes;
	u->low_seq = row->low_seq > u->low_seq ? row->low_seq : u->low_seq;
	ties_forget(&u->blocks); /* not his broadcasts: one may be under way to the store */
	gap_close(u);
}

static void entity_fill_group(struct entity *e, const struct store_name_row *row)
{
	struct op_name_put put = { e->name, row->kind, row->born, row->created_ms, row->title, row->owner };
	size_t fanning = e->group ? e->group->fanning : 0;
	group_free(e->group);
	e->group = NULL;
	entity_put_group(e, &put);
	e->group->fanning = fanning;
}

static void entity_fill_link(struct entity *e, const struct store_link_row *row)
{
	bool of = row->kind == LINK_BLOCK || row->kind == LINK_OWN;
	struct op_link_put put = { row->kind, of ? e->name : row->other, of ? row->other : e->name,
				   row->born, row->order, row->flags, row->ms, row->text };
	entity_link(e, &put);
}

/* Sessions and items stay through a reload; only what the store says is taken over. 0, ERR_CORRUPT. */
static int entity_fill(struct chat *chat, struct entity *e, struct str rows)
{
	struct store_name_row name;
	struct store_link_row link;
	size_t cursor = 0;
	int r = store_name_row_next(rows, &cursor, &name);
	if (r < 0)
		return r;
	if (r == 0) {
		if (e->kind != STORE_NOBODY)
			entity_become_nobody(chat, e);
		return OK;
	}
	if (name.kind == STORE_USER)
		entity_fill_user(e, &name);
	else
		entity_fill_group(e, &name);
	while ((r = store_link_row_next(rows, &cursor, &link)) == 1)
		entity_fill_link(e, &link);
	return r;
}

void entity_loaded(struct chat *chat, struct lookup *l)
{
	struct entity *e = l->entity;
	int status = l->read.status;
	if (status == OK)
		status = entity_fill(chat, e, l->read.found ? buf_view(&l->read.rows) : STR(""));
	chat->loaded = true;
	if (status != OK) {
		entity_refuse(chat, e);
		e->stale = e->unreadable = true;
		e->state = ENTITY_READY;
		return;
	}
	entity_go_on(chat, e);
}
