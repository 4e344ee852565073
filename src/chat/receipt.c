/* dm and nm: what a user says of what he was shown (protocol.md section 12). A receipt travels to
 * the home of the message's sender like a message; there it is stored for him in one transaction
 * with the release from the mailbox of the one who sent it. */
#include "chat/core.h"

/* One ping may prove hundreds of messages, and those of a large group come back together: what all of
 * them released would hold up in one batch what was sent meanwhile. So few go with each batch, but none
 * waits long (promise 2: durable within a second). */
#define RELEASES_IN_BATCH 64
#define RELEASE_WAIT_MS 300

struct release {
	struct entity *entity; /* pinned */
	struct mono since;
	uint64_t seq;
	uint8_t kinds;
};

/* What a dm or nm names. */
struct found {
	struct item *item;     /* NULL: a p 0 message */
	struct str sender;
	uint64_t sender_born;
	uint8_t flags, kinds;  /* kinds: before this receipt */
};

static void receipt_add_release(struct chat *chat, struct entity *e, struct item *item, uint8_t kinds)
{
	struct effect *effect = commit_effect(chat, EFFECT_RELEASED, e);
	effect->ack_seq = item->seq;
	effect->ack_kind = kinds;
	struct buf *ops = &chat->open->batch.ops;
	struct store_op op = { .type = OP_RELEASE, .release = {
		.user = e->name, .seq = item->seq, .flags = item->flags, .kinds = kinds,
		.ms = chat_wall(chat).ms, .sender_born = item->sender_born, .once = item->once,
		.sender = item->sender, .id = item->id } };
	size_t mark = txn_begin(ops);
	txn_add(ops, &op);
	txn_end(ops, mark);
}

void receipt_release(struct chat *chat, struct entity *e, struct item *item, uint8_t kinds)
{
	receipt_add_release(chat, e, item, kinds);
	mailbox_acknowledge(&e->user.box, item, kinds);
}

/* Nobody can be told that his pong failed, so it does not: he is not shown the item again while
 * this process lives. */
void receipt_release_again(struct chat *chat, struct entity *e, uint64_t seq, uint8_t kinds)
{
	struct item *item = mailbox_by_seq(&e->user.box, seq);
	if (item && item->state == ITEM_RELEASING)
		receipt_add_release(chat, e, item, kinds);
	else if (item)
		(void)mailbox_settle(&e->user.box, seq, kinds, true, true); /* a receipt released it */
}

void receipt_release_soon(struct chat *chat, struct entity *e, struct item *item, uint8_t kinds)
{
	struct release r = { e, chat_now(chat), item->seq, kinds };
	mailbox_acknowledge(&e->user.box, item, kinds);
	entity_pin(chat, e);
	buf_add(&chat->releases, &r, sizeof(r));
	CHECK(!chat->releases.failed);
}

/* The first that waits. False also when its user is just being deleted, which is decided soon. */
static bool release_next(const struct chat *chat, struct release *out)
{
	if (chat->releases_at == chat->releases.n)
		return false;
	memcpy(out, chat->releases.p + chat->releases_at, sizeof(*out));
	return !out->entity->doomed;
}

bool receipt_runnable(const struct chat *chat)
{
	struct release r;
	return chat->in_flight < CHAT_IN_FLIGHT_MAX && release_next(chat, &r);
}

void receipt_turn(struct chat *chat, bool all)
{
	struct mono now = chat_now(chat);
	struct release r;
	while (release_next(chat, &r)) {
		struct commit *c = commit_open(chat);
		if (!all && c->releases >= RELEASES_IN_BATCH && mono_diff_ms(r.since, now) < RELEASE_WAIT_MS) {
			c->urgent = true; /* the rest waits for the next one */
			break;
		}
		c->releases++;
		chat->releases_at += sizeof(r);
		if (r.entity->kind == STORE_USER)
			receipt_release_again(chat, r.entity, r.seq, r.kinds);
		entity_unpin(chat, r.entity);
	}
	if (chat->releases_at > chat->releases.n / 2) {
		buf_consume(&chat->releases, chat->releases_at);
		chat->releases_at = 0;
	}
}

bool receipt_settled(struct chat *chat, struct entity *e, const struct answer *a)
{
	struct user *u = &e->user;
	bool ok = a->refusal == REFUSAL_NONE;
	const struct item *item = NULL;
	if (a->again)
		ok = mailbox_settle_again(&u->box, a->ack_seq, a->ack_failures) && ok;
	else
		item = mailbox_settle(&u->box, a->ack_seq, a->ack_kind, a->ack_release, ok);
	if (!ok)
		mailbox_show_again(chat, e, a->ack_seq);
	if (!item)
		return ok;
	chat_count(chat, METRIC_mail_released_total, 1);
	if (item->flags & (MAIL_RECEIPT | MAIL_INFO) || !u->mail_count)
		return ok;
	u->mail_count--;
	u->mail_bytes -= item->bytes < u->mail_bytes ? item->bytes : u->mail_bytes;
	return ok;
}

/* Takes credit as any message does, for the answer gives it back. */
static void receipt_answer(struct chat *chat, struct session *s, const struct packet *p)
{
	struct answer a = { .session = s->handle, .want_sr = p->m.sc != 0,
			    .sender = s->entity->name, .id = p->m.id };
	s->messages++;
	commit_answer(chat, s->entity, &a);
}

/* The message's sender did not want to hear of it: it is released, and that is all. */
static void receipt_keep(struct chat *chat, struct session *s, const struct packet *p,
			 const struct found *f, uint8_t kind)
{
	if (f->item && f->item->state == ITEM_SHOWN)
		receipt_release(chat, s->entity, f->item, kind);
	receipt_answer(chat, s, p);
}

/* `again`: it was passed on before and is under way still. Its outcome is known when the core of the
 * message's sender has answered it; this one goes there and back behind it. */
static void receipt_pass_on(struct chat *chat, struct session *s, const struct packet *p,
			    const struct found *f, uint8_t kind, bool again)
{
	struct user *u = &s->entity->user;
	struct packet out = *p;
	if (out.m.st < 0)
		out.m.st = chat_wall(chat).ms;
	struct buf *text = chat_scratch(chat);
	packet_put_message(text, &out, s->entity->name, f->sender);
	struct mail_in mail = {
		.session = s->handle, .sender_born = u->born, .target_born = f->sender_born,
		.flags = MAIL_RECEIPT, .ack_flags = f->flags, .ack_kind = kind, .again = again,
		.stored = f->item != NULL, .want_sr = p->m.sc != 0, .sender = s->entity->name,
		.target = f->sender, .id = p->m.id, .ack_id = p->m.dm.p ? p->m.dm : p->m.nm,
		.text = buf_view(text),
	};
	if (f->item) {
		mail.ack_seq = f->item->seq;
		mail.ack_failures = f->item->failures;
		mail.ack_once = f->item->once;
		/* Also while another release is under way: that one may fail alone. */
		mail.ack_release = f->item->state != ITEM_RELEASED;
		mailbox_acknowledge(&u->box, f->item, kind);
		entity_pin(chat, s->entity); /* till the answer is back */
		s->entity->acks++;
	}
	router_send(chat, &mail);
}

static void receipt_act(struct chat *chat, struct session *s, const struct packet *p,
			const struct found *f, uint8_t kind)
{
	bool again = f->kinds & kind; /* the second one is receipted and not passed on */
	if (f->flags & MAIL_NO_PC)
		receipt_keep(chat, s, p, f, kind);
	else if (again && !(f->item && f->item->pending))
		receipt_answer(chat, s, p);
	else
		receipt_pass_on(chat, s, p, f, kind, again);
}

static struct found found_item(struct item *item)
{
	return (struct found){ item, item->sender, item->sender_born, item->flags, item->kinds };
}

/* Looks where it is cheap: what is shown and unacknowledged, what was acknowledged lately, p 0. */
static bool receipt_find(struct session *s, struct str id, struct str sender, uint8_t kind,
			 struct found *out)
{
	struct mailbox *box = &s->entity->user.box;
	struct item *item = mailbox_find(box, id, sender);
	if (!item)
		item = mailbox_find_acked(box, id, sender);
	if (item) {
		*out = found_item(item);
		return true;
	}
	struct unstored *u = stream_find_unstored(&s->stream, id, sender);
	if (!u)
		return false;
	*out = (struct found){ NULL, u->sender, u->sender_born, 0, u->kinds };
	u->kinds |= kind; /* nothing stored: it cannot fail later */
	return true;
}

static void receipt_look_up(struct chat *chat, struct session *s, const struct packet *p, struct str id)
{
	struct request r = { .session = s->handle, .user = s->entity->name, .packet = *p };
	struct lookup *l = lookup_new(chat, LOOKUP_FIND, STORE_READ_FIND, s->entity);
	struct post post;
	size_t cursor = 0;
	l->session = s->handle;
	post_put(&l->post, POST_REQUEST, &r);
	CHECK(post_next(buf_view(&l->post), &cursor, &post));
	l->read.id = post.request.packet.m.dm.p ? post.request.packet.m.dm
						 : post.request.packet.m.nm;
	DCHECK(str_eq(l->read.id, id));
	session_hold(chat, s, HOLD_FIND);
	lookup_start(chat, l);
}

void receipt_take(struct chat *chat, struct session *s, const struct packet *p, uint8_t kind)
{
	struct str id = kind == ACK_DM ? p->m.dm : p->m.nm;
	struct found f;
	if (receipt_find(s, id, p->m.r, kind, &f))
		receipt_act(chat, s, p, &f, kind);
	else
		receipt_look_up(chat, s, p, id);
}

/* An item of a row, so that what happens to it now is known till it is durable. */
static struct item *receipt_adopt(struct chat *chat, struct entity *e, const struct store_find_row *row,
				  struct str id)
{
	struct op_mail head = {
		.seq = row->seq ? row->seq : chat_next_seq(chat), .flags = row->flags,
		.sender_born = row->sender_born, .sender = row->sender, .id = id,
		.once = row->once,
		.text = { NULL, row->bytes },
	};
	struct item *item = mailbox_adopt(&e->user.box, &head, row->seq == 0);
	item->kinds = row->kinds;
	return item;
}

/* Of the rows the first that is in the mailbox still, else the first this kind was not said of,
 * else any: that one gets its receipt and no more. 1, 0 none, or an error. */
static int receipt_choose(struct chat *chat, struct entity *e, struct store_read *read,
			  struct str sender, uint8_t kind, struct found *out)
{
	struct store_find_row row, best = { 0 };
	size_t cursor = 0;
	int r, best_rank = 0;
	while ((r = store_find_row_next(buf_view(&read->rows), &cursor, &row)) == 1) {
		int rank = row.seq ? 3 : row.kinds & kind ? 1 : 2;
		if ((sender.p && !str_eq(row.sender, sender)) || rank <= best_rank)
			continue;
		best_rank = rank;
		best = row;
	}
	if (r < 0 || !best_rank)
		return r;
	struct item *item = best.seq ? mailbox_by_seq(&e->user.box, best.seq) : NULL;
	*out = found_item(item ? item : receipt_adopt(chat, e, &best, read->id));
	return 1;
}

void receipt_found(struct chat *chat, struct lookup *l)
{
	struct session *s = session_get(chat, l->session);
	struct post post;
	size_t cursor = 0;
	struct found f;
	if (!s)
		return;
	CHECK(post_next(buf_view(&l->post), &cursor, &post));
	const struct packet *p = &post.request.packet;
	uint8_t kind = p->m.dm.p ? ACK_DM : ACK_NM;
	int found = l->read.status;
	if (receipt_find(s, l->read.id, p->m.r, kind, &f)) /* another session's receipt was quicker */
		found = 1;
	else if (found == OK)
		found = receipt_choose(chat, s->entity, &l->read, p->m.r, kind, &f);
	if (found > 0)
		receipt_act(chat, s, p, &f, kind);
	else if (found == 0)
		session_refuse(chat, s, p->m.id, REFUSAL_NOT_FOUND,
			       "Not found: no such message among those delivered to you.");
	else
		session_refuse(chat, s, p->m.id, REFUSAL_UNAVAILABLE,
			       "Storage is unavailable, try again.");
	session_unhold(chat, s, HOLD_FIND);
}
