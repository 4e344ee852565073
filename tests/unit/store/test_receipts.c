/* The receipt index over a base in memory: what is known, where it lies, and when it is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/base_memory.h"
#include "store/receipts_private.h"

#define HOUR_MS INT64_C(3600000)
#define RETENTION_MS (80 * HOUR_MS) /* slices of ten hours */
#define BEGIN_MS (1000000 * HOUR_MS)

struct bench {
	struct base_memory *memory;
	struct base *base;
	struct receipts *receipts;
	pthread_mutex_t lock;
	int64_t now_ms, retention_ms;
	uint64_t segment;
};

static const _Atomic bool never;

static void bench_open(struct bench *b)
{
	struct receipts_config config = { .base = b->base, .lock = &b->lock, .retention_ms = b->retention_ms,
					  .now_ms = b->now_ms, .filter_bytes_max = 1 << 24 };
	assert_int_equal(receipts_open(&config, &b->receipts), OK);
	assert_int_equal(receipts_rebuild(b->receipts, &never), OK);
}

static void bench_init(struct bench *b)
{
	*b = (struct bench){ .memory = base_memory_new(1), .now_ms = BEGIN_MS, .retention_ms = RETENTION_MS,
			     .segment = 1 };
	b->base = base_memory_open(b->memory);
	pthread_mutex_init(&b->lock, NULL);
	bench_open(b);
}

static void bench_deinit(struct bench *b)
{
	receipts_free(b->receipts);
	b->base->calls->free(b->base);
	base_memory_free(b->memory);
	pthread_mutex_destroy(&b->lock);
}

/* Whatever is not in the base is forgotten. */
static void bench_reopen(struct bench *b)
{
	assert_int_equal(b->base->calls->write(b->base), OK);
	receipts_free(b->receipts);
	bench_open(b);
}

static struct hash128 once_of(uint64_t n)
{
	return (struct hash128){ n * UINT64_C(0x9e3779b97f4a7c15), n * UINT64_C(0xc2b2ae3d27d4eb4f) };
}

static void spill(struct bench *b)
{
	struct base_bulk *bulk;
	assert_int_equal(receipts_build(b->receipts, b->segment, b->now_ms, &bulk), OK);
	if (bulk)
		assert_int_equal(b->base->calls->bulk_take(b->base, bulk), OK);
	receipts_built(b->receipts, b->segment++);
	assert_int_equal(b->base->calls->write(b->base), OK);
}

static void time_goes_on(struct bench *b, int64_t ms)
{
	b->now_ms += ms;
	if (receipts_tick(b->receipts, b->now_ms))
		assert_int_equal(receipts_carry(b->receipts), OK);
}

static bool knows(struct bench *b, struct hash128 once)
{
	bool found = receipts_recent_once(b->receipts, once, b->now_ms);
	if (!found)
		assert_int_equal(receipts_base_once(b->receipts, NULL, once, b->now_ms, &found), OK);
	/* The filter never denies what is there. */
	assert_true(!found || receipts_seen(b->receipts, 0, once) == -1);
	return found;
}

static void held_put(struct bench *b, struct hash128 once, int64_t ms)
{
	char value[8];
	struct key key = receipts_held_key(once);
	base_put(b->base, FAMILY_BOX, key_view(&key), receipts_held_value(b->receipts, ms, value));
	assert_int_equal(b->base->calls->write(b->base), OK);
}

static void what_was_released_is_known_for_the_retention_wherever_it_lies(void **state)
{
	(void)state;
	for (unsigned where = 0; where < 3; where++) {
		struct bench b;
		bench_init(&b);
		receipts_add_once(b.receipts, 1, once_of(1), b.now_ms, b.now_ms);
		if (where >= 1)
			spill(&b);
		if (where >= 2)
			bench_reopen(&b);
		for (int64_t hour = 0; hour < 80; hour++, time_goes_on(&b, HOUR_MS))
			assert_true(knows(&b, once_of(1)));
		assert_false(knows(&b, once_of(1)));
		for (int64_t hour = 0; hour < 20; hour++, time_goes_on(&b, HOUR_MS))
			assert_false(knows(&b, once_of(1)));
		if (where >= 1) /* the filter has forgotten, too, and the base */
			assert_int_equal(receipts_seen(b.receipts, 0, once_of(1)), 0);
		struct base_iter *it = b.base->calls->iter(b.base, NULL, FAMILY_RECEIPTS, STR(""), STR(""), true);
		struct str key, value;
		assert_false(b.base->calls->iter_at(it, &key, &value));
		assert_int_equal(b.base->calls->iter_free(it), OK);
		bench_deinit(&b);
	}
}

static void what_lies_in_a_mailbox_is_known_however_long_it_lies_there(void **state)
{
	(void)state;
	for (unsigned where = 0; where < 3; where++) {
		struct bench b;
		bench_init(&b);
		receipts_add_once(b.receipts, 1, once_of(1), 0, b.now_ms);
		for (int64_t hour = 0; hour < 500; hour++, time_goes_on(&b, HOUR_MS * (1 + hour % 23))) {
			assert_true(knows(&b, once_of(1)));
			if (where && hour == (where == 1 ? 0 : 133)) { /* spilled at once, or late */
				held_put(&b, once_of(1), BEGIN_MS);
				spill(&b);
			}
			if (where && hour % 97 == 96 && hour > 133)
				bench_reopen(&b);
		}
		bench_deinit(&b);
	}
}

static void what_a_deleted_user_left_is_known_for_the_retention(void **state)
{
	struct bench b;
	struct buf value;
	struct key key = receipts_held_key(once_of(1));
	(void)state;
	bench_init(&b);
	held_put(&b, once_of(1), b.now_ms);
	time_goes_on(&b, 200 * HOUR_MS);
	buf_init(&value, 64);
	receipts_left_value(b.receipts, once_of(1), b.now_ms, &value);
	base_put(b.base, FAMILY_BOX, key_view(&key), buf_view(&value));
	buf_deinit(&value);
	for (unsigned opened = 0; opened < 2; opened++) {
		for (int64_t hour = 0; hour < 40; hour++, time_goes_on(&b, HOUR_MS))
			assert_true(knows(&b, once_of(1)));
		bench_reopen(&b);
	}
	assert_false(knows(&b, once_of(1)));
	bench_deinit(&b);
}

static void a_clock_set_back_or_rows_of_another_time_lose_nothing(void **state)
{
	const int64_t jumps[] = { -5 * HOUR_MS, -50 * HOUR_MS, -1000 * HOUR_MS };
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct bench b;
		bench_init(&b);
		receipts_add_once(b.receipts, 1, once_of(1), b.now_ms, b.now_ms);
		spill(&b);
		receipts_add_once(b.receipts, b.segment, once_of(2), b.now_ms, b.now_ms);
		time_goes_on(&b, jumps[i]);
		receipts_add_once(b.receipts, b.segment, once_of(3), b.now_ms, b.now_ms);
		bench_reopen(&b); /* of 2 and 3 nothing is left, as the journal would be read again */
		receipts_add_once(b.receipts, b.segment, once_of(2), BEGIN_MS, BEGIN_MS);
		receipts_add_once(b.receipts, b.segment, once_of(3), b.now_ms, b.now_ms);
		for (uint64_t n = 1; n <= 3; n++)
			assert_true(knows(&b, once_of(n)));
		spill(&b);
		bench_reopen(&b);
		for (int64_t hour = 0; hour < 79; hour++, time_goes_on(&b, HOUR_MS))
			for (uint64_t n = 1; n <= 3; n++)
				assert_true(knows(&b, once_of(n)));
		bench_deinit(&b);
	}
}

static void another_retention_keeps_what_it_covers(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	for (uint64_t n = 0; n < 60; n++, time_goes_on(&b, HOUR_MS)) {
		receipts_add_once(b.receipts, b.segment, once_of(n), b.now_ms, b.now_ms);
		spill(&b);
	}
	b.retention_ms = 30 * HOUR_MS;
	bench_reopen(&b);
	for (uint64_t n = 0; n < 60; n++) /* told 60 - n hours ago */
		assert_int_equal(knows(&b, once_of(n)), n > 30);
	b.retention_ms = 700 * HOUR_MS;
	bench_reopen(&b);
	for (uint64_t n = 31; n < 60; n++)
		assert_true(knows(&b, once_of(n)));
	bench_deinit(&b);
}

/* --- acknowledgements --- */

static struct op_ack ack(const char *user, const char *id, uint8_t kinds, int64_t ms)
{
	return (struct op_ack){ .user = str_of(user), .id = str_of(id), .kinds = kinds, .ms = ms, .flags = 1,
				.sender_born = 7, .sender = STR("alice") };
}

/* The kinds found; 0: no row. */
static unsigned kinds_of(struct bench *b, const char *user, const char *id)
{
	struct buf found, rows;
	struct store_find_row row = { 0 };
	size_t cursor = 0;
	bool gone;
	unsigned n = 0;
	buf_init(&found, 1 << 20);
	buf_init(&rows, 1 << 20);
	receipts_recent_acks(b->receipts, str_of(user), str_of(id), &found, &gone);
	assert_int_equal(receipts_base_acks(b->receipts, NULL, str_of(user), str_of(id), b->now_ms, &found, gone,
					    &rows), OK);
	while (store_find_row_next(buf_view(&rows), &cursor, &row) == 1)
		n++;
	assert_true(n <= 1);
	buf_deinit(&found);
	buf_deinit(&rows);
	return n ? row.kinds : 0;
}

static void rows_of_one_message_are_joined_wherever_they_lie_and_age_with_the_release(void **state)
{
	(void)state;
	for (unsigned where = 0; where < 4; where++) {
		struct bench b;
		bench_init(&b);
		struct op_ack first = ack("bob", "m", ACK_PONG | KINDS_RELEASE, b.now_ms);
		receipts_add_ack(b.receipts, b.segment, &first);
		if (where & 1)
			spill(&b);
		time_goes_on(&b, 40 * HOUR_MS);
		struct op_ack second = ack("bob", "m", ACK_DM, b.now_ms);
		receipts_add_ack(b.receipts, b.segment, &second);
		if (where & 2)
			spill(&b);
		assert_int_equal(kinds_of(&b, "bob", "m"), ACK_PONG | ACK_DM);
		assert_int_equal(kinds_of(&b, "bob", "n"), 0);
		assert_int_equal(kinds_of(&b, "bo", "bm"), 0);
		time_goes_on(&b, 39 * HOUR_MS);
		assert_int_equal(kinds_of(&b, "bob", "m"), ACK_PONG | ACK_DM);
		time_goes_on(&b, HOUR_MS);
		assert_int_equal(kinds_of(&b, "bob", "m"), 0);
		bench_deinit(&b);
	}
}

/* In memory; on its way to the base, seen by the build or too late for it; in the base. */
static void of_a_deleted_user_no_acknowledgement_is_found_but_of_who_comes_after_him(void **state)
{
	(void)state;
	for (unsigned where = 0; where < 4; where++) {
		struct bench b;
		struct base_bulk *bulk = NULL;
		bench_init(&b);
		struct op_ack op = ack("bob", "m", ACK_DM | KINDS_RELEASE, b.now_ms);
		receipts_add_ack(b.receipts, 1, &op);
		if (where == 2)
			assert_int_equal(receipts_build(b.receipts, 1, b.now_ms, &bulk), OK);
		if (where == 3)
			spill(&b);
		assert_int_equal(receipts_forget_user(b.receipts, 2, STR("bob"), true), OK);
		assert_int_equal(kinds_of(&b, "bob", "m"), ACK_DM);
		assert_int_equal(receipts_forget_user(b.receipts, 2, STR("bob"), false), OK);
		assert_int_equal(b.base->calls->write(b.base), OK);
		assert_int_equal(kinds_of(&b, "bob", "m"), 0);
		struct op_ack after = ack("bob", "n", ACK_NM | KINDS_RELEASE, b.now_ms);
		receipts_add_ack(b.receipts, 2, &after);
		if (where == 1)
			assert_int_equal(receipts_build(b.receipts, 1, b.now_ms, &bulk), OK);
		if (bulk) {
			assert_int_equal(b.base->calls->bulk_take(b.base, bulk), OK);
			receipts_built(b.receipts, 1);
			assert_int_equal(b.base->calls->write(b.base), OK);
		} else if (where == 1) {
			receipts_built(b.receipts, 1);
		}
		b.segment = 2;
		for (unsigned spilled = 0; spilled < 2; spilled++) {
			assert_int_equal(kinds_of(&b, "bob", "m"), 0);
			assert_int_equal(kinds_of(&b, "bob", "n"), ACK_NM);
			spill(&b);
		}
		bench_deinit(&b);
	}
}

/* --- filters --- */

static void a_filter_denies_none_it_was_told_and_few_others_are_taken_for_known(void **state)
{
	enum { N = 1000000 };
	struct bloom bloom;
	unsigned wrong = 0;
	(void)state;
	bloom_init(&bloom, (size_t)64 << 20);
	for (uint64_t n = 0; n < N; n++)
		bloom_add(&bloom, 5, once_of(n));
	for (uint64_t n = 0; n < N; n += 7)
		assert_true(bloom_maybe(&bloom, 0, once_of(n)));
	for (uint64_t n = N; n < 2 * N; n++)
		wrong += bloom_maybe(&bloom, 0, once_of(n));
	print_message("%u of %u wrong, %zu bytes\n", wrong, N, (size_t)bloom.bytes);
	assert_true(wrong < N / 100);
	assert_true(bloom.bytes < 10 * (size_t)N);
	bloom_forget(&bloom, 6);
	assert_false(bloom_maybe(&bloom, 0, once_of(1)));
	assert_int_equal(bloom.bytes, 0);
	bloom_deinit(&bloom);
}

static void a_filter_keeps_its_bound_of_memory_and_denies_none(void **state)
{
	enum { N = 300000 };
	struct bloom bloom;
	(void)state;
	bloom_init(&bloom, (size_t)1 << 18);
	for (uint64_t n = 0; n < N; n++)
		bloom_add(&bloom, (uint32_t)(n / 40000), once_of(n));
	assert_true(bloom.bytes <= ((size_t)1 << 18) + BLOOM_SLOTS * 64);
	for (uint64_t n = 0; n < N; n++)
		assert_true(bloom_maybe(&bloom, 63, once_of(n)));
	bloom_deinit(&bloom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_released_is_known_for_the_retention_wherever_it_lies),
		cmocka_unit_test(what_lies_in_a_mailbox_is_known_however_long_it_lies_there),
		cmocka_unit_test(what_a_deleted_user_left_is_known_for_the_retention),
		cmocka_unit_test(a_clock_set_back_or_rows_of_another_time_lose_nothing),
		cmocka_unit_test(another_retention_keeps_what_it_covers),
		cmocka_unit_test(rows_of_one_message_are_joined_wherever_they_lie_and_age_with_the_release),
		cmocka_unit_test(of_a_deleted_user_no_acknowledgement_is_found_but_of_who_comes_after_him),
		cmocka_unit_test(a_filter_denies_none_it_was_told_and_few_others_are_taken_for_known),
		cmocka_unit_test(a_filter_keeps_its_bound_of_memory_and_denies_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
