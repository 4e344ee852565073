/* A run, and what its threads share.
 *
 *   main thread   users, phases, meters, progress, report
 *   drivers       one thread each with a loop and its share of the users; nothing shared between them
 *
 * Every phase is begun by the main thread and taken up by each driver at its next turn:
 *
 *   LOGIN -> WARM_UP -> PAUSE -> MEASURE -> PAUSE -> … -> END
 *
 * A pause waits until nothing is under way, so that what the meters see between the first and the
 * last moment of MEASURE belongs to the messages counted in it and to nothing else. MEASURE comes once,
 * or, in a scenario that alternates, four times: without its load, with it, without, with. */
#pragma once
#include "arguments.h"
#include "histogram.h"
#include "meter.h"
#include "crowd.h"
#include "target.h"
#include <jansson.h>
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

#define LATENCIES_MAX 6
#define STRETCHES_MAX 4

/* What a driver counts while it measures. */
struct tally {
	uint64_t sent;      /* messages */
	uint64_t done;      /* of these finished */
	uint64_t deliveries; /* arrivals of them, where one message has many receivers */
	uint64_t packets;   /* sent and heard */
	struct mono last;   /* when the last message was finished */
	uint64_t trouble[TROUBLE_COUNT];
	struct histogram latency[LATENCIES_MAX]; /* by the rows of the scenario */
	char refusal[128];  /* the first one's code and sentence, or empty */
};
void tally_merge(struct tally *into, const struct tally *from);

/* One time of MEASURE. */
struct stretch {
	bool loaded;              /* with the scenario's load */
	struct mono start, last;  /* last: when the last message of the load was finished */
	struct meter from, to;
	struct meter settled;     /* when what the server does afterwards is done, too */
	int64_t own_from_ns, own_to_ns; /* CPU of this process */
};

struct driver;

struct bench {
	const struct arguments *args;
	struct target target;
	struct account admin;
	struct crowd crowd;
	void *shared;              /* the scenario's, for all drivers */
	struct driver *driver;
	unsigned driver_n;
	struct mono start;         /* of the phase begun last, of WARM_UP and MEASURE */
	struct mono settling;      /* since when */
	_Atomic int phase;         /* enum phase in the low byte, above it how many were begun */
	struct meter at_first, at_ready;     /* before and after the logins */
	struct stretch stretch[STRETCHES_MAX];
	unsigned stretch_n;        /* begun */
	uint64_t finished_before;  /* messages, at the beginning of the last one */
	bool metered;              /* all meters are valid */
	bool interrupted;
	char broken[320];          /* why it could not be measured (to the end), or empty */
	int status;                /* exit status */
	struct tally total;        /* its messages are the load's */
	uint64_t apart_done;       /* messages of the users apart */
};

/* Runs the scenario, and prints the report or, for --json, appends it. Returns the exit status. */
int bench_run(const struct arguments *args, json_t *reports);
