/* protocol.md section 9: groups. What only they have: those who leave, administrators, muting. The
 * rest, which broadcasts have too, stands in roster.c; what leaving means in chat/group.c. */
#include "handlers/roster.h"

void handle_group_leave(struct chat *chat, struct entity *e, const struct request *r)
{
	struct job *job = job_begin(chat, e, r, true);
	group_leave(chat, job_change(chat, job), e, r->user);
	job_commit(chat, job);
}

/* --- administrators --- */

static bool member_is_admin(const struct member *m) { return m->admin; }
static bool member_is_no_admin(const struct member *m) { return !m->admin; }

/* Makes those in job->list admins, or admins no longer. */
static void group_write_admins(struct chat *chat, struct job *job, bool admin)
{
	struct packet_info info = { .t = admin ? "aad" : "rad", .members = buf_view(&job->list) };
	struct buf *ops = job_change(chat, job);
	struct str name;
	size_t cursor = 0;
	while (strs_next(buf_view(&job->list), &cursor, &name) == 1) {
		struct member changed = *group_find(job->entity->group, name);
		changed.admin = admin;
		group_add_member_op(ops, job->entity, &changed);
	}
	roster_inform(chat, job, ops, &info, STR_NONE);
	job_commit(chat, job);
}

void handle_group_promote(struct chat *chat, struct entity *e, const struct request *r)
{
	struct job *job = job_begin(chat, e, r, true);
	if (!roster_pick(chat, job, job->r.packet.g.ad, member_is_no_admin))
		return;
	if (job->list.n)
		group_write_admins(chat, job, true);
	else
		job_done(chat, job);
}

void handle_group_demote(struct chat *chat, struct entity *e, const struct request *r)
{
	struct job *job = job_begin(chat, e, r, true);
	if (!roster_pick(chat, job, job->r.packet.g.ad, member_is_admin))
		return;
	if (!job->list.n)
		job_done(chat, job);
	else if (strs_count(buf_view(&job->list)) == e->group->admin_n)
		job_refuse(chat, job, REFUSAL_BAD, "A group needs an administrator: '%.*s' would have none.",
			   STR_ARG(e->name));
	else
		group_write_admins(chat, job, false);
}

void handle_group_admins(struct chat *chat, struct entity *e, const struct request *r)
{
	struct buf admins, *out = chat_scratch(chat);
	buf_init(&admins, CHAT_LIST_BYTES_MAX);
	for (size_t i = 0; i < e->group->member_n; i++)
		if (e->group->members[i]->admin)
			strs_add(&admins, e->group->members[i]->name);
	packet_put_admins(out, r->packet.id, e->name, buf_view(&admins));
	reply_send(chat, r->session, buf_view(out));
	buf_deinit(&admins);
}

/* --- the member's own setting --- */

static void group_mute(struct chat *chat, struct entity *e, const struct request *r, int64_t till_ms)
{
	struct job *job = job_begin(chat, e, r, true);
	struct member muted = *group_find(e->group, r->user);
	muted.muted_ms = till_ms;
	group_add_member_op(job_change(chat, job), e, &muted);
	job_commit(chat, job);
}

void handle_mute(struct chat *chat, struct entity *e, const struct request *r)
{
	group_mute(chat, e, r, r->packet.mt.t);
}

void handle_unmute(struct chat *chat, struct entity *e, const struct request *r)
{
	group_mute(chat, e, r, 0);
}
