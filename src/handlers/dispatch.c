/* The one way in for packets: read, gates, dispatch by the table. */
#include "handlers/roster.h"
#include <stdio.h>

/* Members that may say what a request is about. */
enum { SUBJECT_IS_U = 1, SUBJECT_IS_I = 2, SUBJECT_IS_B = 4 };
static const struct { struct str key; unsigned bit; } subjects[] = {
	{ { "u", 1 }, SUBJECT_IS_U }, { { "i", 1 }, SUBJECT_IS_I }, { { "b", 1 }, SUBJECT_IS_B },
};

struct handler {
	enum packet_kind kind;
	const char *select, *needs;
	unsigned flags;
	unsigned subject;                     /* SUBJECT_IS_…; 0: none or the asker himself */
	handler_in_session *session;          /* one of the two */
	handler_at_home *home;
};

#define SUBJECT_NONE(function) .session = (function)
#define SUBJECT_OWN(function) .home = (function)
#define SUBJECT_U(function) .subject = SUBJECT_IS_U, .home = (function)
#define SUBJECT_I(function) .subject = SUBJECT_IS_I, .home = (function)
#define SUBJECT_B(function) .subject = SUBJECT_IS_B, .home = (function)
static const struct handler handlers[] = {
#define ROW(KIND, selects, SUBJECT, must, gates, function) \
	{ .kind = PACKET_##KIND, .select = (selects), .needs = (must), .flags = (gates),   \
	  SUBJECT_##SUBJECT(function) },
#include "handlers/handlers.def"
#undef ROW
};
#define HANDLER_COUNT (sizeof(handlers) / sizeof(handlers[0]))

/* --- which row --- */

static unsigned dispatch_subjects(const struct packet *p, struct str *about_out)
{
	unsigned bits = 0;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct str name = packet_member(p, subjects[i].key);
		if (!name.p)
			continue;
		bits |= subjects[i].bit;
		*about_out = name;
	}
	return bits;
}

/* The subjects that rows of a kind have. */
static unsigned dispatch_used(enum packet_kind kind)
{
	unsigned used = 0;
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		used |= handlers[i].kind == kind ? handlers[i].subject : 0;
	return used;
}

/* The row of a packet, or NULL and what is wrong with it. Backwards: messages stand last. */
static const struct handler *dispatch_find(const struct packet *p, struct str *about_out,
					   const char **why_out)
{
	unsigned used = 0, there = 0;
	bool selected = false;
	for (size_t i = HANDLER_COUNT; i-- > 0;) {
		const struct handler *h = &handlers[i];
		if (h->kind != p->kind ||
		    (*h->select && !str_eq(packet_selector(p), str_of(h->select))))
			continue;
		if (!*h->select && !h->subject) /* the only one of its kind */
			return h;
		if (!selected) {
			used = dispatch_used(p->kind);
			there = dispatch_subjects(p, about_out) & used;
			selected = true;
		}
		if (h->subject == there)
			return h;
	}
	*why_out = selected ? "It is not clear whom this is about: wrong or missing u, i or b."
			    : "Unknown request.";
	return NULL;
}

/* The first of the members a row needs that is not there, or an absent string. */
static struct str dispatch_missing(const struct handler *h, const struct packet *p)
{
	for (const char *at = h->needs; *at; at += *at == ' ') {
		size_t n = strcspn(at, " ");
		if (!packet_member(p, (struct str){ at, n }).p)
			return (struct str){ at, n };
		at += n;
	}
	return STR_NONE;
}

/* --- gates --- */

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

static void dispatch_refuse_missing(struct chat *chat, struct session *s, const struct packet *p,
				    struct str member)
{
	char sentence[64];
	snprintf(sentence, sizeof(sentence), "'%.*s' is missing.", STR_ARG(member));
	dispatch_refuse(chat, s, p, REFUSAL_BAD, sentence);
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

static void dispatch_home(struct chat *chat, struct session *s, const struct handler *h,
			  const struct packet *p, struct str about)
{
	struct request r = { .session = s->handle, .user_born = s->entity->user.born,
			     .user = s->entity->name, .packet = *p,
			     .about = h->subject ? about : s->entity->name };
	if (p->kind == PACKET_RQ_BR && str_eq(packet_selector(p), STR("c"))) {
		/* Another session of his may write to it before this one hears that it is there. */
		struct own own = { 1, s->entity->name, about };
		entity_note_own(s->entity, &own);
	}
	session_hold(chat, s, HOLD_REQUEST);
	request_send(chat, &r);
}

static void dispatch(struct chat *chat, struct session *s, struct packet *p)
{
	struct str about = STR_NONE, missing;
	const char *why;
	const struct handler *h = p->refusal ? NULL : dispatch_find(p, &about, &why);
	bool live = s->state == SESSION_LIVE;
	if (!live && !(h && h->flags & BEFORE_LOGIN) && p->kind != PACKET_RQ_A)
		dispatch_refuse(chat, s, p, REFUSAL_NOT_LOGGED_IN, "Log in first.");
	else if (p->refusal)
		dispatch_refuse(chat, s, p, p->refusal, p->why);
	else if (!h)
		dispatch_refuse(chat, s, p, REFUSAL_BAD, why);
	else if (h->flags & ADMIN && !s->entity->user.admin)
		dispatch_refuse(chat, s, p, REFUSAL_NOT_ALLOWED, "Only administrators may do that.");
	else if ((missing = dispatch_missing(h, p)).p)
		dispatch_refuse_missing(chat, s, p, missing);
	else if (h->home)
		dispatch_home(chat, s, h, p, about);
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
	struct str about;
	const char *why;
	if (request->packet.kind == PACKET_UNKNOWN) {
		handle_hold(chat, entity, request);
		return;
	}
	const struct handler *h = dispatch_find(&request->packet, &about, &why);
	unsigned right = h->flags & (MEMBER | GROUP_ADMIN | OWNER);
	if (!h->subject && (entity->kind != STORE_USER || entity->user.born != request->user_born))
		request_refuse(chat, request, REFUSAL_NOT_FOUND, "Not found: user '%.*s'.",
			       STR_ARG(entity->name)); /* deleted while it waited */
	else if (!right || roster_allows(chat, entity, request, right))
		h->home(chat, entity, request);
}
