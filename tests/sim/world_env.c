/* What the simulated world does for a core: struct chat_env. */
#include "plant.h"
#include "world.h"

static struct world_env *env_of(void *ctx)
{
	return ctx;
}

static struct link *env_link(void *ctx, uint64_t session)
{
	struct world *w = env_of(ctx)->world;
	for (size_t i = 0; i < w->links.n; i++) {
		struct link *l = fifo_at(&w->links, i);
		if (l->state == LINK_OPEN && l->worker == env_of(ctx)->worker && l->handle == session)
			return l;
	}
	struct link *l = w->opening; /* spoken of before chat_open returned */
	if (l && !l->handle && l->worker == env_of(ctx)->worker) {
		l->handle = session;
		return l;
	}
	return NULL;
}

/* As env_link, but the core should not speak of a session that is over. */
static struct link *env_live_link(void *ctx, uint64_t session, const char *what)
{
	struct link *l = env_link(ctx, session);
	struct world *w = env_of(ctx)->world;
	if (!l && !w->dying)
		oracle_accuse(w->oracle, FINDING_CONTRACT, "", "%s for session %#llx, which is over", what,
			      (unsigned long long)session);
	return w->dying ? NULL : l;
}

static struct mono env_now(void *ctx)
{
	return (struct mono){ env_of(ctx)->world->now_ns };
}

static struct wall env_wall(void *ctx)
{
	return (struct wall){ env_of(ctx)->world->wall_ms };
}

static int env_utc_offset(void *ctx)
{
	(void)ctx;
	return 120;
}

static void env_random(void *ctx, void *out, size_t n)
{
	dice_bytes(&env_of(ctx)->world->sodium, out, n);
}

static uint64_t env_next_seq(void *ctx)
{
	struct world *w = env_of(ctx)->world;
	return (uint64_t)w->store->epoch << STORE_SEQ_BITS | ++w->seq;
}

size_t link_room(const struct world *w, const struct link *l)
{
	return l->down_bytes < w->plan->send_buffer ? w->plan->send_buffer - l->down_bytes : 0;
}

static struct freight *freight_new(enum freight_kind kind)
{
	struct freight *f = calloc(1, sizeof(*f));
	CHECK(f);
	f->kind = kind;
	return f;
}

void freight_free(void *freight)
{
	struct freight *f = freight;
	if (f)
		said_free(&f->said);
	free(f);
}

void world_deliver(struct world *w, struct link *l, const char *text, size_t n)
{
	struct freight *f = freight_new(FREIGHT_HEARD);
	heard_parse(text, n, &f->heard);
	f->n = n;
	trace_event(w->trace, "link %u %s < %.*s", l->number, oracle_name(l->user), (int)n, text);
	f->show = oracle_shown(w->oracle, l->number, (struct str){ text, n }, &f->heard);
	l->down_bytes += n;
	if (l->client_gone)
		freight_free(f);
	else
		fifo_push(&l->down, f);
}

static void env_send(void *ctx, uint64_t session, const char *text, size_t n)
{
	struct world *w = env_of(ctx)->world;
	struct link *l = env_live_link(ctx, session, "send");
	struct heard heard;
	if (!l)
		return;
	heard_parse(text, n, &heard);
	if (heard_is_mail(&heard) && n > link_room(w, l))
		oracle_accuse(w->oracle, FINDING_CONTRACT, "", "sent %zu bytes where %zu had room", n,
			      link_room(w, l));
	if (w->plant)
		plant_send(w->plant, w, l, text, n, &heard);
	else
		world_deliver(w, l, text, n);
}

static size_t env_room(void *ctx, uint64_t session)
{
	struct link *l = env_live_link(ctx, session, "room");
	return l ? link_room(env_of(ctx)->world, l) : 0;
}

static void env_want_room(void *ctx, uint64_t session)
{
	struct link *l = env_live_link(ctx, session, "want_room");
	if (l)
		l->wants_room = true;
}

static void env_ping(void *ctx, uint64_t session, const void *payload, size_t n)
{
	struct world *w = env_of(ctx)->world;
	struct link *l = env_live_link(ctx, session, "ping");
	if (!l)
		return;
	trace_event(w->trace, "link %u %s < ping", l->number, oracle_name(l->user));
	oracle_pinged(w->oracle, l->number, (struct str){ payload, n }, w->trace->ms);
	struct freight *f = freight_new(FREIGHT_PING);
	CHECK(n <= sizeof(f->payload));
	memcpy(f->payload, payload, n);
	f->n = n;
	if (l->client_gone)
		freight_free(f);
	else
		fifo_push(&l->down, f);
}

static void env_close(void *ctx, uint64_t session, enum close_reason why)
{
	struct world *w = env_of(ctx)->world;
	struct link *l = env_live_link(ctx, session, "close");
	if (!l)
		return;
	trace_event(w->trace, "link %u %s < close %u %s", l->number, oracle_name(l->user),
		    close_rows[why].code, close_rows[why].text);
	oracle_closed(w->oracle, l->number, why);
	l->state = LINK_OVER;
	fifo_push(&l->down, freight_new(FREIGHT_CLOSE));
}

static void env_pause(void *ctx, uint64_t session)
{
	struct link *l = env_live_link(ctx, session, "pause");
	if (l)
		l->paused = true;
}

static void env_resume(void *ctx, uint64_t session)
{
	struct link *l = env_live_link(ctx, session, "resume");
	if (l)
		l->paused = false;
}

static struct str str_keep(struct str s)
{
	char *p = s.p ? malloc(s.n + 1) : NULL;
	CHECK(p || !s.p);
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

void link_carry_drop(struct link *l)
{
	if (!l->carried)
		return;
	free((void *)(uintptr_t)l->carry.id.p);
	free((void *)(uintptr_t)l->carry.who.p);
	free((void *)(uintptr_t)l->carry.token.p);
	l->carried = false;
}

static void env_move(void *ctx, uint64_t session, unsigned worker, const struct chat_carry *carry)
{
	struct world *w = env_of(ctx)->world;
	struct link *l = env_live_link(ctx, session, "move");
	if (!l)
		return;
	CHECK(worker < w->workers && worker != l->worker);
	trace_event(w->trace, "link %u %s moves to worker %u", l->number, oracle_name(l->user), worker);
	l->state = LINK_MOVING;
	l->worker = worker;
	l->handle = 0;
	l->paused = l->wants_room = false;
	l->carry = *carry;
	l->carry.id = str_keep(carry->id);
	l->carry.who = str_keep(carry->who);
	l->carry.token = str_keep(carry->token);
	l->carried = true;
}

static void env_post(void *ctx, unsigned worker, struct inbox_node *parcel)
{
	struct world *w = env_of(ctx)->world;
	CHECK(worker < w->workers);
	fifo_push(&w->parcels[worker], parcel);
}

static void env_verify(void *ctx, uint64_t session, struct str token, struct str hash)
{
	struct world *w = env_of(ctx)->world;
	struct verdict *v = calloc(1, sizeof(*v));
	CHECK(v);
	bool right = hash.n == token.n + 2 && memcmp(hash.p, "h:", 2) == 0 &&
		     memcmp(hash.p + 2, token.p, token.n) == 0;
	*v = (struct verdict){ env_of(ctx)->worker, session, right };
	if (!w->calm && dice_chance(&w->dice, w->plan->overload))
		v->ok = -1;
	fifo_push(&w->verdicts, v);
}

static void env_hash(void *ctx, uint64_t job, struct str token)
{
	struct world *w = env_of(ctx)->world;
	struct hashing *h = calloc(1, sizeof(*h));
	CHECK(h);
	*h = (struct hashing){ .worker = env_of(ctx)->worker, .job = job };
	h->overloaded = !w->calm && dice_chance(&w->dice, w->plan->overload);
	(void)snprintf(h->token, sizeof(h->token), "h:%.*s", STR_ARG(token));
	fifo_push(&w->hashings, h);
}

static unsigned env_address_failures(void *ctx, struct str address, unsigned add)
{
	struct world *w = env_of(ctx)->world;
	unsigned a = (unsigned)(address.n ? address.p[address.n - 1] : 0) % WORLD_ADDRESSES, recent = 0;
	for (; add; add--)
		w->failures_ns[a][w->failure_n[a]++ % 128] = w->now_ns;
	for (unsigned i = 0; i < w->failure_n[a] && i < 128; i++)
		recent += w->now_ns - w->failures_ns[a][i] < 60 * NS_PER_S;
	return recent;
}

void world_env_init(struct world *w, unsigned worker)
{
	w->ctx[worker] = (struct world_env){ w, worker };
	w->env[worker] = (struct chat_env){
		.ctx = &w->ctx[worker], .now = env_now, .wall = env_wall,
		.utc_offset_minutes = env_utc_offset, .random = env_random, .next_seq = env_next_seq,
		.send = env_send, .room = env_room, .want_room = env_want_room, .ping = env_ping,
		.close = env_close, .pause = env_pause, .resume = env_resume, .move = env_move,
		.post = env_post, .verify = env_verify, .hash = env_hash,
		.address_failures = env_address_failures,
	};
}

void link_free(struct link **link)
{
	struct link *l = *link;
	void *f;
	while ((f = fifo_pop(&l->up)))
		freight_free(f);
	while ((f = fifo_pop(&l->down)))
		freight_free(f);
	fifo_free(&l->up);
	fifo_free(&l->down);
	link_carry_drop(l);
	free(l);
	*link = NULL;
}
