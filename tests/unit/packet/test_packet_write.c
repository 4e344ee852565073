/* Messages as they are written; responses and information are in test_packet_respond.c. */
#include "packet/written.h"

/* A message as alice sends it to bob, or to the group g1, and as it arrives. */
struct message_case {
	const char *sent, *receiver, *arrives;
};

static void messages_check(const struct message_case *cases, size_t n)
{
	struct packet_reader reader;
	struct packet packet;
	packet_reader_init(&reader, false, 1 << 16);
	for (size_t i = 0; i < n; i++) {
		size_t bytes = strlen(cases[i].sent);
		char *text = malloc(bytes);
		assert_non_null(text);
		memcpy(text, cases[i].sent, bytes);
		assert_int_equal(packet_read(&reader, text, bytes, &packet), PACKET_OK);
		packet_put_message(&out, &packet, STR("alice"), str_of(cases[i].receiver));
		free(text);
		written_check(cases[i].arrives);
	}
	packet_reader_deinit(&reader);
}

static void a_message_arrives_with_its_sender_and_what_was_written(void **state)
{
	(void)state;
	static const struct message_case cases[] = {
		{ "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"t\":\"t\",\"c\":\"hello\",\"st\":1790000000000,"
		  "\"p\":\"1\",\"sc\":\"1\",\"pc\":\"1\"}}", "bob",
		  "{\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":\"hello\","
		  "\"st\":1790000000000,\"p\":\"1\",\"sc\":\"1\",\"pc\":\"1\"}}" },
		{ "{m:{c:null,r:\"bob\",id:7}}", "g1",
		  "{\"m\":{\"id\":\"7\",\"s\":\"alice\",\"r\":\"g1\",\"t\":\"t\",\"c\":null}}" },
		{ "{\"m\":{\"pc\":0,\"c\": [ 1, {\"a\" :2} ] ,\"st\":\"0\",\"s\":\"mallory\",\"id\":\"1\"}}", "bob",
		  "{\"m\":{\"id\":\"1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":[ 1, {\"a\" :2} ],"
		  "\"st\":0,\"pc\":\"0\"}}" },
		{ "{\"m\":{\"x\": true ,y:\"\\u0041\",\"id\":\"\\\"\\u0001\\\\\",\"c\":\"\\u0041\",\"p\":0,"
		  "\"a b\":{\"c\":1}}}", "b\"b",
		  "{\"m\":{\"id\":\"\\\"\\u0001\\\\\",\"s\":\"alice\",\"r\":\"b\\\"b\",\"t\":\"t\","
		  "\"c\":\"\\u0041\",\"p\":\"0\",\"x\":true,\"y\":\"\\u0041\",\"a b\":{\"c\":1}}}" },
		{ "{\"m\":{\"id\":\"1\",\"c\":1,\"st\":9007199254740991,\"t\":\"x-\\n\"}}", "bob",
		  "{\"m\":{\"id\":\"1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"x-\\n\",\"c\":1,"
		  "\"st\":9007199254740991}}" },
	};
	messages_check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void a_receipt_arrives_with_nothing_but_what_it_is(void **state)
{
	(void)state;
	static const struct message_case cases[] = {
		{ "{\"m\":{\"id\":\"d1\",\"st\":1790000000100,\"dm\":{\"id\":\"m1\"}}}", "bob",
		  "{\"m\":{\"id\":\"d1\",\"s\":\"alice\",\"r\":\"bob\",\"st\":1790000000100,"
		  "\"dm\":{\"id\":\"m1\"}}}" },
		{ "{\"m\":{\"x\":1,\"id\":\"n1\",\"r\":\"zoe\",\"t\":\"t\",\"st\":5,\"p\":1,\"sc\":\"0\",\"pc\":1,"
		  "\"nm\":{\"id\":\"m\\n1\",\"y\":2}}}", "bob",
		  "{\"m\":{\"id\":\"n1\",\"s\":\"alice\",\"r\":\"bob\",\"st\":5,\"nm\":{\"id\":\"m\\n1\"}}}" },
	};
	messages_check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void a_server_receipt_says_what_it_is_for(void **state)
{
	(void)state;
	packet_put_sr(&out, STR("s1"), STR("m1"));
	written_check("{\"m\":{\"id\":\"s1\",\"sr\":{\"id\":\"m1\"}}}");
}

static void a_packet_that_does_not_fit_fails_the_buffer(void **state)
{
	(void)state;
	char text[] = "{\"m\":{\"id\":\"1\",\"c\":\"0123456789012345678901234567890123456789\"}}";
	struct packet_reader reader;
	struct packet packet;
	struct buf small;
	packet_reader_init(&reader, false, sizeof(text));
	buf_init(&small, 64);
	assert_int_equal(packet_read(&reader, text, sizeof(text) - 1, &packet), PACKET_OK);
	packet_put_message(&small, &packet, STR("alice"), STR("bob"));
	assert_true(small.failed);
	assert_int_equal(small.n, 0);
	buf_deinit(&small);
	packet_reader_deinit(&reader);
}

/* ---- another receiver ---- */

/* What is written for `receiver`, in memory that ends where it ends. */
static struct str message_text(const char *id, const char *sender, const char *receiver)
{
	const struct packet_object *m = &packet_objects[PACKET_OBJECT_m];
	struct packet packet = { .kind = PACKET_M, .extra = STR(",\"r\":\"not this\"") };
	memcpy(&packet.m, m->absent, m->bytes);
	packet.m.id = str_of(id);
	packet.m.c = STR("{\"r\":\"nor this\"}");
	buf_clear(&out);
	packet_put_message(&out, &packet, str_of(sender), str_of(receiver));
	char *text = malloc(out.n);
	assert_non_null(text);
	memcpy(text, out.p, out.n);
	return (struct str){ text, out.n };
}

static const char *const awkward[] = {
	"bob", "r", "\"r\":\"", "a\"b", "\\", "a\\", "\\\"", "\n\x01", "zo\xC3\xAB", "\",\"r\":\"x", "{\"m\":{",
	"0123456789abcdef0123456789abcdef", "0123456789abcde\"", "0123456789abcdef\\",
};

static void a_receiver_is_found_whatever_the_names_hold(void **state)
{
	(void)state;
	const size_t n = COUNT(awkward);
	for (size_t i = 0; i < n * n * n; i++) {
		const char *id = awkward[i % n], *sender = awkward[i / n % n], *receiver = awkward[i / n / n];
		struct str text = message_text(id, sender, receiver);
		struct packet_span r = packet_find_receiver(text);
		assert_true((size_t)r.at + r.n <= text.n);
		buf_clear(&out);
		json_put_string(&out, str_of(receiver));
		assert_true(str_eq(buf_view(&out), (struct str){ text.p + r.at, r.n }));
		free((char *)(uintptr_t)text.p);
	}
}

static void a_text_with_another_receiver_is_the_one_written_for_him(void **state)
{
	(void)state;
	const size_t n = COUNT(awkward);
	for (size_t i = 0; i < n * n; i++) {
		struct str before = message_text(awkward[i % n], "alice", awkward[i / n]);
		struct str wanted = message_text(awkward[i % n], "alice", awkward[n - 1 - i / n]);
		buf_clear(&out);
		packet_put_readdressed(&out, before, packet_find_receiver(before), str_of(awkward[n - 1 - i / n]));
		assert_true(str_eq(buf_view(&out), wanted));
		free((char *)(uintptr_t)before.p);
		free((char *)(uintptr_t)wanted.p);
	}
}

static void a_receipt_has_a_receiver_too(void **state)
{
	(void)state;
	struct str text = STR("{\"m\":{\"id\":\"d1\",\"s\":\"bob\",\"r\":\"alice\",\"st\":5,\"dm\":{\"id\":\"m1\"}}}");
	struct packet_span r = packet_find_receiver(text);
	packet_put_readdressed(&out, text, r, STR("zoe"));
	written_check("{\"m\":{\"id\":\"d1\",\"s\":\"bob\",\"r\":\"zoe\",\"st\":5,\"dm\":{\"id\":\"m1\"}}}");
}

static void what_is_no_message_has_no_receiver(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", "{", "{\"m\":{}}", "{\"i\":{\"id\":\"1\",\"li\":\"alice\"}}", "{\"m\":{\"id\":1,\"s\":\"a\",\"r\":\"b\"}}",
		"{\"m\":{\"id\":\"1\",\"sr\":{\"id\":\"2\"}}}", "{\"m\":{\"id\":\"1\",\"r\":\"b\",\"s\":\"a\"}}",
		"{\"m\":{\"id\":\"1\",\"s\":\"a\",\"t\":\"t\",\"r\":\"b\"}}", "{\"m\":{\"id\":\"1\",\"s\":\"a\",\"r\":null}}",
		" {\"m\":{\"id\":\"1\",\"s\":\"a\",\"r\":\"b\"}}",
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct packet_span r = packet_find_receiver(str_of(texts[i]));
		assert_int_equal(r.at, 0);
		assert_int_equal(r.n, 0);
	}
}

static void a_text_cut_off_has_no_receiver(void **state)
{
	(void)state;
	static const char whole[] = "{\"m\":{\"id\":\"a\\\"\\\\\",\"s\":\"0123456789abcdef\\\"\",\"r\":\"b\\\\\"";
	for (size_t n = 0; n < sizeof(whole); n++) {
		char *text = malloc(n ? n : 1);
		assert_non_null(text);
		memcpy(text, whole, n);
		struct packet_span r = packet_find_receiver((struct str){ text, n });
		assert_int_equal(r.n, n < sizeof(whole) - 1 ? 0 : strlen("\"b\\\\\""));
		free(text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_with_its_sender_and_what_was_written),
		TEST(a_receipt_arrives_with_nothing_but_what_it_is),
		TEST(a_server_receipt_says_what_it_is_for),
		TEST(a_packet_that_does_not_fit_fails_the_buffer),
		TEST(a_receiver_is_found_whatever_the_names_hold),
		TEST(a_text_with_another_receiver_is_the_one_written_for_him),
		TEST(a_receipt_has_a_receiver_too),
		TEST(what_is_no_message_has_no_receiver),
		TEST(a_text_cut_off_has_no_receiver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
