/* lempd: the server. */
#include "daemon/daemon.h"
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct options options;
	char why[256];
	if (options_read(argc, argv, &options, why, sizeof(why)) != OK) {
		fprintf(stderr, "lempd: %s\nTry lempd --help.\n", why);
		return EXIT_STATUS_USAGE;
	}
	if (options.help)
		return fputs(options_help, stdout) < 0;
	if (options.version)
		return printf("lempd %s\n", LEMP_VERSION) < 0;
	return options.check_data ? daemon_check_data(options.check_data) : daemon_run(&options, environ);
}
