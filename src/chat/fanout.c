/* One message or information for many. It is kept as one record with all its receivers, which is what
 * the server receipt stands for; then its slices go to the homes of the receivers (fan.c), each of which
 * stores the mail for its receivers together with the word that the slice is done. When all are, the
 * record goes. What a crash leaves of it goes on at the next start.
 *
 * All fan-outs of a group start at its home in the order in which they became durable, and what travels
 * from one core to another keeps its order: so all members see one order. */
#include "chat/core.h"
#include <stdlib.h>

#define FANNING_MAX 100000        /* receivers of one group under way; then the group waits */
#define FANOUT_READ_BYTES ((size_t)4 << 20)

/* One that is not ended. */
struct fanout {
	uint64_t seq;
	unsigned left;         /* slices, or parts of them, not done */
	size_t receivers;
	struct entity *entity; /* its target, pinned; NULL after a crash */
};

/* --- who gets it --- */

void fanout_begin(struct chat *chat)
{
	for (unsigned w = 0; w < chat->workers; w++)
		buf_clear(&chat->spread[w]);
}

void fanout_to(struct chat *chat, struct str name)
{
	strs_add(&chat->spread[chat_home(name, chat->workers)], name);
}

void fanout_to_members(struct chat *chat, const struct entity *e, struct str but)
{
	const struct group *g = e->group;
	for (size_t i = 0; g && i < g->member_n; i++)
		if (!str_eq(g->members[i]->name, but))
			fanout_to(chat, g->members[i]->name);
}

static bool fanout_any(const struct chat *chat)
{
	for (unsigned w = 0; w < chat->workers; w++)
		if (chat->spread[w].n)
			return true;
	return false;
}

/* Slices of one core's receivers: appended to a list of lists. */
static unsigned fanout_slice(struct str names, unsigned slice_max, struct buf *slices)
{
	struct str name;
	size_t from = 0, cursor = 0;
	unsigned in_slice = 0, n = 0;
	while (strs_next(names, &cursor, &name) == 1) {
		if (++in_slice < slice_max && cursor < names.n)
			continue;
		strs_add(slices, (struct str){ names.p + from, cursor - from });
		from = cursor;
		in_slice = 0;
		n++;
	}
	return n;
}

size_t fanout_add(struct chat *chat, struct buf *ops, struct op_fanout *head)
{
	struct buf *slices = &chat->receivers;
	buf_clear(slices);
	head->slice_count = 0;
	for (unsigned w = 0; w < chat->workers; w++)
		head->slice_count += fanout_slice(buf_view(&chat->spread[w]),
						  chat->settings->fan_slice, slices);
	CHECK(!slices->failed);
	head->slices = buf_view(slices);
	struct store_op op = { .type = OP_FANOUT, .fanout = *head };
	return txn_add(ops, &op);
}

void fanout_inform(struct chat *chat, struct buf *ops, const struct entity *e, struct packet_info *info)
{
	char id[32];
	struct op_fanout head = {
		.seq = chat_next_seq(chat), .flags = MAIL_INFO, .kind = STORE_GROUP,
		.ms = chat_wall(chat).ms, .sender = STR(""), .target = e->name,
		.id = chat_next_id(chat, id),
	};
	if (!fanout_any(chat))
		return;
	struct buf *text = chat_scratch(chat);
	packet_put_info(text, head.id, info);
	head.text = buf_view(text);
	(void)fanout_add(chat, ops, &head);
}

/* --- a message at the home of its group or broadcast --- */

static void fanout_head(struct chat *chat, struct entity *e, const struct mail_in *mail,
			struct op_fanout *out)
{
	struct packet_span r = { 0, 0 };
	if (e->kind == STORE_BROADCAST)
		r = packet_find_receiver(mail->text);
	*out = (struct op_fanout){
		.seq = chat_next_seq(chat), .flags = mail->flags, .kind = e->kind,
		.ms = chat_wall(chat).ms, .sender_born = mail->sender_born, .sender = mail->sender,
		.target = e->name, .id = mail->id, .r_at = r.at, .r_n = r.n, .text = mail->text,
	};
	fanout_begin(chat);
	fanout_to_members(chat, e, mail->sender);
}

void fanout_accept(struct chat *chat, struct entity *e, const struct mail_in *mail, struct hash128 once)
{
	struct op_fanout head;
	fanout_head(chat, e, mail, &head);
	head.once = once;
	once_add(&chat->once, once);
	struct effect *effect = commit_effect(chat, EFFECT_MAIL, e);
	effect->session = mail->session;
	effect->want_sr = mail->want_sr;
	struct buf *ops = &chat->open->batch.ops;
	size_t mark = txn_begin(ops);
	effect->op = fanout_add(chat, ops, &head);
	if (!head.slice_count) { /* nobody will release it */
		struct store_op op = { .type = OP_ONCE, .once = { once, head.ms } };
		txn_add(ops, &op);
	}
	txn_end(ops, mark);
}

/* One post for each slice, or for each part of it that has one home: after a crash there may be more
 * or fewer cores than when it was written. */
static unsigned fanout_post(struct chat *chat, struct fan_slice *slice, struct str receivers)
{
	struct buf parts[CHAT_WORKERS_MAX];
	struct str name;
	size_t cursor = 0;
	unsigned n = 0;
	for (unsigned w = 0; w < chat->workers; w++)
		buf_init(&parts[w], (size_t)1 << 26);
	while (strs_next(receivers, &cursor, &name) == 1)
		strs_add(&parts[chat_home(name, chat->workers)], name);
	for (unsigned w = 0; w < chat->workers; w++)
		if (parts[w].n && parts[w].n < receivers.n)
			slice->slice = FAN_WHOLE;
	for (unsigned w = 0; w < chat->workers; w++) {
		slice->receivers = buf_view(&parts[w]);
		if (slice->receivers.n) {
			n++;
			chat_tell(chat, w, POST_FAN, slice);
		}
		buf_deinit(&parts[w]);
	}
	return n;
}

void fanout_show_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail)
{
	struct op_fanout head;
	if (!e->group)
		return;
	fanout_head(chat, e, mail, &head);
	struct fan_slice slice = {
		.worker = chat->worker, .flags = mail->flags, .kind = e->kind,
		.sender_born = mail->sender_born, .r = { head.r_at, head.r_n },
		.sender = mail->sender, .target = mail->target, .id = mail->id, .text = mail->text,
	};
	for (unsigned w = 0; w < chat->workers; w++)
		if (chat->spread[w].n) {
			slice.receivers = buf_view(&chat->spread[w]);
			chat_tell(chat, w, POST_FAN, &slice);
		}
}

/* --- on its way --- */

bool fanout_full(struct entity *e)
{
	if (!e->group || e->group->fanning < FANNING_MAX)
		return false;
	e->group->full = true;
	return true;
}

static struct str fanout_key(const uint64_t *seq)
{
	return (struct str){ (const char *)seq, sizeof(*seq) };
}

/* Not urgent: without it the next start finds that all slices are done. */
static void fanout_end(struct chat *chat, struct fanout *f)
{
	struct buf *ops = &commit_open(chat)->batch.ops;
	struct store_op op = { .type = OP_FANOUT_END, .fanout_end = { f->seq } };
	struct entity *e = f->entity;
	size_t mark = txn_begin(ops);
	txn_add(ops, &op);
	txn_end(ops, mark);
	if (e && e->group) {
		struct group *g = e->group;
		g->fanning -= f->receivers < g->fanning ? f->receivers : g->fanning;
		if (g->full && g->fanning <= FANNING_MAX / 2) {
			g->full = false;
			entity_go_on(chat, e);
		}
	}
	map_remove(&chat->fanouts, fanout_key(&f->seq));
	free(f);
	if (e)
		entity_unpin(chat, e);
}

void fanout_fanned(struct chat *chat, const struct fanned *fanned)
{
	struct fanout *f = map_get(&chat->fanouts, fanout_key(&fanned->fanout));
	CHECK(f && f->left);
	if (--f->left == 0)
		fanout_end(chat, f);
}

void fanout_start(struct chat *chat, const struct op_fanout *op)
{
	struct fan_slice slice = {
		.fanout = op->seq, .worker = chat->worker, .flags = op->flags, .kind = op->kind,
		.sender_born = op->sender_born, .once = op->once, .r = { op->r_at, op->r_n },
		.sender = op->sender, .target = op->target, .id = op->id, .text = op->text,
	};
	struct fanout *f = calloc(1, sizeof(*f));
	struct str receivers;
	size_t cursor = 0;
	CHECK(f);
	f->seq = op->seq;
	f->left = 1; /* so that slices done at once do not end it */
	f->entity = map_get(&chat->entities, op->target);
	if (f->entity)
		entity_pin(chat, f->entity);
	CHECK(map_put(&chat->fanouts, fanout_key(&f->seq), f) == OK);
	for (uint32_t i = 0; strs_next(op->slices, &cursor, &receivers) == 1; i++) {
		slice.slice = i;
		f->receivers += strs_count(receivers);
		f->left += fanout_post(chat, &slice, receivers);
	}
	if (f->entity && f->entity->group) {
		f->entity->group->fanning += f->receivers;
		if (entity_ready(f->entity) && fanout_full(f->entity))
			entity_busy(f->entity);
	}
	struct fanned done = { f->seq };
	fanout_fanned(chat, &done);
}

/* --- after a crash --- */

static void fanout_read(struct chat *chat, uint64_t after)
{
	struct lookup *l = lookup_new(chat, LOOKUP_FANOUTS, STORE_READ_FANOUTS, NULL);
	l->read.after = after;
	l->read.rows_max = UINT32_MAX;
	l->read.bytes_max = FANOUT_READ_BYTES;
	lookup_start(chat, l);
}

void fanout_recover(struct chat *chat)
{
	fanout_read(chat, 0);
}

/* Names that were asked for meanwhile. */
void fanout_recovery_ended(struct chat *chat)
{
	if (++chat->recovered < chat->workers)
		return;
	chat->recovering = false;
	copies_recovered(chat);
	while (chat->deferred) {
		struct lookup *l = chat->deferred;
		chat->deferred = l->next;
		lookup_start(chat, l);
	}
}

/* Behind what was posted of them. */
static void fanout_tell_recovered(struct chat *chat)
{
	struct recovered recovered = { chat->worker };
	for (unsigned w = 0; w < chat->workers; w++)
		chat_tell(chat, w, POST_RECOVERED, &recovered);
}

void fanout_recovered(struct chat *chat, struct lookup *l)
{
	struct store_op op;
	uint64_t last = l->read.after;
	size_t cursor = 0;
	int r = l->read.status;
	while (r == OK && (r = store_op_next(buf_view(&l->read.rows), &cursor, &op)) == 1) {
		r = op.type == OP_FANOUT ? OK : ERR_CORRUPT;
		if (r != OK)
			break;
		last = op.fanout.seq;
		if (chat_home(op.fanout.target, chat->workers) == chat->worker)
			fanout_start(chat, &op.fanout);
	}
	if (r < 0)
		fanout_read(chat, last); /* nothing happens to names before it is known */
	else if (l->read.more)
		fanout_read(chat, last);
	else
		fanout_tell_recovered(chat);
}

void fanout_free(struct chat *chat)
{
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(&chat->fanouts, &cursor, &key, &value))
		free(value);
	map_deinit(&chat->fanouts);
	for (unsigned w = 0; w < chat->workers; w++)
		buf_deinit(&chat->spread[w]);
}
