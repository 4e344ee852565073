#include "base/log.h"
#include "net/net_private.h"

static const char *const state_names[CONN_STATES] = {
	"handshake", "open", "closing", "draining", "gone",
};

/* From a state to those whose bits are set. */
#define TO(state) (1U << CONN_##state)
static const unsigned moves[CONN_STATES] = {
	[CONN_HANDSHAKE] = TO(OPEN) | TO(DRAINING) | TO(GONE),
	[CONN_OPEN] = TO(CLOSING) | TO(DRAINING) | TO(GONE),
	[CONN_CLOSING] = TO(DRAINING) | TO(GONE),
	[CONN_DRAINING] = TO(GONE),
};

void conn_move(struct conn *conn, enum conn_state to, unsigned code)
{
	enum conn_state from = conn->state;
	CHECK(moves[from] & 1U << to);
	LOG(DEBUG, "conn", LOG_Z("from", state_names[from]), LOG_Z("to", state_names[to]),
	    LOG_STR("peer", conn_address(conn)), LOG_INT("code", code));
	conn->state = (uint8_t)to;
	conn_timer_enter(conn, from);
	if (to == CONN_GONE)
		loop_remove(conn->net->loop, &conn->io);
	conn_mark(conn);
}

void conn_abort(struct conn *conn)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	/* If it fails the kernel tries on for a while: no harm. */
	(void)setsockopt(conn->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	conn_move(conn, CONN_GONE, 0);
}

void conn_end(struct conn *conn, uint16_t code, struct str reason, enum conn_state to)
{
	struct buf *out = conn_output(conn, WS_HEADER_BYTES_MAX + WS_CONTROL_BYTES_MAX);
	ws_put_close(out, code, reason, NULL);
	conn_move(conn, out->failed ? CONN_GONE : to, code);
}

void conn_fail(struct conn *conn, uint16_t code, struct str reason)
{
	metric_add(conn->net->metrics, METRIC_protocol_closes_total, 1);
	if (conn->state == CONN_OPEN)
		conn_end(conn, code, reason, CONN_DRAINING);
	else
		conn_move(conn, CONN_DRAINING, code);
}

bool conn_may_take(const struct conn *conn)
{
	if (conn->state != CONN_OPEN)
		return conn->state != CONN_GONE;
	/* A peer that does not read while it sends is not read either, so that its pongs and
	 * responses stay within the bound. */
	return !conn->paused && conn_waiting(conn) <= conn->net->settings->send_buffer;
}

bool conn_wants_input(const struct conn *conn)
{
	return !conn->held && !conn->eof && conn_may_take(conn);
}

void conn_set_user(struct conn *conn, uint64_t user)
{
	conn->user = user;
}

uint64_t conn_user(const struct conn *conn)
{
	return conn->user;
}

struct str conn_address(const struct conn *conn)
{
	return str_of(conn->address);
}

void conn_close(struct conn *conn, uint16_t code, struct str reason)
{
	if (conn->state == CONN_OPEN)
		conn_end(conn, code, reason, CONN_CLOSING);
}

void conn_pause(struct conn *conn)
{
	conn->paused = true;
	conn_mark(conn);
}

void conn_resume(struct conn *conn)
{
	conn->paused = false;
	conn_mark(conn);
}
