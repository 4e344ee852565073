/* Many producers, one consumer: how threads speak to each other. Nothing is allocated here,
 * nodes are embedded in what is sent. Nodes of one producer come out in the order it pushed
 * them; between producers no order is promised. The consumer is woken once per batch: only
 * the push that finds the inbox empty calls `wake`. Unbounded by itself: who pushes has a
 * bound of its own (credits of sessions, batches in flight). */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct inbox_node {
	struct inbox_node *next;
	uint32_t kind; /* for the consumer's dispatch; the inbox does not read it */
};

struct inbox {
	_Atomic(struct inbox_node *) _head;
	void (*wake)(void *ctx); /* any thread may call it; may be NULL (the consumer polls) */
	void *wake_ctx;
};

void inbox_init(struct inbox *in, void (*wake)(void *ctx), void *wake_ctx);
void inbox_push(struct inbox *in, struct inbox_node *node);
/* Takes all there is, oldest first, linked by `next`; NULL if empty. Consumer only. */
struct inbox_node *inbox_take(struct inbox *in);
