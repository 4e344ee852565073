#include "chat/chat.h"
#include "chat/core.h"
#include <stdio.h>
#include <stdlib.h>

#define CHAT_SLOTS 4096 /* names -> slots -> workers; later slots -> nodes (architecture, section 6) */
#define PARCEL_BYTES_MAX ((size_t)1 << 30)
#define RELEASES_BYTES_MAX ((size_t)1 << 30) /* one an item shown: sessions' windows bound them */

/* All posts of one turn from one core to another. */
struct parcel {
	struct inbox_node node;
	struct buf posts;
};

/* The same on every node, so no secret: who chooses names can only choose his own worker. */
static const struct hash_key slot_key = { "lemp slots 4096" };

unsigned chat_home(struct str name, unsigned workers)
{
	return (unsigned)(hash64(&slot_key, name) % CHAT_SLOTS) % workers;
}

void chat_settings_default(struct chat_settings *s)
{
	*s = (struct chat_settings){
		.login_timeout_ms = 10000, .ack_ping_ms = 2000, .max_login_failures = 5,
		.identity_failures_max = 10, .address_failures_max = 100, .max_sessions = 1,
		.malformed_max = 16, .mailbox_max_messages = 100000,
		.mailbox_max_bytes = (uint64_t)256 << 20, .max_packet = 256 << 10,
		.session_messages_max = 1024, .session_bytes_max = 1 << 20,
		.pending_bytes_max = 64 << 20, .entities_max = 20000, .send_buffer = 1 << 20,
		.max_group_members = 10000, .fan_slice = 64,
	};
}

struct chat *chat_create(const struct chat_config *config)
{
	CHECK(config->workers >= 1 && config->workers <= CHAT_WORKERS_MAX);
	struct chat *chat = calloc(1, sizeof(*chat));
	if (!chat)
		return NULL;
	chat->worker = config->worker;
	chat->workers = config->workers;
	chat->env = config->env;
	chat->settings = config->settings;
	chat->store = config->store;
	chat->metrics = config->metrics;
	chat->request_run = config->request_run;
	map_init(&chat->entities);
	list_init(&chat->idle);
	list_init(&chat->logins);
	list_init(&chat->unacked);
	list_init(&chat->throttled);
	list_init(&chat->jobs);
	list_init(&chat->asks);
	list_init(&chat->fans);
	list_init(&chat->copies);
	map_init(&chat->fanouts);
	for (unsigned i = 0; i < LOGIN_DELAYS; i++)
		list_init(&chat->delayed[i]);
	buf_init(&chat->scratch, (size_t)1 << 26);
	buf_init(&chat->receivers, (size_t)1 << 26);
	buf_init(&chat->behind, PARCEL_BYTES_MAX);
	buf_init(&chat->releases, RELEASES_BYTES_MAX);
	for (unsigned w = 0; w < chat->workers; w++)
		buf_init(&chat->spread[w], (size_t)1 << 26);
	packet_reader_init(&chat->reader, chat->settings->names_ascii, chat->settings->max_packet);
	chat->recovering = true; /* from the first turn on */
	return chat;
}

void chat_destroy(struct chat **chat_in)
{
	struct chat *chat = *chat_in;
	if (!chat)
		return;
	*chat_in = NULL;
	chat->ending = true;
	for (uint32_t i = 0; i < chat->session_cap; i++)
		if (chat->sessions[i])
			session_end(chat, chat->sessions[i]);
	free(chat->sessions);
	free(chat->generations);
	LIST_EACH_SAFE(&chat->jobs, it, tmp)
		job_free(LIST_ENTRY(it, struct job, node));
	while (chat->deferred) { /* another core did not come to the end of its recovery */
		struct lookup *l = chat->deferred;
		chat->deferred = l->next;
		lookup_free(chat, l);
	}
	guard_free(chat);
	fan_free(chat);
	copies_free(chat);
	fanout_free(chat);
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(&chat->entities, &cursor, &key, &value))
		entity_free(value);
	map_deinit(&chat->entities);
	commit_free(chat->open);
	while (chat->spare) {
		struct commit *c = chat->spare;
		chat->spare = c->next;
		commit_free(c);
	}
	for (unsigned w = 0; w < chat->workers; w++)
		if (chat->outbox[w]) {
			buf_deinit(&chat->outbox[w]->posts);
			free(chat->outbox[w]);
		}
	once_deinit(&chat->once);
	buf_deinit(&chat->scratch);
	buf_deinit(&chat->receivers);
	buf_deinit(&chat->behind);
	buf_deinit(&chat->releases);
	packet_reader_deinit(&chat->reader);
	free(chat);
}

struct str chat_next_id(struct chat *chat, char out[32])
{
	int n = snprintf(out, 32, "%x.%x.%llx", chat->store->epoch, chat->worker,
			 (unsigned long long)++chat->next_id);
	return (struct str){ out, (size_t)n };
}

struct buf *chat_scratch(struct chat *chat)
{
	buf_clear(&chat->scratch);
	return &chat->scratch;
}

void chat_post(struct chat *chat, unsigned worker, enum post_kind kind, const void *body)
{
	CHECK(worker < chat->workers && worker != chat->worker);
	struct parcel *parcel = chat->outbox[worker];
	if (!parcel) {
		parcel = malloc(sizeof(*parcel));
		CHECK(parcel);
		parcel->node.kind = INBOX_POST;
		buf_init(&parcel->posts, PARCEL_BYTES_MAX);
		chat->outbox[worker] = parcel;
	}
	post_put(&parcel->posts, kind, body);
	chat_count(chat, METRIC_posts_total, 1);
}

static void chat_push_parcels(struct chat *chat)
{
	for (unsigned w = 0; w < chat->workers; w++) {
		struct parcel *parcel = chat->outbox[w];
		if (!parcel)
			continue;
		chat->outbox[w] = NULL;
		chat->env->post(chat->env->ctx, w, &parcel->node);
	}
}

static void chat_send_parcels(struct chat *chat)
{
	struct buf behind = chat->behind;
	struct post post;
	size_t cursor = 0;
	chat_push_parcels(chat);
	if (!behind.n)
		return;
	buf_init(&chat->behind, PARCEL_BYTES_MAX);
	while (post_next(buf_view(&behind), &cursor, &post))
		answer_send(chat, &post.answer);
	buf_deinit(&behind);
	chat_push_parcels(chat);
}

/* A name's home takes in what is about it. */
static void chat_take_freeze(struct chat *chat, const struct freeze *freeze)
{
	struct entity *e = entity_get(chat, freeze->group);
	if (entity_ready(e))
		deletion_freeze(chat, e, freeze);
	else
		entity_wait(chat, e, POST_FREEZE, freeze);
}

static void chat_take_fan(struct chat *chat, const struct fan_slice *slice)
{
	if (slice->kind == STORE_BROADCAST)
		copies_take(chat, slice);
	else
		fan_take(chat, slice);
}

static void chat_take_post(struct chat *chat, const struct post *post)
{
	switch (post->kind) {
	case POST_MAIL: router_accept(chat, &post->mail); break;
	case POST_ANSWER: answer_apply(chat, &post->answer); break;
	case POST_REQUEST: request_accept(chat, &post->request); break;
	case POST_REPLY: reply_apply(chat, &post->reply); break;
	case POST_BARRIER:
		chat_post(chat, post->barrier.worker, POST_BARRIER_BACK, &post->barrier);
		break;
	case POST_BARRIER_BACK: session_barrier_back(chat, post->barrier.session); break;
	case POST_ASK: guard_ask(chat, &post->ask); break;
	case POST_FACTS: guard_facts(chat, &post->facts); break;
	case POST_UNGUARD: guard_release(chat, post->unguard.names); break;
	case POST_FREEZE: chat_take_freeze(chat, &post->freeze); break;
	case POST_FROZEN: deletion_frozen(chat, &post->frozen); break;
	case POST_THAW: deletion_thaw(chat, &post->thaw); break;
	case POST_FORGET: deletion_forget(chat, &post->forget); break;
	case POST_OWN: entity_take_own(chat, &post->own); break;
	case POST_FAN: chat_take_fan(chat, &post->fan); break;
	case POST_FANNED: fanout_fanned(chat, &post->fanned); break;
	case POST_RECOVERED: fanout_recovery_ended(chat); break;
	case POST_PRESENCE: presence_show(chat, &post->presence); break;
	case POST_LOGIN:
	case POST_COPY: CHECK_NEVER("what only waits never travels");
	}
}

void chat_tell(struct chat *chat, unsigned worker, enum post_kind kind, const void *body)
{
	struct post post;
	if (worker != chat->worker) {
		chat_post(chat, worker, kind, body);
		return;
	}
	post_of(kind, body, &post);
	chat_take_post(chat, &post);
}

void chat_run_post(struct chat *chat, struct entity *e, const struct post *post)
{
	switch (post->kind) {
	case POST_MAIL: router_take(chat, e, &post->mail); break;
	case POST_REQUEST: chat->request_run(chat, e, &post->request); break;
	case POST_LOGIN: login_go(chat, e, &post->login); break;
	case POST_FREEZE: deletion_freeze(chat, e, &post->freeze); break;
	case POST_FORGET: entity_forget_block(e, &post->forget); break;
	case POST_OWN: entity_note_own(e, &post->own); break;
	case POST_COPY: copies_reached(chat, &post->copy); break;
	default: CHECK_NEVER("nothing else waits for a name");
	}
}

static void chat_read_back(struct chat *chat, struct lookup *l)
{
	switch (l->kind) {
	case LOOKUP_NAME:
		entity_loaded(chat, l);
		break;
	case LOOKUP_SEEN:
		router_looked_up(chat, l);
		break;
	case LOOKUP_FIND:
		receipt_found(chat, l);
		break;
	case LOOKUP_MAILBOX:
		stream_read(chat, l->entity, session_get(chat, l->session), &l->read);
		break;
	case LOOKUP_JOB:
		job_read_back(chat, l);
		break;
	case LOOKUP_PRESENCE:
		presence_read(chat, l);
		break;
	case LOOKUP_FANOUTS:
		fanout_recovered(chat, l);
		break;
	}
	lookup_free(chat, l);
}

void chat_inbox(struct chat *chat, struct inbox_node *node)
{
	if (node->kind == INBOX_STORE_BATCH) {
		struct store_batch *batch = LIST_ENTRY(node, struct store_batch, node);
		commit_back(chat, LIST_ENTRY(batch, struct commit, batch));
	} else if (node->kind == INBOX_STORE_READ) {
		struct store_read *read = LIST_ENTRY(node, struct store_read, node);
		chat_read_back(chat, LIST_ENTRY(read, struct lookup, read));
	} else {
		CHECK(node->kind == INBOX_POST);
		struct parcel *parcel = LIST_ENTRY(node, struct parcel, node);
		struct post post;
		size_t cursor = 0;
		while (post_next(buf_view(&parcel->posts), &cursor, &post))
			chat_take_post(chat, &post);
		buf_deinit(&parcel->posts);
		free(parcel);
	}
}

/* Sessions with something unacknowledged are looked at in turn. */
static void chat_check_unacked(struct chat *chat, struct mono now)
{
	while (!list_empty(&chat->unacked)) {
		struct session *s = LIST_ENTRY(chat->unacked.next, struct session, timed);
		if (s->due.ns > now.ns)
			return;
		list_remove(&s->timed);
		if (!stream_ping(chat, s, now))
			continue;
		s->due = mono_add_ms(now, session_ack_check_ms(chat));
		list_append(&chat->unacked, &s->timed);
	}
}

bool chat_throttle(struct chat *chat, struct session *s)
{
	if (commit_pending_bytes(chat) < chat->settings->pending_bytes_max)
		return false;
	session_hold(chat, s, HOLD_PENDING);
	if (list_alone(&s->throttled))
		list_append(&chat->throttled, &s->throttled);
	return true;
}

static void chat_unthrottle(struct chat *chat)
{
	if (commit_pending_bytes(chat) >= chat->settings->pending_bytes_max / 2)
		return;
	LIST_EACH_SAFE(&chat->throttled, it, tmp) {
		struct session *s = LIST_ENTRY(it, struct session, throttled);
		list_remove(&s->throttled);
		session_unhold(chat, s, HOLD_PENDING);
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

int64_t chat_turn(struct chat *chat)
{
	struct mono now = chat_now(chat);
	if (!chat->turned)
		fanout_recover(chat);
	chat->turned = true;
	login_due(chat, now);
	chat_check_unacked(chat, now);
	guard_turn(chat);
	fan_turn(chat);
	copies_turn(chat);
	receipt_turn(chat, false);
	commit_submit(chat, false);
	chat_unthrottle(chat);
	chat_send_parcels(chat);
	int64_t wait = sooner(login_wait_ms(chat, now), commit_wait_ms(chat, now));
	if (!list_empty(&chat->unacked)) {
		struct session *s = LIST_ENTRY(chat->unacked.next, struct session, timed);
		int64_t ms = mono_diff_ms(now, s->due) + 1;
		wait = sooner(wait, ms > 0 ? ms : 0);
	}
	return fan_runnable(chat) || copies_runnable(chat) || receipt_runnable(chat) ? 0 : wait;
}

bool chat_idle(const struct chat *chat)
{
	for (unsigned w = 0; w < chat->workers; w++)
		if (chat->outbox[w])
			return false;
	return !chat->in_flight && !chat->lookups && !chat->releases.n && list_empty(&chat->jobs) &&
	       list_empty(&chat->fans) && list_empty(&chat->copies) && !chat->fanouts.count &&
	       (!chat->open || (!chat->open->effect_n && !chat->open->batch.ops.n));
}

void chat_flush(struct chat *chat)
{
	receipt_turn(chat, true);
	commit_submit(chat, true);
	chat_send_parcels(chat);
}
