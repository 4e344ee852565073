/* What a read sees: what is in memory and the base, as of one moment. */
#include "store/embedded.h"

static void reading_do(struct reading *g)
{
	switch (g->r->kind) {
	case STORE_READ_NAME:
		names_read_one(g);
		break;
	case STORE_READ_SEEN:
		mail_read_seen(g);
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
	return (!by_name || r->name.n <= KEY_STR_BYTES_MAX) && (!by_id || r->id.n <= KEY_STR_BYTES_MAX);
}

/* The segments in which the entries lie must stay till they are read. */
static uint32_t oldest_of(const struct reading *g)
{
	const struct held_entry *entries = (const struct held_entry *)(const void *)g->entries.p;
	uint32_t oldest = 0;
	for (size_t i = 0; i < g->entries.n / sizeof(*entries); i++)
		if (!oldest || entries[i].segment < oldest)
			oldest = entries[i].segment;
	return oldest;
}

static void hold(struct reading *g, unsigned reader)
{
	struct store_embedded *e = g->e;
	struct store_read *r = g->r;
	pthread_mutex_lock(&e->lock);
	if (r->kind == STORE_READ_NAME || r->kind == STORE_READ_MAILBOX || r->kind == STORE_READ_FIND)
		mail_hold(g);
	if (r->kind == STORE_READ_FIND)
		receipts_recent_acks(e->receipts, r->name, r->id, &g->acks, &g->gone);
	if (r->kind == STORE_READ_SEEN)
		r->found = receipts_recent_once(e->receipts, r->once, embedded_wall_ms(e));
	g->snapshot = e->base->calls->snapshot(e->base);
	e->pins[reader] = oldest_of(g);
	pthread_mutex_unlock(&e->lock);
}

static void release(struct reading *g, unsigned reader)
{
	struct store_embedded *e = g->e;
	e->base->calls->snapshot_free(e->base, g->snapshot);
	pthread_mutex_lock(&e->lock);
	e->pins[reader] = 0;
	pthread_mutex_unlock(&e->lock);
	buf_deinit(&g->entries);
	buf_deinit(&g->acks);
	buf_deinit(&g->window);
}

void embedded_answer(struct store_embedded *e, unsigned reader, struct store_read *r)
{
	struct reading g = { .e = e, .r = r };
	r->status = OK;
	r->found = r->more = false;
	if (!may_be_there(r))
		return;
	buf_init(&g.entries, UINT32_MAX);
	buf_init(&g.acks, UINT32_MAX);
	buf_init(&g.window, UINT32_MAX);
	hold(&g, reader);
	if (g.entries.failed || g.acks.failed)
		r->status = ERR_UNAVAILABLE;
	else
		reading_do(&g);
	release(&g, reader);
}
