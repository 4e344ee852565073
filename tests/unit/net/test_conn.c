#include "base/err.h"
#include "net/conn.h"
#include "net/websocket.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_BUFFER 65536
#define MESSAGE_MAX 300000
#define LONG_MS 60000 /* does not run out within a test */
#define HEAD "GET /lemp HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

/* A net with its handler, which notes down what it is told and does what the test wants, and
 * the other end of one connection. */
struct world {
	struct loop *loop;
	struct net *net;
	struct net_settings settings;
	struct metrics metrics;
	struct buf notes;   /* "opened text:hello closed " */
	struct conn *conn;  /* opened and not closed or detached */
	bool echo;
	const char *pause_at, *detach_at, *close_at; /* the text that makes it do so */
	size_t refill;      /* `room` sends texts of so many bytes while they fit */
	unsigned refills;
	int peer;
	struct buf input;   /* what the peer has read and its reader not taken */
	struct ws_reader reader;
	struct buf seen;    /* what the peer saw: "T:hello C:1000 EOF " */
};

static void opened(void *ctx, struct conn *conn)
{
	struct world *w = ctx;
	w->conn = conn;
	conn_set_user(conn, 7);
	BUF_LIT(&w->notes, "opened ");
}

static bool is(const char *wanted, const char *text, size_t n)
{
	return wanted && strlen(wanted) == n && memcmp(wanted, text, n) == 0;
}

static void text(void *ctx, struct conn *conn, char *p, size_t n)
{
	struct world *w = ctx;
	BUF_LIT(&w->notes, "text:");
	if (n <= 64)
		buf_add(&w->notes, p, n);
	else
		buf_printf(&w->notes, "*%zu", n);
	BUF_LIT(&w->notes, " ");
	if (w->echo)
		conn_text(conn, p, n);
	if (is(w->pause_at, p, n))
		conn_pause(conn);
	if (is(w->close_at, p, n))
		conn_close(conn, 1000, STR("bye"));
	bool detach = is(w->detach_at, p, n);
	memset(p, '#', n);
	if (detach)
		conn_detach(conn);
}

static void pong(void *ctx, struct conn *conn, const void *payload, size_t n)
{
	struct world *w = ctx;
	(void)conn;
	BUF_LIT(&w->notes, "pong:");
	buf_add(&w->notes, payload, n);
	BUF_LIT(&w->notes, " ");
}

static void room(void *ctx, struct conn *conn)
{
	struct world *w = ctx;
	char filler[4096];
	memset(filler, 'r', sizeof(filler));
	BUF_LIT(&w->notes, "room ");
	while (w->refill && w->refills && conn_room(conn) >= w->refill) {
		conn_text(conn, filler, w->refill);
		w->refills--;
	}
	if (w->refill && w->refills)
		conn_want_room(conn);
}

static void closed(void *ctx, struct conn *conn)
{
	struct world *w = ctx;
	assert_ptr_equal(conn, w->conn);
	assert_int_equal(conn_user(conn), 7);
	w->conn = NULL;
	BUF_LIT(&w->notes, "closed ");
}

static const struct net_handler handler = { opened, text, pong, room, closed };

static int64_t turn(void *ctx)
{
	struct world *w = ctx;
	net_flush(w->net);
	loop_stop(w->loop);
	return 0;
}

static void open_net(struct world *w)
{
	*w = (struct world){ .peer = -1 };
	w->settings = (struct net_settings){
		.http = { .path = STR("/lemp") },
		.message_max = MESSAGE_MAX, .send_buffer = SEND_BUFFER,
		.handshake_ms = LONG_MS, .ping_interval_ms = LONG_MS, .ping_timeout_ms = LONG_MS,
		.stall_ms = LONG_MS, .close_ms = LONG_MS, .stall_code = 4003, .binary_code = 1003,
	};
	w->loop = loop_create();
	w->net = net_create(w->loop, &w->settings, &handler, w, &w->metrics);
	assert_non_null(w->net);
	buf_init(&w->notes, 1 << 20);
	buf_init(&w->seen, 1 << 20);
	buf_init(&w->input, 1 << 24);
	ws_reader_init(&w->reader, WS_CLIENT, 1 << 20);
}

static void connect_peer(struct world *w)
{
	int pair[2];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	/* Small, so that a test fills it soon. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 16384 }, sizeof(int));
	assert_int_equal(net_accept(w->net, pair[0], (struct sockaddr *)&address, sizeof(address)), 0);
	w->peer = pair[1];
}

static void close_world(struct world *w)
{
	if (w->peer >= 0)
		close(w->peer);
	net_destroy(&w->net);
	assert_int_equal(atomic_load(&w->metrics.v[METRIC_connections_open]), 0);
	loop_destroy(&w->loop);
	ws_reader_deinit(&w->reader);
	buf_deinit(&w->notes);
	buf_deinit(&w->seen);
	buf_deinit(&w->input);
}

static void run_turns(struct world *w, unsigned n)
{
	while (n-- > 0)
		loop_run(w->loop, turn, w);
}

/* What the peer's socket gives, as frames: T:text P:ping O:pong C:code EOF RESET */
static void peer_read(struct world *w)
{
	static const char letters[] = { [WS_EVENT_TEXT] = 'T', [WS_EVENT_PING] = 'P', [WS_EVENT_PONG] = 'O',
					[WS_EVENT_CLOSE] = 'C', [WS_EVENT_FAIL] = 'F' };
	char *to = buf_reserve(&w->input, 1 << 20);
	ssize_t n = recv(w->peer, to, 1 << 20, 0);
	if (n == 0)
		BUF_LIT(&w->seen, "EOF ");
	if (n < 0 && errno != EAGAIN)
		BUF_LIT(&w->seen, "RESET ");
	if (n <= 0)
		return;
	buf_commit(&w->input, (size_t)n);
	enum ws_event event;
	do {
		size_t used, payload_n = 0;
		char *payload = NULL;
		event = ws_read(&w->reader, w->input.p, w->input.n, &used, &payload, &payload_n);
		if (event != WS_EVENT_NONE) {
			buf_printf(&w->seen, "%c:", letters[event]);
			if (event == WS_EVENT_CLOSE || event == WS_EVENT_FAIL)
				buf_i64(&w->seen, w->reader.close_code);
			else if (payload_n <= 64)
				buf_add(&w->seen, payload, payload_n);
			else
				buf_printf(&w->seen, "*%zu", payload_n);
			BUF_LIT(&w->seen, " ");
		}
		buf_consume(&w->input, used);
	} while (event != WS_EVENT_NONE && event != WS_EVENT_FAIL);
}

static void peer_send(struct world *w, const void *p, size_t n)
{
	assert_int_equal(send(w->peer, p, n, MSG_NOSIGNAL), n);
}

static void put(struct buf *out, uint8_t first, const void *payload, size_t n)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	size_t at = out->n;
	ws_put(out, WS_TEXT, payload, n, mask);
	out->p[at] = (char)first;
}

static void peer_frame(struct world *w, uint8_t first, const char *payload, size_t n)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	put(&out, first, payload, n);
	peer_send(w, out.p, out.n);
	buf_deinit(&out);
}

static void peer_text(struct world *w, const char *z)
{
	peer_frame(w, 0x81, z, strlen(z));
}

static void handshake(struct world *w)
{
	char response[1024];
	peer_send(w, HEAD, sizeof(HEAD) - 1);
	run_turns(w, 2);
	ssize_t n = recv(w->peer, response, sizeof(response), 0);
	assert_true(n > 4);
	assert_memory_equal(response, "HTTP/1.1 101 ", 13);
	assert_memory_equal(response + n - 4, "\r\n\r\n", 4);
	assert_non_null(w->conn);
	buf_clear(&w->notes);
}

static void open_world(struct world *w)
{
	open_net(w);
	connect_peer(w);
	handshake(w);
}

static void expect(struct buf *got, const char *want)
{
	if (!str_eq(buf_view(got), str_of(want)))
		fail_msg("'%.*s' instead of '%s'", (int)got->n, got->p ? got->p : "", want);
	buf_clear(got);
}

/* Turns and reads until the peer has seen `want` or nothing has come for long. */
static bool wait_seen(struct world *w, const char *want)
{
	struct mono begin = mono_now();
	while (mono_diff_ms(begin, mono_now()) < 20000) {
		run_turns(w, 1);
		peer_read(w);
		if (w->seen.n && memmem(w->seen.p, w->seen.n, want, strlen(want)))
			return true;
	}
	return false;
}

static int64_t counter(const struct world *w, enum metric which)
{
	return atomic_load(&w->metrics.v[which]);
}

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

static void a_response_may_exceed_the_room_by_a_quarter_but_no_more(void **state)
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
	conn_text(w.conn, filler, sizeof(filler));
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

static void a_connection_detached_within_text_goes_on_elsewhere(void **state)
{
	(void)state;
	struct world a, b;
	struct buf all;
	open_world(&a);
	open_net(&b);
	buf_init(&all, 4096);
	put(&all, 0x81, "login", 5);
	put(&all, 0x81, "two", 3);
	put(&all, 0x81, "three", 5);
	for (size_t cut = 11; cut <= all.n; cut++) {
		struct world *from = cut % 2 ? &a : &b, *to = cut % 2 ? &b : &a;
		from->detach_at = "login";
		to->detach_at = NULL;
		from->echo = to->echo = true;
		peer_send(&a, all.p, cut); /* the peer stays with a */
		run_turns(from, 2);
		expect(&from->notes, "text:login ");
		assert_int_equal(net_count(from->net), 0);
		struct conn *conn = from->conn;
		from->conn = NULL;
		assert_int_equal(conn_attach(conn, to->net), 0);
		to->conn = conn;
		assert_int_equal(conn_user(conn), 7);
		run_turns(to, 2);
		peer_send(&a, all.p + cut, all.n - cut);
		run_turns(to, 2);
		expect(&to->notes, "text:two text:three ");
		peer_read(&a);
		expect(&a.seen, "T:login T:two T:three ");
	}
	buf_deinit(&all);
	close_world(&a);
	close_world(&b);
}

static void output_and_held_input_move_along(void **state)
{
	(void)state;
	struct world a, b;
	open_world(&a);
	open_net(&b);
	a.pause_at = "stop";
	peer_text(&a, "stop");
	peer_text(&a, "held");
	run_turns(&a, 2);
	conn_text(a.conn, "out", 3);
	conn_detach(a.conn);
	assert_int_equal(conn_attach(a.conn, b.net), 0);
	b.conn = a.conn;
	run_turns(&b, 2);
	peer_read(&a);
	expect(&a.seen, "T:out ");
	expect(&b.notes, "");
	conn_resume(b.conn);
	run_turns(&b, 2);
	expect(&b.notes, "text:held ");
	close(a.peer);
	a.peer = -1;
	run_turns(&b, 2);
	expect(&b.notes, "closed ");
	expect(&a.notes, "text:stop ");
	close_world(&a);
	close_world(&b);
}

static void one_that_broke_while_it_moved_is_closed_at_its_new_place(void **state)
{
	(void)state;
	struct world a, b;
	open_world(&a);
	open_net(&b);
	conn_detach(a.conn);
	close(a.peer);
	a.peer = -1;
	assert_int_equal(conn_attach(a.conn, b.net), 0);
	b.conn = a.conn;
	run_turns(&b, 3);
	expect(&b.notes, "closed ");
	assert_int_equal(net_count(b.net), 0);
	close_world(&a);
	close_world(&b);
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
		cmocka_unit_test(a_connection_that_breaks_is_closed_once),
		cmocka_unit_test(room_is_offered_once_half_of_the_buffer_has_left),
		cmocka_unit_test(texts_of_refills_arrive_all_and_in_order),
		cmocka_unit_test(a_response_may_exceed_the_room_by_a_quarter_but_no_more),
		cmocka_unit_test(too_much_output_is_dropped_and_closed_with_the_stall_code),
		cmocka_unit_test(a_reader_that_stands_still_is_closed_and_may_still_see_why),
		cmocka_unit_test(a_reader_that_never_reads_is_dropped),
		cmocka_unit_test(a_flood_of_pings_without_reading_is_bounded),
		cmocka_unit_test(a_slow_handshake_ends),
		cmocka_unit_test(an_idle_peer_is_pinged_and_ends_without_a_sign_of_life),
		cmocka_unit_test(a_paused_connection_does_not_end_for_want_of_frames),
		cmocka_unit_test(a_peer_that_never_answers_our_close_is_left),
		cmocka_unit_test(a_connection_detached_within_text_goes_on_elsewhere),
		cmocka_unit_test(output_and_held_input_move_along),
		cmocka_unit_test(one_that_broke_while_it_moved_is_closed_at_its_new_place),
		cmocka_unit_test(each_visits_the_open_connections_only),
		cmocka_unit_test(peers_are_named_for_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
