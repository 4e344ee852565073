/* A connection's timers: one whose meaning follows the state, one for output that stands still. */
#include "net/net_private.h"

/* A timer that is younger than this part of its length is not started anew: a busy connection
 * then costs a comparison, and pings come early by that part at most. */
#define IDLE_SLACK 64

static void start(struct net *net, struct loop_timers *queue, int64_t ms, struct loop_timer *timer)
{
	queue->ms = ms; /* the settings may have changed */
	loop_timer_start(net->loop, queue, timer);
}

static void start_idle(struct conn *conn)
{
	struct net *net = conn->net;
	conn->pinged = false;
	start(net, &net->idles, net->settings->ping_interval_ms, &conn->timer);
}

static void handshake_expired(struct loop_timer *timer, void *ctx)
{
	(void)ctx;
	conn_move(LIST_ENTRY(timer, struct conn, timer), CONN_GONE, 0);
}

static void idle_expired(struct loop_timer *timer, void *ctx)
{
	struct net *net = ctx;
	struct conn *conn = LIST_ENTRY(timer, struct conn, timer);
	if (!conn_wants_input(conn)) { /* it is we who do not listen */
		start_idle(conn);
		return;
	}
	conn_put(conn, WS_PING, NULL, 0);
	conn->pinged = true;
	if (conn->state == CONN_OPEN)
		start(net, &net->pongs, net->settings->ping_timeout_ms, timer);
}

static void pong_expired(struct loop_timer *timer, void *ctx)
{
	(void)ctx;
	struct conn *conn = LIST_ENTRY(timer, struct conn, timer);
	if (conn_wants_input(conn))
		conn_abort(conn);
	else
		start_idle(conn);
}

static void stall_expired(struct loop_timer *timer, void *ctx)
{
	(void)ctx;
	conn_stalled(LIST_ENTRY(timer, struct conn, stall));
}

static void close_expired(struct loop_timer *timer, void *ctx)
{
	(void)ctx;
	struct conn *conn = LIST_ENTRY(timer, struct conn, timer);
	if (conn_waiting(conn) > 0)
		conn_abort(conn);
	else
		conn_move(conn, CONN_GONE, 0);
}

void conn_timers_init(struct net *net)
{
	loop_timers_init(net->loop, &net->handshakes, 0, handshake_expired, net);
	loop_timers_init(net->loop, &net->idles, 0, idle_expired, net);
	loop_timers_init(net->loop, &net->pongs, 0, pong_expired, net);
	loop_timers_init(net->loop, &net->stalls, 0, stall_expired, net);
	loop_timers_init(net->loop, &net->closes, 0, close_expired, net);
}

void conn_timers_deinit(struct net *net)
{
	loop_timers_deinit(&net->handshakes);
	loop_timers_deinit(&net->idles);
	loop_timers_deinit(&net->pongs);
	loop_timers_deinit(&net->stalls);
	loop_timers_deinit(&net->closes);
}

void conn_timer_enter(struct conn *conn, enum conn_state from)
{
	struct net *net = conn->net;
	switch ((enum conn_state)conn->state) {
	case CONN_HANDSHAKE:
		start(net, &net->handshakes, net->settings->handshake_ms, &conn->timer);
		break;
	case CONN_OPEN:
		start_idle(conn);
		break;
	case CONN_CLOSING:
	case CONN_DRAINING:
		loop_timer_stop(&conn->stall);
		if (from != CONN_CLOSING || conn->state == CONN_CLOSING) /* one length for both */
			start(net, &net->closes, net->settings->close_ms, &conn->timer);
		break;
	default:
		loop_timer_stop(&conn->timer);
		loop_timer_stop(&conn->stall);
	}
}

void conn_alive(struct conn *conn)
{
	if (conn->state != CONN_OPEN)
		return;
	int64_t ms = conn->net->settings->ping_interval_ms;
	int64_t left = mono_diff_ms(loop_now(conn->net->loop), conn->timer.due);
	if (conn->pinged || left < ms - ms / IDLE_SLACK)
		start_idle(conn);
}

void conn_progress(struct conn *conn, bool some)
{
	struct net *net = conn->net;
	if (some || list_alone(&conn->stall._node))
		start(net, &net->stalls, net->settings->stall_ms, &conn->stall);
}
