/* One event loop over epoll, one per thread; the only file that knows epoll is loop.c.
 * Everything is called on the loop's own thread except loop_wake. */
#pragma once
#include "base/clock.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;

/* What the loop watches: lives in the watcher's own struct. */
struct loop_io {
	int fd;
	uint32_t _events;
	void (*ready)(struct loop_io *io, bool readable, bool writable); /* errors and hang-ups come as readable */
};

struct loop *loop_create(void); /* NULL: no memory or descriptors */
void loop_destroy(struct loop **loop);

int loop_add(struct loop *loop, struct loop_io *io, bool read, bool write); /* 0 or ERR_FULL */
void loop_change(struct loop *loop, struct loop_io *io, bool read, bool write);
/* After this `ready` is not called any more, also not for events already fetched this turn. */
void loop_remove(struct loop *loop, struct loop_io *io);

/* Timers of one fixed length each form a queue, so that starting one costs nothing:
 * the deadline order is the order of starting. */
struct loop_timer { struct list _node; struct mono due; };
struct loop_timers {
	struct list _queue;
	struct list _node;
	int64_t ms; /* may be changed; a shorter one takes effect when those started before are over */
	void (*expired)(struct loop_timer *timer, void *ctx);
	void *ctx;
};
void loop_timers_init(struct loop *loop, struct loop_timers *queue, int64_t ms,
		      void (*expired)(struct loop_timer *timer, void *ctx), void *ctx);
void loop_timers_deinit(struct loop_timers *queue); /* none of its timers runs */
void loop_timer_init(struct loop_timer *t);
void loop_timer_start(struct loop *loop, struct loop_timers *queue, struct loop_timer *t); /* or start anew */
void loop_timer_stop(struct loop_timer *t); /* also if it does not run */

/* The time at the beginning of this turn. */
struct mono loop_now(const struct loop *loop);
/* Any thread: makes the loop turn soon (and call `turn`), once however often it is called before. */
void loop_wake(struct loop *loop);
/* Runs until loop_stop. `turn` is called once a turn after all events and timers: the place to
 * take the inbox, commit batches and flush output; it returns in how many milliseconds at the latest it wants
 * to be called again (-1: not before something happens, 0: at once). */
void loop_run(struct loop *loop, int64_t (*turn)(void *ctx), void *ctx);
void loop_stop(struct loop *loop);
