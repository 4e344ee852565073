/* See fault.h. Batches and reads wait in queues until the owner lets one through to the inner
 * engine, whose answer is taken from its inbox at once. */
#include "store/fault.h"
#include "store/batch_rule.h"
#include <stdlib.h>

struct fault_queue { struct inbox_node *first, **last; unsigned n; };

struct store_fault {
	struct store store;
	struct store *inner;
	unsigned workers;
	struct fault_queue batches[STORE_WORKERS_MAX], reads[STORE_WORKERS_MAX];
	struct batch_rule rule;
	unsigned unknown_per_mille;
	uint64_t random;
};

static struct store_fault *fault_of(const struct store *s)
{
	return (struct store_fault *)(uintptr_t)s;
}

static void queue_add(struct fault_queue *q, struct inbox_node *node)
{
	node->next = NULL;
	*q->last = node;
	q->last = &node->next;
	q->n++;
}

static struct inbox_node *queue_take(struct fault_queue *q, unsigned nth)
{
	struct inbox_node **at = &q->first;
	while (*at && nth--)
		at = &(*at)->next;
	struct inbox_node *node = *at;
	if (!node)
		return NULL;
	*at = node->next;
	if (!*at)
		q->last = at;
	q->n--;
	return node;
}

static void fault_submit(struct store *s, unsigned w, struct store_batch *batch)
{
	batch->node.kind = INBOX_STORE_BATCH;
	queue_add(&fault_of(s)->batches[w], &batch->node);
}

static void fault_read(struct store *s, unsigned w, struct store_read *read)
{
	read->node.kind = INBOX_STORE_READ;
	queue_add(&fault_of(s)->reads[w], &read->node);
}

static int fault_seen(struct store *s, unsigned w, struct hash128 once)
{
	struct store_fault *f = fault_of(s);
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	if ((f->random >> 33) % 1000 < f->unknown_per_mille)
		return -1;
	return store_seen(f->inner, w, once);
}

static struct store *fault_unwrap(struct store *s)
{
	struct store *inner = fault_of(s)->inner;
	free(fault_of(s));
	return inner;
}

static void fault_close(struct store *s)
{
	for (unsigned w = 0; w < fault_of(s)->workers; w++) {
		while (fault_commit(s, w))
			;
		while (fault_answer(s, w, 0, OK))
			;
	}
	struct store *inner = fault_unwrap(s);
	inner->engine->close(inner);
}

static const struct store_engine store_fault = {
	.name = "fault",
	.close = fault_close,
	.submit = fault_submit,
	.seen = fault_seen,
	.read = fault_read,
};

struct store *fault_wrap(struct store *inner, struct inbox *const *inbox, unsigned workers)
{
	struct store_fault *f = calloc(1, sizeof(*f));
	CHECK(f && workers <= STORE_WORKERS_MAX);
	f->store = *inner;
	f->store.engine = &store_fault;
	f->inner = inner;
	f->workers = workers;
	for (unsigned w = 0; w < workers; w++) {
		f->store.inbox[w] = inbox[w];
		f->batches[w].last = &f->batches[w].first;
		f->reads[w].last = &f->reads[w].first;
	}
	return &f->store;
}

unsigned fault_batches(const struct store *s, unsigned w) { return fault_of(s)->batches[w].n; }
unsigned fault_reads(const struct store *s, unsigned w) { return fault_of(s)->reads[w].n; }

/* The inner engine has never seen a failure: ours are kept here. */
bool fault_commit(struct store *s, unsigned w)
{
	struct store_fault *f = fault_of(s);
	struct inbox_node *node = queue_take(&f->batches[w], 0);
	if (!node)
		return false;
	struct store_batch *batch = (struct store_batch *)(void *)node;
	batch->status = batch_rule_admit(&f->rule, w, batch);
	if (batch->status == OK) {
		uint32_t seen = batch->failures_seen;
		batch->failures_seen = 0;
		store_submit(f->inner, w, batch);
		CHECK(inbox_take(f->inner->inbox[w]) == node && batch->status == OK);
		batch->failures_seen = seen;
	}
	inbox_push(f->store.inbox[w], node);
	return true;
}

bool fault_refuse(struct store *s, unsigned w)
{
	struct store_fault *f = fault_of(s);
	struct inbox_node *node = queue_take(&f->batches[w], 0);
	if (!node)
		return false;
	((struct store_batch *)(void *)node)->status = batch_rule_fail(&f->rule, w);
	inbox_push(f->store.inbox[w], node);
	return true;
}

bool fault_answer(struct store *s, unsigned w, unsigned nth, int status)
{
	struct store_fault *f = fault_of(s);
	struct inbox_node *node = queue_take(&f->reads[w], nth);
	if (!node)
		return false;
	struct store_read *read = (struct store_read *)(void *)node;
	if (status == OK) {
		store_read(f->inner, w, read);
		CHECK(inbox_take(f->inner->inbox[w]) == node);
	} else {
		read->status = status;
		read->found = read->more = false;
	}
	inbox_push(f->store.inbox[w], node);
	return true;
}

void fault_seen_unknown(struct store *s, unsigned per_mille, uint64_t seed)
{
	fault_of(s)->unknown_per_mille = per_mille;
	fault_of(s)->random = seed;
}

struct store *fault_crash(struct store *s) { return fault_unwrap(s); }
