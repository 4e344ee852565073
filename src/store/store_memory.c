/* The reference engine: forgotten at close. A batch is applied when it is submitted and handed back
 * at once, a read is answered at once. Tests and the simulator measure the others by it. */
#include "store/memory.h"
#include <stdlib.h>

static struct store_mem *mem_of(struct store *s)
{
	return (struct store_mem *)(void *)s;
}

/* --- writing --- */

static void apply_op(struct store_mem *m, const struct store_op *op)
{
	switch (op->type) {
	case OP_USER_PUT:
	case OP_NAME_PUT:
		mem_names_apply_put(m, op);
		break;
	case OP_NAME_DEL:
		mem_names_apply_del(m, op->name_del.name);
		break;
	case OP_TEXT_PUT:
		mem_names_apply_text(m, op);
		break;
	case OP_LAST_SEEN:
		mem_names_make(m, op->last_seen.name)->last_seen_ms = op->last_seen.ms;
		mem_once_note_time(m, op->last_seen.ms);
		break;
	case OP_LINK_PUT:
		mem_links_apply_put(m, op);
		break;
	case OP_LINK_DEL:
		mem_links_apply_del(m, &op->link_del);
		break;
	case OP_MAIL:
		mem_mail_apply(m, op);
		break;
	case OP_RELEASE:
		mem_mail_apply_release(m, &op->release);
		break;
	case OP_ACK:
		mem_mail_apply_ack(m, &op->ack);
		break;
	case OP_ONCE:
		mem_once_put(m, op->once.once, op->once.ms);
		mem_once_note_time(m, op->once.ms);
		break;
	case OP_FANOUT:
		mem_fanouts_apply_put(m, op);
		break;
	case OP_FANOUT_DONE:
		mem_fanouts_apply_done(m, &op->fanout_done);
		break;
	case OP_FANOUT_END:
		mem_fanouts_apply_end(m, op->fanout_end.seq);
		break;
	case OP_NONE:
	case OP_TYPE_COUNT:
		CHECK_NEVER("op without type");
	}
}

static void apply_batch(struct store_mem *m, struct str bytes)
{
	size_t cursor = 0;
	struct str ops;
	struct store_op op;
	int r;
	while ((r = store_txn_next(bytes, &cursor, &ops)) == 1) {
		size_t at = 0;
		while ((r = store_op_next(ops, &at, &op)) == 1)
			apply_op(m, &op);
		CHECK(r == 0);
		mem_once_sweep(m);
	}
	CHECK(r == 0); /* the bytes are our own */
}

static void mem_submit(struct store *s, unsigned w, struct store_batch *batch)
{
	struct store_mem *m = mem_of(s);
	pthread_mutex_lock(&m->lock);
	batch->status = batch_rule_admit(&m->rule, w, batch);
	if (batch->status == OK)
		apply_batch(m, buf_view(&batch->ops));
	pthread_mutex_unlock(&m->lock);
	batch->node.kind = INBOX_STORE_BATCH;
	inbox_push(m->store.inbox[w], &batch->node);
}

/* --- reading --- */

static int mem_seen(struct store *s, unsigned w, struct hash128 key)
{
	struct store_mem *m = mem_of(s);
	(void)w;
	pthread_mutex_lock(&m->lock);
	bool has = mem_once_has(m, key);
	pthread_mutex_unlock(&m->lock);
	return has;
}

static void read_rows(const struct store_mem *m, struct store_read *r)
{
	switch (r->kind) {
	case STORE_READ_NAME:
		mem_names_read_one(m, r);
		break;
	case STORE_READ_SEEN:
		r->found = mem_once_has(m, r->once);
		break;
	case STORE_READ_FIND:
		mem_mail_read_find(m, r);
		break;
	case STORE_READ_MAILBOX:
		mem_mail_read(m, r);
		break;
	case STORE_READ_NAMES:
		mem_names_read(m, r);
		break;
	case STORE_READ_LINKS:
		mem_links_read(m, r);
		break;
	case STORE_READ_TEXT:
		mem_names_read_text(m, r);
		break;
	case STORE_READ_FANOUTS:
		mem_fanouts_read(m, r);
		break;
	}
}

static void mem_read(struct store *s, unsigned w, struct store_read *r)
{
	struct store_mem *m = mem_of(s);
	r->found = r->more = false;
	pthread_mutex_lock(&m->lock);
	read_rows(m, r);
	pthread_mutex_unlock(&m->lock);
	r->status = r->rows.failed ? ERR_UNAVAILABLE : OK;
	r->node.kind = INBOX_STORE_READ;
	inbox_push(m->store.inbox[w], &r->node);
}

/* --- opening, closing --- */

static int mem_open(const struct store_config *config, struct store **store_out, char *why,
		    size_t why_size)
{
	struct store_mem *m = calloc(1, sizeof(*m));
	(void)why;
	(void)why_size;
	if (!m)
		return ERR_NOMEM;
	CHECK(config->workers <= STORE_WORKERS_MAX);
	m->store.engine = &store_memory;
	m->store.epoch = 1;
	hash_key_random(&m->store.once_key);
	m->config = *config;
	memcpy(m->store.inbox, config->inbox, config->workers * sizeof(m->store.inbox[0]));
	pthread_mutex_init(&m->lock, NULL);
	map_init(&m->once);
	*store_out = &m->store;
	return OK;
}

static void mem_close(struct store *s)
{
	struct store_mem *m = mem_of(s);
	mem_names_free(m);
	sorted_free_kept(&m->fanouts);
	mem_once_free(m);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

const struct store_engine store_memory = {
	.name = "memory",
	.open = mem_open,
	.close = mem_close,
	.submit = mem_submit,
	.seen = mem_seen,
	.read = mem_read,
};
