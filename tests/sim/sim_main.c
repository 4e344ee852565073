/* lemp-sim: plays the whole of chat/ and handlers/ in a simulated world, seed by seed, and checks
 * the promises of protocol.md section 12. A failing seed plays the same run again. */
#include "plant.h"
#include "world.h"
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIM_STEPS 5000
#define SIM_SEED_SECONDS_MAX 120 /* a seed that takes longer hangs */
#define SIM_EXCERPT_LINES 80
#define SIM_TAIL_LINES 25
#define SIM_PLANT_SEEDS 100
#define SIM_REPEAT_SEEDS 60

struct options {
	uint64_t first, seeds;
	unsigned steps, jobs;
	bool verbose, json, self_test, keep_going;
};

struct tally { uint64_t seeds, failures, steps, crashes, refusals, hash; struct oracle_counts counts; };

/* What processes share: where each is, and what it found. */
struct shared { uint64_t at[64]; uint64_t done; struct tally tally[64]; };

/* Plays one seed. Returns the finding; what led to it is printed when `report`. */
static enum finding sim_play(uint64_t seed, const struct options *opt, struct plant *plant, enum trace_mode mode,
			     struct tally *tally)
{
	struct plan plan;
	struct trace trace;
	const char *details;
	const char *const *words;
	trace_init(&trace, mode);
	plan_draw(&plan, seed, opt->steps);
	plan_print(&plan, &trace);
	struct world *w = world_create(&plan, &trace, plant);
	while (trace.step < plan.steps && !oracle_finding(w->oracle, &details, &words))
		world_step(w);
	if (!oracle_finding(w->oracle, &details, &words))
		world_calm(w);
	world_end(w);
	enum finding finding = oracle_finding(w->oracle, &details, &words);
	if (finding && mode != TRACE_HASH && !plant) {
		printf("seed %llu: %s (%s): %s\n  %s\n", (unsigned long long)seed, finding_rows[finding].name,
		       finding_rows[finding].promise, finding_rows[finding].text, details);
		if (mode == TRACE_KEEP)
			trace_excerpt(&trace, words, SIM_EXCERPT_LINES, SIM_TAIL_LINES, stdout);
	}
	struct oracle_counts counts = oracle_counts(w->oracle);
	tally->seeds++;
	tally->failures += finding != FINDING_NONE;
	tally->steps += trace.step;
	tally->crashes += w->crashes;
	tally->refusals += w->refusals;
	tally->hash ^= trace.hash;
	tally->counts.sent += counts.sent;
	tally->counts.stored += counts.stored;
	tally->counts.shown += counts.shown;
	tally->counts.received += counts.received;
	tally->counts.released += counts.released;
	tally->counts.receipts += counts.receipts;
	tally->counts.pings += counts.pings;
	tally->counts.refused += counts.refused;
	tally->counts.asked += counts.asked;
	tally->counts.changes += counts.changes;
	tally->counts.fans += counts.fans;
	tally->counts.told += counts.told;
	tally->counts.gaps += counts.gaps;
	world_destroy(&w);
	trace_deinit(&trace);
	return finding;
}

/* Plays a seed with the lines kept, to tell what led to the finding. */
static void sim_report(uint64_t seed, const struct options *opt)
{
	struct tally ignored = { .seeds = 0 };
	(void)sim_play(seed, opt, NULL, TRACE_KEEP, &ignored);
	printf("  again: lemp-sim --seed %llu --steps %u [--verbose]\n", (unsigned long long)seed, opt->steps);
	(void)fflush(stdout);
}

/* Plays every `stride`th seed from `seed` on. Returns whether all were right. */
static bool sim_play_stripe(uint64_t seed, uint64_t stride, const struct options *opt, struct shared *shared,
			    unsigned job)
{
	bool right = true;
	for (; seed < opt->first + opt->seeds; seed += stride) {
		shared->at[job] = seed;
		(void)alarm(SIM_SEED_SECONDS_MAX);
		bool failed = sim_play(seed, opt, NULL, opt->verbose ? TRACE_PRINT : TRACE_HASH,
				       &shared->tally[job]) != FINDING_NONE;
		__atomic_add_fetch(&shared->done, 1, __ATOMIC_RELAXED);
		if (!failed)
			continue;
		right = false;
		if (!opt->verbose)
			sim_report(seed, opt);
		if (!opt->keep_going)
			break;
	}
	return right;
}

static void sim_progress(const struct shared *shared, const struct options *opt)
{
	uint64_t done = __atomic_load_n(&shared->done, __ATOMIC_RELAXED);
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r%llu of %llu seeds ", (unsigned long long)done,
			      (unsigned long long)opt->seeds);
}

static pid_t sim_fork(uint64_t seed, const struct options *opt, struct shared *shared, unsigned job)
{
	(void)fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		exit(sim_play_stripe(seed, opt->jobs, opt, shared, job) ? 0 : 1);
	CHECK(pid > 0);
	return pid;
}

/* One process per job; one that dies (a failed CHECK, a sanitizer) is a failing seed, too. */
static bool sim_play_parallel(const struct options *opt, struct shared *shared)
{
	pid_t pids[64];
	bool right = true;
	unsigned running = opt->jobs;
	for (unsigned job = 0; job < opt->jobs; job++)
		pids[job] = sim_fork(opt->first + job, opt, shared, job);
	while (running) {
		int status;
		sim_progress(shared, opt);
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == 0) {
			(void)nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
			continue;
		}
		unsigned job = 0;
		while (job < opt->jobs && pids[job] != pid)
			job++;
		CHECK(job < opt->jobs);
		running--;
		bool died = WIFSIGNALED(status) || WEXITSTATUS(status) > 1;
		right = right && !died && WEXITSTATUS(status) == 0;
		if (!died)
			continue;
		printf("seed %llu: the process died (%s %d)\n", (unsigned long long)shared->at[job],
		       WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status)
										    : WEXITSTATUS(status));
		shared->tally[job].failures++;
		if (opt->keep_going && shared->at[job] + opt->jobs < opt->first + opt->seeds) {
			pids[job] = sim_fork(shared->at[job] + opt->jobs, opt, shared, job);
			running++;
		}
	}
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K");
	return right;
}

static void sim_summary(const struct shared *shared, const struct options *opt)
{
	struct tally t = { .seeds = 0 };
	for (unsigned job = 0; job < opt->jobs; job++) {
		const struct tally *s = &shared->tally[job];
		t.seeds += s->seeds;
		t.failures += s->failures;
		t.steps += s->steps;
		t.crashes += s->crashes;
		t.refusals += s->refusals;
		t.counts.sent += s->counts.sent;
		t.counts.stored += s->counts.stored;
		t.counts.shown += s->counts.shown;
		t.counts.released += s->counts.released;
		t.counts.pings += s->counts.pings;
		t.counts.asked += s->counts.asked;
		t.counts.changes += s->counts.changes;
		t.counts.fans += s->counts.fans;
		t.counts.told += s->counts.told;
		t.counts.gaps += s->counts.gaps;
	}
	printf(opt->json ? "{\"seeds\":%llu,\"failures\":%llu,\"steps\":%llu,\"crashes\":%llu,\"refusals\":%llu,"
			   "\"sent\":%u,\"stored\":%u,\"shown\":%u,\"released\":%u,\"pings\":%u,\"asked\":%u,"
			   "\"changes\":%u,\"fans\":%u,\"told\":%u,\"gaps\":%u}\n"
			 : "%llu seeds, %llu failures: %llu steps, %llu crashes, %llu refused batches, %u sent, "
			   "%u stored, %u shown, %u released, %u pings, %u asked, %u changes, %u fan-outs, "
			   "%u told of logins, %u gaps\n",
	       (unsigned long long)t.seeds, (unsigned long long)t.failures, (unsigned long long)t.steps,
	       (unsigned long long)t.crashes, (unsigned long long)t.refusals, t.counts.sent, t.counts.stored,
	       t.counts.shown, t.counts.released, t.counts.pings, t.counts.asked, t.counts.changes,
	       t.counts.fans, t.counts.told, t.counts.gaps);
}

/* --- the self-test --- */

/* Is a planted violation found, and named rightly? */
static bool sim_test_plant(enum plant_kind kind, const struct options *opt)
{
	unsigned planted = 0, found = 0, named = 0;
	for (uint64_t seed = opt->first; seed < opt->first + SIM_PLANT_SEEDS; seed++) {
		struct plant plant;
		struct tally ignored = { .seeds = 0 };
		plant_init(&plant, kind, seed);
		enum finding finding = sim_play(seed, opt, &plant, TRACE_HASH, &ignored);
		planted += plant.done;
		found += plant.done && finding;
		named += plant.done && plant_explains(kind, finding);
		if (opt->verbose && finding)
			printf("  %s seed %llu: %s\n", plant_name(kind), (unsigned long long)seed,
			       finding_rows[finding].name);
		plant_deinit(&plant);
	}
	/* Not every seed gives the violation a chance to show (the victim may be gone for good). */
	bool right = planted >= 5 && named * 2 >= planted;
	printf("%-4s %-7s %s: planted in %u of %u seeds, found in %u, named in %u\n", right ? "ok" : "FAIL",
	       plant_name(kind), plant_text(kind), planted, SIM_PLANT_SEEDS, found, named);
	return right;
}

static bool sim_test_repeats(const struct options *opt)
{
	for (uint64_t seed = opt->first; seed < opt->first + SIM_REPEAT_SEEDS; seed++) {
		struct tally a = { .seeds = 0 }, b = { .seeds = 0 };
		(void)sim_play(seed, opt, NULL, TRACE_HASH, &a);
		(void)sim_play(seed, opt, NULL, TRACE_HASH, &b);
		if (a.hash != b.hash) {
			printf("FAIL seed %llu plays differently the second time\n", (unsigned long long)seed);
			return false;
		}
	}
	printf("ok   a seed plays the same run again\n");
	return true;
}

static bool sim_self_test(const struct options *opt)
{
	bool right = sim_test_repeats(opt);
	for (enum plant_kind kind = 0; kind < PLANT_COUNT; kind++)
		right &= sim_test_plant(kind, opt);
	return right;
}

/* --- the command line --- */

static const char sim_usage[] =
	"lemp-sim [--seed N | --first N --seeds N] [--steps N] [--jobs N] [--keep-going] [--verbose] [--json]\n"
	"lemp-sim --self-test\n\n"
	"Plays the chat core in a simulated world and checks what protocol.md promises.\n"
	"  --seed N      plays one seed, in this process\n"
	"  --first N     the first seed (1)\n"
	"  --seeds N     how many (100)\n"
	"  --steps N     of each run, before the faults stop (5000)\n"
	"  --jobs N      processes (one per processor)\n"
	"  --keep-going  do not stop at the first failing seed\n"
	"  --verbose     prints all that happens\n"
	"  --json        prints the summary as JSON\n"
	"  --self-test   checks the checker: planted violations must be found\n";

static int sim_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' }, { "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' }, { "steps", required_argument, NULL, 't' },
		{ "jobs", required_argument, NULL, 'j' }, { "verbose", no_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'o' }, { "self-test", no_argument, NULL, 'x' },
		{ "keep-going", no_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			opt->first = strtoull(optarg, NULL, 10);
			opt->seeds = opt->jobs = 1;
			break;
		case 'n': opt->seeds = strtoull(optarg, NULL, 10); break;
		case 'f': opt->first = strtoull(optarg, NULL, 10); break;
		case 't': opt->steps = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'j': opt->jobs = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'v': opt->verbose = true; break;
		case 'o': opt->json = true; break;
		case 'x': opt->self_test = true; break;
		case 'k': opt->keep_going = true; break;
		case 'h': (void)fputs(sim_usage, stdout); return 1;
		default: (void)fputs(sim_usage, stderr); return 64;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct options opt = { .first = 1, .seeds = 100, .steps = SIM_STEPS,
			       .jobs = cores > 0 && cores <= 64 ? (unsigned)cores : 1 };
	int usage = sim_options(argc, argv, &opt);
	if (usage)
		return usage == 1 ? 0 : usage;
	if (opt.jobs < 1 || opt.jobs > 64)
		opt.jobs = 1;
	if (opt.self_test)
		return sim_self_test(&opt) ? 0 : 1;
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				     -1, 0);
	CHECK(shared != MAP_FAILED);
	bool right = opt.seeds == 1 ? sim_play_stripe(opt.first, 1, &opt, shared, 0)
				    : sim_play_parallel(&opt, shared);
	sim_summary(shared, &opt);
	return right ? 0 : 1;
}
