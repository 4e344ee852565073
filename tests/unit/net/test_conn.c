#include "net/conn_world.h"
#include <arpa/inet.h>

static void a_handshake_opens_and_texts_are_echoed(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.echo = true;
	assert_true(str_eq(conn_address(w.conn), STR("unix")));
	peer_text(&w, "hello");
	peer_text(&w, "");
	run_turns(&w, 2);
	peer_read(&w);
	expect(&w.notes, "text:hello text: ");
	expect(&w.seen, "T:hello T: ");
	assert_int_equal(net_count(w.net), 1);
	assert_int_equal(counter(&w, METRIC_connections_total), 1);
	assert_int_equal(counter(&w, METRIC_received_bytes_total), sizeof(HEAD) - 1 + 6 + 5 + 6);
	close_world(&w);
}

static void a_head_byte_by_byte_with_frames_behind_it_opens(void **state)
{
	(void)state;
	struct world w;
	struct buf all;
	open_net(&w);
	connect_peer(&w);
	buf_init(&all, 4096);
	BUF_LIT(&all, HEAD);
	put(&all, 0x81, "one", 3);
	for (size_t i = 0; i + 12 < all.n; i++) {
		peer_send(&w, all.p + i, 1);
		run_turns(&w, 1);
	}
	peer_send(&w, all.p + all.n - 12, 12); /* the end of the head and a frame in one piece */
	run_turns(&w, 2);
	expect(&w.notes, "opened text:one ");
	buf_deinit(&all);
	close_world(&w);
}

static void a_refused_handshake_is_answered_and_drained(void **state)
{
	(void)state;
	struct world w;
	char response[1024];
	open_net(&w);
	connect_peer(&w);
	peer_send(&w, "GET / HTTP/1.1\r\nHost: h\r\n\r\nand more", 35);
	run_turns(&w, 3);
	ssize_t n = recv(w.peer, response, sizeof(response), 0);
	assert_true(n > 0);
	assert_memory_equal(response, "HTTP/1.1 404 ", 13);
	assert_int_equal(recv(w.peer, response, sizeof(response), 0), 0); /* its FIN */
	assert_int_equal(net_count(w.net), 1);
	peer_send(&w, "ignored", 7);
	run_turns(&w, 2);
	close(w.peer);
	w.peer = -1;
	run_turns(&w, 3);
	assert_int_equal(net_count(w.net), 0);
	assert_int_equal(counter(&w, METRIC_handshakes_refused_total), 1);
	expect(&w.notes, "");
	close_world(&w);
}

static void frames_cut_anywhere_arrive(void **state)
{
	(void)state;
	struct world w;
	struct buf all;
	open_world(&w);
	buf_init(&all, 4096);
	put(&all, 0x81, "first", 5);
	put(&all, 0x01, "sec", 3);
	put(&all, 0x89, "p", 1);
	put(&all, 0x80, "ond", 3);
	for (size_t cut = 0; cut <= all.n; cut++) {
		peer_send(&w, all.p, cut);
		run_turns(&w, 2);
		peer_send(&w, all.p + cut, all.n - cut);
		run_turns(&w, 2);
		peer_read(&w);
		expect(&w.notes, "text:first text:second ");
		expect(&w.seen, "O:p ");
	}
	buf_deinit(&all);
	close_world(&w);
}

static void a_message_larger_than_one_read_arrives(void **state)
{
	(void)state;
	struct world w;
	struct buf all;
	open_world(&w);
	buf_init(&all, 1 << 20);
	char *big = malloc(MESSAGE_MAX);
	memset(big, 'x', MESSAGE_MAX);
	put(&all, 0x81, big, MESSAGE_MAX);
	for (size_t at = 0; at < all.n;) {
		ssize_t n = send(w.peer, all.p + at, all.n - at, MSG_NOSIGNAL);
		at += n > 0 ? (size_t)n : 0;
		run_turns(&w, 1);
	}
	run_turns(&w, 3);
	expect(&w.notes, "text:*300000 ");
	free(big);
	buf_deinit(&all);
	close_world(&w);
}

static void pings_are_answered_in_order_with_their_payload(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.echo = true;
	peer_frame(&w, 0x89, "a", 1);
	peer_text(&w, "t");
	peer_frame(&w, 0x89, "", 0);
	peer_frame(&w, 0x8A, "back", 4);
	run_turns(&w, 2);
	peer_read(&w);
	expect(&w.seen, "O:a T:t O: ");
	expect(&w.notes, "text:t pong:back ");
	close_world(&w);
}

static void texts_behind_a_pause_wait_in_order_with_the_pings_between(void **state)
{
	(void)state;
	struct world w;
	struct buf all;
	open_world(&w);
	w.pause_at = "b";
	buf_init(&all, 4096);
	put(&all, 0x81, "a", 1);
	put(&all, 0x81, "b", 1);
	put(&all, 0x89, "p", 1);
	put(&all, 0x81, "c", 1);
	peer_send(&w, all.p, all.n - 1); /* the last text is not whole */
	run_turns(&w, 3);
	peer_read(&w);
	expect(&w.notes, "text:a text:b ");
	expect(&w.seen, "");
	peer_send(&w, all.p + all.n - 1, 1);
	peer_text(&w, "d");
	run_turns(&w, 3);
	expect(&w.notes, "");
	conn_resume(w.conn);
	run_turns(&w, 3);
	peer_read(&w);
	expect(&w.notes, "text:c text:d ");
	expect(&w.seen, "O:p ");
	buf_deinit(&all);
	close_world(&w);
}

static void each_resume_gives_what_stands_before_the_next_pause(void **state)
{
	(void)state;
	struct world w;
	struct buf all;
	open_world(&w);
	w.pause_at = "x";
	buf_init(&all, 1 << 16);
	for (int i = 0; i < 100; i++)
		put(&all, 0x81, "x", 1);
	peer_send(&w, all.p, all.n);
	for (int i = 0; i < 100; i++) {
		run_turns(&w, 2);
		expect(&w.notes, "text:x ");
		conn_resume(w.conn);
	}
	run_turns(&w, 2);
	expect(&w.notes, "");
	buf_deinit(&all);
	close_world(&w);
}

static void a_pause_taken_back_in_the_same_turn_changes_nothing(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	conn_pause(w.conn);
	conn_resume(w.conn);
	peer_text(&w, "a");
	run_turns(&w, 2);
	expect(&w.notes, "text:a ");
	close_world(&w);
}

static void a_hang_up_while_paused_ends_it(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	conn_pause(w.conn);
	run_turns(&w, 1);
	close(w.peer);
	w.peer = -1;
	run_turns(&w, 2);
	expect(&w.notes, "closed ");
	close_world(&w);
}

static void the_peers_close_is_answered_with_its_code(void **state)
{
	(void)state;
	const struct { const char *payload; size_t n; const char *seen; } rows[] = {
		{ "\x03\xE8", 2, "C:1000 " }, { "\x03\xE9" "bye", 5, "C:1001 " },
		{ "\x0F\xA0", 2, "C:4000 " }, { "", 0, "C:1005 " },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		open_world(&w);
		peer_frame(&w, 0x88, rows[i].payload, rows[i].n);
		peer_text(&w, "late");
		run_turns(&w, 2);
		expect(&w.notes, "closed "); /* at once, though the peer's FIN is still to come */
		peer_read(&w);
		peer_read(&w);
		buf_add(&w.seen, "", 1);
		assert_memory_equal(w.seen.p, rows[i].seen, strlen(rows[i].seen));
		assert_string_equal(w.seen.p + strlen(rows[i].seen), "EOF ");
		assert_int_equal(net_count(w.net), 1);
		close(w.peer);
		w.peer = -1;
		run_turns(&w, 3);
		assert_int_equal(net_count(w.net), 0);
		expect(&w.notes, "");
		close_world(&w);
	}
}

static void our_close_sends_what_waited_then_waits_for_the_peers(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	conn_text(w.conn, "last", 4);
	conn_close(w.conn, 1001, STR("bye"));
	assert_int_equal(conn_room(w.conn), 0);
	conn_text(w.conn, "never", 5);
	conn_close(w.conn, 1002, STR_NONE);
	peer_text(&w, "ignored");
	peer_frame(&w, 0x89, "ignored", 7);
	peer_frame(&w, 0x8A, "ignored", 7);
	run_turns(&w, 3);
	peer_read(&w);
	peer_read(&w);
	expect(&w.seen, "T:last C:1001 ");
	expect(&w.notes, "");
	peer_frame(&w, 0x88, "\x03\xE9", 2);
	run_turns(&w, 3);
	peer_read(&w);
	expect(&w.seen, "EOF ");
	expect(&w.notes, "closed ");
	close(w.peer);
	w.peer = -1;
	run_turns(&w, 3);
	assert_int_equal(net_count(w.net), 0);
	close_world(&w);
}

static void a_close_within_text_stops_the_texts_behind_it(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.close_at = "b";
	peer_text(&w, "a");
	peer_text(&w, "b");
	peer_text(&w, "c");
	run_turns(&w, 3);
	peer_read(&w);
	expect(&w.notes, "text:a text:b ");
	expect(&w.seen, "C:1000 ");
	close_world(&w);
}

static void a_close_of_a_paused_connection_is_completed(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.pause_at = "a";
	peer_text(&w, "a");
	peer_text(&w, "held");
	run_turns(&w, 2);
	conn_close(w.conn, 1000, STR_NONE);
	peer_frame(&w, 0x88, "\x03\xE8", 2);
	run_turns(&w, 4);
	peer_read(&w);
	peer_read(&w);
	expect(&w.seen, "C:1000 EOF ");
	expect(&w.notes, "text:a closed ");
	close_world(&w);
}

static void a_peer_that_breaks_the_rules_is_told_the_code(void **state)
{
	(void)state;
	const struct { const char *bytes; size_t n; const char *seen; } rows[] = {
		{ "\x81\x01" "a", 3, "C:1002 EOF " },
		{ "\x82\x81\0\0\0\0a", 7, "C:1003 EOF " },
		{ "\x81\x81\0\0\0\0\xFF", 7, "C:1007 EOF " },
		{ "\x81\xFF\0\0\0\0\0\x10\0\0", 10, "C:1009 EOF " },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		open_world(&w);
		w.echo = true;
		peer_text(&w, "fine");
		peer_send(&w, rows[i].bytes, rows[i].n);
		peer_text(&w, "late");
		run_turns(&w, 3);
		peer_read(&w);
		peer_read(&w);
		assert_memory_equal(w.seen.p, "T:fine ", 7);
		buf_consume(&w.seen, 7);
		expect(&w.seen, rows[i].seen);
		expect(&w.notes, "text:fine closed ");
		assert_int_equal(counter(&w, METRIC_protocol_closes_total), 1);
		close_world(&w);
	}
}

static void a_fault_of_the_peer_while_we_close_ends_the_waiting(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	conn_close(w.conn, 1001, STR_NONE);
	peer_send(&w, "\xFF\xFF", 2);
	run_turns(&w, 3);
	peer_read(&w);
	peer_read(&w);
	expect(&w.seen, "C:1001 EOF ");
	expect(&w.notes, "closed ");
	close_world(&w);
}

static void our_ping_carries_its_payload_and_the_pong_comes_back(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	conn_text(w.conn, "before", 6);
	conn_ping(w.conn, "mark", 4);
	run_turns(&w, 1);
	peer_read(&w);
	expect(&w.seen, "T:before P:mark ");
	peer_frame(&w, 0x8A, "mark", 4);
	run_turns(&w, 2);
	expect(&w.notes, "pong:mark ");
	close_world(&w);
}

static void a_connection_that_breaks_is_closed_once(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	conn_text(w.conn, "x", 1);
	close(w.peer);
	w.peer = -1;
	run_turns(&w, 3);
	expect(&w.notes, "closed ");
	assert_int_equal(net_count(w.net), 0);
	close_world(&w);
}

static void count_open(void *ctx, struct conn *conn)
{
	unsigned *n = ctx;
	++*n;
	conn_close(conn, 1001, STR_NONE); /* what a shutdown does */
}

static void each_visits_the_open_connections_only(void **state)
{
	(void)state;
	struct world w;
	unsigned n = 0;
	open_world(&w);
	int first = w.peer;
	connect_peer(&w); /* in its handshake */
	net_each(w.net, count_open, &n);
	assert_int_equal(n, 1);
	net_each(w.net, count_open, &n);
	assert_int_equal(n, 1);
	assert_int_equal(net_count(w.net), 2);
	close(first);
	close_world(&w);
}

static void peers_are_named_for_limits(void **state)
{
	(void)state;
	const struct { const char *address, *name; } rows[] = {
		{ "::1", "::1" }, { "::ffff:10.1.2.3", "10.1.2.3" }, { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
		{ "2001:db8:1:2::1", "2001:db8:1:2::/64" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		int pair[2];
		struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
		open_net(&w);
		assert_int_equal(inet_pton(AF_INET6, rows[i].address, &address.sin6_addr), 1);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		assert_int_equal(net_accept(w.net, pair[0], (struct sockaddr *)&address, sizeof(address)), 0);
		w.peer = pair[1];
		handshake(&w);
		assert_true(str_eq(conn_address(w.conn), str_of(rows[i].name)));
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_opens_and_texts_are_echoed),
		cmocka_unit_test(a_head_byte_by_byte_with_frames_behind_it_opens),
		cmocka_unit_test(a_refused_handshake_is_answered_and_drained),
		cmocka_unit_test(frames_cut_anywhere_arrive),
		cmocka_unit_test(a_message_larger_than_one_read_arrives),
		cmocka_unit_test(pings_are_answered_in_order_with_their_payload),
		cmocka_unit_test(texts_behind_a_pause_wait_in_order_with_the_pings_between),
		cmocka_unit_test(each_resume_gives_what_stands_before_the_next_pause),
		cmocka_unit_test(a_pause_taken_back_in_the_same_turn_changes_nothing),
		cmocka_unit_test(a_hang_up_while_paused_ends_it),
		cmocka_unit_test(the_peers_close_is_answered_with_its_code),
		cmocka_unit_test(our_close_sends_what_waited_then_waits_for_the_peers),
		cmocka_unit_test(a_close_within_text_stops_the_texts_behind_it),
		cmocka_unit_test(a_close_of_a_paused_connection_is_completed),
		cmocka_unit_test(a_peer_that_breaks_the_rules_is_told_the_code),
		cmocka_unit_test(a_fault_of_the_peer_while_we_close_ends_the_waiting),
		cmocka_unit_test(our_ping_carries_its_payload_and_the_pong_comes_back),
		cmocka_unit_test(a_connection_that_breaks_is_closed_once),
		cmocka_unit_test(each_visits_the_open_connections_only),
		cmocka_unit_test(peers_are_named_for_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
