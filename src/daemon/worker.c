#include "daemon/worker.h"
#include "base/log.h"
#include "handlers/handlers.h"
#include <stdio.h>
#include <stdlib.h>

#define CLOSE_MS 5000          /* waiting for the peer's close frame */
#define CLOSE_LEAVING_MS 2000  /* the same when the server shuts down */

/* --- life --- */

static void wake(void *ctx)
{
	loop_wake(ctx);
}

int worker_init(struct worker *w, struct workers *all, unsigned index)
{
	w->all = all;
	w->index = index;
	list_init(&w->reads);
	w->loop = loop_create();
	if (!w->loop)
		return ERR_NOMEM;
	inbox_init(&w->inbox, wake, w->loop);
	return OK;
}

void worker_use(struct worker *w, struct config *config)
{
	const struct config *c = config_ref(config);
	config_unref(&w->config);
	w->config = config;
	w->net_settings = (struct net_settings){
		.http = { .path = str_of(c->server_path), .origins = c->auth_allowed_origins.item,
			  .origin_count = c->auth_allowed_origins.n, .subprotocol = STR("lemp") },
		.message_max = (size_t)c->limits_max_packet,
		.send_buffer = (size_t)c->limits_send_buffer,
		.handshake_ms = c->limits_login_timeout,
		.ping_interval_ms = c->limits_ping_interval,
		.ping_timeout_ms = c->limits_ping_timeout,
		.stall_ms = c->limits_stall_timeout,
		.close_ms = CLOSE_MS,
		.stall_code = close_rows[CLOSE_TOO_SLOW].code,
		.binary_code = close_rows[CLOSE_BINARY].code,
	};
	chat_settings_default(&w->chat_settings);
	w->chat_settings.login_timeout_ms = c->limits_login_timeout;
	w->chat_settings.ack_ping_ms = c->delivery_ack_ping_delay;
	w->chat_settings.max_login_failures = (unsigned)c->limits_max_login_failures;
	w->chat_settings.max_sessions = (unsigned)c->limits_max_sessions;
	w->chat_settings.max_group_members = (unsigned)c->limits_max_group_members;
	w->chat_settings.mailbox_max_messages = (uint32_t)c->limits_mailbox_max_messages;
	w->chat_settings.mailbox_max_bytes = (uint64_t)c->limits_mailbox_max_bytes;
	w->chat_settings.max_packet = (size_t)c->limits_max_packet;
	w->chat_settings.send_buffer = (size_t)c->limits_send_buffer;
	w->chat_settings.names_ascii = c->limits_names == CONFIG_NAMES_ASCII;
}

int worker_open(struct worker *w, struct config *config)
{
	worker_use(w, config);
	worker_env_init(w);
	w->net = net_create(w->loop, &w->net_settings, &worker_net_handler, w, &w->metrics);
	if (!w->net)
		return ERR_NOMEM;
	struct chat_config chat = {
		.worker = w->index, .workers = w->all->n, .env = &w->env,
		.settings = &w->chat_settings, .store = w->all->store, .metrics = &w->metrics,
		.request_run = handlers_request,
	};
	w->chat = chat_create(&chat);
	return w->chat ? OK : ERR_NOMEM;
}

int worker_listen(struct worker *w, int fd)
{
	CHECK(w->listener_n < CONFIG_LIST_MAX);
	struct listener *l = listener_create(w->loop, w->net, fd, worker_admit, w);
	if (!l)
		return ERR_NOMEM;
	w->listeners[w->listener_n++] = l;
	return OK;
}

/* --- a turn --- */

void worker_read(struct worker *w, struct worker_read *read)
{
	list_append(&w->reads, &read->node);
	store_read(w->all->store, w->index, &read->read);
}

/* Was it somebody else's read than the core's? There are few of them at a time. */
static bool read_back(struct worker *w, struct inbox_node *node)
{
	LIST_EACH_SAFE(&w->reads, it, next) {
		struct worker_read *read = LIST_ENTRY(it, struct worker_read, node);
		if (&read->read.node == node) {
			list_remove(&read->node);
			read->done(read, w);
			return true;
		}
	}
	return false;
}

static void take_inbox(struct worker *w)
{
	struct inbox_node *node = inbox_take(&w->inbox);
	while (node) {
		struct inbox_node *next = node->next; /* the node is gone afterwards */
		if (node->kind == INBOX_TASK) {
			struct task *task = LIST_ENTRY(node, struct task, node);
			task->run(task, w);
		} else if (node->kind != INBOX_STORE_READ || !read_back(w, node)) {
			w->taken += node->kind == INBOX_POST;
			chat_inbox(w->chat, node);
		}
		node = next;
	}
}

static int64_t worker_turn(void *ctx)
{
	struct worker *w = ctx;
	take_inbox(w);
	int64_t ms = chat_turn(w->chat);
	w->called = false;
	bool more = net_flush(w->net);
	/* What net_flush told the core has to be handed over by another chat_turn. */
	return more || w->called ? 0 : ms;
}

static void *worker_main(void *ctx)
{
	struct worker *w = ctx;
	char name[16];
	snprintf(name, sizeof(name), "worker %u", w->index);
	pthread_setname_np(pthread_self(), name);
	loop_run(w->loop, worker_turn, w);
	return NULL;
}

int worker_start(struct worker *w)
{
	w->started = pthread_create(&w->thread, NULL, worker_main, w) == 0;
	return w->started ? OK : ERR_NOMEM;
}

/* --- the end --- */

static void pause_one(void *ctx, struct conn *conn)
{
	(void)ctx;
	conn_pause(conn);
}

static void quiet(struct worker *w)
{
	w->leaving = true;
	w->net_settings.close_ms = CLOSE_LEAVING_MS;
	while (w->listener_n > 0)
		listener_destroy(&w->listeners[--w->listener_n]);
	net_each(w->net, pause_one, NULL);
}

static void hang_up_one(void *ctx, struct conn *conn)
{
	struct worker *w = ctx;
	uint64_t session = conn_user(conn);
	if (session) {
		chat_closed(w->chat, session);
		worker_conn_close(w, session, CLOSE_SHUTDOWN);
	} else {
		conn_close(conn, close_rows[CLOSE_SHUTDOWN].code, str_of(close_rows[CLOSE_SHUTDOWN].text));
	}
}

struct worker_report worker_leave(struct worker *w, enum worker_step step)
{
	quiet(w);
	if (step >= WORKER_HANG_UP)
		net_each(w->net, hang_up_one, w);
	if (step >= WORKER_STOP)
		loop_stop(w->loop);
	struct worker_report report = { .idle = chat_idle(w->chat) && list_empty(&w->reads),
					.sent = w->sent, .taken = w->taken,
					.connections = net_count(w->net) };
	chat_flush(w->chat);
	return report;
}

void worker_join(struct worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	w->started = false;
}

void worker_deinit(struct worker *w)
{
	if (w->chat)
		take_inbox(w);
	while (w->listener_n > 0)
		listener_destroy(&w->listeners[--w->listener_n]);
	chat_destroy(&w->chat);
	net_destroy(&w->net);
	loop_destroy(&w->loop);
	free(w->conns);
	config_unref(&w->config);
}
