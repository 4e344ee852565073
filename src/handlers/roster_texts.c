/* What groups and broadcasts tell of themselves: who is in them, title and picture. */
#include "handlers/roster.h"

/* By which member the request named it, so does the response. */
static const char *roster_key(const struct request *r)
{
	return packet_member(&r->packet, STR("i")).p ? "i" : "b";
}

void roster_info(struct chat *chat, struct entity *e, const struct request *r)
{
	const struct group *g = e->group;
	const struct member *asker = group_find(g, r->user);
	struct buf names, *out = chat_scratch(chat);
	buf_init(&names, CHAT_LIST_BYTES_MAX);
	for (size_t i = 0; i < g->member_n; i++)
		strs_add(&names, g->members[i]->name);
	struct packet_group info = { .name = e->name, .title = g->title, .created_ms = g->created_ms,
				     .muted_ms = asker ? asker->muted_ms : 0,
				     .members = buf_view(&names) };
	if (e->kind == STORE_GROUP)
		packet_put_group(out, r->packet.id, &info);
	else
		packet_put_broadcast(out, r->packet.id, &info);
	reply_send(chat, r->session, buf_view(out));
	buf_deinit(&names);
}

void roster_picture_set(struct chat *chat, struct entity *e, const struct request *r)
{
	struct packet_info info = { .t = "p" };
	struct job *job = job_begin(chat, e, r, true);
	struct buf *ops = job_change(chat, job);
	roster_put_picture(job, ops, job->r.packet.p.v);
	roster_inform(chat, job, ops, &info, STR_NONE);
	job_commit(chat, job);
}

static void roster_picture_read(struct chat *chat, struct job *job)
{
	struct buf *out = chat_scratch(chat);
	packet_put_picture(out, job->r.packet.id, roster_key(&job->r), job->entity->name,
			   buf_view(&job->rows));
	job_respond(chat, job, buf_view(out));
}

void roster_picture_get(struct chat *chat, struct entity *e, const struct request *r)
{
	job_read_text(chat, job_begin(chat, e, r, false), TEXT_PICTURE, roster_picture_read);
}

void roster_title_set(struct chat *chat, struct entity *e, const struct request *r)
{
	struct packet_info info = { .t = "n", .title = r->packet.n.n };
	struct job *job = job_begin(chat, e, r, true);
	struct buf *ops = job_change(chat, job);
	struct store_op op = { .type = OP_NAME_PUT, .name_put = {
		.name = e->name, .kind = e->kind, .born = e->group->born,
		.created_ms = e->group->created_ms, .title = r->packet.n.n, .owner = e->group->owner } };
	txn_add(ops, &op);
	roster_inform(chat, job, ops, &info, STR_NONE);
	job_commit(chat, job);
}

void roster_title_get(struct chat *chat, struct entity *e, const struct request *r)
{
	struct buf *out = chat_scratch(chat);
	packet_put_title(out, r->packet.id, roster_key(r), e->name, e->group->title);
	reply_send(chat, r->session, buf_view(out));
}
