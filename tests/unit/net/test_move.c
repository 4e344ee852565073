#include "base/inbox.h"
#include "net/conn_world.h"
#include <pthread.h>

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

static void a_connection_detached_within_a_text_that_was_held_goes_on_elsewhere(void **state)
{
	(void)state;
	struct world a, b;
	open_world(&a);
	open_net(&b);
	a.pause_at = "stop";
	a.detach_at = "move";
	peer_text(&a, "stop");
	peer_text(&a, "move");
	peer_text(&a, "next");
	peer_send(&a, "\x81", 1); /* half a header */
	run_turns(&a, 2);
	conn_resume(a.conn);
	run_turns(&a, 2);
	expect(&a.notes, "text:stop text:move ");
	assert_int_equal(conn_attach(a.conn, b.net), 0);
	b.conn = a.conn;
	run_turns(&b, 2);
	expect(&b.notes, "text:next ");
	peer_send(&a, "\x81\0\0\0\0z", 6);
	run_turns(&b, 2);
	expect(&b.notes, "text:z ");
	close_world(&a);
	close_world(&b);
}

static void a_long_text_moves_along_with_its_bound(void **state)
{
	(void)state;
	struct world a, b;
	open_world(&a);
	open_net(&b);
	a.wanted = long_text();
	conn_text(a.conn, a.wanted.p, a.wanted.n);
	run_turns(&a, 2); /* a part of it has left */
	conn_detach(a.conn);
	assert_int_equal(conn_attach(a.conn, b.net), 0);
	b.conn = a.conn;
	conn_text(b.conn, "after", 5);
	for (int i = 0; i < 20000 && a.seen.n < 20; i++) {
		run_turns(&b, 1);
		peer_read(&a);
	}
	expect(&a.seen, "T:*10485760 T:after ");
	close(a.peer);
	a.peer = -1;
	run_turns(&b, 2);
	free((char *)(uintptr_t)a.wanted.p);
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


#define TEXTS 3000

enum { MOVE, STOP };
struct message { struct inbox_node node; struct conn *conn; };

/* A worker: a thread with its loop, that hands the connection on at every seventh text. */
struct worker {
	struct loop *loop;
	struct net *net;
	struct worker *other;
	struct inbox inbox;
	struct net_settings settings;
	struct metrics metrics;
	struct message move, stop;
	unsigned texts, closed;
	pthread_t thread;
};

static void worker_opened(void *ctx, struct conn *conn)
{
	(void)ctx;
	(void)conn;
}

static void worker_text(void *ctx, struct conn *conn, char *p, size_t n)
{
	struct worker *w = ctx;
	conn_text(conn, p, n);
	if (++w->texts % 7 != 0)
		return;
	conn_detach(conn);
	w->other->move.conn = conn;
	w->other->move.node.kind = MOVE;
	inbox_push(&w->other->inbox, &w->other->move.node);
}

static void worker_pong(void *ctx, struct conn *conn, const void *p, size_t n)
{
	(void)ctx;
	(void)conn;
	(void)p;
	(void)n;
}

static void worker_closed(void *ctx, struct conn *conn)
{
	struct worker *w = ctx;
	(void)conn;
	w->closed++;
}

static const struct net_handler worker_handler = { worker_opened, worker_text, worker_pong, worker_opened, worker_closed };

static int64_t worker_turn(void *ctx)
{
	struct worker *w = ctx;
	struct inbox_node *node = inbox_take(&w->inbox);
	while (node) {
		struct inbox_node *next = node->next;
		if (node->kind == STOP)
			loop_stop(w->loop);
		else
			assert_int_equal(conn_attach(((struct message *)node)->conn, w->net), 0);
		node = next;
	}
	return net_flush(w->net) ? 0 : -1;
}

static void *run(void *ctx)
{
	struct worker *w = ctx;
	loop_run(w->loop, worker_turn, w);
	return NULL;
}

static void wake(void *ctx)
{
	loop_wake(ctx);
}

static void worker_open(struct worker *w, struct worker *other)
{
	*w = (struct worker){ .other = other };
	w->settings = (struct net_settings){
		.http = { .path = STR("/lemp") }, .message_max = 1000, .send_buffer = 100000,
		.handshake_ms = 60000, .ping_interval_ms = 60000, .ping_timeout_ms = 60000,
		.stall_ms = 60000, .close_ms = 60000,
	};
	w->loop = loop_create();
	w->net = net_create(w->loop, &w->settings, &worker_handler, w, &w->metrics);
	assert_non_null(w->net);
	inbox_init(&w->inbox, wake, w->loop);
}

static void worker_close(struct worker *w)
{
	w->stop.node.kind = STOP;
	inbox_push(&w->inbox, &w->stop.node);
	pthread_join(w->thread, NULL);
	net_destroy(&w->net);
	loop_destroy(&w->loop);
}

static void *send_all(void *ctx)
{
	static const uint8_t mask[4] = { 9, 8, 7, 6 };
	const int *fd = ctx;
	struct buf out;
	buf_init(&out, 1 << 20);
	for (unsigned i = 0; i < TEXTS; i++) {
		char number[16];
		int n = snprintf(number, sizeof(number), "%u", i);
		ws_put(&out, WS_TEXT, number, (size_t)n, mask);
	}
	/* Pieces that cut frames, so that half ones move along, too. */
	for (size_t at = 0; at < out.n;) {
		size_t left = out.n - at;
		ssize_t n = send(*fd, out.p + at, left < 97 ? left : 97, MSG_NOSIGNAL);
		assert_true(n > 0);
		at += (size_t)n;
	}
	buf_deinit(&out);
	return NULL;
}

static void receive_all(int fd)
{
	struct ws_reader r;
	struct buf in;
	unsigned next = 0;
	buf_init(&in, 1 << 20);
	ws_reader_init(&r, WS_CLIENT, 1000);
	while (next < TEXTS) {
		char *to = buf_reserve(&in, 4096);
		ssize_t n = recv(fd, to, 4096, 0);
		assert_true(n > 0);
		buf_commit(&in, (size_t)n);
		char *payload;
		size_t used, payload_n;
		while (ws_read(&r, in.p, in.n, &used, &payload, &payload_n) == WS_EVENT_TEXT) {
			char number[16];
			snprintf(number, sizeof(number), "%u", next++);
			assert_true(str_eq((struct str){ payload, payload_n }, str_of(number)));
			buf_consume(&in, used);
		}
		buf_consume(&in, used);
	}
	ws_reader_deinit(&r);
	buf_deinit(&in);
}

static void a_connection_that_wanders_between_threads_keeps_the_order_of_its_texts(void **state)
{
	(void)state;
	struct worker a, b;
	int pair[2];
	char response[1024];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t sender;
	worker_open(&a, &b);
	worker_open(&b, &a);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[1], HEAD, sizeof(HEAD) - 1, 0), sizeof(HEAD) - 1);
	assert_int_equal(net_accept(a.net, pair[0], (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(pthread_create(&a.thread, NULL, run, &a), 0);
	assert_int_equal(pthread_create(&b.thread, NULL, run, &b), 0);
	assert_true(recv(pair[1], response, sizeof(response), 0) > 0);
	assert_int_equal(pthread_create(&sender, NULL, send_all, &pair[1]), 0);
	receive_all(pair[1]);
	pthread_join(sender, NULL);
	worker_close(&a);
	worker_close(&b);
	assert_int_equal(a.texts + b.texts, TEXTS);
	assert_true(b.texts > TEXTS / 3);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_detached_within_text_goes_on_elsewhere),
		cmocka_unit_test(output_and_held_input_move_along),
		cmocka_unit_test(a_connection_detached_within_a_text_that_was_held_goes_on_elsewhere),
		cmocka_unit_test(a_long_text_moves_along_with_its_bound),
		cmocka_unit_test(one_that_broke_while_it_moved_is_closed_at_its_new_place),
		cmocka_unit_test(a_connection_that_wanders_between_threads_keeps_the_order_of_its_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
