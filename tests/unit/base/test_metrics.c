#include "base/metrics.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>

static void sums_go_over_all_sets_and_one_metric_only(void **state)
{
	static struct metrics a, b;
	struct metrics *const sets[] = { &a, &b };
	(void)state;
	metric_add(&a, METRIC_connections_open, 3);
	metric_add(&b, METRIC_connections_open, 4);
	metric_add(&b, METRIC_connections_open, -2);
	metric_add(&b, METRIC_connections_total, 9);
	assert_int_equal(metric_sum(sets, 2, METRIC_connections_open), 5);
	assert_int_equal(metric_sum(sets, 1, METRIC_connections_open), 3);
	assert_int_equal(metric_sum(sets, 0, METRIC_connections_open), 0);
	assert_int_equal(metric_sum(sets, 2, METRIC_connections_total), 9);
	assert_int_equal(metric_sum(sets, 2, METRIC_logins_total), 0);
}

static void rows_are_named_apart_and_only_counters_end_in_total(void **state)
{
	(void)state;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		struct str name = str_of(metric_rows[i].name), total = STR("_total");
		bool ends = name.n > total.n &&
			    str_eq((struct str){ name.p + name.n - total.n, total.n }, total);
		assert_string_equal(metric_rows[i].kind, ends ? "counter" : "gauge");
		assert_true(metric_rows[i].help[0] != 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(metric_rows[i].name, metric_rows[k].name);
	}
}

#define STEPS 10000
static struct metrics shared;

static void *count(void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < STEPS; i++)
		metric_add(&shared, METRIC_logins_total, 1);
	return NULL;
}

static void a_reader_beside_the_writer_sees_a_counter_only_grow(void **state)
{
	struct metrics *const sets[] = { &shared };
	pthread_t writer;
	int64_t before = 0;
	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, count, NULL), 0);
	while (before < STEPS) {
		int64_t now = metric_sum(sets, 1, METRIC_logins_total);
		assert_in_range(now, before, STEPS);
		before = now;
	}
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_go_over_all_sets_and_one_metric_only),
		cmocka_unit_test(rows_are_named_apart_and_only_counters_end_in_total),
		cmocka_unit_test(a_reader_beside_the_writer_sees_a_counter_only_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
