/* The one way in for packets: read, gates, dispatch by the table. */
#include "handlers/handler.h"

static const struct handler handlers[PACKET_KIND_COUNT] = {
#define HANDLER_SELF(KIND, gates, function) \
	[PACKET_##KIND] = { .name = #KIND, .flags = (gates), .home = SELF, .session = (function) },
#define HANDLER_NAMED(KIND, gates, about_of, function)                                     \
	[PACKET_##KIND] = { .name = #KIND, .flags = (gates), .home = NAMED,                 \
			    .about = (about_of), .request = (function) },
#include "handlers/handlers.def"
#undef HANDLER_SELF
#undef HANDLER_NAMED
	[PACKET_UNKNOWN] = { .name = "HOLD", .home = NAMED, .request = handle_hold },
};

/* An error about a server request is an srp (protocol.md section 3). */
static void dispatch_refuse(struct chat *chat, struct session *s, const struct packet *p,
			    enum refusal code, const char *sentence)
{
	struct buf *out = chat_scratch(chat);
	if (p->kind == PACKET_SRQ)
		packet_put_server_error(out, p->id, p->srq.t, code, str_of(sentence));
	else
		packet_put_error(out, p->id, code, str_of(sentence));
	if (p->kind == PACKET_M)
		chat_count(chat, METRIC_messages_refused_total, 1);
	session_respond(chat, s, buf_view(out));
}

/* Only what can't be parsed counts; the malformed_max-th in a row is answered and hung up on. */
static void dispatch_malformed(struct chat *chat, struct session *s, const struct packet *p)
{
	uint64_t handle = s->handle;
	chat_count(chat, METRIC_packets_malformed_total, 1);
	s->malformed++;
	bool last = s->malformed >= chat->settings->malformed_max;
	struct buf *out = chat_scratch(chat);
	packet_put_error(out, p->id, p->refusal, str_of(p->why));
	chat->env->send(chat->env->ctx, s->handle, out->p, out->n);
	s = session_get(chat, handle);
	if (last && s)
		session_close(chat, s, CLOSE_MALFORMED);
}

static void dispatch_named(struct chat *chat, struct session *s, const struct handler *h,
			   const struct packet *p)
{
	struct request r = { .session = s->handle, .user_born = s->entity->user.born,
			     .user = s->entity->name, .packet = *p };
	if (!h->about(chat, s, p, &r.about))
		return;
	session_hold(chat, s, HOLD_REQUEST);
	request_send(chat, &r);
}

static void dispatch(struct chat *chat, struct session *s, struct packet *p)
{
	const struct handler *h = &handlers[p->kind];
	if (s->state != SESSION_LIVE && !(h->flags & BEFORE_LOGIN))
		dispatch_refuse(chat, s, p, REFUSAL_NOT_LOGGED_IN, "Log in first.");
	else if (p->refusal)
		dispatch_refuse(chat, s, p, p->refusal, p->why);
	else if (h->flags & ADMIN && !s->entity->user.admin)
		dispatch_refuse(chat, s, p, REFUSAL_NOT_ALLOWED, "Only administrators may do that.");
	else if (h->home == NAMED)
		dispatch_named(chat, s, h, p);
	else
		h->session(chat, s, p);
}

void handlers_text(struct chat *chat, uint64_t session, char *text, size_t n)
{
	struct session *s = session_get(chat, session);
	struct packet p;
	if (!s)
		return;
	chat_count(chat, METRIC_packets_received_total, 1);
	if (packet_read(&chat->reader, text, n, &p) == PACKET_MALFORMED) {
		dispatch_malformed(chat, s, &p);
		return;
	}
	s->malformed = 0;
	dispatch(chat, s, &p);
	s = session_get(chat, session);
	if (s) {
		chat_throttle(chat, s);
		session_check_room(chat, s);
	}
}

void handlers_request(struct chat *chat, struct entity *entity, const struct request *request)
{
	handlers[request->packet.kind].request(chat, entity, request);
}
