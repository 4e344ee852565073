/* Sections 3, 4 and 11 of protocol.md: login, logout, server requests, administration. */
#include "world.c.inc"

#define REFUSED "{\"rp\":{\"id\":\"1\",\"response\":0}}\n"

static void only_login_is_answered_before_login(void **state)
{
	struct world *w = world_create(1);
	(void)state;
	unsigned a = world_connect(w, 'a');
	world_say(w, a, "{\"m\":{\"id\":\"1\",\"r\":\"bob\",\"c\":1}}");
	world_say(w, a, "{\"rq\":{\"id\":\"2\",\"zz\":1}}");
	world_say(w, a, "{\"srq\":{\"id\":\"3\",\"t\":\"k\"}}");
	world_heard(w, "a {\"rp\":{\"id\":\"1\",\"e\":{\"c\":\"401\",\"d\":\"Log in first.\"}}}\n"
		       "a {\"rp\":{\"id\":\"2\",\"e\":{\"c\":\"401\",\"d\":\"Log in first.\"}}}\n"
		       "a {\"srp\":{\"id\":\"3\",\"t\":\"k\",\"e\":{\"c\":\"401\",\"d\":\"Log in first.\"}}}\n");
	world_destroy(w);
}

static void a_wrong_token_and_an_unknown_user_look_alike(void **state)
{
	struct world *w = world_create(2);
	(void)state;
	world_user(w, "alice", false);
	unsigned a = world_connect(w, 'a');
	world_say(w, a, "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"alice\",\"t\":\"wrong\"}}}");
	world_say(w, a, "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"nobody\",\"t\":\"t\"}}}");
	world_say(w, a, "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\" alice\",\"t\":\"t\"}}}");
	world_heard(w, "a " REFUSED "a " REFUSED "a " REFUSED);
	world_say(w, a, "{\"rq\":{\"id\":\"2\",\"a\":{\"i\":\"alice\",\"t\":\"t\"}}}");
	world_say(w, a, "{\"rq\":{\"id\":\"3\",\"a\":{\"i\":\"alice\",\"t\":\"t\"}}}");
	world_heard(w, "a {\"rp\":{\"id\":\"2\",\"response\":1}}\n"
		       "a {\"rp\":{\"id\":\"3\",\"e\":{\"c\":\"400\",\"d\":\"This connection is logged in "
		       "already.\"}}}\n");
	world_destroy(w);
}

static void the_fifth_failure_closes_also_when_the_connection_moved(void **state)
{
	struct world *w = world_create(2);
	(void)state;
	unsigned a = world_connect(w, 'a');
	const char *names[] = { "u1", "u2", "u3", "u4", "u5" };
	for (unsigned i = 0; i < 5; i++) {
		char packet[128];
		snprintf(packet, sizeof(packet),
			 "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"%s\",\"t\":\"x\"}}}", names[i]);
		world_say(w, a, packet);
	}
	world_heard(w, "a " REFUSED "a " REFUSED "a " REFUSED "a " REFUSED "a " REFUSED "a close 1008\n");
	world_destroy(w);
}

static void many_failures_of_one_identity_delay_it_but_the_right_token_still_works(void **state)
{
	struct world *w = world_create(1);
	(void)state;
	world_user(w, "alice", false);
	w->settings.max_login_failures = 100;
	w->settings.login_timeout_ms = 60000;
	unsigned a = world_connect(w, 'a');
	for (unsigned i = 0; i < 11; i++)
		world_say(w, a, "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"alice\",\"t\":\"x\"}}}");
	w->log_n = 0;
	world_say(w, a, "{\"rq\":{\"id\":\"2\",\"a\":{\"i\":\"alice\",\"t\":\"x\"}}}");
	world_heard(w, ""); /* delayed */
	w->now = mono_add_ms(w->now, 5000);
	world_settle(w);
	world_heard(w, "a {\"rp\":{\"id\":\"2\",\"response\":0,\"e\":{\"c\":\"429\",\"d\":\"Too many failed "
		       "logins, wait a while.\"}}}\n");
	unsigned b = world_connect(w, 'b');
	world_say(w, b, "{\"rq\":{\"id\":\"3\",\"a\":{\"i\":\"alice\",\"t\":\"t\"}}}");
	w->now = mono_add_ms(w->now, 5000);
	world_settle(w);
	world_heard(w, "b {\"rp\":{\"id\":\"3\",\"response\":1}}\n");
	world_destroy(w);
}

static void no_login_in_time_closes(void **state)
{
	struct world *w = world_create(1);
	(void)state;
	world_connect(w, 'a');
	w->now = mono_add_ms(w->now, w->settings.login_timeout_ms);
	world_settle(w);
	world_heard(w, "a close 1008\n");
	world_destroy(w);
}

static void a_newer_login_replaces_the_older_and_gets_what_it_had_not_acknowledged(void **state)
{
	struct world *w = world_create(2);
	(void)state;
	unsigned a = world_login(w, 'a', "alice");
	world_login(w, 'b', "bob");
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"c\":1,\"st\":5}}");
	w->log_n = 0;
	unsigned c = world_connect(w, 'c');
	world_say(w, c, "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"bob\",\"t\":\"t\"}}}");
	world_heard(w, "b close 4001\nc {\"rp\":{\"id\":\"1\",\"response\":1}}\n"
		       "c {\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":1,\"st\":5}}\n");
	world_destroy(w);
}

static void several_sessions_each_get_what_comes_and_one_acknowledgement_is_enough(void **state)
{
	struct world *w = world_create(2);
	(void)state;
	w->settings.max_sessions = 2;
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	unsigned c = world_login(w, 'c', "bob");
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"c\":1,\"st\":5,\"sc\":0}}");
	world_heard(w, "b {\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":1,\"st\":5,\"sc\":\"0\"}}\n"
		       "c {\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":1,\"st\":5,\"sc\":\"0\"}}\n");
	world_say(w, c, "{\"m\":{\"id\":\"d1\",\"dm\":{\"id\":\"m1\"}}}");
	world_drop(w, b);
	world_drop(w, c);
	w->log_n = 0;
	world_say(w, world_connect(w, 'd'), "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"bob\",\"t\":\"t\"}}}");
	world_heard(w, "d {\"rp\":{\"id\":\"1\",\"response\":1}}\n");
	world_destroy(w);
}

static void logout_closes_with_1000_and_without_response(void **state)
{
	struct world *w = world_create(1);
	(void)state;
	unsigned a = world_login(w, 'a', "alice");
	world_say(w, a, "{\"rq\":{\"id\":\"2\",\"lo\":{\"r\":\"bye\"}}}");
	world_heard(w, "a close 1000\n");
	world_destroy(w);
}

static void the_server_tells_its_time_with_the_offset_inside_and_outside(void **state)
{
	struct world *w = world_create(1);
	(void)state;
	unsigned a = world_login(w, 'a', "alice");
	world_say(w, a, "{\"srq\":{\"id\":\"20\",\"t\":\"t\"}}");
	world_say(w, a, "{\"srq\":{\"id\":\"21\",\"t\":\"x\"}}");
	world_heard(w, "a {\"srp\":{\"id\":\"20\",\"t\":\"t\",\"tm\":\"1790000000000\",\"o\":2},\"o\":2}\n"
		       "a {\"srp\":{\"id\":\"21\",\"t\":\"x\",\"e\":{\"c\":\"400\",\"d\":\"Unknown request.\"}}}\n");
	world_destroy(w);
}

static void sixteen_malformed_packets_in_a_row_close_and_any_that_parses_ends_the_row(void **state)
{
	struct world *w = world_create(1);
	(void)state;
	unsigned a = world_login(w, 'a', "alice");
	for (unsigned i = 0; i < 15; i++)
		world_say(w, a, "{");
	world_say(w, a, "{\"srq\":{\"id\":\"2\",\"t\":\"k\"}}");
	for (unsigned i = 0; i < 15; i++)
		world_say(w, a, "{");
	assert_non_null(strstr(w->log, "\"400\""));
	assert_null(memmem(w->log, w->log_n, "close", 5));
	world_say(w, a, "{");
	assert_non_null(memmem(w->log, w->log_n, "a close 1008", 12));
	world_destroy(w);
}

static void administrators_create_change_and_delete_users(void **state)
{
	struct world *w = world_create(2);
	(void)state;
	world_user(w, "root", true);
	unsigned r = world_login(w, 'r', "root");
	unsigned a = world_login(w, 'a', "alice");
	world_say(w, a, "{\"rq\":{\"id\":\"1\",\"ad\":{\"c\":\"cr\",\"i\":\"x\",\"t\":\"t\"}}}");
	world_heard(w, "a {\"rp\":{\"id\":\"1\",\"e\":{\"c\":\"403\",\"d\":\"Only administrators may do that.\"}}}\n");
	world_say(w, r, "{\"rq\":{\"id\":\"2\",\"ad\":{\"c\":\"cr\",\"i\":\"dave\",\"t\":\"t\",\"ty\":\"0\"}}}");
	world_say(w, r, "{\"rq\":{\"id\":\"3\",\"ad\":{\"c\":\"cr\",\"i\":\"dave\",\"t\":\"t\"}}}");
	world_say(w, r, "{\"rq\":{\"id\":\"4\",\"ad\":{\"c\":\"up\",\"i\":\"zed\",\"ty\":\"1\"}}}");
	world_say(w, r, "{\"rq\":{\"id\":\"5\",\"ad\":{\"c\":\"del\",\"i\":\"root\"}}}");
	world_say(w, r, "{\"rq\":{\"id\":\"6\",\"ad\":{\"c\":\"up\",\"i\":\"dave\"}}}");
	world_heard(w, "r {\"rp\":{\"id\":\"2\"}}\n"
		       "r {\"rp\":{\"id\":\"3\",\"e\":{\"c\":\"409\",\"d\":\"The name 'dave' is taken.\"}}}\n"
		       "r {\"rp\":{\"id\":\"4\",\"e\":{\"c\":\"404\",\"d\":\"Not found: user 'zed'.\"}}}\n"
		       "r {\"rp\":{\"id\":\"5\",\"e\":{\"c\":\"400\",\"d\":\"You cannot delete yourself.\"}}}\n"
		       "r {\"rp\":{\"id\":\"6\",\"e\":{\"c\":\"400\",\"d\":\"Nothing to change: give t or ty.\"}}}\n");
	world_say(w, r, "{\"rq\":{\"id\":\"7\",\"ad\":{\"c\":\"up\",\"i\":\"alice\",\"ty\":\"1\"}}}");
	world_say(w, a, "{\"rq\":{\"id\":\"8\",\"ad\":{\"c\":\"del\",\"i\":\"dave\"}}}");
	world_say(w, r, "{\"rq\":{\"id\":\"9\",\"ad\":{\"c\":\"del\",\"i\":\"alice\"}}}");
	world_heard(w, "r {\"rp\":{\"id\":\"7\"}}\na {\"rp\":{\"id\":\"8\"}}\n"
		       "a close 4002\nr {\"rp\":{\"id\":\"9\"}}\n");
	unsigned again = world_connect(w, 'a');
	world_say(w, again, "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"alice\",\"t\":\"t\"}}}");
	world_heard(w, "a " REFUSED);
	world_destroy(w);
}

static void one_who_takes_a_deleted_name_is_somebody_else(void **state)
{
	struct world *w = world_create(2);
	(void)state;
	world_user(w, "root", true);
	unsigned r = world_login(w, 'r', "root");
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"c\":1,\"st\":5,\"sc\":0}}");
	world_say(w, r, "{\"rq\":{\"id\":\"1\",\"ad\":{\"c\":\"del\",\"i\":\"alice\"}}}");
	a = world_login(w, 'A', "alice");
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"dm\":{\"id\":\"m1\"}}}"); /* vanishes */
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"c\":2,\"st\":5,\"sc\":0}}"); /* is no repeat */
	world_heard(w, "b {\"m\":{\"id\":\"#\",\"sr\":{\"id\":\"d1\"}}}\n"
		       "b {\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":2,\"st\":5,\"sc\":\"0\"}}\n");
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_login_is_answered_before_login),
		cmocka_unit_test(a_wrong_token_and_an_unknown_user_look_alike),
		cmocka_unit_test(the_fifth_failure_closes_also_when_the_connection_moved),
		cmocka_unit_test(many_failures_of_one_identity_delay_it_but_the_right_token_still_works),
		cmocka_unit_test(no_login_in_time_closes),
		cmocka_unit_test(a_newer_login_replaces_the_older_and_gets_what_it_had_not_acknowledged),
		cmocka_unit_test(several_sessions_each_get_what_comes_and_one_acknowledgement_is_enough),
		cmocka_unit_test(logout_closes_with_1000_and_without_response),
		cmocka_unit_test(the_server_tells_its_time_with_the_offset_inside_and_outside),
		cmocka_unit_test(sixteen_malformed_packets_in_a_row_close_and_any_that_parses_ends_the_row),
		cmocka_unit_test(administrators_create_change_and_delete_users),
		cmocka_unit_test(one_who_takes_a_deleted_name_is_somebody_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
