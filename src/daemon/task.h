/* Something to run on another thread: pushed to the inbox of a worker or of main, which calls `run`
 * there with its own context (struct worker *, or NULL on main). Whoever runs it owns it. */
#pragma once
#include "base/inbox.h"

/* Beside the kinds of store.h and chat.h. */
enum { INBOX_TASK = 16 };

struct worker;
struct task {
	struct inbox_node node;
	void (*run)(struct task *task, struct worker *worker);
};

static inline void task_push(struct inbox *to, struct task *task,
			     void (*run)(struct task *task, struct worker *worker))
{
	task->node.kind = INBOX_TASK;
	task->run = run;
	inbox_push(to, &task->node);
}
