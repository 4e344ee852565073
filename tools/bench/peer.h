/* A user's connection to the server: connects, upgrades, logs in, then sends and hears packets.
 * All peers of one thread share a `struct peers`. The events may call peer_send and
 * peer_close, also on the peer they are about. Nothing is written to a socket before peers_flush, so
 * that what one turn of the loop produces for a peer goes out in one piece. */
#pragma once
#include "answer.h"
#include "base/list.h"
#include "net/loop.h"
#include "net/websocket.h"
#include "packet/json.h"
#include "crowd.h"
#include "target.h"

struct peer;
struct peer_events {
	void (*ready)(void *ctx, struct peer *p); /* logged in */
	void (*heard)(void *ctx, struct peer *p, const struct answer *a); /* after the login */
	/* Could not log in, or the connection is lost: `why` is a sentence fragment. It is closed.
	 * `refused`: the server's answer to the login was no. */
	void (*lost)(void *ctx, struct peer *p, bool refused, const char *why);
};

struct peers {
	struct loop *loop;
	const struct target *target;
	const struct peer_events *events;
	void *ctx;          /* of the events */
	struct mono now;    /* when what is being heard was read from its socket */
	uint64_t sent, heard; /* packets after logins */
	struct answer_reader _answers;
	struct list _dirty; /* peers with something to write */
	uint64_t _masks;
	char *_input;
};

enum peer_state { PEER_CLOSED, PEER_CONNECTING, PEER_UPGRADING, PEER_LOGGING_IN, PEER_READY };

struct peer {
	enum peer_state state;
	const struct account *account;
	struct peers *_all;
	struct loop_io _io;
	struct list _node;
	struct ws_reader _reader;
	struct buf _head; /* of the handshake's response; later unused */
	struct buf _out;
	size_t _out_at;
	uint8_t _carry_n;
	char _carry[WS_HEADER_BYTES_MAX]; /* the part of a frame's header that was read */
};

/* 0 or ERR_NOMEM. */
int peers_init(struct peers *all, struct loop *loop, const struct target *target,
	       const struct peer_events *events, void *ctx) WARN_UNUSED;
void peers_deinit(struct peers *all); /* its peers are closed */
void peers_flush(struct peers *all);

void peer_init(struct peer *p, struct peers *all, const struct account *account);
/* Begins to connect a closed peer; ends in `ready` or `lost`, perhaps within this call. */
void peer_open(struct peer *p);
void peer_send(struct peer *p, const char *packet, size_t n);
/* Sends a close frame if it can, and closes; a peer that is closed already stays so. */
void peer_close(struct peer *p);
