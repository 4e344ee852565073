#include "arguments.h"
#include "base/err.h"
#include "scenario.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_MAX 86400
#define THREADS_MAX 64

enum kind { TEXT, COUNT, LARGE, NUMBER, SWITCH };

struct row {
	const char *name;
	enum kind kind;
	size_t offset; /* of the member, of the type the kind says */
	double min, max;
	const char *value, *help;
};

#define AT(member) offsetof(struct arguments, member)
/* One option a row. */
static const struct row rows[] = {
	{ "url", TEXT, AT(url), 0, 0, "URL", "server; default ws://127.0.0.1:8025/lemp" },
	{ "admin", TEXT, AT(admin), 0, 0, "NAME",
	  "administrator who creates the users, and deletes them afterwards" },
	{ "admin-token", TEXT, AT(admin_token), 0, 0, "T",
	  "his token; or in the environment as LEMP_ADMIN_TOKEN" },
	{ "prefix", TEXT, AT(prefix), 0, 0, "TEXT",
	  "the users' names are PREFIX1, PREFIX2 ...; default bench-" },
	{ "keep-users", SWITCH, AT(keep), 0, 0, NULL, "do not delete them" },
	{ "users", TEXT, AT(users), 0, 0, "FILE", "instead: users that exist, lines name,token" },
	{ "pairs", COUNT, AT(pairs), 1, INT_MAX, "N", "pairs: pairs of users; default 100" },
	{ "members", TEXT, AT(members), 0, 0, "N,...",
	  "group: members, one run for each number; default 10,1000,10000" },
	{ "senders", COUNT, AT(senders), 1, INT_MAX, "N", "group: members that send; default 4" },
	{ "dm", SWITCH, AT(dm), 0, 0, NULL,
	  "group: members answer each message with a delivered receipt" },
	{ "pair-rate", NUMBER, AT(pair_rate), 0.001, 1e6, "R",
	  "group: messages a second of the pair beside it; default 200" },
	{ "window", COUNT, AT(window), 1, INT_MAX, "N",
	  "closed loop: messages under way in each direction (group: of each\n"
	  "sender); default 16 (group: 1)\n"
	  "open loop: bound of these; default 1024" },
	{ "rate", NUMBER, AT(rate), 0.001, 1e7, "R", "open loop: so many messages a second in all" },
	{ "messages", LARGE, AT(messages), 1, 1e12, "N", "measure so many messages" },
	{ "seconds", NUMBER, AT(seconds), 0.001, SECONDS_MAX, "S", "measure so long; default 10" },
	{ "warm-up", NUMBER, AT(warm_up), 0, SECONDS_MAX, "S",
	  "the same load before it, not measured; default 1" },
	{ "settle", NUMBER, AT(settle), 0, SECONDS_MAX, "S",
	  "group: wait so long after the load until the server has its\n"
	  "acknowledgements, too; default 3.5" },
	{ "patience", NUMBER, AT(patience), 0.001, SECONDS_MAX, "S",
	  "give up after so long without any progress; default 10" },
	{ "size", COUNT, AT(size), 0, INT_MAX, "BYTES", "content of a message; default 200" },
	{ "flags", TEXT, AT(flags), 0, 0, "default|p0", "kind of message; see below" },
	{ "threads", COUNT, AT(threads), 1, THREADS_MAX, "N", "client threads; default 1" },
	{ "pid", COUNT, AT(pid), 1, INT_MAX, "PID",
	  "server process on this machine, to measure its CPU and memory" },
	{ "data", TEXT, AT(data), 0, 0, "DIR", "its data directory, to find that process" },
	{ "json", SWITCH, AT(json), 0, 0, NULL, "print the report as JSON" },
	{ "version", SWITCH, AT(version), 0, 0, NULL, "print the version" },
	{ "help", SWITCH, AT(help), 0, 0, NULL, "print this" },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

void arguments_help(void)
{
	printf("Usage: lemp-bench SCENARIO [OPTION]...\n\nLoads a LEMP server and measures it.\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s %s", rows[i].name,
			 rows[i].value ? rows[i].value : "");
		printf("  %-22s ", left);
		for (const char *c = rows[i].help; *c; c++)
			*c == '\n' ? printf("\n%25s", "") : putchar(*c);
		putchar('\n');
	}
	printf("\nScenarios:\n");
	for (size_t i = 0; scenarios[i]; i++)
		printf("\n  %s: %s\n%s", scenarios[i]->name, scenarios[i]->summary, scenarios[i]->help);
	printf("\nThe load is measured from a moment when nothing is under way to the end of the last\n"
	       "message sent. Ctrl-C ends early and reports what was measured so far.\n"
	       "Exit status: 0; 1 messages were lost, refused, repeated, out of order or unfinished,\n"
	       "or the server refused a login or the users; 64 usage; 69 no server there, or it went\n"
	       "away; 130 interrupted.\n");
}

static int number_take(const struct row *row, const char *text, void *to, char *why, size_t why_size)
{
	char *end;
	errno = 0;
	double v = strtod(text, &end);
	bool good = end != text && !*end && errno == 0 && v >= row->min && v <= row->max;
	if (!good || (row->kind != NUMBER && (double)(uint64_t)v != v)) {
		snprintf(why, why_size, "--%s: '%s' is not a %snumber of %g or more", row->name, text,
			 row->kind == NUMBER ? "" : "whole ", row->min);
		return ERR_INVALID;
	}
	if (row->kind == COUNT)
		*(unsigned *)to = (unsigned)v;
	else if (row->kind == LARGE)
		*(uint64_t *)to = (uint64_t)v;
	else
		*(double *)to = v;
	return OK;
}

static int take(struct arguments *a, const struct row *row, const char *text, char *why, size_t why_size)
{
	void *to = (char *)a + row->offset;
	switch (row->kind) {
	case TEXT: *(const char **)to = text; return OK;
	case SWITCH: *(bool *)to = true; return OK;
	case COUNT:
	case LARGE:
	case NUMBER: break;
	}
	return number_take(row, text, to, why, why_size);
}

static int options_take(int argc, char **argv, struct arguments *a, char *why, size_t why_size)
{
	struct option options[ROWS + 1] = { { 0 } };
	int index, c;
	for (size_t i = 0; i < ROWS; i++) {
		options[i].name = rows[i].name;
		options[i].has_arg = rows[i].kind == SWITCH ? no_argument : required_argument;
	}
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, &index)) != -1) {
		if (c != 0) {
			snprintf(why, why_size, "%s %s", argv[optind - 1],
				 c == ':' ? "wants a value" : "is no option, or has no value");
			return ERR_INVALID;
		}
		int err = take(a, &rows[index], optarg, why, why_size);
		if (err)
			return err;
	}
	return OK;
}

static int scenario_take(int argc, char **argv, struct arguments *a, char *why, size_t why_size)
{
	if (optind >= argc) {
		snprintf(why, why_size, "which scenario?");
		return ERR_INVALID;
	}
	a->scenario = scenario_find(argv[optind]);
	if (!a->scenario || optind + 1 < argc) {
		snprintf(why, why_size, "%s '%s'",
			 a->scenario ? "there is a word too many:" : "there is no scenario",
			 argv[a->scenario ? optind + 1 : optind]);
		return ERR_INVALID;
	}
	return OK;
}

static int together(struct arguments *a, char *why, size_t why_size)
{
	const char *wrong = NULL;
	if (!a->admin_token)
		a->admin_token = getenv("LEMP_ADMIN_TOKEN");
	if (!a->users && !(a->admin && a->admin_token))
		wrong = "users are needed: --admin and its token, or --users";
	else if (a->users && a->admin)
		wrong = "--admin and --users exclude each other";
	else if (a->messages && a->seconds > 0)
		wrong = "--messages and --seconds exclude each other";
	if (wrong) {
		snprintf(why, why_size, "%s", wrong);
		return ERR_INVALID;
	}
	if (!a->messages && a->seconds <= 0)
		a->seconds = 10;
	if (a->rate > 0 && a->messages)
		a->seconds = (double)a->messages / a->rate;
	else if (a->rate > 0)
		a->messages = (uint64_t)(a->rate * a->seconds + 0.5);
	if (a->rate > 0 && !a->messages)
		a->messages = 1;
	return a->scenario->check(a, why, why_size);
}

int arguments_read(int argc, char **argv, struct arguments *out, char *why, size_t why_size)
{
	*out = (struct arguments){
		.url = "ws://127.0.0.1:8025/lemp", .prefix = "bench-", .pairs = 100, .warm_up = 1,
		.members = "10,1000,10000", .senders = 4, .pair_rate = 200, .settle = 3.5,
		.patience = 10, .size = 200, .flags = "default", .threads = 1,
	};
	int err = options_take(argc, argv, out, why, why_size);
	if (err || out->help || out->version)
		return err;
	err = scenario_take(argc, argv, out, why, why_size);
	return err ? err : together(out, why, why_size);
}
