/* lempctl user add, del, token, list, show. */
#include "daemon/admin_private.h"
#include "store/txn.h"
#include <stdio.h>
#include <stdlib.h>

#define ROWS_BYTES_MAX ((size_t)16 << 20)

/* --- changes --- */

static void changed(struct task *task, struct worker *none)
{
	(void)none;
	admin_finish_refusal(admin_job_of(task));
}

/* On the worker. */
static void change_done(void *ctx, enum refusal refusal, struct str sentence)
{
	struct admin_job *job = ctx;
	job->refusal = refusal;
	snprintf(job->sentence, sizeof(job->sentence), "%.*s", (int)sentence.n, sentence.p ? sentence.p : "");
	admin_back(job, changed);
}

static void change(struct admin_job *job, struct worker *w, enum handlers_admin what)
{
	json_int_t type = -1;
	(void)json_unpack(job->request, "{s?I}", "type", &type);
	struct handlers_admin_job asked = {
		.what = what, .name = job->name, .token = job->token,
		.type = type == 0 || type == 1 ? (int)type : what == ADMIN_CREATE ? 0 : -1,
		.done = change_done, .ctx = job,
	};
	handlers_admin(w->chat, &asked);
}

static void add_at_home(struct task *task, struct worker *w)
{
	change(admin_job_of(task), w, ADMIN_CREATE);
}

static void del_at_home(struct task *task, struct worker *w)
{
	change(admin_job_of(task), w, ADMIN_DELETE);
}

static void token_at_home(struct task *task, struct worker *w)
{
	change(admin_job_of(task), w, ADMIN_CHANGE);
}

void users_add(struct admin_job *job)
{
	admin_at_home(job, add_at_home);
}

void users_del(struct admin_job *job)
{
	admin_at_home(job, del_at_home);
}

void users_token(struct admin_job *job)
{
	admin_at_home(job, token_at_home);
}

/* --- looking --- */

struct look {
	struct worker_read read;
	struct admin_job *job;
	void (*back)(struct task *task, struct worker *none);
	struct buf after;    /* list: the last name of the page before */
	struct buf sessions; /* show */
};

static void look_free(void *state)
{
	struct look *look = state;
	buf_deinit(&look->read.read.rows);
	buf_deinit(&look->after);
	buf_deinit(&look->sessions);
	free(look);
}

static struct look *look_new(struct admin_job *job, enum store_read_kind kind,
			     void (*back)(struct task *task, struct worker *none))
{
	struct look *look = calloc(1, sizeof(*look));
	CHECK(look);
	look->job = job;
	look->back = back;
	look->read.read.kind = kind;
	buf_init(&look->read.read.rows, ROWS_BYTES_MAX);
	buf_init(&look->after, ROWS_BYTES_MAX);
	buf_init(&look->sessions, ROWS_BYTES_MAX);
	job->state = look;
	job->free_state = look_free;
	return look;
}

/* On the worker. */
static void looked(struct worker_read *read, struct worker *w)
{
	struct look *look = LIST_ENTRY(read, struct look, read);
	if (look->read.read.kind == STORE_READ_NAME)
		sessions_gather(w, look->job->name, &look->sessions);
	admin_back(look->job, look->back);
}

static void look_at_worker(struct task *task, struct worker *w)
{
	struct look *look = admin_job_of(task)->state;
	look->read.done = looked;
	worker_read(w, &look->read);
}

static json_t *user_json(const struct store_name_row *row)
{
	json_t *last_seen = row->last_seen_ms < 0 ? json_null() : json_integer(row->last_seen_ms);
	return json_pack("{so ss so}", "name", admin_text(row->name), "type",
			 row->type == 1 ? "admin" : "user", "last_seen", last_seen);
}

static void list_ask(struct admin_job *job)
{
	struct look *look = job->state;
	struct str prefix = STR("");
	const char *p;
	size_t n;
	if (json_unpack(job->request, "{ss%}", "prefix", &p, &n) == 0)
		prefix = (struct str){ p, n };
	buf_clear(&look->read.read.rows);
	look->read.read.name = prefix;
	look->read.read.id = buf_view(&look->after);
	look->read.read.rows_max = ADMIN_PAGE_ROWS;
	admin_at(job, 0, look_at_worker);
}

static void list_page(struct task *task, struct worker *none)
{
	struct admin_job *job = admin_job_of(task);
	struct look *look = job->state;
	struct store_name_row row;
	size_t cursor = 0;
	(void)none;
	if (look->read.read.status != OK) {
		job->refusal = REFUSAL_UNAVAILABLE;
		admin_finish_refusal(job);
		return;
	}
	json_t *rows = json_array();
	while (store_name_row_next(buf_view(&look->read.read.rows), &cursor, &row) > 0) {
		if (row.kind == STORE_USER)
			json_array_append_new(rows, user_json(&row));
		buf_clear(&look->after);
		buf_str(&look->after, row.name);
	}
	admin_say(job, json_pack("{so}", "rows", rows));
	if (!look->read.read.more)
		admin_finish(job, json_pack("{sb}", "ok", 1));
	else if (job->client)
		job->go_on = list_ask;
	else
		admin_finish(job, json_null());
}

void users_list(struct admin_job *job)
{
	look_new(job, STORE_READ_NAMES, list_page);
	list_ask(job);
}

static void show_answer(struct task *task, struct worker *none)
{
	struct admin_job *job = admin_job_of(task);
	struct look *look = job->state;
	struct store_name_row row;
	size_t cursor = 0;
	(void)none;
	const struct store_read *read = &look->read.read;
	bool ok = read->status == OK;
	if (!ok || !read->found || store_name_row_next(buf_view(&read->rows), &cursor, &row) <= 0 ||
	    row.kind != STORE_USER) {
		job->refusal = ok ? REFUSAL_NOT_FOUND : REFUSAL_UNAVAILABLE;
		if (ok)
			snprintf(job->sentence, sizeof(job->sentence), "Not found: user '%.*s'.",
				 STR_ARG(job->name));
		admin_finish_refusal(job);
		return;
	}
	json_t *user = user_json(&row), *sessions = json_array(), *session;
	json_object_set_new(user, "messages", json_integer(row.mail_count));
	json_object_set_new(user, "message_bytes", json_integer((json_int_t)row.mail_bytes));
	cursor = 0;
	while ((session = sessions_next(buf_view(&look->sessions), &cursor)))
		json_array_append_new(sessions, session);
	json_object_set_new(user, "sessions", sessions);
	admin_finish(job, json_pack("{sb so}", "ok", 1, "user", user));
}

void users_show(struct admin_job *job)
{
	struct look *look = look_new(job, STORE_READ_NAME, show_answer);
	look->read.read.name = job->name;
	admin_at_home(job, look_at_worker);
}
