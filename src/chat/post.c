#include "chat/post.h"
#include "base/check.h"

struct post_head { uint32_t bytes; uint32_t kind; };

#define POST_VIEWS_MAX 24

static const size_t post_body_bytes[] = {
	[POST_MAIL] = sizeof(struct mail_in),      [POST_ANSWER] = sizeof(struct answer),
	[POST_REQUEST] = sizeof(struct request),   [POST_REPLY] = sizeof(struct reply),
	[POST_LOGIN] = sizeof(struct login_wait),  [POST_BARRIER] = sizeof(struct barrier),
	[POST_BARRIER_BACK] = sizeof(struct barrier),
};

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
	case POST_BARRIER:
	case POST_BARRIER_BACK:
		break;
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

bool post_next(struct str bytes, size_t *cursor, struct post *out)
{
	struct post_head head;
	if (*cursor == bytes.n)
		return false;
	CHECK(bytes.n - *cursor >= sizeof(head));
	memcpy(&head, bytes.p + *cursor, sizeof(head));
	CHECK(head.kind <= POST_BARRIER_BACK && head.bytes <= bytes.n - *cursor);
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
