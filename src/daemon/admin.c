#include "daemon/admin_private.h"
#include "base/log.h"
#include "net/listener.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384
#define OUT_BYTES_MAX ((size_t)64 << 20)

struct admin {
	struct daemon *daemon;
	struct loop_io io; /* listens; fd -1: no more */
	struct list clients;
	unsigned client_n, job_n;
	char path[CONFIG_SOCKET_PATH_MAX];
};

struct admin_client {
	struct loop_io io;
	struct admin *admin;
	struct list node;
	struct buf in, out;
	size_t out_at;
	struct admin_job *job;
	bool looking;     /* client_next runs */
	struct buf *body; /* where the next body_left bytes go */
	size_t body_left;
};

static const struct admin_command commands[] = {
	{ "user add", users_add, true, true },
	{ "user del", users_del, true, false },
	{ "user token", users_token, true, true },
	{ "user list", users_list, false, false },
	{ "user show", users_show, true, false },
	{ "user import", import_begin, false, false },
	{ "session list", sessions_list, false, false },
	{ "session kick", sessions_kick, true, false },
	{ "stats", sessions_stats, false, false },
	{ "backup", backup_begin, true, false },
};

/* --- jobs --- */

struct admin_job *admin_job_of(struct task *task)
{
	return LIST_ENTRY(task, struct admin_job, task);
}

static void job_free(struct admin_job *job)
{
	job->daemon->admin->job_n--;
	if (job->client)
		job->client->job = NULL;
	if (job->free_state)
		job->free_state(job->state);
	if (job->token.p)
		token_forget((char *)(uintptr_t)job->token.p, job->token.n);
	json_decref(job->request);
	free(job);
}

void admin_at(struct admin_job *job, unsigned worker, void (*run)(struct task *task, struct worker *w))
{
	task_push(&job->daemon->all.worker[worker].inbox, &job->task, run);
}

void admin_at_home(struct admin_job *job, void (*run)(struct task *task, struct worker *w))
{
	admin_at(job, chat_home(job->name, job->daemon->all.n), run);
}

void admin_back(struct admin_job *job, void (*run)(struct task *task, struct worker *none))
{
	task_push(&job->daemon->inbox, &job->task, run);
}

json_t *admin_text(struct str s)
{
	json_t *text = json_stringn(s.p ? s.p : "", s.n);
	return text ? text : json_string("?"); /* was no UTF-8: damaged data */
}

/* --- clients --- */

static void client_free(struct admin_client *c)
{
	struct admin_job *job = c->job;
	loop_remove(c->admin->daemon->loop, &c->io);
	close(c->io.fd);
	token_forget(c->in.p, c->in.cap); /* tokens went through */
	buf_deinit(&c->in);
	buf_deinit(&c->out);
	list_remove(&c->node);
	c->admin->client_n--;
	free(c);
	if (!job)
		return;
	job->client = NULL;
	if (job->go_on)
		job_free(job);
}

static void watch(struct admin_client *c)
{
	bool full = c->job && c->in.n >= ADMIN_LINE_MAX && !c->body_left;
	loop_change(c->admin->daemon->loop, &c->io, !full, c->out.n > c->out_at);
}

/* False: the client is gone. */
static bool client_write(struct admin_client *c)
{
	while (c->out.n > c->out_at) {
		ssize_t n = send(c->io.fd, c->out.p + c->out_at, c->out.n - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			return false;
		c->out_at += (size_t)n;
	}
	buf_clear(&c->out);
	c->out_at = 0;
	return true;
}

static int append(const char *bytes, size_t n, void *ctx)
{
	buf_add(ctx, bytes, n);
	return 0;
}

void admin_say(struct admin_job *job, json_t *line)
{
	struct admin_client *c = job->client;
	if (c) {
		buf_consume(&c->out, c->out_at);
		c->out_at = 0;
		(void)json_dump_callback(line, append, &c->out, JSON_COMPACT); /* out.failed tells */
		BUF_LIT(&c->out, "\n");
		watch(c); /* it goes out when the loop finds room */
	}
	json_decref(line);
}

bool admin_drained(const struct admin_job *job)
{
	return !job->client || job->client->out.n == job->client->out_at;
}

static void client_next(struct admin_client *c);

void admin_finish(struct admin_job *job, json_t *last)
{
	struct admin_client *c = job->client;
	admin_say(job, last);
	job_free(job);
	if (c)
		client_next(c);
}

void admin_refuse(struct admin_job *job, const char *code, const char *sentence)
{
	admin_finish(job, json_pack("{ss ss}", "error", sentence, "code", code));
}

void admin_finish_refusal(struct admin_job *job)
{
	static const char *const sentences[REFUSAL_COUNT] = {
		[REFUSAL_UNAVAILABLE] = "The storage is not available now.",
		[REFUSAL_FAILED] = "The server failed.",
	};
	const char *usual = sentences[job->refusal];
	if (job->refusal == REFUSAL_NONE)
		admin_finish(job, json_pack("{sb}", "ok", 1));
	else
		admin_refuse(job, refusal_codes[job->refusal],
			     job->sentence[0] ? job->sentence : usual ? usual : "Refused.");
}

/* --- requests --- */

static struct str text_of(const json_t *request, const char *key)
{
	const json_t *text = json_object_get(request, key);
	return json_is_string(text) ? (struct str){ json_string_value(text), json_string_length(text) }
				    : STR_NONE;
}

static void begin(struct admin_job *job)
{
	struct str command = text_of(job->request, "command");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!str_eq(command, str_of(commands[i].name)))
			continue;
		if ((commands[i].wants_name && !job->name.p) || (commands[i].wants_token && !job->token.p))
			admin_refuse(job, "400", "A name or token is missing.");
		else
			commands[i].begin(job);
		return;
	}
	admin_refuse(job, "400", "Unknown command.");
}

static void client_line(struct admin_client *c, struct str line)
{
	struct admin_job *job = calloc(1, sizeof(*job));
	CHECK(job);
	job->daemon = c->admin->daemon;
	job->client = c;
	job->request = json_loadb(line.p, line.n, 0, NULL);
	job->name = text_of(job->request, "name");
	job->token = text_of(job->request, "token");
	c->job = job;
	c->admin->job_n++;
	if (json_is_object(job->request))
		begin(job);
	else
		admin_refuse(job, "400", "A request is one JSON object a line.");
}

/* Looks at the lines that came, until one takes its time. */
static void client_next(struct admin_client *c)
{
	char line[ADMIN_LINE_MAX], *end;
	if (c->looking) /* by client_line and admin_finish */
		return;
	c->looking = true;
	while (!c->job && c->admin->io.fd >= 0 && c->in.n &&
	       (end = memchr(c->in.p, '\n', c->in.n))) {
		size_t n = (size_t)(end - c->in.p);
		memcpy(line, c->in.p, n);
		buf_consume(&c->in, n + 1);
		client_line(c, (struct str){ line, n });
		token_forget(line, n);
	}
	c->looking = false;
}

void admin_read_body(struct admin_job *job, struct buf *to, size_t bytes,
		     void (*go_on)(struct admin_job *job))
{
	struct admin_client *c = job->client;
	size_t here = c->in.n < bytes ? c->in.n : bytes;
	buf_add(to, c->in.p, here);
	buf_consume(&c->in, here);
	c->body = to;
	c->body_left = bytes - here;
	job->go_on = go_on;
	watch(c);
}

/* False: the client is gone, or says more in one line than any request needs. */
static bool client_read(struct admin_client *c)
{
	struct buf *to = c->body_left ? c->body : &c->in;
	size_t want = c->body_left ? c->body_left : ADMIN_LINE_MAX - c->in.n;
	want = want < READ_BYTES ? want : READ_BYTES;
	if (want == 0)
		return c->job != NULL;
	char *at = buf_reserve(to, want);
	if (!at)
		return false;
	ssize_t n = recv(c->io.fd, at, want, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	buf_commit(to, (size_t)n);
	if (c->body_left)
		c->body_left -= (size_t)n;
	return true;
}

static void client_ready(struct loop_io *io, bool readable, bool writable)
{
	struct admin_client *c = LIST_ENTRY(io, struct admin_client, io);
	if ((writable && !client_write(c)) || (readable && !client_read(c)) || c->out.failed) {
		client_free(c);
		return;
	}
	struct admin_job *job = c->job;
	if (job && job->go_on && !c->body_left && admin_drained(job)) {
		void (*go_on)(struct admin_job *) = job->go_on;
		job->go_on = NULL;
		go_on(job);
	}
	client_next(c);
	watch(c);
}

static void accept_ready(struct loop_io *io, bool readable, bool writable)
{
	struct admin *admin = LIST_ENTRY(io, struct admin, io);
	(void)readable;
	(void)writable;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct admin_client *c = calloc(1, sizeof(*c));
	CHECK(c);
	c->io = (struct loop_io){ .fd = fd, .ready = client_ready };
	if (admin->client_n == ADMIN_CLIENTS_MAX || loop_add(admin->daemon->loop, &c->io, true, false)) {
		LOG(WARN, "admin_refused", LOG_INT("clients", admin->client_n));
		close(fd);
		free(c);
		return;
	}
	c->admin = admin;
	buf_init(&c->in, ADMIN_LINE_MAX);
	buf_init(&c->out, OUT_BYTES_MAX);
	list_append(&admin->clients, &c->node);
	admin->client_n++;
}

/* --- life --- */

int admin_open(struct daemon *d, struct admin **admin_out, char *why, size_t why_size)
{
	char address[CONFIG_SOCKET_PATH_MAX + 8], what[128] = "";
	struct admin *admin = calloc(1, sizeof(*admin));
	CHECK(admin);
	admin->daemon = d;
	list_init(&admin->clients);
	CHECK(config_admin_socket(d->config, admin->path) == OK); /* config_check saw to it */
	snprintf(address, sizeof(address), "unix:%s", admin->path);
	int fd = listen_open(str_of(address), false, what, sizeof(what)); /* 0600 by the umask */
	admin->io = (struct loop_io){ .fd = fd, .ready = accept_ready };
	if (fd >= 0 && loop_add(d->loop, &admin->io, true, false) == OK) {
		*admin_out = admin;
		return OK;
	}
	snprintf(why, why_size, "cannot listen on %s: %s", address, fd < 0 ? what : "no memory");
	free(admin);
	if (fd < 0)
		return fd;
	close(fd);
	return ERR_NOMEM;
}

void admin_leave(struct admin *admin)
{
	if (admin->io.fd < 0)
		return;
	loop_remove(admin->daemon->loop, &admin->io);
	close(admin->io.fd);
	admin->io.fd = -1;
	unlink(admin->path);
	LIST_EACH_SAFE(&admin->clients, it, next) {
		struct admin_client *c = LIST_ENTRY(it, struct admin_client, node);
		/* What takes long ends by itself when nobody hears it; the rest may still be answered. */
		if (!c->job || c->job->free_state)
			client_free(c);
	}
}

bool admin_idle(const struct admin *admin)
{
	return admin->job_n == 0;
}

void admin_close(struct admin **admin_slot)
{
	struct admin *admin = *admin_slot;
	if (!admin)
		return;
	admin_leave(admin);
	LIST_EACH_SAFE(&admin->clients, it, next)
		client_free(LIST_ENTRY(it, struct admin_client, node));
	free(admin);
	*admin_slot = NULL;
}
