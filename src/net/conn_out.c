/* A connection's output: frames gather in one buffer, which a turn writes with one send.
 *
 *     out.p ........ out_at ........ out_edge ........ out.n
 *           written         begun             whole frames
 *
 * What lies behind out_edge can be dropped without breaking the stream. */
#include "net/net_private.h"
#include <errno.h>

/* Doubling and what was written already make a buffer this much larger than what waits in it at most,
 * as long as texts are short. */
#define OUTPUT_SLACK 4

/* Of output that waits, without the one long text that may take it higher. */
static size_t output_max(const struct conn *conn)
{
	size_t room = conn->net->settings->send_buffer;
	return room + room / 4;
}

size_t conn_waiting(const struct conn *conn)
{
	return conn->out.n - conn->out_at;
}

static void drop_written(struct conn *conn)
{
	buf_consume(&conn->out, conn->out_at);
	conn->out_edge -= conn->out_edge > conn->out_at ? conn->out_at : conn->out_edge;
	conn->out_at = 0;
}

struct buf *conn_output(struct conn *conn, size_t n)
{
	struct buf *out = &conn->out;
	if (!out->p)
		net_borrow(conn->net, out, SIZE_MAX / 2); /* bounded by put_bounded and conn_may_take */
	/* Grow only when little would be gained by moving: each byte is moved a few times at most. */
	if (out->cap - out->n < n && conn->out_at > conn_waiting(conn) / 4)
		drop_written(conn);
	return out;
}

void conn_put(struct conn *conn, enum ws_opcode opcode, const void *payload, size_t n)
{
	struct buf *out = conn_output(conn, n + WS_HEADER_BYTES_MAX);
	ws_put(out, opcode, payload, n, NULL);
	if (out->failed)
		conn_move(conn, CONN_GONE, 0);
	else
		conn_mark(conn);
}

void conn_stalled(struct conn *conn)
{
	metric_add(conn->net->metrics, METRIC_protocol_closes_total, 1);
	conn->out.n = conn->out_edge;
	conn_end(conn, conn->net->settings->stall_code, STR("too slow"), CONN_CLOSING);
}

/* A list of 16 MiB is a response like any other, and the receipts that follow it on its heels do not
 * make its reader a slow one. */
static bool fits(struct conn *conn, size_t n)
{
	size_t max = output_max(conn), waiting = conn_waiting(conn);
	if (waiting <= max) {
		conn->out_long = n > max - waiting ? n : 0;
		return true;
	}
	size_t others = waiting > conn->out_long ? waiting - conn->out_long : 0;
	return others <= max && n <= max - others;
}

static void put_bounded(struct conn *conn, enum ws_opcode opcode, const void *payload, size_t n)
{
	if (conn->state != CONN_OPEN)
		return;
	if (fits(conn, n))
		conn_put(conn, opcode, payload, n);
	else
		conn_stalled(conn);
}

void conn_text(struct conn *conn, const void *text, size_t n)
{
	put_bounded(conn, WS_TEXT, text, n);
}

void conn_ping(struct conn *conn, const void *payload, size_t n)
{
	CHECK(n <= WS_CONTROL_BYTES_MAX);
	put_bounded(conn, WS_PING, payload, n);
}

size_t conn_room(const struct conn *conn)
{
	if (conn->state != CONN_OPEN)
		return 0;
	size_t used = conn_waiting(conn) + WS_HEADER_BYTES_MAX;
	size_t max = conn->net->settings->send_buffer;
	return used < max ? max - used : 0;
}

void conn_want_room(struct conn *conn)
{
	conn->want_room = true;
	conn->want_at = conn_waiting(conn);
	conn_mark(conn);
}

/* A reader who never quite catches up would keep the memory of the longest response he ever got. */
static void shrink(struct conn *conn)
{
	size_t waiting = conn_waiting(conn), max = output_max(conn);
	struct buf rest;
	if (waiting > max || conn->out.cap / OUTPUT_SLACK <= max)
		return;
	net_borrow(conn->net, &rest, conn->out.max);
	buf_add(&rest, conn->out.p + conn->out_at, waiting);
	if (rest.failed) { /* no memory for less memory: later, perhaps */
		buf_deinit(&rest);
		return;
	}
	buf_deinit(&conn->out);
	conn->out = rest;
	conn->out_edge -= conn->out_at;
	conn->out_at = 0;
}

/* Moves out_edge to the end of the frame in which out_at stands now. */
static void find_edge(struct conn *conn)
{
	while (conn->out_edge < conn->out_at)
		conn->out_edge += ws_frame_bytes(conn->out.p + conn->out_edge);
}

void conn_write(struct conn *conn)
{
	size_t waiting = conn_waiting(conn);
	if (waiting == 0 || conn->blocked || conn->state == CONN_GONE)
		return;
	ssize_t n = send(conn->io.fd, conn->out.p + conn->out_at, waiting, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_move(conn, CONN_GONE, 0);
		return;
	}
	size_t written = n < 0 ? 0 : (size_t)n;
	metric_add(conn->net->metrics, METRIC_sent_bytes_total, (int64_t)written);
	conn->out_at += written;
	if (written == waiting) {
		net_return(conn->net, &conn->out);
		conn->out_at = conn->out_edge = 0;
		loop_timer_stop(&conn->stall);
		return;
	}
	conn->blocked = true;
	if (conn->state == CONN_OPEN) { /* a refusal is no frame */
		find_edge(conn);
		shrink(conn);
		conn_progress(conn, written > 0);
	}
}
