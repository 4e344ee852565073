#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

static void differences_are_rounded_down_also_below_zero(void **state)
{
	static const struct { int64_t a_ns, b_ns, ms; } cases[] = {
		{ 0, 0, 0 }, { 0, 999999, 0 }, { 0, 1000000, 1 }, { 0, 1999999, 1 },
		{ 1, 0, -1 }, { 1000000, 0, -1 }, { 1000001, 0, -2 },
		{ -5000000, 5000000, 10 },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cases[i].ms, mono_diff_ms((struct mono){ cases[i].a_ns },
							   (struct mono){ cases[i].b_ns }));
}

static void what_was_added_is_the_difference(void **state)
{
	static const int64_t cases[] = { 0, 1, -1, 60000, INT64_C(86400000) * 365 };
	(void)state;
	struct mono now = mono_now();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(mono_diff_ms(now, mono_add_ms(now, cases[i])), cases[i]);
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
	(void)state;
	struct mono before = mono_now();
	for (unsigned i = 0; i < 1000; i++) {
		struct mono now = mono_now();
		assert_true(now.ns >= before.ns);
		before = now;
	}
}

static void the_wall_clock_counts_milliseconds_of_unix_time(void **state)
{
	(void)state;
	struct timespec before, after;
	clock_gettime(CLOCK_REALTIME, &before);
	struct wall now = wall_now();
	clock_gettime(CLOCK_REALTIME, &after);
	assert_true(now.ms >= (int64_t)before.tv_sec * 1000 + before.tv_nsec / NS_PER_MS);
	assert_true(now.ms <= (int64_t)after.tv_sec * 1000 + after.tv_nsec / NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_rounded_down_also_below_zero),
		cmocka_unit_test(what_was_added_is_the_difference),
		cmocka_unit_test(the_monotonic_clock_does_not_go_back),
		cmocka_unit_test(the_wall_clock_counts_milliseconds_of_unix_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
