/* lemp-bench: loads a LEMP server and measures it. */
#include "base/err.h"
#include "bench.h"
#include <signal.h>
#include <stdio.h>

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
	return bench_run(&args);
}
