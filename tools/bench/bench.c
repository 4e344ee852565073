#include "bench.h"
#include "base/err.h"
#include "driver.h"
#include "progress.h"
#include "report.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LOOK_EVERY_MS 5
#define FILES_BESIDE_USERS 64

void tally_merge(struct tally *into, const struct tally *from)
{
	into->sent += from->sent;
	into->done += from->done;
	into->packets += from->packets;
	if (from->last.ns > into->last.ns)
		into->last = from->last;
	for (int i = 0; i < TROUBLE_COUNT; i++)
		into->trouble[i] += from->trouble[i];
	for (int i = 0; i < LATENCIES_MAX; i++)
		histogram_merge(&into->latency[i], &from->latency[i]);
	if (!into->refusal[0])
		memcpy(into->refusal, from->refusal, sizeof(into->refusal));
}

/* --- users --- */

static int fail(struct bench *b, int status, const char *why)
{
	if (!b->broken[0])
		snprintf(b->broken, sizeof(b->broken), "%s", why);
	if (b->status == 0)
		b->status = status;
	return ERR_UNAVAILABLE;
}

static int admin_status(int err)
{
	return err == ERR_INVALID ? EXIT_TROUBLE : EXIT_NO_SERVER;
}

/* Raises the limit of open files, and says if that is not enough. */
static int files_check(struct bench *b, size_t users)
{
	struct rlimit files;
	char why[128];
	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* the look below tells */
	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	if (files.rlim_cur >= users + FILES_BESIDE_USERS)
		return OK;
	snprintf(why, sizeof(why), "%zu users need more open files than the limit of %llu allows", users,
		 (unsigned long long)files.rlim_cur);
	return fail(b, EXIT_USAGE, why);
}

static int roster_open(struct bench *b)
{
	const struct arguments *a = b->args;
	size_t n = a->scenario->users(a);
	char why[256] = "out of memory";
	int err = files_check(b, n);
	if (err)
		return err;
	if (a->users) {
		err = roster_load(a->users, &b->roster, why, sizeof(why));
		if (err)
			return fail(b, EXIT_USAGE, why);
		if (b->roster.n < n)
			return fail(b, EXIT_USAGE, "there are fewer users in the file than needed");
		b->roster.n = n;
		return OK;
	}
	b->admin = (struct account){ str_of(a->admin), str_of(a->admin_token), false };
	if (roster_make(a->prefix, n, &b->roster) != OK)
		return fail(b, EXIT_TROUBLE, why);
	err = roster_create(&b->roster, &b->target, &b->admin, why, sizeof(why));
	return err ? fail(b, admin_status(err), why) : OK;
}

static void roster_close(struct bench *b)
{
	char why[256] = "out of memory";
	if (!b->args->users && !b->args->keep && b->roster.n && b->status != EXIT_NO_SERVER) {
		int err = roster_delete(&b->roster, &b->target, &b->admin, why, sizeof(why));
		if (err)
			(void)fail(b, admin_status(err), why);
	}
	roster_deinit(&b->roster);
}

/* --- looking at the drivers --- */

struct watch {
	const char *what;
	double part;     /* how much of it is done; below 0: not known */
	uint64_t moved;  /* changes while there is progress */
	char text[64];
};

static uint64_t finished(const struct bench *b)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < b->driver_n; i++)
		sum += atomic_load_explicit(&b->driver[i].pub_finished, memory_order_relaxed);
	return sum;
}

static bool all_logged_in(struct bench *b, struct watch *w)
{
	uint64_t ready = 0;
	for (unsigned i = 0; i < b->driver_n; i++)
		ready += atomic_load(&b->driver[i].pub_ready);
	w->moved = ready;
	w->part = (double)ready / (double)b->roster.n;
	return ready == b->roster.n;
}

/* Have all drivers taken up the phase? Then `under_way` counts what they still wait for. */
static bool all_seen(const struct bench *b, uint64_t *under_way_out)
{
	int phase = atomic_load(&b->phase);
	*under_way_out = 0;
	for (unsigned i = 0; i < b->driver_n; i++) {
		if (atomic_load_explicit(&b->driver[i].seen, memory_order_acquire) != phase)
			return false;
		*under_way_out += atomic_load_explicit(&b->driver[i].pub_under_way, memory_order_relaxed);
	}
	return true;
}

static bool nothing_under_way(struct bench *b, struct watch *w)
{
	uint64_t under_way;
	bool seen = all_seen(b, &under_way);
	w->moved = under_way;
	return seen && under_way == 0;
}

static double phase_seconds(const struct bench *b)
{
	return (double)(mono_now().ns - b->start.ns) / 1e9;
}

static bool warmed_up(struct bench *b, struct watch *w)
{
	w->part = phase_seconds(b) / b->args->warm_up;
	w->moved++;
	return w->part >= 1;
}

/* With a number of messages it ends with the last of them, else with the time. */
static bool measured(struct bench *b, struct watch *w)
{
	const struct arguments *a = b->args;
	double seconds = phase_seconds(b);
	uint64_t n = finished(b);
	w->moved = n;
	w->part = a->messages ? (double)n / (double)a->messages : seconds / a->seconds;
	snprintf(w->text, sizeof(w->text), "%.0f messages/s", (double)n / seconds);
	if (!a->messages)
		return seconds >= a->seconds;
	if (a->rate > 0 && seconds > a->seconds + a->patience)
		return true;
	return n >= a->messages;
}

/* True when a signal asks us to end. */
static bool signalled(void)
{
	const struct timespec wait = { .tv_nsec = LOOK_EVERY_MS * NS_PER_MS };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return sigtimedwait(&set, NULL, &wait) > 0;
}

static bool driver_failed(struct bench *b)
{
	for (unsigned i = 0; i < b->driver_n; i++)
		if (atomic_load(&b->driver[i].failed)) {
			(void)fail(b, b->driver[i].status, b->driver[i].why);
			return true;
		}
	return false;
}

/* Waits until `over`, a signal, a driver's failure, or the end of patience. 0 only if over. */
static int wait_for(struct bench *b, const char *what, bool (*over)(struct bench *b, struct watch *w))
{
	struct watch w = { .what = what, .part = -1 };
	struct progress progress;
	struct mono moved_at = mono_now();
	int err = ERR_UNAVAILABLE;
	progress_init(&progress);
	for (uint64_t before = w.moved;; before = w.moved) {
		if (driver_failed(b))
			break;
		if (over(b, &w)) {
			err = OK;
			break;
		}
		progress_show(&progress, what, w.part, w.text);
		if (w.moved != before)
			moved_at = mono_now();
		if (mono_diff_ms(moved_at, mono_now()) > (int64_t)(b->args->patience * 1000))
			break;
		if (signalled()) {
			b->interrupted = true;
			break;
		}
	}
	progress_clear(&progress);
	return err;
}

/* --- phases --- */

static void phase_begin(struct bench *b, enum phase phase)
{
	int begun = atomic_load(&b->phase) >> 8;
	if (phase == PHASE_WARM_UP || phase == PHASE_MEASURE)
		b->start = mono_now();
	atomic_store(&b->phase, (begun + 1) << 8 | (int)phase);
	for (unsigned i = 0; i < b->driver_n; i++)
		if (b->driver[i].started)
			loop_wake(b->driver[i].loop);
}

static void meter(struct bench *b, struct meter *to, int64_t *own_ns_out)
{
	struct timespec own;
	if (b->args->pid == 0 || meter_read(b->args->pid, to) != OK)
		b->metered = false;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	*own_ns_out = own.tv_sec * NS_PER_S + own.tv_nsec;
}

static bool may_go_on(const struct bench *b)
{
	return !b->interrupted && !b->broken[0];
}

static void warm_up(struct bench *b)
{
	if (b->args->warm_up <= 0)
		return;
	phase_begin(b, PHASE_WARM_UP);
	(void)wait_for(b, "warming up", warmed_up); /* whatever ends it, may_go_on tells */
	phase_begin(b, PHASE_PAUSE);
	if (may_go_on(b))
		(void)wait_for(b, "settling", nothing_under_way); /* leftovers are not counted */
}

static void measure(struct bench *b)
{
	b->measured = true;
	meter(b, &b->at_start, &b->own_start_ns);
	phase_begin(b, PHASE_MEASURE);
	(void)wait_for(b, "measuring", measured);
	phase_begin(b, PHASE_PAUSE);
	if (!b->broken[0])
		(void)wait_for(b, "finishing", nothing_under_way); /* the rest is UNFINISHED */
	meter(b, &b->at_end, &b->own_end_ns);
}

/* --- drivers --- */

static int drivers_open(struct bench *b)
{
	size_t together = b->args->scenario->users_together, lots = b->roster.n / together;
	b->driver = calloc(b->args->threads, sizeof(b->driver[0]));
	if (!b->driver)
		return fail(b, EXIT_TROUBLE, "out of memory");
	for (unsigned i = 0; i < b->args->threads; i++) {
		size_t from = lots * i / b->args->threads * together;
		size_t to = lots * (i + 1) / b->args->threads * together;
		b->driver_n++;
		if (driver_init(&b->driver[i], b, i, b->roster.account + from, to - from) != OK)
			return fail(b, EXIT_TROUBLE, "out of memory or file descriptors");
	}
	for (unsigned i = 0; i < b->driver_n; i++)
		if (driver_start(&b->driver[i]) != OK)
			return fail(b, EXIT_TROUBLE, "no more threads");
	return OK;
}

static void drivers_close(struct bench *b)
{
	phase_begin(b, PHASE_END);
	for (unsigned i = 0; i < b->driver_n; i++) {
		driver_join(&b->driver[i]);
		tally_merge(&b->total, &b->driver[i].tally);
		driver_deinit(&b->driver[i]);
	}
	free(b->driver);
	b->driver = NULL;
}

static void run(struct bench *b)
{
	int64_t own;
	b->metered = true;
	meter(b, &b->at_first, &own);
	if (drivers_open(b) == OK && wait_for(b, "logging in", all_logged_in) == OK) {
		meter(b, &b->at_ready, &own);
		warm_up(b);
		if (may_go_on(b))
			measure(b);
	} else if (!b->interrupted) {
		(void)fail(b, EXIT_NO_SERVER, "the server does not answer logins");
	}
	drivers_close(b);
}

static void verdict(struct bench *b)
{
	uint64_t sum = 0;
	if (b->args->messages && b->measured && may_go_on(b))
		b->total.trouble[TROUBLE_UNFINISHED] += b->args->messages - b->total.sent;
	for (int i = 0; i < TROUBLE_COUNT; i++)
		sum += b->total.trouble[i];
	if (b->status == 0)
		b->status = b->interrupted ? EXIT_INTERRUPTED : sum ? EXIT_TROUBLE : 0;
}

static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int report(const struct bench *b)
{
	if (b->args->json)
		return report_json(b, stdout);
	report_text(b, stdout);
	return ferror(stdout) ? ERR_IO : OK;
}

int bench_run(const struct arguments *args)
{
	struct bench *b = calloc(1, sizeof(*b));
	CHECK(b);
	b->args = args;
	char why[320];
	int err = target_parse(args->url, &b->target, why, sizeof(why));
	if (err)
		(void)fail(b, err == ERR_INVALID ? EXIT_USAGE : EXIT_NO_SERVER, why);
	else if (roster_open(b) == OK) {
		block_signals();
		run(b);
		verdict(b);
	}
	if (b->measured && report(b) != OK)
		(void)fail(b, EXIT_TROUBLE, "the report could not be written");
	roster_close(b);
	if (b->broken[0])
		fprintf(stderr, "lemp-bench: %s\n", b->broken);
	int status = b->status;
	free(b);
	return status;
}
