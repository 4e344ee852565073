/* What the files of this folder share: the dispatch table's shape and its functions. */
#pragma once
#include "chat/core.h"
#include "handlers/handlers.h"

enum { BEFORE_LOGIN = 1, ADMIN = 2 };
enum handler_home { SELF, NAMED };

struct handler {
	const char *name;
	unsigned flags;
	enum handler_home home;
	/* SELF: in the session's core. The session may be gone afterwards. */
	void (*session)(struct chat *chat, struct session *s, struct packet *p);
	/* NAMED: what it is about (a name that was checked), or refuses and returns false … */
	bool (*about)(struct chat *chat, struct session *s, const struct packet *p, struct str *about_out);
	/* … and the work, at the home of that name. Must lead to request_reply or commit_done, once. */
	void (*request)(struct chat *chat, struct entity *e, const struct request *r);
};

/* handle_login.c: section 4 */
void handle_login(struct chat *chat, struct session *s, struct packet *p);
void handle_logout(struct chat *chat, struct session *s, struct packet *p);
/* handle_server.c: section 11 */
void handle_server(struct chat *chat, struct session *s, struct packet *p);
/* handle_admin.c: section 11 */
bool handle_admin_about(struct chat *chat, struct session *s, const struct packet *p, struct str *about_out);
void handle_admin(struct chat *chat, struct entity *e, const struct request *r);
/* Holds a name for an import (handlers_hold); the row of PACKET_UNKNOWN, which no client can reach. */
void handle_hold(struct chat *chat, struct entity *e, const struct request *r);
/* handle_message.c: section 12 */
void handle_message(struct chat *chat, struct session *s, struct packet *p);
