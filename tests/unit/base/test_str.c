#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void strings_are_ordered_byte_for_byte_the_shorter_first(void **state)
{
	static const struct { struct str a, b; int order; } cases[] = {
		{ STR(""), STR(""), 0 }, { { NULL, 0 }, STR(""), 0 }, { STR("a"), STR("a"), 0 },
		{ STR(""), STR("a"), -1 }, { STR("a"), STR("ab"), -1 }, { STR("ab"), STR("b"), -1 },
		{ STR("a\0b"), STR("a\0c"), -1 }, { STR("a"), STR("\xff"), -1 },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sign(str_cmp(cases[i].a, cases[i].b)), cases[i].order);
		assert_int_equal(sign(str_cmp(cases[i].b, cases[i].a)), -cases[i].order);
		assert_int_equal(str_eq(cases[i].a, cases[i].b), cases[i].order == 0);
	}
}

static void a_string_begins_with_itself_and_with_nothing(void **state)
{
	static const struct { struct str s, prefix; bool begins; } cases[] = {
		{ STR("abc"), STR("abc"), true }, { STR("abc"), STR("ab"), true },
		{ STR("abc"), STR(""), true }, { STR("abc"), { NULL, 0 }, true },
		{ { NULL, 0 }, STR(""), true }, { STR("abc"), STR("abcd"), false },
		{ STR("abc"), STR("b"), false }, { { NULL, 0 }, STR("a"), false },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(str_begins(cases[i].s, cases[i].prefix), cases[i].begins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_ordered_byte_for_byte_the_shorter_first),
		cmocka_unit_test(a_string_begins_with_itself_and_with_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
