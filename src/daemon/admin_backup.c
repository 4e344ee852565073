/* lempctl backup: the copy is made on a thread of its own, while all else goes on. The name of the request is the
 * directory. */
#include "daemon/admin_private.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct backup { struct admin_job *job; pthread_t thread; char path[4096], why[512]; int err; };

static void backup_free(void *state)
{
	free(state);
}

static void backup_end(struct task *task, struct worker *none)
{
	struct admin_job *job = admin_job_of(task);
	struct backup *b = job->state;
	(void)none;
	pthread_join(b->thread, NULL);
	if (b->err)
		admin_refuse(job, "500", b->why);
	else
		admin_finish(job, json_pack("{sb ss}", "ok", 1, "backup", b->path));
}

static void *backup_run(void *ctx)
{
	struct backup *b = ctx;
	struct store *store = b->job->daemon->all.store;
	b->err = store->engine->backup(store, b->path, b->why, sizeof(b->why));
	admin_back(b->job, backup_end);
	return NULL;
}

void backup_begin(struct admin_job *job)
{
	struct backup *b = calloc(1, sizeof(*b));
	if (!job->daemon->all.store->engine->backup || job->name.n >= sizeof(b->path) || job->name.p[0] != '/') {
		free(b);
		admin_refuse(job, "400", job->daemon->all.store->engine->backup
						 ? "The directory must be told from the root on."
						 : "This storage keeps nothing that could be copied.");
		return;
	}
	CHECK(b);
	b->job = job;
	memcpy(b->path, job->name.p, job->name.n);
	job->state = b;
	job->free_state = backup_free;
	if (pthread_create(&b->thread, NULL, backup_run, b) != 0)
		admin_refuse(job, "500", "There are no resources for another thread.");
}
