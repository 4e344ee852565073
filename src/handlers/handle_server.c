/* protocol.md section 11: server requests, time and knock. */
#include "handlers/handler.h"

void handle_time(struct chat *chat, struct session *s, struct packet *p)
{
	struct buf *out = chat_scratch(chat);
	packet_put_time(out, p->id, chat_wall(chat).ms, chat->env->utc_offset_minutes(chat->env->ctx));
	session_respond(chat, s, buf_view(out));
}

void handle_knock(struct chat *chat, struct session *s, struct packet *p)
{
	struct buf *out = chat_scratch(chat);
	packet_put_knock(out, p->id);
	session_respond(chat, s, buf_view(out));
}
