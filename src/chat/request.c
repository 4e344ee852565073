/* Requests run at the home of the name they are about; their responses go back to the session
 * that asked, whose packets wait meanwhile so that they take effect in order. */
#include "chat/core.h"
#include <stdarg.h>
#include <stdio.h>

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
		entity_pin(chat, e); /* a deletion unpins it for each session */
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
		job->done(job->ctx, refusal, sentence);
		job_free(job);
		return;
	}
	if (!r->session) /* a freeze: nobody asked */
		return;
	struct buf *out = chat_scratch(chat);
	if (refusal == REFUSAL_NONE)
		packet_put_done(out, r->packet.id);
	else
		packet_put_error(out, r->packet.id, refusal, sentence);
	reply_send(chat, r->session, buf_view(out));
}

void request_refuse(struct chat *chat, const struct request *r, enum refusal refusal, const char *fmt, ...)
{
	char sentence[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	request_reply(chat, r, refusal, str_of(sentence));
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
