/* The end of the server: it stops accepting and reading; waits until what was taken in is stored and
 * answered; ends the sessions with 1001 and waits for their output and close frames; stops the
 * threads. Each wait has a bound, so that all of it stays below ten seconds.
 *
 * How main knows that nothing is under way: it asks all workers again and again. In a round in which
 * each core is idle, and that finds the same sums of parcels sent and taken, equal to each other,
 * as the round before did, no parcel can have been on its way (Mattern's four counters). */
#include "base/log.h"
#include "daemon/admin.h"
#include "daemon/daemon.h"
#include "daemon/systemd.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUND_MS 10
#define QUIET_MS_MAX 3000   /* since the signal */
#define HANG_UP_MS_MAX 6000 /* since the signal */
#define ALL_S_MAX 9         /* then the process ends whatever it is doing */

/* One worker is asked and answers; main counts. */
struct ask {
	struct task task;
	struct daemon *daemon;
	enum worker_step step;
	struct worker_report report;
};

static void begin_round(struct daemon *d);

static bool quiet_since_last(const struct stopping *s)
{
	const struct worker_report *now = &s->sum, *before = &s->last;
	return now->idle && before->idle && now->sent == now->taken && now->sent == before->sent &&
	       now->taken == before->taken;
}

static void decide(struct daemon *d)
{
	struct stopping *s = &d->stopping;
	int64_t ms = mono_diff_ms(s->since, mono_now());
	bool quiet = quiet_since_last(s);
	s->last = s->sum;
	switch (s->step) {
	case WORKER_QUIET:
		if (quiet || ms > QUIET_MS_MAX) {
			s->step = WORKER_HANG_UP;
			s->last.idle = false; /* ending sessions is work again */
		}
		break;
	case WORKER_HANG_UP:
		if ((quiet && s->sum.connections == 0) || ms > HANG_UP_MS_MAX) {
			s->step = WORKER_STOP;
			s->clean = quiet;
		}
		break;
	case WORKER_STOP:
		loop_stop(d->loop);
		return;
	}
	loop_timer_start(d->loop, &s->pauses, &s->pause);
}

static void answered(struct task *task, struct worker *none)
{
	struct ask *ask = LIST_ENTRY(task, struct ask, task);
	struct daemon *d = ask->daemon;
	struct stopping *s = &d->stopping;
	(void)none;
	s->sum.idle &= ask->report.idle;
	s->sum.sent += ask->report.sent;
	s->sum.taken += ask->report.taken;
	s->sum.connections += ask->report.connections;
	free(ask);
	if (++s->reports == d->all.n)
		decide(d);
}

static void asked(struct task *task, struct worker *w)
{
	struct ask *ask = LIST_ENTRY(task, struct ask, task);
	ask->report = worker_leave(w, ask->step);
	task_push(w->all->main, &ask->task, answered);
}

static void begin_round(struct daemon *d)
{
	struct stopping *s = &d->stopping;
	s->reports = 0;
	s->sum = (struct worker_report){ .idle = admin_idle(d->admin) };
	for (unsigned i = 0; i < d->all.n; i++) {
		struct ask *ask = malloc(sizeof(*ask));
		CHECK(ask);
		ask->daemon = d;
		ask->step = s->step;
		task_push(&d->all.worker[i].inbox, &ask->task, asked);
	}
}

static void pause_over(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	begin_round(ctx);
}

static void out_of_time(int number)
{
	(void)number;
	_exit(EXIT_STATUS_INTERNAL);
}

void daemon_stop(struct daemon *d)
{
	struct stopping *s = &d->stopping;
	if (s->begun)
		return;
	LOG(INFO, "stopping");
	systemd_notify("STOPPING=1");
	signal(SIGALRM, out_of_time);
	alarm(ALL_S_MAX);
	s->begun = true;
	s->since = mono_now();
	s->step = WORKER_QUIET;
	loop_timers_init(d->loop, &s->pauses, ROUND_MS, pause_over, d);
	loop_timer_init(&s->pause);
	admin_leave(d->admin);
	begin_round(d);
}

void daemon_close(struct daemon *d)
{
	struct workers *all = &d->all;
	bool ran = d->stopping.begun;
	for (unsigned i = 0; all->worker && i < all->n; i++)
		worker_join(&all->worker[i]);
	admin_close(&d->admin);
	sockets_close(&d->sockets);
	hashers_destroy(&all->hashers);
	if (all->store)
		all->store->engine->close(all->store);
	if (ran && !d->stopping.clean) {
		/* What is still under way holds memory in many places; it is not taken apart. */
		LOG(WARN, "stopped", LOG_INT("clean", 0));
		_exit(EXIT_STATUS_CLEAN);
	}
	for (unsigned i = 0; all->worker && i < all->n; i++)
		worker_deinit(&all->worker[i]);
	free(all->worker);
	limiter_destroy(&all->limiter);
	if (ran)
		loop_timers_deinit(&d->stopping.pauses);
}
