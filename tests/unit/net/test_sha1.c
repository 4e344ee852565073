#include "net/sha1.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

static void known_vectors_come_out(void **state)
{
	(void)state;
	char as[1000];
	memset(as, 'a', sizeof(as));
	const struct { struct str message; const char *hex; } rows[] = {
		{ STR(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ STR("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		{ STR("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		      "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
		  "a49b2446a02c645bf419f995b67091253a04a259" },
		{ { as, 55 }, "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
		{ { as, 64 }, "0098ba824b5c16427bd7a1122a5a442a25ec644d" },
		{ { as, 1000 }, "291e9a6c66994949b57ba5e650361e98fc36b1ba" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t hash[SHA1_BYTES];
		char hex[2 * SHA1_BYTES + 1];
		sha1(rows[i].message, hash);
		for (size_t k = 0; k < SHA1_BYTES; k++)
			snprintf(hex + 2 * k, 3, "%02x", hash[k]);
		assert_string_equal(hex, rows[i].hex);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(known_vectors_come_out) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
