/* What the tests of connections share: a net with a handler that notes down what it is told, and
 * the other end of one connection, driven turn by turn in one thread. */
#pragma once
#include "base/err.h"
#include "net/conn.h"
#include "net/websocket.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
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
	struct str wanted;  /* unless absent: what every text over 64 bytes must be */
};

static inline void opened(void *ctx, struct conn *conn)
{
	struct world *w = ctx;
	w->conn = conn;
	conn_set_user(conn, 7);
	BUF_LIT(&w->notes, "opened ");
}

static inline bool is(const char *wanted, const char *text, size_t n)
{
	return wanted && strlen(wanted) == n && memcmp(wanted, text, n) == 0;
}

static inline void text(void *ctx, struct conn *conn, char *p, size_t n)
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

static inline void pong(void *ctx, struct conn *conn, const void *payload, size_t n)
{
	struct world *w = ctx;
	(void)conn;
	BUF_LIT(&w->notes, "pong:");
	buf_add(&w->notes, payload, n);
	BUF_LIT(&w->notes, " ");
}

static inline void room(void *ctx, struct conn *conn)
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

static inline void closed(void *ctx, struct conn *conn)
{
	struct world *w = ctx;
	assert_ptr_equal(conn, w->conn);
	assert_int_equal(conn_user(conn), 7);
	w->conn = NULL;
	BUF_LIT(&w->notes, "closed ");
}

static const struct net_handler world_handler = { opened, text, pong, room, closed };

static inline int64_t turn(void *ctx)
{
	struct world *w = ctx;
	net_flush(w->net);
	loop_stop(w->loop);
	return 0;
}

static inline void open_net(struct world *w)
{
	*w = (struct world){ .peer = -1 };
	w->settings = (struct net_settings){
		.http = { .path = STR("/lemp") },
		.message_max = MESSAGE_MAX, .send_buffer = SEND_BUFFER,
		.handshake_ms = LONG_MS, .ping_interval_ms = LONG_MS, .ping_timeout_ms = LONG_MS,
		.stall_ms = LONG_MS, .close_ms = LONG_MS, .stall_code = 4003, .binary_code = 1003,
	};
	w->loop = loop_create();
	w->net = net_create(w->loop, &w->settings, &world_handler, w, &w->metrics);
	assert_non_null(w->net);
	buf_init(&w->notes, 1 << 20);
	buf_init(&w->seen, 1 << 20);
	buf_init(&w->input, 1 << 24);
	ws_reader_init(&w->reader, WS_CLIENT, 1 << 24);
}

static inline void connect_peer(struct world *w)
{
	int pair[2];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	/* Small, so that a test fills it soon. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 16384 }, sizeof(int));
	assert_int_equal(net_accept(w->net, pair[0], (struct sockaddr *)&address, sizeof(address)), 0);
	w->peer = pair[1];
}

static inline void close_world(struct world *w)
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

static inline void run_turns(struct world *w, unsigned n)
{
	while (n-- > 0)
		loop_run(w->loop, turn, w);
}

/* What the peer's socket gives, as frames: T:text P:ping O:pong C:code EOF RESET */
static inline void peer_read(struct world *w)
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
			if (w->wanted.p && payload_n > 64)
				assert_true(str_eq((struct str){ payload, payload_n }, w->wanted));
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

static inline void peer_send(struct world *w, const void *p, size_t n)
{
	assert_int_equal(send(w->peer, p, n, MSG_NOSIGNAL), n);
}

static inline void put(struct buf *out, uint8_t first, const void *payload, size_t n)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	size_t at = out->n;
	ws_put(out, WS_TEXT, payload, n, mask);
	out->p[at] = (char)first;
}

static inline void peer_frame(struct world *w, uint8_t first, const char *payload, size_t n)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	put(&out, first, payload, n);
	peer_send(w, out.p, out.n);
	buf_deinit(&out);
}

static inline void peer_text(struct world *w, const char *z)
{
	peer_frame(w, 0x81, z, strlen(z));
}

static inline void handshake(struct world *w)
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

static inline void open_world(struct world *w)
{
	open_net(w);
	connect_peer(w);
	handshake(w);
}

#define LONG_BYTES ((size_t)10 << 20)

/* A text as long as a long list; the test frees it. */
static inline struct str long_text(void)
{
	char *p = malloc(LONG_BYTES);
	assert_non_null(p);
	for (size_t i = 0; i < LONG_BYTES; i++)
		p[i] = (char)('a' + i / 7 % 26);
	return (struct str){ p, LONG_BYTES };
}

static inline void expect(struct buf *got, const char *want)
{
	if (!str_eq(buf_view(got), str_of(want)))
		fail_msg("'%.*s' instead of '%s'", (int)got->n, got->p ? got->p : "", want);
	buf_clear(got);
}

/* Turns and reads until the peer has seen `want` or nothing has come for long. */
static inline bool wait_seen(struct world *w, const char *want)
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

static inline int64_t counter(const struct world *w, enum metric which)
{
	return atomic_load(&w->metrics.v[which]);
}

