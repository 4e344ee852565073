/* Mutated packets, seeded: whatever our reader makes of them, another JSON parser (jansson) must agree.
 *
 * Where the two differ by design: unquoted names (ours only), more than 32 levels and repeated names
 * (refused by ours), numbers beyond a double and NUL in names (refused by jansson). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet/json.h"
#include "packet/packet.h"

#define MUTANTS 1000000
#define TEXT_BYTES_MAX 2048

static const char *const seeds[] = {
	"{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"alice\",\"t\":\"secret\"}}}",
	"{\"rq\":{\"id\":\"2\",\"lo\":{\"r\":\"bye\"}},\"v\":[1.5e3,true,false,null]}",
	"{\"rq\":{\"id\":22,\"ad\":{\"c\":\"cr\",\"i\":\"dave\",\"t\":\"token\",\"ty\":\"0\"}}}",
	"{\"srq\":{\"id\":\"20\",\"t\":\"t\",\"x\":{\"a\":[{},[],{\"b\":-0.5}]}}}",
	"{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"t\":\"t\",\"c\":\"hello\",\"st\":1790000000000,\"p\":\"1\","
	"\"sc\":\"1\",\"pc\":\"1\"}}",
	"{\"m\":{\"id\":\"d1\",\"st\":1790000000100,\"dm\":{\"id\":\"m1\"}}}",
	"{ \"m\" : { \"id\" : \"\\u0041\\n\" , \"c\" : { \"a\" : [ 1 , \"\\ud83d\\ude00\" ] } , \"x\" : -17.25E-2 } }",
	"{\"m\":{\"id\":\"zo\xC3\xAB\",\"r\":\"\xF0\x9F\x98\x80\",\"c\":[\"\\\"\\\\\\/\\b\\f\\r\\t\",0],"
	"\"x\":\"\\u00e9\",\"y\":{\"z\":{}}}}",
};
static const char *const pieces[] = {
	"\"", "\\", "{", "}", "[", "]", ",", ":", "0", "1", "-", "+", ".", "e", "E", " ", "\n", "\x01", "\x7F",
	"\\u0000", "\\ud800", "\\udc00", "\\u00", "\\n", "\\x", "null", "true", "fals", "\"id\"", "\"m\":", "a",
	"\"x\":1,", ",\"y\":[]", "[[[[[[[[", "]]]]]]]]", "{}", "\"\"", "01", "1e999", "9007199254740993",
	"\xC3\xA9", "\xC3", "\xA9", "\xED\xA0\x80", "\xF4\x90\x80\x80", "/", "'",
};
/* Whole members, so that many mutants still parse. */
static const char *const members[] = {
	"\"id\":\"9\",", "\"id\":-0,", "\"r\":\"carol\",", "\"c\":{\"a\":[1,2,{}]},", "\"c\":\"\\ud83d\\ude00\",",
	"\"x\":1.25e-3,", "\"\":null,", "\"x\\n\":\"\\\"\",", "\"\\u0078\":[],", "\"st\":\"5\",", "\"st\":17,",
	"\"p\":\"0\",", "\"sc\":0,", "\"t\":\"x-1\",", "\"t\":\"\xC3\xA9\",", "\"dm\":{\"id\":\"m2\"},", "\"s\":[{}],",
	" \"w\" : [ true , false ] ,", "\"rp\":{},", "\"nm\":{\"x\":1,\"id\":2},",
};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static uint64_t random_state;

static size_t random_below(size_t n)
{
	random_state ^= random_state << 13; /* xorshift64 */
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % n);
}

static size_t splice(char *text, size_t n, size_t at, size_t cut, struct str insert)
{
	char copy[TEXT_BYTES_MAX]; /* it may be part of the text */
	memcpy(copy, insert.p, insert.n);
	memmove(text + at + insert.n, text + at + cut, n - at - cut);
	memcpy(text + at, copy, insert.n);
	return n - cut + insert.n;
}

/* Puts a piece, or a run of the text itself, in the place of another run. */
static size_t mutate_roughly(char *text, size_t n)
{
	size_t at = random_below(n + 1), cut = random_below(3) ? random_below(4) : random_below(40);
	if (cut > n - at)
		cut = n - at;
	if (random_below(4))
		return splice(text, n, at, cut, str_of(pieces[random_below(COUNT(pieces))]));
	size_t from = random_below(n + 1);
	return splice(text, n, at, cut, (struct str){ text + from, random_below(n - from + 1) % 60 });
}

/* Adds a member to an object, or changes a letter or digit. */
static size_t mutate_gently(char *text, size_t n)
{
	size_t at = random_below(n + 1);
	if (random_below(3) == 0) {
		while (at < n && !((text[at] >= 'a' && text[at] <= 'z') || (text[at] >= '0' && text[at] <= '9')))
			at++;
		if (at < n)
			text[at] ^= (char)random_below(2) + 1;
		return n;
	}
	while (at < n && text[at] != '{')
		at++;
	if (n - at < 2 || text[at + 1] == '}')
		return n;
	return splice(text, n, at + 1, 0, str_of(members[random_below(COUNT(members))]));
}

/* It gave up for reasons of its own before it saw all of the text. */
static bool gave_up(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);
	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static bool is_utf8(struct str text)
{
	json_t *string = json_stringn(text.p, text.n); /* NULL otherwise */
	json_decref(string);
	return string != NULL;
}

static unsigned levels(const json_t *value)
{
	unsigned deepest = 0;
	size_t i;
	const char *key;
	json_t *member;
	if (json_is_array(value)) {
		json_array_foreach(value, i, member)
			deepest = levels(member) > deepest ? levels(member) : deepest;
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
			deepest = levels(member) > deepest ? levels(member) : deepest;
	} else {
		return 0;
	}
	return deepest + 1;
}

static bool same_string(const json_t *value, struct str s)
{
	return json_is_string(value) && json_string_length(value) == s.n &&
	       memcmp(json_string_value(value), s.p, s.n) == 0;
}

static bool same_raw(const json_t *value, struct str raw)
{
	json_t *again = json_loadb(raw.p, raw.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool same = again && json_equal(again, value);
	json_decref(again);
	return same;
}

/* What the reader took from a message is what the other parser sees. */
static void message_check(const json_t *all, const struct packet *p)
{
	const json_t *m = json_object_get(all, "m");
	const json_t *id = json_object_get(m, "id"), *st = json_object_get(m, "st");
	assert_non_null(id);
	assert_true(json_is_integer(id) || same_string(id, p->m.id));
	assert_true(!json_object_get(m, "r") == !p->m.r.p);
	assert_true(!p->m.r.p || same_string(json_object_get(m, "r"), p->m.r));
	assert_true(!p->m.t.p || same_string(json_object_get(m, "t"), p->m.t));
	assert_true(!json_object_get(m, "c") == !p->m.c.p);
	assert_true(!p->m.c.p || same_raw(json_object_get(m, "c"), p->m.c));
	assert_true(!json_is_integer(st) || json_integer_value(st) == p->m.st);
	assert_true(!st == (p->m.st < 0));
}

/* What is written for the receiver holds the content and every unknown member, unchanged. */
static void written_check(const json_t *all, const struct packet *p)
{
	static const char ours[] = " id s r t c st p sc pc dm nm sr ";
	const char *key;
	json_t *member;
	struct buf out;
	buf_init(&out, 1 << 16);
	packet_put_message(&out, p, STR("alice"), STR("bob"));
	json_t *written = json_loadb(out.p, out.n, JSON_ALLOW_NUL, NULL);
	assert_non_null(written);
	const json_t *m = json_object_get(written, "m"), *from = json_object_get(all, "m");
	assert_true(same_string(json_object_get(m, "s"), STR("alice")));
	assert_true(same_string(json_object_get(m, "id"), p->m.id));
	json_object_foreach((json_t *)(uintptr_t)from, key, member) {
		char word[32];
		snprintf(word, sizeof(word), " %s ", key);
		bool known = strlen(key) <= 2 && strstr(ours, word);
		if (!p->m.dm.p && !p->m.nm.p && (!known || strcmp(key, "c") == 0))
			assert_true(json_equal(json_object_get(m, key), member));
	}
	json_decref(written);
	buf_deinit(&out);
}

static struct { int parsed, good, messages; } seen;

static void mutant_check(struct packet_reader *reader, struct str text)
{
	json_error_t error = { .text = "" };
	struct packet packet;
	char copy[TEXT_BYTES_MAX];
	json_t *all = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!all && gave_up(&error))
		return;
	bool good = all && levels(all) <= JSON_DEPTH_MAX;
	if (json_valid(text, JSON_RFC8259) != good)
		fail_msg("json_valid differs (%s): %.*s", error.text, STR_ARG(text));
	if (!is_utf8(text)) {
		json_decref(all);
		return; /* never gets past the frame reader */
	}
	memcpy(copy, text.p, text.n);
	enum packet_status status = packet_read(reader, copy, text.n, &packet);
	if (status == PACKET_MALFORMED && strstr(packet.why, "twice")) {
		assert_null(json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL));
	} else if ((status != PACKET_MALFORMED) != good && (good || !json_valid(text, JSON_LEMP))) {
		fail_msg("packet_read says '%s', the other '%s': %.*s", packet.why, error.text,
			 STR_ARG(text));
	}
	seen.parsed += status != PACKET_MALFORMED;
	seen.good += status == PACKET_OK;
	if (status == PACKET_OK && packet.kind == PACKET_M && all) {
		seen.messages++;
		message_check(all, &packet);
		written_check(all, &packet);
	}
	json_decref(all);
}

static void mutated_packets_are_judged_as_by_another_parser(void **state)
{
	(void)state;
	struct packet_reader reader;
	packet_reader_init(&reader, false, TEXT_BYTES_MAX);
	json_object_seed(1);
	random_state = UINT64_C(0x4C454D5031323334);
	for (int i = 0; i < MUTANTS; i++) {
		char text[2 * TEXT_BYTES_MAX];
		const char *seed = seeds[random_below(COUNT(seeds))];
		size_t n = strlen(seed);
		memcpy(text, seed, n);
		bool rough = random_below(2);
		for (size_t changes = random_below(4) + 1; changes && n < TEXT_BYTES_MAX / 2; changes--)
			n = rough ? mutate_roughly(text, n) : mutate_gently(text, n);
		mutant_check(&reader, (struct str){ text, n });
	}
	packet_reader_deinit(&reader);
	/* the mutants are neither all broken nor all whole, or the comparing would mean little */
	assert_in_range(seen.parsed, MUTANTS / 10, MUTANTS * 9 / 10);
	assert_in_range(seen.good, MUTANTS / 20, MUTANTS * 9 / 10);
	assert_in_range(seen.messages, MUTANTS / 40, MUTANTS * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutated_packets_are_judged_as_by_another_parser),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
