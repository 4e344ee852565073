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

static void put(struct store_embedded *e, enum family family, const struct key *key, const struct buf *value)
{
	rocksdb_writebatch_put_cf(e->batch, e->families[family], key->p, key->n, value->p, value->n);
}

static void forget_prefix(struct store_embedded *e, enum family family, struct str user)
{
	struct key from = key_user(user), to = key_after(from);
	rocksdb_writebatch_delete_range_cf(e->batch, e->families[family], from.p, from.n, to.p, to.n);
}

static void commit_user_put(struct store_embedded *e, const struct op_user_put *op)
{
	value_name(&e->value, op);
	rocksdb_writebatch_put_cf(e->batch, e->families[FAMILY_NAMES], op->name.p, op->name.n,
				  e->value.p, e->value.n);
}

static void commit_once(struct store_embedded *e, struct hash128 once, int64_t released_ms)
{
	if (!(once.a | once.b))
		return;
	value_time(&e->value, released_ms);
	rocksdb_writebatch_put_cf(e->batch, e->families[FAMILY_ONCE], (const char *)&once,
				  sizeof(once), e->value.p, e->value.n);
}

/* Nobody will release what lies in his mailbox, so its `once` rows would stay for ever: they count as
 * released now. Mail in the very write that deletes him is missed; its 25 bytes stay. */
static void commit_release_all(struct store_embedded *e, struct str user)
{
	rocksdb_readoptions_t *options = rocksdb_readoptions_create();
	struct key prefix = key_user(user);
	struct range range;
	struct ids_row row;
	struct str key, value;
	range_open(e, FAMILY_IDS, options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it))
		if (value_cut_ids(value, &row))
			commit_once(e, row.once, wall_now().ms);
	rocksdb_free(range_close(&range)); /* an unreadable row can stay: he is deleted all the same */
	rocksdb_readoptions_destroy(options);
}

static void forget(struct store_embedded *e, enum family family, const struct key *key)
{
	rocksdb_writebatch_delete_cf(e->batch, e->families[family], key->p, key->n);
}

static void forget_links(struct store_embedded *e, struct str name, uint8_t kind, uint8_t side)
{
	rocksdb_readoptions_t *options = rocksdb_readoptions_create();
	struct key prefix = key_links(kind, side, name);
	struct range range;
	struct str key, value;
	range_open(e, FAMILY_LINKS, options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		struct str other = { key.p + prefix.n, key.n - prefix.n };
		struct key far = key_link(kind, !side, other, name);
		forget(e, FAMILY_LINKS, &far);
		rocksdb_writebatch_delete_cf(e->batch, e->families[FAMILY_LINKS], key.p, key.n);
	}
	rocksdb_free(range_close(&range));
	rocksdb_readoptions_destroy(options);
}

static void commit_name_del(struct store_embedded *e, const struct op_name_del *op)
{
	rocksdb_writebatch_delete_cf(e->batch, e->families[FAMILY_NAMES], op->name.p, op->name.n);
	rocksdb_writebatch_delete_cf(e->batch, e->families[FAMILY_SEEN], op->name.p, op->name.n);
	commit_release_all(e, op->name);
	forget_prefix(e, FAMILY_BOX, op->name);
	forget_prefix(e, FAMILY_IDS, op->name);
	forget_prefix(e, FAMILY_ACKS, op->name);
	forget_prefix(e, FAMILY_TEXTS, op->name);
	for (uint8_t kind = LINK_FOLLOW; kind <= LINK_OWN; kind++) {
		forget_links(e, op->name, kind, SIDE_OF);
		forget_links(e, op->name, kind, SIDE_TO);
	}
}

static void commit_link(struct store_embedded *e, const struct op_link_put *op)
{
	struct key of = key_link(op->kind, SIDE_OF, op->from, op->to), to = key_link(op->kind, SIDE_TO, op->to, op->from);
	value_link(&e->value, op, op->to);
	put(e, FAMILY_LINKS, &of, &e->value);
	value_link(&e->value, op, op->from);
	put(e, FAMILY_LINKS, &to, &e->value);
}

static void commit_link_del(struct store_embedded *e, const struct op_link_del *op)
{
	struct key of = key_link(op->kind, SIDE_OF, op->from, op->to), to = key_link(op->kind, SIDE_TO, op->to, op->from);
	forget(e, FAMILY_LINKS, &of);
	forget(e, FAMILY_LINKS, &to);
}

static void commit_fanout(struct store_embedded *e, const struct op_fanout *op)
{
	struct store_op o = { .type = OP_FANOUT, .fanout = *op };
	struct key key = key_fanout(op->seq);
	buf_clear(&e->value);
	buf_u8(&e->value, EMBEDDED_VALUE_VERSION);
	txn_add(&e->value, &o);
	put(e, FAMILY_FANOUTS, &key, &e->value);
	commit_once(e, op->once, op->kind == STORE_GROUP ? 0 : op->ms);
}

static void commit_small(struct store_embedded *e, const struct store_op *op)
{
	struct key key, end;
	switch (op->type) {
	case OP_NAME_PUT:
		value_group(&e->value, &op->name_put);
		rocksdb_writebatch_put_cf(e->batch, e->families[FAMILY_NAMES], op->name_put.name.p, op->name_put.name.n, e->value.p, e->value.n);
		break;
	case OP_TEXT_PUT:
		key = key_text(op->text_put.name, op->text_put.what);
		value_bytes(&e->value, op->text_put.text);
		if (op->text_put.text.n)
			put(e, FAMILY_TEXTS, &key, &e->value);
		else
			forget(e, FAMILY_TEXTS, &key);
		break;
	case OP_ONCE:
		commit_once(e, op->once.once, op->once.ms);
		break;
	case OP_FANOUT_DONE:
		key = key_fanout_done(op->fanout_done.seq, op->fanout_done.slice);
		value_bytes(&e->value, STR(""));
		put(e, FAMILY_FANOUTS, &key, &e->value);
		break;
	case OP_FANOUT_END:
		key = key_fanout(op->fanout_end.seq);
		end = key_fanout(op->fanout_end.seq + 1);
		rocksdb_writebatch_delete_range_cf(e->batch, e->families[FAMILY_FANOUTS], key.p, key.n, end.p, end.n);
		break;
	default:
		CHECK_NEVER("op without type");
	}
}

static void commit_last_seen(struct store_embedded *e, const struct op_last_seen *op)
{
	value_time(&e->value, op->ms);
	rocksdb_writebatch_put_cf(e->batch, e->families[FAMILY_SEEN], op->name.p, op->name.n,
				  e->value.p, e->value.n);
}

static bool may_be_acknowledged(uint8_t flags)
{
	return !(flags & (MAIL_RECEIPT | MAIL_INFO));
}

static void commit_mail_ids(struct store_embedded *e, const struct op_mail *op)
{
	struct str name;
	size_t cursor = 0;
	value_ids(&e->value, op);
	while (strs_next(op->receivers, &cursor, &name) == 1) {
		struct key key = key_ids(name, op->id, op->seq);
		put(e, FAMILY_IDS, &key, &e->value);
	}
}

static void commit_mail(struct store_embedded *e, const struct op_mail *op)
{
	struct str name;
	size_t cursor = 0;
	int r;
	value_box(&e->value, op);
	while ((r = strs_next(op->receivers, &cursor, &name)) == 1) {
		struct key key = key_box(name, op->seq);
		put(e, FAMILY_BOX, &key, &e->value);
	}
	CHECK(r == 0);
	if (may_be_acknowledged(op->flags))
		commit_mail_ids(e, op);
	commit_once(e, op->once, 0);
}

static void commit_ack(struct store_embedded *e, const struct op_ack *op)
{
	struct key key = key_ack(op->user, op->id, op->sender_born, op->sender, op->kinds);
	value_ack(&e->value, op->flags, op->ms);
	put(e, FAMILY_ACKS, &key, &e->value);
}

/* Plain deletes, though each row is put once: a single-delete would save tombstones, but what it
 * leaves when a row was put or deleted twice is undefined, and twice must do no harm. */
static void commit_release(struct store_embedded *e, const struct op_release *op)
{
	struct key key = key_box(op->user, op->seq);
	forget(e, FAMILY_BOX, &key);
	commit_once(e, op->once, op->ms);
	if (!may_be_acknowledged(op->flags))
		return;
	key = key_ids(op->user, op->id, op->seq);
	forget(e, FAMILY_IDS, &key);
	struct op_ack ack = { op->user, op->flags, op->kinds | KINDS_RELEASE, op->ms,
			      op->sender_born, op->sender, op->id };
	commit_ack(e, &ack);
}

static void commit_op(struct store_embedded *e, const struct store_op *op)
{
	switch (op->type) {
	case OP_USER_PUT:
		commit_user_put(e, &op->user_put);
		break;
	case OP_NAME_DEL:
		commit_name_del(e, &op->name_del);
		break;
	case OP_LINK_PUT:
		commit_link(e, &op->link_put);
		break;
	case OP_LINK_DEL:
		commit_link_del(e, &op->link_del);
		break;
	case OP_FANOUT:
		commit_fanout(e, &op->fanout);
		break;
	case OP_NAME_PUT:
	case OP_TEXT_PUT:
	case OP_ONCE:
	case OP_FANOUT_DONE:
	case OP_FANOUT_END:
		commit_small(e, op);
		break;
	case OP_LAST_SEEN:
		commit_last_seen(e, &op->last_seen);
		break;
	case OP_MAIL:
		commit_mail(e, &op->mail);
		break;
	case OP_RELEASE:
		commit_release(e, &op->release);
		break;
	case OP_ACK:
		commit_ack(e, &op->ack);
		break;
	case OP_NONE:
	case OP_TYPE_COUNT:
		CHECK_NEVER("op without type");
	}
}

static void commit_gather(struct store_embedded *e, struct str bytes)
{
	struct str ops;
	struct store_op op;
	size_t cursor = 0;
	int r;
	while ((r = store_txn_next(bytes, &cursor, &ops)) == 1) {
		size_t at = 0;
		while ((r = store_op_next(ops, &at, &op)) == 1)
			commit_op(e, &op);
		CHECK(r == 0);
	}
	CHECK(r == 0); /* the bytes are our own */
	CHECK(!e->value.failed);
}

static void commit_write(struct store_embedded *e)
{
	char *error = NULL;
	if (!rocksdb_writebatch_count(e->batch))
		return;
	rocksdb_write(e->db, e->write_options, e->batch, &error);
	if (error)
		embedded_die("writing to storage", error);
	rocksdb_writebatch_clear(e->batch);
	metric_add(e->metrics, METRIC_commits_total, 1);
}

static void commit_all(struct store_embedded *e, struct inbox_node *nodes)
{
	for (struct inbox_node *node = nodes; node; node = node->next) {
		struct store_batch *batch = (struct store_batch *)(void *)node;
		batch->status = batch_rule_admit(&e->rule, node->kind, batch);
		if (batch->status == OK)
			commit_gather(e, buf_view(&batch->ops));
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
