/* The process: puts the parts together, starts and ends them, and listens to signals. Everything
 * here is on the main thread. */
#pragma once
#include "daemon/options.h"
#include "daemon/sockets.h"
#include "daemon/worker.h"

/* sysexits(3), as interface.md promises them */
enum exit_status {
	EXIT_STATUS_CLEAN = 0,
	EXIT_STATUS_USAGE = 64,
	EXIT_STATUS_DATA = 65,        /* bad data directory, or of a newer format */
	EXIT_STATUS_UNAVAILABLE = 69, /* port or storage */
	EXIT_STATUS_INTERNAL = 70,
	EXIT_STATUS_CONFIG = 78,
};

/* The end, in steps (daemon_stop.c). */
struct stopping {
	bool begun;
	enum worker_step step;
	struct mono since;
	unsigned reports;             /* of this round that are in */
	struct worker_report sum, last; /* of this round, and the one before */
	bool clean;                   /* nothing was under way at the end */
	struct loop_timers pauses;    /* between rounds */
	struct loop_timer pause;
};

struct admin;

struct daemon {
	const struct options *options;
	char *const *environment;
	struct config *config;
	struct loop *loop;
	struct inbox inbox;
	struct workers all;
	struct metrics store_metrics, hasher_metrics;
	struct metrics *sets[CHAT_WORKERS_MAX + 2];
	struct sockets sockets;
	int64_t descriptors;          /* open before the first connection came */
	struct admin *admin;
	struct loop_io signals;
	struct mono since;
	bool importing;               /* one at a time (admin_import.c) */
	struct stopping stopping;
};

/* Runs the server until it is told to end; an exit_status. Configuration errors go to standard
 * error, as does whatever keeps it from starting. */
int daemon_check_data(const char *dir); /* --check-data; returns the exit status */
int daemon_run(const struct options *options, char *const *environment);

/* daemon_start.c: 0, or an exit_status after saying why. What was opened is closed by daemon_close. */
int daemon_open(struct daemon *d) WARN_UNUSED;
/* Connections there is room for: what limits.max_connections says, or what the limit of open files leaves. */
int64_t daemon_connections_max(const struct daemon *d);

/* daemon_stop.c: begins the end, which comes by loop_stop of d->loop. */
void daemon_stop(struct daemon *d);
/* Ends what daemon_open began, in reverse. */
void daemon_close(struct daemon *d);
