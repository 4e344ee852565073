#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void a_buffer_never_grows_past_its_maximum_and_remembers_the_failure(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 100);
	for (unsigned i = 0; i < 10; i++)
		buf_add(&b, "0123456789", 10);
	assert_false(b.failed);
	assert_int_equal(b.n, 100);
	assert_true(b.cap <= 100);
	buf_u8(&b, 'x');
	assert_true(b.failed);
	assert_int_equal(b.n, 100);
	buf_add(&b, "", 0); /* later ones do nothing */
	assert_int_equal(b.n, 100);
	buf_clear(&b);
	BUF_LIT(&b, "again");
	assert_true(str_eq(buf_view(&b), STR("again")));
	buf_deinit(&b);
}

static void numbers_and_formats_are_written_in_full(void **state)
{
	static const struct { int64_t v; const char *text; } cases[] = {
		{ 0, "0" }, { 7, "7" }, { -1, "-1" }, { INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	struct buf b;
	(void)state;
	buf_init(&b, 1024);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&b);
		buf_i64(&b, cases[i].v);
		assert_true(str_eq(buf_view(&b), str_of(cases[i].text)));
	}
	buf_clear(&b);
	buf_printf(&b, "%s-%d", "a", 5);
	buf_printf(&b, "%0200d", 1);
	assert_int_equal(b.n, 203);
	buf_consume(&b, 202);
	assert_true(str_eq(buf_view(&b), STR("1")));
	buf_deinit(&b);
}

static void a_small_maximum_holds_too(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 5);
	BUF_LIT(&b, "abc");
	BUF_LIT(&b, "def");
	assert_true(b.failed);
	assert_int_equal(b.n, 3);
	buf_deinit(&b);
}

static void an_empty_buffer_views_as_empty_and_reserves_nothing_below_zero(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 0);
	assert_int_equal(buf_view(&b).n, 0);
	assert_non_null(buf_view(&b).p);
	assert_null(buf_reserve(&b, 1));
	assert_true(b.failed);
	buf_deinit(&b);
}

static void an_arena_is_aligned_bounded_and_can_be_cleared(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 20000);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 1; i < 100; i++) {
			char *p = arena_get(&a, i);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			memset(p, 0xaa, i);
		}
		assert_null(arena_get(&a, 20001));
		assert_null(arena_get(&a, 15000));
		assert_true(str_eq(arena_str(&a, STR("copy")), STR("copy")));
		arena_clear(&a);
	}
	assert_non_null(arena_get(&a, 15000));
	arena_deinit(&a);
}

static void errors_have_texts(void **state)
{
	(void)state;
	assert_string_equal(err_text(ERR_LOCKED), "in use by another process");
	assert_string_equal(err_text(-99), "unknown error");
	assert_string_equal(err_text(OK), "no error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_never_grows_past_its_maximum_and_remembers_the_failure),
		cmocka_unit_test(numbers_and_formats_are_written_in_full),
		cmocka_unit_test(a_small_maximum_holds_too),
		cmocka_unit_test(an_empty_buffer_views_as_empty_and_reserves_nothing_below_zero),
		cmocka_unit_test(an_arena_is_aligned_bounded_and_can_be_cleared),
		cmocka_unit_test(errors_have_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
