/* Slices of fan-outs at the home of their receivers. They wait in one line and are taken from its
 * front, a few at a time, so that a large group holds up nobody. The mail of a slice is stored for all
 * its receivers by one op; it gets its sequence here, so that mailboxes grow at their end only.
 *
 * The fan-out is promised, so a slice is tried till it works. After a failure nothing is taken until
 * the outcome of all that was taken is known (what was submitted later failed, too: store.h); then the
 * line starts anew at its front: so the order holds. What was stored before is not stored twice: its
 * slice left the line.
 *
 * Those of broadcasts: copies.c. */
#include "chat/core.h"
#include <stdlib.h>

#define FANS_WRITTEN_MAX 2 /* slices of which the outcome is awaited */

enum fan_state { FAN_WAITS, FAN_WRITTEN };

struct fan {
	struct slice slice; /* first: chat->fans is a line of them */
	enum fan_state state;
};

void fan_free(struct chat *chat)
{
	LIST_EACH_SAFE(&chat->fans, it, tmp) {
		struct fan *f = LIST_ENTRY(it, struct fan, slice.node);
		slice_free(&f->slice);
		free(f);
	}
}

void fan_take(struct chat *chat, const struct fan_slice *in)
{
	struct fan *f = calloc(1, sizeof(*f));
	CHECK(f);
	slice_keep(chat, &f->slice, in);
	list_append(&chat->fans, &f->slice.node);
}

/* In the mailboxes, or dropped: gone. */
static void fan_done(struct chat *chat, struct fan *f)
{
	slice_done(chat, &f->slice);
	free(f);
}

/* Nor is stored what their gaps counted up by it. */
static void fan_failed(struct chat *chat, struct fan *f)
{
	for (size_t i = 0; i < f->slice.n; i++)
		gap_close(&f->slice.who[i]->user);
	f->state = FAN_WAITS;
	chat->fans_failed = true;
}

static bool fan_counts(const struct fan *f)
{
	return !(f->slice.in.flags & (MAIL_INFO | MAIL_RECEIPT));
}

static bool fan_fits(struct chat *chat, const struct fan *f, const struct user *u)
{
	return !fan_counts(f) || (u->mail_count < chat->settings->mailbox_max_messages &&
				  u->mail_bytes + f->slice.in.text.n <= chat->settings->mailbox_max_bytes);
}

/* --- writing a slice --- */

static struct effect *fan_effect(struct chat *chat, struct fan *f)
{
	struct effect *effect = commit_effect(chat, EFFECT_FAN, NULL);
	effect->fan = f->slice.id;
	effect->op = NO_OP;
	f->state = FAN_WRITTEN;
	return effect;
}

/* Who takes it is a receiver of the mail; who can't, misses it. */
static uint32_t fan_choose(struct chat *chat, struct fan *f, struct buf *ops)
{
	uint32_t n = 0;
	buf_clear(&chat->receivers);
	for (size_t i = 0; i < f->slice.n; i++) {
		struct entity *e = f->slice.who[i];
		if (!slice_reaches(&f->slice, e))
			continue;
		if (!fan_fits(chat, f, &e->user)) {
			gap_add(chat, ops, e, f->slice.in.target, STR_NONE);
			continue;
		}
		if (fan_counts(f)) {
			e->user.mail_count++;
			e->user.mail_bytes += f->slice.in.text.n;
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
		.seq = chat_next_seq(chat), .flags = f->slice.in.flags, .ms = chat_wall(chat).ms,
		.sender_born = f->slice.in.sender_born, .once = f->slice.in.once,
		.sender = f->slice.in.sender, .target = f->slice.in.target, .id = f->slice.in.id,
		.receiver_count = n, .receivers = buf_view(&chat->receivers), .text = f->slice.in.text } };
	CHECK(!chat->receivers.failed);
	chat->fans_written++;
	if (n)
		effect->op = txn_add(ops, &op);
	slice_add_done(ops, &f->slice);
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
	struct fan *f = (struct fan *)(void *)slice_get(&chat->fans, id);
	CHECK(f && f->state == FAN_WRITTEN);
	chat->fans_written--;
	if (mail)
		fan_show(chat, mail, ok);
	if (ok)
		fan_done(chat, f);
	else
		fan_failed(chat, f);
}

/* p 0: nobody waits. */
static void fan_show_unstored(struct chat *chat, struct fan *f)
{
	const struct fan_slice *in = &f->slice.in;
	struct mail_in mail = { .sender_born = in->sender_born, .flags = in->flags, .sender = in->sender,
				.target = in->target, .id = in->id, .text = in->text };
	for (size_t i = 0; i < f->slice.n; i++)
		if (f->slice.who[i]->kind == STORE_USER)
			router_unstored(chat, f->slice.who[i], &mail);
	fan_done(chat, f);
}

/* --- the line --- */

/* All receivers are in memory, and none is about to be deleted. */
static bool fan_ready(struct chat *chat, struct fan *f)
{
	bool ready = true;
	for (size_t i = 0; i < f->slice.n; i++)
		ready &= entity_want(chat, f->slice.who[i]) && !f->slice.who[i]->doomed;
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
		struct fan *f = LIST_ENTRY(it, struct fan, slice.node);
		if (f->state == FAN_WAITS && !f->slice.in.fanout && chat->fans_written)
			return NULL; /* p 0 keeps behind what is stored, should that fail and be tried again */
		if (f->state == FAN_WAITS)
			return fan_ready(chat, f) ? f : NULL;
	}
	return NULL;
}

/* One a turn. */
void fan_turn(struct chat *chat)
{
	struct fan *f = list_empty(&chat->fans) ? NULL : fan_next(chat);
	if (!f)
		return;
	if (!f->slice.in.fanout)
		fan_show_unstored(chat, f);
	else
		fan_write(chat, f);
}

bool fan_runnable(struct chat *chat)
{
	return !list_empty(&chat->fans) && fan_next(chat);
}
