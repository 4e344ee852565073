#include "base/inbox.h"
#include <stddef.h>

/* A stack that producers push to and the consumer takes whole and turns round. */

void inbox_init(struct inbox *in, void (*wake)(void *ctx), void *wake_ctx)
{
	atomic_init(&in->_head, NULL);
	in->wake = wake;
	in->wake_ctx = wake_ctx;
}

void inbox_push(struct inbox *in, struct inbox_node *node)
{
	struct inbox_node *head = atomic_load_explicit(&in->_head, memory_order_relaxed);
	do
		node->next = head;
	while (!atomic_compare_exchange_weak_explicit(&in->_head, &head, node, memory_order_release,
						      memory_order_relaxed));
	if (!head && in->wake)
		in->wake(in->wake_ctx);
}

struct inbox_node *inbox_take(struct inbox *in)
{
	struct inbox_node *node = atomic_exchange_explicit(&in->_head, NULL, memory_order_acquire);
	struct inbox_node *oldest = NULL;
	while (node) {
		struct inbox_node *next = node->next;
		node->next = oldest;
		oldest = node;
		node = next;
	}
	return oldest;
}
