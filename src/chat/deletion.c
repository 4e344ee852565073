/* The end of a user (protocol.md section 11) in one transaction, so that it happens whole or not at all:
 *
 *   1. nobody guards him any more, and nobody new does (guard.c)
 *   2. what he is in is read: groups, lists of broadcasts, his own broadcasts, who blocks and follows him
 *   3. one after the other, in the order of their names, those are frozen at their homes, each saying
 *      what it means there (as by `l`); two deletions never wait for each other so
 *   4. all of it and the user's own end are written; then everybody goes on */
#include "chat/core.h"
#include <stdlib.h>

struct frozen_at { uint32_t worker; uint64_t freeze; };

struct deletion {
	struct buf places;      /* list of names: groups, broadcasts */
	struct str *sorted;     /* of those, views */
	size_t n, asked, answered; /* how many; of those, asked to freeze */
	bool asking, failed;
	struct buf own;         /* list: broadcasts that are his */
	struct buf blockers;    /* list */
	struct buf frozen;      /* struct frozen_at, one each */
	struct buf ops;
	unsigned reads;         /* done */
	bool ok;                /* it is durable */
};

/* What is read, in this order. */
static const struct { enum store_link link; enum store_side side; } deletion_reads[] = {
	{ LINK_MEMBER, SIDE_OF }, { LINK_LISTED, SIDE_OF }, { LINK_OWN, SIDE_OF }, { LINK_BLOCK, SIDE_TO },
	{ LINK_FOLLOW, SIDE_TO }, /* last: stays in job->rows */
};
#define DELETION_READS (sizeof(deletion_reads) / sizeof(deletion_reads[0]))
#define DELETION_BYTES_MAX ((size_t)1 << 30)

void deletion_free(struct deletion *d)
{
	if (!d)
		return;
	buf_deinit(&d->places);
	buf_deinit(&d->own);
	buf_deinit(&d->blockers);
	buf_deinit(&d->frozen);
	buf_deinit(&d->ops);
	free(d->sorted);
	free(d);
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void deletion_sort(struct deletion *d)
{
	size_t cursor = 0;
	d->n = strs_count(buf_view(&d->places));
	d->sorted = calloc(d->n + 1, sizeof(struct str));
	CHECK(d->sorted);
	for (size_t i = 0; i < d->n; i++)
		CHECK(strs_next(buf_view(&d->places), &cursor, &d->sorted[i]) == 1);
	qsort(d->sorted, d->n, sizeof(struct str), by_name);
}

static bool deletion_owns(const struct deletion *d, struct str name)
{
	struct str own;
	size_t cursor = 0;
	while (strs_next(buf_view(&d->own), &cursor, &own) == 1)
		if (str_eq(own, name))
			return true;
	return false;
}

void deletion_end(struct chat *chat, struct job *job)
{
	struct deletion *d = job->deletion;
	struct frozen_at at;
	job->entity->deleting = job->entity->doomed = false;
	for (size_t i = 0; i + sizeof(at) <= d->frozen.n; i += sizeof(at)) {
		memcpy(&at, d->frozen.p + i, sizeof(at));
		struct thaw thaw = { at.freeze, d->ok };
		chat_tell(chat, at.worker, POST_THAW, &thaw);
	}
}

/* Those who block him have him in memory, perhaps. */
static void deletion_tell_blockers(struct chat *chat, struct job *job)
{
	struct str name;
	size_t cursor = 0;
	fanout_begin(chat);
	while (strs_next(buf_view(&job->deletion->blockers), &cursor, &name) == 1)
		fanout_to(chat, name);
	for (unsigned w = 0; w < chat->workers; w++) {
		struct forget forget = { job->entity->user.born, job->entity->name,
					 buf_view(&chat->spread[w]) };
		if (forget.blockers.n)
			chat_tell(chat, w, POST_FORGET, &forget);
	}
}

void deletion_forget(struct chat *chat, const struct forget *f)
{
	struct forget one = { f->born, f->user, STR("") };
	struct str name;
	size_t cursor = 0;
	while (strs_next(f->blockers, &cursor, &name) == 1) {
		struct entity *e = map_get(&chat->entities, name);
		if (e && e->state == ENTITY_LOADING) /* what is being read may be older */
			entity_wait(chat, e, POST_FORGET, &one);
		else if (e)
			entity_forget_block(e, &one);
	}
}

static void deletion_applied(struct chat *chat, struct job *job, bool ok)
{
	struct entity *e = job->entity;
	struct store_op op = { .type = OP_NAME_DEL, .name_del = { e->name } };
	bool online = e->user.told_online;
	job->deletion->ok = ok;
	if (!ok) {
		job_refuse(chat, job, REFUSAL_UNAVAILABLE, "Storage is unavailable, try again.");
		return;
	}
	entity_apply(chat, e, &op);
	deletion_tell_blockers(chat, job);
	if (online) /* job->rows: his followers, read last */
		presence_tell(chat, e, false, buf_view(&job->rows));
	job_done(chat, job);
}

static void deletion_write(struct chat *chat, struct job *job)
{
	struct buf *ops = job_change(chat, job);
	struct store_op op = { .type = OP_NAME_DEL, .name_del = { job->entity->name } };
	CHECK(!job->deletion->ops.failed);
	buf_str(ops, buf_view(&job->deletion->ops));
	txn_add(ops, &op);
	job->applied = deletion_applied;
	job->entity->doomed = true;
	job_commit(chat, job);
}

static void deletion_freeze_one(struct chat *chat, struct job *job, struct str name)
{
	struct freeze freeze = { job->id, chat->worker, deletion_owns(job->deletion, name),
				 job->entity->name, name };
	chat_tell(chat, chat_home(name, chat->workers), POST_FREEZE, &freeze);
}

/* One after the other. Those whose home is here answer at once: hence the loop. */
static void deletion_freeze_all(struct chat *chat, struct job *job)
{
	struct deletion *d = job->deletion;
	if (d->asking)
		return;
	d->asking = true;
	while (d->answered == d->asked && d->asked < d->n && !d->failed)
		deletion_freeze_one(chat, job, d->sorted[d->asked++]);
	d->asking = false;
	if (d->answered < d->asked)
		return;
	if (d->failed)
		job_refuse(chat, job, REFUSAL_UNAVAILABLE, "Storage is unavailable, try again.");
	else
		deletion_write(chat, job);
}

void deletion_frozen(struct chat *chat, const struct frozen *f)
{
	struct job *job = job_get(chat, f->job);
	CHECK(job && job->deletion && job->deletion->answered < job->deletion->asked);
	struct deletion *d = job->deletion;
	if (f->freeze) {
		struct frozen_at at = { chat_home(d->sorted[d->answered], chat->workers), f->freeze };
		buf_add(&d->frozen, &at, sizeof(at));
		buf_str(&d->ops, f->ops);
	}
	d->failed |= f->failed;
	d->answered++;
	deletion_freeze_all(chat, job);
}

static void deletion_step(struct chat *chat, struct job *job);

static void deletion_read(struct chat *chat, struct job *job)
{
	struct deletion *d = job->deletion;
	job_read_links(chat, job, deletion_reads[d->reads].link, deletion_reads[d->reads].side, deletion_step);
}

static void deletion_step(struct chat *chat, struct job *job)
{
	struct deletion *d = job->deletion;
	struct store_link_row row;
	size_t cursor = 0;
	while (d->reads < DELETION_READS - 1 &&
	       store_link_row_next(buf_view(&job->rows), &cursor, &row) == 1) {
		strs_add(row.kind == LINK_BLOCK ? &d->blockers : &d->places, row.other);
		if (row.kind == LINK_OWN)
			strs_add(&d->own, row.other);
	}
	if (++d->reads < DELETION_READS) {
		deletion_read(chat, job);
		return;
	}
	deletion_sort(d);
	deletion_freeze_all(chat, job);
}

void deletion_unguarded(struct chat *chat, struct job *job)
{
	deletion_read(chat, job);
}

void deletion_begin(struct chat *chat, struct job *job)
{
	struct deletion *d = calloc(1, sizeof(*d));
	CHECK(d);
	buf_init(&d->places, DELETION_BYTES_MAX);
	buf_init(&d->own, DELETION_BYTES_MAX);
	buf_init(&d->blockers, DELETION_BYTES_MAX);
	buf_init(&d->frozen, DELETION_BYTES_MAX);
	buf_init(&d->ops, DELETION_BYTES_MAX);
	job->deletion = d;
	job->rows_max = DELETION_BYTES_MAX;
	job->entity->deleting = true;
	if (job->entity->guards)
		job->entity->unguarded = job;
	else
		deletion_unguarded(chat, job);
}

/* --- at the home of a group or broadcast --- */

void deletion_unreadable(struct chat *chat, const struct freeze *f)
{
	struct frozen frozen = { .job = f->job, .failed = 1, .ops = STR("") };
	chat_tell(chat, f->worker, POST_FROZEN, &frozen);
}

/* All that the group or broadcast sent before is durable, or not. */
static void deletion_freeze_now(struct chat *chat, struct job *job, bool ok)
{
	struct post post;
	size_t cursor = 0;
	CHECK(post_next(buf_view(&job->rows), &cursor, &post) && post.kind == POST_FREEZE);
	if (!ok) {
		deletion_unreadable(chat, &post.freeze);
		job_end(chat, job);
		return;
	}
	if (post.freeze.end)
		group_end_op(&job->list, job->entity);
	else
		group_leave(chat, &job->list, job->entity, post.freeze.user);
	struct frozen frozen = { .job = post.freeze.job, .freeze = job->id, .ops = buf_view(&job->list) };
	chat_tell(chat, post.freeze.worker, POST_FROZEN, &frozen);
}

/* The transaction is written at the home of the user, perhaps earlier than what this core still has under
 * way to the store; but information must not be durable before what was sent before it. */
void deletion_freeze(struct chat *chat, struct entity *e, const struct freeze *f)
{
	struct frozen gone = { .job = f->job, .ops = STR("") };
	struct request none = { .about = e->name };
	bool is_in = e->group && (group_find(e->group, f->user) ||
				  (f->end && str_eq(e->group->owner, f->user)));
	if (!is_in) {
		chat_tell(chat, f->worker, POST_FROZEN, &gone);
		return;
	}
	struct job *job = job_begin(chat, e, &none, true);
	post_put(&job->rows, POST_FREEZE, f);
	if (!e->effects) {
		deletion_freeze_now(chat, job, true);
		return;
	}
	job->applied = deletion_freeze_now;
	(void)job_change(chat, job);
	job_commit(chat, job);
}

void deletion_thaw(struct chat *chat, const struct thaw *t)
{
	struct job *job = job_get(chat, t->freeze);
	struct store_op op;
	size_t cursor = 0;
	CHECK(job);
	while (t->ok && store_op_next(buf_view(&job->list), &cursor, &op) == 1) {
		if (op.type == OP_FANOUT)
			fanout_start(chat, &op.fanout);
		else
			entity_apply(chat, job->entity, &op);
	}
	job_end(chat, job);
}
