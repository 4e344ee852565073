#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packet/name.h"

struct name_case {
	struct str name;
	enum name_verdict verdict;
};
#define CASE(text, verdict) { { "" text, sizeof(text) - 1 }, verdict }

static void names_are_told_good_from_bad(void **state)
{
	(void)state;
	static const struct name_case cases[] = {
		CASE("a", NAME_GOOD), CASE("alice", NAME_GOOD), CASE("Alice B. (work) <x@y>", NAME_GOOD),
		CASE("\"\\/", NAME_GOOD), CASE("a b", NAME_GOOD), CASE("-1", NAME_GOOD),
		CASE("zo\xC3\xAB", NAME_GOOD), CASE("\xE6\x9D\x8E", NAME_GOOD),
		CASE("\xF0\x9F\x98\x80", NAME_GOOD), CASE("a\xC2\xA0z", NAME_GOOD),
		CASE("a\xE2\x80\xA8z", NAME_GOOD), /* U+2028 is white space, fine inside */
		CASE("\xC2\xAD", NAME_GOOD),       /* the soft hyphen stands in no list */
		CASE("", NAME_EMPTY),
		CASE("a\0z", NAME_BAD_CHARACTER), CASE("\n", NAME_BAD_CHARACTER),
		CASE("a\x1F", NAME_BAD_CHARACTER), CASE("a\x7F", NAME_BAD_CHARACTER),
		CASE("\t", NAME_BAD_CHARACTER),
		CASE(" ", NAME_BLANK_END), CASE(" a", NAME_BLANK_END), CASE("a ", NAME_BLANK_END),
		CASE(" a b ", NAME_BLANK_END), CASE("a  ", NAME_BLANK_END),
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (name_check(cases[i].name, false) != cases[i].verdict)
			fail_msg("wrong verdict for case %zu", i);
	}
}

static void a_name_has_at_most_128_bytes(void **state)
{
	(void)state;
	char text[130];
	memset(text, 'n', sizeof(text));
	assert_int_equal(name_check((struct str){ text, 128 }, false), NAME_GOOD);
	assert_int_equal(name_check((struct str){ text, 129 }, false), NAME_TOO_LONG);
	text[129] = '\n';
	assert_int_equal(name_check((struct str){ text, 130 }, false), NAME_TOO_LONG);
}

static size_t utf8(unsigned c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xC0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xE0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3F));
		to[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	to[0] = (char)(0xF0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3F));
	to[2] = (char)(0x80 | (c >> 6 & 0x3F));
	to[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* Spelled out from protocol.md 13.1, one by one. */
static bool is_refused(unsigned c)
{
	return c <= 0x1F || (c >= 0x7F && c <= 0x9F) || c == 0x61C || c == 0x180E ||
	       (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
	       (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

static bool is_blank(unsigned c)
{
	return c == 0x20 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static void every_character_is_judged_by_where_it_stands(void **state)
{
	(void)state;
	for (unsigned c = 0; c <= 0x10FFFF; c++) {
		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		char text[6] = "x";
		size_t n = utf8(c, text + 1);
		text[1 + n] = 'x';
		enum name_verdict middle = name_check((struct str){ text, n + 2 }, false);
		enum name_verdict first = name_check((struct str){ text + 1, n + 1 }, false);
		enum name_verdict last = name_check((struct str){ text, n + 1 }, false);
		enum name_verdict end = is_refused(c) ? NAME_BAD_CHARACTER :
					is_blank(c)   ? NAME_BLANK_END :
							NAME_GOOD;
		if (middle != (is_refused(c) ? NAME_BAD_CHARACTER : NAME_GOOD) || first != end ||
		    last != end)
			fail_msg("wrong verdict for U+%04X", c);
	}
}

static void a_server_of_ascii_names_refuses_the_others(void **state)
{
	(void)state;
	assert_int_equal(name_check(STR("alice ~"), true), NAME_GOOD);
	assert_int_equal(name_check(STR("zo\xC3\xAB"), true), NAME_NOT_ASCII);
	assert_int_equal(name_check(STR("a\xC2\xA0z"), true), NAME_NOT_ASCII);
	assert_int_equal(name_check(STR("\xE2\x80\x8B"), true), NAME_BAD_CHARACTER);
}

static void each_verdict_has_words_of_its_own(void **state)
{
	(void)state;
	for (int a = NAME_GOOD; a <= NAME_NOT_ASCII; a++) {
		assert_true(name_verdict_text((enum name_verdict)a)[0] != '\0');
		for (int b = NAME_GOOD; b < a; b++)
			assert_string_not_equal(name_verdict_text((enum name_verdict)a),
						name_verdict_text((enum name_verdict)b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_good_from_bad),
		cmocka_unit_test(a_name_has_at_most_128_bytes),
		cmocka_unit_test(every_character_is_judged_by_where_it_stands),
		cmocka_unit_test(a_server_of_ascii_names_refuses_the_others),
		cmocka_unit_test(each_verdict_has_words_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
