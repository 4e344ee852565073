/* Mail. A message is checked and written out by its sender's core, travels to the home of its
 * receiver, where repetition, the mailbox's bounds and the order are decided, and is shown and
 * answered when the batch that holds it is durable. */
#include "chat/core.h"

#define RECEIPT_BYTES_MAX 512 /* of a server receipt, or an error about a message */

struct answer answer_to(const struct mail_in *mail, enum refusal refusal)
{
	return (struct answer){
		.session = mail->session, .ack_seq = mail->ack_seq, .ack_kind = mail->ack_kind,
		.ack_release = mail->ack_release, .again = mail->again,
		.ack_failures = mail->ack_failures, .bytes = (uint32_t)mail->text.n,
		.refusal = (uint8_t)refusal, .want_sr = mail->want_sr, .fan = mail->fan, .sender = mail->sender,
		.id = mail->id, .target = mail->target,
	};
}

static void answer_now(struct chat *chat, const struct mail_in *mail, enum refusal refusal)
{
	struct answer a = answer_to(mail, refusal);
	answer_send(chat, &a);
}

void answer_send(struct chat *chat, const struct answer *a)
{
	if (a->fan)
		copies_answered(chat, a);
	else if (!a->session && !a->ack_seq)
		return; /* nobody waits */
	else if (session_worker(a->session) == chat->worker)
		answer_apply(chat, a);
	else
		chat_post(chat, session_worker(a->session), POST_ANSWER, a);
}

void answer_behind(struct chat *chat, const struct answer *a)
{
	post_put(&chat->behind, POST_ANSWER, a);
}

static void answer_refuse(struct chat *chat, struct session *s, const struct answer *a)
{
	struct buf sentence;
	enum refusal refusal = a->refusal ? (enum refusal)a->refusal : REFUSAL_UNAVAILABLE;
	buf_init(&sentence, 1024);
	switch (refusal) {
	case REFUSAL_NOT_FOUND:
		BUF_LIT(&sentence, "Not found: '");
		buf_str(&sentence, a->target);
		BUF_LIT(&sentence, "'.");
		break;
	case REFUSAL_NOT_ALLOWED:
		BUF_LIT(&sentence, "You may not send to '");
		buf_str(&sentence, a->target);
		BUF_LIT(&sentence, "'.");
		break;
	case REFUSAL_MAILBOX_FULL:
		BUF_LIT(&sentence, "The mailbox of '");
		buf_str(&sentence, a->target);
		BUF_LIT(&sentence, "' is full.");
		break;
	case REFUSAL_UNAVAILABLE:
		BUF_LIT(&sentence, "Storage is unavailable, try again.");
		break;
	default:
		BUF_LIT(&sentence, "Refused.");
	}
	struct buf *out = chat_scratch(chat);
	packet_put_error(out, a->id, refusal, buf_view(&sentence));
	chat->env->send(chat->env->ctx, s->handle, out->p, out->n);
	buf_deinit(&sentence);
}

static void answer_receipt(struct chat *chat, struct session *s, const struct answer *a)
{
	char id[32];
	struct buf *out = chat_scratch(chat);
	packet_put_sr(out, chat_next_id(chat, id), a->id);
	chat->env->send(chat->env->ctx, s->handle, out->p, out->n);
	chat_count(chat, METRIC_server_receipts_total, 1);
}

/* As many as the receipts of which fit what is kept free for them. */
static unsigned router_messages_max(const struct chat *chat)
{
	size_t fit = session_reserve(chat) / RECEIPT_BYTES_MAX + 1;
	return fit < chat->settings->session_messages_max ? (unsigned)fit
							   : chat->settings->session_messages_max;
}

void answer_apply(struct chat *chat, const struct answer *a)
{
	bool taken = !a->refusal;
	if (a->ack_seq) { /* of a stored message: its item, and so the name, was kept for this */
		struct entity *e = map_get(&chat->entities, a->sender);
		CHECK(e);
		taken = receipt_settled(chat, e, a);
		if (--e->acks == 0 && e->recount)
			e->stale = true;
		entity_unpin(chat, e);
	}
	struct session *s = session_get(chat, a->session);
	if (!s)
		return;
	CHECK(s->messages > 0);
	s->messages--;
	s->message_bytes -= a->bytes;
	if (!taken)
		answer_refuse(chat, s, a);
	else if (a->want_sr)
		answer_receipt(chat, s, a);
	chat_count(chat, taken ? METRIC_messages_accepted_total : METRIC_messages_refused_total, 1);
	if (!s->messages)
		session_unhold(chat, s, HOLD_COPIES);
	const struct chat_settings *set = chat->settings;
	if (s->messages <= router_messages_max(chat) / 2 &&
	    s->message_bytes <= set->session_bytes_max / 2)
		session_unhold(chat, s, HOLD_CREDIT);
}

void router_send(struct chat *chat, const struct mail_in *mail)
{
	struct session *s = session_get(chat, mail->session);
	const struct chat_settings *set = chat->settings;
	CHECK(s);
	s->messages++;
	s->message_bytes += mail->text.n;
	if (s->messages >= router_messages_max(chat) || s->message_bytes >= set->session_bytes_max)
		session_hold(chat, s, HOLD_CREDIT);
	/* What comes after a broadcast comes after its copies (promise 4), which begin at other homes: it
	 * waits here till they have their places there. */
	if (entity_owns(s->entity, mail->target))
		session_hold(chat, s, HOLD_COPIES);
	unsigned home = chat_home(mail->target, chat->workers);
	if (home == chat->worker) {
		router_accept(chat, mail);
		return;
	}
	s->touched |= UINT64_C(1) << home;
	chat_post(chat, home, POST_MAIL, mail);
}

void router_accept(struct chat *chat, const struct mail_in *mail)
{
	struct entity *e = entity_get(chat, mail->target);
	if (entity_ready(e))
		router_take(chat, e, mail);
	else
		entity_wait(chat, e, POST_MAIL, mail);
}

void router_drop_unstored(struct chat *chat, const struct mail_in *mail)
{
	chat_count(chat, METRIC_messages_dropped_total, 1);
	answer_now(chat, mail, REFUSAL_NONE);
}

void router_show_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	struct answer a = answer_to(mail, REFUSAL_NONE);
	if (e->group) {
		fanout_show_unstored(chat, e, mail);
		answer_behind(chat, &a);
		return;
	}
	if (e->kind != STORE_USER || !mailbox_show_unstored(chat, e, mail)) {
		router_drop_unstored(chat, mail);
		return;
	}
	answer_send(chat, &a);
}

/* p 0 keeps its place behind stored mail that is not durable yet (13.5). */
void router_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	if (!e->effects) {
		router_show_unstored(chat, e, mail);
		return;
	}
	struct mail_in placed = *mail;
	placed.place = chat_next_seq(chat);
	commit_effect(chat, EFFECT_UNSTORED, e);
	post_put(&chat->open->data, POST_MAIL, &placed);
}

/* What a dm or nm does in the mailbox of the one who sends it. */
static void router_add_ack(struct buf *ops, const struct mail_in *mail, int64_t now_ms)
{
	struct store_op op;
	if (mail->ack_release)
		op = (struct store_op){ .type = OP_RELEASE, .release = {
			.user = mail->sender, .seq = mail->ack_seq, .flags = mail->ack_flags,
			.kinds = mail->ack_kind, .ms = now_ms, .sender_born = mail->target_born,
			.once = mail->ack_once, .sender = mail->target, .id = mail->ack_id } };
	else
		op = (struct store_op){ .type = OP_ACK, .ack = {
			.user = mail->sender, .flags = mail->ack_flags, .kinds = mail->ack_kind,
			.ms = now_ms, .sender_born = mail->target_born, .sender = mail->target,
			.id = mail->ack_id } };
	txn_add(ops, &op);
}

static struct effect *router_effect(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	struct effect *effect = commit_effect(chat, EFFECT_MAIL, e);
	effect->session = mail->session;
	effect->want_sr = mail->want_sr;
	effect->ack_kind = mail->ack_kind;
	effect->ack_seq = mail->ack_seq;
	effect->ack_release = mail->ack_release;
	effect->fan = mail->fan;
	return effect;
}

/* One transaction: into the mailbox of the receiver and, of a receipt, out of the sender's. */
static void router_store(struct chat *chat, struct entity *e, const struct mail_in *mail,
			 struct hash128 once)
{
	struct effect *effect = router_effect(chat, e, mail);
	struct buf *ops = &chat->open->batch.ops;
	int64_t now_ms = chat_wall(chat).ms;
	buf_clear(&chat->receivers);
	strs_add(&chat->receivers, mail->target);
	struct store_op op = { .type = OP_MAIL, .mail = {
		.seq = chat_next_seq(chat), .flags = mail->flags, .ms = now_ms,
		.sender_born = mail->sender_born, .once = once, .sender = mail->sender,
		.target = mail->target, .id = mail->id, .receiver_count = 1,
		.receivers = buf_view(&chat->receivers), .text = mail->text } };
	size_t mark = txn_begin(ops);
	effect->op = txn_add(ops, &op);
	if (mail->ack_kind)
		router_add_ack(ops, mail, now_ms);
	txn_end(ops, mark);
}

/* A receipt whose message's sender is gone, is somebody else by now, or blocks the one who sends it,
 * vanishes (sections 8 and 11); what it released is released all the same. */
static void router_vanish(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	if (mail->stored) {
		struct buf *ops = &commit_open(chat)->batch.ops;
		size_t mark = txn_begin(ops);
		router_add_ack(ops, mail, chat_wall(chat).ms);
		txn_end(ops, mark);
	}
	struct answer a = answer_to(mail, REFUSAL_NONE);
	commit_answer(chat, e, &a);
}

static void router_receipt(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	if (mail->again) { /* goes back behind the first one's answer, whatever that says */
		struct answer a = answer_to(mail, REFUSAL_NONE);
		commit_answer(chat, e, &a);
	} else if (e->kind != STORE_USER || e->user.born != mail->target_born ||
		   entity_blocks(e, mail->sender, mail->sender_born))
		router_vanish(chat, e, mail);
	else if (mail->stored)
		router_store(chat, e, mail, (struct hash128){ 0, 0 });
	else
		router_unstored(chat, e, mail);
}

/* Of one he blocks: gone, but remembered, so that it does not come when it is sent again later. */
static void router_forget(struct chat *chat, struct entity *e, const struct mail_in *mail,
			  struct hash128 once)
{
	if (mail->stored) {
		struct buf *ops = &commit_open(chat)->batch.ops;
		struct store_op op = { .type = OP_ONCE, .once = { once, chat_wall(chat).ms } };
		size_t mark = txn_begin(ops);
		txn_add(ops, &op);
		txn_end(ops, mark);
	}
	struct answer a = answer_to(mail, REFUSAL_NONE);
	commit_answer(chat, e, &a);
}

static void router_to_user(struct chat *chat, struct entity *e, const struct mail_in *mail,
			   struct hash128 once)
{
	struct user *u = &e->user;
	const struct chat_settings *set = chat->settings;
	bool full = u->mail_count >= set->mailbox_max_messages ||
		    u->mail_bytes + mail->text.n > set->mailbox_max_bytes;
	if (mail->stored && full) {
		answer_now(chat, mail, REFUSAL_MAILBOX_FULL);
		return;
	}
	if (entity_blocks(e, mail->sender, mail->sender_born)) {
		router_forget(chat, e, mail, once);
		return;
	}
	if (!mail->stored) {
		router_unstored(chat, e, mail);
		return;
	}
	u->mail_count++;
	u->mail_bytes += mail->text.n;
	once_add(&chat->once, once);
	router_store(chat, e, mail, once);
}

/* A message of which is known by now whether it came before. */
static void router_arrived(struct chat *chat, struct entity *e, const struct mail_in *mail,
			   struct hash128 once, bool seen)
{
	if (seen) {
		chat_count(chat, METRIC_messages_repeated_total, 1);
		struct answer a = answer_to(mail, REFUSAL_NONE);
		commit_answer(chat, e, &a); /* after the first sending, should that be on its way */
	} else if (e->kind == STORE_USER) {
		router_to_user(chat, e, mail, once);
	} else if (mail->stored) {
		fanout_accept(chat, e, mail, once);
	} else {
		router_unstored(chat, e, mail);
	}
}

static struct hash128 router_once(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	uint64_t born = e->group ? e->group->born : e->user.born;
	return once_key(&chat->store->once_key, born, mail->sender_born, mail->id);
}

/* Members write to their group, an owner to his broadcast. */
static bool router_may(const struct entity *e, const struct mail_in *mail)
{
	if (e->kind == STORE_GROUP)
		return group_find(e->group, mail->sender);
	return e->kind == STORE_USER || str_eq(e->group->owner, mail->sender);
}

void router_take(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	if (mail->ack_kind) {
		router_receipt(chat, e, mail);
		return;
	}
	if (e->kind == STORE_NOBODY || !router_may(e, mail)) {
		answer_now(chat, mail, e->kind ? REFUSAL_NOT_ALLOWED : REFUSAL_NOT_FOUND);
		return;
	}
	struct hash128 once = router_once(chat, e, mail);
	int seen = once_has(&chat->once, once) ? 1 : store_seen(chat->store, chat->worker, once);
	if (seen >= 0) {
		router_arrived(chat, e, mail, once, seen);
		return;
	}
	struct lookup *l = lookup_new(chat, LOOKUP_SEEN, STORE_READ_SEEN, e);
	l->read.once = once;
	post_put(&l->post, POST_MAIL, mail);
	entity_busy(e); /* what comes after must stay after */
	lookup_start(chat, l);
}

void router_looked_up(struct chat *chat, struct lookup *l)
{
	struct entity *e = l->entity;
	struct post post;
	size_t cursor = 0;
	CHECK(post_next(buf_view(&l->post), &cursor, &post) && post.kind == POST_MAIL);
	if (l->read.status != OK || e->stale)
		answer_now(chat, &post.mail, REFUSAL_UNAVAILABLE);
	else
		router_arrived(chat, e, &post.mail, router_once(chat, e, &post.mail), l->read.found);
	entity_go_on(chat, e);
}
