/* Requests of more than one step. A job holds a copy of its request and, if it is to change something,
 * keeps its name BUSY from the first step to the outcome: what it decides on cannot change meanwhile. */
#include "chat/core.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define JOB_READ_ROWS 4096
#define JOB_READ_BYTES ((size_t)1 << 20)
#define UNAVAILABLE_TEXT "Storage is unavailable, try again."

struct job *job_new(struct chat *chat)
{
	struct job *job = calloc(1, sizeof(*job));
	CHECK(job);
	job->id = ++chat->next_job;
	job->mark = NO_OP;
	buf_init(&job->bytes, (size_t)1 << 24);
	buf_init(&job->about, 1024);
	job->rows_max = CHAT_LIST_BYTES_MAX;
	buf_init(&job->rows, SIZE_MAX / 2);
	buf_init(&job->list, CHAT_LIST_BYTES_MAX * 2);
	map_init(&job->facts);
	list_append(&chat->jobs, &job->node);
	return job;
}

struct job *job_get(struct chat *chat, uint64_t id)
{
	LIST_EACH_SAFE(&chat->jobs, it, tmp)
		if (LIST_ENTRY(it, struct job, node)->id == id)
			return LIST_ENTRY(it, struct job, node);
	return NULL;
}

void job_free(struct job *job)
{
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(&job->facts, &cursor, &key, &value))
		free(value);
	map_deinit(&job->facts);
	list_remove(&job->node);
	deletion_free(job->deletion);
	buf_deinit(&job->bytes);
	buf_deinit(&job->about);
	buf_deinit(&job->rows);
	buf_deinit(&job->list);
	free(job);
}

struct job *job_begin(struct chat *chat, struct entity *e, const struct request *r, bool busy)
{
	struct job *job = job_new(chat);
	struct post post;
	size_t cursor = 0;
	post_put(&job->bytes, POST_REQUEST, r);
	CHECK(post_next(buf_view(&job->bytes), &cursor, &post));
	job->r = post.request;
	job->entity = e;
	job->busy = busy;
	entity_pin(chat, e);
	if (busy)
		entity_busy(e);
	return job;
}

void job_end(struct chat *chat, struct job *job)
{
	struct entity *e = job->entity;
	bool busy = job->busy;
	guard_end(chat, job);
	if (job->deletion)
		deletion_end(chat, job);
	job_free(job);
	if (!e)
		return;
	if (busy)
		entity_go_on(chat, e);
	entity_unpin(chat, e);
}

void job_done(struct chat *chat, struct job *job)
{
	request_reply(chat, &job->r, REFUSAL_NONE, STR_NONE);
	job_end(chat, job);
}

void job_refuse(struct chat *chat, struct job *job, enum refusal refusal, const char *fmt, ...)
{
	char sentence[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	request_reply(chat, &job->r, refusal, str_of(sentence));
	job_end(chat, job);
}

void job_respond(struct chat *chat, struct job *job, struct str text)
{
	if (text.n > CHAT_LIST_BYTES_MAX) {
		job_refuse(chat, job, REFUSAL_TOO_LONG, "The list is longer than 16 MiB.");
		return;
	}
	reply_send(chat, job->r.session, text);
	job_end(chat, job);
}

/* --- hashing --- */

void job_hash(struct chat *chat, struct job *job, struct str token,
	      void (*next)(struct chat *, struct job *))
{
	job->next = next;
	chat->env->hash(chat->env->ctx, job->id, token);
}

void chat_hashed(struct chat *chat, uint64_t id, struct str hash)
{
	struct job *job = job_get(chat, id);
	CHECK(job && job->next);
	job->hash = hash;
	if (hash.p)
		job->next(chat, job);
	else
		job_refuse(chat, job, REFUSAL_UNAVAILABLE, "Too busy, try again.");
}

/* --- reading --- */

static struct lookup *job_lookup(struct chat *chat, struct job *job, enum store_read_kind kind)
{
	struct lookup *l = lookup_new(chat, LOOKUP_JOB, kind, job->entity);
	l->session = job->id;
	l->read.rows_max = JOB_READ_ROWS;
	l->read.bytes_max = JOB_READ_BYTES;
	return l;
}

void job_read_links(struct chat *chat, struct job *job, enum store_link link, enum store_side side,
		    void (*next)(struct chat *, struct job *))
{
	struct lookup *l = job_lookup(chat, job, STORE_READ_LINKS);
	job->next = next;
	buf_clear(&job->rows);
	l->read.link = (uint8_t)link;
	l->read.side = (uint8_t)side;
	l->read.id = STR("");
	lookup_start(chat, l);
}

void job_read_text(struct chat *chat, struct job *job, enum store_text what,
		   void (*next)(struct chat *, struct job *))
{
	struct lookup *l = job_lookup(chat, job, STORE_READ_TEXT);
	job->next = next;
	buf_clear(&job->rows);
	l->read.what = (uint8_t)what;
	lookup_start(chat, l);
}

/* The next page, after the last name of this one. 0, or ERR_CORRUPT. */
static int job_read_on(struct chat *chat, struct job *job, const struct store_read *read)
{
	struct lookup *l = job_lookup(chat, job, STORE_READ_LINKS);
	struct store_link_row row = { 0 };
	size_t cursor = 0;
	int r;
	while ((r = store_link_row_next(buf_view(&read->rows), &cursor, &row)) == 1)
		;
	buf_str(&l->post, row.other);
	l->read.link = read->link;
	l->read.side = read->side;
	l->read.id = buf_view(&l->post);
	if (r < 0)
		lookup_free(chat, l);
	else
		lookup_start(chat, l);
	return r;
}

void job_read_back(struct chat *chat, struct lookup *l)
{
	struct job *job = job_get(chat, l->session);
	int status = l->read.status;
	CHECK(job);
	buf_str(&job->rows, buf_view(&l->read.rows));
	if (status == OK && l->read.more && job->rows.n <= job->rows_max) {
		status = job_read_on(chat, job, &l->read);
		if (status == OK)
			return;
	}
	if (status != OK)
		job_refuse(chat, job, REFUSAL_UNAVAILABLE, UNAVAILABLE_TEXT);
	else if (job->rows.n > job->rows_max)
		job_refuse(chat, job, REFUSAL_TOO_LONG, "The list is longer than 16 MiB.");
	else
		job->next(chat, job);
}

/* --- the change --- */

struct buf *job_change(struct chat *chat, struct job *job)
{
	struct buf *ops = &commit_open(chat)->batch.ops;
	CHECK(job->mark == NO_OP && (job->busy || !job->entity));
	job->op = ops->n;
	job->mark = txn_begin(ops);
	return ops;
}

void job_commit(struct chat *chat, struct job *job)
{
	txn_end(&chat->open->batch.ops, job->mark);
	struct effect *effect = commit_effect(chat, EFFECT_JOB, job->entity);
	effect->op = job->op;
	effect->job = job->id;
}

/* An owner's home knows of his broadcasts before he hears that one is there. */
static void job_tell_owner(struct chat *chat, const struct entity *e, const struct store_op *op)
{
	struct own own = { 0, STR(""), STR("") };
	if (op->type == OP_LINK_PUT && op->link_put.kind == LINK_OWN)
		own = (struct own){ 1, op->link_put.from, op->link_put.to };
	else if (op->type == OP_NAME_DEL && e && e->kind == STORE_BROADCAST)
		own = (struct own){ 0, e->group->owner, e->name };
	if (own.owner.n)
		chat_tell(chat, chat_home(own.owner, chat->workers), POST_OWN, &own);
}

/* Memory follows an op of a durable transaction as far as it is about e. */
static void job_apply(struct chat *chat, struct entity *e, const struct store_op *op)
{
	job_tell_owner(chat, e, op);
	if (op->type == OP_FANOUT)
		fanout_start(chat, &op->fanout);
	else if (e)
		entity_apply(chat, e, op);
}

void job_committed(struct chat *chat, uint64_t id, struct str ops, bool ok)
{
	struct job *job = job_get(chat, id);
	struct store_op op;
	size_t cursor = 0;
	int r = 0;
	CHECK(job);
	if (job->applied) {
		job->applied(chat, job, ok);
		return;
	}
	while (ok && (r = store_op_next(ops, &cursor, &op)) == 1)
		job_apply(chat, job->entity, &op);
	CHECK(r == 0);
	if (ok)
		job_done(chat, job);
	else
		job_refuse(chat, job, REFUSAL_UNAVAILABLE, UNAVAILABLE_TEXT);
}
