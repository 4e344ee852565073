/* What arrives in packets: one row of handlers.def per kind, one file per section of
 * protocol.md. The only way in is handlers_text. */
#pragma once
#include "chat/chat.h"

/* Takes one packet of a session (UTF-8; changed in place). Worker thread of the core.
 * An unknown handle is ignored. */
void handlers_text(struct chat *chat, uint64_t session, char *text, size_t n);

/* For chat_config.request_run. */
void handlers_request(struct chat *chat, struct entity *entity, const struct request *request);

/* Operations of the command line, on behalf of the operator, at the home worker of `name`
 * (chat_home). `done` is called once, on the worker's thread, perhaps before this returns. */
enum handlers_admin { ADMIN_CREATE, ADMIN_DELETE, ADMIN_CHANGE };
struct handlers_admin_job {
	enum handlers_admin what;
	struct str name;
	struct str token; /* absent: unchanged (CHANGE) */
	int type;         /* 0 user, 1 admin, -1 unchanged */
	/* refusal NONE: done and durable. The sentence lives until done returns. */
	void (*done)(void *ctx, enum refusal refusal, struct str sentence);
	void *ctx;
};
void handlers_admin(struct chat *chat, const struct handlers_admin_job *job);

/* For `lempctl user import`, all or nothing: holds a name that must not exist yet (nothing else
 * happens to it meanwhile), then either gives it back, or after the caller has stored the users
 * (handlers_import) gives it back and reads it anew. */
void handlers_hold(struct chat *chat, struct str name, void (*done)(void *ctx, enum refusal refusal), void *ctx);
void handlers_unhold(struct chat *chat, struct str name);
/* Stores users whose names are all held, in one transaction; token hashes, not tokens. */
struct handlers_import_row { struct str name, hash; uint8_t type; };
void handlers_import(struct chat *chat, const struct handlers_import_row *rows, size_t n,
		     void (*done)(void *ctx, enum refusal refusal), void *ctx);
