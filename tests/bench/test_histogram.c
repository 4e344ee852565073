#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "bench/histogram.h"

static struct histogram *fresh(void)
{
	struct histogram *h = calloc(1, sizeof(*h));
	assert_non_null(h);
	return h;
}

static void an_empty_histogram_says_zero(void **state)
{
	(void)state;
	struct histogram *h = fresh();
	assert_int_equal(histogram_quantile(h, 5000), 0);
	assert_int_equal(histogram_quantile(h, 10000), 0);
	assert_int_equal(histogram_mean(h), 0);
	free(h);
}

static void small_values_are_exact(void **state)
{
	(void)state;
	struct histogram *h = fresh();
	for (int64_t v = 1; v <= 100; v++)
		histogram_add(h, v);
	static const struct { unsigned in_10000; int64_t value; } rows[] = {
		{ 0, 1 }, { 1, 1 }, { 100, 1 }, { 101, 2 }, { 5000, 50 }, { 5001, 51 }, { 9900, 99 },
		{ 9990, 100 }, { 10000, 100 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(histogram_quantile(h, rows[i].in_10000), rows[i].value);
	assert_int_equal(histogram_mean(h), 50);
	assert_int_equal(h->max_ns, 100);
	free(h);
}

/* The larger value after it keeps the maximum from cutting the bucket's end. */
static void a_quantile_is_never_below_the_value_and_at_most_a_128th_above(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit <= 40; bit++) {
		const int64_t power = INT64_C(1) << bit;
		const int64_t around[] = { power - 1, power, power + 1, power + power / 3 };
		for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
			struct histogram *h = fresh();
			histogram_add(h, around[i]);
			histogram_add(h, INT64_C(1) << 41);
			int64_t q = histogram_quantile(h, 5000);
			assert_true(q >= around[i]);
			assert_true(q <= around[i] + around[i] / 128);
			free(h);
		}
	}
}

static void a_value_beyond_the_range_counts_and_keeps_the_maximum_exact(void **state)
{
	(void)state;
	struct histogram *h = fresh();
	histogram_add(h, 10);
	histogram_add(h, INT64_MAX);
	assert_int_equal(h->count, 2);
	assert_int_equal(histogram_quantile(h, 5000), 10);
	assert_true(histogram_quantile(h, 9990) == INT64_MAX);
	free(h);
}

static void a_negative_duration_counts_as_zero(void **state)
{
	(void)state;
	struct histogram *h = fresh();
	histogram_add(h, -5);
	histogram_add(h, 7);
	assert_int_equal(histogram_quantile(h, 5000), 0);
	assert_int_equal(h->max_ns, 7);
	free(h);
}

static void merging_equals_adding_all_to_one(void **state)
{
	(void)state;
	struct histogram *a = fresh(), *b = fresh(), *both = fresh();
	uint64_t x = 42;
	for (int i = 0; i < 10000; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		int64_t v = (int64_t)(x >> (24 + x % 30));
		histogram_add(i % 3 ? a : b, v);
		histogram_add(both, v);
	}
	histogram_merge(a, b);
	assert_int_equal(a->count, both->count);
	assert_true(a->max_ns == both->max_ns);
	for (unsigned q = 0; q <= 10000; q += 50)
		assert_true(histogram_quantile(a, q) == histogram_quantile(both, q));
	free(a);
	free(b);
	free(both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_histogram_says_zero),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(a_quantile_is_never_below_the_value_and_at_most_a_128th_above),
		cmocka_unit_test(a_value_beyond_the_range_counts_and_keeps_the_maximum_exact),
		cmocka_unit_test(a_negative_duration_counts_as_zero),
		cmocka_unit_test(merging_equals_adding_all_to_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
