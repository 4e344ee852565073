#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet/json.h"
#include "packet/packet.h"

static struct buf out;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_deinit(&out);
	return 0;
}

static void written_check(const char *expected)
{
	assert_false(out.failed);
	if (!str_eq(buf_view(&out), str_of(expected)))
		fail_msg("wrote %.*s\nnot   %s", STR_ARG(buf_view(&out)), expected);
	assert_true(json_valid(buf_view(&out), JSON_RFC8259));
	buf_clear(&out);
}

static void responses_are_written_as_the_protocol_shows(void **state)
{
	(void)state;
	packet_put_done(&out, STR("ID"));
	written_check("{\"rp\":{\"id\":\"ID\"}}");
	packet_put_done(&out, STR_NONE);
	written_check("{\"rp\":{}}");
	packet_put_error(&out, STR("ID"), REFUSAL_NOT_FOUND, STR("Not found: user 'zed'."));
	written_check("{\"rp\":{\"id\":\"ID\",\"e\":{\"c\":\"404\",\"d\":\"Not found: user 'zed'.\"}}}");
	packet_put_error(&out, STR_NONE, REFUSAL_BAD, STR("No \"id\"."));
	written_check("{\"rp\":{\"e\":{\"c\":\"400\",\"d\":\"No \\\"id\\\".\"}}}");
	packet_put_error(&out, STR("a\"\n"), REFUSAL_MAILBOX_FULL, STR(""));
	written_check("{\"rp\":{\"id\":\"a\\\"\\n\",\"e\":{\"c\":\"507\",\"d\":\"\"}}}");
	packet_put_login(&out, STR("1"), true, REFUSAL_NONE, STR_NONE);
	written_check("{\"rp\":{\"id\":\"1\",\"response\":1}}");
	packet_put_login(&out, STR("1"), false, REFUSAL_NONE, STR_NONE);
	written_check("{\"rp\":{\"id\":\"1\",\"response\":0}}");
	packet_put_login(&out, STR("1"), false, REFUSAL_TOO_MANY, STR("Too many failures."));
	written_check("{\"rp\":{\"id\":\"1\",\"response\":0,"
		      "\"e\":{\"c\":\"429\",\"d\":\"Too many failures.\"}}}");
	packet_put_sr(&out, STR("s1"), STR("m1"));
	written_check("{\"m\":{\"id\":\"s1\",\"sr\":{\"id\":\"m1\"}}}");
}

static void server_responses_are_written_as_the_protocol_shows(void **state)
{
	(void)state;
	packet_put_knock(&out, STR("21"));
	written_check("{\"srp\":{\"id\":\"21\",\"t\":\"k\"}}");
	packet_put_server_error(&out, STR("20"), STR("z"), REFUSAL_BAD, STR("Unknown."));
	written_check("{\"srp\":{\"id\":\"20\",\"t\":\"z\",\"e\":{\"c\":\"400\",\"d\":\"Unknown.\"}}}");
	packet_put_server_error(&out, STR_NONE, STR_NONE, REFUSAL_NOT_LOGGED_IN, STR("Log in."));
	written_check("{\"srp\":{\"e\":{\"c\":\"401\",\"d\":\"Log in.\"}}}");
}

static void an_offset_is_in_hours_and_whole_where_it_is_whole(void **state)
{
	(void)state;
	static const struct { int minutes; const char *hours; } cases[] = {
		{ 0, "0" }, { 120, "2" }, { 840, "14" }, { -300, "-5" }, { 330, "5.5" }, { 345, "5.75" },
		{ -210, "-3.5" }, { -30, "-0.5" }, { 15, "0.25" }, { 765, "12.75" }, { 3, "0.05" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[200];
		snprintf(expected, sizeof(expected),
			 "{\"srp\":{\"id\":\"20\",\"t\":\"t\",\"tm\":\"1790000000000\",\"o\":%s},\"o\":%s}",
			 cases[i].hours, cases[i].hours);
		packet_put_time(&out, STR("20"), INT64_C(1790000000000), cases[i].minutes);
		written_check(expected);
	}
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(responses_are_written_as_the_protocol_shows),
		TEST(server_responses_are_written_as_the_protocol_shows),
		TEST(an_offset_is_in_hours_and_whole_where_it_is_whole),
		TEST(a_message_arrives_with_its_sender_and_what_was_written),
		TEST(a_receipt_arrives_with_nothing_but_what_it_is),
		TEST(a_packet_that_does_not_fit_fails_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
