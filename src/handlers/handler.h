/* What the files of this folder share: the functions of the dispatch table. */
#pragma once
#include "chat/core.h"
#include "handlers/handlers.h"

enum { BEFORE_LOGIN = 1, ADMIN = 2, MEMBER = 4, GROUP_ADMIN = 8, OWNER = 16 };

/* In the session's core. The session may be gone afterwards. */
typedef void handler_in_session(struct chat *chat, struct session *s, struct packet *p);
/* At the home of the name r->about, which is in memory and READY. Must lead to one answer: by
 * request_refuse or a packet given to reply_send, or by a job (core.h). */
typedef void handler_at_home(struct chat *chat, struct entity *e, const struct request *r);

#define SUBJECT_NONE(function) handler_in_session function;
#define SUBJECT_OWN(function) handler_at_home function;
#define SUBJECT_U(function) handler_at_home function;
#define SUBJECT_I(function) handler_at_home function;
#define SUBJECT_B(function) handler_at_home function;
#define ROW(KIND, select, SUBJECT, needs, flags, function) SUBJECT_##SUBJECT(function)
#include "handlers/handlers.def"
#undef ROW
#undef SUBJECT_NONE
#undef SUBJECT_OWN
#undef SUBJECT_U
#undef SUBJECT_I
#undef SUBJECT_B

/* handle_admin.c: holds a name for an import (handlers_hold); no client can reach it. */
handler_at_home handle_hold;
