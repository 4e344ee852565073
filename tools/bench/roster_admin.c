/* Creating and deleting users: an administrator's session that keeps some requests under way
 * (protocol.md section 11). */
#include "base/err.h"
#include "peer.h"
#include "progress.h"
#include <stdio.h>

#define UNDER_WAY_MAX 32
#define SILENCE_MS_MAX 30000
#define PACKET_BYTES_MAX 8192

struct errand {
	struct roster *roster;
	bool creating;
	size_t next, under_way, done;
	struct peers peers;
	struct peer admin;
	struct loop_timers silence;
	struct loop_timer timer;
	struct progress progress;
	int err;
	char *why;
	size_t why_size;
};

static void errand_end(struct errand *e, int err, const char *why)
{
	if (e->err == OK && err) {
		e->err = err;
		snprintf(e->why, e->why_size, "%s", why);
	}
	loop_stop(e->peers.loop);
}

static void request(struct errand *e, size_t i, const char *command)
{
	const struct account *a = &e->roster->account[i];
	struct buf packet;
	buf_init(&packet, PACKET_BYTES_MAX);
	buf_printf(&packet, "{\"rq\":{\"id\":\"%zu\",\"ad\":{\"c\":\"%s\",\"i\":", i, command);
	json_put_string(&packet, a->name);
	if (e->creating) {
		BUF_LIT(&packet, ",\"t\":");
		json_put_string(&packet, a->token);
	}
	BUF_LIT(&packet, "}}}");
	peer_send(&e->admin, packet.p, packet.n);
	buf_deinit(&packet);
}

static void pump(struct errand *e)
{
	for (; e->under_way < UNDER_WAY_MAX && e->next < e->roster->n; e->next++) {
		if (!e->creating && !e->roster->account[e->next].created) {
			e->done++;
			continue;
		}
		e->roster->account[e->next].created = e->creating;
		request(e, e->next, e->creating ? "cr" : "del");
		e->under_way++;
	}
	if (e->done == e->roster->n)
		errand_end(e, OK, NULL);
}

static void ready(void *ctx, struct peer *p)
{
	(void)p;
	pump(ctx);
}

static void refused(struct errand *e, const struct answer *a)
{
	char why[256];
	snprintf(why, sizeof(why), "the administrator's request was refused: %.*s %.*s",
		 STR_ARG(a->code), STR_ARG(a->sentence));
	errand_end(e, ERR_INVALID, why);
}

/* The number a request bore as its id; n if it is none of ours. */
static size_t request_number(const struct errand *e, struct str id)
{
	size_t i = 0;
	for (size_t k = 0; k < id.n; k++) {
		if (id.p[k] < '0' || id.p[k] > '9' || i >= e->roster->n)
			return e->roster->n;
		i = i * 10 + (size_t)(id.p[k] - '0');
	}
	return id.n > 0 && i < e->roster->n ? i : e->roster->n;
}

static void heard(void *ctx, struct peer *p, const struct answer *a)
{
	struct errand *e = ctx;
	size_t i = request_number(e, a->id);
	(void)p;
	if (a->kind != ANSWER_RESPONSE || i == e->roster->n)
		return;
	loop_timer_start(e->peers.loop, &e->silence, &e->timer);
	struct account *account = &e->roster->account[i];
	if (!a->accepted && account->created && e->creating && str_eq(a->code, STR("409"))) {
		account->created = false; /* it was there before and stays */
		request(e, i, "up");
		return;
	}
	if (!a->accepted) {
		refused(e, a);
		return;
	}
	e->done++;
	e->under_way--;
	pump(e);
}

static void lost(void *ctx, struct peer *p, bool was_refused, const char *why)
{
	char text[512];
	snprintf(text, sizeof(text), "administrator %.*s: %s", STR_ARG(p->account->name), why);
	errand_end(ctx, was_refused ? ERR_INVALID : ERR_UNAVAILABLE, text);
}

static void silent(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	errand_end(ctx, ERR_UNAVAILABLE, "the server does not answer the administrator");
}

static int64_t turn(void *ctx)
{
	struct errand *e = ctx;
	peers_flush(&e->peers);
	progress_show(&e->progress, e->creating ? "making users" : "deleting users",
		      (double)e->done / (double)e->roster->n, "");
	return -1;
}

static int errand_run(struct errand *e, const struct target *target, const struct account *admin)
{
	static const struct peer_events events = { ready, heard, lost };
	struct loop *loop = loop_create();
	if (!loop || peers_init(&e->peers, loop, target, &events, e) != OK) {
		loop_destroy(&loop);
		return ERR_NOMEM;
	}
	loop_timers_init(loop, &e->silence, SILENCE_MS_MAX, silent, e);
	loop_timer_init(&e->timer);
	loop_timer_start(loop, &e->silence, &e->timer);
	progress_init(&e->progress);
	peer_init(&e->admin, &e->peers, admin);
	peer_open(&e->admin);
	if (e->err == OK)
		loop_run(loop, turn, e);
	progress_clear(&e->progress);
	peer_close(&e->admin);
	loop_timer_stop(&e->timer);
	loop_timers_deinit(&e->silence);
	peers_deinit(&e->peers);
	loop_destroy(&loop);
	return e->err;
}

int roster_create(struct roster *r, const struct target *target, const struct account *admin,
		  char *why, size_t why_size)
{
	struct errand e = { .roster = r, .creating = true, .why = why, .why_size = why_size };
	return errand_run(&e, target, admin);
}

int roster_delete(struct roster *r, const struct target *target, const struct account *admin,
		  char *why, size_t why_size)
{
	struct errand e = { .roster = r, .why = why, .why_size = why_size };
	return errand_run(&e, target, admin);
}
