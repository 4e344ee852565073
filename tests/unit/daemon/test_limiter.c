/* What addresses cost: failures are forgotten after a minute, and memory is bounded. */
#include "daemon/limiter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct mono at(int64_t seconds)
{
	return (struct mono){ (1000 + seconds) * NS_PER_S };
}

static void failures_of_the_last_minute_are_counted_by_address(void **state)
{
	static const struct { const char *address; unsigned add; int64_t at; unsigned expected; } steps[] = {
		{ "10.0.0.1", 0, 0, 0 },
		{ "10.0.0.1", 1, 0, 1 },
		{ "10.0.0.1", 2, 5, 3 },
		{ "10.0.0.2", 1, 5, 1 },
		{ "10.0.0.1", 1, 30, 4 },
		{ "10.0.0.1", 0, 49, 4 },
		{ "10.0.0.1", 0, 60, 1 },
		{ "10.0.0.1", 0, 90, 0 },
		{ "10.0.0.2", 0, 90, 0 },
		{ "10.0.0.1", 1, 1000000, 1 },
	};
	struct limiter *l = limiter_create();
	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		unsigned n = limiter_failures(l, str_of(steps[i].address), steps[i].add, at(steps[i].at));
		if (n != steps[i].expected)
			fail_msg("step %zu: %u", i, n);
	}
	limiter_destroy(&l);
	assert_null(l);
}

static void whoever_failed_longest_ago_is_forgotten_when_there_are_too_many(void **state)
{
	struct limiter *l = limiter_create();
	char name[32];
	(void)state;
	limiter_failures(l, STR("first"), 1, at(0));
	limiter_failures(l, STR("second"), 1, at(0));
	for (int i = 0; i < LIMITER_ADDRESSES_MAX - 1; i++) {
		snprintf(name, sizeof(name), "%d", i);
		limiter_failures(l, str_of(name), 1, at(1));
	}
	assert_int_equal(limiter_failures(l, STR("first"), 0, at(1)), 0);
	assert_int_equal(limiter_failures(l, STR("second"), 0, at(1)), 1);
	assert_int_equal(limiter_failures(l, str_of(name), 0, at(1)), 1);
	limiter_destroy(&l);
}

static void connections_beyond_the_bound_are_told(void **state)
{
	struct limiter *l = limiter_create();
	struct str a = STR("2001:db8::/64");
	(void)state;
	assert_true(limiter_connect(l, a, 2));
	assert_true(limiter_connect(l, a, 2));
	assert_false(limiter_connect(l, a, 2));
	assert_true(limiter_connect(l, STR("::1"), 2));
	assert_int_equal(limiter_connections(l, a), 3);
	limiter_disconnect(l, a);
	limiter_disconnect(l, a);
	assert_true(limiter_connect(l, a, 2));
	assert_true(limiter_connect(l, a, 0));
	limiter_destroy(&l);
}

static void an_address_is_not_forgotten_while_it_is_connected(void **state)
{
	struct limiter *l = limiter_create();
	(void)state;
	limiter_connect(l, STR("a"), 0);
	limiter_failures(l, STR("a"), 1, at(0));
	limiter_failures(l, STR("b"), 1, at(100));
	assert_int_equal(limiter_connections(l, STR("a")), 1);
	assert_int_equal(limiter_failures(l, STR("a"), 0, at(100)), 0);
	limiter_disconnect(l, STR("a"));
	assert_int_equal(limiter_connections(l, STR("a")), 0);
	limiter_destroy(&l);
}

static void long_addresses_are_cut(void **state)
{
	static const char text[100] = "x";
	struct limiter *l = limiter_create();
	(void)state;
	assert_int_equal(limiter_failures(l, (struct str){ text, 100 }, 1, at(0)), 1);
	assert_int_equal(limiter_failures(l, (struct str){ text, 70 }, 1, at(0)), 2);
	limiter_destroy(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_of_the_last_minute_are_counted_by_address),
		cmocka_unit_test(whoever_failed_longest_ago_is_forgotten_when_there_are_too_many),
		cmocka_unit_test(connections_beyond_the_bound_are_told),
		cmocka_unit_test(an_address_is_not_forgotten_while_it_is_connected),
		cmocka_unit_test(long_addresses_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
