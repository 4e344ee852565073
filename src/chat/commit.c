/* Batches. The open one gathers transactions, and with each what is to happen when it is durable
 * (its effects). It goes to the store at the end of a turn if fewer than CHAT_IN_FLIGHT_MAX are
 * there, so that batches grow while the store is busy and nothing waits while it is idle.
 *
 * When it is back, its effects happen in the order they were added: the order in which mail was
 * accepted is the order in which it is shown and receipted. If the store refused it, nothing of it
 * exists: senders are told 503, and names whose memory ran ahead of the store are read anew. */
#include "chat/core.h"
#include <stdlib.h>

#define COMMIT_BYTES_MAX ((size_t)1 << 30) /* far above pending_bytes_max: sessions are held before */

struct commit *commit_open(struct chat *chat)
{
	if (chat->open)
		return chat->open;
	struct commit *c = chat->spare;
	if (c) {
		chat->spare = c->next;
	} else {
		c = calloc(1, sizeof(*c));
		CHECK(c);
		buf_init(&c->batch.ops, COMMIT_BYTES_MAX);
		buf_init(&c->data, COMMIT_BYTES_MAX);
	}
	c->urgent = c->doomed = false;
	c->releases = 0;
	c->lazy_due = mono_add_ms(chat_now(chat), CHAT_LAZY_MS);
	chat->open = c;
	return c;
}

void commit_free(struct commit *c)
{
	if (!c)
		return;
	buf_deinit(&c->batch.ops);
	buf_deinit(&c->data);
	free(c->effects);
	free(c);
}

struct effect *commit_effect(struct chat *chat, enum effect_kind kind, struct entity *e)
{
	struct commit *c = commit_open(chat);
	if (c->effect_n == c->effect_cap) {
		c->effect_cap = c->effect_cap ? c->effect_cap * 2 : 64;
		c->effects = realloc(c->effects, c->effect_cap * sizeof(*c->effects));
		CHECK(c->effects);
	}
	struct effect *effect = &c->effects[c->effect_n++];
	*effect = (struct effect){ .kind = (uint8_t)kind, .entity = e, .data = c->data.n };
	if (e) {
		entity_pin(chat, e);
		e->effects++;
	}
	if (kind != EFFECT_RELEASED)
		c->urgent = true;
	return effect;
}

void commit_answer(struct chat *chat, struct entity *e, const struct answer *a)
{
	commit_effect(chat, EFFECT_ANSWER, e);
	post_put(&chat->open->data, POST_ANSWER, a);
}

/* What the sender of the mail at effect->op is told. */
static struct answer effect_answer(const struct commit *c, const struct effect *effect,
				   const struct store_op *op)
{
	bool fanout = op->type == OP_FANOUT;
	return (struct answer){
		.session = effect->session, .ack_seq = effect->ack_seq, .ack_kind = effect->ack_kind,
		.ack_release = effect->ack_release, .fan = effect->fan, .want_sr = effect->want_sr,
		.bytes = (uint32_t)(fanout ? op->fanout.text.n : op->mail.text.n),
		.refusal = c->batch.status == OK ? REFUSAL_NONE : REFUSAL_UNAVAILABLE,
		.sender = fanout ? op->fanout.sender : op->mail.sender,
		.id = fanout ? op->fanout.id : op->mail.id,
		.target = fanout ? op->fanout.target : op->mail.target,
	};
}

/* What goes to many is on its way before anybody hears that it does. */
static void effect_tell(struct chat *chat, const struct effect *effect, const struct answer *a)
{
	if (effect->entity->group)
		answer_behind(chat, a);
	else
		answer_send(chat, a);
}

static void effect_mail(struct chat *chat, struct commit *c, struct effect *effect)
{
	struct store_op op;
	CHECK(store_op_at(buf_view(&c->batch.ops), effect->op, &op) == OK);
	CHECK(op.type == OP_MAIL || op.type == OP_FANOUT);
	struct entity *e = effect->entity;
	bool ok = c->batch.status == OK;
	struct hash128 once = op.type == OP_MAIL ? op.mail.once : op.fanout.once;
	if (once.a | once.b)
		once_remove(&chat->once, once);
	if (!ok)
		e->stale = true;
	else if (op.type == OP_FANOUT)
		fanout_start(chat, &op.fanout);
	else if (e->kind == STORE_USER && op.mail.seq > e->user.born)
		mailbox_show(chat, e, &op.mail);
	struct answer a = effect_answer(c, effect, &op);
	effect_tell(chat, effect, &a);
}

static void effect_fan(struct chat *chat, struct commit *c, struct effect *effect)
{
	struct store_op op;
	bool ok = c->batch.status == OK;
	if (effect->op == NO_OP) {
		fan_committed(chat, effect->fan, NULL, ok);
		return;
	}
	CHECK(store_op_at(buf_view(&c->batch.ops), effect->op, &op) == OK && op.type == OP_MAIL);
	fan_committed(chat, effect->fan, &op.mail, ok);
}

static void effect_job(struct chat *chat, struct commit *c, struct effect *effect)
{
	struct str ops;
	size_t cursor = effect->op;
	CHECK(store_txn_next(buf_view(&c->batch.ops), &cursor, &ops) == 1);
	job_committed(chat, effect->job, ops, c->batch.status == OK);
}

static void effect_happen(struct chat *chat, struct commit *c, struct effect *effect)
{
	struct post post;
	size_t cursor = effect->data;
	bool ok = c->batch.status == OK;
	switch ((enum effect_kind)effect->kind) {
	case EFFECT_MAIL:
		effect_mail(chat, c, effect);
		break;
	case EFFECT_UNSTORED: /* needs no store: a failed batch is no reason to drop it … */
		CHECK(post_next(buf_view(&c->data), &cursor, &post) && post.kind == POST_MAIL);
		if (!ok && effect->entity->due && post.mail.sender.n) /* … unless a copy failed, too, and comes before it */
			router_drop_unstored(chat, &post.mail);
		else
			router_show_unstored(chat, effect->entity, &post.mail);
		break;
	case EFFECT_ANSWER:
		CHECK(post_next(buf_view(&c->data), &cursor, &post) && post.kind == POST_ANSWER);
		if (!ok)
			post.answer.refusal = REFUSAL_UNAVAILABLE;
		effect_tell(chat, effect, &post.answer);
		break;
	case EFFECT_RELEASED: {
		struct answer a = { .ack_seq = effect->ack_seq, .ack_kind = effect->ack_kind,
				    .ack_release = true };
		if (ok)
			receipt_settled(chat, effect->entity, &a);
		else
			receipt_release_again(chat, effect->entity, a.ack_seq, a.ack_kind);
		break;
	}
	case EFFECT_JOB:
		effect_job(chat, c, effect);
		break;
	case EFFECT_FAN:
		effect_fan(chat, c, effect);
		break;
	case EFFECT_COPIES:
		copies_committed(chat, effect->fan, ok);
		break;
	}
}

static void commit_settle(struct chat *chat, struct commit *c)
{
	/* What gathered meanwhile may rest on this one (a repeat waiting for its first sending). */
	if (c->batch.status != OK && chat->open && chat->open->effect_n)
		chat->open->doomed = chat->open->urgent = true;
	for (size_t i = 0; i < c->effect_n; i++) {
		struct effect *effect = &c->effects[i];
		effect_happen(chat, c, effect);
		if (effect->entity) {
			effect->entity->effects--;
			entity_unpin(chat, effect->entity);
		}
	}
	chat->pending_bytes -= c->batch.ops.n + c->data.n;
	c->effect_n = 0;
	buf_clear(&c->batch.ops);
	buf_clear(&c->data);
	c->next = chat->spare;
	chat->spare = c;
}

void commit_back(struct chat *chat, struct commit *c)
{
	CHECK(chat->in_flight > 0);
	chat->in_flight--;
	if (c->batch.status != OK) {
		chat->failures_seen++;
		chat_count(chat, METRIC_batches_failed_total, 1);
		chat->failing = true;
	}
	if (!chat->in_flight)
		chat->failing = false;
	commit_settle(chat, c);
}

size_t commit_pending_bytes(const struct chat *chat)
{
	const struct commit *c = chat->open;
	return chat->pending_bytes + (c ? c->batch.ops.n + c->data.n : 0);
}

/* Needs no store: nothing to write and nothing before it, or bound to fail. */
static bool commit_is_local(const struct chat *chat, const struct commit *c)
{
	return chat->in_flight == 0 && (c->doomed || c->batch.ops.n == 0);
}

void commit_submit(struct chat *chat, bool all)
{
	struct commit *c = chat->open;
	if (!c || (!c->effect_n && !c->batch.ops.n) || chat->in_flight >= CHAT_IN_FLIGHT_MAX)
		return;
	if (!all && !c->urgent && c->lazy_due.ns > chat_now(chat).ns)
		return;
	if ((c->doomed || chat->failing) && chat->in_flight) /* would fail behind those before it */
		return;
	CHECK(!c->batch.ops.failed && !c->data.failed);
	chat->open = NULL;
	chat->pending_bytes += c->batch.ops.n + c->data.n;
	c->batch.node.kind = INBOX_STORE_BATCH;
	c->batch.failures_seen = chat->failures_seen;
	c->batch.status = c->doomed ? ERR_UNAVAILABLE : OK;
	if (commit_is_local(chat, c)) {
		commit_settle(chat, c);
		return;
	}
	chat->in_flight++;
	chat_count(chat, METRIC_batches_total, 1);
	store_submit(chat->store, chat->worker, &c->batch);
}

int64_t commit_wait_ms(const struct chat *chat, struct mono now)
{
	const struct commit *c = chat->open;
	if (!c || (!c->effect_n && !c->batch.ops.n) || chat->in_flight >= CHAT_IN_FLIGHT_MAX ||
	    ((c->doomed || chat->failing) && chat->in_flight))
		return -1;
	int64_t ms = c->urgent ? 0 : mono_diff_ms(now, c->lazy_due) + 1;
	return ms > 0 ? ms : 0;
}

/* --- reads --- */

struct lookup *lookup_new(struct chat *chat, enum lookup_kind kind, enum store_read_kind read,
			  struct entity *e)
{
	struct lookup *l = calloc(1, sizeof(*l));
	CHECK(l);
	l->kind = kind;
	l->entity = e;
	l->read.node.kind = INBOX_STORE_READ;
	l->read.kind = read;
	l->read.name = e ? e->name : STR("");
	buf_init(&l->read.rows, COMMIT_BYTES_MAX);
	buf_init(&l->post, COMMIT_BYTES_MAX);
	if (e)
		entity_pin(chat, e);
	chat->lookups++;
	return l;
}

void lookup_start(struct chat *chat, struct lookup *l)
{
	store_read(chat->store, chat->worker, &l->read);
}

void lookup_free(struct chat *chat, struct lookup *l)
{
	chat->lookups--;
	struct entity *e = l->entity;
	buf_deinit(&l->read.rows);
	buf_deinit(&l->post);
	free(l);
	if (e)
		entity_unpin(chat, e);
}
