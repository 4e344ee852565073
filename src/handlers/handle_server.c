/* protocol.md section 11: server requests, time and knock. */
#include "handlers/handler.h"

void handle_server(struct chat *chat, struct session *s, struct packet *p)
{
	struct buf *out = chat_scratch(chat);
	if (str_eq(p->srq.t, STR("t")))
		packet_put_time(out, p->id, chat_wall(chat).ms,
				chat->env->utc_offset_minutes(chat->env->ctx));
	else if (str_eq(p->srq.t, STR("k")))
		packet_put_knock(out, p->id);
	else
		packet_put_server_error(out, p->id, p->srq.t, REFUSAL_BAD,
					STR("Unknown server request: t is 't' (time) or 'k' (knock)."));
	session_respond(chat, s, buf_view(out));
}
