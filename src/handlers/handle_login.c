/* protocol.md section 4: login and logout. The steps of a login stand in chat/login.c. */
#include "handlers/handler.h"

void handle_login(struct chat *chat, struct session *s, struct packet *p)
{
	if (s->state != SESSION_NEW)
		session_refuse(chat, s, p->id, REFUSAL_BAD, "This connection is logged in already.");
	else
		login_begin(chat, s, p->id, p->a.i, p->a.t);
}

void handle_logout(struct chat *chat, struct session *s, struct packet *p)
{
	(void)p;
	session_close(chat, s, CLOSE_LOGOUT);
}
