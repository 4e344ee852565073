#include "base/err.h"
#include "net/net_private.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

struct net *net_create(struct loop *loop, const struct net_settings *settings,
		       const struct net_handler *handler, void *ctx, struct metrics *metrics)
{
	struct net *net = malloc(sizeof(*net));
	if (!net)
		return NULL;
	memset(net, 0, offsetof(struct net, input)); /* the input's pages come when they are used */
	net->loop = loop;
	net->settings = settings;
	net->handler = handler;
	net->ctx = ctx;
	net->metrics = metrics;
	list_init(&net->conns);
	list_init(&net->dirty);
	conn_timers_init(net);
	return net;
}

void net_borrow(struct net *net, struct buf *buf_out, size_t max)
{
	if (net->spare_n == 0) {
		buf_init(buf_out, max);
		return;
	}
	*buf_out = net->spares[--net->spare_n];
	buf_out->max = max;
}

void net_return(struct net *net, struct buf *buf)
{
	if (buf->p && buf->cap <= NET_SPARE_BYTES_MAX && net->spare_n < NET_SPARES) {
		buf_clear(buf);
		net->spares[net->spare_n++] = *buf;
	} else {
		buf_deinit(buf);
	}
	buf_init(buf, 0);
}

void conn_mark(struct conn *conn)
{
	if (list_alone(&conn->dirty))
		list_append(&conn->net->dirty, &conn->dirty);
}

static void conn_enter(struct conn *conn, struct net *net)
{
	conn->net = net;
	list_append(&net->conns, &conn->node);
	net->count++;
	metric_add(net->metrics, METRIC_connections_open, 1);
	conn_timer_enter(conn, conn->state);
	conn_mark(conn);
}

static void conn_leave(struct conn *conn)
{
	loop_timer_stop(&conn->timer);
	loop_timer_stop(&conn->stall);
	list_remove(&conn->node);
	list_remove(&conn->dirty);
	conn->net->count--;
	metric_add(conn->net->metrics, METRIC_connections_open, -1);
	conn->net = NULL;
}

/* It is in no loop and no net any more. */
static void conn_free(struct conn *conn)
{
	close(conn->io.fd);
	buf_deinit(&conn->in);
	buf_deinit(&conn->out);
	ws_reader_deinit(&conn->reader);
	free(conn);
}

int net_accept(struct net *net, int fd, const struct sockaddr *address, socklen_t address_n)
{
	(void)address_n;
	struct conn *conn = calloc(1, sizeof(*conn));
	if (!conn)
		goto no_memory;
	conn->io = (struct loop_io){ .fd = fd, .ready = conn_ready };
	conn->state = CONN_HANDSHAKE;
	conn->reads = true;
	if (loop_add(net->loop, &conn->io, true, false) != 0)
		goto no_room;
	list_init(&conn->node);
	list_init(&conn->dirty);
	loop_timer_init(&conn->timer);
	loop_timer_init(&conn->stall);
	buf_init(&conn->in, 0);
	buf_init(&conn->out, 0);
	ws_reader_init(&conn->reader, WS_SERVER, net->settings->message_max);
	address_peer(address, conn->address);
	int on = 1;
	if (address->sa_family != AF_UNIX) /* only slower without */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn_enter(conn, net);
	metric_add(net->metrics, METRIC_connections_total, 1);
	return OK;
no_room:
	free(conn);
no_memory:
	close(fd);
	return ERR_NOMEM;
}

/* A drained connection says its FIN; the peer's ends it. Closing at once could reset the connection
 * and so destroy the close frame or the answer 4xx on its way. */
static void finish(struct conn *conn)
{
	if (conn->state != CONN_DRAINING || conn_waiting(conn) > 0)
		return;
	if (!conn->fin && shutdown(conn->io.fd, SHUT_WR) != 0)
		conn->eof = true; /* not connected any more */
	conn->fin = true;
	if (conn->eof)
		conn_move(conn, CONN_GONE, 0);
}

static void offer_room(struct conn *conn)
{
	size_t waiting = conn_waiting(conn);
	if (!conn->want_room || conn->state != CONN_OPEN)
		return;
	/* It must have become less since it was asked for, or who asks again for more than there
	 * ever is would be called without end. */
	if (waiting > conn->net->settings->send_buffer / 2 || (waiting > 0 && waiting >= conn->want_at))
		return;
	conn->want_room = false;
	conn->net->handler->room(conn->net->ctx, conn);
}

static void watch(struct conn *conn)
{
	conn->reads = conn_wants_input(conn);
	loop_change(conn->net->loop, &conn->io, conn->reads, conn->blocked);
}

/* All that a connection has to do at the end of a turn. Each callback may detach it. */
static void visit(struct net *net, struct conn *conn)
{
	net->current = conn;
	if (conn->held && conn_may_take(conn))
		conn_take_held(conn);
	if (net->current != conn)
		return;
	list_remove(&conn->dirty);
	conn_write(conn);
	if (conn->held && conn_may_take(conn))
		conn_mark(conn);
	offer_room(conn);
	if (net->current != conn)
		return;
	finish(conn);
	if (conn->told && conn->state >= CONN_DRAINING) {
		conn->told = false;
		net->handler->closed(net->ctx, conn);
	}
	net->current = NULL;
	if (conn->state == CONN_GONE) {
		conn_leave(conn);
		conn_free(conn);
		return;
	}
	watch(conn);
}

bool net_flush(struct net *net)
{
	/* What gets marked meanwhile stands behind this mark and has its turn in the next one. */
	struct list mark;
	list_append(&net->dirty, &mark);
	while (net->dirty.next != &mark)
		visit(net, LIST_ENTRY(net->dirty.next, struct conn, dirty));
	list_remove(&mark);
	return !list_empty(&net->dirty);
}

unsigned net_count(const struct net *net)
{
	return net->count;
}

void net_each(struct net *net, void (*fn)(void *ctx, struct conn *conn), void *ctx)
{
	LIST_EACH_SAFE(&net->conns, node, next) {
		struct conn *conn = LIST_ENTRY(node, struct conn, node);
		if (conn->state == CONN_OPEN)
			fn(ctx, conn);
	}
}

void net_destroy(struct net **net_slot)
{
	struct net *net = *net_slot;
	if (!net)
		return;
	LIST_EACH_SAFE(&net->conns, node, next) {
		struct conn *conn = LIST_ENTRY(node, struct conn, node);
		if (conn->state != CONN_GONE)
			loop_remove(net->loop, &conn->io);
		conn_leave(conn);
		conn_free(conn);
	}
	while (net->spare_n > 0)
		buf_deinit(&net->spares[--net->spare_n]);
	conn_timers_deinit(net);
	free(net);
	*net_slot = NULL;
}

void conn_detach(struct conn *conn)
{
	struct net *net = conn->net;
	CHECK(conn->state != CONN_HANDSHAKE);
	if (net->current == conn) {
		if (net->at)
			conn_hold_rest(conn);
		net->current = NULL;
	}
	conn->held = conn->in.p != NULL;
	conn->blocked = false; /* the other net finds out anew */
	if (conn->state != CONN_GONE)
		loop_remove(net->loop, &conn->io);
	conn_leave(conn);
}

int conn_attach(struct conn *conn, struct net *net)
{
	CHECK(!conn->net);
	conn->net = net; /* conn_wants_input reads its settings */
	conn->reads = conn_wants_input(conn);
	if (conn->state != CONN_GONE && loop_add(net->loop, &conn->io, conn->reads, false) != 0) {
		conn_free(conn);
		return ERR_FULL;
	}
	conn_enter(conn, net);
	return OK;
}
