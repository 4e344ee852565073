/* What a process has used so far, read from outside through /proc and its CPU clock. */
#pragma once
#include "base/check.h"
#include "base/clock.h"

struct meter {
	struct mono at;
	int64_t cpu_ns;    /* all its threads, also those that have ended */
	int64_t user_ns;   /* of these; in steps of a clock tick, and so is the next */
	int64_t system_ns;
	int64_t resident_bytes, resident_bytes_max;
	int64_t switches;        /* context switches of the threads alive: it waited for something */
	int64_t switches_forced; /* and: its core was taken away */
};

/* 0, or ERR_NOTFOUND when there is no such process (any more) or nothing may be read of it. */
int meter_read(int pid, struct meter *out) WARN_UNUSED;
/* The process which serves a data directory: the number in DIR/lock. 0 or ERR_NOTFOUND. */
int meter_find(const char *data, int *pid_out) WARN_UNUSED;
