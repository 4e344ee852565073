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
	into->deliveries += from->deliveries;
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

static int crowd_open(struct bench *b)
{
	const struct arguments *a = b->args;
	size_t n = a->scenario->users(a);
	char why[256] = "out of memory";
	int err = files_check(b, n);
	if (err)
		return err;
	if (a->users) {
		err = crowd_load(a->users, &b->crowd, why, sizeof(why));
		if (err)
			return fail(b, EXIT_USAGE, why);
		if (b->crowd.n < n)
			return fail(b, EXIT_USAGE, "there are fewer users in the file than needed");
		b->crowd.n = n;
		return OK;
	}
	b->admin = (struct account){ .name = str_of(a->admin), .token = str_of(a->admin_token) };
	if (crowd_make(a->prefix, n, &b->crowd) != OK)
		return fail(b, EXIT_TROUBLE, why);
	err = crowd_create(&b->crowd, &b->target, &b->admin, why, sizeof(why));
	return err ? fail(b, admin_status(err), why) : OK;
}

static void crowd_close(struct bench *b)
{
	char why[256] = "out of memory";
	if (!b->args->users && !b->args->keep && b->crowd.n && b->status != EXIT_NO_SERVER) {
		int err = crowd_delete(&b->crowd, &b->target, &b->admin, why, sizeof(why));
		if (err)
			(void)fail(b, admin_status(err), why);
	}
	crowd_deinit(&b->crowd);
}

static int prepare(struct bench *b)
{
	const struct scenario *scenario = b->args->scenario;
	char why[256] = "out of memory";
	int err = scenario->prepare ? scenario->prepare(b, why, sizeof(why)) : OK;
	return err ? fail(b, admin_status(err), why) : OK;
}

static void finish(struct bench *b)
{
	const struct scenario *scenario = b->args->scenario;
	char why[256] = "out of memory";
	if (!b->shared)
		return;
	int err = scenario->finish(b, b->status != EXIT_NO_SERVER, why, sizeof(why));
	if (err)
		(void)fail(b, admin_status(err), why);
}

/* --- looking at the drivers --- */

static unsigned drivers_apart(const struct bench *b)
{
	return b->args->scenario->users_apart > 0;
}

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
	w->part = (double)ready / (double)b->crowd.n;
	return ready == b->crowd.n;
}

/* Have all drivers taken up the phase? Then `under_way` counts what they still wait for. */
static bool all_seen(const struct bench *b, uint64_t *under_way_out)
{
	int phase = atomic_load(&b->phase);
	*under_way_out = 0;
	for (unsigned i = 0; i < b->driver_n; i++) {
		if (atomic_load_explicit(&b->driver[i].seen, memory_order_acquire) != phase)
			return false;
		*under_way_out += atomic_load_explicit(&b->driver[i].pub_under_way, memory_order_acquire);
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

/* Both stretches with the load together last as long as was asked for. */
static double stretch_seconds(const struct bench *b)
{
	return b->args->scenario->alternates ? b->args->seconds / 2 : b->args->seconds;
}

/* With a number of messages it ends with the last of them, else with the time. */
static bool measured(struct bench *b, struct watch *w)
{
	const struct arguments *a = b->args;
	double seconds = phase_seconds(b), length = stretch_seconds(b);
	uint64_t all = finished(b), n = all - b->finished_before;
	w->moved = all;
	w->part = a->messages ? (double)n / (double)a->messages : seconds / length;
	snprintf(w->text, sizeof(w->text), "%.0f messages/s", (double)n / seconds);
	if (!a->messages)
		return seconds >= length;
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

static bool settled(struct bench *b, struct watch *w)
{
	w->part = (double)mono_diff_ms(b->settling, mono_now()) / (b->args->settle * 1000);
	w->moved++;
	return w->part >= 1;
}

/* What the server does after the load is its load's, too. */
static void settle(struct bench *b)
{
	b->settling = mono_now();
	if (b->args->scenario->alternates && b->args->settle > 0 && may_go_on(b))
		(void)wait_for(b, "settling", settled); /* a signal ends it early; may_go_on tells */
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
	settle(b);
}

static struct mono last_finished(const struct bench *b)
{
	struct mono last = { 0 };
	for (unsigned i = drivers_apart(b); i < b->driver_n; i++) {
		int64_t ns = atomic_load_explicit(&b->driver[i].pub_last_ns, memory_order_relaxed);
		last.ns = ns > last.ns ? ns : last.ns;
	}
	return last;
}

/* False when it did not come to its end. */
static bool measure_stretch(struct bench *b, struct stretch *s)
{
	bool over = false;
	b->finished_before = finished(b);
	meter(b, &s->from, &s->own_from_ns);
	phase_begin(b, PHASE_MEASURE);
	s->start = b->start;
	(void)wait_for(b, "measuring", measured);
	phase_begin(b, PHASE_PAUSE);
	if (!b->broken[0])
		over = wait_for(b, "finishing", nothing_under_way) == OK; /* the rest is UNFINISHED */
	meter(b, &s->to, &s->own_to_ns);
	s->last = last_finished(b);
	settle(b);
	int64_t own;
	meter(b, &s->settled, &own);
	return over && may_go_on(b);
}

static void measure(struct bench *b)
{
	bool alternates = b->args->scenario->alternates, over = true;
	unsigned n = alternates ? STRETCHES_MAX : 1;
	while (over && b->stretch_n < n) {
		struct stretch *s = &b->stretch[b->stretch_n];
		s->loaded = !alternates || b->stretch_n % 2 == 1; /* as the drivers see it */
		b->stretch_n++;
		over = measure_stretch(b, s);
	}
}

/* --- drivers --- */

static int drivers_open(struct bench *b)
{
	const struct account *first = b->crowd.account;
	size_t apart = b->args->scenario->users_apart, together = b->args->scenario->users_together;
	size_t lots = (b->crowd.n - apart) / together;
	unsigned threads = b->args->threads;
	b->driver = calloc(drivers_apart(b) + threads, sizeof(b->driver[0]));
	if (!b->driver)
		return fail(b, EXIT_TROUBLE, "out of memory");
	for (unsigned i = 0; i < drivers_apart(b) + threads; i++) {
		unsigned k = i - drivers_apart(b);
		bool is_apart = i < drivers_apart(b);
		size_t from = is_apart ? 0 : apart + lots * k / threads * together;
		size_t to = is_apart ? apart : apart + lots * (k + 1) / threads * together;
		b->driver_n++;
		if (driver_init(&b->driver[i], b, i, first + from, to - from) != OK)
			return fail(b, EXIT_TROUBLE, "out of memory or file descriptors");
	}
	for (unsigned i = 0; i < b->driver_n; i++)
		if (driver_start(&b->driver[i]) != OK)
			return fail(b, EXIT_TROUBLE, "no more threads");
	return OK;
}

/* Messages of the users apart are not the load's; what went wrong with them counts all the same. */
static void set_apart(struct bench *b, struct tally *t)
{
	b->apart_done += t->done;
	t->done = t->sent = t->packets = 0;
}

static void drivers_close(struct bench *b)
{
	phase_begin(b, PHASE_END);
	for (unsigned i = 0; i < b->driver_n; i++) {
		driver_join(&b->driver[i]);
		if (i < drivers_apart(b))
			set_apart(b, &b->driver[i].tally);
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
	if (b->args->messages && b->stretch_n && may_go_on(b))
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

static int report(const struct bench *b, json_t *reports)
{
	if (b->args->json)
		return json_array_append_new(reports, report_json(b)) == 0 ? OK : ERR_NOMEM;
	report_text(b, stdout);
	return ferror(stdout) ? ERR_IO : OK;
}

int bench_run(const struct arguments *args, json_t *reports)
{
	struct bench *b = calloc(1, sizeof(*b));
	CHECK(b);
	b->args = args;
	char why[320];
	int err = target_parse(args->url, &b->target, why, sizeof(why));
	if (err)
		(void)fail(b, err == ERR_INVALID ? EXIT_USAGE : EXIT_NO_SERVER, why);
	else if (crowd_open(b) == OK) {
		block_signals();
		if (prepare(b) == OK)
			run(b);
		verdict(b);
	}
	if (b->stretch_n && report(b, reports) != OK)
		(void)fail(b, EXIT_TROUBLE, "the report could not be written");
	finish(b);
	crowd_close(b);
	if (b->broken[0])
		fprintf(stderr, "lemp-bench: %s\n", b->broken);
	int status = b->status;
	free(b);
	return status;
}
