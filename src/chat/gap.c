/* What a user missed because his mailbox was full (protocol.md section 12), told by `gap` mails. They
 * have sequences below all others, so that they come first at his next login; one counts up, being
 * written anew in its place, until it is told or this process forgets of it. */
#include "chat/core.h"
#include <stdlib.h>

struct gap {
	struct list node;      /* in user.gaps */
	uint64_t seq;
	int64_t count;
	struct str group, owner, id; /* point behind the struct; one of the first two is absent */
};

static struct gap *gap_find(struct user *u, struct str group, struct str owner)
{
	LIST_EACH_SAFE(&u->gaps, it, tmp) {
		struct gap *g = LIST_ENTRY(it, struct gap, node);
		if (str_eq(g->group, group) && str_eq(g->owner, owner))
			return g;
	}
	return NULL;
}

static struct str gap_copy(char **at, struct str s)
{
	struct str copy = { s.p ? *at : NULL, s.n };
	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

static struct gap *gap_new(struct chat *chat, struct user *u, struct str group, struct str owner)
{
	char id_text[32];
	struct str id = chat_next_id(chat, id_text);
	struct gap *g = calloc(1, sizeof(*g) + group.n + owner.n + id.n);
	CHECK(g);
	char *at = (char *)(g + 1);
	g->group = gap_copy(&at, group);
	g->owner = gap_copy(&at, owner);
	g->id = gap_copy(&at, id);
	g->seq = ++u->low_seq;
	list_append(&u->gaps, &g->node);
	return g;
}

void gap_add(struct chat *chat, struct buf *ops, struct entity *e, struct str group, struct str owner)
{
	struct gap *g = gap_find(&e->user, group, owner);
	struct buf receivers;
	if (!g)
		g = gap_new(chat, &e->user, group, owner);
	g->count++;
	struct packet_info info = { .t = "gap", .group = g->group, .user = g->owner, .count = g->count };
	struct buf *text = chat_scratch(chat);
	packet_put_info(text, g->id, &info);
	buf_init(&receivers, 1024);
	strs_add(&receivers, e->name);
	struct store_op op = { .type = OP_MAIL, .mail = {
		.seq = g->seq, .flags = MAIL_INFO, .ms = chat_wall(chat).ms, .sender = STR(""),
		.target = e->name, .id = g->id, .receiver_count = 1,
		.receivers = buf_view(&receivers), .text = buf_view(text) } };
	txn_add(ops, &op);
	buf_deinit(&receivers);
}

void gap_close(struct user *u)
{
	LIST_EACH_SAFE(&u->gaps, it, tmp) {
		struct gap *g = LIST_ENTRY(it, struct gap, node);
		list_remove(&g->node);
		free(g);
	}
}
