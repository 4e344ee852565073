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

static void a_map_grows_before_it_is_three_quarters_full(void **state)
{
	struct map m;
	static char keys[4000][8];
	(void)state;
	map_init(&m);
	for (unsigned i = 0; i < 4000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%u", i);
		assert_int_equal(map_put(&m, str_of(keys[i]), keys[i]), OK);
		assert_int_equal((m._mask + 1) & m._mask, 0);
		assert_true(m.count * 4 <= (m._mask + 1) * 3);
	}
	for (unsigned i = 0; i < 4000; i++)
		assert_ptr_equal(map_remove(&m, str_of(keys[i])), keys[i]);
	for (size_t i = 0; i <= m._mask; i++)
		assert_null(m._slots[i].value); /* no tombstones */
	map_deinit(&m);
}

static void each_entry_is_met_once_by_who_iterates(void **state)
{
	struct map m;
	char keys[100][8];
	unsigned met[100] = { 0 };
	size_t cursor = 0;
	struct str key;
	void *value;
	(void)state;
	map_init(&m);
	assert_false(map_next(&m, &cursor, &key, &value));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%u", i);
		assert_int_equal(map_put(&m, str_of(keys[i]), &met[i]), OK);
	}
	cursor = 0;
	while (map_next(&m, &cursor, &key, &value)) {
		++*(unsigned *)value;
		assert_true(key.p == keys[(unsigned *)value - met]);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(met[i], 1);
	map_deinit(&m);
}

static void a_map_may_be_used_again_after_its_end(void **state)
{
	struct map m;
	int one = 1;
	(void)state;
	map_init(&m);
	assert_int_equal(map_put(&m, STR("x"), &one), OK);
	map_deinit(&m);
	assert_null(map_get(&m, STR("x")));
	assert_int_equal(map_put(&m, STR("x"), &one), OK);
	assert_ptr_equal(map_get(&m, STR("x")), &one);
	map_deinit(&m);
}

static void two_maps_hash_the_same_key_differently(void **state)
{
	struct map a, b;
	int one = 1;
	(void)state;
	map_init(&a);
	map_init(&b);
	assert_int_equal(map_put(&a, STR("x"), &one), OK);
	assert_int_equal(map_put(&b, STR("x"), &one), OK);
	uint64_t hash[2] = { 0 };
	for (size_t i = 0; i <= a._mask; i++) {
		hash[0] |= a._slots[i].hash;
		hash[1] |= b._slots[i].hash;
	}
	assert_true(hash[0] != hash[1]);
	map_deinit(&a);
	map_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_holds_what_was_put_and_not_removed),
		cmocka_unit_test(an_empty_map_finds_nothing_and_keys_may_be_empty),
		cmocka_unit_test(a_map_grows_before_it_is_three_quarters_full),
		cmocka_unit_test(each_entry_is_met_once_by_who_iterates),
		cmocka_unit_test(a_map_may_be_used_again_after_its_end),
		cmocka_unit_test(two_maps_hash_the_same_key_differently),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
