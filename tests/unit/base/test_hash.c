#include "base/hash.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* 00 01 02 …, as in the vectors of the paper and of the reference implementation. */
static const struct hash_key counting = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };
static const char input[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

static void hashes_are_those_of_siphash_2_4(void **state)
{
	static const struct { size_t n; uint64_t hash; } cases[] = {
		{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 15, 0xa129ca6149be45e5 },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(hash64(&counting, (struct str){ input, cases[i].n }) == cases[i].hash);
}

static void wide_hashes_are_those_of_siphash_2_4_128(void **state)
{
	static const struct { size_t n; struct hash128 hash; } cases[] = {
		{ 0, { 0xe6a825ba047f81a3, 0x930255c71472f66d } },
		{ 1, { 0x44af996bd8c187da, 0x45fc229b11597634 } },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(hash128_eq(hash128(&counting, (struct str){ input, cases[i].n }),
				       cases[i].hash));
}

static void wide_hashes_are_equal_only_if_both_halves_are(void **state)
{
	(void)state;
	assert_true(hash128_eq((struct hash128){ 1, 2 }, (struct hash128){ 1, 2 }));
	assert_false(hash128_eq((struct hash128){ 1, 2 }, (struct hash128){ 1, 3 }));
	assert_false(hash128_eq((struct hash128){ 1, 2 }, (struct hash128){ 3, 2 }));
}

static void what_is_absent_hashes_as_what_is_empty(void **state)
{
	(void)state;
	assert_true(hash64(&counting, STR_NONE) == hash64(&counting, STR("")));
	assert_true(hash128_eq(hash128(&counting, STR_NONE), hash128(&counting, STR(""))));
}

static void another_key_gives_other_hashes(void **state)
{
	struct hash_key a, b;
	(void)state;
	hash_key_random(&a);
	hash_key_random(&b);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_true(hash64(&a, STR("x")) != hash64(&b, STR("x")));
	assert_false(hash128_eq(hash128(&a, STR("x")), hash128(&b, STR("x"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_siphash_2_4),
		cmocka_unit_test(wide_hashes_are_those_of_siphash_2_4_128),
		cmocka_unit_test(wide_hashes_are_equal_only_if_both_halves_are),
		cmocka_unit_test(what_is_absent_hashes_as_what_is_empty),
		cmocka_unit_test(another_key_gives_other_hashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
