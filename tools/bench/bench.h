/* A run, and what its threads share.
 *
 *   main thread   users, phases, meters, progress, report
 *   drivers       one thread each with a loop and its share of the users; nothing shared between them
 *
 * Every phase is begun by the main thread and taken up by each driver at its next turn:
 *
 *   LOGIN -> WARM_UP -> PAUSE -> MEASURE -> PAUSE -> END
 *
 * A pause waits until nothing is under way, so that what the meters see between the first and the
 * last moment of MEASURE belongs to the messages counted in it and to nothing else. */
#pragma once
#include "arguments.h"
#include "histogram.h"
#include "meter.h"
#include "roster.h"
#include "target.h"
#include <stdatomic.h>

enum { EXIT_TROUBLE = 1, EXIT_USAGE = 64, EXIT_NO_SERVER = 69, EXIT_INTERRUPTED = 130 };

enum phase { PHASE_LOGIN, PHASE_WARM_UP, PHASE_PAUSE, PHASE_MEASURE, PHASE_END };

/* What must not happen: TROUBLE(name, json, text). Any of it makes the exit status EXIT_TROUBLE. */
#define TROUBLES(TROUBLE)                                                                 \
	TROUBLE(LOST, "lost", "lost")                     /* a later one arrived instead */ \
	TROUBLE(REFUSED, "refused", "refused")            /* answered with an error */      \
	TROUBLE(DISORDERED, "out_of_order", "out of order")                               \
	TROUBLE(REPEATED, "repeated", "repeated")                                         \
	TROUBLE(UNFINISHED, "unfinished", "unfinished")   /* when patience ended */
enum trouble {
#define TROUBLE(name, json, text) TROUBLE_##name,
	TROUBLES(TROUBLE)
#undef TROUBLE
	TROUBLE_COUNT
};

#define LATENCIES_MAX 5

/* What a driver counts while it measures. */
struct tally {
	uint64_t sent;      /* messages */
	uint64_t done;      /* of these finished */
	uint64_t packets;   /* sent and heard */
	struct mono last;   /* when the last message was finished */
	uint64_t trouble[TROUBLE_COUNT];
	struct histogram latency[LATENCIES_MAX]; /* by the rows of the scenario */
	char refusal[128];  /* the first one's code and sentence, or empty */
};
void tally_merge(struct tally *into, const struct tally *from);

struct driver;

struct bench {
	const struct arguments *args;
	struct target target;
	struct account admin;
	struct roster roster;
	struct driver *driver;
	unsigned driver_n;
	struct mono start;         /* of the phase begun last */
	_Atomic int phase;         /* enum phase in the low byte, above it how many were begun */
	struct meter at_first, at_ready;     /* before and after the logins */
	struct meter at_start, at_end;       /* of MEASURE */
	int64_t own_start_ns, own_end_ns;    /* CPU of this process then */
	bool metered;              /* all four are valid */
	bool interrupted;
	char broken[320];          /* why it could not be measured (to the end), or empty */
	int status;                /* exit status */
	struct tally total;
	bool measured;             /* it came to MEASURE */
};

/* Runs the scenario and prints the report. Returns the exit status. */
int bench_run(const struct arguments *args);
