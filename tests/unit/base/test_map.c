#include "base/err.h"
#include "base/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define KEYS 500
static char names[KEYS][16];

static struct str key_of(unsigned i)
{
	return str_of(names[i]);
}

/* Against an array that says what must be there. */
static void a_map_holds_what_was_put_and_not_removed(void **state)
{
	struct map m;
	bool in[KEYS] = { false };
	size_t count = 0;
	uint32_t random = 5;
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(names[i], sizeof(names[i]), "name-%u", i);
	map_init(&m);
	for (unsigned step = 0; step < 200000; step++) {
		random = random * 1664525u + 1013904223u;
		unsigned i = (random >> 8) % KEYS;
		if (random >> 30) {
			assert_ptr_equal(map_get(&m, key_of(i)), in[i] ? names[i] : NULL);
		} else if (in[i]) {
			assert_int_equal(map_put(&m, key_of(i), names[i]), ERR_EXISTS);
			assert_ptr_equal(map_remove(&m, key_of(i)), names[i]);
			in[i] = false;
			count--;
		} else {
			assert_null(map_remove(&m, key_of(i)));
			assert_int_equal(map_put(&m, key_of(i), names[i]), OK);
			in[i] = true;
			count++;
		}
		assert_int_equal(m.count, count);
	}
	size_t cursor = 0, seen = 0;
	struct str key;
	void *value;
	while (map_next(&m, &cursor, &key, &value)) {
		assert_ptr_equal(key.p, value);
		seen++;
	}
	assert_int_equal(seen, count);
	map_deinit(&m);
}

static void an_empty_map_finds_nothing_and_keys_may_be_empty(void **state)
{
	struct map m;
	int one = 1;
	(void)state;
	map_init(&m);
	assert_null(map_get(&m, STR("x")));
	assert_null(map_remove(&m, STR("x")));
	assert_int_equal(map_put(&m, STR(""), &one), OK);
	assert_ptr_equal(map_get(&m, STR("")), &one);
	map_deinit(&m);
}

static void hashes_depend_on_the_key(void **state)
{
	struct hash_key a = { { 1 } }, b = { { 2 } };
	(void)state;
	assert_true(hash64(&a, STR("x")) == hash64(&a, STR("x")));
	assert_true(hash64(&a, STR("x")) != hash64(&b, STR("x")));
	assert_true(hash128_eq(hash128(&a, STR("x")), hash128(&a, STR("x"))));
	assert_false(hash128_eq(hash128(&a, STR("x")), hash128(&b, STR("x"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_holds_what_was_put_and_not_removed),
		cmocka_unit_test(an_empty_map_finds_nothing_and_keys_may_be_empty),
		cmocka_unit_test(hashes_depend_on_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
