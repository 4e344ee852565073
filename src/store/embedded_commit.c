/* The committer: one thread that takes whatever all workers submitted, turns it into one RocksDB
 * write batch and writes that with one sync. While it writes, the next group gathers; when there
 * is nothing to do it sleeps. A write that fails is never tried again and never acknowledged:
 * after a failed sync nobody knows what is on disk, so the process ends. */
#include "base/clock.h"
#include "base/log.h"
#include "store/embedded.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void embedded_die(const char *what, char *error)
{
	LOG(ERROR, "storage", LOG_Z("failed", what), LOG_Z("error", error));
	fprintf(stderr,
		"lempd: %s failed: %s\n"
		"lempd: what is on disk is not known any more, so the server stops here. Every message\n"
		"lempd: that was receipted was on disk before. Check the disk, then start again.\n",
		what, error);
	_exit(70);
}

#define GATHER_ALONE 1 /* holds a deletion: not behind what others gathered, see commit_alone */

/* OK, GATHER_ALONE, ERR_UNAVAILABLE. */
static int gather_op(struct store_embedded *e, const struct store_op *op)
{
	switch (op->type) {
	case OP_USER_PUT:
		names_apply_user(e, &op->user_put);
		break;
	case OP_NAME_PUT:
		names_apply_put(e, &op->name_put);
		break;
	case OP_NAME_DEL:
		return e->indexed ? names_apply_del(e, op->name_del.name) : GATHER_ALONE;
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
		mail_apply(e, &op->mail);
		break;
	case OP_RELEASE:
		mail_apply_release(e, &op->release);
		break;
	case OP_ACK:
		mail_apply_ack(e, &op->ack);
		break;
	case OP_ONCE:
		once_apply(e, op->once.once, op->once.ms);
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
	CHECK(!e->value.failed);
	return OK;
}

/* OK, GATHER_ALONE, ERR_UNAVAILABLE. */
static int gather(struct store_embedded *e, struct str bytes)
{
	struct str ops;
	struct store_op op;
	size_t cursor = 0;
	int r;
	while ((r = store_txn_next(bytes, &cursor, &ops)) == 1) {
		size_t at = 0;
		while ((r = store_op_next(ops, &at, &op)) == 1) {
			int err = gather_op(e, &op);
			if (err)
				return err;
		}
		CHECK(r == 0);
	}
	CHECK(r == 0); /* the bytes are our own */
	return OK;
}

static void commit_written(struct store_embedded *e, char *error)
{
	if (error)
		embedded_die("writing to storage", error);
	metric_add(e->metrics, METRIC_commits_total, 1);
}

static void commit_write(struct store_embedded *e)
{
	char *error = NULL;
	if (!rocksdb_writebatch_count(e->batch))
		return;
	rocksdb_write(e->db, e->write_options, e->batch, &error);
	commit_written(e, error);
	rocksdb_writebatch_clear(e->batch);
}

/* To delete a name is to find what is the name's, at the far ends of its links, too. So whatever
 * came before is written first, and the ops of this very batch are seen through an index. Slower,
 * and rare. What can not be read fails the batch: half a deletion would hand the rest to the next
 * who takes the name. */
static int commit_alone(struct store_embedded *e, struct str bytes)
{
	char *error = NULL;
	commit_write(e);
	e->indexed = rocksdb_writebatch_wi_create(0, 1);
	int err = gather(e, bytes);
	if (!err) {
		rocksdb_write_writebatch_wi(e->db, e->write_options, e->indexed, &error);
		commit_written(e, error);
	}
	rocksdb_writebatch_wi_destroy(e->indexed);
	e->indexed = NULL;
	return err;
}

static int commit_batch(struct store_embedded *e, struct str bytes)
{
	char *error = NULL;
	rocksdb_writebatch_set_save_point(e->batch);
	int err = gather(e, bytes);
	if (err == GATHER_ALONE)
		rocksdb_writebatch_rollback_to_save_point(e->batch, &error);
	else
		rocksdb_writebatch_pop_save_point(e->batch, &error);
	CHECK(!error); /* there is one */
	return err == GATHER_ALONE ? commit_alone(e, bytes) : err;
}

static void commit_all(struct store_embedded *e, struct inbox_node *nodes)
{
	for (struct inbox_node *node = nodes; node; node = node->next) {
		struct store_batch *batch = (struct store_batch *)(void *)node;
		batch->status = batch_rule_admit(&e->rule, node->kind, batch);
		if (batch->status == OK && commit_batch(e, buf_view(&batch->ops)) != OK)
			batch->status = batch_rule_fail(&e->rule, node->kind);
	}
	commit_write(e);
	while (nodes) {
		struct inbox_node *node = nodes;
		unsigned worker = node->kind;
		nodes = node->next;
		node->kind = INBOX_STORE_BATCH;
		inbox_push(e->store.inbox[worker], node);
	}
}

static void *commit_run(void *ctx)
{
	struct store_embedded *e = ctx;
	uint64_t woken;
	for (;;) {
		bool last = atomic_load(&e->stopping); /* read before the inbox is emptied */
		struct inbox_node *nodes = inbox_take(&e->inbox);
		if (nodes) {
			commit_all(e, nodes);
			continue;
		}
		if (last)
			return NULL;
		while (read(e->wake_fd, &woken, sizeof(woken)) < 0 && errno == EINTR)
			;
	}
}

static void commit_wake(void *ctx)
{
	struct store_embedded *e = ctx;
	uint64_t one = 1;
	while (write(e->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void embedded_submit(struct store *s, unsigned w, struct store_batch *batch)
{
	struct store_embedded *e = (struct store_embedded *)(void *)s;
	batch->node.kind = w;
	inbox_push(&e->inbox, &batch->node);
}

int commit_start(struct store_embedded *e)
{
	e->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (e->wake_fd < 0)
		return ERR_NOMEM;
	inbox_init(&e->inbox, commit_wake, e);
	e->batch = rocksdb_writebatch_create();
	buf_init(&e->value, (size_t)1 << 30);
	if (pthread_create(&e->committer, NULL, commit_run, e) == 0)
		return OK;
	close(e->wake_fd);
	rocksdb_writebatch_destroy(e->batch);
	return ERR_NOMEM;
}

void commit_stop(struct store_embedded *e)
{
	atomic_store(&e->stopping, true);
	commit_wake(e);
	pthread_join(e->committer, NULL);
	close(e->wake_fd);
	rocksdb_writebatch_destroy(e->batch);
	buf_deinit(&e->value);
}
