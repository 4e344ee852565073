#include "base/buf.h"
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

static void a_formatted_text_may_fill_the_buffer_to_the_last_byte(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 100);
	buf_printf(&b, "%0100d", 7);
	assert_false(b.failed);
	assert_int_equal(b.n, 100);
	assert_int_equal(b.p[99], '7');
	buf_printf(&b, "%s", "");
	assert_false(b.failed);
	buf_printf(&b, "%d", 7);
	assert_true(b.failed);
	assert_int_equal(b.n, 100);
	buf_deinit(&b);
}

static void memory_doubles_and_what_was_appended_stays(void **state)
{
	struct buf b;
	unsigned grown = 0;
	(void)state;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 100000; i++) {
		size_t cap = b.cap;
		buf_u8(&b, (uint8_t)i);
		if (b.cap != cap) {
			assert_true(b.cap >= 2 * cap);
			grown++;
		}
	}
	assert_true(grown < 20);
	for (unsigned i = 0; i < b.n; i++)
		assert_int_equal((uint8_t)b.p[i], (uint8_t)i);
	buf_deinit(&b);
}

static void what_is_reserved_counts_only_when_committed(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 10);
	char *to = buf_reserve(&b, 10);
	assert_non_null(to);
	memcpy(to, "0123456789", 10);
	assert_int_equal(b.n, 0);
	buf_commit(&b, 4);
	assert_true(str_eq(buf_view(&b), STR("0123")));
	assert_null(buf_reserve(&b, 7));
	assert_null(buf_reserve(&b, 1)); /* the first failure sticks */
	buf_deinit(&b);
}

static void bytes_are_consumed_from_the_front(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 10);
	buf_consume(&b, 0);
	BUF_LIT(&b, "0123456789");
	buf_consume(&b, 4);
	assert_true(str_eq(buf_view(&b), STR("456789")));
	BUF_LIT(&b, "abcd");
	assert_true(str_eq(buf_view(&b), STR("456789abcd")));
	buf_consume(&b, 10);
	assert_int_equal(b.n, 0);
	assert_false(b.failed);
	buf_deinit(&b);
}

/* Sanitizers are to return NULL as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "allocator_may_return_null=1"; }

static void a_buffer_without_memory_fails_and_keeps_what_it_has(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, SIZE_MAX);
	BUF_LIT(&b, "kept");
	assert_null(buf_reserve(&b, SIZE_MAX / 4));
	assert_true(b.failed);
	assert_true(str_eq(buf_view(&b), STR("kept")));
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(str_eq((struct str){ b.p, 4 }, STR("kept")));
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_never_grows_past_its_maximum_and_remembers_the_failure),
		cmocka_unit_test(numbers_and_formats_are_written_in_full),
		cmocka_unit_test(a_small_maximum_holds_too),
		cmocka_unit_test(an_empty_buffer_views_as_empty_and_reserves_nothing_below_zero),
		cmocka_unit_test(a_formatted_text_may_fill_the_buffer_to_the_last_byte),
		cmocka_unit_test(memory_doubles_and_what_was_appended_stays),
		cmocka_unit_test(what_is_reserved_counts_only_when_committed),
		cmocka_unit_test(bytes_are_consumed_from_the_front),
		cmocka_unit_test(a_buffer_without_memory_fails_and_keeps_what_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
