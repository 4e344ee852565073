/* A client's connection: from accept through the handshake to WebSocket messages, until it is
 * closed. Knows nothing of LEMP. Everything happens on the thread of the `net` it is attached to.
 *
 * States: HANDSHAKE -> OPEN -> CLOSING (close frame sent, waiting for the peer's) -> DRAINING
 * (nothing more to say: output leaves, then our FIN, then the peer's comes) -> gone. A refused
 * handshake, the peer's own close and its fault go to DRAINING at once, a broken connection to gone.
 * One function moves and logs.
 *
 * Output: conn_text and friends append to the connection's output buffer; everything appended in a
 * turn goes out with one send() in net_flush. What waits there is bounded by 1.25 x send_buffer and
 * one largest text (see conn_text); it is one copy, whose memory is given back as it drains. Pings are
 * answered in order; a peer that pings faster than it reads is not read from until it drains. Memory
 * of idle connections: no buffers.
 *
 * Ends: `closed` is called exactly once for each connection that got `opened`, from net_flush, as soon
 * as nothing can come from it any more; the connection must not be used after it returns. */
#pragma once
#include "base/metrics.h"
#include "net/http.h"
#include "net/loop.h"
#include <sys/socket.h>

struct conn;
struct net;

struct net_settings {
	struct http_settings http;
	size_t message_max;         /* limits.max_packet */
	size_t send_buffer;         /* limits.send_buffer: output waiting, as far as conn_room allows */
	int64_t handshake_ms;       /* total time for the handshake */
	int64_t ping_interval_ms;   /* idle so long: ping */
	int64_t ping_timeout_ms;    /* no frame at all within it: the connection ends */
	int64_t stall_ms;           /* output waits and none leaves so long: closed with stall_code */
	int64_t close_ms;           /* waiting for the peer's close frame, or for output to leave */
	uint16_t stall_code;        /* 4003 for LEMP */
	uint16_t binary_code;       /* 1003 */
};

struct net_handler {
	/* The handshake is done. Set conn_user here. */
	void (*opened)(void *ctx, struct conn *conn);
	/* One text message, UTF-8, which may be changed in place. */
	void (*text)(void *ctx, struct conn *conn, char *text, size_t n);
	void (*pong)(void *ctx, struct conn *conn, const void *payload, size_t n);
	/* Output fell below half of send_buffer since conn_want_room; once for each call of that. */
	void (*room)(void *ctx, struct conn *conn);
	void (*closed)(void *ctx, struct conn *conn);
};

/* One per worker. Settings are read, not copied: the owner may change them between turns (SIGHUP). */
struct net *net_create(struct loop *loop, const struct net_settings *settings,
		       const struct net_handler *handler, void *ctx, struct metrics *metrics);
void net_destroy(struct net **net); /* drops what is still attached without a word */

/* Takes over a connected non-blocking socket. `address` names the peer for limits and the log.
 * ERR_NOMEM: the socket is closed. */
int net_accept(struct net *net, int fd, const struct sockaddr *address, socklen_t address_n);
/* Once a turn, last: gives out messages of resumed connections, writes all output, frees what ended.
 * True if there is more to do at once (the loop must not sleep). */
bool net_flush(struct net *net);
unsigned net_count(const struct net *net);
/* Calls fn for every open connection. */
void net_each(struct net *net, void (*fn)(void *ctx, struct conn *conn), void *ctx);

void conn_set_user(struct conn *conn, uint64_t user);
uint64_t conn_user(const struct conn *conn);
/* "127.0.0.1" (mapped IPv4 too), "::1", "unix", any other IPv6 address as its "2001:db8:0:1::/64",
 * which is what limits count as one peer. Lives as long as the connection. */
struct str conn_address(const struct conn *conn);

/* Who can wait keeps to conn_room. A response must be sent whatever the room and may be of any length:
 * one that takes what waits above 1.25 x send_buffer is taken whole, and as long as so much waits, texts
 * of 1.25 x send_buffer more, what waited before it counted. Over that the connection is closed with
 * stall_code and what waited is dropped: so output is bounded by that and one longest text. The peer is
 * not read while more than send_buffer waits, but what it asked before is answered: whoever calls has
 * no second long response under way. Without effect once closing. */
void conn_text(struct conn *conn, const void *text, size_t n);
size_t conn_room(const struct conn *conn); /* bytes of text that may be passed now; 0 once closing */
void conn_want_room(struct conn *conn);    /* asks for `room` to be called */
void conn_ping(struct conn *conn, const void *payload, size_t n); /* n <= 125; taken like a text */
/* Starts the close handshake; output before it is still sent; no `text` or `pong` comes any more. */
void conn_close(struct conn *conn, uint16_t code, struct str reason);
/* Stops and resumes giving out messages (and reading). Messages already read wait. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* Moves a connection to another thread's net: detach here (`closed` is not called; all its state,
 * input waiting and output go with it, its timers start anew; not within a callback of another
 * connection), attach there. May be called inside its own `text` callback; the message is not valid
 * after it. */
void conn_detach(struct conn *conn);
/* 0, or ERR_FULL: it is closed and freed, `closed` is not called. */
int conn_attach(struct conn *conn, struct net *net);
