/* protocol.md section 12: messages and receipts, as far as their sender's core is concerned. */
#include "handlers/handler.h"

/* Why a message is none, or NULL. */
static const char *message_fault(const struct packet_m *m)
{
	int parts = (m->c.p != NULL) + (m->dm.p != NULL) + (m->nm.p != NULL);
	if (m->sr.p)
		return "Only the server sends server receipts.";
	if (parts > 1)
		return "A message is content (c), dm or nm, not several.";
	if (parts == 0)
		return "A message needs content (c), dm or nm.";
	if (m->c.p && !m->r.p)
		return "A message needs a receiver (r).";
	return NULL;
}

static bool message_type_known(struct str t)
{
	if (t.n == 1)
		return memchr("tpval", t.p[0], 5) != NULL;
	return t.n >= 3 && t.n <= 32 && t.p[0] == 'x' && t.p[1] == '-';
}

static void message_pass(struct chat *chat, struct session *s, struct packet *p)
{
	struct user *u = &s->entity->user;
	if (p->m.st < 0)
		p->m.st = chat_wall(chat).ms;
	struct buf *text = chat_scratch(chat);
	packet_put_message(text, p, s->entity->name, p->m.r);
	struct mail_in mail = {
		.session = s->handle, .sender_born = u->born,
		.flags = p->m.pc == 0 ? MAIL_NO_PC : 0, .stored = p->m.p != 0,
		.want_sr = p->m.sc != 0, .sender = s->entity->name, .target = p->m.r,
		.id = p->m.id, .text = buf_view(text),
	};
	router_send(chat, &mail);
}

void handle_message(struct chat *chat, struct session *s, struct packet *p)
{
	const char *fault = message_fault(&p->m);
	if (!fault && p->m.c.p && p->m.t.p && !message_type_known(p->m.t))
		fault = "Unknown message type: t is t, p, v, a, l or begins with x-.";
	if (fault)
		session_refuse(chat, s, p->m.id, REFUSAL_BAD, fault);
	else if (p->m.dm.p)
		receipt_take(chat, s, p, ACK_DM);
	else if (p->m.nm.p)
		receipt_take(chat, s, p, ACK_NM);
	else
		message_pass(chat, s, p);
}
