/* The store of the simulated world: memory, or the embedded engine over a simulated disk, behind the fault
 * engine. */
#include "choice.h"
#include "plant.h"
#include "world.h"
#include "store/txn.h"

static void put_txn(struct buf *ops, const struct store_op *op)
{
	size_t mark = txn_begin(ops);
	(void)txn_add(ops, op);
	txn_end(ops, mark);
}

static void put_users(struct world *w, struct buf *ops, uint64_t born[TALK_USERS])
{
	char hash[TALK_ID_MAX];
	for (int u = w->plan->admin ? 0 : 1; u <= (int)w->plan->users; u++) {
		(void)snprintf(hash, sizeof(hash), "h:t-%s", oracle_name(u));
		born[u] = (uint64_t)w->inner->epoch << STORE_SEQ_BITS | ++w->seq;
		put_txn(ops, &(struct store_op){ .type = OP_USER_PUT, .user_put = {
			.name = str_of(oracle_name(u)), .born = born[u], .type = u == 0, .token = str_of(hash) } });
	}
}

static void put_link(struct world *w, struct buf *ops, enum store_link kind, int from, int to, uint64_t born,
		     uint8_t flags)
{
	put_txn(ops, &(struct store_op){ .type = OP_LINK_PUT, .link_put = {
		.kind = (uint8_t)kind, .from = str_of(oracle_name(from)), .to = str_of(oracle_name(to)),
		.born = born, .order = (uint64_t)w->inner->epoch << STORE_SEQ_BITS | ++w->seq, .flags = flags,
		.text = STR("") } });
}

/* A group or broadcast of the first user's, with some of the others. */
static void put_place(struct world *w, struct buf *ops, int place, const uint64_t born[TALK_USERS])
{
	bool broadcast = choice_is_broadcast(place);
	int owner = (int)dice_between(&w->dice, 1, w->plan->users);
	put_txn(ops, &(struct store_op){ .type = OP_NAME_PUT, .name_put = {
		.name = str_of(oracle_name(place)), .kind = broadcast ? STORE_BROADCAST : STORE_GROUP,
		.born = (uint64_t)w->inner->epoch << STORE_SEQ_BITS | ++w->seq, .created_ms = w->wall_ms,
		.title = STR("old"), .owner = broadcast ? str_of(oracle_name(owner)) : STR("") } });
	if (broadcast)
		put_link(w, ops, LINK_OWN, owner, place, born[owner], 0);
	else
		put_link(w, ops, LINK_MEMBER, owner, place, born[owner], LINK_ADMIN);
	for (int u = 1, n = 1; u <= (int)w->plan->users && n < (int)w->plan->group_max; u++) {
		if (u == owner || !dice_chance(&w->dice, 700))
			continue;
		put_link(w, ops, broadcast ? LINK_LISTED : LINK_MEMBER, u, place, born[u], 0);
		n++;
	}
}

/* What there is when the run begins. */
static void put_founded(struct world *w, struct buf *ops, const uint64_t born[TALK_USERS])
{
	const struct plan *p = w->plan;
	for (int u = 1; u <= (int)p->users; u++)
		for (int v = 1; v <= (int)p->users; v++) {
			if (u != v && p->follow && dice_chance(&w->dice, p->founded))
				put_link(w, ops, LINK_FOLLOW, u, v, born[v], 0);
			if (u != v && p->privacy && dice_chance(&w->dice, p->founded / 8))
				put_link(w, ops, LINK_BLOCK, u, v, born[v], 0);
		}
	for (int i = 0; i < TALK_PLACES; i++)
		if ((i < CHOICE_GROUPS ? i < (int)p->groups : i - CHOICE_GROUPS < (int)p->casts) &&
		    dice_chance(&w->dice, p->founded))
			put_place(w, ops, TALK_USERS + i, born);
}

static void store_put_all(struct world *w)
{
	struct store_batch batch = { .node = { .kind = INBOX_STORE_BATCH } };
	uint64_t born[TALK_USERS] = { 0 };
	buf_init(&batch.ops, 1 << 20);
	put_users(w, &batch.ops, born);
	put_founded(w, &batch.ops, born);
	store_submit(w->inner, 0, &batch);
	struct inbox_node *node = inbox_take(&w->inner_inbox[0]);
	CHECK(node == &batch.node && batch.status == OK);
	oracle_committed(w->oracle, buf_view(&batch.ops));
	buf_deinit(&batch.ops);
}

static void store_wrap(struct world *w)
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

static int64_t disk_wall_ms(void *ctx) { return ((const struct world *)ctx)->wall_ms; }
static int64_t disk_mono_ns(void *ctx) { return ((const struct world *)ctx)->now_ns; }

static void inner_open(struct world *w)
{
	/* So small that mail is moved on all the time; a batch must fit into a segment. */
	static const struct embedded_bounds bounds = {
		.journal = { .segment_bytes = 1 << 16, .grow_bytes = 1 << 14, .spares_max = 1, .sync = true },
		.segments_max = 2, .held_max = 12, .filter_bytes_max = 1 << 20 };
	char why[256] = "";
	struct inbox *inner[WORLD_WORKERS_MAX];
	for (unsigned i = 0; i < w->workers; i++) {
		inbox_init(&w->inner_inbox[i], NULL, NULL);
		inner[i] = &w->inner_inbox[i];
	}
	struct simulated_config config = {
		.store = { .workers = w->workers, .inbox = inner, .retention_ms = INT64_C(86400000),
			   .sync = true, .metrics = &w->store_metrics },
		.bounds = bounds, .clock = { disk_wall_ms, disk_mono_ns, w } };
	int err = w->plan->disk ? simulated_open(&w->disk, &config, &w->inner, why, sizeof(why))
				: store_memory.open(&config.store, &w->inner, why, sizeof(why));
	if (err)
		oracle_accuse(w->oracle, FINDING_CONTRACT, "", "the store does not open: %s", why);
	CHECK(!err);
}

void world_store_open(struct world *w)
{
	if (w->plan->disk)
		simulated_disk_init(&w->disk, dice_u64(&w->dice));
	inner_open(w);
	store_put_all(w);
	store_wrap(w);
}

void world_store_crash(struct world *w)
{
	w->inner = fault_crash(w->store);
	w->store = NULL;
	if (!w->plan->disk)
		return;
	simulated_kill(w->inner);
	w->inner = NULL;
	base_memory_crash(w->disk.base);
	if (dice_chance(&w->dice, 500))
		files_memory_crash(w->disk.files);
}

void world_store_restart(struct world *w)
{
	if (w->plan->disk)
		inner_open(w);
	else
		w->inner->epoch++;
	store_wrap(w);
}

void world_store_close(struct world *w)
{
	if (w->store)
		w->inner = fault_crash(w->store);
	w->store = NULL;
	if (w->inner)
		w->inner->engine->close(w->inner);
	w->inner = NULL;
	if (w->plan->disk)
		simulated_disk_deinit(&w->disk);
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
			if (batch->status == OK && w->plant)
				plant_committed(w->plant, w, buf_view(&batch->ops));
			else if (batch->status == OK)
				oracle_committed(w->oracle, buf_view(&batch->ops));
			if (batch->status == OK)
				continue;
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
	while (w->plan->disk && dice_chance(&w->dice, 400) && simulated_work(w->inner))
		;
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
