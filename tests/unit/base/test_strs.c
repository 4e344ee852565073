#include "base/err.h"
#include "base/strs.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void what_was_added_comes_back_in_order(void **state)
{
	struct buf list;
	struct str s;
	size_t cursor = 0;
	(void)state;
	buf_init(&list, 1000);
	strs_add(&list, STR("bob"));
	strs_add(&list, STR(""));
	strs_add(&list, STR_NONE);
	strs_add(&list, STR("carol"));
	assert_int_equal(strs_count(buf_view(&list)), 4);
	assert_int_equal(strs_next(buf_view(&list), &cursor, &s), 1);
	assert_true(str_eq(s, STR("bob")));
	assert_int_equal(strs_next(buf_view(&list), &cursor, &s), 1);
	assert_true(s.p && s.n == 0);
	assert_int_equal(strs_next(buf_view(&list), &cursor, &s), 1);
	assert_null(s.p);
	assert_int_equal(strs_next(buf_view(&list), &cursor, &s), 1);
	assert_true(str_eq(s, STR("carol")));
	assert_int_equal(strs_next(buf_view(&list), &cursor, &s), 0);
	buf_deinit(&list);
}

static void a_list_cut_short_is_corrupt(void **state)
{
	struct buf list;
	struct str s;
	(void)state;
	buf_init(&list, 1000);
	strs_add(&list, STR("bob"));
	for (size_t n = 1; n < list.n; n++) {
		size_t cursor = 0;
		assert_int_equal(strs_next((struct str){ list.p, n }, &cursor, &s), ERR_CORRUPT);
	}
	buf_deinit(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_comes_back_in_order),
		cmocka_unit_test(a_list_cut_short_is_corrupt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
