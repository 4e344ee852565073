/* Reads that may wait for the disk, on threads of their own. */
#include "store/embedded.h"

static void reading_do(struct reading *g)
{
	switch (g->r->kind) {
	case STORE_READ_NAME:
		names_read_one(g);
		break;
	case STORE_READ_SEEN:
		once_read(g);
		break;
	case STORE_READ_FIND:
		mail_read_find(g);
		break;
	case STORE_READ_MAILBOX:
		mail_read_mailbox(g);
		break;
	case STORE_READ_NAMES:
		names_read(g);
		break;
	case STORE_READ_LINKS:
		links_read(g);
		break;
	case STORE_READ_TEXT:
		names_read_text(g);
		break;
	case STORE_READ_FANOUTS:
		fanouts_read(g);
		break;
	}
	if (g->r->rows.failed)
		g->r->status = ERR_UNAVAILABLE;
}

/* Nothing is stored under a longer name or id. */
static bool may_be_there(const struct store_read *r)
{
	bool by_name = r->kind != STORE_READ_NAMES, by_id = r->kind == STORE_READ_FIND;
	return (!by_name || r->name.n <= EMBEDDED_NAME_BYTES_MAX) &&
	       (!by_id || r->id.n <= EMBEDDED_NAME_BYTES_MAX);
}

static void reader_do(struct store_embedded *e, struct store_read *r)
{
	r->status = OK;
	r->found = r->more = false;
	if (!may_be_there(r))
		return;
	struct reading g = { e, r, rocksdb_readoptions_create() };
	const rocksdb_snapshot_t *now = rocksdb_create_snapshot(e->db);
	rocksdb_readoptions_set_snapshot(g.options, now);
	reading_do(&g);
	rocksdb_release_snapshot(e->db, now);
	rocksdb_readoptions_destroy(g.options);
}

static void *reader_run(void *ctx)
{
	struct store_embedded *e = ctx;
	pthread_mutex_lock(&e->lock);
	for (;;) {
		while (!e->first && !atomic_load(&e->stopping))
			pthread_cond_wait(&e->some, &e->lock);
		struct inbox_node *node = e->first;
		if (!node)
			break;
		e->first = node->next;
		if (!e->first)
			e->last = &e->first;
		pthread_mutex_unlock(&e->lock);
		unsigned worker = node->kind;
		reader_do(e, (struct store_read *)(void *)node);
		node->kind = INBOX_STORE_READ;
		inbox_push(e->store.inbox[worker], node);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

void embedded_read(struct store *s, unsigned w, struct store_read *read)
{
	struct store_embedded *e = (struct store_embedded *)(void *)s;
	read->node.kind = w;
	read->node.next = NULL;
	pthread_mutex_lock(&e->lock);
	*e->last = &read->node;
	e->last = &read->node.next;
	pthread_cond_signal(&e->some);
	pthread_mutex_unlock(&e->lock);
}

int readers_start(struct store_embedded *e)
{
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->some, NULL);
	e->last = &e->first;
	for (unsigned i = 0; i < EMBEDDED_READERS; i++)
		if (pthread_create(&e->readers[i], NULL, reader_run, e) != 0)
			return ERR_NOMEM;
	return OK;
}

void readers_stop(struct store_embedded *e)
{
	pthread_mutex_lock(&e->lock);
	atomic_store(&e->stopping, true);
	pthread_cond_broadcast(&e->some);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < EMBEDDED_READERS; i++)
		if (e->readers[i])
			pthread_join(e->readers[i], NULL);
	pthread_cond_destroy(&e->some);
	pthread_mutex_destroy(&e->lock);
}
