#include "net/utf8.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

struct sample { const char *bytes; size_t n; bool valid; };
#define GOOD(s) { s, sizeof(s) - 1, true }
#define BAD(s) { s, sizeof(s) - 1, false }

static const struct sample samples[] = {
	GOOD(""), GOOD("a"), GOOD("\x7F"), GOOD("\0"),
	GOOD("\xC2\x80"), GOOD("\xDF\xBF"), GOOD("\xE0\xA0\x80"), GOOD("\xEF\xBF\xBF"),
	GOOD("\xED\x9F\xBF"), GOOD("\xEE\x80\x80"), GOOD("\xF0\x90\x80\x80"), GOOD("\xF4\x8F\xBF\xBF"),
	GOOD("\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"), GOOD("\xEF\xBF\xBE"),
	BAD("\x80"), BAD("\xBF"), BAD("a\x80"), BAD("\xC2\x80\x80"),
	BAD("\xC0\x80"), BAD("\xC1\xBF"), BAD("\xE0\x9F\xBF"), BAD("\xF0\x8F\xBF\xBF"),
	BAD("\xED\xA0\x80"), BAD("\xED\xBF\xBF"), BAD("\xF4\x90\x80\x80"), BAD("\xF5\x80\x80\x80"),
	BAD("\xF8\x88\x80\x80\x80"), BAD("\xFE"), BAD("\xFF"), BAD("\xC2\x41"), BAD("\xE1\x80\x41"),
	BAD("\xF1\x80\x80\x41"), BAD("\xC2\xC2\x80"), BAD("\xE1\x80\xE1\x80\x80"),
};
static const struct sample unfinished[] = {
	BAD("\xC2"), BAD("\xE1"), BAD("\xE1\x80"), BAD("\xF1"), BAD("\xF1\x80"), BAD("\xF1\x80\x80"),
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void samples_are_judged_as_rfc_3629_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++)
		assert_int_equal(utf8_valid(samples[i].bytes, samples[i].n), samples[i].valid);
}

static void an_unfinished_sequence_is_fine_so_far_but_not_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unfinished); i++) {
		struct utf8_state s = { 0 };
		assert_true(utf8_feed(&s, unfinished[i].bytes, unfinished[i].n));
		assert_false(utf8_complete(&s));
		assert_false(utf8_valid(unfinished[i].bytes, unfinished[i].n));
	}
}

/* Where the scalar checker, fed byte by byte, says no: n + 1 if never. */
static size_t first_bad_byte(const uint8_t *p, size_t n)
{
	struct utf8_state s = { 0 };
	for (size_t i = 0; i < n; i++)
		if (!utf8_feed_scalar(&s, p + i, 1))
			return i;
	return n + 1;
}

static void a_fault_is_seen_with_the_byte_that_makes_it(void **state)
{
	(void)state;
	const struct { const char *bytes; size_t at; } rows[] = {
		{ "\xC0", 0 }, { "\xE0\x9F", 1 }, { "\xED\xA0", 1 }, { "\xF0\x8F", 1 }, { "\xF4\x90", 1 },
		{ "\xF5", 0 }, { "\xE1\x80\x41", 2 }, { "abc\x80", 3 },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(first_bad_byte((const uint8_t *)rows[i].bytes, strlen(rows[i].bytes)),
				 rows[i].at);
}

/* Every sample within ASCII, at every place around the borders of blocks. */
static void samples_are_judged_alike_at_every_offset(void **state)
{
	(void)state;
	uint8_t text[140];
	for (size_t i = 0; i < COUNT(samples); i++) {
		for (size_t at = 0; at + samples[i].n <= sizeof(text); at++) {
			memset(text, 'x', sizeof(text));
			memcpy(text + at, samples[i].bytes, samples[i].n);
			assert_int_equal(utf8_valid(text, sizeof(text)), samples[i].valid);
		}
	}
}

static void check_cut(const uint8_t *text, size_t n, size_t cut)
{
	struct utf8_state fast = { 0 }, scalar = { 0 };
	bool fast_ok = utf8_feed(&fast, text, cut);
	assert_int_equal(fast_ok, utf8_feed_scalar(&scalar, text, cut));
	if (fast_ok)
		assert_int_equal(utf8_complete(&fast), utf8_complete(&scalar));
	fast_ok = utf8_feed(&fast, text + cut, n - cut);
	assert_int_equal(fast_ok, utf8_feed_scalar(&scalar, text + cut, n - cut));
	assert_int_equal(fast_ok, first_bad_byte(text, n) > n);
	if (fast_ok)
		assert_int_equal(utf8_complete(&fast), utf8_complete(&scalar));
}

static void a_text_cut_anywhere_is_judged_as_the_whole(void **state)
{
	(void)state;
	uint8_t text[100];
	for (size_t i = 0; i < COUNT(samples); i++) {
		memset(text, 'x', sizeof(text));
		memcpy(text + 62, samples[i].bytes, samples[i].n);
		for (size_t cut = 0; cut <= sizeof(text); cut++)
			check_cut(text, sizeof(text), cut);
	}
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Mostly valid text of all lengths of characters, with a byte changed now and then. */
static size_t random_text(uint32_t *seed, uint8_t *out, size_t max)
{
	static const char *const pieces[] = {
		"a", "0123456789abcdef0123456789abcdef", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
		"\xED\x9F\xBF", "\xE0\xA0\x80", "\xF4\x8F\xBF\xBF",
	};
	size_t n = 0;
	for (;;) {
		const char *piece = pieces[random_next(seed) % COUNT(pieces)];
		if (n + strlen(piece) > max)
			break;
		memcpy(out + n, piece, strlen(piece));
		n += strlen(piece);
	}
	if (random_next(seed) % 2)
		out[random_next(seed) % n] = (uint8_t)random_next(seed);
	return n;
}

static void fast_and_scalar_agree_on_random_text(void **state)
{
	(void)state;
	uint8_t text[200];
	uint32_t seed = 1;
	unsigned valid = 0, rounds = 100000;
	for (unsigned i = 0; i < rounds; i++) {
		size_t n = random_text(&seed, text, 33 + random_next(&seed) % (sizeof(text) - 33));
		check_cut(text, n, random_next(&seed) % (n + 1));
		valid += utf8_valid(text, n);
	}
	assert_in_range(valid, rounds / 4, rounds * 9 / 10); /* both answers were tried */
}

static void every_sequence_of_two_bytes_and_lead_of_three_agrees(void **state)
{
	(void)state;
	uint8_t text[64];
	for (unsigned pair = 0; pair < 65536 * 4; pair++) {
		static const uint8_t thirds[] = { 'x', 0x80, 0xBF, 0xC2 };
		memset(text, 'x', sizeof(text));
		text[30] = (uint8_t)(pair >> 8);
		text[31] = (uint8_t)pair;
		text[32] = thirds[pair >> 16];
		assert_int_equal(utf8_valid(text, sizeof(text)), first_bad_byte(text, sizeof(text)) > 64);
	}
}

static void after_a_fault_nothing_is_valid_any_more(void **state)
{
	(void)state;
	struct utf8_state fast = { 0 }, scalar = { 0 };
	char ascii[64];
	memset(ascii, 'x', sizeof(ascii));
	assert_false(utf8_feed(&fast, "\xFF", 1));
	assert_false(utf8_feed(&fast, ascii, sizeof(ascii)));
	assert_false(utf8_feed_scalar(&scalar, "\xFF", 1));
	assert_false(utf8_feed_scalar(&scalar, ascii, sizeof(ascii)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_judged_as_rfc_3629_says),
		cmocka_unit_test(an_unfinished_sequence_is_fine_so_far_but_not_complete),
		cmocka_unit_test(a_fault_is_seen_with_the_byte_that_makes_it),
		cmocka_unit_test(samples_are_judged_alike_at_every_offset),
		cmocka_unit_test(a_text_cut_anywhere_is_judged_as_the_whole),
		cmocka_unit_test(fast_and_scalar_agree_on_random_text),
		cmocka_unit_test(every_sequence_of_two_bytes_and_lead_of_three_agrees),
		cmocka_unit_test(after_a_fault_nothing_is_valid_any_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
