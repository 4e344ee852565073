#include "driver.h"
#include "base/err.h"
#include <stdio.h>
#include <stdlib.h>

#define LOGINS_UNDER_WAY_MAX 32

/* --- logging in --- */

static void log_in_some(struct driver *d)
{
	uint64_t ready = atomic_load(&d->pub_ready);
	while (d->_login_next < d->peer_n && d->_login_next - ready < LOGINS_UNDER_WAY_MAX &&
	       !atomic_load(&d->failed))
		peer_open(&d->peer[d->_login_next++]);
}

static void ready(void *ctx, struct peer *p)
{
	struct driver *d = ctx;
	(void)p;
	atomic_fetch_add(&d->pub_ready, 1);
	log_in_some(d);
}

static void heard(void *ctx, struct peer *p, const struct answer *a)
{
	struct driver *d = ctx;
	d->args->scenario->heard(d, p, a);
}

static void lost(void *ctx, struct peer *p, bool refused, const char *why)
{
	struct driver *d = ctx;
	if (atomic_load(&d->failed))
		return; /* the first one tells */
	snprintf(d->why, sizeof(d->why), "%.*s: %s", STR_ARG(p->account->name), why);
	d->status = refused ? EXIT_TROUBLE : EXIT_NO_SERVER;
	atomic_store(&d->failed, true);
}

/* --- phases --- */

static uint64_t packets(const struct driver *d)
{
	return d->peers.sent + d->peers.heard;
}

/* Of N messages in the run, thread i of n sends the i-th, i+n-th, … */
static uint64_t share(const struct driver *d)
{
	uint64_t all = d->args->messages, i = d->index, n = d->bench->driver_n;
	return all ? (all + n - 1 - i) / n : UINT64_MAX;
}

static void begin(struct driver *d, enum phase phase)
{
	d->phase = phase;
	switch (phase) {
	case PHASE_LOGIN: break;
	case PHASE_MEASURE:
		if (!d->measuring)
			d->_packets_before = packets(d);
		d->measuring = true;
		d->loaded = !d->args->scenario->alternates || d->_stretch % 2 == 1;
		d->_stretch++;
		d->share = share(d);
		d->under_way = 0;
		d->args->scenario->begin(d, phase);
		break;
	case PHASE_WARM_UP:
	case PHASE_PAUSE:
		d->loaded = phase == PHASE_WARM_UP;
		d->args->scenario->begin(d, phase);
		break;
	case PHASE_END:
		d->tally.trouble[TROUBLE_UNFINISHED] += d->measuring ? d->under_way : 0;
		d->tally.packets = d->measuring ? packets(d) - d->_packets_before : 0;
		for (size_t i = 0; i < d->peer_n; i++)
			peer_close(&d->peer[i]);
		loop_stop(d->loop);
		break;
	}
}

static int64_t turn(void *ctx)
{
	struct driver *d = ctx;
	int phase = atomic_load(&d->bench->phase);
	if (phase != atomic_load_explicit(&d->seen, memory_order_relaxed))
		begin(d, (enum phase)(phase & 0xff));
	if (d->args->scenario->turn)
		d->args->scenario->turn(d);
	peers_flush(&d->peers);
	atomic_store_explicit(&d->pub_last_ns, d->tally.last.ns, memory_order_relaxed);
	atomic_store_explicit(&d->pub_under_way, d->under_way, memory_order_release);
	if (d->measuring)
		atomic_store_explicit(&d->pub_finished, d->tally.sent - d->under_way,
				      memory_order_relaxed);
	atomic_store_explicit(&d->seen, phase, memory_order_release);
	return -1;
}

bool driver_may_send(const struct driver *d)
{
	return d->phase != PHASE_PAUSE && (!d->measuring || d->tally.sent < d->share);
}

void driver_sent(struct driver *d)
{
	d->under_way++;
	if (d->measuring)
		d->tally.sent++;
}

void driver_done(struct driver *d, bool well, struct mono at)
{
	d->under_way--;
	if (!d->measuring)
		return;
	d->tally.done += well;
	if (at.ns > d->tally.last.ns)
		d->tally.last = at;
}

void driver_trouble(struct driver *d, enum trouble t)
{
	if (d->measuring)
		d->tally.trouble[t]++;
}

/* --- life --- */

int driver_init(struct driver *d, const struct bench *bench, unsigned index, const struct account *accounts,
		size_t n)
{
	static const struct peer_events events = { ready, heard, lost };
	*d = (struct driver){ .bench = bench, .args = bench->args, .index = index, .peer_n = n };
	d->loop = loop_create();
	d->peer = calloc(n, sizeof(d->peer[0]));
	if (!d->loop || !d->peer || peers_init(&d->peers, d->loop, &bench->target, &events, d) != OK)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		peer_init(&d->peer[i], &d->peers, &accounts[i]);
	return d->args->scenario->open(d);
}

void driver_deinit(struct driver *d)
{
	if (d->state)
		d->args->scenario->close(d);
	peers_deinit(&d->peers);
	free(d->peer);
	d->peer = NULL;
	loop_destroy(&d->loop);
}

static void *run(void *ctx)
{
	struct driver *d = ctx;
	log_in_some(d);
	loop_run(d->loop, turn, d);
	return NULL;
}

int driver_start(struct driver *d)
{
	d->started = pthread_create(&d->_thread, NULL, run, d) == 0;
	return d->started ? OK : ERR_NOMEM;
}

void driver_join(struct driver *d)
{
	if (d->started)
		pthread_join(d->_thread, NULL);
	d->started = false;
}
