/* What store.h promises of fan-outs, and of what is remembered of messages, over every engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_AGO (now_ms() - DAY_MS - 1)
#define ALL UINT32_MAX

/* One fan-out as text: "seq(r0 - r2)", a slice that is done "-". */
static size_t fanout_text(const struct op_fanout *f, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%d(", (int)f->seq), cursor = 0; /* its low bits */
	struct str slice, name;
	uint32_t slices = 0;
	for (; strs_next(f->slices, &cursor, &slice) == 1; slices++) {
		size_t at = 0;
		bool some = strs_next(slice, &at, &name) == 1;
		n += (size_t)snprintf(out + n, size - n, "%s%.*s", slices ? " " : "",
				      STR_ARG(some ? name : STR("-")));
	}
	assert_int_equal(cursor, f->slices.n);
	assert_int_equal(slices, f->slice_count);
	return n + (size_t)snprintf(out + n, size - n, ")");
}

static const char *fanouts_page(struct bench *b, struct store_read r)
{
	static char text[256];
	struct store_op op;
	size_t cursor = 0, n = 0;
	bool expects_more = r.more;
	r.kind = STORE_READ_FANOUTS;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	text[0] = 0;
	while (store_op_next(buf_view(&r.rows), &cursor, &op) == 1) {
		assert_int_equal(op.type, OP_FANOUT);
		n += fanout_text(&op.fanout, text + n, sizeof(text) - n);
	}
	assert_int_equal(cursor, r.rows.n);
	assert_int_equal(r.more, expects_more);
	buf_deinit(&r.rows);
	return text;
}

static const char *fanouts(struct bench *b)
{
	return fanouts_page(b, (struct store_read){ .rows_max = ALL, .bytes_max = SIZE_MAX });
}

static void fan_outs_are_listed_by_sequence_until_they_end_their_done_slices_emptied(void **state)
{
	struct bench *b = bench_create(state);
	const uint64_t late = UINT64_C(1) << STORE_SEQ_BITS | 7;
	const struct { struct store_op op; const char *want; } cases[] = {
		{ fanout(300, 3), "300(r0 r1 r2)" },
		{ fanout(5, 1), "5(r0)300(r0 r1 r2)" },
		{ fanout_done(300, 1), "5(r0)300(r0 - r2)" },
		{ fanout_done(300, 1), "5(r0)300(r0 - r2)" },
		{ fanout_done(5, 0), "5(-)300(r0 - r2)" },
		{ fanout_end(5), "300(r0 - r2)" },
		{ fanout_done(5, 0), "300(r0 - r2)" },
		{ fanout_end(5), "300(r0 - r2)" },
		{ fanout(299, 2), "299(r0 r1)300(r0 - r2)" },
		{ fanout_done(300, 0), "299(r0 r1)300(- - r2)" },
		{ fanout_done(300, 2), "299(r0 r1)300(- - -)" },
		{ fanout_end(300), "299(r0 r1)" },
		{ fanout_end(299), "" },
	};
	struct store_op last = fanout(late, 1), end = fanout_end(late);
	assert_string_equal(fanouts(b), "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		bench_do(b, &cases[i].op, 1);
		assert_string_equal(fanouts(b), cases[i].want);
	}
	bench_do(b, &last, 1);
	struct store_read behind = { .after = late - 1, .rows_max = 1 };
	assert_string_equal(fanouts_page(b, behind), "7(r0)");
	bench_do(b, &end, 1);
	assert_string_equal(fanouts(b), "");
	bench_destroy(b);
}

static void a_slice_that_is_not_there_is_no_error(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		fanout(5, 2), fanout_done(5, 2), fanout_done(5, 1000000),
		fanout_done(5, UINT32_MAX), fanout_done(6, 0), fanout(8, 0), fanout_done(8, 0),
	};
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(fanouts(b), "5(r0 r1)8()");
	struct store_op ends[] = { fanout_end(5), fanout_end(8) };
	bench_do(b, ends, COUNT(ends));
	assert_string_equal(fanouts(b), "");
	bench_destroy(b);
}

static void a_fan_out_is_read_as_it_was_written(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op in = fanout(5, 2), out;
	struct store_read r = { .kind = STORE_READ_FANOUTS, .rows_max = 1 };
	size_t cursor = 0;
	bench_do(b, &in, 1);
	bench_read(b, &r);
	assert_int_equal(store_op_next(buf_view(&r.rows), &cursor, &out), 1);
	struct buf written;
	buf_init(&written, 4096);
	txn_add(&written, &in);
	assert_int_equal(r.rows.n, written.n);
	assert_memory_equal(r.rows.p, written.p, written.n);
	buf_deinit(&written);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static void fan_outs_are_read_in_pages(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		fanout(3, 1), fanout(1, 1), fanout(200, 1), fanout(2, 1), fanout_done(2, 0),
	};
	bench_do(b, ops, COUNT(ops));
	struct store_read one = { .kind = STORE_READ_FANOUTS, .rows_max = 1 };
	bench_read(b, &one);
	size_t row = one.rows.n;
	buf_deinit(&one.rows);
	const struct {
		uint64_t after;
		unsigned rows_max;
		size_t bytes_max;
		const char *want;
		bool more;
	} cases[] = {
		{ 0, 9, 9999, "1(r0)2(-)3(r0)200(r0)", false },
		{ 0, 4, 9999, "1(r0)2(-)3(r0)200(r0)", false },
		{ 0, 3, 9999, "1(r0)2(-)3(r0)", true },
		{ 0, 1, 9999, "1(r0)", true },
		{ 1, 1, 9999, "2(-)", true },
		{ 2, 9, 9999, "3(r0)200(r0)", false },
		{ 199, 1, 9999, "200(r0)", false },
		{ 200, 9, 9999, "", false },
		{ UINT64_MAX, 9, 9999, "", false },
		{ 0, 9, 1, "1(r0)", true },
		{ 0, 9, row, "1(r0)", true },
		{ 0, 9, row + 1, "1(r0)2(-)", true },
		{ 2, 9, row + 1, "3(r0)200(r0)", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_read r = { .after = cases[i].after, .rows_max = cases[i].rows_max,
					.bytes_max = cases[i].bytes_max, .more = cases[i].more };
		assert_string_equal(fanouts_page(b, r), cases[i].want);
	}
	bench_destroy(b);
}

/* The memory engine learns from it that time has passed. */
static void tell_time(struct bench *b)
{
	struct store_op op = last_seen("somebody", now_ms());
	bench_do(b, &op, 1);
}

static void a_fan_out_is_remembered_as_released_when_it_was_accepted(void **state)
{
	struct bench *b = bench_create(state);
	const struct { uint8_t kind; int64_t ms; bool seen; } cases[] = {
		{ STORE_GROUP, now_ms(), true },
		{ STORE_GROUP, LONG_AGO, false },
		{ STORE_BROADCAST, now_ms(), true },
		{ STORE_BROADCAST, LONG_AGO, false },
	};
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct store_op op = fanout(i + 1, 1), end = fanout_end(i + 1);
		op.fanout.kind = cases[i].kind;
		op.fanout.ms = cases[i].ms;
		bench_do(b, &op, 1);
		tell_time(b);
		assert_int_equal(is_seen(b, once_of(i + 1)), cases[i].seen);
		bench_do(b, &end, 1);
		assert_int_equal(is_seen(b, once_of(i + 1)), cases[i].seen);
	}
	struct store_op last[] = {
		release("bob", 9, "m", ACK_DM, now_ms()),
		release("bob", 9, "m", ACK_DM, LONG_AGO),
	};
	last[0].release.once = once_of(1);
	last[1].release.once = once_of(2);
	bench_do(b, last, COUNT(last));
	assert_true(is_seen(b, once_of(1)));
	assert_false(is_seen(b, once_of(2)));
	bench_destroy(b);
}

static void information_is_not_remembered(void **state)
{
	struct bench *b = bench_create(state);
	const struct hash128 none = { 0, 0 };
	struct store_op ops[] = {
		fanout(1, 1), mail("bob", 2, "m", MAIL_INFO), release("bob", 2, "m", 0, now_ms()),
		{ .type = OP_ONCE, .once = { none, now_ms() } },
	};
	ops[0].fanout.once = ops[1].mail.once = ops[2].release.once = none;
	ops[2].release.flags = MAIL_INFO;
	for (unsigned i = 0; i < COUNT(ops); i++) {
		bench_do(b, &ops[i], 1);
		assert_false(is_seen(b, none));
	}
	bench_destroy(b);
}

static void a_message_that_nobody_gets_is_remembered_for_the_retention(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = { { .type = OP_ONCE, .once = { once_of(1), now_ms() } },
				  { .type = OP_ONCE, .once = { once_of(2), LONG_AGO } } };
	assert_false(is_seen(b, once_of(1)));
	bench_do(b, ops, COUNT(ops));
	tell_time(b);
	assert_true(is_seen(b, once_of(1)));
	assert_false(is_seen(b, once_of(2)));
	ops[1].once.ms = now_ms(); /* what was forgotten may come anew */
	bench_do(b, &ops[1], 1);
	assert_true(is_seen(b, once_of(2)));
	bench_destroy(b);
}

static void a_slice_of_256_has_its_mail_by_one_op_and_each_releases_his_own(void **state)
{
	struct bench *b = bench_create(state);
	enum { N = 256 };
	struct buf receivers;
	char names[N][8];
	buf_init(&receivers, 1 << 16);
	for (unsigned i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "r%u", i);
		strs_add(&receivers, str_of(names[i]));
	}
	struct store_op ops[] = { mail("r0", 9, "m", 0), fanout_done(5, 0) }, start = fanout(5, 1);
	ops[0].mail.receivers = buf_view(&receivers);
	ops[0].mail.receiver_count = N;
	bench_do(b, &start, 1);
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(fanouts(b), "5(-)");
	for (unsigned i = 0; i < N; i += 2) {
		struct store_op op = release(names[i], 9, "m", ACK_DM, now_ms());
		bench_do(b, &op, 1);
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(mailbox_rows(b, names[i], 0, 10, false), i % 2);
	buf_deinit(&receivers);
	bench_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL_ENGINES(fan_outs_are_listed_by_sequence_until_they_end_their_done_slices_emptied),
		ALL_ENGINES(a_slice_that_is_not_there_is_no_error),
		ALL_ENGINES(a_fan_out_is_read_as_it_was_written),
		ALL_ENGINES(fan_outs_are_read_in_pages),
		ALL_ENGINES(a_fan_out_is_remembered_as_released_when_it_was_accepted),
		ALL_ENGINES(information_is_not_remembered),
		ALL_ENGINES(a_message_that_nobody_gets_is_remembered_for_the_retention),
		ALL_ENGINES(a_slice_of_256_has_its_mail_by_one_op_and_each_releases_his_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
