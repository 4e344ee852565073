/* protocol.md section 5: whom a user follows, and what he calls them. All or nothing: the users named are
 * asked about first (and stay till the links are written), then the followings there are are read. */
#include "handlers/handler.h"
#include <stdlib.h>

#define FOLLOWINGS_MAX 10000 /* of one user */

/* One of the users named by af or uf, and what the store knows of him. */
struct wish {
	struct str name, nick; /* nick absent: as it is, or none */
	struct str nick_now;
	bool followed;
};
struct wishes {
	struct wish *list;     /* in the order named, each user once */
	size_t n;
	struct map by_name;
	size_t followings;     /* of the asker, those not named too */
	size_t new;            /* of those named, not followed yet */
};

static void wishes_deinit(struct wishes *w)
{
	map_deinit(&w->by_name);
	free(w->list);
}

/* `pairs` as in struct packet_af, `rows` the asker's followings; views of both. */
static void wishes_init(struct wishes *w, struct str pairs, struct str rows)
{
	struct str name, nick;
	struct store_link_row row;
	size_t cursor = 0;
	*w = (struct wishes){ .list = calloc(strs_count(pairs) / 2 + 1, sizeof(struct wish)) };
	CHECK(w->list);
	map_init(&w->by_name);
	while (strs_next(pairs, &cursor, &name) == 1 && strs_next(pairs, &cursor, &nick) == 1) {
		struct wish *wish = map_get(&w->by_name, name);
		if (!wish) {
			wish = &w->list[w->n++];
			wish->name = name;
			wish->nick_now = STR("");
			CHECK(map_put(&w->by_name, name, wish) == OK);
		}
		wish->nick = nick;
	}
	cursor = 0;
	w->new = w->n;
	for (; store_link_row_next(rows, &cursor, &row) == 1; w->followings++) {
		struct wish *wish = map_get(&w->by_name, row.other);
		if (!wish)
			continue;
		wish->followed = true;
		wish->nick_now = row.text;
		w->new--;
	}
}

static void wishes_write(struct chat *chat, struct job *job, const struct wishes *w)
{
	struct buf *ops = job_change(chat, job);
	for (size_t i = 0; i < w->n; i++) {
		const struct wish *wish = &w->list[i];
		struct store_op op = { .type = OP_LINK_PUT, .link_put = {
			.kind = LINK_FOLLOW, .from = job->entity->name, .to = wish->name,
			.born = job_fact(job, wish->name)->born,
			.text = wish->nick.p ? wish->nick : wish->nick_now } };
		txn_add(ops, &op);
	}
	job_commit(chat, job);
}

/* --- af, uf --- */

/* The followings were read. */
static void following_add(struct chat *chat, struct job *job)
{
	struct wishes w;
	wishes_init(&w, job->r.packet.af.list, buf_view(&job->rows));
	if (w.new && w.followings + w.new > FOLLOWINGS_MAX)
		job_refuse(chat, job, REFUSAL_TOO_LONG, "You would follow more than %d users.",
			   FOLLOWINGS_MAX);
	else
		wishes_write(chat, job, &w);
	wishes_deinit(&w);
}

static void following_rename(struct chat *chat, struct job *job)
{
	struct wishes w;
	size_t i = 0;
	wishes_init(&w, job->r.packet.uf.list, buf_view(&job->rows));
	while (i < w.n && w.list[i].followed)
		i++;
	if (i < w.n)
		job_refuse(chat, job, REFUSAL_NOT_FOUND, "Not found: you do not follow '%.*s'.",
			   STR_ARG(w.list[i].name));
	else
		wishes_write(chat, job, &w);
	wishes_deinit(&w);
}

/* The users named are there. */
static void following_asked(struct chat *chat, struct job *job)
{
	bool add = job->r.packet.kind == PACKET_RQ_AF;
	job_read_links(chat, job, LINK_FOLLOW, SIDE_OF, add ? following_add : following_rename);
}

/* `pairs`: the list of the job's own request. */
static void following_begin(struct chat *chat, struct job *job, struct str pairs)
{
	struct str name, nick;
	size_t cursor = 0;
	while (strs_next(pairs, &cursor, &name) == 1 && strs_next(pairs, &cursor, &nick) == 1)
		strs_add(&job->list, name);
	if (job->list.n)
		job_ask(chat, job, buf_view(&job->list), following_asked);
	else
		job_done(chat, job);
}

void handle_follow(struct chat *chat, struct entity *e, const struct request *r)
{
	struct str pairs = r->packet.af.list, name, nick;
	size_t cursor = 0;
	while (strs_next(pairs, &cursor, &name) == 1 && strs_next(pairs, &cursor, &nick) == 1)
		if (str_eq(name, e->name)) {
			request_refuse(chat, r, REFUSAL_BAD, "You cannot follow yourself.");
			return;
		}
	struct job *job = job_begin(chat, e, r, true);
	following_begin(chat, job, job->r.packet.af.list);
}

void handle_nicks(struct chat *chat, struct entity *e, const struct request *r)
{
	struct str pairs = r->packet.uf.list, name, nick;
	size_t cursor = 0;
	while (strs_next(pairs, &cursor, &name) == 1 && strs_next(pairs, &cursor, &nick) == 1)
		if (!nick.p) {
			request_refuse(chat, r, REFUSAL_BAD, "The nick (n) of '%.*s' is missing.",
				       STR_ARG(name));
			return;
		}
	struct job *job = job_begin(chat, e, r, true);
	following_begin(chat, job, job->r.packet.uf.list);
}

/* --- rf --- */

static void following_remove(struct chat *chat, struct job *job)
{
	struct buf *ops = job_change(chat, job);
	struct str name;
	size_t cursor = 0;
	while (strs_next(job->r.packet.rf.list, &cursor, &name) == 1) {
		struct store_op op = { .type = OP_LINK_DEL,
				       .link_del = { LINK_FOLLOW, job->entity->name, name } };
		txn_add(ops, &op);
	}
	job_commit(chat, job);
}

void handle_unfollow(struct chat *chat, struct entity *e, const struct request *r)
{
	struct job *job = job_begin(chat, e, r, true);
	if (job->r.packet.rf.list.n)
		job_ask(chat, job, job->r.packet.rf.list, following_remove);
	else
		job_done(chat, job);
}
