/* The command line, checked. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGUMENT_SIZES_MAX 16

struct scenario;

struct arguments {
	const struct scenario *scenario;
	const char *url;
	const char *admin, *admin_token; /* both or none */
	const char *users;   /* path of a CSV file; NULL: users are created by the administrator */
	const char *prefix;  /* of the names of created users */
	bool keep;           /* created users are not deleted afterwards */
	unsigned pairs;
	const char *members; /* sizes of groups, separated by commas */
	unsigned sizes[ARGUMENT_SIZES_MAX]; /* these numbers; sizes[size_at] is this run's */
	unsigned size_n, size_at;
	unsigned senders;
	bool dm;             /* members acknowledge by dm */
	double pair_rate;    /* messages a second of the pair beside the group */
	unsigned window;     /* messages under way in each direction */
	double rate;         /* messages a second in all; 0: closed loop */
	uint64_t messages;   /* to measure; 0: by `seconds` (the open loop has both set) */
	double seconds;
	double warm_up;      /* seconds */
	double settle;       /* seconds for the server to finish with a load, where that is switched */
	double patience;     /* seconds without any progress, then it ends */
	unsigned size;       /* bytes of content */
	const char *flags;
	unsigned threads;
	int pid;             /* of the server; 0: not known */
	const char *data;    /* its data directory, where its pid can be found; or NULL */
	bool json, help, version;
};

/* 0, or ERR_INVALID and in `why` a sentence. Views point into argv and the environment. */
int arguments_read(int argc, char **argv, struct arguments *out, char *why, size_t why_size);
void arguments_help(void); /* on standard output */
