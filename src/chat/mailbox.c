#include "chat/mailbox.h"
#include "chat/core.h"
#include <stdlib.h>

void mailbox_init(struct mailbox *box)
{
	map_init(&box->by_seq);
	map_init(&box->by_id);
	list_init(&box->acked);
	box->acked_n = box->reads = 0;
	box->slots = 0;
}

static void item_unref(struct item *item)
{
	if (--item->refs == 0)
		free(item);
}

static struct str item_seq_key(const struct item *item)
{
	return (struct str){ (const char *)&item->seq, sizeof(item->seq) };
}

/* Receipts and information are released by pongs only. */
static bool item_may_be_named(const struct item *item)
{
	return !(item->flags & (MAIL_RECEIPT | MAIL_INFO));
}

static struct item *item_new(const struct op_mail *mail)
{
	struct item *item = malloc(sizeof(*item) + mail->id.n + mail->sender.n);
	CHECK(item);
	char *bytes = (char *)(item + 1);
	memcpy(bytes, mail->id.p, mail->id.n);
	if (mail->sender.n)
		memcpy(bytes + mail->id.n, mail->sender.p, mail->sender.n);
	*item = (struct item){
		.seq = mail->seq, .sender_born = mail->sender_born, .once = mail->once,
		.id = { bytes, mail->id.n }, .sender = { bytes + mail->id.n, mail->sender.n },
		.bytes = (uint32_t)mail->text.n, .flags = mail->flags, .refs = 1,
		.state = ITEM_SHOWN,
	};
	list_init(&item->acked);
	return item;
}

/* by_id holds the oldest of those with one id, the others hang behind it by age. */
static void mailbox_add_id(struct mailbox *box, struct item *item)
{
	struct item *head = map_get(&box->by_id, item->id);
	item->same_id = NULL;
	if (head && head->seq < item->seq) {
		struct item *before = head;
		while (before->same_id && before->same_id->seq < item->seq)
			before = before->same_id;
		item->same_id = before->same_id;
		before->same_id = item;
		return;
	}
	if (head)
		map_remove(&box->by_id, item->id);
	item->same_id = head;
	CHECK(map_put(&box->by_id, item->id, item) == OK);
}

static void mailbox_remove_id(struct mailbox *box, struct item *item)
{
	struct item *head = map_get(&box->by_id, item->id);
	if (head == item) {
		map_remove(&box->by_id, item->id);
		if (item->same_id)
			CHECK(map_put(&box->by_id, item->same_id->id, item->same_id) == OK);
		return;
	}
	while (head->same_id != item)
		head = head->same_id;
	head->same_id = item->same_id;
}

static void mailbox_add(struct mailbox *box, struct item *item)
{
	CHECK(map_put(&box->by_seq, item_seq_key(item), item) == OK);
	if (item_may_be_named(item))
		mailbox_add_id(box, item);
}

/* Forgets an item; streams that still point to it keep it alive. */
static void mailbox_drop(struct mailbox *box, struct item *item)
{
	map_remove(&box->by_seq, item_seq_key(item));
	if (item->state == ITEM_SHOWN) {
		if (item_may_be_named(item))
			mailbox_remove_id(box, item);
		item->state = ITEM_RELEASED; /* for the streams */
	} else {
		list_remove(&item->acked);
		box->acked_n--;
	}
	item_unref(item);
}

/* While a read is under way its rows may still hold what was released since: the items stay, so
 * that they are recognised and not shown again. */
static void mailbox_trim(struct mailbox *box, unsigned keep)
{
	LIST_EACH_SAFE(&box->acked, it, tmp) {
		struct item *item = LIST_ENTRY(it, struct item, acked);
		if (box->acked_n <= keep || box->reads || item->state != ITEM_RELEASED || item->pending)
			return;
		mailbox_drop(box, item);
	}
}

void mailbox_deinit(struct mailbox *box)
{
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(&box->by_seq, &cursor, &key, &value))
		item_unref(value);
	map_deinit(&box->by_seq);
	map_deinit(&box->by_id);
}

struct item *mailbox_by_seq(struct mailbox *box, uint64_t seq)
{
	return map_get(&box->by_seq, (struct str){ (const char *)&seq, sizeof(seq) });
}

struct item *mailbox_find(struct mailbox *box, struct str id, struct str sender)
{
	struct item *item = map_get(&box->by_id, id);
	while (item && sender.p && !str_eq(item->sender, sender))
		item = item->same_id;
	return item;
}

struct item *mailbox_find_acked(struct mailbox *box, struct str id, struct str sender)
{
	for (struct list *it = box->acked.prev; it != &box->acked; it = it->prev) {
		struct item *item = LIST_ENTRY(it, struct item, acked);
		if (item_may_be_named(item) && str_eq(item->id, id) &&
		    (!sender.p || str_eq(item->sender, sender)))
			return item;
	}
	return NULL;
}

static void mailbox_move_to_acked(struct mailbox *box, struct item *item, enum item_state state)
{
	if (item_may_be_named(item))
		mailbox_remove_id(box, item);
	item->state = (uint8_t)state;
	list_append(&box->acked, &item->acked);
	box->acked_n++;
}

struct item *mailbox_adopt(struct mailbox *box, const struct op_mail *mail, bool released)
{
	struct item *item = item_new(mail);
	mailbox_add(box, item);
	if (released)
		mailbox_move_to_acked(box, item, ITEM_RELEASED);
	return item;
}

void mailbox_acknowledge(struct mailbox *box, struct item *item, uint8_t kind)
{
	item->kinds |= kind;
	item->pending++;
	if (item->state == ITEM_SHOWN)
		mailbox_move_to_acked(box, item, ITEM_RELEASING);
}

/* Nothing that would release it is on its way any more: it is in the mailbox still. */
static void mailbox_restore(struct mailbox *box, struct item *item)
{
	list_remove(&item->acked);
	box->acked_n--;
	item->state = ITEM_SHOWN;
	if (item_may_be_named(item))
		mailbox_add_id(box, item);
	if (!item->shown) /* whom it was shown to has gone: it will be read again */
		mailbox_drop(box, item);
}

const struct item *mailbox_settle(struct mailbox *box, uint64_t seq, uint8_t kind, bool release, bool ok)
{
	mailbox_trim(box, ACKED_REMEMBERED);
	struct item *item = mailbox_by_seq(box, seq);
	if (!item || !item->pending)
		return NULL;
	item->pending--;
	if (ok) {
		bool releases = release && item->state == ITEM_RELEASING;
		item->state = releases ? ITEM_RELEASED : item->state;
		return releases ? item : NULL;
	}
	item->kinds &= (uint8_t)~kind;
	item->failures++;
	if (item->state == ITEM_RELEASING && !item->pending)
		mailbox_restore(box, item);
	return NULL;
}

bool mailbox_settle_again(struct mailbox *box, uint64_t seq, uint32_t failures)
{
	struct item *item = mailbox_by_seq(box, seq);
	if (!item || !item->pending)
		return false;
	item->pending--;
	bool holds = item->failures == failures;
	if (item->state == ITEM_RELEASING && !item->pending)
		mailbox_restore(box, item);
	return holds;
}

/* --- streams --- */

static void sent_push(struct stream *t, struct item *item, struct mono now)
{
	if (t->sent_n == t->sent_cap) {
		size_t cap = t->sent_cap ? t->sent_cap * 2 : 16;
		struct sent *ring = malloc(cap * sizeof(*ring));
		CHECK(ring);
		for (size_t i = 0; i < t->sent_n; i++)
			ring[i] = t->sent[(t->sent_first + i) & (t->sent_cap - 1)];
		free(t->sent);
		t->sent = ring;
		t->sent_cap = cap;
		t->sent_first = 0;
	}
	t->sent[(t->sent_first + t->sent_n++) & (t->sent_cap - 1)] =
		(struct sent){ item, now, ++t->sent_number };
	item->refs++;
}

static struct sent *sent_front(struct stream *t)
{
	return t->sent_n ? &t->sent[t->sent_first] : NULL;
}

static void sent_pop(struct stream *t)
{
	item_unref(t->sent[t->sent_first].item);
	t->sent_first = (t->sent_first + 1) & (t->sent_cap - 1);
	t->sent_n--;
}

/* What is only RELEASING may be restored: it stays. */
static void sent_trim(struct stream *t)
{
	while (t->sent_n && sent_front(t)->item->state == ITEM_RELEASED)
		sent_pop(t);
}

static struct sent *sent_at(struct stream *t, size_t i)
{
	return &t->sent[(t->sent_first + i) & (t->sent_cap - 1)];
}

unsigned stream_unacknowledged(const struct stream *t)
{
	unsigned n = 0;
	for (size_t i = 0; i < t->sent_n; i++)
		n += t->sent[(t->sent_first + i) & (t->sent_cap - 1)].item->state == ITEM_SHOWN;
	return n;
}

static void unstored_free(struct unstored *u) { free(u); }

static void unstored_push(struct stream *t, const struct mail_in *mail)
{
	if (t->unstored_n == t->unstored_cap && t->unstored_cap < UNSTORED_REMEMBERED) {
		size_t cap = t->unstored_cap ? t->unstored_cap * 2 : 16;
		struct unstored **ring = malloc(cap * sizeof(struct unstored *));
		CHECK(ring);
		for (size_t i = 0; i < t->unstored_n; i++)
			ring[i] = t->unstored[(t->unstored_first + i) & (t->unstored_cap - 1)];
		free(t->unstored);
		t->unstored = ring;
		t->unstored_cap = cap;
		t->unstored_first = 0;
	} else if (t->unstored_n == t->unstored_cap) {
		unstored_free(t->unstored[t->unstored_first]);
		t->unstored_first = (t->unstored_first + 1) & (t->unstored_cap - 1);
		t->unstored_n--;
	}
	struct unstored *u = malloc(sizeof(*u) + mail->id.n + mail->sender.n);
	CHECK(u);
	char *bytes = (char *)(u + 1);
	memcpy(bytes, mail->id.p, mail->id.n);
	memcpy(bytes + mail->id.n, mail->sender.p, mail->sender.n);
	*u = (struct unstored){ mail->sender_born, 0, { bytes, mail->id.n },
				{ bytes + mail->id.n, mail->sender.n } };
	t->unstored[(t->unstored_first + t->unstored_n++) & (t->unstored_cap - 1)] = u;
}

struct unstored *stream_find_unstored(struct stream *t, struct str id, struct str sender)
{
	for (size_t i = t->unstored_n; i-- > 0;) {
		struct unstored *u = t->unstored[(t->unstored_first + i) & (t->unstored_cap - 1)];
		if (str_eq(u->id, id) && (!sender.p || str_eq(u->sender, sender)))
			return u;
	}
	return NULL;
}

enum shown { SHOWN, SKIPPED, NO_ROOM };

static enum shown stream_show(struct chat *chat, struct session *s, const struct op_mail *mail)
{
	struct mailbox *box = &s->entity->user.box;
	struct item *item = mailbox_by_seq(box, mail->seq);
	if (item && (item->state != ITEM_SHOWN || item->shown & 1u << s->slot))
		return SKIPPED;
	if (session_room(chat, s) < mail->text.n)
		return NO_ROOM;
	if (!item) {
		item = item_new(mail);
		mailbox_add(box, item);
	}
	item->shown |= 1u << s->slot;
	sent_push(&s->stream, item, chat_now(chat));
	if (list_alone(&s->timed)) {
		s->due = mono_add_ms(chat_now(chat), session_ack_check_ms(chat));
		list_append(&chat->unacked, &s->timed);
	}
	chat->env->send(chat->env->ctx, s->handle, mail->text.p, mail->text.n);
	chat_count(chat, METRIC_messages_delivered_total, 1);
	return SHOWN;
}

static bool stream_show_unstored(struct chat *chat, struct session *s, const struct mail_in *mail)
{
	if (session_room(chat, s) < mail->text.n)
		return false;
	if (!(mail->flags & (MAIL_NO_PC | MAIL_RECEIPT | MAIL_INFO)))
		unstored_push(&s->stream, mail);
	chat->env->send(chat->env->ctx, s->handle, mail->text.p, mail->text.n);
	chat_count(chat, METRIC_messages_delivered_total, 1);
	return true;
}

/* Shows what waits behind the stream and has its place before `seq`. */
static void stream_show_waiting(struct chat *chat, struct session *s, uint64_t seq)
{
	struct stream *t = &s->stream;
	struct post post;
	size_t cursor = 0, done = 0;
	while (post_next(buf_view(&t->waiting), &cursor, &post) && post.mail.place < seq) {
		if (!stream_show_unstored(chat, s, &post.mail))
			chat_count(chat, METRIC_messages_dropped_total, 1);
		done = cursor;
	}
	buf_consume(&t->waiting, done);
}

static void stream_live(struct chat *chat, struct session *s)
{
	struct stream *t = &s->stream;
	t->behind = false;
	stream_show_waiting(chat, s, UINT64_MAX);
	buf_deinit(&t->waiting);
	buf_init(&t->waiting, UNSTORED_WAITING_BYTES);
}

static void stream_go_on(struct chat *chat, struct session *s)
{
	struct stream *t = &s->stream;
	size_t room = session_room(chat, s);
	if (!t->behind || t->reading)
		return;
	if (room < chat->settings->max_packet / 2) { /* a read for a row or two is not worth it */
		chat->env->want_room(chat->env->ctx, s->handle);
		return;
	}
	struct lookup *l = lookup_new(chat, LOOKUP_MAILBOX, STORE_READ_MAILBOX, s->entity);
	l->session = s->handle;
	l->read.after = t->cursor;
	l->read.bytes_max = room < STREAM_READ_BYTES ? room : STREAM_READ_BYTES;
	l->read.rows_max = STREAM_READ_ROWS;
	t->reading = true;
	t->rewind = UINT64_MAX;
	s->entity->user.box.reads++;
	lookup_start(chat, l);
}

/* Whether it came from one whom the user blocks by now; what others in a group say still arrives. */
static bool stream_hides(const struct entity *e, const struct op_mail *mail)
{
	return mail->sender.n && str_eq(mail->target, e->name) &&
	       entity_blocks(e, mail->sender, mail->sender_born);
}

/* Releases it unseen. */
static void stream_hide(struct chat *chat, struct entity *e, const struct op_mail *mail)
{
	struct item *item = mailbox_by_seq(&e->user.box, mail->seq);
	if (!item)
		item = mailbox_adopt(&e->user.box, mail, false);
	if (item->state == ITEM_SHOWN)
		receipt_release(chat, e, item, ACK_PONG);
}

/* Shows rows while there is room. 1: all, 0: no room any more, or ERR_CORRUPT. */
static int stream_show_rows(struct chat *chat, struct session *s, struct str rows)
{
	size_t cursor = 0;
	struct store_op op;
	int r;
	while ((r = store_op_next(rows, &cursor, &op)) == 1) {
		if (op.type != OP_MAIL)
			return ERR_CORRUPT;
		stream_show_waiting(chat, s, op.mail.seq);
		if (stream_hides(s->entity, &op.mail))
			stream_hide(chat, s->entity, &op.mail);
		else if (stream_show(chat, s, &op.mail) == NO_ROOM)
			return 0;
		else if (op.mail.seq >> STORE_SEQ_BITS == 0)
			gap_close(&s->entity->user); /* told: what he misses from now on counts anew */
		s->stream.cursor = op.mail.seq;
	}
	return r < 0 ? r : 1;
}

void stream_read(struct chat *chat, struct entity *e, struct session *s, struct store_read *read)
{
	e->user.box.reads--;
	if (!s)
		return;
	struct stream *t = &s->stream;
	t->reading = false;
	int all = read->status;
	if (all == OK)
		all = stream_show_rows(chat, s, buf_view(&read->rows));
	if (all < 0) { /* he gets it at his next login */
		session_close(chat, s, CLOSE_OVERLOADED);
		return;
	}
	bool end = all && !read->more && t->rewind == UINT64_MAX;
	if (t->rewind < t->cursor)
		t->cursor = t->rewind;
	mailbox_trim(&e->user.box, ACKED_REMEMBERED);
	if (end)
		stream_live(chat, s);
	else if (all)
		stream_go_on(chat, s);
	else
		chat->env->want_room(chat->env->ctx, s->handle);
}

void stream_start(struct chat *chat, struct session *s)
{
	struct mailbox *box = &s->entity->user.box;
	CHECK(~box->slots);
	s->slot = (unsigned)__builtin_ctz(~box->slots);
	box->slots |= 1u << s->slot;
	s->stream = (struct stream){ .behind = true, .rewind = UINT64_MAX };
	buf_init(&s->stream.waiting, UNSTORED_WAITING_BYTES);
	gap_close(&s->entity->user);
	stream_go_on(chat, s);
}

void stream_stop(struct session *s)
{
	struct mailbox *box = &s->entity->user.box;
	struct stream *t = &s->stream;
	while (t->sent_n) {
		struct item *item = sent_front(t)->item;
		item->shown &= ~(1u << s->slot);
		if (item->state == ITEM_SHOWN && !item->shown)
			mailbox_drop(box, item);
		sent_pop(t);
	}
	box->slots &= ~(1u << s->slot);
	if (!box->slots)
		mailbox_trim(box, 0);
	free(t->sent);
	for (size_t i = 0; i < t->unstored_n; i++)
		unstored_free(t->unstored[(t->unstored_first + i) & (t->unstored_cap - 1)]);
	free(t->unstored);
	buf_deinit(&t->waiting);
}

void stream_room(struct chat *chat, struct session *s)
{
	stream_go_on(chat, s);
}

void stream_pong(struct chat *chat, struct session *s, const void *payload, size_t n)
{
	struct stream *t = &s->stream;
	if (!t->ping_number || n != sizeof(t->ping) || memcmp(payload, t->ping, n) != 0)
		return;
	uint64_t proven = t->ping_number;
	t->ping_number = 0;
	for (size_t i = 0; i < t->sent_n && sent_at(t, i)->number <= proven; i++) {
		struct item *item = sent_at(t, i)->item;
		/* Also what a receipt is releasing: that may be refused. */
		if (item->state != ITEM_RELEASED && !(item->kinds & ACK_PONG))
			receipt_release_soon(chat, s->entity, item, ACK_PONG);
	}
}

bool stream_ping(struct chat *chat, struct session *s, struct mono now)
{
	struct stream *t = &s->stream;
	sent_trim(t);
	if (!t->sent_n)
		return false;
	if (!t->ping_number && sent_front(t)->item->state == ITEM_SHOWN &&
	    mono_diff_ms(sent_front(t)->at, now) >= chat->settings->ack_ping_ms) {
		chat->env->random(chat->env->ctx, t->ping, sizeof(t->ping));
		t->ping_number = t->sent_number;
		chat->env->ping(chat->env->ctx, s->handle, t->ping, sizeof(t->ping));
	}
	return true;
}

void mailbox_show(struct chat *chat, struct entity *e, const struct op_mail *mail)
{
	LIST_EACH_SAFE(&e->user.sessions, it, tmp) {
		struct session *s = LIST_ENTRY(it, struct session, of_user);
		struct stream *t = &s->stream;
		uint64_t before = mail->seq - 1;
		sent_trim(t);
		if (t->reading) {
			t->rewind = before < t->rewind ? before : t->rewind;
		} else if (t->behind) {
			t->cursor = before < t->cursor ? before : t->cursor;
		} else if (stream_show(chat, s, mail) == NO_ROOM) {
			t->behind = true;
			t->cursor = before < t->cursor ? before : t->cursor;
			chat->env->want_room(chat->env->ctx, s->handle);
		} else if (mail->seq > t->cursor) {
			t->cursor = mail->seq;
		}
	}
}

void mailbox_show_again(struct chat *chat, struct entity *e, uint64_t seq)
{
	struct item *item = mailbox_by_seq(&e->user.box, seq);
	if (item && item->state != ITEM_SHOWN)
		return;
	LIST_EACH_SAFE(&e->user.sessions, it, tmp) {
		struct session *s = LIST_ENTRY(it, struct session, of_user);
		struct stream *t = &s->stream;
		uint64_t *position = t->reading ? &t->rewind : &t->cursor;
		if (item && item->shown & 1u << s->slot)
			continue;
		*position = seq - 1 < *position ? seq - 1 : *position;
		t->behind = true;
		stream_go_on(chat, s);
	}
}

bool mailbox_show_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	bool taken = false;
	struct mail_in placed = *mail;
	LIST_EACH_SAFE(&e->user.sessions, it, tmp) {
		struct session *s = LIST_ENTRY(it, struct session, of_user);
		struct stream *t = &s->stream;
		if (mail->place && mail->place < t->cursor && !(mail->flags & MAIL_INFO))
			continue; /* what was sent after it is read from the store and shown already */
		if (!t->behind) {
			taken |= stream_show_unstored(chat, s, mail);
			continue;
		}
		if (!placed.place)
			placed.place = chat_next_seq(chat);
		if (t->waiting.n + sizeof(struct post) + mail->text.n + 1024 <= t->waiting.max) {
			post_put(&t->waiting, POST_MAIL, &placed);
			taken = true;
		}
	}
	return taken;
}
