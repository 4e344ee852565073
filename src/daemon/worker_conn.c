/* Connections and sessions: which belongs to which, and how both go to another worker.
 *
 * A handle's low 32 bits are its index in w->conns; the connection carries the whole handle, so an
 * old handle finds nothing. A connection whose user is 0 has no session (any more). */
#include "base/log.h"
#include "daemon/worker.h"
#include "handlers/handlers.h"
#include "net/address.h"
#include <stdlib.h>

static void hang_up(struct conn *conn, enum close_reason why)
{
	conn_close(conn, close_rows[why].code, str_of(close_rows[why].text));
}

static void table_put(struct worker *w, uint64_t session, struct conn *conn)
{
	uint32_t index = (uint32_t)session;
	if (index >= w->conn_cap) {
		uint32_t cap = w->conn_cap ? w->conn_cap : 64;
		while (cap <= index)
			cap *= 2;
		w->conns = realloc(w->conns, cap * sizeof(struct conn *));
		CHECK(w->conns);
		memset(w->conns + w->conn_cap, 0, (cap - w->conn_cap) * sizeof(struct conn *));
		w->conn_cap = cap;
	}
	w->conns[index] = conn;
	conn_set_user(conn, session);
}

static void table_drop(struct worker *w, struct conn *conn)
{
	w->conns[(uint32_t)conn_user(conn)] = NULL;
	conn_set_user(conn, 0);
}

struct conn *worker_conn(struct worker *w, uint64_t session)
{
	uint32_t index = (uint32_t)session;
	struct conn *conn = index < w->conn_cap ? w->conns[index] : NULL;
	if (conn && conn_user(conn) == session)
		return conn;
	/* The core speaks of a session before chat_open has told us its handle. */
	conn = w->opening;
	if (conn) {
		w->opening = NULL;
		table_put(w, session, conn);
	}
	return conn;
}

void worker_adopt(struct worker *w, struct conn *conn, const struct chat_carry *carry)
{
	w->opening = conn;
	uint64_t session = chat_open(w->chat, conn_address(conn), carry);
	if (session == 0)
		hang_up(conn, CLOSE_OVERLOADED);
	else if (w->opening)
		table_put(w, session, conn);
	w->opening = NULL;
}

void worker_conn_close(struct worker *w, uint64_t session, enum close_reason why)
{
	struct conn *conn = worker_conn(w, session);
	if (!conn)
		return;
	table_drop(w, conn);
	hang_up(conn, why);
}

bool worker_limits(struct str address)
{
	return !str_eq(address, STR("unix"));
}

/* --- what net tells --- */

static void opened(void *ctx, struct conn *conn)
{
	struct worker *w = ctx;
	unsigned max = worker_limits(conn_address(conn)) ? atomic_load(&w->all->per_address_max) : 0;
	bool within = limiter_connect(w->all->limiter, conn_address(conn), max);
	w->called = true;
	if (w->leaving)
		hang_up(conn, CLOSE_SHUTDOWN);
	else if (!within)
		hang_up(conn, CLOSE_OVERLOADED);
	else
		worker_adopt(w, conn, NULL);
}

static void text(void *ctx, struct conn *conn, char *p, size_t n)
{
	struct worker *w = ctx;
	w->called = true;
	handlers_text(w->chat, conn_user(conn), p, n);
}

static void pong(void *ctx, struct conn *conn, const void *payload, size_t n)
{
	struct worker *w = ctx;
	w->called = true;
	chat_pong(w->chat, conn_user(conn), payload, n);
}

static void room(void *ctx, struct conn *conn)
{
	struct worker *w = ctx;
	w->called = true;
	chat_room(w->chat, conn_user(conn));
}

static void closed(void *ctx, struct conn *conn)
{
	struct worker *w = ctx;
	uint64_t session = conn_user(conn);
	limiter_disconnect(w->all->limiter, conn_address(conn));
	if (!session)
		return;
	w->called = true;
	table_drop(w, conn);
	chat_closed(w->chat, session);
}

const struct net_handler worker_net_handler = {
	.opened = opened, .text = text, .pong = pong, .room = room, .closed = closed,
};

bool worker_admit(void *ctx, const struct sockaddr *address)
{
	struct worker *w = ctx;
	unsigned per_address = atomic_load(&w->all->per_address_max);
	char peer[ADDRESS_PEER_MAX];
	if (metric_sum(w->all->sets, w->all->set_n, METRIC_connections_open) >=
	    atomic_load(&w->all->connections_max))
		return false;
	address_peer(address, peer);
	if (per_address == 0 || !worker_limits(str_of(peer)))
		return true;
	return limiter_connections(w->all->limiter, str_of(peer)) < per_address;
}

/* --- moving --- */

struct move {
	struct task task;
	struct conn *conn;
	struct chat_carry carry; /* its strings stand behind */
	size_t n;
	char bytes[];
};

static void arrive(struct task *task, struct worker *w)
{
	struct move *m = LIST_ENTRY(task, struct move, task);
	struct str address = conn_address(m->conn);
	char peer[LIMITER_ADDRESS_BYTES_MAX];
	size_t peer_n = address.n < sizeof(peer) ? address.n : sizeof(peer);
	memcpy(peer, address.p, peer_n);
	w->taken++;
	if (conn_attach(m->conn, w->net) != OK) { /* the connection is gone, its address with it */
		limiter_disconnect(w->all->limiter, (struct str){ peer, peer_n });
		LOG(WARN, "move_failed", LOG_STR("peer", ((struct str){ peer, peer_n })));
	} else if (w->leaving) {
		hang_up(m->conn, CLOSE_SHUTDOWN);
	} else {
		worker_adopt(w, m->conn, &m->carry);
	}
	token_forget(m->bytes, m->n);
	free(m);
}

static struct str carry_copy(struct move *m, struct str s)
{
	struct str copy = { s.p ? m->bytes + m->n : NULL, s.n };
	if (s.n)
		memcpy(m->bytes + m->n, s.p, s.n);
	m->n += s.n;
	return copy;
}

void worker_conn_move(struct worker *w, uint64_t session, struct worker *to,
		      const struct chat_carry *carry)
{
	struct conn *conn = worker_conn(w, session);
	if (!conn)
		return;
	struct move *m = malloc(sizeof(*m) + carry->id.n + carry->who.n + carry->token.n);
	CHECK(m);
	m->conn = conn;
	m->n = 0;
	m->carry = *carry;
	m->carry.id = carry_copy(m, carry->id);
	m->carry.who = carry_copy(m, carry->who);
	m->carry.token = carry_copy(m, carry->token);
	table_drop(w, conn);
	conn_detach(conn);
	w->sent++;
	task_push(&to->inbox, &m->task, arrive);
}
