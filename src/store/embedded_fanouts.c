/* FAMILY_FANOUTS: what is still on its way into many mailboxes.
 *
 *   u64 seq             -> the op that put it
 *   u64 seq, u32 slice  -> nothing: that slice is done
 *
 * so each is followed by its slices that are done, in order. */
#include "store/embedded.h"

_Static_assert(OP_FANOUT == 12, "the type stands in every fan-out on disk");

static struct key key_done(uint64_t seq, uint32_t slice)
{
	struct key k = key_u64(seq);
	key_add_u32(&k, slice);
	return k;
}

static bool value_cut_fanout(struct str value, uint64_t seq, struct store_op *op_out)
{
	size_t at = 0;
	return value_cut_version(&value) && store_op_next(value, &at, op_out) == 1 && at == value.n &&
	       op_out->type == OP_FANOUT && op_out->fanout.seq == seq;
}

/* --- ops --- */

void fanouts_apply_put(struct store_embedded *e, const struct op_fanout *op)
{
	struct store_op put = { .type = OP_FANOUT, .fanout = *op };
	struct key key = key_u64(op->seq);
	value_begin(&e->value);
	txn_add(&e->value, &put);
	rows_put(e, FAMILY_FANOUTS, &key);
	/* The copies of it that lie in mailboxes have it, too, and each release of one tells it anew. */
	mail_apply_once(e, op->once, op->ms);
}

void fanouts_apply_done(struct store_embedded *e, const struct op_fanout_done *op)
{
	struct key key = key_done(op->seq, op->slice);
	value_begin(&e->value);
	rows_put(e, FAMILY_FANOUTS, &key);
}

/* How many slices it has, by what was written before. 0 if that can not be told. */
static uint32_t slices_of(const struct store_embedded *e, const struct key *key, uint64_t seq)
{
	struct base_got got;
	struct store_op op;
	if (e->base->calls->get(e->base, NULL, FAMILY_FANOUTS, key_view(key), &got) != OK)
		return 0;
	uint32_t n = value_cut_fanout(got.value, seq, &op) ? op.fanout.slice_count : 0;
	e->base->calls->got_free(&got);
	return n;
}

/* Row by row, not by a range: see rows_forget_all. A fan-out ends after its slices came back as done,
 * so it can not have come in the very write that ends it. Rows of slices that stay because it is
 * damaged do no harm: no sequence is given twice, and without it no read finds them. */
void fanouts_apply_end(struct store_embedded *e, const struct op_fanout_end *op)
{
	struct key key = key_u64(op->seq);
	uint32_t slices = slices_of(e, &key, op->seq);
	rows_forget(e, FAMILY_FANOUTS, &key);
	for (uint32_t i = 0; i < slices; i++) {
		struct key done = key_done(op->seq, i);
		rows_forget(e, FAMILY_FANOUTS, &done);
	}
}

/* --- reads --- */

/* Is the range at this slice's row? Passes by the rows before it. */
static bool slice_done(struct range *range, uint64_t seq, uint32_t slice)
{
	struct key done = key_done(seq, slice);
	struct str key, value;
	int order = -1;
	while (range_at(range, &key, &value) && (order = str_cmp(key, key_view(&done))) < 0)
		range_next(range);
	return order == 0;
}

/* The range is behind its row: `record` is a copy of that. */
static bool add_fanout(struct reading *g, struct range *range, uint64_t seq, struct str record,
		       struct buf *slices)
{
	struct store_op op;
	struct str slice;
	size_t cursor = 0;
	int r;
	if (!value_cut_fanout(record, seq, &op))
		return false;
	buf_clear(slices);
	for (uint32_t i = 0; (r = strs_next(op.fanout.slices, &cursor, &slice)) == 1; i++)
		strs_add(slices, slice_done(range, seq, i) ? STR("") : slice);
	op.fanout.slices = buf_view(slices);
	txn_add(&g->r->rows, &op);
	return r == 0 && !slices->failed;
}

static void fanouts_read_from(struct reading *g, const struct key *from, struct buf *record,
			      struct buf *slices)
{
	struct range range;
	struct str key, value;
	uint64_t seq;
	unsigned rows = 0;
	range_open(g, FAMILY_FANOUTS, NULL, from, &range);
	while (range_at(&range, &key, &value)) {
		if (!key_cut_u64(&key, &seq)) {
			reading_damaged(g);
			break;
		}
		bool whole = key.n == 0;
		if (whole && reading_page_full(g, rows++))
			break;
		buf_clear(record);
		if (whole)
			buf_str(record, value);
		range_next(&range);
		if (whole && !add_fanout(g, &range, seq, buf_view(record), slices)) {
			reading_damaged(g);
			break;
		}
	}
	range_close(g, &range);
}

void fanouts_read(struct reading *g)
{
	struct buf record, slices;
	if (g->r->after == UINT64_MAX)
		return;
	struct key from = key_u64(g->r->after + 1);
	buf_init(&record, (size_t)1 << 30);
	buf_init(&slices, (size_t)1 << 30);
	fanouts_read_from(g, &from, &record, &slices);
	buf_deinit(&record);
	buf_deinit(&slices);
}
