#include "chat/core.h"
#include <stdlib.h>

#define SESSION_SLOTS_FIRST 64
#define SESSION_SLOTS_MAX (1u << 22) /* file descriptors end long before */
#define GENERATION_MASK 0xffffffu

static uint64_t handle_of(const struct chat *chat, uint32_t index)
{
	return (uint64_t)chat->worker << 56 |
	       (uint64_t)(chat->generations[index] & GENERATION_MASK) << 32 | index;
}

struct session *session_get(struct chat *chat, uint64_t handle)
{
	uint32_t index = (uint32_t)handle;
	if (session_worker(handle) != chat->worker || index >= chat->session_cap)
		return NULL;
	struct session *s = chat->sessions[index];
	return s && s->handle == handle ? s : NULL;
}

static bool session_slots_grow(struct chat *chat)
{
	uint32_t cap = chat->session_cap ? chat->session_cap * 2 : SESSION_SLOTS_FIRST;
	if (cap > SESSION_SLOTS_MAX)
		return false;
	struct session **sessions = realloc(chat->sessions, cap * sizeof(*sessions));
	uint32_t *generations = realloc(chat->generations, cap * sizeof(*generations));
	CHECK(sessions && generations);
	for (uint32_t i = chat->session_cap; i < cap; i++) {
		sessions[i] = NULL;
		generations[i] = 1; /* so that no handle is 0 */
	}
	chat->sessions = sessions;
	chat->generations = generations;
	chat->session_cap = cap;
	return true;
}

static bool session_slot(struct chat *chat, uint32_t *index_out)
{
	if (chat->session_n == chat->session_cap && !session_slots_grow(chat))
		return false;
	uint32_t i = chat->session_free_hint % chat->session_cap;
	while (chat->sessions[i])
		i = (i + 1) % chat->session_cap;
	chat->session_free_hint = i + 1;
	*index_out = i;
	return true;
}

/* Keeps chat->logins in the order of deadlines: nearly always at the end. */
void session_await_login(struct chat *chat, struct session *s)
{
	struct list *before = chat->logins.prev;
	while (before != &chat->logins &&
	       LIST_ENTRY(before, struct session, timed)->due.ns > s->due.ns)
		before = before->prev;
	s->timed.next = before->next;
	s->timed.prev = before;
	before->next->prev = &s->timed;
	before->next = &s->timed;
}

uint64_t chat_open(struct chat *chat, struct str address, const struct chat_carry *carry)
{
	uint32_t index;
	if (!session_slot(chat, &index))
		return 0;
	struct session *s = calloc(1, sizeof(*s));
	CHECK(s);
	chat->sessions[index] = s;
	chat->session_n++;
	s->handle = handle_of(chat, index);
	s->address_n = address.n < sizeof(s->address) ? address.n : sizeof(s->address);
	memcpy(s->address, address.p, s->address_n);
	list_init(&s->of_user);
	list_init(&s->timed);
	list_init(&s->throttled);
	buf_init(&s->login, 16384);
	buf_init(&s->response, 1 << 24);
	s->login_due = carry ? carry->login_due
			     : mono_add_ms(chat_now(chat), chat->settings->login_timeout_ms);
	s->due = s->login_due;
	session_await_login(chat, s);
	uint64_t handle = s->handle;
	if (carry) {
		s->failures = carry->failures;
		s->malformed = carry->malformed;
		login_begin(chat, s, carry->id, carry->who, carry->token);
	}
	return handle;
}

void session_hold(struct chat *chat, struct session *s, unsigned why)
{
	if (!s->hold)
		chat->env->pause(chat->env->ctx, s->handle);
	s->hold |= why;
}

void session_unhold(struct chat *chat, struct session *s, unsigned why)
{
	if (!(s->hold & why))
		return;
	s->hold &= ~why;
	if (!s->hold)
		chat->env->resume(chat->env->ctx, s->handle);
}

size_t session_room(struct chat *chat, const struct session *s)
{
	size_t room = chat->env->room(chat->env->ctx, s->handle);
	size_t reserve = session_reserve(chat);
	return room > reserve ? room - reserve : 0;
}

void session_check_room(struct chat *chat, struct session *s)
{
	if (session_room(chat, s)) {
		session_unhold(chat, s, HOLD_ROOM);
		return;
	}
	session_hold(chat, s, HOLD_ROOM);
	chat->env->want_room(chat->env->ctx, s->handle);
}

void session_write_last_seen(struct chat *chat, struct entity *e)
{
	e->user.last_seen_ms = chat_wall(chat).ms;
	struct buf *ops = &commit_open(chat)->batch.ops;
	struct store_op op = { .type = OP_LAST_SEEN,
			       .last_seen = { e->name, e->user.last_seen_ms } };
	size_t mark = txn_begin(ops);
	txn_add(ops, &op);
	txn_end(ops, mark);
}

static void session_leave_user(struct chat *chat, struct session *s)
{
	struct entity *e = s->entity;
	stream_stop(s);
	list_remove(&s->of_user);
	e->user.session_count--;
	chat_count(chat, METRIC_sessions_online, -1);
	if (e->user.session_count == 0 && e->kind == STORE_USER) {
		session_write_last_seen(chat, e);
		presence_changed(chat, e);
	}
}

void session_end(struct chat *chat, struct session *s)
{
	uint32_t index = (uint32_t)s->handle;
	chat->sessions[index] = NULL;
	chat->generations[index]++;
	if (!(chat->generations[index] & GENERATION_MASK))
		chat->generations[index]++;
	chat->session_n--;
	if (s->state == SESSION_LIVE)
		session_leave_user(chat, s);
	if (s->entity)
		entity_unpin(chat, s->entity);
	list_remove(&s->timed);
	list_remove(&s->throttled);
	buf_deinit(&s->login);
	buf_deinit(&s->response);
	free(s);
}

void session_close(struct chat *chat, struct session *s, enum close_reason why)
{
	uint64_t handle = s->handle;
	session_end(chat, s);
	chat->env->close(chat->env->ctx, handle, why);
}

void chat_closed(struct chat *chat, uint64_t handle)
{
	struct session *s = session_get(chat, handle);
	if (s)
		session_end(chat, s);
}

void chat_pong(struct chat *chat, uint64_t handle, const void *payload, size_t n)
{
	struct session *s = session_get(chat, handle);
	if (s && s->state == SESSION_LIVE)
		stream_pong(chat, s, payload, n);
}

void chat_room(struct chat *chat, uint64_t handle)
{
	struct session *s = session_get(chat, handle);
	if (!s)
		return;
	session_check_room(chat, s);
	if (s->state == SESSION_LIVE)
		stream_room(chat, s);
}

static void session_send(struct chat *chat, struct session *s, struct str text)
{
	chat_count(chat, METRIC_packets_sent_total, 1);
	chat->env->send(chat->env->ctx, s->handle, text.p, text.n);
}

void session_refuse(struct chat *chat, struct session *s, struct str id, enum refusal code,
		    const char *sentence)
{
	struct buf *out = chat_scratch(chat);
	packet_put_error(out, id, code, str_of(sentence));
	session_send(chat, s, buf_view(out));
}

/* A response says that everything the session sent before was taken in. What was posted to other
 * cores is known to be so when a barrier posted behind it comes back. */
void session_respond(struct chat *chat, struct session *s, struct str text)
{
	if (!s->messages)
		s->touched = 0; /* all answered */
	if (!s->touched) {
		session_send(chat, s, text);
		return;
	}
	buf_str(&s->response, text);
	session_hold(chat, s, HOLD_BARRIER);
	struct barrier barrier = { s->handle, chat->worker };
	for (unsigned w = 0; w < chat->workers; w++) {
		if (!(s->touched & UINT64_C(1) << w))
			continue;
		chat_post(chat, w, POST_BARRIER, &barrier);
		s->barriers++;
	}
	s->touched = 0;
}

void session_barrier_back(struct chat *chat, uint64_t handle)
{
	struct session *s = session_get(chat, handle);
	if (!s || --s->barriers)
		return;
	session_send(chat, s, buf_view(&s->response));
	buf_deinit(&s->response);
	buf_init(&s->response, 1 << 24);
	session_unhold(chat, s, HOLD_BARRIER);
}

void chat_each_session(struct chat *chat, void (*fn)(void *ctx, const struct chat_session_info *info),
		       void *ctx)
{
	for (uint32_t i = 0; i < chat->session_cap; i++) {
		struct session *s = chat->sessions[i];
		if (!s || s->state != SESSION_LIVE)
			continue;
		struct chat_session_info info = {
			s->entity->name, { s->address, s->address_n }, s->handle, s->since,
			stream_unacknowledged(&s->stream),
		};
		fn(ctx, &info);
	}
}

unsigned chat_kick(struct chat *chat, struct str user)
{
	struct entity *e = map_get(&chat->entities, user);
	unsigned n = e ? e->user.session_count : 0;
	if (n)
		entity_close_sessions(chat, e, CLOSE_REMOVED);
	return n;
}
