/* The timetable of an open loop: what is number k on it is due at start + k / rate, whatever the server
 * does. Belongs to the thread of its loop. */
#pragma once
#include "base/check.h"
#include "net/loop.h"

struct schedule {
	double rate;   /* a second */
	uint64_t due;  /* the first number whose time has not come */
	void (*fire)(void *ctx, uint64_t k); /* number k is due; comes once for each */
	void *ctx;
	struct loop *_loop;
	struct loop_io _timer;
	int64_t _start_ns;
	uint64_t _end;
};

/* 0, or ERR_NOMEM: schedule_close is still right. `fire` and `ctx` are set by the caller. */
int schedule_open(struct schedule *s, struct loop *loop) WARN_UNUSED;
void schedule_close(struct schedule *s);
/* From 0 on, below `end`; start_ns is of the monotonic clock. */
void schedule_start(struct schedule *s, int64_t start_ns, double rate, uint64_t end);
void schedule_stop(struct schedule *s); /* `due` stays */
int64_t schedule_due_ns(const struct schedule *s, uint64_t k);
