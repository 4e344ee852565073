#include "base/list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct item { int value; struct list node; };

static void items_stand_in_the_order_they_were_appended(void **state)
{
	struct list head;
	struct item items[4];
	int next = 0;
	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	for (int i = 0; i < 4; i++) {
		items[i].value = i;
		list_append(&head, &items[i].node);
	}
	assert_false(list_empty(&head));
	LIST_EACH_SAFE(&head, it, tmp)
		assert_int_equal(LIST_ENTRY(it, struct item, node)->value, next++);
	assert_int_equal(next, 4);
}

static void items_may_be_removed_while_walking_and_are_alone_then(void **state)
{
	struct list head;
	struct item items[4];
	(void)state;
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		items[i].value = i;
		list_append(&head, &items[i].node);
	}
	LIST_EACH_SAFE(&head, it, tmp)
		if (LIST_ENTRY(it, struct item, node)->value % 2 == 0)
			list_remove(it);
	assert_true(list_alone(&items[0].node));
	assert_false(list_alone(&items[1].node));
	assert_ptr_equal(head.next, &items[1].node);
	assert_ptr_equal(head.next->next, &items[3].node);
	assert_ptr_equal(head.prev, &items[3].node);
	list_remove(&items[0].node); /* once more does no harm */
	list_remove(&items[1].node);
	list_remove(&items[3].node);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_stand_in_the_order_they_were_appended),
		cmocka_unit_test(items_may_be_removed_while_walking_and_are_alone_then),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
