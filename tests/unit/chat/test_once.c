#include "chat/once.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hash128 key_of(uint64_t n)
{
	return (struct hash128){ n * UINT64_C(0x9e3779b97f4a7c15), n };
}

static void a_key_is_there_as_often_as_it_was_added(void **state)
{
	struct once o = { 0 };
	(void)state;
	assert_false(once_has(&o, key_of(1)));
	once_add(&o, key_of(1));
	once_add(&o, key_of(1));
	once_remove(&o, key_of(1));
	assert_true(once_has(&o, key_of(1)));
	once_remove(&o, key_of(1));
	assert_false(once_has(&o, key_of(1)));
	once_deinit(&o);
}

/* Few distinct places, so that gaps must be closed properly. */
static void removing_keeps_the_others_findable(void **state)
{
	struct once o = { 0 };
	uint8_t in[2000] = { 0 };
	uint32_t random = 1;
	(void)state;
	for (unsigned step = 0; step < 100000; step++) {
		random = random * 1664525u + 1013904223u;
		uint64_t n = (random >> 8) % 2000;
		struct hash128 key = { n % 37, n };
		assert_int_equal(once_has(&o, key), in[n]);
		if (in[n])
			once_remove(&o, key);
		else
			once_add(&o, key);
		in[n] = !in[n];
	}
	once_deinit(&o);
}

static void the_key_depends_on_every_part(void **state)
{
	struct hash_key secret = { { 1, 2, 3 } };
	(void)state;
	struct hash128 key = once_key(&secret, 1, 2, STR("m1"));
	assert_true(hash128_eq(key, once_key(&secret, 1, 2, STR("m1"))));
	assert_false(hash128_eq(key, once_key(&secret, 2, 1, STR("m1"))));
	assert_false(hash128_eq(key, once_key(&secret, 1, 3, STR("m1"))));
	assert_false(hash128_eq(key, once_key(&secret, 1, 2, STR("m2"))));
	assert_false(hash128_eq(key, once_key(&secret, 1, 2, STR(""))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_there_as_often_as_it_was_added),
		cmocka_unit_test(removing_keeps_the_others_findable),
		cmocka_unit_test(the_key_depends_on_every_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
