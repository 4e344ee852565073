/* protocol.md sections 6 and 7: state, picture and status of users. To one whom the user blocks he is
 * one who was never seen and has neither (section 8). */
#include "handlers/handler.h"

static bool profile_found(struct chat *chat, const struct entity *e, const struct request *r)
{
	if (e->kind == STORE_USER)
		return true;
	request_refuse(chat, r, REFUSAL_NOT_FOUND, "Not found: user '%.*s'.", STR_ARG(e->name));
	return false;
}

static bool profile_hidden(const struct entity *e, const struct request *r)
{
	return entity_blocks(e, r->user, r->user_born);
}

void handle_state(struct chat *chat, struct entity *e, const struct request *r)
{
	if (!profile_found(chat, e, r))
		return;
	int64_t value = e->user.session_count ? 0 : e->user.last_seen_ms;
	if (profile_hidden(e, r))
		value = -1;
	struct buf *out = chat_scratch(chat);
	packet_put_state(out, r->packet.id, e->name, value);
	reply_send(chat, r->session, buf_view(out));
}

/* --- texts --- */

static void profile_set(struct chat *chat, struct entity *e, const struct request *r,
			enum store_text what, struct str text)
{
	struct store_op op = { .type = OP_TEXT_PUT, .text_put = { e->name, (uint8_t)what, text } };
	struct job *job = job_begin(chat, e, r, true);
	txn_add(job_change(chat, job), &op);
	job_commit(chat, job);
}

/* `next` finds the text in job->rows. */
static void profile_get(struct chat *chat, struct entity *e, const struct request *r,
			enum store_text what, void (*next)(struct chat *, struct job *))
{
	if (!profile_found(chat, e, r))
		return;
	struct job *job = job_begin(chat, e, r, false);
	if (profile_hidden(e, r))
		next(chat, job);
	else
		job_read_text(chat, job, what, next);
}

void handle_picture_set(struct chat *chat, struct entity *e, const struct request *r)
{
	profile_set(chat, e, r, TEXT_PICTURE, r->packet.p.v);
}

void handle_status_set(struct chat *chat, struct entity *e, const struct request *r)
{
	profile_set(chat, e, r, TEXT_STATUS, r->packet.st.s);
}

static void picture_read(struct chat *chat, struct job *job)
{
	struct buf *out = chat_scratch(chat);
	packet_put_picture(out, job->r.packet.id, "u", job->entity->name, buf_view(&job->rows));
	job_respond(chat, job, buf_view(out));
}

void handle_picture_get(struct chat *chat, struct entity *e, const struct request *r)
{
	profile_get(chat, e, r, TEXT_PICTURE, picture_read);
}

static void status_read(struct chat *chat, struct job *job)
{
	struct buf *out = chat_scratch(chat);
	packet_put_status(out, job->r.packet.id, job->entity->name, buf_view(&job->rows));
	job_respond(chat, job, buf_view(out));
}

void handle_status_get(struct chat *chat, struct entity *e, const struct request *r)
{
	profile_get(chat, e, r, TEXT_STATUS, status_read);
}
