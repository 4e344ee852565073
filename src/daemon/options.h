/* The command line of lempd. */
#pragma once
#include "daemon/config.h"

#define OPTIONS_MAX 256

struct options {
	bool check, help, version;
	const char *file; /* --config */
	const char *check_data; /* the directory; NULL: none is to be checked */
	/* What overrides the configuration, in the order given: points into argv. */
	struct { const char *key, *value, *place; } set[OPTIONS_MAX];
	unsigned set_n;
};

extern const char options_help[];

/* 0, or ERR_INVALID with a sentence in why. */
int options_read(int argc, char **argv, struct options *out, char *why, size_t why_size) WARN_UNUSED;
/* Defaults, file, environment and command line, checked. Errors are told as in config.h; NULL if
 * there are any. */
struct config *options_config(const struct options *options, char *const *environment,
			      struct buf *errors);
