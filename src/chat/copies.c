/* Slices of broadcasts at the home of their receivers, each of whom gets a copy of his own: an ordinary
 * message to him (protocol.md section 10), through the router like any other.
 *
 * A copy has its place among all that comes for its receiver, from the slice's arrival on: a direct
 * message that comes later stays behind it. But copies are not sent at arrival: their slices wait in
 * line, so that a long list holds up nobody. So a copy whose place has come is *due*: its receiver is not
 * ready for anything else (entity_ready) until the slice's turn. One that could not be stored is due
 * again. The first slices of the line have their turn, so none waits for one behind it. */
#include "chat/core.h"
#include <stdlib.h>

#define COPIES_OPEN_MAX 2 /* slices that have their turn */
#define COPY_INDEX_BITS 24

enum copy_state {
	COPY_COMING, /* waits for its place: a POST_COPY */
	COPY_DUE,
	COPY_SENT,   /* to the router, which answers unless it is p 0 */
	COPY_MISSED, /* the mailbox is full */
	COPY_DONE,
};

struct copies {
	struct slice slice; /* first: chat->copies is a line of them */
	uint8_t *state;     /* enum copy_state, one a receiver */
	size_t left;        /* neither missed nor done */
	bool settling;
};

static struct copies *copies_get(struct chat *chat, uint64_t id)
{
	struct copies *c = (struct copies *)(void *)slice_get(&chat->copies, id);
	CHECK(c);
	return c;
}

static void copies_free_one(struct copies *c)
{
	free(c->state);
	free(c);
}

void copies_free(struct chat *chat)
{
	LIST_EACH_SAFE(&chat->copies, it, tmp) {
		struct copies *c = LIST_ENTRY(it, struct copies, slice.node);
		slice_free(&c->slice);
		copies_free_one(c);
	}
}

static void copies_done(struct chat *chat, struct copies *c)
{
	slice_done(chat, &c->slice);
	copies_free_one(c);
}

static void copy_due(struct copies *c, size_t i)
{
	c->state[i] = COPY_DUE;
	c->slice.who[i]->due++;
}

static void copies_place(struct chat *chat, struct copies *c)
{
	for (size_t i = 0; i < c->slice.n; i++) {
		struct entity *e = c->slice.who[i];
		struct copy copy = { c->slice.id, i };
		if (entity_ready(e))
			copy_due(c, i);
		else
			entity_wait(chat, e, POST_COPY, &copy);
	}
}

/* After a crash slices come from several cores; they stood in the order of their fan-outs. */
static void copies_line_up(struct chat *chat, struct copies *c)
{
	struct list *before = chat->copies.prev;
	while (before != &chat->copies &&
	       LIST_ENTRY(before, struct copies, slice.node)->slice.in.fanout > c->slice.in.fanout)
		before = before->prev;
	list_append(before->next, &c->slice.node);
}

void copies_recovered(struct chat *chat)
{
	LIST_EACH_SAFE(&chat->copies, it, tmp)
		copies_place(chat, LIST_ENTRY(it, struct copies, slice.node));
}

void copies_take(struct chat *chat, const struct fan_slice *in)
{
	struct copies *c = calloc(1, sizeof(*c));
	CHECK(c);
	slice_keep(chat, &c->slice, in);
	c->left = c->slice.n;
	CHECK(c->left < (size_t)1 << COPY_INDEX_BITS);
	c->state = calloc(c->left + 1, 1);
	CHECK(c->state);
	if (chat->recovering) {
		copies_line_up(chat, c);
		return;
	}
	list_append(&chat->copies, &c->slice.node);
	copies_place(chat, c);
}

void copies_reached(struct chat *chat, const struct copy *copy)
{
	copy_due(copies_get(chat, copy->slice), copy->at);
}

/* --- in the mailboxes, or dropped --- */

/* All is told of them, but not yet noted; and who missed one is not about to be deleted. */
static bool copies_may_settle(const struct copies *c)
{
	for (size_t i = 0; i < c->slice.n; i++)
		if (c->state[i] == COPY_MISSED && c->slice.who[i]->doomed)
			return false;
	return !c->left && !c->settling;
}

/* Notes what was missed, and that the slice is done. */
static void copies_settle(struct chat *chat, struct copies *c)
{
	if (!c->slice.in.fanout) {
		copies_done(chat, c);
		return;
	}
	struct effect *effect = commit_effect(chat, EFFECT_COPIES, NULL);
	effect->fan = c->slice.id;
	c->settling = true;
	struct buf *ops = &chat->open->batch.ops;
	size_t mark = txn_begin(ops);
	for (size_t i = 0; i < c->slice.n; i++)
		if (c->state[i] == COPY_MISSED && slice_reaches(&c->slice, c->slice.who[i]))
			gap_add(chat, ops, c->slice.who[i], STR_NONE, c->slice.in.sender);
	slice_add_done(ops, &c->slice);
	txn_end(ops, mark);
}

void copies_committed(struct chat *chat, uint64_t id, bool ok)
{
	struct copies *c = copies_get(chat, id);
	c->settling = false; /* if it failed: again at the next turn */
	for (size_t i = 0; !ok && i < c->slice.n; i++)
		if (c->state[i] == COPY_MISSED)
			gap_close(&c->slice.who[i]->user); /* what it counted is not stored */
	if (ok)
		copies_done(chat, c);
}

static void copy_end(struct chat *chat, struct copies *c, size_t i, enum copy_state state)
{
	c->state[i] = (uint8_t)state;
	c->left--;
	if (copies_may_settle(c))
		copies_settle(chat, c);
}

void copies_answered(struct chat *chat, const struct answer *a)
{
	struct copies *c = copies_get(chat, a->fan >> COPY_INDEX_BITS);
	size_t i = a->fan & (((uint64_t)1 << COPY_INDEX_BITS) - 1);
	CHECK(i < c->slice.n && c->state[i] == COPY_SENT);
	if (a->refusal == REFUSAL_UNAVAILABLE)
		copy_due(c, i);
	else
		copy_end(chat, c, i, a->refusal == REFUSAL_MAILBOX_FULL ? COPY_MISSED : COPY_DONE);
}

/* --- a slice's turn --- */

static void copy_send(struct chat *chat, struct copies *c, size_t i, struct buf *text)
{
	const struct fan_slice *in = &c->slice.in;
	struct entity *e = c->slice.who[i];
	bool reaches = slice_reaches(&c->slice, e);
	struct mail_in mail = {
		.sender_born = in->sender_born, .flags = in->flags, .stored = in->fanout != 0,
		.fan = in->fanout ? c->slice.id << COPY_INDEX_BITS | i : 0,
		.sender = in->sender, .target = e->name, .id = in->id,
	};
	c->state[i] = COPY_SENT;
	e->due--;
	if (reaches) {
		buf_clear(text);
		packet_put_readdressed(text, in->text, in->r, e->name);
		mail.text = buf_view(text);
		router_take(chat, e, &mail);
	}
	if (!reaches || !mail.fan) /* nobody answers */
		copy_end(chat, c, i, COPY_DONE);
	if (entity_ready(e))
		entity_go_on(chat, e);
}

static bool copy_may_go(const struct copies *c, size_t i)
{
	return c->state[i] == COPY_DUE && entity_at_rest(c->slice.who[i]);
}

/* Whether there was anything to do. */
static bool copies_go(struct chat *chat, struct copies *c)
{
	struct buf text;
	bool any = false;
	if (!c->left) {
		any = copies_may_settle(c);
		if (any)
			copies_settle(chat, c);
		return any;
	}
	buf_init(&text, (size_t)1 << 26);
	c->left++; /* it does not end meanwhile */
	for (size_t i = 0; i < c->slice.n; i++) {
		if (copy_may_go(c, i)) {
			copy_send(chat, c, i, &text);
			any = true;
		} else if (c->state[i] == COPY_DUE) {
			(void)entity_want(chat, c->slice.who[i]);
		}
	}
	buf_deinit(&text);
	c->left--;
	if (copies_may_settle(c))
		copies_settle(chat, c);
	return any;
}

/* One slice. */
void copies_turn(struct chat *chat)
{
	unsigned open = 0;
	LIST_EACH_SAFE(&chat->copies, it, tmp) {
		if (open++ == COPIES_OPEN_MAX || copies_go(chat, LIST_ENTRY(it, struct copies, slice.node)))
			return;
	}
}

bool copies_runnable(const struct chat *chat)
{
	unsigned open = 0;
	for (const struct list *it = chat->copies.next; it != &chat->copies && open < COPIES_OPEN_MAX;
	     it = it->next, open++) {
		const struct copies *c = LIST_ENTRY(it, struct copies, slice.node);
		if (copies_may_settle(c))
			return true;
		for (size_t i = 0; i < c->slice.n; i++)
			if (copy_may_go(c, i))
				return true;
	}
	return false;
}
