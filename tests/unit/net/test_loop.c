#include "net/loop.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* One loop with what its callbacks note down. */
struct world {
	struct loop *loop;
	char notes[512];
	unsigned turns, turns_max;
	int64_t sleep_ms; /* what the turn asks for */
};

struct watched {
	struct loop_io io; /* first, so that ready finds the rest */
	struct world *world;
	struct watched *remove; /* what its ready removes */
	bool change;            /* or stops reading */
	char name;
};

static void note(struct world *w, char c)
{
	size_t n = strlen(w->notes);
	assert_true(n + 1 < sizeof(w->notes));
	w->notes[n] = c;
}

static int64_t turn(void *ctx)
{
	struct world *w = ctx;
	if (++w->turns >= w->turns_max)
		loop_stop(w->loop);
	return w->sleep_ms;
}

static void run(struct world *w, unsigned turns, int64_t sleep_ms)
{
	w->turns = 0;
	w->turns_max = turns;
	w->sleep_ms = sleep_ms;
	loop_run(w->loop, turn, w);
}

static void ready(struct loop_io *io, bool readable, bool writable)
{
	struct watched *watched = (struct watched *)io;
	struct world *w = watched->world;
	if (readable)
		note(w, watched->name);
	if (writable)
		note(w, 'w');
	if (watched->remove)
		loop_remove(w->loop, &watched->remove->io);
	if (watched->change)
		loop_change(w->loop, io, false, false);
	watched->remove = NULL;
}

static void watch(struct world *w, struct watched *watched, char name, int fd, bool read, bool write)
{
	*watched = (struct watched){ .io = { .fd = fd, .ready = ready }, .world = w, .name = name };
	assert_int_equal(loop_add(w->loop, &watched->io, read, write), 0);
}

static void open_world(struct world *w)
{
	*w = (struct world){ .loop = loop_create() };
	assert_non_null(w->loop);
}

static void what_is_ready_is_called_till_it_is_removed(void **state)
{
	(void)state;
	struct world w;
	struct watched a;
	open_world(&w);
	int fd = eventfd(1, EFD_NONBLOCK);
	watch(&w, &a, 'a', fd, true, false);
	run(&w, 3, 0);
	assert_string_equal(w.notes, "aaa");
	loop_remove(w.loop, &a.io);
	run(&w, 3, 0);
	assert_string_equal(w.notes, "aaa");
	close(fd);
	loop_destroy(&w.loop);
	assert_null(w.loop);
}

static void only_what_is_asked_for_is_told(void **state)
{
	(void)state;
	struct world w;
	struct watched a;
	open_world(&w);
	int fd = eventfd(1, EFD_NONBLOCK);
	watch(&w, &a, 'a', fd, false, true);
	run(&w, 1, 0);
	assert_string_equal(w.notes, "w");
	loop_change(w.loop, &a.io, true, true);
	run(&w, 1, 0);
	assert_string_equal(w.notes, "waw");
	loop_change(w.loop, &a.io, false, false);
	run(&w, 2, 0);
	assert_string_equal(w.notes, "waw");
	close(fd);
	loop_destroy(&w.loop);
}

static void one_removed_by_another_in_the_same_turn_is_not_called(void **state)
{
	(void)state;
	struct world w;
	struct watched pair[2];
	open_world(&w);
	int first = eventfd(1, EFD_NONBLOCK), second = eventfd(1, EFD_NONBLOCK);
	watch(&w, &pair[0], 'a', first, true, false);
	watch(&w, &pair[1], 'b', second, true, false);
	pair[0].remove = &pair[1]; /* whichever comes first takes the other out */
	pair[1].remove = &pair[0];
	run(&w, 1, 0);
	assert_int_equal(strlen(w.notes), 1);
	close(first);
	close(second);
	loop_destroy(&w.loop);
}

static void one_may_remove_itself(void **state)
{
	(void)state;
	struct world w;
	struct watched a;
	open_world(&w);
	int fd = eventfd(1, EFD_NONBLOCK);
	watch(&w, &a, 'a', fd, true, false);
	a.remove = &a;
	run(&w, 3, 0);
	assert_string_equal(w.notes, "a");
	close(fd);
	loop_destroy(&w.loop);
}

static void a_hang_up_is_told_as_readable_whatever_was_asked_for(void **state)
{
	(void)state;
	struct world w;
	struct watched a;
	int pair[2];
	open_world(&w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	watch(&w, &a, 'a', pair[0], false, false);
	run(&w, 1, 0);
	assert_string_equal(w.notes, "");
	close(pair[1]);
	run(&w, 1, 0);
	assert_string_equal(w.notes, "a");
	close(pair[0]);
	loop_destroy(&w.loop);
}

static void all_are_called_even_when_more_are_ready_than_epoll_gives_at_once(void **state)
{
	(void)state;
	enum { MANY = 600 };
	static struct watched many[MANY];
	struct world w;
	open_world(&w);
	int fd = eventfd(1, EFD_NONBLOCK);
	for (int i = 0; i < MANY; i++) {
		watch(&w, &many[i], 'a', dup(fd), true, false);
		many[i].remove = &many[i];
	}
	for (unsigned removed = 0; removed < MANY; removed += (unsigned)strlen(w.notes)) {
		memset(w.notes, 0, sizeof(w.notes));
		run(&w, 1, -1); /* would sleep for ever if one were missed */
	}
	for (int i = 0; i < MANY; i++)
		close(many[i].io.fd);
	close(fd);
	loop_destroy(&w.loop);
}

struct alarm {
	struct loop_timer timer; /* first */
	struct world *world;
	struct loop_timers *again; /* starts itself anew there */
	struct alarm *stop;
	char name;
};

static void expired(struct loop_timer *timer, void *ctx)
{
	struct world *w = ctx;
	struct alarm *alarm = (struct alarm *)timer;
	note(w, alarm->name);
	if (alarm->stop)
		loop_timer_stop(&alarm->stop->timer);
	if (alarm->again)
		loop_timer_start(w->loop, alarm->again, timer);
}

static void start(struct world *w, struct loop_timers *queue, struct alarm *alarm, char name)
{
	*alarm = (struct alarm){ .world = w, .name = name };
	loop_timer_init(&alarm->timer);
	loop_timer_start(w->loop, queue, &alarm->timer);
}

/* Turns until the notes are as long as `n`. */
static int64_t turn_until(void *ctx)
{
	struct world *w = ctx;
	if (strlen(w->notes) >= w->turns_max)
		loop_stop(w->loop);
	return -1;
}

static void run_until_notes(struct world *w, unsigned n)
{
	w->turns_max = n;
	loop_run(w->loop, turn_until, w);
}

static void timers_expire_in_the_order_of_their_deadlines(void **state)
{
	(void)state;
	struct world w;
	struct loop_timers fast, slow;
	struct alarm a, b, c, d;
	open_world(&w);
	loop_timers_init(w.loop, &slow, 30, expired, &w);
	loop_timers_init(w.loop, &fast, 10, expired, &w);
	start(&w, &slow, &a, 'a');
	start(&w, &slow, &b, 'b');
	start(&w, &fast, &c, 'c');
	start(&w, &fast, &d, 'd');
	loop_timer_start(w.loop, &fast, &c.timer); /* anew: behind d */
	struct mono begin = mono_now();
	run_until_notes(&w, 4);
	assert_string_equal(w.notes, "dcab");
	assert_true(mono_diff_ms(begin, mono_now()) >= 29);
	loop_timers_deinit(&fast);
	loop_timers_deinit(&slow);
	loop_destroy(&w.loop);
}

static void a_stopped_timer_does_not_expire_even_when_it_is_due(void **state)
{
	(void)state;
	struct world w;
	struct loop_timers queue;
	struct alarm a, b, c;
	open_world(&w);
	loop_timers_init(w.loop, &queue, 1, expired, &w);
	start(&w, &queue, &a, 'a');
	start(&w, &queue, &b, 'b');
	start(&w, &queue, &c, 'c');
	a.stop = &b; /* due in the same turn */
	run_until_notes(&w, 2);
	assert_string_equal(w.notes, "ac");
	loop_timer_stop(&b.timer); /* also if it does not run */
	loop_destroy(&w.loop);
}

static void a_timer_that_starts_itself_anew_expires_once_a_turn(void **state)
{
	(void)state;
	struct world w;
	struct loop_timers queue;
	struct alarm a;
	open_world(&w);
	loop_timers_init(w.loop, &queue, 0, expired, &w);
	start(&w, &queue, &a, 'a');
	a.again = &queue;
	run(&w, 5, 0);
	assert_string_equal(w.notes, "aaaaa");
	loop_timer_stop(&a.timer);
	loop_destroy(&w.loop);
}

static int64_t turn_wake_self(void *ctx)
{
	struct world *w = ctx;
	if (++w->turns == 1)
		for (int i = 0; i < 1000; i++)
			loop_wake(w->loop);
	if (strlen(w->notes) > 0)
		loop_stop(w->loop);
	return -1;
}

static void many_wakes_make_one_turn(void **state)
{
	(void)state;
	struct world w;
	struct loop_timers queue;
	struct alarm a;
	open_world(&w);
	loop_timers_init(w.loop, &queue, 20, expired, &w);
	start(&w, &queue, &a, 'a');
	loop_run(w.loop, turn_wake_self, &w);
	assert_int_equal(w.turns, 3); /* the first, that of the wakes, that of the timer */
	loop_destroy(&w.loop);
}

struct waker { struct world *world; _Atomic unsigned asked, seen; };

static int64_t turn_answer(void *ctx)
{
	struct waker *waker = ctx;
	atomic_store(&waker->seen, atomic_load(&waker->asked));
	if (atomic_load(&waker->seen) == 2000)
		loop_stop(waker->world->loop);
	return -1; /* sleeps until it is woken: a lost wake would hang the test */
}

static void *wake_many_times(void *ctx)
{
	struct waker *waker = ctx;
	for (unsigned i = 1; i <= 2000; i++) {
		atomic_store(&waker->asked, i);
		loop_wake(waker->world->loop);
		if (i % 16 == 0)
			while (atomic_load(&waker->seen) < i)
				;
	}
	return NULL;
}

static void no_wake_of_another_thread_is_lost(void **state)
{
	(void)state;
	struct world w;
	pthread_t thread;
	open_world(&w);
	struct waker waker = { .world = &w };
	assert_int_equal(pthread_create(&thread, NULL, wake_many_times, &waker), 0);
	loop_run(w.loop, turn_answer, &waker);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&waker.seen), 2000);
	loop_destroy(&w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ready_is_called_till_it_is_removed),
		cmocka_unit_test(only_what_is_asked_for_is_told),
		cmocka_unit_test(one_removed_by_another_in_the_same_turn_is_not_called),
		cmocka_unit_test(one_may_remove_itself),
		cmocka_unit_test(a_hang_up_is_told_as_readable_whatever_was_asked_for),
		cmocka_unit_test(all_are_called_even_when_more_are_ready_than_epoll_gives_at_once),
		cmocka_unit_test(timers_expire_in_the_order_of_their_deadlines),
		cmocka_unit_test(a_stopped_timer_does_not_expire_even_when_it_is_due),
		cmocka_unit_test(a_timer_that_starts_itself_anew_expires_once_a_turn),
		cmocka_unit_test(many_wakes_make_one_turn),
		cmocka_unit_test(no_wake_of_another_thread_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
