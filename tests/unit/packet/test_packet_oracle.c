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
#include "packet/name.h"
#include "packet/packet.h"
#include "packet/packet_table.h"

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
	"{\"rq\":{\"id\":\"3\",\"af\":[{\"u\":\"bob\",\"n\":\"Bobby\"},{\"u\":\"carol\",\"x\":{}},"
	"{\"n\":\"\",\"u\":\"d\"}]}}",
	"{\"rq\":{\"id\":\"4\",\"rf\":[\"bob\",\"carol\",\"zo\xC3\xAB\",\"a\\u0062\"]}}",
	"{\"rq\":{\"id\":\"9\",\"p\":{\"t\":\"s\",\"v\":\"https://pics/a.png\",\"i\":\"g1\"}}}",
	"{\"rq\":{\"g\":{\"t\":\"c\",\"i\":\"g1\",\"n\":\"name\",\"m\":[\"bob\",\"carol\"],\"ad\":[]},\"id\":\"1\"}}",
	"{\"rq\":{\"id\":\"1\",\"br\":{\"t\":\"a\",\"i\":\"b1\",\"m\":[\"bob\"],\"p\":\"AA==\"}}}",
	"{\"rq\":{\"id\":\"1\",\"mt\":{\"i\":\"g1\",\"t\":\"1790000000000\"}}}",
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
	"\"u\":\"dave\",", "\"u\":\" \",", "\"n\":\"\\n\",", "\"n\":null,", "\"m\":[\"al\",\"\\u0062\"],", "\"m\":[{}],",
	"\"m\":[],", "\"i\":\"g2\",", "\"af\":[{\"u\":\"e\"}],", "\"rf\":[],", "\"uf\":[[]],", "\"o\":\"f\",", "\"ad\":[\"z\"],",
	"\"rf\":[\"\"],", "\"lo\":{},",
};
/* In place of an element, or before one. */
static const char *const elements[] = {
	"\"al\",", "{\"u\":\"al\"},", "{\"u\":\"al\",\"n\":\"A\"},", "{},", "[],", "\"\",", "1,", "\"\\u200b\",",
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

/* Adds an element to an array. */
static size_t mutate_list(char *text, size_t n)
{
	const char *open = memchr(text, '[', n);
	size_t at = open ? (size_t)(open - text) + 1 : n;
	if (n - at < 1 || text[at] == ']')
		return n;
	return splice(text, n, at, 0, str_of(elements[random_below(COUNT(elements))]));
}

/* Adds a member to an object or an element to an array, or changes a letter or digit. */
static size_t mutate_gently(char *text, size_t n)
{
	size_t at = random_below(n + 1);
	if (random_below(8) == 0)
		return mutate_list(text, n);
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

/* ---- what the rows of packets.def ask, judged once more on the other parser's tree ---- */

static struct str string_of(const json_t *value)
{
	return (struct str){ json_string_value(value), json_string_length(value) };
}

static bool id_good(const json_t *v)
{
	return json_is_integer(v) ||
	       (json_is_string(v) && json_string_length(v) >= 1 && json_string_length(v) <= 128);
}

static bool name_good(const json_t *v)
{
	return json_is_string(v) && name_check(string_of(v), false) == NAME_GOOD;
}

static bool time_good(const json_t *v)
{
	char digits[24];
	json_int_t t = json_is_integer(v) ? json_integer_value(v) : -1;
	if (json_is_string(v)) {
		t = atoll(json_string_value(v));
		snprintf(digits, sizeof(digits), "%lld", (long long)t);
		if (!str_eq(string_of(v), str_of(digits)))
			return false;
	}
	return t >= 0 && t < INT64_C(1) << 53;
}

static bool flag_good(const json_t *v)
{
	struct str s = json_is_string(v) ? string_of(v) : STR("");
	json_int_t flag = json_is_integer(v) ? json_integer_value(v) : -1;
	return str_eq(s, STR("0")) || str_eq(s, STR("1")) || flag == 0 || flag == 1;
}

static bool object_good(enum packet_object_row row, const json_t *object);

static bool list_good(const struct packet_field *f, const json_t *v)
{
	size_t i;
	json_t *element;
	bool good = json_is_array(v) && (!f->bytes_max || json_array_size(v) <= f->bytes_max);
	json_array_foreach(v, i, element)
		good = good && (f->type == PACKET_TYPE_NAMES ? name_good(element)
							     : object_good(PACKET_OBJECT_pair, element));
	return good;
}

static bool field_good(const struct packet_field *f, const json_t *v)
{
	switch (f->type) {
	case PACKET_TYPE_ID: return id_good(v);
	case PACKET_TYPE_NAME: return name_good(v);
	case PACKET_TYPE_TEXT:
	case PACKET_TYPE_WORD:
		return json_is_string(v) && (!f->bytes_max || json_string_length(v) <= f->bytes_max);
	case PACKET_TYPE_FLAG: return flag_good(v);
	case PACKET_TYPE_TIME: return time_good(v);
	case PACKET_TYPE_DM: return object_good(PACKET_OBJECT_dm, v);
	case PACKET_TYPE_NAMES:
	case PACKET_TYPE_PAIRS: return list_good(f, v);
	default: return true;
	}
}

static bool object_good(enum packet_object_row row, const json_t *object)
{
	const struct packet_object *o = &packet_objects[row];
	if (!o->fields[0].key[0])
		return field_good(&o->fields[0], object);
	bool good = json_is_object(object);
	for (unsigned i = 0; good && i < o->count; i++) {
		const json_t *v = json_object_get(object, o->fields[i].key);
		good = v ? field_good(&o->fields[i], v) : o->fields[i].need == PACKET_NEED_MAY;
	}
	return good;
}

static bool packet_good(const json_t *all)
{
	static const char *const only_servers[] = { "rp", "srp", "i" };
	const json_t *rq = json_object_get(all, "rq");
	int data = rq != NULL, requests = 0;
	bool good = !rq || object_good(PACKET_OBJECT_rq, rq);
	for (size_t i = 0; i < COUNT(only_servers); i++)
		good = good && !json_object_get(all, only_servers[i]);
#define X(KIND, key, object)                                                       \
	if (json_object_get(all, key)) {                                           \
		data++;                                                            \
		good = good && object_good(PACKET_OBJECT_##object, json_object_get(all, key)); \
	}
	PACKET_DATA(X)
#undef X
#define X(KIND, key, object)                                                       \
	if (json_object_get(rq, key)) {                                            \
		requests++;                                                        \
		good = good && object_good(PACKET_OBJECT_##object, json_object_get(rq, key)); \
	}
	PACKET_REQUESTS(X)
#undef X
	return good && data == 1 && requests == (rq != NULL);
}

/* ---- what the reader took ---- */

static bool same_list(const json_t *array, struct str list, bool pairs)
{
	struct str s;
	size_t cursor = 0, i;
	json_t *element;
	json_array_foreach(array, i, element) {
		if (strs_next(list, &cursor, &s) != 1)
			return false;
		if (!same_string(pairs ? json_object_get(element, "u") : element, s))
			return false;
		if (!pairs)
			continue;
		const json_t *nick = json_object_get(element, "n");
		if (strs_next(list, &cursor, &s) != 1 || !nick != !s.p || (nick && !same_string(nick, s)))
			return false;
	}
	return cursor == list.n;
}

static bool same_field(const struct packet_field *f, const json_t *v, const void *member)
{
	const struct str *s = member;
	int64_t number = f->type == PACKET_TYPE_TIME ? *(const int64_t *)member : *(const int8_t *)member;
	switch (f->type) {
	case PACKET_TYPE_FLAG:
	case PACKET_TYPE_TIME:
		return v ? (json_is_integer(v) ? json_integer_value(v) : atoll(json_string_value(v))) == number
			 : number == -1;
	case PACKET_TYPE_NAMES:
	case PACKET_TYPE_PAIRS:
		return v ? s->p && same_list(v, *s, f->type == PACKET_TYPE_PAIRS) : !s->p;
	default: return v ? json_is_integer(v) || same_string(v, *s) : !s->p;
	}
}

static void request_check(const json_t *all, struct packet *p)
{
	const struct packet_object *o = packet_kind_objects[p->kind];
	const json_t *rq = json_object_get(all, "rq");
	const char *key = NULL;
#define X(KIND, request, object) key = p->kind == PACKET_##KIND ? request : key;
	PACKET_REQUESTS(X)
#undef X
	assert_true(json_is_integer(json_object_get(rq, "id")) || same_string(json_object_get(rq, "id"), p->id));
	for (unsigned i = 0; i < o->count; i++) {
		const struct packet_field *f = &o->fields[i];
		const json_t *object = json_object_get(rq, key);
		assert_true(same_field(f, f->key[0] ? json_object_get(object, f->key) : object,
				       (const char *)&p->m + f->offset));
	}
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

static struct { int parsed, good, messages, requests, lists; } seen;

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
	/* -0 is an integer like 0 to the other, but no flag and no time */
	if (status != PACKET_MALFORMED && all && !memmem(text.p, text.n, "-0", 2) &&
	    packet_good(all) != (status == PACKET_OK))
		fail_msg("packet_read says '%s' of %.*s", packet.why, STR_ARG(text));
	seen.parsed += status != PACKET_MALFORMED;
	seen.good += status == PACKET_OK;
	if (status == PACKET_OK && packet.kind != PACKET_M && packet.kind != PACKET_SRQ && all) {
		const struct packet_object *o = packet_kind_objects[packet.kind];
		seen.requests++;
		seen.lists += !o->fields[0].key[0];
		request_check(all, &packet);
	}
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
	assert_in_range(seen.requests, MUTANTS / 40, MUTANTS * 9 / 10);
	assert_in_range(seen.lists, MUTANTS / 100, MUTANTS * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutated_packets_are_judged_as_by_another_parser),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
