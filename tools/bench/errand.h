/* Work before or after a run: a row of requests that one user makes in a session of his own, some
 * of them under way at once. Runs a loop of its own on the calling thread, bounded in time. */
#pragma once
#include "peer.h"

struct errand {
	const struct target *target;
	const struct account *user;
	const char *what; /* for the progress line */
	size_t n;         /* requests */
	/* Appends request i with the id i in decimal digits; appending nothing passes it over. */
	void (*request)(void *ctx, size_t i, struct buf *out);
	/* The server said no; true: ask `request` again, which has another idea. NULL: never. */
	bool (*refused)(void *ctx, size_t i, struct str code);
	void *ctx;
};

/* 0, or ERR_UNAVAILABLE: no server, or ERR_INVALID: it said no, or ERR_NOMEM; `why` then says what,
 * after naming the user as `who`. */
int errand_run(const struct errand *e, const char *who, char *why, size_t why_size) WARN_UNUSED;
