#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const int errs[] = {
#define ERR(name, text) ERR_##name,
#include "base/err.def"
#undef ERR
};
#define ERRS (sizeof(errs) / sizeof(errs[0]))

static void each_error_is_negative_and_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ERRS; i++) {
		assert_true(errs[i] < 0);
		assert_true(err_text(errs[i])[0] != 0);
		assert_string_not_equal(err_text(errs[i]), err_text(-1000));
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(err_text(errs[i]), err_text(errs[k]));
	}
}

static void texts_stand_beside_their_errors(void **state)
{
	static const struct { int err; const char *text; } cases[] = {
		{ OK, "no error" }, { ERR_FULL, "a bound was reached" },
		{ ERR_LOCKED, "in use by another process" }, { ERR_UNAVAILABLE, "not available now" },
		{ 1, "unknown error" }, { -(int)ERRS - 1, "unknown error" },
		{ INT32_MIN, "unknown error" }, { INT32_MAX, "unknown error" },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(err_text(cases[i].err), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_is_negative_and_has_a_text_of_its_own),
		cmocka_unit_test(texts_stand_beside_their_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
