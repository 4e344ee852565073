#include "base/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct piece { unsigned char *p; size_t n; };

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
	struct arena a;
	struct piece pieces[300];
	(void)state;
	arena_init(&a, 1 << 20);
	for (unsigned i = 0; i < 300; i++) {
		pieces[i].n = i % 7 == 0 ? i * 20 : i; /* some are larger than a block */
		pieces[i].p = arena_get(&a, pieces[i].n);
		assert_non_null(pieces[i].p);
		assert_int_equal((uintptr_t)pieces[i].p % 16, 0);
		memset(pieces[i].p, (int)i, pieces[i].n);
	}
	for (unsigned i = 0; i < 300; i++)
		for (size_t at = 0; at < pieces[i].n; at++)
			assert_int_equal(pieces[i].p[at], (uint8_t)i);
	arena_deinit(&a);
}

static void an_arena_gives_no_more_than_its_maximum(void **state)
{
	static const size_t maxima[] = { 0, 1, 16, 100, 4096, 5000, 20000 };
	(void)state;
	for (unsigned i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		struct arena a;
		size_t given = 0;
		arena_init(&a, maxima[i]);
		assert_null(arena_get(&a, maxima[i] + 1));
		while (arena_get(&a, 16))
			given += 16;
		assert_true(given <= maxima[i]);
		assert_true(given + 16 > maxima[i]);
		arena_deinit(&a);
	}
}

static void a_piece_too_large_to_count_is_refused(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, SIZE_MAX);
	for (size_t less = 0; less < 64; less++)
		assert_null(arena_get(&a, SIZE_MAX - less));
	assert_non_null(arena_get(&a, 8));
	arena_deinit(&a);
}

static void a_cleared_arena_can_be_filled_again(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 20000);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++)
			assert_non_null(arena_get(&a, 100));
		assert_null(arena_get(&a, 15000));
		arena_clear(&a);
	}
	assert_int_equal(a._total, 4096); /* one block of the usual size is kept */
	assert_non_null(arena_get(&a, 15000));
	arena_clear(&a);
	assert_int_equal(a._total, 4096);
	arena_deinit(&a);
	assert_int_equal(a._total, 0);
	arena_deinit(&a); /* nothing is left to free */
}

static void an_unusually_large_block_is_not_kept(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 20000);
	assert_non_null(arena_get(&a, 15000));
	arena_clear(&a);
	assert_int_equal(a._total, 0);
	assert_non_null(arena_get(&a, 15000));
	arena_deinit(&a);
}

static void strings_are_copied_and_absent_when_they_do_not_fit(void **state)
{
	struct arena a;
	char text[] = "copy";
	(void)state;
	arena_init(&a, 64);
	struct str copy = arena_str(&a, (struct str){ text, 4 });
	text[0] = 'x';
	assert_true(str_eq(copy, STR("copy")));
	struct str empty = arena_str(&a, STR(""));
	assert_non_null(empty.p);
	assert_int_equal(empty.n, 0);
	char large[65] = { 0 };
	assert_null(arena_str(&a, (struct str){ large, sizeof(large) }).p);
	arena_deinit(&a);
}

/* Sanitizers are to return NULL as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "allocator_may_return_null=1"; }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
		cmocka_unit_test(an_arena_gives_no_more_than_its_maximum),
		cmocka_unit_test(a_piece_too_large_to_count_is_refused),
		cmocka_unit_test(a_cleared_arena_can_be_filled_again),
		cmocka_unit_test(an_unusually_large_block_is_not_kept),
		cmocka_unit_test(strings_are_copied_and_absent_when_they_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
