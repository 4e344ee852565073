/* Responses and information as they are written. */
#include "packet/written.h"

/* Lists of names; what follows NULL is not there. "-": an absent string. */
static struct buf lists;

static struct str list_of(const char *const *names)
{
	size_t from = lists.n;
	for (; *names; names++)
		strs_add(&lists, strcmp(*names, "-") == 0 ? STR_NONE : str_of(*names));
	assert_false(lists.failed);
	return (struct str){ lists.p + from, lists.n - from };
}
#define LIST(...) list_of((const char *const[]){ __VA_ARGS__, NULL })

static int lists_setup(void **state)
{
	buf_init(&lists, 4096);
	assert_non_null(buf_reserve(&lists, 4096)); /* views into it last */
	return setup(state);
}

static int lists_teardown(void **state)
{
	buf_deinit(&lists);
	return teardown(state);
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

static void a_state_is_a_string(void **state)
{
	(void)state;
	packet_put_state(&out, STR("7"), STR("bob"), 0);
	written_check("{\"rp\":{\"id\":\"7\",\"s\":{\"u\":\"bob\",\"v\":\"0\"}}}");
	packet_put_state(&out, STR("7"), STR("b\"b"), -1);
	written_check("{\"rp\":{\"id\":\"7\",\"s\":{\"u\":\"b\\\"b\",\"v\":\"-1\"}}}");
	packet_put_state(&out, STR("7"), STR("bob"), INT64_C(1790000000000));
	written_check("{\"rp\":{\"id\":\"7\",\"s\":{\"u\":\"bob\",\"v\":\"1790000000000\"}}}");
}

static void texts_of_a_name_are_written_as_the_protocol_shows(void **state)
{
	(void)state;
	packet_put_picture(&out, STR("9"), "u", STR("bob"), STR("https://a\"/\n"));
	written_check("{\"rp\":{\"id\":\"9\",\"p\":{\"u\":\"bob\",\"v\":\"https://a\\\"/\\n\"}}}");
	packet_put_picture(&out, STR("9"), "i", STR("g1"), STR(""));
	written_check("{\"rp\":{\"id\":\"9\",\"p\":{\"i\":\"g1\",\"v\":\"\"}}}");
	packet_put_picture(&out, STR("9"), "b", STR("b1"), STR_NONE);
	written_check("{\"rp\":{\"id\":\"9\",\"p\":{\"b\":\"b1\",\"v\":\"\"}}}");
	packet_put_status(&out, STR("11"), STR("bob"), STR("At the gym"));
	written_check("{\"rp\":{\"id\":\"11\",\"st\":{\"u\":\"bob\",\"s\":\"At the gym\"}}}");
	packet_put_title(&out, STR("1"), "i", STR("g1"), STR("name"));
	written_check("{\"rp\":{\"id\":\"1\",\"n\":{\"i\":\"g1\",\"n\":\"name\"}}}");
	packet_put_title(&out, STR("1"), "b", STR("b\x01"), STR("\\"));
	written_check("{\"rp\":{\"id\":\"1\",\"n\":{\"b\":\"b\\u0001\",\"n\":\"\\\\\"}}}");
}

static void a_group_is_written_as_the_protocol_shows(void **state)
{
	(void)state;
	struct packet_group g = { .name = STR("g1"), .title = STR("na\"me"), .created_ms = INT64_C(1790000000000),
				  .muted_ms = 0, .members = LIST("alice", "b\"b", "zo\xC3\xAB") };
	packet_put_group(&out, STR("1"), &g);
	written_check("{\"rp\":{\"id\":\"1\",\"g\":{\"i\":\"g1\",\"c\":\"1790000000000\",\"mt\":\"0\","
		      "\"m\":[\"alice\",\"b\\\"b\",\"zo\xC3\xAB\"],\"n\":\"na\\\"me\"}}}");
	g.muted_ms = 5;
	g.members = STR("");
	g.title = STR_NONE;
	packet_put_group(&out, STR("1"), &g);
	written_check("{\"rp\":{\"id\":\"1\",\"g\":{\"i\":\"g1\",\"c\":\"1790000000000\",\"mt\":\"5\","
		      "\"m\":[],\"n\":\"\"}}}");
	packet_put_admins(&out, STR("2"), STR("g1"), LIST("alice"));
	written_check("{\"rp\":{\"id\":\"2\",\"g\":{\"i\":\"g1\",\"ad\":[\"alice\"]}}}");
}

static void a_broadcast_is_written_as_the_protocol_shows(void **state)
{
	(void)state;
	struct packet_group g = { .name = STR("b1"), .title = STR("name"), .created_ms = 7,
				  .muted_ms = 9, .members = LIST("bob", "carol") };
	packet_put_broadcast(&out, STR("1"), &g);
	written_check("{\"rp\":{\"id\":\"1\",\"br\":{\"i\":\"b1\",\"c\":\"7\",\"n\":\"name\","
		      "\"m\":[\"bob\",\"carol\"]}}}");
}

static void lists_are_written_as_the_protocol_shows(void **state)
{
	(void)state;
	packet_put_names(&out, STR("6"), "fr", LIST("dave"));
	written_check("{\"rp\":{\"id\":\"6\",\"fr\":[\"dave\"]}}");
	packet_put_names(&out, STR("14"), "pr", LIST("a", "\"", "c"));
	written_check("{\"rp\":{\"id\":\"14\",\"pr\":[\"a\",\"\\\"\",\"c\"]}}");
	packet_put_names(&out, STR("14"), "pr", STR(""));
	written_check("{\"rp\":{\"id\":\"14\",\"pr\":[]}}");
	packet_put_pairs(&out, STR("6"), "f", "u", LIST("bob", "-", "carol", "Caro", "dave", ""));
	written_check("{\"rp\":{\"id\":\"6\",\"f\":[{\"u\":\"bob\",\"n\":\"\"},{\"u\":\"carol\",\"n\":\"Caro\"},"
		      "{\"u\":\"dave\",\"n\":\"\"}]}}");
	packet_put_pairs(&out, STR("6"), "g", "i", LIST("g1", "na\nme"));
	written_check("{\"rp\":{\"id\":\"6\",\"g\":[{\"i\":\"g1\",\"n\":\"na\\nme\"}]}}");
	packet_put_pairs(&out, STR("6"), "br", "i", STR(""));
	written_check("{\"rp\":{\"id\":\"6\",\"br\":[]}}");
}

static void presence_is_written_as_the_protocol_shows(void **state)
{
	(void)state;
	packet_put_presence(&out, STR("x1"), true, STR("alice"));
	written_check("{\"i\":{\"id\":\"x1\",\"li\":\"alice\"}}");
	packet_put_presence(&out, STR("x2"), false, STR("a\"b"));
	written_check("{\"i\":{\"id\":\"x2\",\"lo\":\"a\\\"b\"}}");
}

static void information_is_written_as_the_protocol_shows(void **state)
{
	(void)state;
	const struct { struct packet_info info; const char *object; } cases[] = {
		{ { .t = "c", .group = STR("g1"), .title = STR("name") }, "\"t\":\"c\",\"i\":\"g1\",\"n\":\"name\"" },
		{ { .t = "a", .group = STR("g1"), .members = LIST("dave") },
		  "\"t\":\"a\",\"i\":\"g1\",\"m\":[\"dave\"]" },
		{ { .t = "a", .group = STR("g1"), .members = LIST("dave", "e\"") },
		  "\"t\":\"a\",\"i\":\"g1\",\"m\":[\"dave\",\"e\\\"\"]" },
		{ { .t = "b", .group = STR("g1"), .member = STR("dave") }, "\"t\":\"b\",\"i\":\"g1\",\"m\":\"dave\"" },
		{ { .t = "l", .group = STR("g1"), .member = STR("dave") }, "\"t\":\"l\",\"i\":\"g1\",\"m\":\"dave\"" },
		{ { .t = "t", .group = STR("g1") }, "\"t\":\"t\",\"i\":\"g1\"" },
		{ { .t = "p", .group = STR("g\\1") }, "\"t\":\"p\",\"i\":\"g\\\\1\"" },
		{ { .t = "n", .group = STR("g1"), .title = STR("new name") },
		  "\"t\":\"n\",\"i\":\"g1\",\"n\":\"new name\"" },
		{ { .t = "n", .group = STR("g1"), .title = STR("") }, "\"t\":\"n\",\"i\":\"g1\",\"n\":\"\"" },
		{ { .t = "aad", .group = STR("g1"), .members = LIST("dave") },
		  "\"t\":\"aad\",\"i\":\"g1\",\"m\":[\"dave\"]" },
		{ { .t = "rad", .group = STR("g1"), .members = LIST("dave") },
		  "\"t\":\"rad\",\"i\":\"g1\",\"m\":[\"dave\"]" },
		{ { .t = "gap", .group = STR("g1"), .count = 12 }, "\"t\":\"gap\",\"i\":\"g1\",\"c\":\"12\"" },
		{ { .t = "gap", .group = STR("b1"), .user = STR("alice"), .count = 1 },
		  "\"t\":\"gap\",\"u\":\"alice\",\"c\":\"1\"" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char expected[200];
		packet_put_info(&out, STR("x"), &cases[i].info);
		snprintf(expected, sizeof(expected), "{\"i\":{\"id\":\"x\",\"g\":{%s}}}", cases[i].object);
		written_check(expected);
	}
}

static void a_list_that_does_not_fit_fails_the_buffer(void **state)
{
	(void)state;
	struct buf small;
	buf_init(&small, 40);
	packet_put_names(&small, STR("6"), "fr", LIST("dave", "0123456789012345"));
	assert_true(small.failed);
	buf_deinit(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lists_setup, lists_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(responses_are_written_as_the_protocol_shows),
		TEST(server_responses_are_written_as_the_protocol_shows),
		TEST(an_offset_is_in_hours_and_whole_where_it_is_whole),
		TEST(a_state_is_a_string),
		TEST(texts_of_a_name_are_written_as_the_protocol_shows),
		TEST(a_group_is_written_as_the_protocol_shows),
		TEST(a_broadcast_is_written_as_the_protocol_shows),
		TEST(lists_are_written_as_the_protocol_shows),
		TEST(presence_is_written_as_the_protocol_shows),
		TEST(information_is_written_as_the_protocol_shows),
		TEST(a_list_that_does_not_fit_fails_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
