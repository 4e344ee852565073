/* Requests run at the home of the name they are about; their responses go back to the session
 * that asked, whose packets wait meanwhile so that they take effect in order. */
#include "chat/core.h"
#include <stdlib.h>

void request_send(struct chat *chat, const struct request *r)
{
	unsigned home = chat_home(r->about, chat->workers);
	if (home == chat->worker)
		request_accept(chat, r);
	else
		chat_post(chat, home, POST_REQUEST, r);
}

void request_accept(struct chat *chat, const struct request *r)
{
	struct entity *e = entity_get(chat, r->about);
	if (entity_ready(e)) {
		entity_pin(e); /* a deletion unpins it for each session */
		chat->request_run(chat, e, r);
		entity_unpin(chat, e);
	} else {
		entity_wait(chat, e, POST_REQUEST, r);
	}
}

void request_reply(struct chat *chat, const struct request *r, enum refusal refusal, struct str sentence)
{
	if (r->job) {
		struct job *job = job_get(chat, r->job);
		CHECK(job);
		list_remove(&job->node);
		job->done(job->ctx, refusal, sentence);
		job_free(job);
		return;
	}
	struct buf *out = chat_scratch(chat);
	if (refusal == REFUSAL_NONE)
		packet_put_done(out, r->packet.id);
	else
		packet_put_error(out, r->packet.id, refusal, sentence);
	reply_send(chat, r->session, buf_view(out));
}

void reply_send(struct chat *chat, uint64_t session, struct str text)
{
	struct reply reply = { session, text };
	if (session_worker(session) == chat->worker)
		reply_apply(chat, &reply);
	else
		chat_post(chat, session_worker(session), POST_REPLY, &reply);
}

void reply_apply(struct chat *chat, const struct reply *reply)
{
	struct session *s = session_get(chat, reply->session);
	if (!s)
		return;
	session_respond(chat, s, reply->text);
	session_unhold(chat, s, HOLD_REQUEST);
}

struct job *job_new(struct chat *chat)
{
	struct job *job = calloc(1, sizeof(*job));
	CHECK(job);
	job->id = ++chat->next_job;
	buf_init(&job->request, 1 << 16);
	list_append(&chat->jobs, &job->node);
	return job;
}

struct job *job_get(struct chat *chat, uint64_t id)
{
	LIST_EACH_SAFE(&chat->jobs, it, tmp)
		if (LIST_ENTRY(it, struct job, node)->id == id)
			return LIST_ENTRY(it, struct job, node);
	return NULL;
}

void job_free(struct job *job)
{
	list_remove(&job->node);
	buf_deinit(&job->request);
	free(job);
}

void chat_hashed(struct chat *chat, uint64_t id, struct str hash)
{
	struct job *job = job_get(chat, id);
	CHECK(job && job->hashed);
	job->hashed(chat, job, hash);
}
