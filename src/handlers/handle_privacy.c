/* protocol.md section 8: whom a user blocks. What that means stands where it matters: router.c, guard.c,
 * presence.c, handle_profile.c. */
#include "handlers/handler.h"

/* The other must be a user, and stay one till the link is written. */
static void privacy_begin(struct chat *chat, struct entity *e, const struct request *r, struct str other,
			  void (*next)(struct chat *, struct job *))
{
	if (str_eq(other, e->name)) {
		request_refuse(chat, r, REFUSAL_BAD, "You cannot block or unblock yourself.");
		return;
	}
	struct job *job = job_begin(chat, e, r, true);
	strs_add(&job->list, other);
	job_ask(chat, job, buf_view(&job->list), next);
}

static void privacy_write(struct chat *chat, struct job *job, const struct store_op *op)
{
	txn_add(job_change(chat, job), op);
	job_commit(chat, job);
}

static void privacy_block(struct chat *chat, struct job *job)
{
	const struct entity *e = job->entity;
	struct str other = job->r.packet.b.u;
	uint64_t born = job_fact(job, other)->born;
	struct store_op op = { .type = OP_LINK_PUT, .link_put = {
		.kind = LINK_BLOCK, .from = e->name, .to = other, .born = born, .text = STR("") } };
	if (entity_blocks(e, other, born))
		job_done(chat, job);
	else if (e->user.blocks.count >= CHAT_BLOCKS_MAX && !entity_blocks(e, other, 0))
		job_refuse(chat, job, REFUSAL_TOO_LONG, "You block %d users, which is the most.",
			   CHAT_BLOCKS_MAX);
	else
		privacy_write(chat, job, &op);
}

void handle_block(struct chat *chat, struct entity *e, const struct request *r)
{
	privacy_begin(chat, e, r, r->packet.b.u, privacy_block);
}

static void privacy_unblock(struct chat *chat, struct job *job)
{
	struct str other = job->r.packet.ub.u;
	struct store_op op = { .type = OP_LINK_DEL,
			       .link_del = { LINK_BLOCK, job->entity->name, other } };
	if (entity_blocks(job->entity, other, 0))
		privacy_write(chat, job, &op);
	else
		job_done(chat, job);
}

void handle_unblock(struct chat *chat, struct entity *e, const struct request *r)
{
	privacy_begin(chat, e, r, r->packet.ub.u, privacy_unblock);
}
