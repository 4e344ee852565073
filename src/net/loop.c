#include "net/loop.h"
#include "base/check.h"
#include "base/err.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOP_EVENTS 256
#define LOOP_SLEEP_MS_MAX 3600000

/* Who wakes writes to the eventfd only when the loop sleeps or is about to: RUNNING -> WOKEN
 * costs nothing, SLEEPING -> WOKEN one write, WOKEN -> WOKEN nothing. */
enum { RUNNING, SLEEPING, WOKEN };

struct loop {
	int epoll_fd, wake_fd;
	_Atomic int sleep;
	bool stopped;
	struct mono now;
	struct list timer_queues;
	struct loop_io wake_io;
	struct epoll_event events[LOOP_EVENTS];
	int event_at, event_n; /* being dispatched: events[event_at..event_n) are still to come */
};

static void wake_ready(struct loop_io *io, bool readable, bool writable)
{
	(void)readable;
	(void)writable;
	uint64_t count;
	ssize_t n = read(io->fd, &count, sizeof(count));
	(void)n; /* EAGAIN: somebody's write was taken with an earlier one */
}

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return NULL;
	list_init(&loop->timer_queues);
	loop->now = mono_now();
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_io = (struct loop_io){ .fd = loop->wake_fd, .ready = wake_ready };
	if (loop->wake_fd < 0 || loop->epoll_fd < 0 ||
	    loop_add(loop, &loop->wake_io, true, false) != 0)
		loop_destroy(&loop);
	return loop;
}

void loop_destroy(struct loop **loop)
{
	if (!*loop)
		return;
	if ((*loop)->wake_fd >= 0)
		close((*loop)->wake_fd);
	if ((*loop)->epoll_fd >= 0)
		close((*loop)->epoll_fd);
	free(*loop);
	*loop = NULL;
}

static uint32_t interest(bool read, bool write)
{
	return (read ? (uint32_t)EPOLLIN : 0) | (write ? (uint32_t)EPOLLOUT : 0);
}

int loop_add(struct loop *loop, struct loop_io *io, bool read, bool write)
{
	io->_events = interest(read, write);
	struct epoll_event event = { .events = io->_events, .data.ptr = io };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) == 0)
		return OK;
	CHECK(errno == ENOMEM || errno == ENOSPC);
	return ERR_FULL;
}

void loop_change(struct loop *loop, struct loop_io *io, bool read, bool write)
{
	uint32_t events = interest(read, write);
	if (events == io->_events)
		return;
	io->_events = events;
	struct epoll_event event = { .events = events, .data.ptr = io };
	CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) == 0);
}

void loop_remove(struct loop *loop, struct loop_io *io)
{
	CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL) == 0);
	for (int i = loop->event_at; i < loop->event_n; i++)
		if (loop->events[i].data.ptr == io)
			loop->events[i].data.ptr = NULL;
}

void loop_timers_init(struct loop *loop, struct loop_timers *queue, int64_t ms,
		      void (*expired)(struct loop_timer *timer, void *ctx), void *ctx)
{
	*queue = (struct loop_timers){ .ms = ms, .expired = expired, .ctx = ctx };
	list_init(&queue->_queue);
	list_append(&loop->timer_queues, &queue->_node);
}

void loop_timers_deinit(struct loop_timers *queue)
{
	CHECK(list_empty(&queue->_queue));
	list_remove(&queue->_node);
}

void loop_timer_init(struct loop_timer *t)
{
	list_init(&t->_node);
}

void loop_timer_start(struct loop *loop, struct loop_timers *queue, struct loop_timer *t)
{
	list_remove(&t->_node);
	t->due = mono_add_ms(loop->now, queue->ms);
	list_append(&queue->_queue, &t->_node);
}

void loop_timer_stop(struct loop_timer *t)
{
	list_remove(&t->_node);
}

static struct loop_timer *timer_first(struct list *queue)
{
	return LIST_ENTRY(queue->next, struct loop_timer, _node);
}

/* What is due is taken out first, so that a timer that starts itself anew waits for the next
 * turn even when it is due at once. */
static void run_queue(struct loop *loop, struct loop_timers *queue)
{
	struct list due;
	list_init(&due);
	while (!list_empty(&queue->_queue) && timer_first(&queue->_queue)->due.ns <= loop->now.ns) {
		struct list *node = queue->_queue.next;
		list_remove(node);
		list_append(&due, node);
	}
	while (!list_empty(&due)) {
		struct loop_timer *t = timer_first(&due);
		list_remove(&t->_node);
		queue->expired(t, queue->ctx);
	}
}

static void run_timers(struct loop *loop)
{
	LIST_EACH_SAFE(&loop->timer_queues, node, next)
		run_queue(loop, LIST_ENTRY(node, struct loop_timers, _node));
}

/* How long epoll may sleep when the turn asked for `turn_ms`; -1: for ever. Rounds up, so as not
 * to spin through the last millisecond before a timer. */
static int sleep_ms(struct loop *loop, int64_t turn_ms)
{
	if (turn_ms == 0)
		return 0;
	int64_t ms = turn_ms < 0 ? INT64_MAX : turn_ms;
	struct mono now = mono_now();
	LIST_EACH_SAFE(&loop->timer_queues, node, next) {
		struct loop_timers *queue = LIST_ENTRY(node, struct loop_timers, _node);
		if (list_empty(&queue->_queue))
			continue;
		int64_t ns = timer_first(&queue->_queue)->due.ns - now.ns;
		int64_t left = ns <= 0 ? 0 : (ns + NS_PER_MS - 1) / NS_PER_MS;
		if (left < ms)
			ms = left;
	}
	if (ms == INT64_MAX)
		return -1;
	return (int)(ms < LOOP_SLEEP_MS_MAX ? ms : LOOP_SLEEP_MS_MAX);
}

static void wait_for_events(struct loop *loop, int64_t turn_ms)
{
	int ms = sleep_ms(loop, turn_ms);
	int running = RUNNING;
	if (ms != 0 && !atomic_compare_exchange_strong(&loop->sleep, &running, SLEEPING))
		ms = 0;
	int n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS, ms);
	CHECK(n >= 0 || errno == EINTR);
	/* From here on a wake counts for the next turn; what was pushed before one that this
	 * exchange sees is seen by this turn. */
	atomic_exchange(&loop->sleep, RUNNING);
	loop->event_n = n < 0 ? 0 : n;
	loop->now = mono_now();
}

static void dispatch(struct loop *loop)
{
	const uint32_t broken = EPOLLERR | EPOLLHUP;
	for (loop->event_at = 0; loop->event_at < loop->event_n;) {
		const struct epoll_event *event = &loop->events[loop->event_at++];
		struct loop_io *io = event->data.ptr;
		if (!io)
			continue;
		/* The interest may have changed since the event was fetched. */
		uint32_t events = event->events & (io->_events | broken);
		if (events)
			io->ready(io, (events & (EPOLLIN | broken)) != 0,
				  (events & EPOLLOUT) != 0);
	}
	loop->event_n = loop->event_at = 0;
}

struct mono loop_now(const struct loop *loop)
{
	return loop->now;
}

void loop_wake(struct loop *loop)
{
	if (atomic_exchange(&loop->sleep, WOKEN) != SLEEPING)
		return;
	uint64_t one = 1;
	ssize_t n = write(loop->wake_fd, &one, sizeof(one));
	CHECK(n == sizeof(one));
}

void loop_run(struct loop *loop, int64_t (*turn)(void *ctx), void *ctx)
{
	loop->stopped = false;
	loop->now = mono_now();
	int64_t ms = 0;
	while (!loop->stopped) {
		wait_for_events(loop, ms);
		dispatch(loop);
		run_timers(loop);
		ms = turn(ctx);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
