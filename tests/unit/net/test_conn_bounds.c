#include "net/conn_world.h"
#include "net/net_private.h"

static void fill_room(struct world *w)
{
	char filler[1000];
	memset(filler, 'f', sizeof(filler));
	while (conn_room(w->conn) >= sizeof(filler)) {
		conn_text(w->conn, filler, sizeof(filler));
		if (conn_room(w->conn) < sizeof(filler))
			run_turns(w, 1); /* what the kernel takes */
	}
}

static void room_is_offered_once_half_of_the_buffer_has_left(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	fill_room(&w);
	assert_in_range(conn_room(w.conn), 0, 999);
	conn_want_room(w.conn);
	run_turns(&w, 3);
	expect(&w.notes, "");
	for (int i = 0; i < 50; i++) {
		peer_read(&w);
		run_turns(&w, 2);
	}
	expect(&w.notes, "room ");
	assert_true(conn_room(w.conn) > SEND_BUFFER / 2);
	close_world(&w);
}

static void texts_of_refills_arrive_all_and_in_order(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.refill = 3000;
	w.refills = 500;
	conn_want_room(w.conn);
	for (int i = 0; i < 400 && (w.refills || w.seen.n < 500 * 8); i++) {
		run_turns(&w, 1);
		peer_read(&w);
	}
	assert_int_equal(w.seen.n, 500 * strlen("T:*3000 "));
	close_world(&w);
}

static void a_response_may_exceed_the_room_and_then_its_peer_waits(void **state)
{
	(void)state;
	struct world w;
	char filler[SEND_BUFFER / 4];
	memset(filler, 'q', sizeof(filler));
	open_world(&w);
	fill_room(&w);
	conn_text(w.conn, filler, sizeof(filler) - 2000);
	assert_int_equal(conn_room(w.conn), 0);
	peer_text(&w, "not read while so much waits");
	run_turns(&w, 3);
	expect(&w.notes, "");
	assert_true(wait_seen(&w, "T:*14384 "));
	run_turns(&w, 2);
	expect(&w.notes, "text:not read while so much waits ");
	close_world(&w);
}

static void too_much_output_is_dropped_and_closed_with_the_stall_code(void **state)
{
	(void)state;
	struct world w;
	char filler[SEND_BUFFER / 8 + 1000];
	memset(filler, 'q', sizeof(filler));
	open_world(&w);
	fill_room(&w);
	/* The second one takes it over 1.25 x the send buffer, the third finds it so. */
	conn_text(w.conn, filler, sizeof(filler));
	conn_text(w.conn, filler, sizeof(filler));
	assert_int_equal(counter(&w, METRIC_protocol_closes_total), 0);
	conn_text(w.conn, filler, sizeof(filler));
	expect(&w.notes, "");
	/* The frame whose beginning had left is completed, then comes the close frame. */
	assert_true(wait_seen(&w, "C:4003 "));
	buf_add(&w.seen, "", 1);
	assert_null(strstr(w.seen.p, "F:"));
	assert_true(w.seen.n < SEND_BUFFER / 1000 * 8); /* what waited was dropped */
	peer_frame(&w, 0x88, "\x0F\xA3", 2);
	run_turns(&w, 3);
	expect(&w.notes, "closed ");
	assert_int_equal(counter(&w, METRIC_protocol_closes_total), 1);
	close_world(&w);
}

#define BOUND (SEND_BUFFER + SEND_BUFFER / 4)

static void a_text_of_10_mib_arrives_whole_at_a_slow_reader_and_its_memory_is_given_back(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.wanted = long_text();
	conn_text(w.conn, "before", 6);
	conn_text(w.conn, w.wanted.p, w.wanted.n);
	conn_text(w.conn, "after", 5);
	assert_int_equal(conn_room(w.conn), 0);
	conn_want_room(w.conn);
	peer_text(&w, "not read while so much waits");
	run_turns(&w, 3);
	expect(&w.notes, "");
	assert_true(wait_seen(&w, "T:after "));
	expect(&w.seen, "T:before T:*10485760 T:after ");
	run_turns(&w, 3);
	expect(&w.notes, "text:not read while so much waits room ");
	assert_null(w.conn->out.p);
	for (unsigned i = 0; i < w.net->spare_n; i++)
		assert_in_range(w.net->spares[i].cap, 0, NET_SPARE_BYTES_MAX);
	free((char *)(uintptr_t)w.wanted.p);
	close_world(&w);
}

static void the_memory_of_a_long_text_is_given_back_before_the_last_byte_has_left(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.wanted = long_text();
	conn_text(w.conn, w.wanted.p, w.wanted.n);
	while (w.conn->out.cap > 4 * BOUND) {
		assert_true(conn_waiting(w.conn) > 0);
		peer_read(&w);
		run_turns(&w, 1);
	}
	assert_true(conn_waiting(w.conn) > 0);
	assert_in_range(w.conn->out.cap, conn_waiting(w.conn), 4 * BOUND);
	conn_text(w.conn, "last", 4);
	assert_true(wait_seen(&w, "T:last "));
	expect(&w.seen, "T:*10485760 T:last ");
	free((char *)(uintptr_t)w.wanted.p);
	close_world(&w);
}

static void what_may_follow_a_long_text_is_as_much_as_ever(void **state)
{
	(void)state;
	struct world w;
	char filler[SEND_BUFFER / 8];
	size_t followed = 0;
	open_world(&w);
	w.wanted = long_text();
	memset(filler, 'q', sizeof(filler));
	conn_text(w.conn, w.wanted.p, w.wanted.n);
	conn_ping(w.conn, "still there", 11);
	for (; followed + sizeof(filler) < BOUND; followed += sizeof(filler))
		conn_text(w.conn, filler, sizeof(filler));
	assert_int_equal(counter(&w, METRIC_protocol_closes_total), 0);
	run_turns(&w, 1); /* the long text has begun to leave */
	while (counter(&w, METRIC_protocol_closes_total) == 0) {
		assert_in_range(conn_waiting(w.conn), LONG_BYTES / 2, LONG_BYTES + BOUND + 1000);
		conn_text(w.conn, filler, sizeof(filler));
	}
	assert_true(wait_seen(&w, "C:4003 "));
	expect(&w.seen, "T:*10485760 C:4003 ");
	free((char *)(uintptr_t)w.wanted.p);
	close_world(&w);
}

static void a_second_long_text_behind_a_long_one_is_too_much(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.wanted = long_text();
	for (int i = 0; i < 3; i++) { /* one after the other they are not */
		conn_text(w.conn, w.wanted.p, w.wanted.n);
		run_turns(&w, 1);
		assert_true(wait_seen(&w, "T:*10485760 "));
		buf_clear(&w.seen);
	}
	conn_text(w.conn, w.wanted.p, w.wanted.n);
	assert_int_equal(counter(&w, METRIC_protocol_closes_total), 0);
	conn_text(w.conn, w.wanted.p, w.wanted.n);
	assert_int_equal(counter(&w, METRIC_protocol_closes_total), 1);
	assert_in_range(w.conn->out.n, 0, LONG_BYTES + BOUND);
	free((char *)(uintptr_t)w.wanted.p);
	close_world(&w);
}

static void one_that_stands_still_within_a_long_text_is_dropped(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.wanted = long_text();
	w.settings.stall_ms = 10;
	w.settings.close_ms = 10;
	conn_text(w.conn, w.wanted.p, w.wanted.n);
	while (net_count(w.net) > 0)
		run_turns(&w, 1);
	assert_int_equal(counter(&w, METRIC_protocol_closes_total), 1);
	expect(&w.notes, "closed ");
	free((char *)(uintptr_t)w.wanted.p);
	close_world(&w);
}

static void a_reader_that_stands_still_is_closed_and_may_still_see_why(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.settings.stall_ms = 20;
	fill_room(&w);
	run_turns(&w, 1);
	while (conn_room(w.conn) > 0)
		run_turns(&w, 1);
	assert_true(wait_seen(&w, "C:4003 "));
	buf_add(&w.seen, "", 1);
	assert_null(strstr(w.seen.p, "F:"));
	close_world(&w);
}

static void a_reader_that_never_reads_is_dropped(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.settings.stall_ms = 10;
	w.settings.close_ms = 10;
	fill_room(&w);
	while (net_count(w.net) > 0)
		run_turns(&w, 1);
	expect(&w.notes, "closed ");
	close_world(&w);
}

static void a_flood_of_pings_without_reading_is_bounded(void **state)
{
	(void)state;
	struct world w;
	struct buf pings;
	char payload[125];
	open_world(&w);
	memset(payload, 'p', sizeof(payload));
	buf_init(&pings, 1 << 20);
	while (pings.n < 100000)
		put(&pings, 0x89, payload, sizeof(payload));
	/* The server stops reading: then the socket takes no more. */
	size_t sent = 0, at = 0;
	unsigned refused = 0;
	while (refused < 20) {
		ssize_t n = send(w.peer, pings.p + at, pings.n - at, MSG_NOSIGNAL);
		refused = n > 0 ? 0 : refused + 1;
		sent += n > 0 ? (size_t)n : 0;
		at = (at + (n > 0 ? (size_t)n : 0)) % pings.n;
		run_turns(&w, 2);
		assert_true(sent < 4000000);
	}
	assert_int_equal(conn_room(w.conn), 0);
	/* It goes on when the peer reads. */
	peer_read(&w);
	run_turns(&w, 3);
	assert_true(send(w.peer, pings.p + at, pings.n - at, MSG_NOSIGNAL) > 0 || errno == EAGAIN);
	size_t pongs = 0;
	for (int i = 0; i < 2000 && pongs < sent / 131; i++) {
		peer_read(&w);
		pongs = w.seen.n / strlen("O:*125 ");
		run_turns(&w, 1);
	}
	assert_true(pongs >= sent / 131);
	buf_deinit(&pings);
	close_world(&w);
}

static void a_slow_handshake_ends(void **state)
{
	(void)state;
	struct world w;
	open_net(&w);
	w.settings.handshake_ms = 20;
	connect_peer(&w);
	peer_send(&w, "GET", 3);
	while (net_count(w.net) > 0)
		run_turns(&w, 1);
	peer_read(&w);
	expect(&w.seen, "EOF ");
	expect(&w.notes, "");
	close_world(&w);
}

static void an_idle_peer_is_pinged_and_ends_without_a_sign_of_life(void **state)
{
	(void)state;
	struct world w;
	open_net(&w);
	w.settings.ping_interval_ms = 20;
	w.settings.ping_timeout_ms = 20;
	connect_peer(&w);
	handshake(&w);
	assert_true(wait_seen(&w, "P: "));
	buf_clear(&w.seen);
	peer_frame(&w, 0x8A, "", 0); /* alive: the next ping comes */
	run_turns(&w, 2);
	expect(&w.notes, "pong: ");
	assert_true(wait_seen(&w, "P: "));
	buf_clear(&w.seen);
	peer_text(&w, "any frame will do");
	assert_true(wait_seen(&w, "P: "));
	peer_send(&w, "\x81", 1); /* half a frame is none */
	while (net_count(w.net) > 0)
		run_turns(&w, 1);
	expect(&w.notes, "text:any frame will do closed ");
	close_world(&w);
}

static void a_paused_connection_does_not_end_for_want_of_frames(void **state)
{
	(void)state;
	struct world w;
	open_net(&w);
	w.settings.ping_interval_ms = 2;
	w.settings.ping_timeout_ms = 2;
	connect_peer(&w);
	handshake(&w);
	conn_pause(w.conn);
	struct mono begin = mono_now();
	while (mono_diff_ms(begin, mono_now()) < 30)
		run_turns(&w, 1);
	assert_int_equal(net_count(w.net), 1);
	close_world(&w);
}

static void a_peer_that_never_answers_our_close_is_left(void **state)
{
	(void)state;
	struct world w;
	open_world(&w);
	w.settings.close_ms = 20;
	conn_close(w.conn, 1001, STR_NONE);
	while (net_count(w.net) > 0)
		run_turns(&w, 1);
	peer_read(&w);
	peer_read(&w);
	expect(&w.seen, "C:1001 EOF ");
	expect(&w.notes, "closed ");
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_is_offered_once_half_of_the_buffer_has_left),
		cmocka_unit_test(texts_of_refills_arrive_all_and_in_order),
		cmocka_unit_test(a_response_may_exceed_the_room_and_then_its_peer_waits),
		cmocka_unit_test(too_much_output_is_dropped_and_closed_with_the_stall_code),
		cmocka_unit_test(a_text_of_10_mib_arrives_whole_at_a_slow_reader_and_its_memory_is_given_back),
		cmocka_unit_test(the_memory_of_a_long_text_is_given_back_before_the_last_byte_has_left),
		cmocka_unit_test(what_may_follow_a_long_text_is_as_much_as_ever),
		cmocka_unit_test(a_second_long_text_behind_a_long_one_is_too_much),
		cmocka_unit_test(one_that_stands_still_within_a_long_text_is_dropped),
		cmocka_unit_test(a_reader_that_stands_still_is_closed_and_may_still_see_why),
		cmocka_unit_test(a_reader_that_never_reads_is_dropped),
		cmocka_unit_test(a_flood_of_pings_without_reading_is_bounded),
		cmocka_unit_test(a_slow_handshake_ends),
		cmocka_unit_test(an_idle_peer_is_pinged_and_ends_without_a_sign_of_life),
		cmocka_unit_test(a_paused_connection_does_not_end_for_want_of_frames),
		cmocka_unit_test(a_peer_that_never_answers_our_close_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
