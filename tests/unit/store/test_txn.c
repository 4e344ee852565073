#include "store/txn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct store_op ops[] = {
	{ .type = OP_USER_PUT, .user_put = { { "alice", 5 }, 42, 1, { "hash", 4 } } },
	{ .type = OP_NAME_DEL, .name_del = { { "bob", 3 } } },
	{ .type = OP_LAST_SEEN, .last_seen = { { "bob", 3 }, 1234 } },
	{ .type = OP_MAIL, .mail = { .seq = 9, .flags = MAIL_NO_PC, .ms = 5, .sender_born = 6,
		.once = { 1, 2 }, .sender = { "alice", 5 }, .target = { "g", 1 }, .id = { "m1", 2 },
		.receiver_count = 1, .receivers = { "\3\0\0\0bob", 7 }, .text = { "{}", 2 } } },
	{ .type = OP_RELEASE, .release = { { "bob", 3 }, 9, 0, ACK_DM, 7, 6, { 1, 2 }, { "alice", 5 }, { "m1", 2 } } },
	{ .type = OP_ACK, .ack = { { "bob", 3 }, 0, ACK_NM, 8, 6, { "alice", 5 }, { "m1", 2 } } },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static struct buf batch_of_all(void)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	size_t mark = txn_begin(&b);
	for (size_t i = 0; i < OPS; i++)
		txn_add(&b, &ops[i]);
	txn_end(&b, mark);
	return b;
}

/* Writes what was read; equal bytes mean equal ops. */
static void every_op_comes_out_as_it_went_in(void **state)
{
	struct buf b = batch_of_all(), again;
	struct str txn;
	struct store_op op;
	size_t cursor = 0, at = 0;
	(void)state;
	buf_init(&again, 1 << 16);
	assert_int_equal(store_txn_next(buf_view(&b), &cursor, &txn), 1);
	size_t mark = txn_begin(&again);
	for (size_t i = 0; i < OPS; i++) {
		assert_int_equal(store_op_next(txn, &at, &op), 1);
		assert_int_equal(op.type, ops[i].type);
		txn_add(&again, &op);
	}
	txn_end(&again, mark);
	assert_int_equal(store_op_next(txn, &at, &op), 0);
	assert_int_equal(store_txn_next(buf_view(&b), &cursor, &txn), 0);
	assert_int_equal(again.n, b.n);
	assert_memory_equal(again.p, b.p, b.n);
	buf_deinit(&b);
	buf_deinit(&again);
}

static void an_op_is_found_by_its_offset(void **state)
{
	struct buf b;
	struct store_op op;
	(void)state;
	buf_init(&b, 1 << 16);
	size_t mark = txn_begin(&b);
	txn_add(&b, &ops[0]);
	size_t at = txn_add(&b, &ops[3]);
	txn_end(&b, mark);
	assert_int_equal(store_op_at(buf_view(&b), at, &op), OK);
	assert_int_equal(op.mail.seq, 9);
	buf_deinit(&b);
}

static int read_all(struct str bytes)
{
	struct str txn;
	struct store_op op;
	size_t cursor = 0;
	int r;
	while ((r = store_txn_next(bytes, &cursor, &txn)) == 1) {
		size_t at = 0;
		while ((r = store_op_next(txn, &at, &op)) == 1)
			;
		if (r < 0)
			return r;
	}
	return r;
}

static void whatever_is_cut_off_is_noticed(void **state)
{
	struct buf b = batch_of_all();
	(void)state;
	assert_int_equal(read_all(buf_view(&b)), 0);
	for (size_t n = 1; n < b.n; n++) {
		char *copy = malloc(n); /* so that the sanitizer sees a read past the end */
		memcpy(copy, b.p, n);
		assert_int_equal(read_all((struct str){ copy, n }), ERR_CORRUPT);
		free(copy);
	}
	buf_deinit(&b);
}

static void a_row_that_is_cut_off_is_noticed(void **state)
{
	struct store_name_row name = { { "bob", 3 }, STORE_USER, 1, 42, -1, 3, 99, { "hash", 4 },
		5, 6, { "title", 5 }, { "owner", 5 } };
	struct store_find_row find = { { "alice", 5 }, 6, 7, 8, MAIL_NO_PC, ACK_DM, { 1, 2 } };
	struct buf names, finds;
	(void)state;
	buf_init(&names, 1 << 10);
	buf_init(&finds, 1 << 10);
	store_name_row_add(&names, &name);
	store_find_row_add(&finds, &find);
	for (size_t n = 1; n < names.n || n < finds.n; n++) {
		size_t cursor = 0;
		if (n < names.n)
			assert_int_equal(store_name_row_next((struct str){ names.p, n }, &cursor, &name), ERR_CORRUPT);
		if (n < finds.n)
			assert_int_equal(store_find_row_next((struct str){ finds.p, n }, &cursor, &find), ERR_CORRUPT);
	}
	buf_deinit(&names);
	buf_deinit(&finds);
}

static void random_bytes_never_read_past_the_end(void **state)
{
	struct buf b = batch_of_all();
	uint32_t random = 7;
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char *copy = malloc(b.n);
		memcpy(copy, b.p, b.n);
		for (unsigned i = 0; i < 3; i++) {
			random = random * 1664525u + 1013904223u;
			copy[(random >> 8) % b.n] = (char)(random >> 24);
		}
		int r = read_all((struct str){ copy, b.n });
		assert_true(r == 0 || r == ERR_CORRUPT);
		free(copy);
	}
	buf_deinit(&b);
}

static void rows_come_out_as_they_went_in(void **state)
{
	struct buf b;
	struct store_name_row name = { { "bob", 3 }, STORE_USER, 1, 42, -1, 3, 99, { "hash", 4 },
		5, 6, { "title", 5 }, { "owner", 5 } }, name_out;
	struct store_find_row find = { { "alice", 5 }, 6, 7, 8, MAIL_NO_PC, ACK_DM, { 1, 2 } }, find_out;
	size_t cursor = 0;
	(void)state;
	buf_init(&b, 1 << 16);
	store_name_row_add(&b, &name);
	assert_int_equal(store_name_row_next(buf_view(&b), &cursor, &name_out), 1);
	assert_true(str_eq(name_out.name, name.name) && str_eq(name_out.token, name.token));
	assert_int_equal(name_out.last_seen_ms, -1);
	assert_int_equal(name_out.mail_bytes, 99);
	buf_clear(&b);
	cursor = 0;
	store_find_row_add(&b, &find);
	assert_int_equal(store_find_row_next(buf_view(&b), &cursor, &find_out), 1);
	assert_true(str_eq(find_out.sender, find.sender));
	assert_int_equal(find_out.bytes, 8);
	assert_int_equal(find_out.kinds, ACK_DM);
	assert_int_equal(store_find_row_next(buf_view(&b), &cursor, &find_out), 0);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_comes_out_as_it_went_in),
		cmocka_unit_test(an_op_is_found_by_its_offset),
		cmocka_unit_test(whatever_is_cut_off_is_noticed),
		cmocka_unit_test(a_row_that_is_cut_off_is_noticed),
		cmocka_unit_test(random_bytes_never_read_past_the_end),
		cmocka_unit_test(rows_come_out_as_they_went_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
