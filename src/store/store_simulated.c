#include "store/simulated.h"
#include <stdlib.h>

struct simulated { struct store_embedded e; struct embedded_bounds bounds; bool carry, rebuilt; };

const struct embedded_bounds simulated_bounds = {
	.journal = { .segment_bytes = 8192, .grow_bytes = 2048, .spares_max = 1, .sync = true },
	.segments_max = 2, .held_max = 40, .filter_bytes_max = 1 << 20,
};

static struct simulated *simulated_of(struct store *s)
{
	return (struct simulated *)(void *)s;
}

struct store_embedded *simulated_engine(struct store *s)
{
	return &simulated_of(s)->e;
}

/* --- the disk --- */

void simulated_disk_init(struct simulated_disk *d, uint64_t seed)
{
	*d = (struct simulated_disk){ files_memory_new(seed), base_memory_new(seed + 1), false };
}

void simulated_disk_deinit(struct simulated_disk *d)
{
	files_memory_free(d->files);
	base_memory_free(d->base);
}

/* --- the engine --- */

/* What the committer does between two looks at its inbox; it waits where a spill is behind. */
static void spill_look(struct simulated *g)
{
	spill_step(&g->e);
	pthread_mutex_lock(&g->e.lock);
	g->carry = receipts_tick(g->e.receipts, embedded_wall_ms(&g->e)) || g->carry;
	pthread_mutex_unlock(&g->e.lock);
}

bool simulated_work(struct store *s)
{
	static const _Atomic bool never;
	struct simulated *g = simulated_of(s);
	bool spill = atomic_load(&g->e.spill.state) == SPILL_WANTED;
	if (!g->rebuilt)
		CHECK(receipts_rebuild(g->e.receipts, &never) == OK);
	else if (g->carry)
		CHECK(receipts_carry(g->e.receipts) == OK);
	else if (spill)
		spill_build(&g->e);
	else
		return false;
	if (!g->rebuilt)
		g->rebuilt = true;
	else
		g->carry = false;
	return true;
}

static void simulated_submit(struct store *s, unsigned w, struct store_batch *batch)
{
	struct simulated *g = simulated_of(s);
	while (spill_behind(&g->e)) {
		(void)simulated_work(s);
		spill_look(g);
	}
	batch->node.kind = w;
	batch->node.next = NULL;
	embedded_commit(&g->e, &batch->node);
	spill_look(g);
}

static int simulated_seen(struct store *s, unsigned w, struct hash128 once)
{
	return receipts_seen(simulated_of(s)->e.receipts, w, once);
}

static void simulated_read(struct store *s, unsigned w, struct store_read *read)
{
	embedded_answer(&simulated_of(s)->e, 0, read);
	read->node.kind = INBOX_STORE_READ;
	inbox_push(s->inbox[w], &read->node);
}

static void simulated_end(struct store *s, bool clean)
{
	embedded_parts_close(&simulated_of(s)->e, clean);
	free(s);
}

void simulated_kill(struct store *s)
{
	struct store_embedded *e = simulated_engine(s);
	pthread_mutex_trylock(&e->lock); /* it may have died with it */
	pthread_mutex_unlock(&e->lock);
	simulated_end(s, false);
}

static void simulated_close(struct store *s)
{
	simulated_end(s, true);
}

static const struct store_engine store_simulated = {
	.name = "simulated",
	.close = simulated_close,
	.submit = simulated_submit,
	.seen = simulated_seen,
	.read = simulated_read,
};

int simulated_open(struct simulated_disk *d, const struct simulated_config *config, struct store **store_out,
		   char *why_text, size_t why_size)
{
	struct simulated *g = calloc(1, sizeof(*g));
	const struct why why = { why_text, why_size };
	CHECK(g);
	g->bounds = config->bounds;
	g->e.store.engine = &store_simulated;
	memcpy(g->e.store.inbox, config->store.inbox, config->store.workers * sizeof(g->e.store.inbox[0]));
	struct embedded_parts parts = {
		.files = files_memory_open(d->files), .base = base_memory_open(d->base), .bounds = &g->bounds,
		.metrics = config->store.metrics, .retention_ms = config->store.retention_ms,
		.clock = config->clock, .fresh = !d->used };
	int err = embedded_parts_open(&g->e, &parts, &why);
	if (err) {
		simulated_end(&g->e.store, false);
		return err;
	}
	d->used = true;
	*store_out = &g->e.store;
	return OK;
}

/* --- instead of the end of the process --- */

static jmp_buf *catcher;

static void caught(void)
{
	longjmp(*catcher, 1);
}

void simulated_catch(jmp_buf *where)
{
	catcher = where;
	embedded_dying = where ? caught : NULL;
}
