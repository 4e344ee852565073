/* Our own table of JSON, so that the parser is tested where the public corpus isn't at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "packet/json.h"

enum verdict { NEITHER, LEMP_ONLY, BOTH };

struct text_case {
	struct str text;
	enum verdict verdict;
};
#define CASE(text, verdict) { { "" text, sizeof(text) - 1 }, verdict }

/* On the heap and without NUL, so that the address sanitizer sees a step too far. */
static bool valid(struct str text, enum json_dialect dialect)
{
	char *copy = malloc(text.n ? text.n : 1);
	assert_non_null(copy);
	if (text.n)
		memcpy(copy, text.p, text.n);
	bool good = json_valid((struct str){ copy, text.n }, dialect);
	free(copy);
	return good;
}

static void cases_check(const struct text_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str text = cases[i].text;
		if (valid(text, JSON_RFC8259) != (cases[i].verdict == BOTH) ||
		    valid(text, JSON_LEMP) != (cases[i].verdict != NEITHER))
			fail_msg("wrong verdict for case %zu: %.*s", i, STR_ARG(text));
	}
}
#define CASES_CHECK(cases) cases_check(cases, sizeof(cases) / sizeof((cases)[0]))

static void values_of_each_kind_are_told_from_what_only_looks_like_them(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("null", BOTH), CASE("true", BOTH), CASE("false", BOTH),
		CASE("nul", NEITHER), CASE("nulll", NEITHER), CASE("True", NEITHER),
		CASE("t", NEITHER), CASE("NaN", NEITHER), CASE("Infinity", NEITHER),
		CASE("undefined", NEITHER), CASE("abc", NEITHER),
		CASE("", NEITHER), CASE(" ", NEITHER), CASE("\t\n\r 1 \t\n\r", BOTH),
		CASE("\f1", NEITHER), CASE("1\v", NEITHER), CASE("\xC2\xA0" "1", NEITHER),
		CASE("1 2", NEITHER), CASE("1,", NEITHER), CASE(",1", NEITHER), CASE("1\0", NEITHER),
		CASE("// a\n1", NEITHER), CASE("/* a */1", NEITHER), CASE("#1", NEITHER),
		CASE("\xEF\xBB\xBF" "1", NEITHER),
	};
	CASES_CHECK(cases);
}

static void numbers_follow_the_grammar(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("0", BOTH), CASE("-0", BOTH), CASE("9", BOTH), CASE("10", BOTH), CASE("-123", BOTH),
		CASE("0.0", BOTH), CASE("1.50", BOTH), CASE("-0.1e1", BOTH), CASE("1e9", BOTH),
		CASE("1E+9", BOTH), CASE("1e-9", BOTH), CASE("1e0009", BOTH), CASE("0e1", BOTH),
		CASE("1e400", BOTH), CASE("123456789012345678901234567890", BOTH),
		CASE("-", NEITHER), CASE("+1", NEITHER), CASE("--1", NEITHER), CASE("01", NEITHER),
		CASE("-01", NEITHER), CASE("00", NEITHER), CASE(".5", NEITHER), CASE("1.", NEITHER),
		CASE("-.5", NEITHER), CASE("1.e1", NEITHER), CASE("1e", NEITHER), CASE("1e+", NEITHER),
		CASE("1e1.5", NEITHER), CASE("1.2.3", NEITHER), CASE("0x1", NEITHER), CASE("1_0", NEITHER),
		CASE("1 000", NEITHER), CASE("1a", NEITHER), CASE("[1-2]", NEITHER),
	};
	CASES_CHECK(cases);
}

static void strings_take_the_escapes_of_json_and_no_others(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("\"\"", BOTH), CASE("\"a\"", BOTH), CASE("\"'\"", BOTH), CASE("\"\x7F\"", BOTH),
		CASE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", BOTH), CASE("\"\\u0000\"", BOTH),
		CASE("\"\\u12aF\"", BOTH), CASE("\"\\uFFFF\"", BOTH), CASE("\"\\uE000\"", BOTH),
		CASE("\"", NEITHER), CASE("\"a", NEITHER), CASE("a\"", NEITHER), CASE("'a'", NEITHER),
		CASE("\"\\\"", NEITHER), CASE("\"\\", NEITHER), CASE("\"\\a\"", NEITHER),
		CASE("\"\\'\"", NEITHER), CASE("\"\\0\"", NEITHER), CASE("\"\\x41\"", NEITHER),
		CASE("\"\\\0\"", NEITHER), CASE("\"\\U0041\"", NEITHER), CASE("\"\\u\"", NEITHER),
		CASE("\"\\u123\"", NEITHER), CASE("\"\\u12\0" "4\"", NEITHER), CASE("\"\\u123g\"", NEITHER),
		CASE("\"\\u+123\"", NEITHER), CASE("\"\\u123", NEITHER), CASE("\"\n\"", NEITHER),
		CASE("\"\t\"", NEITHER), CASE("\"\0\"", NEITHER), CASE("\"\x1F\"", NEITHER),
	};
	CASES_CHECK(cases);
}

static void a_surrogate_escape_needs_its_other_half(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("\"\\uD83D\\uDE00\"", BOTH), CASE("\"\\ud800\\udc00\"", BOTH),
		CASE("\"\\uDBFF\\uDFFF\"", BOTH), CASE("\"\\uD7FF\"", BOTH),
		CASE("\"\\uD800\"", NEITHER), CASE("\"\\uDBFF\"", NEITHER), CASE("\"\\uDC00\"", NEITHER),
		CASE("\"\\uDFFF\"", NEITHER), CASE("\"\\uDC00\\uD800\"", NEITHER),
		CASE("\"\\uD800\\uD800\"", NEITHER), CASE("\"\\uD800\\u0041\"", NEITHER),
		CASE("\"\\uD800\\n\"", NEITHER), CASE("\"\\uD800 \\uDC00\"", NEITHER),
		CASE("\"\\uD800\\\\uDC00\"", NEITHER), CASE("\"\\uD800\\uDC0\"", NEITHER),
		CASE("\"\\uD800\\uDC0", NEITHER), CASE("\"\\uD800\\u", NEITHER),
	};
	CASES_CHECK(cases);
}

static void arrays_and_objects_close_what_they_open(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("[]", BOTH), CASE("{}", BOTH), CASE("[ ]", BOTH), CASE("{ }", BOTH),
		CASE("[1]", BOTH), CASE("[1,[2,{}],{\"a\":[]}]", BOTH), CASE("{\"a\":{\"b\":[{}]}}", BOTH),
		CASE(" { \"a\" : [ 1 , 2 ] , \"b\" : { } } ", BOTH), CASE("{\"\":0}", BOTH),
		CASE("{\"a\":1,\"a\":1}", BOTH), /* repeated names are the business of packet.c */
		CASE("[", NEITHER), CASE("]", NEITHER), CASE("{", NEITHER), CASE("}", NEITHER),
		CASE("[}", NEITHER), CASE("{]", NEITHER), CASE("[1}", NEITHER), CASE("{\"a\":1]", NEITHER),
		CASE("[[]", NEITHER), CASE("[]]", NEITHER), CASE("{}}", NEITHER), CASE("[{]}", NEITHER),
		CASE("[1,]", NEITHER), CASE("[,1]", NEITHER), CASE("[,]", NEITHER), CASE("[1,,2]", NEITHER),
		CASE("[1 2]", NEITHER), CASE("[1:2]", NEITHER), CASE("{\"a\":1,}", NEITHER),
		CASE("{,}", NEITHER), CASE("{\"a\"}", NEITHER), CASE("{\"a\":}", NEITHER),
		CASE("{\"a\"1}", NEITHER), CASE("{\"a\",1}", NEITHER), CASE("{\"a\"::1}", NEITHER),
		CASE("{\"a\":1 \"b\":2}", NEITHER), CASE("{1:1}", NEITHER), CASE("{[]:1}", NEITHER),
		CASE("{\"a\":1", NEITHER), CASE("{\"a\":", NEITHER), CASE("{\"a\"", NEITHER),
		CASE("[1", NEITHER), CASE("[1,", NEITHER), CASE("{\"a\":1,", NEITHER),
	};
	CASES_CHECK(cases);
}

static void only_the_dialect_takes_unquoted_names(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("{a:1}", LEMP_ONLY), CASE("{rq:{id:\"1\",lo:{r:\"bye\"}}}", LEMP_ONLY),
		CASE("{_$aZ09:1}", LEMP_ONLY), CASE("{ $ : 1 , _ : 2 }", LEMP_ONLY),
		CASE("[{a:1}]", LEMP_ONLY), CASE("{\"a\":1,b:2}", LEMP_ONLY),
		CASE("{null:null,true:1,NaN:2}", LEMP_ONLY),
		CASE("{9a:1}", NEITHER), CASE("{a-b:1}", NEITHER), CASE("{a b:1}", NEITHER),
		CASE("{a.b:1}", NEITHER), CASE("{'a':1}", NEITHER), CASE("{\xC3\xA9:1}", NEITHER),
		CASE("{a\xC3\xA9:1}", NEITHER), CASE("{\\u0061:1}", NEITHER), CASE("{a:b}", NEITHER),
		CASE("{a\":1}", NEITHER), CASE("{\"a:1}", NEITHER), CASE("{a}", NEITHER),
		CASE("{a:}", NEITHER), CASE("{a", NEITHER), CASE("{:1}", NEITHER), CASE("a:1", NEITHER),
	};
	CASES_CHECK(cases);
}

static void text_that_is_no_utf8_is_refused(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		CASE("\"\xC2\x80\xDF\xBF\"", BOTH), CASE("\"\xE0\xA0\x80\xEF\xBF\xBF\"", BOTH),
		CASE("\"\xED\x9F\xBF\xEE\x80\x80\"", BOTH), CASE("\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"", BOTH),
		CASE("\"\x80\"", NEITHER), CASE("\"\xBF\"", NEITHER), CASE("\"\xC0\xAF\"", NEITHER),
		CASE("\"\xC1\xBF\"", NEITHER), CASE("\"\xC2\"", NEITHER), CASE("\"\xC2\xC0\"", NEITHER),
		CASE("\"\xE0\x9F\xBF\"", NEITHER), CASE("\"\xE1\x80\"", NEITHER),
		CASE("\"\xE1\x80\xC0\"", NEITHER), CASE("\"\xED\xA0\x80\"", NEITHER),
		CASE("\"\xED\xBF\xBF\"", NEITHER), CASE("\"\xF0\x8F\xBF\xBF\"", NEITHER),
		CASE("\"\xF1\x80\x80\"", NEITHER), CASE("\"\xF1\x80\x80\xC0\"", NEITHER),
		CASE("\"\xF4\x90\x80\x80\"", NEITHER), CASE("\"\xF5\x80\x80\x80\"", NEITHER),
		CASE("\"\xFE\"", NEITHER), CASE("\"\xFF\"", NEITHER), CASE("\"\xE2\x82", NEITHER),
		CASE("\"\xF0\x9F\x98", NEITHER), CASE("{}\xFF", NEITHER),
	};
	CASES_CHECK(cases);
}

static void as_many_levels_as_allowed_and_no_more(void **state)
{
	(void)state;
	char text[2 * JSON_DEPTH_MAX + 2];
	for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(valid((struct str){ text, 2 * depth }, JSON_RFC8259),
				 depth == JSON_DEPTH_MAX);
	}
}

static void a_hundred_thousand_brackets_are_refused(void **state)
{
	(void)state;
	size_t n = 500000;
	char *text = malloc(n);
	assert_non_null(text);
	memset(text, '[', n);
	assert_false(json_valid((struct str){ text, n }, JSON_RFC8259));
	for (size_t i = 0; i + 5 <= n; i += 5)
		memcpy(text + i, "{\"\":[", 5);
	assert_false(json_valid((struct str){ text, n }, JSON_RFC8259));
	free(text);
}

/* The scanner takes 16 bytes at a time where it can: every offset and length of what it looks for. */
static void a_special_byte_is_found_wherever_it_stands(void **state)
{
	(void)state;
	char text[72];
	for (size_t n = 0; n <= 64; n++) {
		text[0] = text[n + 1] = '"';
		memset(text + 1, 'x', n);
		assert_true(valid((struct str){ text, n + 2 }, JSON_RFC8259));
		for (size_t i = 1; i <= n; i++) {
			text[i] = '\x1F';
			assert_false(valid((struct str){ text, n + 2 }, JSON_RFC8259));
			text[i] = '"';
			assert_false(valid((struct str){ text, n + 2 }, JSON_RFC8259));
			text[i] = '\x7F';
			assert_true(valid((struct str){ text, n + 2 }, JSON_RFC8259));
			text[i] = '\\'; /* before another x, or the closing quote */
			assert_false(valid((struct str){ text, n + 2 }, JSON_RFC8259));
			text[i] = 'x';
		}
	}
}

struct decode_case { struct str in, out; };

static void escapes_are_decoded_in_place(void **state)
{
	(void)state;
	static const struct decode_case cases[] = {
		{ { "", 0 }, { "", 0 } },
		{ { "plain", 5 }, { "plain", 5 } },
		{ { "\\\"\\\\\\/\\b\\f\\n\\r\\t", 16 }, { "\"\\/\b\f\n\r\t", 8 } },
		{ { "a\\u0041b", 8 }, { "aAb", 3 } },
		{ { "\\u0000", 6 }, { "\0", 1 } },
		{ { "\\u007F\\u0080\\u07ff\\u0800\\uFfFf", 30 },
		  { "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11 } },
		{ { "\\uD83D\\uDE00!", 13 }, { "\xF0\x9F\x98\x80!", 5 } },
		{ { "\\ud800\\udc00\\uDBFF\\uDFFF", 24 }, { "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8 } },
		{ { "\xC3\xA9\\\\u0041", 9 }, { "\xC3\xA9\\u0041", 8 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char copy[64];
		memcpy(copy, cases[i].in.p, cases[i].in.n);
		struct str out = json_decode(copy, cases[i].in.n);
		assert_ptr_equal(out.p, copy);
		assert_true(str_eq(out, cases[i].out));
	}
}

static void a_written_string_escapes_what_json_demands_and_nothing_else(void **state)
{
	(void)state;
	static const struct decode_case cases[] = {
		{ { NULL, 0 }, { "\"\"", 2 } },
		{ { "", 0 }, { "\"\"", 2 } },
		{ { "caf\xC3\xA9 /'\x7F", 9 }, { "\"caf\xC3\xA9 /'\x7F\"", 11 } },
		{ { "\"\\\b\f\n\r\t", 7 }, { "\"\\\"\\\\\\b\\f\\n\\r\\t\"", 16 } },
		{ { "\0\x01\x0B\x1F", 4 }, { "\"\\u0000\\u0001\\u000b\\u001f\"", 26 } },
		{ { "0123456789abcdef0123456789abcde\"x", 33 },
		  { "\"0123456789abcdef0123456789abcde\\\"x\"", 36 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;
		buf_init(&b, 100);
		json_put_string(&b, cases[i].in);
		assert_false(b.failed);
		assert_true(str_eq(buf_view(&b), cases[i].out));
		buf_deinit(&b);
	}
}

static void any_bytes_survive_being_written_and_decoded(void **state)
{
	(void)state;
	char all[256];
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	for (size_t from = 0; from < 64; from++) {
		struct str s = { all + from, sizeof(all) - from };
		struct buf b;
		buf_init(&b, 4096);
		json_put_string(&b, s);
		assert_true(str_eq(json_decode(b.p + 1, b.n - 2), s));
		buf_deinit(&b);
	}
}

static void a_string_that_does_not_fit_fails_the_buffer(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 5);
	json_put_string(&b, STR("abcd"));
	assert_true(b.failed);
	assert_int_equal(b.n, 0);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_each_kind_are_told_from_what_only_looks_like_them),
		cmocka_unit_test(numbers_follow_the_grammar),
		cmocka_unit_test(strings_take_the_escapes_of_json_and_no_others),
		cmocka_unit_test(a_surrogate_escape_needs_its_other_half),
		cmocka_unit_test(arrays_and_objects_close_what_they_open),
		cmocka_unit_test(only_the_dialect_takes_unquoted_names),
		cmocka_unit_test(text_that_is_no_utf8_is_refused),
		cmocka_unit_test(as_many_levels_as_allowed_and_no_more),
		cmocka_unit_test(a_hundred_thousand_brackets_are_refused),
		cmocka_unit_test(a_special_byte_is_found_wherever_it_stands),
		cmocka_unit_test(escapes_are_decoded_in_place),
		cmocka_unit_test(a_written_string_escapes_what_json_demands_and_nothing_else),
		cmocka_unit_test(any_bytes_survive_being_written_and_decoded),
		cmocka_unit_test(a_string_that_does_not_fit_fails_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
