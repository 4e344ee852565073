/* Batches to the journal, then to where reads find them. One record takes all that gathered while the last
 * one was synced: nothing waits when little happens, and records grow with the load. What fails in the
 * journal is never tried again and never acknowledged: after a failed sync nobody knows what is on disk,
 * so the process ends. */
#include "store/embedded.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>
#include <unistd.h>

#define GROUP_BATCHES 128                 /* in one record; */
#define GROUP_BYTES ((size_t)4 << 20)     /* no more are added once it has so many bytes */
#define ROOM_LOOK_NS (50 * NS_PER_MS)

void (*embedded_dying)(void);

void embedded_die(const char *what, int err)
{
	if (embedded_dying)
		embedded_dying();
	LOG(ERROR, "storage", LOG_Z("failed", what), LOG_Z("error", err_text(err)));
	fprintf(stderr,
		"lempd: %s failed: %s\n"
		"lempd: what is on disk is not known any more, so the server stops here. Every message\n"
		"lempd: that was receipted was on disk before. Check the disk, then start again.\n",
		what, err_text(err));
	_exit(70);
}

/* --- what was written takes effect --- */

static int apply_op(struct store_embedded *e, const struct store_op *op, struct str bytes)
{
	switch (op->type) {
	case OP_USER_PUT:
		names_apply_user(e, &op->user_put);
		break;
	case OP_NAME_PUT:
		names_apply_put(e, &op->name_put);
		break;
	case OP_NAME_DEL:
		rows_write(e); /* only what was written can be found */
		return names_apply_del(e, op->name_del.name, false);
	case OP_LAST_SEEN:
		names_apply_last_seen(e, &op->last_seen);
		break;
	case OP_TEXT_PUT:
		names_apply_text(e, &op->text_put);
		break;
	case OP_LINK_PUT:
		links_apply_put(e, &op->link_put);
		break;
	case OP_LINK_DEL:
		links_apply_del(e, &op->link_del);
		break;
	case OP_MAIL:
		mail_apply(e, &op->mail, bytes);
		break;
	case OP_RELEASE:
		mail_apply_release(e, &op->release);
		break;
	case OP_ACK:
		mail_apply_ack(e, &op->ack);
		break;
	case OP_ONCE:
		mail_apply_once(e, op->once.once, op->once.ms);
		break;
	case OP_FANOUT:
		fanouts_apply_put(e, &op->fanout);
		break;
	case OP_FANOUT_DONE:
		fanouts_apply_done(e, &op->fanout_done);
		break;
	case OP_FANOUT_END:
		fanouts_apply_end(e, &op->fanout_end);
		break;
	case OP_NONE:
	case OP_TYPE_COUNT:
		CHECK_NEVER("op without type");
	}
	return OK;
}

static int apply_txn(struct store_embedded *e, struct str ops)
{
	struct store_op op;
	size_t at = 0, from = 0;
	int r, err = OK;
	for (; !err && (r = store_op_next(ops, &at, &op)) == 1; from = at)
		err = apply_op(e, &op, (struct str){ ops.p + from, at - from });
	return err ? err : r;
}

int embedded_apply(struct store_embedded *e, struct journal_place place, struct str payload)
{
	struct str ops;
	size_t cursor = 0;
	int r, err = OK;
	e->segment = (uint32_t)place.segment;
	e->offset = place.offset;
	e->from = payload.p;
	while (!err && (r = store_txn_next(payload, &cursor, &ops)) == 1)
		err = apply_txn(e, ops);
	if (!err)
		rows_write(e);
	return err ? err : r;
}

/* --- groups of batches --- */

struct group {
	struct store_batch *batches[GROUP_BATCHES];
	struct iovec parts[GROUP_BATCHES];
	unsigned n;
	size_t bytes;
};

static void group_add(struct group *g, struct store_batch *batch)
{
	g->batches[g->n] = batch;
	g->parts[g->n++] = (struct iovec){ batch->ops.p, batch->ops.n };
	g->bytes += batch->ops.n;
}

static void group_refuse(struct store_embedded *e, struct group *g)
{
	for (unsigned i = 0; i < g->n; i++)
		g->batches[i]->status = batch_rule_fail(&e->rule, g->batches[i]->node.kind);
}

static void full_tell(struct store_embedded *e, bool full)
{
	if (full == e->full)
		return;
	e->full = full;
	if (full)
		LOG(ERROR, "storage", LOG_Z("failed", "disk full"),
		    LOG_Z("hint", "what would be stored is refused (503) till there is room again"));
	else
		LOG(INFO, "storage", LOG_Z("state", "there is room on the disk again"));
}

/* Is there room for what comes later, too: the journal's next segments, the base's tables? They must not
 * be begun on a full disk. */
static bool room_is(struct store_embedded *e)
{
	int64_t now = embedded_mono_ns(e);
	if (now - e->room_ns < ROOM_LOOK_NS && e->room_ns)
		return !e->full;
	e->room_ns = now;
	uint64_t room = journal_room(e->journal);
	full_tell(e, room < e->bounds->room_bytes);
	return !e->full;
}

static void group_apply(struct store_embedded *e, const struct group *g, struct journal_place place)
{
	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < g->n; i++) {
		int err = embedded_apply(e, place, buf_view(&g->batches[i]->ops));
		if (err) /* a deletion that could be read before; the rest are our own bytes */
			embedded_die("deleting", err);
		place.offset += (uint32_t)g->batches[i]->ops.n;
	}
	e->end_segment = (uint32_t)journal_newest(e->journal);
	e->end = journal_end(e->journal);
	pthread_mutex_unlock(&e->lock);
}

static void group_commit(struct store_embedded *e, struct group *g)
{
	struct journal_place place;
	int64_t began = embedded_mono_ns(e);
	if (!g->bytes)
		return;
	int err = room_is(e) ? journal_append(e->journal, g->parts, g->n, &place) : ERR_NOSPC;
	if (err == ERR_IO)
		embedded_die("writing to the journal", err);
	if (err) {
		full_tell(e, true);
		group_refuse(e, g);
		return;
	}
	metric_add(e->metrics, METRIC_commits_total, 1);
	metric_add(e->metrics, METRIC_commit_nanoseconds_total, embedded_mono_ns(e) - began);
	metric_add(e->metrics, METRIC_journal_bytes_total, (int64_t)g->bytes);
	group_apply(e, g, place);
}

/* --- batches --- */

/* The types alone are looked at: deletions are rare. */
static bool batch_deletes(struct str batch)
{
	struct str ops;
	size_t cursor = 0;
	while (store_txn_next(batch, &cursor, &ops) == 1) {
		for (size_t at = 0; at + sizeof(uint32_t) < ops.n;) {
			uint32_t n;
			memcpy(&n, ops.p + at, sizeof(n));
			if (ops.p[at + sizeof(n)] == OP_NAME_DEL)
				return true;
			at += sizeof(n) + n;
		}
	}
	return false;
}

/* To delete a name is to find what is the name's, at the far ends of its links, too. What can not be read
 * fails the batch before anything is written: half a deletion would hand the rest to the next who takes
 * the name. */
static int deletions_try(struct store_embedded *e, struct str batch)
{
	struct str ops;
	struct store_op op;
	size_t cursor = 0;
	int err = OK;
	pthread_mutex_lock(&e->lock);
	while (!err && store_txn_next(batch, &cursor, &ops) == 1)
		for (size_t at = 0; !err && store_op_next(ops, &at, &op) == 1;)
			if (op.type == OP_NAME_DEL)
				err = names_apply_del(e, op.name_del.name, true);
	pthread_mutex_unlock(&e->lock);
	return err;
}

/* Takes batches off the front that go into one record. Those that are refused need none. */
static void group_take(struct store_embedded *e, struct group *g, struct inbox_node **nodes)
{
	g->n = 0;
	g->bytes = 0;
	while (*nodes && g->n < GROUP_BATCHES && g->bytes < GROUP_BYTES) {
		struct store_batch *batch = (struct store_batch *)(void *)*nodes;
		struct str bytes = buf_view(&batch->ops);
		bool deletes = batch_deletes(bytes);
		if (g->n && (deletes || g->bytes + bytes.n > journal_payload_max(e->journal)))
			return; /* it looks at what is written before it */
		batch->status = batch_rule_admit(&e->rule, (*nodes)->kind, batch);
		if (batch->status == OK && (bytes.n > journal_payload_max(e->journal) ||
					    (deletes && deletions_try(e, bytes))))
			batch->status = batch_rule_fail(&e->rule, (*nodes)->kind);
		if (batch->status == OK)
			group_add(g, batch);
		*nodes = (*nodes)->next;
		if (deletes)
			return;
	}
}

static void hand_back(struct store_embedded *e, struct inbox_node *from, const struct inbox_node *end)
{
	while (from != end) {
		struct inbox_node *node = from;
		unsigned worker = node->kind;
		from = node->next;
		node->kind = INBOX_STORE_BATCH;
		inbox_push(e->store.inbox[worker], node);
	}
}

void embedded_commit(struct store_embedded *e, struct inbox_node *nodes)
{
	struct group g;
	while (nodes) {
		struct inbox_node *first = nodes;
		group_take(e, &g, &nodes);
		group_commit(e, &g);
		hand_back(e, first, nodes);
	}
}
