/* What net.c, conn.c, conn_in.c, conn_out.c and conn_timer.c share. */
#pragma once
#include "net/address.h"
#include "net/conn.h"
#include "net/websocket.h"

/* One read takes at most so much, then others have their turn. */
#define NET_INPUT_BYTES (256 * 1024)
/* What an earlier read may have left: half a head of HTTP, less than a frame header later. */
#define NET_LEFT_BYTES_MAX HTTP_HEAD_BYTES_MAX
/* Output buffers kept for the next connection that writes. */
#define NET_SPARES 64
#define NET_SPARE_BYTES_MAX 16384

enum conn_state {
	CONN_HANDSHAKE,
	CONN_OPEN,
	CONN_CLOSING,  /* close frame appended, waiting for the peer's */
	CONN_DRAINING, /* nothing more to say: output leaves, then our FIN, then the peer's comes */
	CONN_GONE,     /* to be freed by net_flush */
	CONN_STATES,
};

struct net {
	struct loop *loop;
	const struct net_settings *settings;
	const struct net_handler *handler;
	void *ctx;
	struct metrics *metrics;
	struct list conns;
	struct list dirty; /* to be visited by net_flush */
	unsigned count;
	struct loop_timers handshakes, idles, pongs, stalls, closes;
	struct buf spares[NET_SPARES]; /* empty ones with memory */
	unsigned spare_n;
	/* The connection being served, whose callback may be running; NULL when it was detached
	 * meanwhile. While its input is read: what from `at` on was not taken yet; else NULL. */
	struct conn *current;
	char *at, *end;
	char input[NET_LEFT_BYTES_MAX + NET_INPUT_BYTES];
};

struct conn {
	struct loop_io io;
	struct net *net; /* NULL while detached */
	struct list node, dirty;
	struct loop_timer timer; /* what it means depends on the state */
	struct loop_timer stall;
	uint64_t user;
	uint8_t state; /* enum conn_state */
	bool told;       /* `opened` was called and `closed` was not */
	bool paused;
	bool held;       /* `in` holds messages that were not given out */
	bool pinged;     /* `timer` waits for a sign of life */
	bool eof;        /* the peer's FIN came */
	bool fin;        /* ours is sent */
	bool reads;      /* what the loop watches */
	bool blocked;    /* the kernel takes no more: the loop watches for room */
	bool want_room;
	size_t want_at;  /* output that waited when room was asked for */
	struct buf in;   /* input from in_at on was not taken yet */
	size_t in_at;
	struct buf out;  /* output from out_at on was not written yet */
	size_t out_at;
	size_t out_edge; /* >= out_at: here ends the frame that has begun to be written */
	size_t out_long; /* length of the text that took what waits over the bound, while it is over */
	struct ws_reader reader;
	char address[ADDRESS_PEER_MAX];
};

/* net.c */
void conn_mark(struct conn *conn); /* net_flush will look at it */
/* A buffer for a short time: one that is spare, or a new one. */
void net_borrow(struct net *net, struct buf *buf_out, size_t max);
void net_return(struct net *net, struct buf *buf);

/* conn.c */
void conn_move(struct conn *conn, enum conn_state to, unsigned code); /* code: for the log */
void conn_abort(struct conn *conn); /* ends it by a reset: a dead peer must not hold kernel memory */
/* Sends a close frame after the output and goes to `to`: CLOSING or DRAINING. */
void conn_end(struct conn *conn, uint16_t code, struct str reason, enum conn_state to);
/* The peer broke RFC 6455 or a bound: says so in a close frame and reads no more. */
void conn_fail(struct conn *conn, uint16_t code, struct str reason);
/* May its next message be given out? */
bool conn_may_take(const struct conn *conn);
/* Does it want bytes from the socket? */
bool conn_wants_input(const struct conn *conn);

/* conn_in.c */
void conn_ready(struct loop_io *io, bool readable, bool writable);
/* Gives out what was held back. Only while net->current is this connection. */
void conn_take_held(struct conn *conn);
/* Keeps what was not taken of the input being read in `in`. Without memory the connection is gone. */
void conn_hold_rest(struct conn *conn);

/* conn_out.c */
size_t conn_waiting(const struct conn *conn); /* bytes of output */
struct buf *conn_output(struct conn *conn, size_t n); /* ready to have n bytes appended */
void conn_put(struct conn *conn, enum ws_opcode opcode, const void *payload, size_t n);
void conn_write(struct conn *conn);
void conn_stalled(struct conn *conn); /* drops waiting output and closes with stall_code */

/* conn_timer.c */
void conn_timers_init(struct net *net);
void conn_timers_deinit(struct net *net);
void conn_timer_enter(struct conn *conn, enum conn_state from); /* entered its state, or a net */
void conn_alive(struct conn *conn); /* a frame came */
void conn_progress(struct conn *conn, bool some); /* output waits; some: part of it has just left */
