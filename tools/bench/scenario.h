/* What a kind of load is: one row in scenarios.def and one file scenario_NAME.c.
 * Everything but `check` and `users` runs on the drivers' threads. */
#pragma once
#include "bench.h"
#include "peer.h"

struct driver;

struct scenario {
	const char *name, *summary;
	const char *help; /* what is sent, what counts as a message, what the latencies are */
	const char *latency[LATENCIES_MAX]; /* names; NULL ends */
	/* What this scenario makes of the arguments. 0, or ERR_INVALID and a sentence. */
	int (*check)(struct arguments *a, char *why, size_t why_size);
	size_t (*users)(const struct arguments *a); /* how many it needs */
	size_t users_together; /* so many neighbours are on one thread */
	/* Makes d->state; the peers are there, closed. 0 or ERR_NOMEM. */
	int (*open)(struct driver *d);
	void (*begin)(struct driver *d, enum phase phase); /* WARM_UP, PAUSE or MEASURE */
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
