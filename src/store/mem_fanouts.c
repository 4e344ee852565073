#include "store/memory.h"

static int fanout_order(const void *key, const void *item)
{
	uint64_t seq = *(const uint64_t *)key, other = ((const struct kept *)item)->op.fanout.seq;
	return (seq > other) - (seq < other);
}

static void fanout_put(struct store_mem *m, const struct store_op *op)
{
	size_t place = sorted_place(&m->fanouts, &op->fanout.seq, fanout_order);
	sorted_put(&m->fanouts, place, kept_new(op));
}

static struct kept *fanout_get(const struct store_mem *m, uint64_t seq)
{
	return sorted_get(&m->fanouts, &seq, fanout_order);
}

void mem_fanouts_apply_put(struct store_mem *m, const struct store_op *op)
{
	CHECK(!fanout_get(m, op->fanout.seq)); /* no sequence is given twice */
	fanout_put(m, op);
	mem_once_put(m, op->fanout.once, op->fanout.ms);
	mem_once_note_time(m, op->fanout.ms);
}

void mem_fanouts_apply_end(struct store_mem *m, uint64_t seq)
{
	struct kept *fanout = fanout_get(m, seq);
	if (!fanout)
		return;
	sorted_take(&m->fanouts, sorted_place(&m->fanouts, &seq, fanout_order));
	kept_unref(&fanout);
}

/* Keeps it anew, that slice empty. */
void mem_fanouts_apply_done(struct store_mem *m, const struct op_fanout_done *op)
{
	struct kept *before = fanout_get(m, op->seq);
	if (!before)
		return;
	struct store_op after = before->op;
	struct buf slices;
	struct str slice;
	size_t cursor = 0;
	buf_init(&slices, UINT32_MAX);
	for (uint32_t i = 0; strs_next(before->op.fanout.slices, &cursor, &slice) == 1; i++)
		strs_add(&slices, i == op->slice ? STR("") : slice);
	after.fanout.slices = buf_view(&slices);
	before->refs++; /* `after` looks into it */
	mem_fanouts_apply_end(m, op->seq);
	fanout_put(m, &after);
	kept_unref(&before);
	buf_deinit(&slices);
}

void mem_fanouts_read(const struct store_mem *m, struct store_read *r)
{
	uint64_t from = r->after + 1;
	unsigned rows = 0;
	if (r->after == UINT64_MAX)
		return;
	size_t i = sorted_place(&m->fanouts, &from, fanout_order);
	for (; i < m->fanouts.n && !page_is_full(r, rows); i++) {
		const struct kept *fanout = m->fanouts.items[i];
		txn_add(&r->rows, &fanout->op);
		rows++;
	}
}
