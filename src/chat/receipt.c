/* dm and nm: what a user says of what he was shown (protocol.md section 12). A receipt travels to
 * the home of the message's sender like a message; there it is stored for him in one transaction
 * with the release from the mailbox of the one who sent it. */
#include "chat/core.h"

/* What a dm or nm names. */
struct found {
	struct str sender;
	uint64_t sender_born;
	uint64_t seq;          /* 0: not known */
	struct hash128 once;
	uint32_t bytes;        /* of the text */
	uint8_t flags, kinds;  /* kinds: before this receipt */
	bool release;          /* it is in the mailbox still */
	bool stored;           /* a p 1 message */
};

void receipt_release(struct chat *chat, struct entity *e, struct item *item, uint8_t kinds)
{
	struct effect *effect = commit_effect(chat, EFFECT_RELEASED, e);
	effect->ack_seq = item->seq;
	effect->ack_kind = kinds;
	item->kinds |= kinds;
	struct buf *ops = &chat->open->batch.ops;
	struct store_op op = { .type = OP_RELEASE, .release = {
		.user = e->name, .seq = item->seq, .flags = item->flags, .kinds = kinds,
		.ms = chat_wall(chat).ms, .sender_born = item->sender_born, .once = item->once,
		.sender = item->sender, .id = item->id } };
	size_t mark = txn_begin(ops);
	txn_add(ops, &op);
	txn_end(ops, mark);
	mailbox_releasing(&e->user.box, item);
}

void receipt_settled(struct chat *chat, struct entity *e, const struct answer *a)
{
	struct user *u = &e->user;
	if (a->refusal) {
		mailbox_restored(&u->box, a->ack_seq, a->ack_kind, a->ack_release);
		return;
	}
	if (!a->ack_release)
		return;
	const struct item *item = mailbox_released(&u->box, a->ack_seq);
	if (!item)
		return;
	chat_count(chat, METRIC_mail_released_total, 1);
	if (item->flags & (MAIL_RECEIPT | MAIL_INFO) || !u->mail_count)
		return;
	u->mail_count--;
	u->mail_bytes -= item->bytes < u->mail_bytes ? item->bytes : u->mail_bytes;
}

/* Takes credit as any message does, for the answer gives it back. */
static void receipt_answer(struct chat *chat, struct session *s, const struct packet *p)
{
	struct answer a = { .session = s->handle, .want_sr = p->m.sc != 0,
			    .sender = s->entity->name, .id = p->m.id };
	s->messages++;
	commit_answer(chat, s->entity, &a);
}

/* The item of what was found. What the store found in the mailbox gets one, so that it is not
 * shown while it is being released. */
static struct item *receipt_item(struct entity *e, const struct packet *p, const struct found *f)
{
	struct item *item = f->seq ? mailbox_by_seq(&e->user.box, f->seq) : NULL;
	if (item || !f->release)
		return item;
	struct op_mail head = {
		.seq = f->seq, .flags = f->flags, .sender_born = f->sender_born, .once = f->once,
		.sender = f->sender, .id = p->m.dm.p ? p->m.dm : p->m.nm, .text = { NULL, f->bytes },
	};
	return mailbox_adopt(&e->user.box, &head);
}

/* The message's sender did not want to hear of it: it is released, and that is all. */
static void receipt_keep(struct chat *chat, struct session *s, const struct packet *p,
			 const struct found *f, uint8_t kind)
{
	struct item *item = receipt_item(s->entity, p, f);
	if (item && item->state == ITEM_SHOWN)
		receipt_release(chat, s->entity, item, kind);
	receipt_answer(chat, s, p);
}

static void receipt_pass_on(struct chat *chat, struct session *s, const struct packet *p,
			    const struct found *f, uint8_t kind)
{
	struct user *u = &s->entity->user;
	struct item *item = receipt_item(s->entity, p, f);
	if (item) {
		item->kinds |= kind;
		if (item->state == ITEM_SHOWN)
			mailbox_releasing(&u->box, item);
	}
	struct packet out = *p;
	if (out.m.st < 0)
		out.m.st = chat_wall(chat).ms;
	struct buf *text = chat_scratch(chat);
	packet_put_message(text, &out, s->entity->name, f->sender);
	struct mail_in mail = {
		.session = s->handle, .sender_born = u->born, .target_born = f->sender_born,
		.ack_seq = f->seq, .ack_once = f->once, .flags = MAIL_RECEIPT,
		.ack_flags = f->flags, .ack_kind = kind, .ack_release = f->release,
		.stored = f->stored, .want_sr = p->m.sc != 0, .sender = s->entity->name,
		.target = f->sender, .id = p->m.id, .ack_id = p->m.dm.p ? p->m.dm : p->m.nm,
		.text = buf_view(text),
	};
	router_send(chat, &mail);
}

static void receipt_act(struct chat *chat, struct session *s, const struct packet *p,
			const struct found *f, uint8_t kind)
{
	if (f->kinds & kind) /* the second one is receipted and not passed on */
		receipt_answer(chat, s, p);
	else if (f->flags & MAIL_NO_PC)
		receipt_keep(chat, s, p, f, kind);
	else
		receipt_pass_on(chat, s, p, f, kind);
}

static struct found found_item(const struct item *item)
{
	return (struct found){
		.sender = item->sender, .sender_born = item->sender_born, .seq = item->seq,
		.once = item->once, .flags = item->flags, .kinds = item->kinds,
		.release = item->state == ITEM_SHOWN, .stored = true,
	};
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
	*out = (struct found){ .sender = u->sender, .sender_born = u->sender_born, .kinds = u->kinds };
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

/* Of the rows the first that is in the mailbox still, else the first this kind was not said of,
 * else any: that one gets its receipt and no more. */
static int receipt_choose(struct chat *chat, struct entity *e, struct store_read *read,
			  struct str sender, uint8_t kind, struct found *out)
{
	struct store_find_row row;
	size_t cursor = 0;
	int r, best = 0;
	while ((r = store_find_row_next(buf_view(&read->rows), &cursor, &row)) == 1) {
		struct item *item = row.seq ? mailbox_by_seq(&e->user.box, row.seq) : NULL;
		uint8_t kinds = row.kinds | (item ? item->kinds : 0);
		bool release = row.seq && (!item || item->state == ITEM_SHOWN);
		int rank = release ? 3 : kinds & kind ? 1 : 2;
		if ((sender.p && !str_eq(row.sender, sender)) || rank <= best)
			continue;
		best = rank;
		*out = (struct found){
			.sender = row.sender, .sender_born = row.sender_born, .seq = row.seq,
			.once = row.seq ? once_key(&chat->store->once_key, e->user.born,
						   row.sender_born, read->id)
					: (struct hash128){ 0, 0 },
			.bytes = row.bytes, .flags = row.flags, .kinds = kinds,
			.release = release, .stored = true,
		};
	}
	return r < 0 ? r : best;
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
	if (found == OK)
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
