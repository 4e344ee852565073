/* A connection's input: from the socket through the handshake and the frames to the handler. */
#include "net/net_private.h"
#include <errno.h>

static void release_input(struct conn *conn)
{
	net_return(conn->net, &conn->in);
	conn->in_at = 0;
}

void conn_hold_rest(struct conn *conn)
{
	struct net *net = conn->net;
	size_t rest = conn->state == CONN_GONE ? 0 : (size_t)(net->end - net->at);
	if (conn->in.p && rest == 0) {
		release_input(conn);
	} else if (conn->in.p) { /* it was reading there */
		conn->in_at = (size_t)(net->at - conn->in.p);
	} else if (rest > 0) {
		net_borrow(net, &conn->in, sizeof(net->input));
		buf_add(&conn->in, net->at, rest);
		if (conn->in.failed)
			conn_move(conn, CONN_GONE, 0);
	}
	net->at = net->end = NULL;
}

/* False when the head is not complete or refused. */
static bool take_handshake(struct conn *conn)
{
	struct net *net = conn->net;
	struct str in = { net->at, (size_t)(net->end - net->at) };
	struct buf *out = conn_output(conn, 0);
	size_t used = 0;
	int status = 0;
	enum http_result result =
		http_handshake(&net->settings->http, in, out, &used, &status);
	if (out->failed) {
		conn_move(conn, CONN_GONE, 0);
		return false;
	}
	if (result == HTTP_MORE) {
		net_return(net, out);
		return false;
	}
	if (result == HTTP_REFUSED) {
		metric_add(net->metrics, METRIC_handshakes_refused_total, 1);
		conn_move(conn, CONN_DRAINING, (unsigned)status);
		return true;
	}
	net->at += used;
	conn->out_edge = out->n;
	conn_move(conn, CONN_OPEN, (unsigned)status);
	conn->told = true;
	net->handler->opened(net->ctx, conn);
	return true;
}

static struct str fail_reason(uint16_t code)
{
	switch (code) {
	case 1002:
		return STR("protocol error");
	case 1003:
		return STR("text messages only");
	case 1007:
		return STR("invalid UTF-8");
	case 1009:
		return STR("message too big");
	default:
		return STR("out of memory");
	}
}

static void take_failure(struct conn *conn)
{
	uint16_t code = conn->reader.close_code;
	struct str reason = fail_reason(code);
	conn_fail(conn, code == 1003 ? conn->net->settings->binary_code : code, reason);
}

/* RFC 6455 section 5.5.1: answered with the code received, unless it is the answer itself. */
static void take_close(struct conn *conn)
{
	uint16_t code = conn->reader.close_code;
	if (conn->state == CONN_OPEN)
		conn_end(conn, code, STR_NONE, CONN_DRAINING);
	else
		conn_move(conn, CONN_DRAINING, code);
}

/* False when no frame is complete. While closing only the peer's close frame counts. */
static bool take_frame(struct conn *conn)
{
	struct net *net = conn->net;
	bool open = conn->state == CONN_OPEN;
	size_t used = 0, n = 0;
	char *payload = NULL;
	conn->reader.message_max = net->settings->message_max;
	enum ws_event event = ws_read(&conn->reader, net->at, (size_t)(net->end - net->at), &used,
				      &payload, &n);
	net->at += used;
	switch (event) {
	case WS_EVENT_NONE:
		return false;
	case WS_EVENT_TEXT:
		if (open)
			net->handler->text(net->ctx, conn, payload, n);
		return true;
	case WS_EVENT_PING:
		if (open)
			conn_put(conn, WS_PONG, payload, n);
		return true;
	case WS_EVENT_PONG:
		if (open)
			net->handler->pong(net->ctx, conn, payload, n);
		return true;
	case WS_EVENT_CLOSE:
		take_close(conn);
		return true;
	case WS_EVENT_FAIL:
		take_failure(conn);
		return true;
	}
	return false;
}

static bool take_one(struct conn *conn)
{
	switch ((enum conn_state)conn->state) {
	case CONN_HANDSHAKE:
		return take_handshake(conn);
	case CONN_OPEN:
	case CONN_CLOSING:
		return take_frame(conn);
	default:
		conn->net->at = conn->net->end;
		return false;
	}
}

/* Gives out what stands from `at` to `end`, as far as the connection may, and keeps the rest.
 * Each message may detach, pause or close it. */
static void take_input(struct conn *conn, char *at, char *end)
{
	struct net *net = conn->net;
	uint64_t frames = conn->reader.frames;
	bool more = true;
	net->at = at;
	net->end = end;
	while (more && net->at < net->end && conn_may_take(conn)) {
		more = take_one(conn);
		if (net->current != conn)
			return;
	}
	if (conn->reader.frames != frames)
		conn_alive(conn);
	conn->held = more && net->at < net->end;
	conn_hold_rest(conn);
}

void conn_take_held(struct conn *conn)
{
	take_input(conn, conn->in.p + conn->in_at, conn->in.p + conn->in.n);
}

static void end_of_input(struct conn *conn)
{
	conn->eof = true;
	if (conn->state == CONN_DRAINING)
		conn_mark(conn); /* what waits may still be written */
	else
		conn_move(conn, CONN_GONE, 0);
}

static void read_socket(struct conn *conn)
{
	struct net *net = conn->net;
	char *into = net->input + NET_LEFT_BYTES_MAX;
	ssize_t n = recv(conn->io.fd, into, NET_INPUT_BYTES, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			conn_move(conn, CONN_GONE, 0);
		return;
	}
	if (n == 0) {
		end_of_input(conn);
		return;
	}
	metric_add(net->metrics, METRIC_received_bytes_total, n);
	size_t left = conn->in.n - conn->in_at;
	CHECK(left <= NET_LEFT_BYTES_MAX);
	if (conn->in.p) {
		memcpy(into - left, conn->in.p + conn->in_at, left);
		release_input(conn);
	}
	take_input(conn, into - left, into + n);
}

void conn_ready(struct loop_io *io, bool readable, bool writable)
{
	struct conn *conn = LIST_ENTRY(io, struct conn, io);
	struct net *net = conn->net;
	if (writable) {
		conn->blocked = false;
		conn_mark(conn);
	}
	if (readable && !conn->reads) { /* nothing but a hang-up can say so */
		conn_move(conn, CONN_GONE, 0);
	} else if (readable && conn_wants_input(conn)) {
		net->current = conn;
		read_socket(conn);
		net->current = NULL;
	}
}
