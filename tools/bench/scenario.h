/* What a kind of load is: one row in scenarios.def and one file scenario_NAME.c.
 * From `open` on everything runs on the drivers' threads. */
#pragma once
#include "bench.h"
#include "peer.h"
#include <stdio.h>

struct driver;

struct scenario {
	const char *name, *summary;
	const char *help; /* what is sent, what counts as a message, what the latencies are */
	const char *latency[LATENCIES_MAX + 1]; /* names; NULL ends */
	/* What this scenario makes of the arguments. 0, or ERR_INVALID and a sentence. */
	int (*check)(struct arguments *a, char *why, size_t why_size);
	size_t (*users)(const struct arguments *a); /* how many it needs */
	size_t users_together; /* so many neighbours are on one thread */
	size_t users_apart;    /* so many first ones have a thread (driver 0) to themselves; 0: none */
	bool alternates;       /* MEASURE comes with and without the load; d->loaded tells */
	/* Counted and reported per "message", or per "delivery" where one message has many. */
	const char *unit;
	/* Takes the arguments on to the next run; false: that was the last. NULL: there is one. */
	bool (*next)(struct arguments *a);
	void (*settings_text)(const struct arguments *a, FILE *to);
	void (*settings_json)(const struct arguments *a, json_t *settings); /* adds; or NULL */
	/* Before the logins, on the main thread: what only a server with the users can do; sets b->shared.
	 * 0, or as errand_run. finish undoes it, after the drivers are closed, and frees b->shared; the
	 * server may be gone (`told` is false). Both may be NULL. */
	int (*prepare)(struct bench *b, char *why, size_t why_size);
	int (*finish)(struct bench *b, bool told, char *why, size_t why_size);
	/* Makes d->state; the peers are there, closed. 0 or ERR_NOMEM. */
	int (*open)(struct driver *d);
	void (*begin)(struct driver *d, enum phase phase); /* WARM_UP, PAUSE or MEASURE */
	void (*turn)(struct driver *d); /* every turn, before anything is written; or NULL */
	void (*heard)(struct driver *d, struct peer *p, const struct answer *a);
	void (*close)(struct driver *d); /* NULL state: nothing to do */
};

#define SCENARIO(name) extern const struct scenario scenario_##name;
#include "scenarios.def"
#undef SCENARIO

/* NULL if there is none of that name. */
const struct scenario *scenario_find(const char *name);
/* All, ended by NULL. */
extern const struct scenario *const scenarios[];
