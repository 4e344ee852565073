#include "schedule.h"
#include "base/err.h"
#include <sys/timerfd.h>
#include <unistd.h>

int64_t schedule_due_ns(const struct schedule *s, uint64_t k)
{
	return s->_start_ns + (int64_t)((double)k * 1e9 / s->rate);
}

static void timer_set(struct schedule *s, bool on)
{
	struct itimerspec at = { 0 };
	if (on) {
		int64_t ns = schedule_due_ns(s, s->due);
		at.it_value.tv_sec = ns / NS_PER_S;
		at.it_value.tv_nsec = ns % NS_PER_S;
	}
	CHECK(timerfd_settime(s->_timer.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
}

static void timer_ready(struct loop_io *io, bool readable, bool writable)
{
	struct schedule *s = LIST_ENTRY(io, struct schedule, _timer);
	uint64_t times;
	(void)readable;
	(void)writable;
	ssize_t n = read(io->fd, &times, sizeof(times));
	(void)n; /* what is due is told by the clock */
	int64_t now = mono_now().ns;
	while (s->due < s->_end && schedule_due_ns(s, s->due) <= now) {
		uint64_t k = s->due++;
		s->fire(s->ctx, k);
	}
	timer_set(s, s->due < s->_end);
}

int schedule_open(struct schedule *s, struct loop *loop)
{
	s->_timer = (struct loop_io){ .ready = timer_ready };
	s->_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->_timer.fd < 0)
		return ERR_NOMEM;
	if (loop_add(loop, &s->_timer, true, false) == OK) {
		s->_loop = loop;
		return OK;
	}
	close(s->_timer.fd);
	return ERR_NOMEM;
}

void schedule_close(struct schedule *s)
{
	if (!s->_loop)
		return;
	loop_remove(s->_loop, &s->_timer);
	close(s->_timer.fd);
	s->_loop = NULL;
}

void schedule_start(struct schedule *s, int64_t start_ns, double rate, uint64_t end)
{
	s->_start_ns = start_ns;
	s->rate = rate;
	s->due = 0;
	s->_end = end;
	timer_set(s, end > 0);
}

void schedule_stop(struct schedule *s)
{
	s->_end = 0;
	timer_set(s, false);
}
