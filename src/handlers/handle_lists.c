/* protocol.md section 5, `get`: a user's lists. They are read from the store, which keeps them in the
 * order asked for. */
#include "handlers/handler.h"

static void lists_read(struct chat *chat, struct entity *e, const struct request *r, enum store_link link,
		       enum store_side side, void (*next)(struct chat *, struct job *))
{
	job_read_links(chat, job_begin(chat, e, r, false), link, side, next);
}

static void lists_put_names(struct chat *chat, struct job *job, const char *key)
{
	struct store_link_row row;
	size_t cursor = 0;
	while (store_link_row_next(buf_view(&job->rows), &cursor, &row) == 1)
		strs_add(&job->list, row.other);
	struct buf *out = chat_scratch(chat);
	packet_put_names(out, job->r.packet.id, key, buf_view(&job->list));
	job_respond(chat, job, buf_view(out));
}

static void lists_put_pairs(struct chat *chat, struct job *job, const char *key, const char *name_key)
{
	struct store_link_row row;
	size_t cursor = 0;
	while (store_link_row_next(buf_view(&job->rows), &cursor, &row) == 1) {
		strs_add(&job->list, row.other);
		strs_add(&job->list, row.kind == LINK_FOLLOW ? row.text : row.title);
	}
	struct buf *out = chat_scratch(chat);
	packet_put_pairs(out, job->r.packet.id, key, name_key, buf_view(&job->list));
	job_respond(chat, job, buf_view(out));
}

static void lists_followings(struct chat *chat, struct job *job)
{
	lists_put_pairs(chat, job, "f", "u");
}

void handle_get_followings(struct chat *chat, struct entity *e, const struct request *r)
{
	lists_read(chat, e, r, LINK_FOLLOW, SIDE_OF, lists_followings);
}

static void lists_followers(struct chat *chat, struct job *job)
{
	lists_put_names(chat, job, "fr");
}

void handle_get_followers(struct chat *chat, struct entity *e, const struct request *r)
{
	lists_read(chat, e, r, LINK_FOLLOW, SIDE_TO, lists_followers);
}

static void lists_groups(struct chat *chat, struct job *job)
{
	lists_put_pairs(chat, job, "g", "i");
}

void handle_get_groups(struct chat *chat, struct entity *e, const struct request *r)
{
	lists_read(chat, e, r, LINK_MEMBER, SIDE_OF, lists_groups);
}

static void lists_broadcasts(struct chat *chat, struct job *job)
{
	lists_put_pairs(chat, job, "br", "i");
}

void handle_get_broadcasts(struct chat *chat, struct entity *e, const struct request *r)
{
	lists_read(chat, e, r, LINK_OWN, SIDE_OF, lists_broadcasts);
}

static void lists_blocked(struct chat *chat, struct job *job)
{
	lists_put_names(chat, job, "pr");
}

void handle_get_blocked(struct chat *chat, struct entity *e, const struct request *r)
{
	lists_read(chat, e, r, LINK_BLOCK, SIDE_OF, lists_blocked);
}
