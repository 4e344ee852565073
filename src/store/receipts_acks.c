/* What was acknowledged. */
#include "store/receipts_private.h"
#include <stdlib.h>

void receipts_key_ack(struct key *k, const struct op_ack *ack)
{
	key_add_str(k, ack->user);
	key_add_str(k, ack->id);
	key_add_u64(k, ack->sender_born);
	key_add_str(k, ack->sender);
	key_add_u8(k, ack->kinds);
}

void receipts_value_ack(struct buf *out, uint8_t flags, int64_t ms)
{
	value_begin(out);
	buf_u8(out, flags);
	buf_add(out, &ms, sizeof(ms));
}

/* --- found in memory --- */

static void found_add(struct buf *found, const struct op_ack *ack)
{
	struct store_op op = { .type = OP_ACK, .ack = *ack };
	op.ack.user = op.ack.id = STR(""); /* what was asked for */
	txn_add(found, &op);
}

static void found_recent(void *ctx, const struct recent_row *row, const struct recent_ack *ack)
{
	found_add(ctx, &(struct op_ack){ .flags = row->flags, .kinds = row->kinds, .ms = row->ms,
					 .sender_born = row->once.a, .sender = ack->sender });
}

void receipts_recent_acks(const struct receipts *r, struct str user, struct str id, struct buf *found,
			  bool *gone_out)
{
	*gone_out = recent_acks(&r->recent, user, id, found_recent, found);
}

/* --- found in the base --- */

struct finding { struct buf *found; size_t prefix; bool damaged; };

static bool found_base(void *ctx, struct str key, struct str value)
{
	struct finding *f = ctx;
	struct op_ack ack = { 0 };
	struct str rest = { key.p + f->prefix, key.n - f->prefix };
	f->damaged = !key_cut_u64(&rest, &ack.sender_born) || !key_cut_str(&rest, &ack.sender) ||
		     !key_cut_u8(&rest, &ack.kinds) || rest.n || !value_cut_version(&value) ||
		     !value_cut(&value, &ack.flags, sizeof(ack.flags)) ||
		     !value_cut(&value, &ack.ms, sizeof(ack.ms)) || value.n;
	if (!f->damaged)
		found_add(f->found, &ack);
	return !f->damaged;
}

static int find_under(struct receipts *r, struct base_snapshot *s, enum family family, struct key prefix,
		      struct str user, struct str id, struct buf *found)
{
	key_add_str(&prefix, user);
	key_add_str(&prefix, id);
	struct finding f = { found, prefix.n, false };
	int err = receipts_rows(r, s, family, &prefix, found_base, &f);
	return f.damaged ? ERR_CORRUPT : err;
}

static int find_base(struct receipts *r, struct base_snapshot *s, struct str user, struct str id,
		     struct buf *found)
{
	uint32_t newest = atomic_load(&r->newest);
	int err = find_under(r, s, FAMILY_ACKS, (struct key){ .n = 0 }, user, id, found);
	for (uint32_t slice = receipts_oldest(r); slice <= newest && !err; slice++)
		err = find_under(r, s, FAMILY_RECEIPTS, receipts_key(slice, KIND_ACK), user, id, found);
	return err;
}

/* --- joined --- */

static int ack_order(const void *a, const void *b)
{
	const struct op_ack *x = a, *y = b;
	if (x->sender_born != y->sender_born)
		return x->sender_born < y->sender_born ? -1 : 1;
	int order = str_cmp(x->sender, y->sender);
	if (order)
		return order;
	return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static bool ack_same(const struct op_ack *a, const struct op_ack *b)
{
	return a->sender_born == b->sender_born && str_eq(a->sender, b->sender);
}

/* Rows of one message; those of one time may be in any order. */
static void join(const struct receipts *r, const struct op_ack *acks, size_t n, int64_t now_ms,
		 struct buf *rows)
{
	const struct op_ack *release = NULL;
	uint8_t kinds = 0;
	for (size_t i = 0; i < n; i++) {
		kinds |= acks[i].kinds;
		if (acks[i].kinds & KINDS_RELEASE)
			release = &acks[i];
	}
	if (!release || receipts_aged(r, release->ms, now_ms))
		return;
	struct store_find_row row = { .sender = release->sender, .sender_born = release->sender_born,
				      .flags = release->flags, .kinds = kinds & (uint8_t)~KINDS_RELEASE };
	store_find_row_add(rows, &row);
}

static void join_all(const struct receipts *r, struct str found, int64_t now_ms, struct buf *rows)
{
	struct buf buf;
	struct store_op op;
	size_t cursor = 0;
	buf_init(&buf, UINT32_MAX);
	while (store_op_next(found, &cursor, &op) == 1)
		buf_add(&buf, &op.ack, sizeof(op.ack));
	CHECK(!buf.failed);
	struct op_ack *acks = (struct op_ack *)(void *)buf.p;
	size_t n = buf.n / sizeof(*acks), end;
	if (n)
		qsort(acks, n, sizeof(*acks), ack_order);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && ack_same(&acks[i], &acks[end]); end++)
			;
		join(r, acks + i, end - i, now_ms, rows);
	}
	buf_deinit(&buf);
}

int receipts_base_acks(struct receipts *r, struct base_snapshot *s, struct str user, struct str id,
		       int64_t now_ms, struct buf *found, bool gone, struct buf *rows)
{
	int err = gone ? OK : find_base(r, s, user, id, found);
	CHECK(!found->failed);
	if (!err)
		join_all(r, buf_view(found), now_ms, rows);
	return err;
}

/* --- deleted users --- */

static bool forget_receipt(void *ctx, struct str key, struct str value)
{
	(void)value;
	base_forget(ctx, FAMILY_RECEIPTS, key);
	return true;
}

static bool forget_ack(void *ctx, struct str key, struct str value)
{
	(void)value;
	base_forget(ctx, FAMILY_ACKS, key);
	return true;
}

static bool only_read(void *ctx, struct str key, struct str value)
{
	(void)ctx, (void)key, (void)value;
	return true;
}

static int forget_in_base(struct receipts *r, struct str user, bool dry)
{
	uint32_t newest = atomic_load(&r->newest);
	struct key key = key_str(user);
	int err = receipts_rows(r, NULL, FAMILY_ACKS, &key, dry ? only_read : forget_ack, r->config.base);
	for (uint32_t slice = receipts_oldest(r); slice <= newest && !err; slice++) {
		key = receipts_key(slice, KIND_ACK);
		key_add_str(&key, user);
		err = receipts_rows(r, NULL, FAMILY_RECEIPTS, &key, dry ? only_read : forget_receipt,
				    r->config.base);
	}
	return err;
}

int receipts_forget_user(struct receipts *r, uint64_t segment, struct str user, bool dry)
{
	int err = forget_in_base(r, user, dry);
	if (err || dry)
		return err;
	recent_forget_user(&r->recent, segment, user);
	if (r->building)
		strs_add(&r->gone, user);
	return OK;
}

void receipts_built(struct receipts *r, uint64_t upto)
{
	struct str user;
	size_t cursor = 0;
	CHECK(!r->gone.failed);
	while (strs_next(buf_view(&r->gone), &cursor, &user) == 1)
		/* What can not be read shows as damage to whoever asks for it. */
		(void)forget_in_base(r, user, false);
	buf_clear(&r->gone);
	r->building = false;
	recent_forget_segments(&r->recent, upto);
}
