/* How a connection becomes a user's session (protocol.md sections 4 and 13.10).
 *
 *   packet -> home worker of the name -> name loaded -> delay, if there were many failures
 *          -> token compared (hashers) -> older sessions replaced, response, mailbox
 *
 * The session is held meanwhile. Whatever fails looks the same to the peer. */
#include "chat/core.h"

#define LOGIN_DELAY_FIRST_MS 100 /* doubles: 100 ms … 3.2 s, well within login_timeout */

/* The login under way, kept in s->login as the bytes of its three strings. */
struct login_parts { uint32_t id_n, who_n, token_n; bool has_id; };

static void login_keep(struct session *s, struct str id, struct str who, struct str token)
{
	struct login_parts parts = { (uint32_t)id.n, (uint32_t)who.n, (uint32_t)token.n, id.p };
	buf_clear(&s->login);
	buf_add(&s->login, &parts, sizeof(parts));
	buf_str(&s->login, id);
	buf_str(&s->login, who);
	buf_str(&s->login, token);
	CHECK(!s->login.failed);
}

static void login_kept(const struct session *s, struct str *id, struct str *who, struct str *token)
{
	struct login_parts parts;
	const char *at = s->login.p + sizeof(parts);
	memcpy(&parts, s->login.p, sizeof(parts));
	*id = (struct str){ parts.has_id ? at : NULL, parts.id_n };
	*who = (struct str){ at + parts.id_n, parts.who_n };
	*token = (struct str){ at + parts.id_n + parts.who_n, parts.token_n };
}

static void login_forget(struct session *s)
{
	if (s->login.p)
		explicit_bzero(s->login.p, s->login.cap); /* the token */
	buf_deinit(&s->login);
	buf_init(&s->login, 16384);
}

static unsigned login_identity_failures(struct chat *chat, struct entity *e)
{
	if (mono_diff_ms(e->failures_since, chat_now(chat)) >= 60000)
		e->failures = 0;
	return e->failures;
}

static struct str session_address(const struct session *s)
{
	return (struct str){ s->address, s->address_n };
}

static bool login_suspect(struct chat *chat, struct session *s)
{
	return login_identity_failures(chat, s->entity) > chat->settings->identity_failures_max ||
	       chat->env->address_failures(chat->env->ctx, session_address(s), 0) >
		       chat->settings->address_failures_max;
}

/* Answers a refused login. The session may be closed (and gone) afterwards. */
static void login_answer_refused(struct chat *chat, struct session *s, struct str id, bool suspect)
{
	struct buf *out = chat_scratch(chat);
	packet_put_login(out, id, false, suspect ? REFUSAL_TOO_MANY : REFUSAL_NONE,
			 suspect ? STR("Too many failed logins, wait a while.") : STR_NONE);
	chat->env->send(chat->env->ctx, s->handle, out->p, out->n);
	chat_count(chat, METRIC_login_failures_total, 1);
	if (++s->failures >= chat->settings->max_login_failures)
		session_close(chat, s, CLOSE_LOGIN_FAILURES);
}

static void login_refuse(struct chat *chat, struct session *s)
{
	struct entity *e = s->entity;
	struct str id, who, token;
	if (login_identity_failures(chat, e) == 0)
		e->failures_since = chat_now(chat);
	e->failures++;
	chat->env->address_failures(chat->env->ctx, session_address(s), 1);
	bool suspect = login_suspect(chat, s);
	uint64_t handle = s->handle;
	login_kept(s, &id, &who, &token);
	login_answer_refused(chat, s, id, suspect);
	s = session_get(chat, handle);
	if (!s)
		return;
	login_forget(s);
	s->state = SESSION_NEW;
	s->entity = NULL;
	entity_unpin(chat, e);
	session_unhold(chat, s, HOLD_LOGIN);
}

static void login_accept(struct chat *chat, struct session *s)
{
	struct entity *e = s->entity;
	struct user *u = &e->user;
	struct str id, who, token;
	list_remove(&s->timed);
	s->state = SESSION_LIVE;
	s->since = chat_now(chat);
	list_append(&u->sessions, &s->of_user);
	if (u->session_count++ == 0)
		session_write_last_seen(chat, e); /* in case nobody notices when he leaves: after a crash */
	while (u->session_count > chat->settings->max_sessions) /* he stays online meanwhile */
		session_close(chat, LIST_ENTRY(u->sessions.next, struct session, of_user),
			      CLOSE_REPLACED);
	chat_count(chat, METRIC_sessions_online, 1);
	chat_count(chat, METRIC_logins_total, 1);
	login_kept(s, &id, &who, &token);
	struct buf *out = chat_scratch(chat);
	packet_put_login(out, id, true, REFUSAL_NONE, STR_NONE);
	chat->env->send(chat->env->ctx, s->handle, out->p, out->n);
	login_forget(s);
	stream_start(chat, s);
	presence_changed(chat, e);
	session_unhold(chat, s, HOLD_LOGIN);
}

static void login_verify(struct chat *chat, struct session *s)
{
	struct entity *e = s->entity;
	struct str id, who, token;
	bool known = e->kind == STORE_USER;
	login_kept(s, &id, &who, &token);
	s->login_born = known ? e->user.born : 0;
	chat->env->verify(chat->env->ctx, s->handle, token, known ? e->user.token : STR_NONE);
}

void login_go(struct chat *chat, struct entity *e, const struct login_wait *wait)
{
	struct session *s = session_get(chat, wait->session);
	if (!s || s->state != SESSION_LOGGING_IN)
		return;
	if (s->verified) {
		s->verified = false;
		if (e->kind == STORE_USER && e->user.born == s->login_born)
			login_accept(chat, s);
		else
			login_refuse(chat, s);
		return;
	}
	if (!login_suspect(chat, s)) {
		login_verify(chat, s);
		return;
	}
	unsigned over = e->failures > chat->settings->identity_failures_max
				? e->failures - chat->settings->identity_failures_max : 0;
	unsigned level = over < LOGIN_DELAYS ? over : LOGIN_DELAYS - 1;
	list_remove(&s->timed);
	s->due = mono_add_ms(chat_now(chat), LOGIN_DELAY_FIRST_MS << level);
	list_append(&chat->delayed[level], &s->timed);
}

/* Goes on with a login as soon as its name is ready. */
static void login_queue(struct chat *chat, struct session *s)
{
	struct login_wait wait = { s->handle, s->entity->name };
	if (entity_ready(s->entity))
		login_go(chat, s->entity, &wait);
	else
		entity_wait(chat, s->entity, POST_LOGIN, &wait);
}

void login_begin(struct chat *chat, struct session *s, struct str id, struct str who, struct str token)
{
	if (name_check(who, chat->settings->names_ascii) != NAME_GOOD || token.n > TOKEN_BYTES_MAX) {
		chat->env->address_failures(chat->env->ctx, session_address(s), 1);
		login_answer_refused(chat, s, id, false);
		return;
	}
	unsigned home = chat_home(who, chat->workers);
	if (home != chat->worker) {
		struct chat_carry carry = { s->failures, s->malformed, s->login_due, id, who, token };
		uint64_t handle = s->handle;
		session_end(chat, s);
		chat->env->move(chat->env->ctx, handle, home, &carry);
		return;
	}
	login_keep(s, id, who, token);
	session_hold(chat, s, HOLD_LOGIN);
	s->state = SESSION_LOGGING_IN;
	s->entity = entity_get(chat, who);
	entity_pin(chat, s->entity);
	login_queue(chat, s);
}

void chat_verified(struct chat *chat, uint64_t handle, int ok)
{
	struct session *s = session_get(chat, handle);
	if (!s || s->state != SESSION_LOGGING_IN)
		return;
	if (ok < 0) {
		session_close(chat, s, CLOSE_OVERLOADED);
	} else if (!ok || !s->login_born) {
		login_refuse(chat, s);
	} else {
		s->verified = true;
		login_queue(chat, s);
	}
}

static struct session *timed_first(const struct list *l)
{
	return list_empty(l) ? NULL : LIST_ENTRY(l->next, struct session, timed);
}

void login_due(struct chat *chat, struct mono now)
{
	struct session *s;
	for (unsigned i = 0; i < LOGIN_DELAYS; i++) {
		while ((s = timed_first(&chat->delayed[i])) && s->due.ns <= now.ns) {
			list_remove(&s->timed);
			s->due = s->login_due;
			session_await_login(chat, s);
			login_verify(chat, s);
		}
	}
	while ((s = timed_first(&chat->logins)) && s->due.ns <= now.ns)
		session_close(chat, s, CLOSE_LOGIN_TIMEOUT);
}

int64_t login_wait_ms(const struct chat *chat, struct mono now)
{
	int64_t least = -1;
	for (unsigned i = 0; i <= LOGIN_DELAYS; i++) {
		struct session *s = timed_first(i < LOGIN_DELAYS ? &chat->delayed[i] : &chat->logins);
		if (!s)
			continue;
		int64_t ms = mono_diff_ms(now, s->due) + 1;
		ms = ms > 0 ? ms : 0;
		least = least < 0 || ms < least ? ms : least;
	}
	return least;
}
