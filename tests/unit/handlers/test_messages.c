/* Section 12 of protocol.md, on one core and on two. */
#include "world.c.inc"

#define LOGIN(user) "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"" user "\",\"t\":\"t\"}}}"
#define M1 "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"t\":\"t\",\"c\":\"hello\",\"st\":5}}"
#define GOT_M1 "{\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":\"hello\",\"st\":5}}"
#define SR(id) "{\"m\":{\"id\":\"#\",\"sr\":{\"id\":\"" id "\"}}}\n"

static unsigned workers_of(void **state) { return (unsigned)(uintptr_t)*state; }

static void a_message_reaches_a_receiver_who_is_there(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	world_login(w, 'b', "bob");
	world_say(w, a, M1);
	world_heard(w, "b " GOT_M1 "\na " SR("m1"));
	world_destroy(w);
}

static void a_message_waits_for_a_receiver_who_is_away_and_comes_after_the_response(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	world_user(w, "bob", false);
	world_say(w, a, M1);
	world_say(w, a, "{m:{id:\"m2\",r:\"bob\",c:2,p:0}}");
	world_say(w, a, "{m:{id:3,r:\"bob\",c:[3],st:\"6\",sc:\"0\",pc:\"1\",x:{\"y\":1}}}");
	world_heard(w, "a " SR("m1") "a " SR("m2"));
	unsigned b = world_connect(w, 'b');
	world_say(w, b, LOGIN("bob"));
	world_heard(w, "b {\"rp\":{\"id\":\"1\",\"response\":1}}\n"
		       "b " GOT_M1 "\n"
		       "b {\"m\":{\"id\":\"3\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":[3],"
		       "\"st\":6,\"sc\":\"0\",\"pc\":\"1\",\"x\":{\"y\":1}}}\n");
	world_destroy(w);
}

static void a_message_to_nobody_is_refused(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"zed\",\"c\":1}}");
	world_heard(w, "a {\"rp\":{\"id\":\"m1\",\"e\":{\"c\":\"404\",\"d\":\"Not found: 'zed'.\"}}}\n");
	world_destroy(w);
}

static void a_repeat_is_receipted_and_not_shown_again_also_after_it_was_acknowledged(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, M1);
	world_say(w, a, M1);
	world_heard(w, "b " GOT_M1 "\na " SR("m1") "a " SR("m1"));
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"st\":7,\"dm\":{\"id\":\"m1\"},\"sc\":0}}");
	world_heard(w, "a {\"m\":{\"id\":\"d1\",\"s\":\"bob\",\"r\":\"alice\",\"st\":7,\"dm\":{\"id\":\"m1\"}}}\n");
	world_say(w, a, M1);
	world_heard(w, "a " SR("m1"));
	world_destroy(w);
}

static void dm_and_nm_reach_the_sender_once_each(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, M1);
	w->log_n = 0;
	world_say(w, b, "{\"m\":{\"id\":\"n1\",\"st\":7,\"nm\":{\"id\":\"m1\"}}}");
	world_heard(w, "a {\"m\":{\"id\":\"n1\",\"s\":\"bob\",\"r\":\"alice\",\"st\":7,\"nm\":{\"id\":\"m1\"}}}\n"
		       "b " SR("n1"));
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"st\":8,\"dm\":{\"id\":\"m1\"}}}");
	world_heard(w, "a {\"m\":{\"id\":\"d1\",\"s\":\"bob\",\"r\":\"alice\",\"st\":8,\"dm\":{\"id\":\"m1\"}}}\n"
		       "b " SR("d1"));
	world_say(w, b, "{\"m\":{\"id\":\"d2\",\"st\":8,\"dm\":{\"id\":\"m1\"}}}");
	world_heard(w, "b " SR("d2"));
	world_say(w, b, "{\"m\":{\"id\":\"d3\",\"dm\":{\"id\":\"m9\"}}}");
	world_heard(w, "b {\"rp\":{\"id\":\"d3\",\"e\":{\"c\":\"404\",\"d\":\"Not found: no such message "
		       "among those delivered to you.\"}}}\n");
	world_say(w, b, "{\"m\":{\"id\":\"d4\",\"r\":\"carol\",\"dm\":{\"id\":\"m1\"}}}");
	world_heard(w, "b {\"rp\":{\"id\":\"d4\",\"e\":{\"c\":\"404\",\"d\":\"Not found: no such message "
		       "among those delivered to you.\"}}}\n");
	world_destroy(w);
}

static void what_was_acknowledged_does_not_come_again_and_the_rest_does(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, M1);
	world_say(w, a, "{\"m\":{\"id\":\"m2\",\"r\":\"bob\",\"c\":2,\"st\":5}}");
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"st\":7,\"dm\":{\"id\":\"m1\"}}}");
	world_drop(w, b);
	w->log_n = 0;
	b = world_connect(w, 'b');
	world_say(w, b, LOGIN("bob"));
	world_heard(w, "b {\"rp\":{\"id\":\"1\",\"response\":1}}\n"
		       "b {\"m\":{\"id\":\"m2\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":2,\"st\":5}}\n");
	world_destroy(w);
}

static void a_pong_with_the_right_payload_acknowledges_what_came_before_its_ping(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, M1);
	w->log_n = 0;
	world_settle(w);
	world_heard(w, ""); /* not before ack_ping_delay */
	w->now = mono_add_ms(w->now, w->settings.ack_ping_ms + 600);
	world_settle(w);
	world_heard(w, "b ping\n");
	chat_pong(w->sessions[b].chat, w->sessions[b].handle, "xxxxxxxx", 8); /* means nothing */
	world_drop(w, b);
	b = world_connect(w, 'b');
	world_say(w, b, LOGIN("bob"));
	world_heard(w, "b {\"rp\":{\"id\":\"1\",\"response\":1}}\nb " GOT_M1 "\n");
	w->now = mono_add_ms(w->now, w->settings.ack_ping_ms + 600);
	world_settle(w);
	world_heard(w, "b ping\n");
	chat_pong(w->sessions[b].chat, w->sessions[b].handle, w->sessions[b].ping, 8);
	world_settle(w);
	world_drop(w, b);
	b = world_connect(w, 'b');
	world_say(w, b, LOGIN("bob"));
	world_heard(w, "b {\"rp\":{\"id\":\"1\",\"response\":1}}\n");
	world_destroy(w);
}

static void pc_0_releases_without_telling(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"c\":1,\"pc\":0,\"sc\":0}}");
	w->log_n = 0;
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"dm\":{\"id\":\"m1\"}}}");
	world_heard(w, "b " SR("d1"));
	world_drop(w, b);
	b = world_connect(w, 'b');
	world_say(w, b, LOGIN("bob"));
	world_heard(w, "b {\"rp\":{\"id\":\"1\",\"response\":1}}\n");
	world_destroy(w);
}

static void an_unstored_message_may_be_acknowledged_and_is_lost_when_nobody_is_there(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, "{\"m\":{\"id\":\"m1\",\"r\":\"bob\",\"c\":1,\"st\":5,\"p\":\"0\"}}");
	world_heard(w, "b {\"m\":{\"id\":\"m1\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":1,\"st\":5,"
		       "\"p\":\"0\"}}\na " SR("m1"));
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"st\":6,\"dm\":{\"id\":\"m1\"}}}");
	world_heard(w, "a {\"m\":{\"id\":\"d1\",\"s\":\"bob\",\"r\":\"alice\",\"st\":6,\"dm\":{\"id\":\"m1\"}}}\n"
		       "b " SR("d1"));
	world_say(w, b, "{\"m\":{\"id\":\"d2\",\"st\":6,\"dm\":{\"id\":\"m1\"}}}");
	world_heard(w, "b " SR("d2"));
	world_destroy(w);
}

static void a_full_mailbox_refuses_until_something_is_released(void **state)
{
	struct world *w = world_create(workers_of(state));
	w->settings.mailbox_max_messages = 1;
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	world_say(w, a, M1);
	w->log_n = 0;
	world_say(w, a, "{\"m\":{\"id\":\"m2\",\"r\":\"bob\",\"c\":2}}");
	world_heard(w, "a {\"rp\":{\"id\":\"m2\",\"e\":{\"c\":\"507\",\"d\":\"The mailbox of 'bob' is full.\"}}}\n");
	world_say(w, b, "{\"m\":{\"id\":\"d1\",\"dm\":{\"id\":\"m1\"},\"sc\":0}}");
	w->log_n = 0;
	world_say(w, a, "{\"m\":{\"id\":\"m2\",\"r\":\"bob\",\"c\":2,\"st\":5}}");
	world_heard(w, "b {\"m\":{\"id\":\"m2\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":2,\"st\":5}}\n"
		       "a " SR("m2"));
	world_destroy(w);
}

static void a_slow_reader_gets_the_rest_as_he_drains(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	unsigned b = world_login(w, 'b', "bob");
	w->sessions[b].room = w->settings.send_buffer / 4 + 100; /* one message more than the reserve */
	world_say(w, a, M1);
	world_say(w, a, "{\"m\":{\"id\":\"m2\",\"r\":\"bob\",\"c\":2,\"st\":5}}");
	world_heard(w, "b " GOT_M1 "\na " SR("m1") "a " SR("m2"));
	assert_true(w->sessions[b].wants_room);
	w->sessions[b].room = 1 << 20;
	chat_room(w->sessions[b].chat, w->sessions[b].handle);
	world_settle(w);
	world_heard(w, "b {\"m\":{\"id\":\"m2\",\"s\":\"alice\",\"r\":\"bob\",\"t\":\"t\",\"c\":2,\"st\":5}}\n");
	world_destroy(w);
}

static const struct { const char *packet, *answer; } refused[] = {
	{ "{\"m\":{\"id\":\"1\",\"r\":\"bob\"}}", "A message needs content (c), dm or nm." },
	{ "{\"m\":{\"id\":\"1\",\"c\":1}}", "A message needs a receiver (r)." },
	{ "{\"m\":{\"id\":\"1\",\"r\":\"bob\",\"c\":1,\"dm\":{\"id\":\"2\"}}}",
	  "A message is content (c), dm or nm, not several." },
	{ "{\"m\":{\"id\":\"1\",\"sr\":{\"id\":\"2\"}}}", "Only the server sends server receipts." },
	{ "{\"m\":{\"id\":\"1\",\"r\":\"bob\",\"c\":1,\"t\":\"z\"}}",
	  "Unknown message type: t is t, p, v, a, l or begins with x-." },
	{ "{\"m\":{\"id\":\"1\",\"r\":\"bob\",\"c\":1,\"t\":\"x-\"}}",
	  "Unknown message type: t is t, p, v, a, l or begins with x-." },
};

static void what_is_no_message_is_refused_and_the_session_goes_on(void **state)
{
	struct world *w = world_create(workers_of(state));
	unsigned a = world_login(w, 'a', "alice");
	char want[512];
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		world_say(w, a, refused[i].packet);
		snprintf(want, sizeof(want), "a {\"rp\":{\"id\":\"1\",\"e\":{\"c\":\"400\",\"d\":\"%s\"}}}\n",
			 refused[i].answer);
		world_heard(w, want);
	}
	world_say(w, a, "{\"srq\":{\"id\":\"2\",\"t\":\"k\"}}");
	world_heard(w, "a {\"srp\":{\"id\":\"2\",\"t\":\"k\"}}\n");
	world_destroy(w);
}

#define BOTH(test)                                                                                   \
	{ #test ", one worker", test, NULL, NULL, (void *)1 },                                        \
	{ #test ", two workers", test, NULL, NULL, (void *)2 }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_message_reaches_a_receiver_who_is_there),
		BOTH(a_message_waits_for_a_receiver_who_is_away_and_comes_after_the_response),
		BOTH(a_message_to_nobody_is_refused),
		BOTH(a_repeat_is_receipted_and_not_shown_again_also_after_it_was_acknowledged),
		BOTH(dm_and_nm_reach_the_sender_once_each),
		BOTH(what_was_acknowledged_does_not_come_again_and_the_rest_does),
		BOTH(a_pong_with_the_right_payload_acknowledges_what_came_before_its_ping),
		BOTH(pc_0_releases_without_telling),
		BOTH(an_unstored_message_may_be_acknowledged_and_is_lost_when_nobody_is_there),
		BOTH(a_full_mailbox_refuses_until_something_is_released),
		BOTH(a_slow_reader_gets_the_rest_as_he_drains),
		BOTH(what_is_no_message_is_refused_and_the_session_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
