/* lemp-bench: loads a LEMP server and measures it. */
#include "base/err.h"
#include "bench.h"
#include "scenario.h"
#include <signal.h>
#include <stdio.h>

static int print(const struct arguments *a, json_t *reports)
{
	json_t *what = a->size_n > 1 ? reports : json_array_get(reports, 0);
	int err = what ? json_dumpf(what, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : 0;
	if (what)
		putchar('\n');
	json_decref(reports);
	if (err || ferror(stdout)) {
		fprintf(stderr, "lemp-bench: the report could not be written\n");
		return EXIT_TROUBLE;
	}
	return 0;
}

static int run(struct arguments *a)
{
	json_t *reports = json_array();
	int status = 0, worst = 0;
	do {
		status = bench_run(a, reports);
		worst = worst ? worst : status;
	} while ((status == 0 || status == EXIT_TROUBLE) && a->scenario->next && a->scenario->next(a));
	int err = print(a, reports);
	return status > EXIT_TROUBLE ? status : worst ? worst : err;
}

int main(int argc, char **argv)
{
	struct arguments args;
	char why[256];
	if (arguments_read(argc, argv, &args, why, sizeof(why)) != OK) {
		fprintf(stderr, "lemp-bench: %s\nTry lemp-bench --help.\n", why);
		return EXIT_USAGE;
	}
	if (args.help) {
		arguments_help();
		return 0;
	}
	if (args.version)
		return printf("lemp-bench %s\n", LEMP_VERSION) < 0;
	signal(SIGPIPE, SIG_IGN);
	if (args.data && meter_find(args.data, &args.pid) != OK) {
		fprintf(stderr, "lemp-bench: no server's number in %s/lock\n", args.data);
		return EXIT_USAGE;
	}
	return run(&args);
}
