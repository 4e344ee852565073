#include "chat/post.h"
#include "base/check.h"

struct post_head { uint32_t bytes; uint32_t kind; };

#define POST_VIEWS_MAX 24

static const size_t post_body_bytes[] = {
	[POST_MAIL] = sizeof(struct mail_in),      [POST_ANSWER] = sizeof(struct answer),
	[POST_REQUEST] = sizeof(struct request),   [POST_REPLY] = sizeof(struct reply),
	[POST_LOGIN] = sizeof(struct login_wait),  [POST_BARRIER] = sizeof(struct barrier),
	[POST_BARRIER_BACK] = sizeof(struct barrier), [POST_ASK] = sizeof(struct guard_ask),
	[POST_FACTS] = sizeof(struct guard_facts), [POST_UNGUARD] = sizeof(struct unguard),
	[POST_FREEZE] = sizeof(struct freeze),     [POST_FROZEN] = sizeof(struct frozen),
	[POST_THAW] = sizeof(struct thaw),         [POST_FORGET] = sizeof(struct forget),
	[POST_OWN] = sizeof(struct own),           [POST_COPY] = sizeof(struct copy),
	[POST_FAN] = sizeof(struct fan_slice),
	[POST_FANNED] = sizeof(struct fanned),     [POST_RECOVERED] = sizeof(struct recovered),
	[POST_PRESENCE] = sizeof(struct presence),
};

/* The views of posts between jobs, groups and followers. */
static unsigned post_views_of_many(enum post_kind kind, void *body, struct str **out)
{
	unsigned n = 0;
	struct guard_ask *ask = body;
	struct guard_facts *facts = body;
	struct freeze *freeze = body;
	struct fan_slice *fan = body;
	struct presence *presence = body;
	if (kind == POST_ASK) {
		out[n++] = &ask->user;
		out[n++] = &ask->names;
	} else if (kind == POST_FACTS) {
		out[n++] = &facts->names;
		out[n++] = &facts->facts;
	} else if (kind == POST_UNGUARD) {
		out[n++] = &((struct unguard *)body)->names;
	} else if (kind == POST_FREEZE) {
		out[n++] = &freeze->user;
		out[n++] = &freeze->group;
	} else if (kind == POST_FROZEN) {
		out[n++] = &((struct frozen *)body)->ops;
	} else if (kind == POST_FORGET) {
		out[n++] = &((struct forget *)body)->user;
		out[n++] = &((struct forget *)body)->blockers;
	} else if (kind == POST_OWN) {
		out[n++] = &((struct own *)body)->owner;
		out[n++] = &((struct own *)body)->broadcast;
	} else if (kind == POST_FAN) {
		out[n++] = &fan->sender;
		out[n++] = &fan->target;
		out[n++] = &fan->id;
		out[n++] = &fan->text;
		out[n++] = &fan->receivers;
	} else if (kind == POST_PRESENCE) {
		out[n++] = &presence->user;
		out[n++] = &presence->followers;
	}
	return n;
}

/* The views of a body, in the order their bytes are written. */
static unsigned post_views(enum post_kind kind, void *body, struct str **out)
{
	unsigned n = 0;
	struct mail_in *mail = body;
	struct answer *answer = body;
	struct request *request = body;
	switch (kind) {
	case POST_MAIL:
		out[n++] = &mail->sender;
		out[n++] = &mail->target;
		out[n++] = &mail->id;
		out[n++] = &mail->ack_id;
		out[n++] = &mail->text;
		break;
	case POST_ANSWER:
		out[n++] = &answer->sender;
		out[n++] = &answer->id;
		out[n++] = &answer->target;
		break;
	case POST_REQUEST:
		out[n++] = &request->user;
		out[n++] = &request->about;
		n += packet_views(&request->packet, out + n);
		break;
	case POST_REPLY:
		out[n++] = &((struct reply *)body)->text;
		break;
	case POST_LOGIN:
		out[n++] = &((struct login_wait *)body)->who;
		break;
	default:
		n = post_views_of_many(kind, body, out);
	}
	CHECK(n <= POST_VIEWS_MAX);
	return n;
}

void post_put(struct buf *to, enum post_kind kind, const void *body)
{
	union { struct request request; struct mail_in mail; } copy; /* the largest bodies */
	struct str *views[POST_VIEWS_MAX];
	size_t body_n = post_body_bytes[kind];
	CHECK(body_n <= sizeof(copy));
	memcpy(&copy, body, body_n);
	unsigned view_n = post_views(kind, &copy, views);
	size_t bytes = sizeof(struct post_head) + body_n;
	for (unsigned i = 0; i < view_n; i++)
		bytes += views[i]->n;
	size_t padded = (bytes + 7) & ~(size_t)7; /* heads stay aligned */
	char *p = buf_reserve(to, padded);
	CHECK(p && padded <= UINT32_MAX); /* who posts has credit for it */
	struct post_head head = { (uint32_t)padded, kind };
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), body, body_n);
	char *at = p + sizeof(head) + body_n;
	for (unsigned i = 0; i < view_n; i++) {
		if (views[i]->n)
			memcpy(at, views[i]->p, views[i]->n);
		at += views[i]->n;
	}
	memset(at, 0, padded - bytes);
	buf_commit(to, padded);
}

void post_of(enum post_kind kind, const void *body, struct post *out)
{
	out->kind = kind;
	memcpy(&out->mail, body, post_body_bytes[kind]);
}

bool post_next(struct str bytes, size_t *cursor, struct post *out)
{
	struct post_head head;
	if (*cursor == bytes.n)
		return false;
	CHECK(bytes.n - *cursor >= sizeof(head));
	memcpy(&head, bytes.p + *cursor, sizeof(head));
	CHECK(head.kind <= POST_PRESENCE && head.bytes <= bytes.n - *cursor);
	struct str *views[POST_VIEWS_MAX];
	const char *at = bytes.p + *cursor + sizeof(head);
	out->kind = head.kind;
	memcpy(&out->mail, at, post_body_bytes[head.kind]);
	at += post_body_bytes[head.kind];
	unsigned view_n = post_views(out->kind, &out->mail, views);
	for (unsigned i = 0; i < view_n; i++) {
		if (views[i]->p) /* absent stays absent */
			views[i]->p = at;
		at += views[i]->n;
	}
	*cursor += head.bytes;
	return true;
}
