#include "chat/core.h"
#include <stdlib.h>

static struct str str_copy(struct str s)
{
	char *copy = malloc(s.n + 1);
	CHECK(copy);
	if (s.n)
		memcpy(copy, s.p, s.n);
	return (struct str){ copy, s.n };
}

static void str_free(struct str s) { free((char *)(uintptr_t)s.p); }

struct group *group_new(const struct op_name_put *put)
{
	struct group *g = calloc(1, sizeof(*g));
	CHECK(g);
	g->born = put->born;
	g->created_ms = put->created_ms;
	g->title = str_copy(put->title);
	g->owner = str_copy(put->owner);
	map_init(&g->by_name);
	return g;
}

void group_free(struct group *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->member_n; i++)
		free(g->members[i]);
	free(g->members);
	map_deinit(&g->by_name);
	str_free(g->title);
	str_free(g->owner);
	free(g);
}

void group_put(struct group *g, const struct op_name_put *put)
{
	str_free(g->title);
	g->title = str_copy(put->title);
}

struct member *group_find(const struct group *g, struct str name)
{
	return map_get(&g->by_name, name);
}

static struct member *member_new(const struct op_link_put *put)
{
	struct member *m = malloc(sizeof(*m) + put->from.n);
	CHECK(m);
	memcpy(m + 1, put->from.p, put->from.n);
	*m = (struct member){ { (const char *)(m + 1), put->from.n }, put->born, put->order, 0, false };
	return m;
}

/* Rows of the store come by name, so the place is looked for from the end: one who joins is last. */
static void group_insert(struct group *g, struct member *m)
{
	if (g->member_n == g->member_cap) {
		g->member_cap = g->member_cap ? g->member_cap * 2 : 8;
		g->members = realloc(g->members, g->member_cap * sizeof(struct member *));
		CHECK(g->members);
	}
	size_t at = g->member_n++;
	for (; at && g->members[at - 1]->order > m->order; at--)
		g->members[at] = g->members[at - 1];
	g->members[at] = m;
	CHECK(map_put(&g->by_name, m->name, m) == OK);
}

void group_link(struct group *g, const struct op_link_put *put)
{
	struct member *m = group_find(g, put->from);
	bool admin = put->flags & LINK_ADMIN;
	if (!m) {
		m = member_new(put);
		group_insert(g, m);
	}
	g->admin_n += admin;
	g->admin_n -= m->admin;
	m->admin = admin;
	m->muted_ms = put->ms;
}

void group_unlink(struct group *g, struct str name)
{
	struct member *m = map_remove(&g->by_name, name);
	size_t at = 0;
	if (!m)
		return;
	while (g->members[at] != m)
		at++;
	g->member_n--;
	memmove(&g->members[at], &g->members[at + 1], (g->member_n - at) * sizeof(struct member *));
	g->admin_n -= m->admin;
	free(m);
}

/* --- ops --- */

static uint8_t group_link_kind(const struct entity *e)
{
	return e->kind == STORE_GROUP ? LINK_MEMBER : LINK_LISTED;
}

void group_add_member_op(struct buf *ops, const struct entity *e, const struct member *m)
{
	struct store_op op = { .type = OP_LINK_PUT, .link_put = {
		.kind = group_link_kind(e), .from = m->name, .to = e->name, .born = m->born,
		.order = m->order, .flags = m->admin ? LINK_ADMIN : 0, .ms = m->muted_ms,
		.text = STR("") } };
	txn_add(ops, &op);
}

void group_remove_member_op(struct buf *ops, const struct entity *e, struct str name)
{
	struct store_op op = { .type = OP_LINK_DEL,
			       .link_del = { group_link_kind(e), name, e->name } };
	txn_add(ops, &op);
}

void group_end_op(struct buf *ops, const struct entity *e)
{
	struct store_op op = { .type = OP_NAME_DEL, .name_del = { e->name } };
	txn_add(ops, &op);
}

static void group_tell_left(struct chat *chat, struct buf *ops, const struct entity *e, struct str name)
{
	struct packet_info info = { .t = "l", .group = e->name, .member = name };
	fanout_begin(chat);
	fanout_to_members(chat, e, name);
	fanout_inform(chat, ops, e, &info);
}

/* The longest-standing of those who stay becomes admin; all are told, he too. */
static void group_crown(struct chat *chat, struct buf *ops, const struct entity *e, struct str but)
{
	struct member *first = e->group->members[0];
	struct buf names;
	if (str_eq(first->name, but))
		first = e->group->members[1];
	struct member crowned = *first;
	crowned.admin = true;
	group_add_member_op(ops, e, &crowned);
	buf_init(&names, 1024);
	strs_add(&names, first->name);
	struct packet_info info = { .t = "aad", .group = e->name, .members = buf_view(&names) };
	fanout_begin(chat);
	fanout_to_members(chat, e, but);
	fanout_inform(chat, ops, e, &info);
	buf_deinit(&names);
}

void group_leave(struct chat *chat, struct buf *ops, const struct entity *e, struct str name)
{
	struct group *g = e->group;
	struct member *m = group_find(g, name);
	if (!m)
		return;
	group_remove_member_op(ops, e, name);
	if (e->kind == STORE_BROADCAST)
		return;
	if (g->member_n == 1) {
		group_end_op(ops, e);
		return;
	}
	group_tell_left(chat, ops, e, name);
	if (m->admin && g->admin_n == 1)
		group_crown(chat, ops, e, name);
}
