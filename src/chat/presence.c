/* Telling followers who comes and goes (protocol.md section 11). What counts is what they were told last:
 * when that is not so any more they are told, one telling at a time. So who comes and goes quickly costs
 * no more than his followers can be told, and no `li` stays without its `lo`. */
#include "chat/core.h"

#define PRESENCE_ROWS 512 /* followers in one step */

static void presence_read_on(struct chat *chat, struct entity *e, struct str after)
{
	struct lookup *l = lookup_new(chat, LOOKUP_PRESENCE, STORE_READ_LINKS, e);
	buf_str(&l->post, after);
	l->read.link = LINK_FOLLOW;
	l->read.side = SIDE_TO;
	l->read.id = buf_view(&l->post);
	l->read.rows_max = PRESENCE_ROWS;
	l->read.bytes_max = SIZE_MAX;
	lookup_start(chat, l);
}

void presence_changed(struct chat *chat, struct entity *e)
{
	struct user *u = &e->user;
	bool online = u->session_count > 0;
	if (u->telling || u->told_online == online || e->kind != STORE_USER || chat->ending)
		return;
	u->told_online = online;
	u->telling = true;
	presence_read_on(chat, e, STR(""));
}

void presence_tell(struct chat *chat, const struct entity *e, bool online, struct str rows)
{
	struct store_link_row row;
	size_t cursor = 0;
	fanout_begin(chat);
	while (store_link_row_next(rows, &cursor, &row) == 1)
		if (!entity_blocks(e, row.other, 0))
			fanout_to(chat, row.other);
	for (unsigned w = 0; w < chat->workers; w++) {
		struct presence p = { online, e->name, buf_view(&chat->spread[w]) };
		if (p.followers.n)
			chat_tell(chat, w, POST_PRESENCE, &p);
	}
}

void presence_read(struct chat *chat, struct lookup *l)
{
	struct entity *e = l->entity;
	struct user *u = &e->user;
	struct store_link_row row, last = { .other = STR("") };
	size_t cursor = 0;
	bool ok = l->read.status == OK && e->kind == STORE_USER;
	if (ok)
		presence_tell(chat, e, u->told_online, buf_view(&l->read.rows));
	while (ok && store_link_row_next(buf_view(&l->read.rows), &cursor, &row) == 1)
		last = row;
	if (ok && l->read.more) {
		presence_read_on(chat, e, last.other);
		return;
	}
	u->telling = false;
	presence_changed(chat, e);
}

/* It is not stored, and dropped where it does not fit; behind a mailbox that is still being read it
 * keeps its place like a message with p 0. */
void presence_show(struct chat *chat, const struct presence *p)
{
	char id[32];
	struct str name;
	size_t cursor = 0;
	struct buf *text = chat_scratch(chat);
	packet_put_presence(text, chat_next_id(chat, id), p->online, p->user);
	struct mail_in mail = { .flags = MAIL_INFO, .sender = STR(""), .target = STR(""), .id = STR(""),
				.text = buf_view(text) };
	while (strs_next(p->followers, &cursor, &name) == 1) {
		struct entity *e = map_get(&chat->entities, name);
		/* What waits for effects is shown to whom is there then: so all of it waits. */
		if (e && e->kind == STORE_USER && (e->user.session_count || e->effects))
			router_unstored(chat, e, &mail);
	}
}
