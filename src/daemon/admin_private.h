/* What admin.c, admin_users.c, admin_sessions.c and admin_import.c share. */
#pragma once
#include "daemon/admin.h"
#include "daemon/daemon.h"
#include "handlers/handlers.h"
#include <jansson.h>

#define ADMIN_PAGE_ROWS 1000 /* of one line of an answer */

struct admin_client;

/* A request under way. It belongs to main, or to the worker that its task was pushed to. */
struct admin_job {
	struct task task;
	struct daemon *daemon;
	struct admin_client *client; /* main only; NULL: gone, nobody hears the answer */
	json_t *request;
	struct str name, token;      /* of the request; absent if they are not there */
	/* Main only. What to do when the client has read what was sent; while it is set the job
	 * waits for its client, and ends with it. */
	void (*go_on)(struct admin_job *job);
	void *state;                 /* what the command keeps beside … */
	void (*free_state)(void *state); /* … if it does */
	/* What a worker found out. */
	enum refusal refusal;
	char sentence[512];
};

/* One row a command. */
struct admin_command {
	const char *name;
	void (*begin)(struct admin_job *job);
	bool wants_name, wants_token;
};

/* Send a line of the answer; the reference to `line` is taken. The last one ends the job. */
void admin_say(struct admin_job *job, json_t *line);
void admin_finish(struct admin_job *job, json_t *last);
void admin_refuse(struct admin_job *job, const char *code, const char *sentence);
/* Says {"ok":true} or what refused the job. */
void admin_finish_refusal(struct admin_job *job);
/* Has everything said so far been read? */
bool admin_drained(const struct admin_job *job);
/* Go on at the home of the name; at a worker; back on main. */
void admin_at_home(struct admin_job *job, void (*run)(struct task *task, struct worker *w));
void admin_at(struct admin_job *job, unsigned worker, void (*run)(struct task *task, struct worker *w));
void admin_back(struct admin_job *job, void (*run)(struct task *task, struct worker *none));
struct admin_job *admin_job_of(struct task *task);
json_t *admin_text(struct str s); /* a JSON string */
/* Reads `bytes` of what the client sends into `to`, then calls go_on. */
void admin_read_body(struct admin_job *job, struct buf *to, size_t bytes,
		     void (*go_on)(struct admin_job *job));

/* admin_users.c */
void users_add(struct admin_job *job);
void users_del(struct admin_job *job);
void users_token(struct admin_job *job);
void users_list(struct admin_job *job);
void users_show(struct admin_job *job);
/* admin_sessions.c */
void sessions_list(struct admin_job *job);
void sessions_kick(struct admin_job *job);
void sessions_stats(struct admin_job *job);
/* Sessions as bytes: how a worker tells main of them. */
void sessions_gather(struct worker *w, struct str user, struct buf *out); /* user absent: all */
/* The next one as JSON; NULL at the end. */
json_t *sessions_next(struct str gathered, size_t *cursor);
/* admin_import.c */
void import_begin(struct admin_job *job);
/* admin_backup.c */
void backup_begin(struct admin_job *job);
