/* What a request must know of other users. Their homes are asked, many names in one post; from the
 * answer till the job's end the users are guarded: none of them is deleted. One whose deletion is under
 * way is not guarded any more, and the job must come again: so no two wait for each other. */
#include "chat/core.h"
#include <stdlib.h>

#define GUARD_NAMES_MAX 256 /* in one post */

/* Asked, and some name is not in memory yet. */
struct ask {
	struct list node;      /* in chat->asks */
	struct buf bytes;
	struct guard_ask ask;
	struct entity **who;   /* pinned */
	size_t n, ready;       /* all before `ready` are in memory */
};

/* --- at the home of the names --- */

static struct guard_fact guard_fact_of(struct entity *e, const struct guard_ask *ask)
{
	bool known = !e->deleting && !e->unreadable;
	if (known && e->kind == STORE_USER)
		return (struct guard_fact){ e->user.born, 1,
					    entity_blocks(e, ask->user, ask->user_born) };
	return (struct guard_fact){ 0, known, 0 };
}

static void ask_answer(struct chat *chat, struct ask *a)
{
	struct buf facts;
	buf_init(&facts, (size_t)1 << 20);
	for (size_t i = 0; i < a->n; i++) {
		struct guard_fact fact = guard_fact_of(a->who[i], &a->ask);
		buf_add(&facts, &fact, sizeof(fact));
		if (fact.born) { /* keeps its pin */
			a->who[i]->guards++;
			continue;
		}
		entity_unpin(chat, a->who[i]);
	}
	struct guard_facts answer = { a->ask.job, a->ask.names, buf_view(&facts) };
	chat_tell(chat, a->ask.worker, POST_FACTS, &answer);
	buf_deinit(&facts);
}

static void ask_free(struct ask *a)
{
	list_remove(&a->node);
	buf_deinit(&a->bytes);
	free(a->who);
	free(a);
}

/* One that can't be read is an answer, too. */
static bool ask_ready(struct ask *a)
{
	for (; a->ready < a->n; a->ready++) {
		const struct entity *e = a->who[a->ready];
		bool known = e->state == ENTITY_BUSY || entity_at_rest(e) || e->unreadable;
		if (!known || e->state == ENTITY_LOADING)
			return false;
	}
	return true;
}

void guard_ask(struct chat *chat, const struct guard_ask *ask)
{
	struct ask *a = calloc(1, sizeof(*a));
	struct post post;
	struct str name;
	size_t cursor = 0, n = strs_count(ask->names);
	CHECK(a);
	a->who = calloc(n + 1, sizeof(struct entity *));
	CHECK(a->who);
	list_init(&a->node);
	buf_init(&a->bytes, (size_t)1 << 24);
	post_put(&a->bytes, POST_ASK, ask);
	CHECK(post_next(buf_view(&a->bytes), &cursor, &post));
	a->ask = post.ask;
	cursor = 0;
	while (strs_next(a->ask.names, &cursor, &name) == 1) {
		a->who[a->n] = entity_get(chat, name);
		entity_pin(chat, a->who[a->n++]);
	}
	for (size_t i = 0; i < a->n; i++)
		(void)entity_want(chat, a->who[i]); /* all at once */
	list_append(&chat->asks, &a->node);
	if (!ask_ready(a))
		return;
	list_remove(&a->node);
	ask_answer(chat, a);
	ask_free(a);
}

void guard_turn(struct chat *chat)
{
	if (!chat->loaded)
		return;
	chat->loaded = false;
	LIST_EACH_SAFE(&chat->asks, it, tmp) {
		struct ask *a = LIST_ENTRY(it, struct ask, node);
		if (!ask_ready(a))
			continue;
		list_remove(&a->node);
		ask_answer(chat, a);
		ask_free(a);
	}
}

void guard_release(struct chat *chat, struct str names)
{
	struct str name;
	size_t cursor = 0;
	while (strs_next(names, &cursor, &name) == 1) {
		struct entity *e = map_get(&chat->entities, name);
		CHECK(e && e->guards);
		struct job *waits = --e->guards ? NULL : e->unguarded;
		if (waits) {
			e->unguarded = NULL;
			deletion_unguarded(chat, waits);
		}
		entity_unpin(chat, e);
	}
}

void guard_free(struct chat *chat)
{
	LIST_EACH_SAFE(&chat->asks, it, tmp)
		ask_free(LIST_ENTRY(it, struct ask, node));
}

/* --- at the job's --- */

/* The names by their homes, each once: fills lists[worker]. */
static void guard_sort(struct chat *chat, struct job *job, struct str names, struct buf *lists)
{
	struct str name;
	size_t cursor = 0;
	while (strs_next(names, &cursor, &name) == 1) {
		if (job_fact(job, name))
			continue;
		struct fact *fact = malloc(sizeof(*fact) + name.n);
		CHECK(fact);
		memcpy(fact + 1, name.p, name.n);
		*fact = (struct fact){ { (const char *)(fact + 1), name.n }, 0, false };
		CHECK(map_put(&job->facts, fact->name, fact) == OK);
		strs_add(&lists[chat_home(name, chat->workers)], name);
	}
}

/* Calls tell(…) for each part of the list that fits a post. */
static void guard_parts(struct chat *chat, struct job *job, unsigned worker, struct str list,
			void (*tell)(struct chat *, struct job *, unsigned, struct str))
{
	struct str name;
	size_t from = 0, cursor = 0, n = 0;
	while (strs_next(list, &cursor, &name) == 1)
		if (++n % GUARD_NAMES_MAX == 0) {
			tell(chat, job, worker, (struct str){ list.p + from, cursor - from });
			from = cursor;
		}
	if (from < list.n)
		tell(chat, job, worker, (struct str){ list.p + from, list.n - from });
}

static void guard_tell_ask(struct chat *chat, struct job *job, unsigned worker, struct str names)
{
	struct guard_ask ask = { job->id, chat->worker, job->r.user_born, job->r.user, names };
	job->awaited++;
	chat_tell(chat, worker, POST_ASK, &ask);
}

static void guard_tell_end(struct chat *chat, struct job *job, unsigned worker, struct str names)
{
	struct unguard unguard = { names };
	(void)job;
	chat_tell(chat, worker, POST_UNGUARD, &unguard);
}

/* All are in: goes on, or refuses. */
static void guard_go_on(struct chat *chat, struct job *job)
{
	if (job->refusal == REFUSAL_NOT_FOUND)
		job_refuse(chat, job, REFUSAL_NOT_FOUND, "Not found: user '%.*s'.",
			   STR_ARG(buf_view(&job->about)));
	else if (job->refusal)
		job_refuse(chat, job, job->refusal, "'%.*s' can't be looked up now, try again.",
			   STR_ARG(buf_view(&job->about)));
	else
		job->next(chat, job);
}

void job_ask(struct chat *chat, struct job *job, struct str names,
	     void (*next)(struct chat *, struct job *))
{
	struct buf lists[CHAT_WORKERS_MAX];
	job->next = next;
	job->awaited = 1; /* so that answers given at once do not end it */
	for (unsigned w = 0; w < chat->workers; w++)
		buf_init(&lists[w], (size_t)1 << 24);
	guard_sort(chat, job, names, lists);
	for (unsigned w = 0; w < chat->workers; w++) {
		guard_parts(chat, job, w, buf_view(&lists[w]), guard_tell_ask);
		buf_deinit(&lists[w]);
	}
	if (--job->awaited == 0)
		guard_go_on(chat, job);
}

const struct fact *job_fact(const struct job *job, struct str name)
{
	return map_get(&job->facts, name);
}

void guard_facts(struct chat *chat, const struct guard_facts *facts)
{
	struct job *job = job_get(chat, facts->job);
	struct guard_fact fact;
	struct str name;
	size_t cursor = 0;
	CHECK(job && job->awaited);
	for (size_t i = 0; strs_next(facts->names, &cursor, &name) == 1; i++) {
		struct fact *known = map_get(&job->facts, name);
		memcpy(&fact, facts->facts.p + i * sizeof(fact), sizeof(fact));
		known->born = fact.born;
		known->blocks = fact.blocks;
		bool is = fact.born && (!str_eq(name, job->r.user) || fact.born == job->r.user_born);
		if (is || job->refusal == REFUSAL_NOT_FOUND)
			continue;
		job->refusal = fact.known ? REFUSAL_NOT_FOUND : REFUSAL_UNAVAILABLE;
		buf_clear(&job->about);
		buf_str(&job->about, name);
	}
	if (--job->awaited == 0)
		guard_go_on(chat, job);
}

static int by_name(const void *a, const void *b)
{
	return str_cmp((*(struct fact *const *)a)->name, (*(struct fact *const *)b)->name);
}

/* By name, so that the same run plays the same way again: the order of a map is chance. */
static struct fact **guard_facts_sorted(const struct job *job)
{
	struct fact **facts = calloc(job->facts.count, sizeof(*facts));
	size_t cursor = 0;
	struct str key;
	void *value;
	CHECK(facts);
	for (size_t i = 0; map_next(&job->facts, &cursor, &key, &value); i++)
		facts[i] = value;
	qsort(facts, job->facts.count, sizeof(*facts), by_name);
	return facts;
}

void guard_end(struct chat *chat, struct job *job)
{
	struct buf lists[CHAT_WORKERS_MAX];
	if (!job->facts.count)
		return;
	struct fact **facts = guard_facts_sorted(job);
	for (unsigned w = 0; w < chat->workers; w++)
		buf_init(&lists[w], (size_t)1 << 24);
	for (size_t i = 0; i < job->facts.count; i++)
		if (facts[i]->born)
			strs_add(&lists[chat_home(facts[i]->name, chat->workers)], facts[i]->name);
	free(facts);
	for (unsigned w = 0; w < chat->workers; w++) {
		guard_parts(chat, job, w, buf_view(&lists[w]), guard_tell_end);
		buf_deinit(&lists[w]);
	}
}
