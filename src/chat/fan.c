/* Slices of fan-outs at the home of their receivers. They wait in one line and are taken from its
 * front, a few at a time, so that a large group holds up nobody. The mail of a slice is stored for all
 * its receivers by one op; it gets its sequence here, so that mailboxes grow at their end only.
 *
 * The fan-out is promised, so a slice is tried till it works. After a failure nothing is taken until
 * the outcome of all that was taken is known (what was submitted later failed, too: store.h); then the
 * line starts anew at its front: so the order holds. What was stored before is not stored twice: its
 * slice left the line.
 *
 * Receivers of a broadcast get a mail of their own each, through the router like any message to them;
 * sent again, those who have it already know it as a repeat. */
#include "chat/core.h"
#include <stdlib.h>

#define FANS_WRITTEN_MAX 2 /* slices of which the outcome is awaited */

enum fan_state { FAN_WAITS, FAN_WRITTEN };

struct fan {
	struct list node;      /* in chat->fans */
	uint64_t id;
	enum fan_state state;
	struct buf bytes;      /* the post … */
	struct fan_slice slice; /* … and views of it */
	struct entity **who;   /* its receivers, pinned */
	size_t n;
	unsigned left;         /* broadcast: receivers that have not answered; + 1 while they are asked */
	bool failed;           /* … and one of them could not be written */
	struct buf missed;     /* … and these have a full mailbox */
};

static struct fan *fan_get(struct chat *chat, uint64_t id)
{
	LIST_EACH_SAFE(&chat->fans, it, tmp) {
		struct fan *f = LIST_ENTRY(it, struct fan, node);
		if (f->id == id)
			return f;
	}
	return NULL;
}

static void fan_drop(struct fan *f)
{
	list_remove(&f->node);
	buf_deinit(&f->bytes);
	buf_deinit(&f->missed);
	free(f->who);
	free(f);
}

void fan_free(struct chat *chat)
{
	LIST_EACH_SAFE(&chat->fans, it, tmp)
		fan_drop(LIST_ENTRY(it, struct fan, node));
}

void fan_take(struct chat *chat, const struct fan_slice *slice)
{
	struct fan *f = calloc(1, sizeof(*f));
	struct post post;
	struct str name;
	size_t cursor = 0;
	CHECK(f);
	f->id = ++chat->next_fan;
	list_init(&f->node);
	buf_init(&f->bytes, (size_t)1 << 26);
	buf_init(&f->missed, (size_t)1 << 26);
	post_put(&f->bytes, POST_FAN, slice);
	CHECK(post_next(buf_view(&f->bytes), &cursor, &post));
	f->slice = post.fan;
	f->who = calloc(strs_count(f->slice.receivers) + 1, sizeof(struct entity *));
	CHECK(f->who);
	cursor = 0;
	while (strs_next(f->slice.receivers, &cursor, &name) == 1) {
		/* p 0 is for those who are online, and they are in memory. */
		struct entity *e = slice->fanout ? entity_get(chat, name) : map_get(&chat->entities, name);
		if (!e)
			continue;
		f->who[f->n++] = e;
		entity_pin(chat, e);
	}
	list_append(&chat->fans, &f->node);
}

/* In the mailboxes, or dropped: gone. */
static void fan_done(struct chat *chat, struct fan *f)
{
	struct fanned fanned = { f->slice.fanout };
	for (size_t i = 0; i < f->n; i++)
		entity_unpin(chat, f->who[i]);
	if (fanned.fanout)
		chat_tell(chat, f->slice.worker, POST_FANNED, &fanned);
	fan_drop(f);
}

/* Nor is stored what their gaps counted up by it. */
static void fan_failed(struct chat *chat, struct fan *f)
{
	for (size_t i = 0; i < f->n; i++)
		gap_close(&f->who[i]->user);
	f->state = FAN_WAITS;
	chat->fans_failed = true;
}

/* Is he the one who was a receiver then? One who took the name later is somebody else. */
static bool fan_reaches(const struct fan *f, const struct entity *e)
{
	return e->kind == STORE_USER && (!f->slice.fanout || e->user.born < f->slice.fanout);
}

static bool fan_counts(const struct fan *f)
{
	return !(f->slice.flags & (MAIL_INFO | MAIL_RECEIPT));
}

static bool fan_fits(struct chat *chat, const struct fan *f, const struct user *u)
{
	return !fan_counts(f) || (u->mail_count < chat->settings->mailbox_max_messages &&
				  u->mail_bytes + f->slice.text.n <= chat->settings->mailbox_max_bytes);
}

/* --- writing a slice --- */

static void fan_add_done(struct buf *ops, const struct fan *f)
{
	struct store_op op = { .type = OP_FANOUT_DONE,
			       .fanout_done = { f->slice.fanout, f->slice.slice } };
	if (f->slice.slice != FAN_WHOLE)
		txn_add(ops, &op);
}

static struct effect *fan_effect(struct chat *chat, struct fan *f)
{
	struct effect *effect = commit_effect(chat, EFFECT_FAN, NULL);
	effect->fan = f->id;
	effect->op = NO_OP;
	f->state = FAN_WRITTEN;
	return effect;
}

/* Who takes it is a receiver of the mail; who can't, misses it. */
static uint32_t fan_choose(struct chat *chat, struct fan *f, struct buf *ops)
{
	uint32_t n = 0;
	buf_clear(&chat->receivers);
	for (size_t i = 0; i < f->n; i++) {
		struct entity *e = f->who[i];
		if (!fan_reaches(f, e))
			continue;
		if (!fan_fits(chat, f, &e->user)) {
			gap_add(chat, ops, e, f->slice.target, STR_NONE);
			continue;
		}
		if (fan_counts(f)) {
			e->user.mail_count++;
			e->user.mail_bytes += f->slice.text.n;
		}
		e->effects++; /* see fan_committed */
		strs_add(&chat->receivers, e->name);
		n++;
	}
	return n;
}

static void fan_write(struct chat *chat, struct fan *f)
{
	struct effect *effect = fan_effect(chat, f);
	struct buf *ops = &chat->open->batch.ops;
	size_t mark = txn_begin(ops);
	uint32_t n = fan_choose(chat, f, ops);
	struct store_op op = { .type = OP_MAIL, .mail = {
		.seq = chat_next_seq(chat), .flags = f->slice.flags, .ms = chat_wall(chat).ms,
		.sender_born = f->slice.sender_born, .once = f->slice.once,
		.sender = f->slice.sender, .target = f->slice.target, .id = f->slice.id,
		.receiver_count = n, .receivers = buf_view(&chat->receivers), .text = f->slice.text } };
	CHECK(!chat->receivers.failed);
	chat->fans_written++;
	if (n)
		effect->op = txn_add(ops, &op);
	fan_add_done(ops, f);
	txn_end(ops, mark);
}

/* It is not in the mailbox. One that is BUSY is not read anew before the slice is tried again. */
static void fan_uncount(struct user *u, const struct op_mail *mail)
{
	if (mail->flags & (MAIL_INFO | MAIL_RECEIPT) || !u->mail_count)
		return;
	u->mail_count--;
	u->mail_bytes -= mail->text.n < u->mail_bytes ? mail->text.n : u->mail_bytes;
}

static void fan_show(struct chat *chat, const struct op_mail *mail, bool ok)
{
	struct str name;
	size_t cursor = 0;
	while (strs_next(mail->receivers, &cursor, &name) == 1) {
		struct entity *e = map_get(&chat->entities, name);
		CHECK(e && e->effects); /* the slice pins it */
		e->effects--;
		if (!ok) {
			e->stale = true;
			fan_uncount(&e->user, mail);
		} else if (e->kind == STORE_USER && mail->seq > e->user.born) {
			mailbox_show(chat, e, mail);
		}
		entity_pin(chat, e);
		entity_unpin(chat, e); /* what waited for its effects goes on */
	}
}

void fan_committed(struct chat *chat, uint64_t id, const struct op_mail *mail, bool ok)
{
	struct fan *f = fan_get(chat, id);
	CHECK(f && f->state == FAN_WRITTEN);
	chat->fans_written--;
	if (mail)
		fan_show(chat, mail, ok);
	if (ok)
		fan_done(chat, f);
	else
		fan_failed(chat, f);
}

/* --- what is written for each receiver, or not at all --- */

static struct mail_in fan_mail(struct chat *chat, const struct fan *f, const struct entity *e,
			       struct buf *text)
{
	struct mail_in mail = {
		.sender_born = f->slice.sender_born, .flags = f->slice.flags,
		.stored = f->slice.fanout != 0, .fan = f->slice.fanout ? f->id : 0,
		.sender = f->slice.sender, .target = f->slice.target, .id = f->slice.id,
		.text = f->slice.text,
	};
	(void)chat;
	if (f->slice.kind != STORE_BROADCAST)
		return mail;
	buf_clear(text);
	packet_put_readdressed(text, f->slice.text, f->slice.r, e->name);
	mail.target = e->name;
	mail.text = buf_view(text);
	return mail;
}

/* Every outcome is known: what was missed is noted, and that the slice is done. */
static void fan_settle(struct chat *chat, struct fan *f)
{
	struct str name;
	size_t cursor = 0;
	if (f->failed) {
		chat->fans_written--;
		fan_failed(chat, f);
		return;
	}
	(void)fan_effect(chat, f);
	struct buf *ops = &chat->open->batch.ops;
	size_t mark = txn_begin(ops);
	while (strs_next(buf_view(&f->missed), &cursor, &name) == 1) {
		struct entity *e = map_get(&chat->entities, name);
		if (e && fan_reaches(f, e))
			gap_add(chat, ops, e, STR_NONE, f->slice.sender);
	}
	fan_add_done(ops, f);
	txn_end(ops, mark);
}

void fan_answered(struct chat *chat, const struct answer *a)
{
	struct fan *f = fan_get(chat, a->fan);
	CHECK(f && f->left);
	if (a->refusal == REFUSAL_UNAVAILABLE)
		f->failed = true;
	else if (a->refusal == REFUSAL_MAILBOX_FULL)
		strs_add(&f->missed, a->target);
	if (--f->left == 0)
		fan_settle(chat, f);
}

static void fan_send_each(struct chat *chat, struct fan *f)
{
	struct buf text;
	buf_init(&text, (size_t)1 << 26);
	buf_clear(&f->missed);
	f->failed = false;
	f->state = FAN_WRITTEN;
	f->left = 1;
	chat->fans_written++;
	for (size_t i = 0; i < f->n; i++) {
		struct mail_in mail = fan_mail(chat, f, f->who[i], &text);
		if (!fan_reaches(f, f->who[i]))
			continue;
		f->left++;
		router_accept(chat, &mail);
	}
	buf_deinit(&text);
	if (--f->left == 0)
		fan_settle(chat, f);
}

/* p 0: nobody waits. */
static void fan_show_unstored(struct chat *chat, struct fan *f)
{
	struct buf text;
	buf_init(&text, (size_t)1 << 26);
	for (size_t i = 0; i < f->n; i++) {
		struct mail_in mail = fan_mail(chat, f, f->who[i], &text);
		if (f->who[i]->kind != STORE_USER)
			continue;
		if (f->slice.kind == STORE_BROADCAST)
			router_accept(chat, &mail);
		else
			router_unstored(chat, f->who[i], &mail);
	}
	buf_deinit(&text);
	fan_done(chat, f);
}

/* --- the line --- */

/* All receivers are in memory, and none is about to be deleted. */
static bool fan_ready(struct chat *chat, struct fan *f)
{
	bool ready = true;
	for (size_t i = 0; i < f->n; i++)
		ready &= entity_want(chat, f->who[i]) && !f->who[i]->doomed;
	return ready;
}

/* The first that waits, if it may go. */
static struct fan *fan_next(struct chat *chat)
{
	if (chat->fans_failed && !chat->fans_written)
		chat->fans_failed = false;
	if (chat->fans_failed || chat->fans_written >= FANS_WRITTEN_MAX)
		return NULL;
	LIST_EACH_SAFE(&chat->fans, it, tmp) {
		struct fan *f = LIST_ENTRY(it, struct fan, node);
		if (f->state == FAN_WAITS && !f->slice.fanout && chat->fans_written)
			return NULL; /* p 0 keeps behind what is stored, should that fail and be tried again */
		if (f->state == FAN_WAITS)
			return fan_ready(chat, f) ? f : NULL;
		if (f->slice.kind == STORE_BROADCAST) /* its mails may wait for their receivers: alone */
			return NULL;
	}
	return NULL;
}

/* One a turn. */
void fan_turn(struct chat *chat)
{
	struct fan *f = list_empty(&chat->fans) ? NULL : fan_next(chat);
	if (!f)
		return;
	if (!f->slice.fanout)
		fan_show_unstored(chat, f);
	else if (f->slice.kind == STORE_BROADCAST)
		fan_send_each(chat, f);
	else
		fan_write(chat, f);
}

bool fan_runnable(struct chat *chat)
{
	return !list_empty(&chat->fans) && fan_next(chat);
}
