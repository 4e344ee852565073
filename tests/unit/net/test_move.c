#include "base/inbox.h"
#include "net/conn.h"
#include "net/websocket.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXTS 3000
#define HEAD "GET /lemp HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

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

static void opened(void *ctx, struct conn *conn)
{
	(void)ctx;
	(void)conn;
}

static void text(void *ctx, struct conn *conn, char *p, size_t n)
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

static void pong(void *ctx, struct conn *conn, const void *p, size_t n)
{
	(void)ctx;
	(void)conn;
	(void)p;
	(void)n;
}

static void closed(void *ctx, struct conn *conn)
{
	struct worker *w = ctx;
	(void)conn;
	w->closed++;
}

static const struct net_handler handler = { opened, text, pong, opened, closed };

static int64_t turn(void *ctx)
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
	loop_run(w->loop, turn, w);
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
	w->net = net_create(w->loop, &w->settings, &handler, w, &w->metrics);
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
		cmocka_unit_test(a_connection_that_wanders_between_threads_keeps_the_order_of_its_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
