/* lempctl session list and kick, and stats. */
#include "daemon/admin_private.h"
#include <stdio.h>
#include <stdlib.h>

#define GATHERED_BYTES_MAX ((size_t)256 << 20)

/* One session on its way to main; its user and address stand behind. */
struct gathered { int64_t since_ns; uint32_t unacknowledged, user_n, address_n; };

struct gathering { struct str user; struct buf *out; };

static void gather_one(void *ctx, const struct chat_session_info *info)
{
	const struct gathering *g = ctx;
	struct gathered head = { info->since.ns, info->unacknowledged, (uint32_t)info->user.n,
				 (uint32_t)info->address.n };
	size_t n = sizeof(head) + info->user.n + info->address.n;
	if ((g->user.p && !str_eq(g->user, info->user)) || n > g->out->max - g->out->n)
		return;
	buf_add(g->out, &head, sizeof(head));
	buf_str(g->out, info->user);
	buf_str(g->out, info->address);
}

void sessions_gather(struct worker *w, struct str user, struct buf *out)
{
	struct gathering g = { user, out };
	chat_each_session(w->chat, gather_one, &g);
}

json_t *sessions_next(struct str gathered, size_t *cursor)
{
	struct gathered head;
	if (*cursor == gathered.n)
		return NULL;
	memcpy(&head, gathered.p + *cursor, sizeof(head));
	struct str user = { gathered.p + *cursor + sizeof(head), head.user_n };
	struct str address = { user.p + user.n, head.address_n };
	*cursor += sizeof(head) + user.n + address.n;
	int64_t age_s = (mono_now().ns - head.since_ns) / NS_PER_S;
	return json_pack("{so so sI sI}", "user", admin_text(user), "address", admin_text(address), "age_s",
			 (json_int_t)age_s, "unacknowledged", (json_int_t)head.unacknowledged);
}

/* --- session list: from worker to worker, then page by page --- */

struct list_state { struct buf gathered; size_t cursor; };

static void list_free(void *state)
{
	struct list_state *list = state;
	buf_deinit(&list->gathered);
	free(list);
}

static void list_page(struct admin_job *job)
{
	struct list_state *list = job->state;
	json_t *rows = json_array(), *row;
	while (json_array_size(rows) < ADMIN_PAGE_ROWS &&
	       (row = sessions_next(buf_view(&list->gathered), &list->cursor)))
		json_array_append_new(rows, row);
	admin_say(job, json_pack("{so}", "rows", rows));
	if (list->cursor == list->gathered.n || !job->client)
		admin_finish(job, json_pack("{sb}", "ok", 1));
	else
		job->go_on = list_page;
}

static void list_gathered(struct task *task, struct worker *none)
{
	(void)none;
	list_page(admin_job_of(task));
}

static void list_at_worker(struct task *task, struct worker *w)
{
	struct admin_job *job = admin_job_of(task);
	struct list_state *list = job->state;
	sessions_gather(w, STR_NONE, &list->gathered);
	if (w->index + 1 < w->all->n)
		admin_at(job, w->index + 1, list_at_worker);
	else
		admin_back(job, list_gathered);
}

void sessions_list(struct admin_job *job)
{
	struct list_state *list = calloc(1, sizeof(*list));
	CHECK(list);
	buf_init(&list->gathered, GATHERED_BYTES_MAX);
	job->state = list;
	job->free_state = list_free;
	admin_at(job, 0, list_at_worker);
}

/* --- session kick --- */

static void kicked(struct task *task, struct worker *none)
{
	(void)none;
	admin_finish_refusal(admin_job_of(task));
}

static void kick_at_home(struct task *task, struct worker *w)
{
	struct admin_job *job = admin_job_of(task);
	if (chat_kick(w->chat, job->name) == 0) {
		job->refusal = REFUSAL_NOT_FOUND;
		snprintf(job->sentence, sizeof(job->sentence), "Not found: session of '%.*s'.",
			 STR_ARG(job->name));
	}
	admin_back(job, kicked);
}

void sessions_kick(struct admin_job *job)
{
	admin_at_home(job, kick_at_home);
}

/* --- stats --- */

void sessions_stats(struct admin_job *job)
{
	const struct daemon *d = job->daemon;
	json_t *metrics = json_object();
	for (enum metric m = 0; m < METRIC_COUNT; m++)
		json_object_set_new(metrics, metric_rows[m].name,
				    json_integer(metric_sum(d->all.sets, d->all.set_n, m)));
	admin_finish(job, json_pack("{sb ss sI sI so}", "ok", 1, "version", LEMP_VERSION, "uptime_s",
				    (json_int_t)(mono_diff_ms(d->since, mono_now()) / 1000), "threads",
				    (json_int_t)d->all.n, "metrics", metrics));
}
