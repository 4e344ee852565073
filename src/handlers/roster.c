#include "handlers/roster.h"

/* A request that banishes k of n members is k packets to n - k members each: so many at most, that is
 * any number out of 1,000 members, or 25 at once out of 10,000. */
#define ROSTER_BANISH_MAX 250000

static bool roster_is_group(const struct entity *e) { return e->kind == STORE_GROUP; }

/* --- who may --- */

static bool roster_found(struct chat *chat, const struct entity *e, const struct request *r, bool group)
{
	if (e->kind == (group ? STORE_GROUP : STORE_BROADCAST))
		return true;
	request_refuse(chat, r, REFUSAL_NOT_FOUND, "Not found: %s '%.*s'.", group ? "group" : "broadcast",
		       STR_ARG(e->name));
	return false;
}

bool roster_allows(struct chat *chat, const struct entity *e, const struct request *r, unsigned right)
{
	if (!roster_found(chat, e, r, right != OWNER))
		return false;
	const struct member *m = group_find(e->group, r->user);
	bool is_member = m && m->born == r->user_born;
	const char *lacks = NULL;
	if (right == OWNER)
		lacks = str_eq(e->group->owner, r->user) ? NULL : "the owner";
	else if (!is_member)
		lacks = "a member";
	else if (right == GROUP_ADMIN && !m->admin)
		lacks = "an administrator";
	if (lacks)
		request_refuse(chat, r, REFUSAL_NOT_ALLOWED, "You are not %s of '%.*s'.", lacks,
			       STR_ARG(e->name));
	return !lacks;
}

/* --- names --- */

/* Adds those of `names` to job->list who are neither the asker nor on the list of members, each once. */
static void roster_gather(struct job *job, struct str names)
{
	const struct group *g = job->entity->group;
	struct map seen;
	struct str name;
	size_t cursor = 0;
	map_init(&seen);
	CHECK(map_put(&seen, job->r.user, job) == OK);
	while (strs_next(names, &cursor, &name) == 1) {
		if ((g && group_find(g, name)) || map_get(&seen, name))
			continue;
		CHECK(map_put(&seen, name, job) == OK);
		strs_add(&job->list, name);
	}
	map_deinit(&seen);
}

bool roster_pick(struct chat *chat, struct job *job, struct str names, bool (*keep)(const struct member *m))
{
	struct map seen;
	struct str name;
	size_t cursor = 0;
	bool all = true;
	map_init(&seen);
	while (all && strs_next(names, &cursor, &name) == 1) {
		const struct member *m = group_find(job->entity->group, name);
		all = m != NULL;
		if (!m || map_get(&seen, name))
			continue;
		CHECK(map_put(&seen, name, job) == OK);
		if (!keep || keep(m))
			strs_add(&job->list, name);
	}
	map_deinit(&seen);
	if (!all)
		job_refuse(chat, job, REFUSAL_NOT_FOUND, "Not found: '%.*s' is not in '%.*s'.",
			   STR_ARG(name), STR_ARG(job->entity->name));
	return all;
}

static bool roster_fits(struct chat *chat, struct job *job, size_t n)
{
	if (n <= chat->settings->max_group_members)
		return true;
	job_refuse(chat, job, REFUSAL_TOO_LONG, "'%.*s' can have %u members at most.",
		   STR_ARG(job->entity->name), chat->settings->max_group_members);
	return false;
}

/* Nobody comes into a group by one whom he blocks (section 8). Whether the job was refused for that. */
static bool roster_blocked(struct chat *chat, struct job *job)
{
	struct str name;
	size_t cursor = 0;
	while (strs_next(buf_view(&job->list), &cursor, &name) == 1) {
		if (!job_fact(job, name)->blocks)
			continue;
		job_refuse(chat, job, REFUSAL_NOT_ALLOWED, "You may not add '%.*s' to a group.",
			   STR_ARG(name));
		return true;
	}
	return false;
}

/* --- writing --- */

void roster_inform(struct chat *chat, const struct job *job, struct buf *ops, struct packet_info *info,
		   struct str others)
{
	struct str name;
	size_t cursor = 0;
	if (job->entity->kind == STORE_BROADCAST)
		return;
	info->group = job->entity->name;
	fanout_begin(chat);
	fanout_to_members(chat, job->entity, job->r.user);
	while (strs_next(others, &cursor, &name) == 1)
		fanout_to(chat, name);
	fanout_inform(chat, ops, job->entity, info);
}

static void roster_link(struct chat *chat, const struct job *job, struct buf *ops, enum store_link kind,
			struct str name, uint8_t flags)
{
	struct store_op op = { .type = OP_LINK_PUT, .link_put = {
		.kind = (uint8_t)kind, .from = name, .to = job->entity->name,
		.born = job_fact(job, name)->born, .order = chat_next_seq(chat), .flags = flags,
		.text = STR("") } };
	txn_add(ops, &op);
}

static void roster_link_all(struct chat *chat, const struct job *job, struct buf *ops, enum store_link kind,
			    struct str names)
{
	struct str name;
	size_t cursor = 0;
	while (strs_next(names, &cursor, &name) == 1)
		roster_link(chat, job, ops, kind, name, 0);
}

void roster_put_picture(const struct job *job, struct buf *ops, struct str picture)
{
	struct store_op op = { .type = OP_TEXT_PUT,
			       .text_put = { job->entity->name, TEXT_PICTURE, picture } };
	txn_add(ops, &op);
}

/* --- create: the users named are there; the asker stands first among them --- */

static void roster_put_new(struct chat *chat, struct job *job, struct buf *ops, enum store_name_kind kind)
{
	struct str picture = packet_member(&job->r.packet, STR("p"));
	struct store_op op = { .type = OP_NAME_PUT, .name_put = {
		.name = job->entity->name, .kind = (uint8_t)kind, .born = chat_next_seq(chat),
		.created_ms = chat_wall(chat).ms, .title = packet_member(&job->r.packet, STR("n")),
		.owner = kind == STORE_BROADCAST ? job->r.user : STR("") } };
	txn_add(ops, &op);
	if (picture.n)
		roster_put_picture(job, ops, picture);
}

static struct str roster_others(const struct job *job)
{
	struct str all = buf_view(&job->list), first;
	size_t cursor = 0;
	CHECK(strs_next(all, &cursor, &first) == 1);
	return (struct str){ all.p + cursor, all.n - cursor };
}

static void roster_create_group(struct chat *chat, struct job *job)
{
	struct packet_info info = { .t = "c", .title = job->r.packet.g.n };
	if (roster_blocked(chat, job))
		return;
	struct buf *ops = job_change(chat, job);
	roster_put_new(chat, job, ops, STORE_GROUP);
	roster_link(chat, job, ops, LINK_MEMBER, job->r.user, LINK_ADMIN);
	roster_link_all(chat, job, ops, LINK_MEMBER, roster_others(job));
	roster_inform(chat, job, ops, &info, roster_others(job));
	job_commit(chat, job);
}

static void roster_create_broadcast(struct chat *chat, struct job *job)
{
	struct buf *ops = job_change(chat, job);
	roster_put_new(chat, job, ops, STORE_BROADCAST);
	roster_link(chat, job, ops, LINK_OWN, job->r.user, 0);
	roster_link_all(chat, job, ops, LINK_LISTED, roster_others(job));
	job_commit(chat, job);
}

void roster_create(struct chat *chat, struct entity *e, const struct request *r)
{
	bool group = r->packet.kind == PACKET_RQ_G;
	if (e->kind != STORE_NOBODY) {
		request_refuse(chat, r, REFUSAL_TAKEN, "The name '%.*s' is taken.", STR_ARG(e->name));
		return;
	}
	struct job *job = job_begin(chat, e, r, true);
	strs_add(&job->list, job->r.user);
	roster_gather(job, packet_member(&job->r.packet, STR("m")));
	if (roster_fits(chat, job, strs_count(buf_view(&job->list)) - !group))
		job_ask(chat, job, buf_view(&job->list),
			group ? roster_create_group : roster_create_broadcast);
}

/* --- add --- */

static void roster_add_asked(struct chat *chat, struct job *job)
{
	bool group = roster_is_group(job->entity);
	struct str names = buf_view(&job->list);
	struct packet_info info = { .t = "a", .members = names };
	if (group && roster_blocked(chat, job))
		return;
	struct buf *ops = job_change(chat, job);
	roster_link_all(chat, job, ops, group ? LINK_MEMBER : LINK_LISTED, names);
	roster_inform(chat, job, ops, &info, names);
	job_commit(chat, job);
}

void roster_add(struct chat *chat, struct entity *e, const struct request *r)
{
	struct job *job = job_begin(chat, e, r, true);
	roster_gather(job, packet_member(&job->r.packet, STR("m")));
	if (!job->list.n)
		job_done(chat, job);
	else if (roster_fits(chat, job, e->group->member_n + strs_count(buf_view(&job->list))))
		job_ask(chat, job, buf_view(&job->list), roster_add_asked);
}

/* --- remove, end --- */

/* A packet for each of those in job->list, to him and to those who stay. */
static void roster_inform_banished(struct chat *chat, const struct job *job, struct buf *ops)
{
	const struct entity *e = job->entity;
	struct map gone;
	struct str name;
	size_t cursor = 0;
	map_init(&gone);
	while (strs_next(buf_view(&job->list), &cursor, &name) == 1)
		CHECK(map_put(&gone, name, ops) == OK);
	cursor = 0;
	while (strs_next(buf_view(&job->list), &cursor, &name) == 1) {
		struct packet_info info = { .t = "b", .group = e->name, .member = name };
		fanout_begin(chat);
		for (size_t i = 0; i < e->group->member_n; i++) {
			struct str other = e->group->members[i]->name;
			if (!str_eq(other, job->r.user) && (str_eq(other, name) || !map_get(&gone, other)))
				fanout_to(chat, other);
		}
		fanout_inform(chat, ops, e, &info);
	}
	map_deinit(&gone);
}

static bool roster_names_asker(const struct request *r, struct str names)
{
	struct str name;
	size_t cursor = 0;
	while (strs_next(names, &cursor, &name) == 1)
		if (str_eq(name, r->user))
			return true;
	return false;
}

static void roster_write_removal(struct chat *chat, struct job *job)
{
	struct buf *ops = job_change(chat, job);
	struct str name;
	size_t cursor = 0;
	while (strs_next(buf_view(&job->list), &cursor, &name) == 1)
		group_remove_member_op(ops, job->entity, name);
	if (roster_is_group(job->entity))
		roster_inform_banished(chat, job, ops);
	job_commit(chat, job);
}

void roster_remove(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_names_asker(r, packet_member(&r->packet, STR("m")))) {
		request_refuse(chat, r, REFUSAL_BAD, "You cannot banish yourself.");
		return;
	}
	struct job *job = job_begin(chat, e, r, true);
	if (!roster_pick(chat, job, packet_member(&job->r.packet, STR("m")), NULL))
		return;
	size_t n = strs_count(buf_view(&job->list));
	if (n == 0)
		job_done(chat, job);
	else if (roster_is_group(e) && n * (e->group->member_n - n) > ROSTER_BANISH_MAX)
		job_refuse(chat, job, REFUSAL_TOO_LONG, "Too many at once out of so large a group.");
	else
		roster_write_removal(chat, job);
}

void roster_end(struct chat *chat, struct entity *e, const struct request *r)
{
	struct packet_info info = { .t = "t" };
	struct job *job = job_begin(chat, e, r, true);
	struct buf *ops = job_change(chat, job);
	group_end_op(ops, e);
	roster_inform(chat, job, ops, &info, STR_NONE);
	job_commit(chat, job);
}
