#include "errand.h"
#include "base/err.h"
#include "progress.h"
#include <stdio.h>

#define UNDER_WAY_MAX 32
#define SILENCE_MS_MAX 30000
#define PACKET_BYTES_MAX ((size_t)1 << 20)

struct run {
	const struct errand *errand;
	const char *who;
	size_t next, under_way, done;
	struct peers peers;
	struct peer peer;
	struct buf packet;
	struct loop_timers silence;
	struct loop_timer timer;
	struct progress progress;
	int err;
	char *why;
	size_t why_size;
};

static void end(struct run *r, int err, const char *why)
{
	if (r->err == OK && err) {
		r->err = err;
		snprintf(r->why, r->why_size, "%s", why);
	}
	loop_stop(r->peers.loop);
}

/* False: there is nothing to ask. */
static bool ask(struct run *r, size_t i)
{
	struct buf *packet = &r->packet;
	buf_clear(packet);
	r->errand->request(r->errand->ctx, i, packet);
	if (packet->failed)
		end(r, ERR_NOMEM, "a request does not fit into a packet");
	else if (packet->n > 0)
		peer_send(&r->peer, packet->p, packet->n);
	return packet->n > 0;
}

static void pump(struct run *r)
{
	for (; r->under_way < UNDER_WAY_MAX && r->next < r->errand->n; r->next++) {
		if (ask(r, r->next))
			r->under_way++;
		else
			r->done++;
	}
	if (r->done == r->errand->n)
		end(r, OK, NULL);
}

static void ready(void *ctx, struct peer *p)
{
	(void)p;
	pump(ctx);
}

/* The number a request bore as its id; n if it is none of ours. */
static size_t request_number(const struct run *r, struct str id)
{
	size_t i = 0, n = r->errand->n;
	for (size_t k = 0; k < id.n; k++) {
		if (id.p[k] < '0' || id.p[k] > '9' || i >= n)
			return n;
		i = i * 10 + (size_t)(id.p[k] - '0');
	}
	return id.n > 0 && i < n ? i : n;
}

static void heard(void *ctx, struct peer *p, const struct answer *a)
{
	struct run *r = ctx;
	const struct errand *e = r->errand;
	size_t i = request_number(r, a->id);
	char why[256];
	(void)p;
	if (a->kind != ANSWER_RESPONSE || i == e->n)
		return;
	loop_timer_start(r->peers.loop, &r->silence, &r->timer);
	if (!a->accepted && e->refused && e->refused(e->ctx, i, a->code) && ask(r, i))
		return;
	if (!a->accepted) {
		snprintf(why, sizeof(why), "the %s's request was refused: %.*s %.*s", r->who,
			 STR_ARG(a->code), STR_ARG(a->sentence));
		end(r, ERR_INVALID, why);
		return;
	}
	r->done++;
	r->under_way--;
	pump(r);
}

static void lost(void *ctx, struct peer *p, bool was_refused, const char *why)
{
	struct run *r = ctx;
	char text[512];
	snprintf(text, sizeof(text), "%s %.*s: %s", r->who, STR_ARG(p->account->name), why);
	end(r, was_refused ? ERR_INVALID : ERR_UNAVAILABLE, text);
}

static void silent(struct loop_timer *timer, void *ctx)
{
	struct run *r = ctx;
	char why[128];
	(void)timer;
	snprintf(why, sizeof(why), "the server does not answer the %s", r->who);
	end(r, ERR_UNAVAILABLE, why);
}

static int64_t turn(void *ctx)
{
	struct run *r = ctx;
	peers_flush(&r->peers);
	progress_show(&r->progress, r->errand->what, (double)r->done / (double)r->errand->n, "");
	return -1;
}

int errand_run(const struct errand *e, const char *who, char *why, size_t why_size)
{
	static const struct peer_events events = { ready, heard, lost };
	struct run r = { .errand = e, .who = who, .why = why, .why_size = why_size };
	struct loop *loop = loop_create();
	if (!loop || peers_init(&r.peers, loop, e->target, &events, &r) != OK) {
		loop_destroy(&loop);
		return ERR_NOMEM;
	}
	buf_init(&r.packet, PACKET_BYTES_MAX);
	loop_timers_init(loop, &r.silence, SILENCE_MS_MAX, silent, &r);
	loop_timer_init(&r.timer);
	loop_timer_start(loop, &r.silence, &r.timer);
	progress_init(&r.progress);
	peer_init(&r.peer, &r.peers, e->user);
	peer_open(&r.peer);
	if (r.err == OK)
		loop_run(loop, turn, &r);
	progress_clear(&r.progress);
	peer_close(&r.peer);
	loop_timer_stop(&r.timer);
	loop_timers_deinit(&r.silence);
	buf_deinit(&r.packet);
	peers_deinit(&r.peers);
	loop_destroy(&loop);
	return r.err;
}
