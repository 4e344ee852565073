#include "base/inbox.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define PRODUCERS 4
#define EACH 20000

static void count_wake(void *ctx)
{
	atomic_fetch_add((_Atomic unsigned *)ctx, 1);
}

static void nodes_come_out_oldest_first_and_one_wake_up_serves_a_batch(void **state)
{
	struct inbox in;
	struct inbox_node nodes[3];
	_Atomic unsigned wakes = 0;
	(void)state;
	inbox_init(&in, count_wake, &wakes);
	assert_null(inbox_take(&in));
	for (uint32_t round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < 3; i++)
			inbox_push(&in, &nodes[i]);
		assert_int_equal(wakes, round);
		struct inbox_node *first = inbox_take(&in);
		assert_ptr_equal(first, &nodes[0]);
		assert_ptr_equal(first->next, &nodes[1]);
		assert_ptr_equal(first->next->next, &nodes[2]);
		assert_null(first->next->next->next);
	}
}

struct producer { pthread_t thread; struct inbox *in; struct inbox_node nodes[EACH]; };

static void *produce(void *ctx)
{
	struct producer *p = ctx;
	for (unsigned i = 0; i < EACH; i++)
		inbox_push(p->in, &p->nodes[i]);
	return NULL;
}

static void the_order_of_each_producer_holds_and_each_batch_wakes_once(void **state)
{
	static struct producer producers[PRODUCERS];
	struct inbox in;
	unsigned next[PRODUCERS] = { 0 }, total = 0, batches = 0;
	_Atomic unsigned wakes = 0;
	(void)state;
	inbox_init(&in, count_wake, &wakes);
	for (unsigned p = 0; p < PRODUCERS; p++) {
		producers[p].in = &in;
		for (unsigned i = 0; i < EACH; i++)
			producers[p].nodes[i].kind = p;
		assert_int_equal(pthread_create(&producers[p].thread, NULL, produce, &producers[p]), 0);
	}
	while (total < PRODUCERS * EACH) {
		struct inbox_node *node = inbox_take(&in);
		if (node)
			batches++;
		else
			sched_yield();
		for (; node; node = node->next, total++) {
			unsigned p = node->kind;
			assert_ptr_equal(node, &producers[p].nodes[next[p]]);
			next[p]++;
		}
	}
	for (unsigned p = 0; p < PRODUCERS; p++)
		pthread_join(producers[p].thread, NULL);
	assert_int_equal(wakes, batches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_come_out_oldest_first_and_one_wake_up_serves_a_batch),
		cmocka_unit_test(the_order_of_each_producer_holds_and_each_batch_wakes_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
