/* Every op of ops.def and every row of reads: their fields are filled, written and compared as
 * fields.def tells, so that a new one needs no word here except what it looks like on disk. */
#include "store/txn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* --- samples: each field has a value of its own --- */

struct filler { unsigned n; };

static uint8_t fill_U8(struct filler *f) { return (uint8_t)(0xa0 + ++f->n); }
static uint32_t fill_U32(struct filler *f) { return UINT32_C(0x01020300) + ++f->n; }
static uint64_t fill_U64(struct filler *f) { return UINT64_C(0x0102030405060700) + ++f->n; }
static int64_t fill_MS(struct filler *f) { return -(int64_t)++f->n; }
static struct hash128 fill_HASH(struct filler *f)
{
	struct hash128 h = { fill_U64(f), fill_U64(f) };
	return h;
}
static struct str fill_STR(struct filler *f)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	unsigned n = ++f->n;
	return (struct str){ letters + n % 20, n % 4 };
}

#define STRUCT_BEGIN(name) \
	static struct name sample_##name(void) { struct filler f = { 0 }; struct name v;
#define FIELD(name, TYPE, member) v.member = fill_##TYPE(&f);
#define STRUCT_END(name) return v; }
#include "store/fields.def"

static bool same_U8(uint8_t a, uint8_t b) { return a == b; }
static bool same_U32(uint32_t a, uint32_t b) { return a == b; }
static bool same_U64(uint64_t a, uint64_t b) { return a == b; }
static bool same_MS(int64_t a, int64_t b) { return a == b; }
static bool same_HASH(struct hash128 a, struct hash128 b) { return a.a == b.a && a.b == b.b; }
static bool same_STR(struct str a, struct str b) { return b.p && str_eq(a, b); }

#define STRUCT_BEGIN(name) static void check_##name(const struct name *a, const struct name *b) {
#define FIELD(name, TYPE, member) assert_true(same_##TYPE(a->member, b->member));
#define STRUCT_END(name) }
#include "store/fields.def"

static struct store_op op_sample(enum store_op_type type)
{
	switch (type) {
#define OP(NAME, member, meaning) \
	case OP_##NAME: return (struct store_op){ .type = type, .member = sample_op_##member() };
#include "store/ops.def"
#undef OP
	default: CHECK_NEVER("an op without type");
	}
}

static void op_check(const struct store_op *a, const struct store_op *b)
{
	assert_int_equal(a->type, b->type);
	switch (a->type) {
#define OP(NAME, member, meaning) \
	case OP_##NAME: check_op_##member(&a->member, &b->member); break;
#include "store/ops.def"
#undef OP
	default: CHECK_NEVER("an op without type");
	}
}

/* --- what can be read one after the other: ops and the kinds of rows --- */

struct thing {
	const char *name;
	enum store_op_type type;                         /* OP_NONE: a row */
	void (*add)(struct buf *to, const struct thing *t); /* the sample */
	int (*next)(struct str bytes, size_t *cursor);   /* 1 only if what came is read as itself again */
	const char *bytes;                               /* the sample as it is encoded, in hex */
};

static void add_op(struct buf *to, const struct thing *t)
{
	struct store_op op = op_sample(t->type);
	txn_add(to, &op);
}

/* Writes what was read behind what is there: must be the bytes it came from. */
#define WRITTEN_AGAIN(bytes, from, cursor, write)                                          \
	do {                                                                               \
		struct buf again;                                                          \
		buf_init(&again, 1 << 16);                                                 \
		write;                                                                     \
		assert_int_equal(again.n, (cursor) - (from));                              \
		assert_memory_equal(again.p, (bytes).p + (from), again.n);                 \
		buf_deinit(&again);                                                        \
	} while (0)

static int next_op(struct str bytes, size_t *cursor)
{
	struct store_op op;
	size_t from = *cursor;
	int r = store_op_next(bytes, cursor, &op);
	if (r == 1)
		WRITTEN_AGAIN(bytes, from, *cursor, txn_add(&again, &op));
	return r;
}

#define ROW(name)                                                                      \
	static void add_##name(struct buf *to, const struct thing *t)                  \
	{                                                                              \
		struct name row = sample_##name();                                     \
		(void)t;                                                               \
		name##_add(to, &row);                                                  \
	}                                                                              \
	static int next_##name(struct str bytes, size_t *cursor)                       \
	{                                                                              \
		struct name row;                                                       \
		size_t from = *cursor;                                                 \
		int r = name##_next(bytes, cursor, &row);                              \
		if (r == 1)                                                            \
			WRITTEN_AGAIN(bytes, from, *cursor, name##_add(&again, &row)); \
		return r;                                                              \
	}
ROW(store_name_row)
ROW(store_link_row)
ROW(store_find_row)

/* The bytes stand on disk: what is here never changes. A row of ops.def that is missing here does not
 * compile. */
#define BYTES_USER_PUT \
	"130000000101000000620207060504030201a300000000"
#define BYTES_NAME_DEL \
	"06000000020100000062"
#define BYTES_LAST_SEEN \
	"0e000000030100000062feffffffffffffff"
#define BYTES_MAIL \
	"49000000040107060504030201a2fdffffffffffffff0407060504030201050706050403020106070605" \
	"040302010300000068696a00000000010000006a0a030201030000006c6d6e00000000"
#define BYTES_RELEASE \
	"3b0000000501000000620207060504030201a3a4fbffffffffffffff0607060504030201070706050403" \
	"02010807060504030201010000006a020000006b6c"
#define BYTES_ACK \
	"25000000060100000062a2a3fcffffffffffffff05070605040302010200000067680300000068696a"
#define BYTES_NAME_PUT \
	"22000000070100000062a20307060504030201fcffffffffffffff0100000066020000006768"
#define BYTES_LINK_PUT \
	"2c00000008a10200000063640300000064656604070605040302010507060504030201a6f9ffffffffff" \
	"ffff00000000"
#define BYTES_LINK_DEL \
	"0f00000009a102000000636403000000646566"
#define BYTES_TEXT_PUT \
	"0e0000000a0100000062a203000000646566"
#define BYTES_ONCE \
	"190000000b01070605040302010207060504030201fdffffffffffffff"
#define BYTES_FANOUT \
	"530000000c0107060504030201a2a3fcffffffffffffff05070605040302010607060504030201070706" \
	"050403020100000000010000006a020000006b6c0b0302010c0302010d030201020000006f7003000000" \
	"707172"
#define BYTES_FANOUT_DONE \
	"0d0000000d010706050403020102030201"
#define BYTES_FANOUT_END \
	"090000000e0107060504030201"
#define BYTES_name_row \
	"420000000100000062a2a30407060504030201fbffffffffffffff060302010707060504030201000000" \
	"000907060504030201f6ffffffffffffff030000006c6d6e00000000"
#define BYTES_link_row \
	"2b000000a102000000636403070605040302010407060504030201a5faffffffffffffff030000006869" \
	"6a00000000"
#define BYTES_find_row \
	"2b00000001000000620207060504030201030706050403020104030201a5a60707060504030201080706" \
	"0504030201"

static const struct thing things[] = {
#define OP(NAME, member, meaning) { #NAME, OP_##NAME, add_op, next_op, BYTES_##NAME },
#include "store/ops.def"
#undef OP
	{ "name row", OP_NONE, add_store_name_row, next_store_name_row, BYTES_name_row },
	{ "link row", OP_NONE, add_store_link_row, next_store_link_row, BYTES_link_row },
	{ "find row", OP_NONE, add_store_find_row, next_store_find_row, BYTES_find_row },
};
#define THINGS (sizeof(things) / sizeof(things[0]))

static struct buf thing_bytes(const struct thing *t)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	t->add(&b, t);
	assert_false(b.failed);
	return b;
}

/* Reads to the end a copy that ends where its memory does: the sanitizer sees a step too far. */
static int read_copy(const struct thing *t, const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);
	size_t cursor = 0;
	int r;
	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	while ((r = t->next((struct str){ copy, n }, &cursor)) == 1)
		;
	free(copy);
	return r;
}

/* --- tests --- */

static void every_op_and_row_is_written_as_it_always_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < THINGS; i++) {
		struct buf b = thing_bytes(&things[i]), hex;
		buf_init(&hex, 1 << 16);
		for (size_t k = 0; k < b.n; k++)
			buf_printf(&hex, "%02x", (unsigned char)b.p[k]);
		buf_u8(&hex, 0);
		assert_string_equal(hex.p, things[i].bytes);
		buf_deinit(&hex);
		buf_deinit(&b);
	}
}

static void every_op_comes_out_as_it_went_in(void **state)
{
	(void)state;
	for (enum store_op_type type = OP_NONE + 1; type < OP_TYPE_COUNT; type++) {
		struct store_op in = op_sample(type), out;
		struct buf b;
		size_t cursor = 0;
		buf_init(&b, 1 << 16);
		txn_add(&b, &in);
		assert_int_equal(store_op_next(buf_view(&b), &cursor, &out), 1);
		op_check(&in, &out);
		assert_int_equal(store_op_next(buf_view(&b), &cursor, &out), 0);
		buf_deinit(&b);
	}
}

static void every_row_comes_out_as_it_went_in(void **state)
{
	struct store_name_row name = sample_store_name_row(), name_out;
	struct store_link_row link = sample_store_link_row(), link_out;
	struct store_find_row find = sample_store_find_row(), find_out;
	struct buf b[3];
	size_t cursor[3] = { 0 };
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		buf_init(&b[i], 1 << 16);
	store_name_row_add(&b[0], &name);
	store_link_row_add(&b[1], &link);
	store_find_row_add(&b[2], &find);
	assert_int_equal(store_name_row_next(buf_view(&b[0]), &cursor[0], &name_out), 1);
	assert_int_equal(store_link_row_next(buf_view(&b[1]), &cursor[1], &link_out), 1);
	assert_int_equal(store_find_row_next(buf_view(&b[2]), &cursor[2], &find_out), 1);
	check_store_name_row(&name, &name_out);
	check_store_link_row(&link, &link_out);
	check_store_find_row(&find, &find_out);
	assert_int_equal(store_name_row_next(buf_view(&b[0]), &cursor[0], &name_out), 0);
	assert_int_equal(store_link_row_next(buf_view(&b[1]), &cursor[1], &link_out), 0);
	assert_int_equal(store_find_row_next(buf_view(&b[2]), &cursor[2], &find_out), 0);
	for (unsigned i = 0; i < 3; i++)
		buf_deinit(&b[i]);
}

static void several_stand_one_after_the_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < THINGS; i++) {
		struct buf b = thing_bytes(&things[i]);
		size_t one = b.n, cursor = 0;
		things[i].add(&b, &things[i]);
		assert_int_equal(things[i].next(buf_view(&b), &cursor), 1);
		assert_int_equal(cursor, one);
		assert_int_equal(things[i].next(buf_view(&b), &cursor), 1);
		assert_int_equal(things[i].next(buf_view(&b), &cursor), 0);
		buf_deinit(&b);
	}
}

static void whatever_is_cut_off_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < THINGS; i++) {
		struct buf b = thing_bytes(&things[i]);
		assert_int_equal(read_copy(&things[i], b.p, b.n), 0);
		assert_int_equal(read_copy(&things[i], b.p, 0), 0);
		for (size_t n = 1; n < b.n; n++)
			assert_int_equal(read_copy(&things[i], b.p, n), ERR_CORRUPT);
		buf_deinit(&b);
	}
}

/* The length in front is made to agree, so that the fields themselves run out or are too many. */
static void fields_too_few_or_too_many_for_an_op_or_row_are_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < THINGS; i++) {
		struct buf b = thing_bytes(&things[i]);
		uint32_t whole = (uint32_t)(b.n - sizeof(whole));
		buf_u8(&b, 0);
		for (uint32_t n = 0; n <= whole + 1; n++) {
			memcpy(b.p, &n, sizeof(n));
			int want = n == whole ? 0 : ERR_CORRUPT;
			assert_int_equal(read_copy(&things[i], b.p, sizeof(n) + n), want);
		}
		buf_deinit(&b);
	}
}

/* Whichever bytes are hit, lengths too: what is still read is what is written. */
static void no_flipped_bit_makes_it_read_past_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < THINGS; i++) {
		struct buf b = thing_bytes(&things[i]);
		for (size_t bit = 0; bit < b.n * 8; bit++) {
			b.p[bit / 8] ^= (char)(1 << bit % 8);
			int r = read_copy(&things[i], b.p, b.n);
			assert_true(r == 0 || r == ERR_CORRUPT);
			if (bit < 32) /* the length of the whole */
				assert_int_equal(r, ERR_CORRUPT);
			b.p[bit / 8] ^= (char)(1 << bit % 8);
		}
		buf_deinit(&b);
	}
}

static void an_op_of_no_known_type_is_noticed(void **state)
{
	struct store_op op = { .type = OP_FANOUT_END, .fanout_end = { 9 } };
	struct buf b;
	(void)state;
	buf_init(&b, 1 << 10);
	txn_add(&b, &op);
	for (unsigned type = 0; type < 256; type++) {
		size_t cursor = 0;
		b.p[4] = (char)type;
		if (type == OP_NONE || type >= OP_TYPE_COUNT)
			assert_int_equal(store_op_next(buf_view(&b), &cursor, &op), ERR_CORRUPT);
	}
	buf_deinit(&b);
}

static void an_op_is_found_by_its_offset_and_nowhere_behind_the_end(void **state)
{
	struct store_op first = op_sample(OP_USER_PUT), second = op_sample(OP_MAIL), op;
	struct buf b;
	(void)state;
	buf_init(&b, 1 << 16);
	size_t mark = txn_begin(&b);
	txn_add(&b, &first);
	size_t at = txn_add(&b, &second);
	txn_end(&b, mark);
	assert_int_equal(store_op_at(buf_view(&b), at, &op), OK);
	op_check(&second, &op);
	assert_int_equal(store_op_at(buf_view(&b), b.n, &op), ERR_CORRUPT);
	assert_int_equal(store_op_at(buf_view(&b), b.n + 1, &op), ERR_CORRUPT);
	buf_deinit(&b);
}

static void a_batch_gives_its_transactions_and_they_their_ops(void **state)
{
	struct buf b;
	struct str txn;
	struct store_op op;
	size_t cursor = 0;
	(void)state;
	buf_init(&b, 1 << 16);
	for (unsigned n = 0; n < 3; n++) { /* the first is empty */
		size_t mark = txn_begin(&b);
		for (enum store_op_type type = OP_NONE + 1; n && type < OP_TYPE_COUNT; type++) {
			op = op_sample(type);
			txn_add(&b, &op);
		}
		txn_end(&b, mark);
	}
	for (unsigned n = 0; n < 3; n++) {
		size_t at = 0;
		assert_int_equal(store_txn_next(buf_view(&b), &cursor, &txn), 1);
		for (enum store_op_type type = OP_NONE + 1; n && type < OP_TYPE_COUNT; type++) {
			assert_int_equal(store_op_next(txn, &at, &op), 1);
			assert_int_equal(op.type, type);
		}
		assert_int_equal(store_op_next(txn, &at, &op), 0);
	}
	assert_int_equal(store_txn_next(buf_view(&b), &cursor, &txn), 0);
	cursor = 0;
	assert_int_equal(store_txn_next((struct str){ b.p, b.n - 1 }, &cursor, &txn), 1);
	assert_int_equal(store_txn_next((struct str){ b.p, b.n - 1 }, &cursor, &txn), 1);
	assert_int_equal(store_txn_next((struct str){ b.p, b.n - 1 }, &cursor, &txn), ERR_CORRUPT);
	buf_deinit(&b);
}

static void an_op_that_does_not_fit_marks_the_buffer_failed(void **state)
{
	(void)state;
	for (size_t i = 0; i < THINGS; i++) {
		struct buf whole = thing_bytes(&things[i]), b;
		buf_init(&b, whole.n - 1);
		things[i].add(&b, &things[i]);
		assert_true(b.failed);
		buf_deinit(&b);
		buf_deinit(&whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_and_row_is_written_as_it_always_was),
		cmocka_unit_test(every_op_comes_out_as_it_went_in),
		cmocka_unit_test(every_row_comes_out_as_it_went_in),
		cmocka_unit_test(several_stand_one_after_the_other),
		cmocka_unit_test(whatever_is_cut_off_is_noticed),
		cmocka_unit_test(fields_too_few_or_too_many_for_an_op_or_row_are_noticed),
		cmocka_unit_test(no_flipped_bit_makes_it_read_past_the_end),
		cmocka_unit_test(an_op_of_no_known_type_is_noticed),
		cmocka_unit_test(an_op_is_found_by_its_offset_and_nowhere_behind_the_end),
		cmocka_unit_test(a_batch_gives_its_transactions_and_they_their_ops),
		cmocka_unit_test(an_op_that_does_not_fit_marks_the_buffer_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
