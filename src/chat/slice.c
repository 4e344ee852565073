/* Slices of fan-outs at the home of their receivers, as they are kept from their arrival till they are
 * done: by fan.c those of groups, by copies.c those of broadcasts. */
#include "chat/core.h"
#include <stdlib.h>

#define SLICE_BYTES_MAX ((size_t)1 << 26)

void slice_keep(struct chat *chat, struct slice *s, const struct fan_slice *in)
{
	struct post post;
	struct str name;
	size_t cursor = 0;
	s->id = ++chat->next_slice;
	list_init(&s->node);
	buf_init(&s->bytes, SLICE_BYTES_MAX);
	post_put(&s->bytes, POST_FAN, in);
	CHECK(post_next(buf_view(&s->bytes), &cursor, &post));
	s->in = post.fan;
	s->who = calloc(strs_count(s->in.receivers) + 1, sizeof(struct entity *));
	CHECK(s->who);
	cursor = 0;
	while (strs_next(s->in.receivers, &cursor, &name) == 1) {
		/* p 0 is for those who are online, and they are in memory. */
		struct entity *e = in->fanout ? entity_get(chat, name) : map_get(&chat->entities, name);
		if (!e)
			continue;
		s->who[s->n++] = e;
		entity_pin(chat, e);
	}
}

struct slice *slice_get(struct list *line, uint64_t id)
{
	LIST_EACH_SAFE(line, it, tmp) {
		struct slice *s = LIST_ENTRY(it, struct slice, node);
		if (s->id == id)
			return s;
	}
	return NULL;
}

void slice_free(struct slice *s)
{
	list_remove(&s->node);
	buf_deinit(&s->bytes);
	free(s->who);
}

void slice_done(struct chat *chat, struct slice *s)
{
	struct fanned fanned = { s->in.fanout };
	for (size_t i = 0; i < s->n; i++)
		entity_unpin(chat, s->who[i]);
	if (fanned.fanout)
		chat_tell(chat, s->in.worker, POST_FANNED, &fanned);
	slice_free(s);
}

bool slice_reaches(const struct slice *s, const struct entity *e)
{
	return e->kind == STORE_USER && (!s->in.fanout || e->user.born < s->in.fanout);
}

void slice_add_done(struct buf *ops, const struct slice *s)
{
	struct store_op op = { .type = OP_FANOUT_DONE, .fanout_done = { s->in.fanout, s->in.slice } };
	if (s->in.slice != FAN_WHOLE)
		txn_add(ops, &op);
}
