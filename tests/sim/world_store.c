/* The store of the simulated world: memory behind the fault engine. */
#include "plant.h"
#include "world.h"
#include "store/txn.h"

static void store_put_users(struct world *w)
{
	struct store_batch batch = { .node = { .kind = INBOX_STORE_BATCH } };
	char hash[TALK_ID_MAX];
	buf_init(&batch.ops, 1 << 20);
	for (int u = w->plan->admin ? 0 : 1; u <= (int)w->plan->users; u++) {
		(void)snprintf(hash, sizeof(hash), "h:t-%s", oracle_name(u));
		struct store_op op = { .type = OP_USER_PUT, .user_put = {
			.name = str_of(oracle_name(u)),
			.born = (uint64_t)w->inner->epoch << STORE_SEQ_BITS | ++w->seq,
			.type = u == 0, .token = str_of(hash) } };
		size_t mark = txn_begin(&batch.ops);
		(void)txn_add(&batch.ops, &op);
		txn_end(&batch.ops, mark);
	}
	store_submit(w->inner, 0, &batch);
	struct inbox_node *node = inbox_take(&w->inner_inbox[0]);
	CHECK(node == &batch.node && batch.status == OK);
	oracle_committed(w->oracle, buf_view(&batch.ops));
	buf_deinit(&batch.ops);
}

void world_store_wrap(struct world *w)
{
	struct inbox *outer[WORLD_WORKERS_MAX];
	for (unsigned i = 0; i < w->workers; i++) {
		inbox_init(&w->outer_inbox[i], NULL, NULL);
		outer[i] = &w->outer_inbox[i];
	}
	w->store = fault_wrap(w->inner, outer, w->workers);
	CHECK(w->store);
	if (w->plan->seen_unknown)
		fault_seen_unknown(w->store, w->plan->seen_unknown, dice_u64(&w->dice));
}

void world_store_open(struct world *w)
{
	char why[256];
	struct inbox *inner[WORLD_WORKERS_MAX];
	for (unsigned i = 0; i < w->workers; i++) {
		inbox_init(&w->inner_inbox[i], NULL, NULL);
		inner[i] = &w->inner_inbox[i];
	}
	struct store_config config = { .workers = w->workers, .inbox = inner,
		.retention_ms = INT64_C(86400000), .sync = true, .metrics = &w->store_metrics };
	CHECK(store_memory.open(&config, &w->inner, why, sizeof(why)) == OK);
	store_put_users(w);
	world_store_wrap(w);
}

void world_store_close(struct world *w)
{
	if (w->store)
		w->inner = fault_crash(w->store);
	w->store = NULL;
	w->inner->engine->close(w->inner);
	w->inner = NULL;
}

bool world_store_collect(struct world *w)
{
	bool any = false;
	for (unsigned i = 0; i < w->workers; i++) {
		struct inbox_node *node = inbox_take(&w->outer_inbox[i]), *next;
		for (; node; node = next) {
			next = node->next;
			any = true;
			fifo_push(&w->nodes[i], node);
			if (node->kind != INBOX_STORE_BATCH)
				continue;
			struct store_batch *batch = (struct store_batch *)(void *)
				((char *)node - offsetof(struct store_batch, node));
			if (batch->status == OK) {
				oracle_committed(w->oracle, buf_view(&batch->ops));
				continue;
			}
			w->refusals++;
			oracle_store_failed(w->oracle);
			trace_event(w->trace, "store refused a batch of worker %u", i);
		}
	}
	return any;
}

/* A worker out of those with something waiting; WORLD_WORKERS_MAX: none. */
static unsigned store_pick(struct world *w, unsigned (*waiting)(const struct store *s, unsigned i))
{
	unsigned candidates[WORLD_WORKERS_MAX], n = 0;
	for (unsigned i = 0; i < w->workers; i++)
		if (waiting(w->store, i))
			candidates[n++] = i;
	return n ? candidates[dice_below(&w->dice, n)] : WORLD_WORKERS_MAX;
}

bool world_store_commit(struct world *w)
{
	unsigned i = store_pick(w, fault_batches);
	if (i == WORLD_WORKERS_MAX)
		return false;
	if (!w->calm && dice_chance(&w->dice, w->plan->refuse))
		(void)fault_refuse(w->store, i);
	else
		(void)fault_commit(w->store, i);
	(void)world_store_collect(w);
	return true;
}

bool world_store_answer(struct world *w)
{
	unsigned i = store_pick(w, fault_reads);
	if (i == WORLD_WORKERS_MAX)
		return false;
	bool fails = !w->calm && dice_chance(&w->dice, w->plan->read_failure);
	if (fails) {
		oracle_store_failed(w->oracle);
		trace_event(w->trace, "store fails a read of worker %u", i);
	}
	(void)fault_answer(w->store, i, dice_below(&w->dice, fault_reads(w->store, i)),
			   fails ? ERR_UNAVAILABLE : OK);
	(void)world_store_collect(w);
	return true;
}

bool world_store_busy(const struct world *w)
{
	for (unsigned i = 0; i < w->workers; i++)
		if (fault_batches(w->store, i) || fault_reads(w->store, i))
			return true;
	return false;
}

void world_store_refuse_all(struct world *w)
{
	for (unsigned i = 0; i < w->workers; i++) {
		while (fault_batches(w->store, i))
			(void)fault_refuse(w->store, i);
		while (fault_reads(w->store, i))
			(void)fault_answer(w->store, i, 0, OK); /* a failed one would be tried again */
		struct inbox_node *node = inbox_take(&w->outer_inbox[i]), *next;
		for (; node; node = next) {
			next = node->next;
			fifo_push(&w->nodes[i], node);
		}
	}
}
