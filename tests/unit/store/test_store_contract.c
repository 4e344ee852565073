/* What store.h promises of users, mail and batches, case by case, over every engine. Of groups, ties
 * and texts see test_store_names.c, of fan-outs test_store_fanouts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_AGO (now_ms() - DAY_MS - 1)

/* Reads what is known of a user; the views live till the next call. */
static bool name_row(struct bench *b, const char *who, struct store_name_row *row)
{
	static struct buf rows;
	struct store_read r = { .kind = STORE_READ_NAME, .name = str_of(who) };
	size_t cursor = 0;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	buf_deinit(&rows);
	rows = r.rows;
	if (r.found)
		assert_int_equal(store_name_row_next(buf_view(&rows), &cursor, row), 1);
	assert_int_equal(cursor, rows.n);
	return r.found;
}

/* What is found, as text: "seq:bytes:flags:kinds " each. */
static const char *found(struct bench *b, const char *who, const char *id)
{
	static char text[256];
	struct store_read r = { .kind = STORE_READ_FIND, .name = str_of(who), .id = str_of(id) };
	struct store_find_row row;
	size_t cursor = 0, n = 0;
	text[0] = 0;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	while (store_find_row_next(buf_view(&r.rows), &cursor, &row) == 1) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%d:%u:%u:%u ", (int)row.seq, row.bytes,
				      row.flags, row.kinds);
		assert_int_equal(row.sender_born, 7);
		assert_true(str_eq(row.sender, STR("alice")));
	}
	assert_int_equal(cursor, r.rows.n);
	buf_deinit(&r.rows);
	return text;
}

static void a_user_is_what_was_put_last(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	struct store_op ops[] = { user("bob", 5), last_seen("bob", 1234) };
	assert_false(name_row(b, "bob", &row));
	bench_do(b, ops, 1);
	assert_true(name_row(b, "bob", &row));
	assert_int_equal(row.last_seen_ms, -1);
	bench_do(b, &ops[1], 1);
	assert_true(name_row(b, "bob", &row));
	assert_true(str_eq(row.name, STR("bob")));
	assert_int_equal(row.kind, STORE_USER);
	assert_int_equal(row.type, 1);
	assert_int_equal(row.born, 5);
	assert_int_equal(row.last_seen_ms, 1234);
	assert_true(str_eq(row.token, STR("hash")));
	ops[0].user_put.type = 0;
	ops[0].user_put.token = STR("another");
	bench_do(b, ops, 1);
	assert_true(name_row(b, "bob", &row));
	assert_int_equal(row.type, 0);
	assert_int_equal(row.last_seen_ms, 1234);
	assert_true(str_eq(row.token, STR("another")));
	bench_destroy(b);
}

static void receipts_and_information_do_not_count_as_mail_nor_are_they_found(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	struct store_op ops[] = {
		user("bob", 5), mail("bob", 9, "x", 0), mail("bob", 10, "x", MAIL_RECEIPT),
		mail("bob", 11, "x", MAIL_INFO), mail("bob", 12, "x", MAIL_NO_PC),
	};
	bench_do(b, ops, COUNT(ops));
	assert_true(name_row(b, "bob", &row));
	assert_int_equal(row.mail_count, 2);
	assert_int_equal(row.mail_bytes, 8);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 4);
	assert_string_equal(found(b, "bob", "x"), "9:4:0:0 12:4:1:0 ");
	struct store_op gone = release("bob", 10, "x", ACK_PONG, now_ms());
	gone.release.flags = MAIL_RECEIPT;
	bench_do(b, &gone, 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 3);
	assert_string_equal(found(b, "bob", "x"), "9:4:0:0 12:4:1:0 ");
	bench_destroy(b);
}

static void deleting_a_user_forgets_all_that_is_his_and_nothing_of_others(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	struct store_op ops[] = {
		user("bob", 5), user("bobby", 6), last_seen("bob", 1), mail("bob", 8, "m", 0),
		mail("bob", 9, "m", 0), mail("bobby", 10, "m", 0),
		release("bob", 8, "m", ACK_DM, now_ms()),
	};
	struct store_op del = name_del("bob"), again = user("bob", 20);
	bench_do(b, ops, COUNT(ops));
	bench_do(b, &del, 1);
	assert_false(name_row(b, "bob", &row));
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 0);
	assert_string_equal(found(b, "bob", "m"), "");
	bench_do(b, &again, 1);
	assert_true(name_row(b, "bob", &row));
	assert_int_equal(row.last_seen_ms, -1);
	assert_int_equal(row.mail_count, 0);
	assert_int_equal(mailbox_rows(b, "bobby", 0, 10, false), 1);
	bench_destroy(b);
}

static void deleting_and_making_again_in_one_transaction_leaves_the_new_one(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	struct store_op before[] = { user("bob", 5), mail("bob", 9, "m", 0) };
	struct store_op swap[] = { name_del("bob"), user("bob", 20), mail("bob", 21, "n", 0) };
	bench_do(b, before, COUNT(before));
	bench_do(b, swap, COUNT(swap));
	assert_true(name_row(b, "bob", &row));
	assert_int_equal(row.born, 20);
	assert_int_equal(row.mail_count, 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_string_equal(found(b, "bob", "m"), "");
	bench_destroy(b);
}

static void what_lay_in_a_deleted_mailbox_is_remembered_no_longer_than_what_was_released(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	struct store_op ops[] = { user("bob", 5), mail("bob", 9, "m", 0) }, del = name_del("bob");
	b->retention_ms = 0;
	assert_int_equal(bench_open(b), OK);
	bench_do(b, ops, COUNT(ops));
	assert_true(is_seen(b, once_of(9)));
	bench_do(b, &del, 1);
	assert_false(is_seen(b, once_of(9)));
	bench_destroy(b);
}

static void a_mailbox_is_read_in_order_within_bounds_and_by_its_owner_only(void **state)
{
	struct bench *b = bench_create(state);
	for (uint64_t seq = 300; seq > 0; seq -= 3) { /* not in order, across a byte of the key */
		struct store_op op = mail(seq % 2 ? "bob" : "bobby", seq, "m", 0);
		bench_do(b, &op, 1);
	}
	const struct { const char *who; uint64_t after; unsigned max, want; bool more; } cases[] = {
		{ "bob", 0, 1000, 50, false }, { "bobby", 0, 1000, 50, false }, { "bo", 0, 1000, 0, false },
		{ "bob", 0, 7, 7, true },      { "bob", 0, 50, 50, false },     { "bob", 255, 1000, 7, false },
		{ "bob", 300, 9, 0, false },   { "bob", UINT64_MAX, 9, 0, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(mailbox_rows(b, cases[i].who, cases[i].after, cases[i].max, cases[i].more),
				 cases[i].want);
	bench_destroy(b);
}

static void a_mailbox_read_ends_with_the_row_that_reaches_the_bytes_and_has_one_at_least(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		mail("bob", 1, "m", 0), mail("bob", 2, "m", 0), mail("bob", 3, "m", 0),
	};
	bench_do(b, ops, COUNT(ops));
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = STR("bob"), .rows_max = 1 };
	bench_read(b, &r);
	size_t row = r.rows.n;
	buf_deinit(&r.rows);
	const struct { size_t bytes_max, want; } cases[] = {
		{ 1, 1 }, { row, 1 }, { row + 1, 2 }, { 2 * row, 2 }, { 2 * row + 1, 3 }, { 9 * row, 3 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		r = (struct store_read){ .kind = STORE_READ_MAILBOX, .name = STR("bob"), .rows_max = 10,
					 .bytes_max = cases[i].bytes_max };
		bench_read(b, &r);
		assert_int_equal(r.rows.n, cases[i].want * row);
		assert_int_equal(r.more, cases[i].want < 3);
		buf_deinit(&r.rows);
	}
	bench_destroy(b);
}

static void the_mail_with_the_highest_low_sequence_is_told_with_the_name(void **state)
{
	struct bench *b = bench_create(state);
	const uint64_t high = UINT64_C(1) << STORE_SEQ_BITS;
	const struct { struct store_op op; uint64_t want; } cases[] = {
		{ user("bob", 5), 0 },
		{ mail("bob", high, "a", 0), 0 },
		{ mail("bob", 3, "b", MAIL_INFO), 3 },
		{ mail("bob", high - 1, "c", MAIL_INFO), high - 1 },
		{ mail("bob", 4, "d", MAIL_INFO), high - 1 },
		{ mail("bobby", high - 2, "e", MAIL_INFO), high - 1 },
		{ release("bob", high - 1, "c", ACK_PONG, now_ms()), 4 },
		{ release("bob", 4, "d", ACK_PONG, now_ms()), 3 },
		{ release("bob", 3, "b", ACK_PONG, now_ms()), 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_name_row row;
		struct store_op op = cases[i].op;
		if (op.type == OP_RELEASE)
			op.release.flags = MAIL_INFO;
		bench_do(b, &op, 1);
		assert_true(name_row(b, "bob", &row));
		assert_int_equal(row.low_seq, cases[i].want);
	}
	bench_destroy(b);
}

static void what_is_found_says_under_what_it_is_remembered_until_it_is_released(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = { mail("bob", 1, "m", 0), mail("bob", 2, "m", 0) };
	struct store_op gone = release("bob", 1, "m", ACK_DM, now_ms());
	bench_do(b, ops, COUNT(ops));
	bench_do(b, &gone, 1);
	struct store_read r = { .kind = STORE_READ_FIND, .name = STR("bob"), .id = STR("m") };
	struct store_find_row row;
	size_t cursor = 0;
	bench_read(b, &r);
	assert_int_equal(store_find_row_next(buf_view(&r.rows), &cursor, &row), 1);
	assert_int_equal(row.seq, 0);
	assert_true(row.once.a == 0 && row.once.b == 0);
	assert_int_equal(store_find_row_next(buf_view(&r.rows), &cursor, &row), 1);
	assert_int_equal(row.seq, 2);
	assert_true(row.once.a == once_of(2).a && row.once.b == once_of(2).b);
	assert_int_equal(cursor, r.rows.n);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static void a_mailbox_row_is_the_mail_without_its_receivers(void **state)
{
	struct bench *b = bench_create(state);
	const char *to[] = { "bob", "carol", NULL };
	struct store_op op = mail_to_all(to, 9, "m", MAIL_NO_PC);
	op.mail.target = STR("group");
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = STR("carol"), .rows_max = 1 };
	struct buf want;
	bench_do(b, &op, 1);
	bench_read(b, &r);
	op.mail.receiver_count = 0;
	op.mail.receivers = STR("");
	buf_init(&want, 4096);
	txn_add(&want, &op);
	assert_int_equal(r.rows.n, want.n);
	assert_memory_equal(r.rows.p, want.p, want.n);
	buf_deinit(&want);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static bool fanout_is_there(struct bench *b, uint64_t seq)
{
	struct store_read r = { .kind = STORE_READ_FANOUTS, .after = seq - 1, .rows_max = 1 };
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	bool there = r.rows.n > 0;
	buf_deinit(&r.rows);
	return there;
}

static bool link_or_text_is_there(struct bench *b, enum store_read_kind kind)
{
	struct store_read r = { .kind = kind, .name = STR("bob"), .id = STR(""), .link = LINK_FOLLOW,
				.side = SIDE_OF, .what = TEXT_STATUS, .rows_max = 1 };
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	bool there = r.rows.n > 0;
	buf_deinit(&r.rows);
	return there;
}

static void a_transaction_of_several_ops_is_there_whole_or_not_at_all(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		user("bob", 5), group("g", 6), link_put(LINK_FOLLOW, "bob", "carol", 1),
		text_put("bob", TEXT_STATUS, "s"), mail("bob", 7, "m", 0), fanout(8, 1),
		{ .type = OP_ONCE, .once = { once_of(9), now_ms() } },
	};
	for (unsigned is_good = 0; is_good <= 1; is_good++) {
		struct store_batch batch;
		struct store_name_row row;
		batch_init(&batch);
		batch_add(&batch, ops, COUNT(ops));
		batch.failures_seen = 1; /* right only the second time, when the first has failed */
		assert_int_equal(bench_commit(b, 0, &batch), is_good ? OK : ERR_UNAVAILABLE);
		assert_int_equal(name_row(b, "g", &row), is_good);
		assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), is_good);
		assert_int_equal(link_or_text_is_there(b, STORE_READ_LINKS), is_good);
		assert_int_equal(link_or_text_is_there(b, STORE_READ_TEXT), is_good);
		assert_int_equal(fanout_is_there(b, 8), is_good);
		for (uint64_t seq = 7; seq <= 9; seq++)
			assert_int_equal(is_seen(b, once_of(seq)), is_good);
		buf_deinit(&batch.ops);
	}
	bench_destroy(b);
}

static void the_epoch_fits_above_the_sequences_and_grows_with_the_data(void **state)
{
	struct bench *b = bench_create(state);
	uint32_t last = 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_in_range(b->store->epoch, 1, (1 << (64 - STORE_SEQ_BITS)) - 1);
		if (b->kind == EMBEDDED) /* the others forget at close: other data */
			assert_true(b->store->epoch > last);
		last = b->store->epoch;
		bench_close(b);
		assert_int_equal(bench_open(b), OK);
	}
	bench_destroy(b);
}

static void a_row_that_does_not_fit_the_callers_buffer_is_told(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op op = mail("bob", 1, "m", 0);
	bench_do(b, &op, 1);
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = STR("bob"), .rows_max = 1 };
	buf_init(&r.rows, 16);
	store_read(b->store, 0, &r);
	if (b->kind == FAULT)
		assert_true(fault_answer(b->store, 0, 0, OK));
	assert_ptr_equal(bench_take(b, 0), &r.node);
	assert_int_equal(r.status, ERR_UNAVAILABLE);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static void mail_to_several_lies_with_each_until_he_releases_it(void **state)
{
	struct bench *b = bench_create(state);
	const char *to[] = { "bob", "carol", "dave", NULL };
	struct store_op op = mail_to_all(to, 9, "m", 0), done = release("carol", 9, "m", ACK_DM, now_ms());
	bench_do(b, &op, 1);
	bench_do(b, &done, 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_int_equal(mailbox_rows(b, "carol", 0, 10, false), 0);
	assert_int_equal(mailbox_rows(b, "dave", 0, 10, false), 1);
	assert_string_equal(found(b, "bob", "m"), "9:4:0:0 ");
	assert_string_equal(found(b, "carol", "m"), "0:0:0:1 ");
	assert_true(is_seen(b, once_of(9)));
	bench_destroy(b);
}

static void what_is_released_leaves_the_mailbox_and_can_still_be_found(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op mails[] = { mail("bob", 1, "m1", MAIL_NO_PC), mail("bob", 2, "m1", 0) };
	struct store_op gone = release("bob", 1, "m1", ACK_DM, now_ms());
	gone.release.flags = MAIL_NO_PC;
	bench_do(b, mails, COUNT(mails));
	bench_do(b, &gone, 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_string_equal(found(b, "bob", "m1"), "0:0:1:1 2:4:0:0 ");
	assert_string_equal(found(b, "bob", "m"), "");
	assert_string_equal(found(b, "bobm", "1"), "");
	bench_do(b, &gone, 1); /* again: nothing more happens */
	assert_string_equal(found(b, "bob", "m1"), "0:0:1:1 2:4:0:0 ");
	bench_destroy(b);
}

static void an_acknowledgement_adds_to_one_made_before_and_makes_none(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op op = mail("bob", 1, "m", 0), nm = ack("bob", "m", ACK_NM, now_ms());
	bench_do(b, &nm, 1);
	assert_string_equal(found(b, "bob", "m"), "");
	bench_do(b, &op, 1);
	op = release("bob", 1, "m", ACK_DM, now_ms());
	bench_do(b, &op, 1);
	nm.ack.flags = MAIL_NO_PC; /* stays as the release said */
	bench_do(b, &nm, 1);
	assert_string_equal(found(b, "bob", "m"), "0:0:0:3 ");
	op = release("bob", 7, "m", ACK_PONG, now_ms()); /* another of that id from that sender */
	bench_do(b, &op, 1);
	assert_string_equal(found(b, "bob", "m"), "0:0:0:7 ");
	bench_destroy(b);
}

/* The memory engine learns from it that time has passed. */
static void tell_time(struct bench *b)
{
	struct store_op op = last_seen("somebody", now_ms());
	bench_do(b, &op, 1);
}

static void acknowledgements_are_forgotten_when_the_release_has_aged(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = { mail("bob", 1, "m", 0), release("bob", 1, "m", ACK_DM, LONG_AGO),
				  ack("bob", "m", ACK_NM, now_ms()), mail("bob", 2, "n", 0),
				  release("bob", 2, "n", ACK_DM, now_ms()) };
	bench_do(b, ops, COUNT(ops));
	tell_time(b);
	assert_string_equal(found(b, "bob", "m"), ""); /* a late nm does not make it younger */
	assert_string_equal(found(b, "bob", "n"), "0:0:0:1 ");
	bench_destroy(b);
}

static void a_message_is_seen_while_it_is_there_and_for_the_retention_after_its_release(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op mails[] = { mail("bob", 1, "m1", 0), mail("bob", 2, "m2", 0) };
	assert_false(is_seen(b, once_of(1)));
	bench_do(b, mails, COUNT(mails));
	tell_time(b); /* however old it is */
	assert_true(is_seen(b, once_of(1)));
	assert_false(is_seen(b, once_of(3)));
	struct store_op gone[] = { release("bob", 1, "m1", ACK_DM, now_ms()),
				   release("bob", 2, "m2", ACK_DM, LONG_AGO) };
	bench_do(b, gone, COUNT(gone));
	assert_true(is_seen(b, once_of(1)));
	assert_false(is_seen(b, once_of(2)));
	bench_destroy(b);
}

static void names_are_listed_sorted_by_prefix_and_in_pages(void **state)
{
	struct bench *b = bench_create(state);
	const char *names[] = { "bob", "alice", "bobby", "carol", "bo" };
	for (unsigned i = 0; i < COUNT(names); i++) {
		struct store_op ops[] = { user(names[i], i + 1), last_seen(names[i], 1000 + i),
					  last_seen("boc", 1), mail("bod", i + 1, "m", 0) };
		bench_do(b, ops, COUNT(ops));
	}
	static char endless[3000];
	memset(endless, 'b', sizeof(endless) - 1);
	const struct { const char *prefix, *after; unsigned max; const char *want; bool more; } cases[] = {
		{ "", "", 10, "alice bo bob bobby carol ", false },
		{ "", "", 2, "alice bo ", true },
		{ "", "", 5, "alice bo bob bobby carol ", false },
		{ "bo", "", 10, "bo bob bobby ", false },
		{ "bo", "bo", 1, "bob ", true },
		{ "bo", "bob", 10, "bobby ", false },
		{ "bo", "aa", 10, "bo bob bobby ", false },
		{ "bo", "c", 10, "", false },
		{ "z", "", 10, "", false },
		{ endless, "", 10, "", false },
		{ "", endless, 10, "bo bob bobby carol ", false },
	};
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct store_read r = { .kind = STORE_READ_NAMES, .name = str_of(cases[i].prefix),
					.id = str_of(cases[i].after), .rows_max = cases[i].max };
		struct store_name_row row;
		char got[128] = "";
		size_t cursor = 0, n = 0;
		bench_read(b, &r);
		assert_int_equal(r.status, OK);
		while (store_name_row_next(buf_view(&r.rows), &cursor, &row) == 1) {
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s ", STR_ARG(row.name));
			assert_int_equal(row.last_seen_ms, 999 + (int64_t)row.born);
			assert_int_equal(row.token.n, 0);
		}
		assert_string_equal(got, cases[i].want);
		assert_int_equal(r.more, cases[i].more);
		buf_deinit(&r.rows);
	}
	bench_destroy(b);
}

static void nothing_is_known_under_a_name_or_id_too_long_to_exist(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	static char endless[3000];
	memset(endless, 'b', sizeof(endless) - 1);
	assert_false(name_row(b, endless, &row));
	assert_int_equal(mailbox_rows(b, endless, 0, 10, false), 0);
	assert_string_equal(found(b, endless, "m"), "");
	assert_string_equal(found(b, "bob", endless), "");
	bench_destroy(b);
}

static void after_a_failure_the_workers_older_batches_fail_and_others_do_not(void **state)
{
	struct bench *b = bench_create(state);
	struct store_batch batches[3];
	struct store_op ops[] = {
		mail("bob", 1, "m", 0), mail("bob", 2, "m", 0), mail("carol", 3, "m", 0),
	};
	for (unsigned i = 0; i < 3; i++) {
		batch_init(&batches[i]);
		batch_add(&batches[i], &ops[i], 1);
	}
	/* A worker that claims to have seen a failure there was not is refused like one that has
	 * not seen one there was. */
	batches[0].failures_seen = batches[1].failures_seen = 1;
	assert_int_equal(bench_commit(b, 0, &batches[0]), ERR_UNAVAILABLE);
	assert_int_equal(bench_commit(b, 0, &batches[1]), OK);
	assert_int_equal(bench_commit(b, 1, &batches[2]), OK);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_int_equal(mailbox_rows(b, "carol", 0, 10, false), 1);
	assert_false(is_seen(b, once_of(1)));
	assert_true(is_seen(b, once_of(2)));
	for (unsigned i = 0; i < 3; i++)
		buf_deinit(&batches[i].ops);
	bench_destroy(b);
}

static void batches_of_each_worker_come_back_in_order_and_whole(void **state)
{
	struct bench *b = bench_create(state);
	enum { N = 50 };
	struct store_batch batches[WORKERS][N];
	unsigned back[WORKERS] = { 0 };
	for (unsigned i = 0; i < N * WORKERS; i++) {
		struct store_batch *batch = &batches[i % WORKERS][i / WORKERS];
		struct store_op op = mail(i % WORKERS ? "bob" : "carol", i + 1, "m", 0);
		batch_init(batch);
		batch_add(batch, &op, 1);
		store_submit(b->store, i % WORKERS, batch);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		while (back[w] < N) {
			if (b->kind == FAULT)
				assert_true(fault_commit(b->store, w));
			for (struct inbox_node *node = bench_take(b, w); node; node = node->next)
				assert_ptr_equal(node, &batches[w][back[w]++].node);
		}
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(batches[w][i].status, OK);
			buf_deinit(&batches[w][i].ops);
		}
	}
	assert_int_equal(mailbox_rows(b, "bob", 0, 1000, false), N);
	assert_int_equal(mailbox_rows(b, "carol", 0, 1000, false), N);
	bench_destroy(b);
}

static void closing_hands_back_everything_first(void **state)
{
	struct bench *b = bench_create(state);
	enum { N = 20 };
	struct store_batch batches[N];
	struct store_read reads[N];
	for (unsigned i = 0; i < N; i++) {
		struct store_op op = mail("bob", i + 1, "m", 0);
		batch_init(&batches[i]);
		batch_add(&batches[i], &op, 1);
		store_submit(b->store, 0, &batches[i]);
		reads[i] = (struct store_read){ .kind = STORE_READ_NAME, .name = STR("bob") };
		buf_init(&reads[i].rows, 4096);
		store_read(b->store, 1, &reads[i]);
	}
	bench_close(b);
	unsigned n = 0;
	for (unsigned w = 0; w < WORKERS; w++)
		for (struct inbox_node *node = bench_take(b, w); node; node = node->next)
			n++;
	assert_int_equal(n, 2 * N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(batches[i].status, OK);
		buf_deinit(&batches[i].ops);
		buf_deinit(&reads[i].rows);
	}
	bench_destroy(b);
}

/* --- fault only --- */

static void a_refused_batch_leaves_nothing_and_takes_those_behind_it_along(void **state)
{
	struct bench *b = bench_create(state);
	struct store_batch batches[3];
	for (unsigned i = 0; i < 3; i++) {
		struct store_op op = mail("bob", i + 1, "m", 0);
		batch_init(&batches[i]);
		batch_add(&batches[i], &op, 1);
		batches[i].failures_seen = i == 2 ? 2 : 0;
		store_submit(b->store, 0, &batches[i]);
	}
	assert_int_equal(fault_batches(b->store, 0), 3);
	assert_true(fault_refuse(b->store, 0));
	assert_true(fault_commit(b->store, 0));
	assert_true(fault_commit(b->store, 0));
	assert_false(fault_commit(b->store, 0));
	assert_int_equal(batches[0].status, ERR_UNAVAILABLE);
	assert_int_equal(batches[1].status, ERR_UNAVAILABLE);
	assert_int_equal(batches[2].status, OK);
	bench_take(b, 0);
	assert_int_equal(mailbox_rows(b, "bob", 2, 10, false), 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	for (unsigned i = 0; i < 3; i++)
		buf_deinit(&batches[i].ops);
	bench_destroy(b);
}

static void a_crash_forgets_what_waits_and_keeps_what_was_committed(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op op = mail("bob", 1, "m", 0), lost = mail("bob", 2, "m", 0);
	struct store_batch batch;
	bench_do(b, &op, 1);
	batch_init(&batch);
	batch_add(&batch, &lost, 1);
	store_submit(b->store, 0, &batch);
	b->store = fault_crash(b->store);
	b->kind = MEMORY;
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	buf_deinit(&batch.ops);
	bench_destroy(b);
}

static void reads_come_back_in_any_order_or_fail_when_told(void **state)
{
	struct bench *b = bench_create(state);
	struct store_read reads[3];
	for (unsigned i = 0; i < 3; i++) {
		reads[i] = (struct store_read){ .kind = STORE_READ_SEEN };
		buf_init(&reads[i].rows, 64);
		store_read(b->store, 0, &reads[i]);
	}
	assert_true(fault_answer(b->store, 0, 2, OK));
	assert_ptr_equal(bench_take(b, 0), &reads[2].node);
	assert_true(fault_answer(b->store, 0, 0, ERR_UNAVAILABLE));
	assert_ptr_equal(bench_take(b, 0), &reads[0].node);
	assert_int_equal(reads[0].status, ERR_UNAVAILABLE);
	assert_false(fault_answer(b->store, 0, 1, OK));
	assert_int_equal(fault_reads(b->store, 0), 1);
	fault_seen_unknown(b->store, 1000, 1);
	assert_int_equal(store_seen(b->store, 0, once_of(1)), -1);
	fault_seen_unknown(b->store, 0, 1);
	assert_int_equal(store_seen(b->store, 0, once_of(1)), 0);
	bench_destroy(b);
}

#define FAULT_ONLY(test) { #test, test, NULL, NULL, (void *)FAULT }

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL_ENGINES(a_user_is_what_was_put_last),
		ALL_ENGINES(receipts_and_information_do_not_count_as_mail_nor_are_they_found),
		ALL_ENGINES(deleting_a_user_forgets_all_that_is_his_and_nothing_of_others),
		ALL_ENGINES(deleting_and_making_again_in_one_transaction_leaves_the_new_one),
		ALL_ENGINES(what_lay_in_a_deleted_mailbox_is_remembered_no_longer_than_what_was_released),
		ALL_ENGINES(a_mailbox_is_read_in_order_within_bounds_and_by_its_owner_only),
		ALL_ENGINES(a_mailbox_read_ends_with_the_row_that_reaches_the_bytes_and_has_one_at_least),
		ALL_ENGINES(the_mail_with_the_highest_low_sequence_is_told_with_the_name),
		ALL_ENGINES(what_is_found_says_under_what_it_is_remembered_until_it_is_released),
		ALL_ENGINES(a_mailbox_row_is_the_mail_without_its_receivers),
		ALL_ENGINES(a_transaction_of_several_ops_is_there_whole_or_not_at_all),
		ALL_ENGINES(the_epoch_fits_above_the_sequences_and_grows_with_the_data),
		ALL_ENGINES(a_row_that_does_not_fit_the_callers_buffer_is_told),
		ALL_ENGINES(mail_to_several_lies_with_each_until_he_releases_it),
		ALL_ENGINES(what_is_released_leaves_the_mailbox_and_can_still_be_found),
		ALL_ENGINES(an_acknowledgement_adds_to_one_made_before_and_makes_none),
		ALL_ENGINES(acknowledgements_are_forgotten_when_the_release_has_aged),
		ALL_ENGINES(a_message_is_seen_while_it_is_there_and_for_the_retention_after_its_release),
		ALL_ENGINES(names_are_listed_sorted_by_prefix_and_in_pages),
		ALL_ENGINES(nothing_is_known_under_a_name_or_id_too_long_to_exist),
		ALL_ENGINES(after_a_failure_the_workers_older_batches_fail_and_others_do_not),
		ALL_ENGINES(batches_of_each_worker_come_back_in_order_and_whole),
		ALL_ENGINES(closing_hands_back_everything_first),
		FAULT_ONLY(a_refused_batch_leaves_nothing_and_takes_those_behind_it_along),
		FAULT_ONLY(a_crash_forgets_what_waits_and_keeps_what_was_committed),
		FAULT_ONLY(reads_come_back_in_any_order_or_fail_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
