/* A thread with a loop and its share of the users. Logs them in, follows the phases of the run and
 * hands to the scenario what its peers hear. Its fields belong to its thread; the main thread reads
 * the atomic ones at any time and the rest after driver_join. */
#pragma once
#include "bench.h"
#include "scenario.h"
#include <pthread.h>

struct driver {
	const struct bench *bench;
	const struct arguments *args;
	unsigned index;
	struct loop *loop;
	struct peers peers;
	struct peer *peer; /* its users: the run's first + 0 … n - 1 */
	size_t peer_n;
	void *state;       /* the scenario's */

	enum phase phase;
	bool measuring;     /* from the first MEASURE on, pauses included */
	bool loaded;        /* the scenario's load is on: in WARM_UP and (see `alternates`) MEASURE */
	uint64_t share;     /* messages to send in MEASURE; UINT64_MAX: as many as time allows */
	uint64_t under_way; /* messages sent and not finished */
	struct tally tally;

	pthread_t _thread;
	bool started;    /* the thread runs, or has run and was not joined */
	size_t _login_next;
	unsigned _stretch;  /* times of MEASURE so far */
	uint64_t _packets_before;

	_Atomic int seen;             /* the run's `phase` it has taken up last */
	_Atomic uint64_t pub_ready;   /* users logged in */
	_Atomic uint64_t pub_under_way;
	_Atomic int64_t pub_last_ns;   /* tally.last; at least as new as pub_under_way */
	_Atomic uint64_t pub_finished; /* messages of MEASURE, well or not */
	_Atomic bool failed;          /* it cannot go on; `why` and `status` say why */
	char why[256];
	int status;
};

/* accounts[0..n) are its users. 0 or ERR_NOMEM (driver_deinit cleans up then, too). */
int driver_init(struct driver *d, const struct bench *bench, unsigned index, const struct account *accounts,
		size_t n) WARN_UNUSED;
void driver_deinit(struct driver *d);
int driver_start(struct driver *d) WARN_UNUSED; /* the thread; 0 or ERR_NOMEM */
void driver_join(struct driver *d);             /* after PHASE_END was begun */

/* For scenarios. Is something left of the share? */
bool driver_may_send(const struct driver *d);
/* A message was sent, and counts as under way. */
void driver_sent(struct driver *d);
/* A message was finished, well or not. */
void driver_done(struct driver *d, bool well, struct mono at);
/* Something that must not happen did, to a message of MEASURE. */
void driver_trouble(struct driver *d, enum trouble t);
