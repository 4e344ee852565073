#include "world.h"
#include "people.h"
#include "plant.h"
#include <stdio.h>

#define WORLD_START_MS INT64_C(1790000000000)
#define WORLD_SPIN_MAX 2000      /* turns without a tick of the clock */
#define WORLD_CALM_ROUNDS 40000
#define WORLD_CALM_MS 600000     /* nothing may take longer than this once the faults have stopped */

/* --- cores --- */

static void world_start_cores(struct world *w)
{
	for (unsigned i = 0; i < w->workers; i++) {
		struct chat_config config = { .worker = i, .workers = w->workers, .env = &w->env[i],
			.settings = &w->settings, .store = w->store, .metrics = &w->metrics[i],
			.request_run = handlers_request };
		w->chats[i] = chat_create(&config);
		CHECK(w->chats[i]);
		w->due_ns[i] = w->now_ns; /* once at the start: what a crash left unfinished goes on */
	}
	w->up = true;
}

static void world_settings(struct world *w)
{
	const struct plan *p = w->plan;
	chat_settings_default(&w->settings);
	w->settings.ack_ping_ms = dice_between(&w->dice, 300, 2000);
	w->settings.max_sessions = p->max_sessions;
	w->settings.mailbox_max_messages = p->mailbox_max_messages;
	w->settings.mailbox_max_bytes = p->mailbox_max_bytes;
	w->settings.max_packet = 1024;
	w->settings.send_buffer = p->send_buffer;
	w->settings.session_messages_max = p->session_messages_max;
	w->settings.session_bytes_max = p->session_bytes_max;
	w->settings.pending_bytes_max = p->pending_bytes_max;
	w->settings.entities_max = p->entities_max;
	w->settings.max_group_members = p->group_max;
	w->settings.fan_slice = p->fan_slice;
}

struct world *world_create(const struct plan *plan, struct trace *trace, struct plant *plant)
{
	struct world *w = calloc(1, sizeof(*w));
	CHECK(w);
	w->plan = plan;
	w->trace = trace;
	w->plant = plant;
	w->workers = plan->workers;
	w->dice.state = plan->seed ^ UINT64_C(0x574f524c44);
	w->sodium.state = plan->seed ^ UINT64_C(0x534f4449554d);
	dice_feed_sodium(&w->sodium);
	w->wall_ms = WORLD_START_MS;
	world_settings(w);
	w->oracle = oracle_create(plan, trace, w->settings.ack_ping_ms);
	world_store_open(w);
	for (unsigned i = 0; i < w->workers; i++)
		world_env_init(w, i);
	w->people = people_create(w);
	world_start_cores(w);
	return w;
}

/* --- what a core can be given --- */

enum input_kind { INPUT_NODE, INPUT_PARCEL, INPUT_OPEN, INPUT_UP, INPUT_ROOM, INPUT_GONE, INPUT_VERDICT,
		  INPUT_HASH };
struct input { enum input_kind kind; unsigned index; struct link *link; };
struct inputs { struct input at[256]; unsigned n; };

static void inputs_add(struct inputs *in, enum input_kind kind, unsigned index, struct link *link)
{
	if (in->n < sizeof(in->at) / sizeof(in->at[0]))
		in->at[in->n++] = (struct input){ kind, index, link };
}

static void inputs_of_link(const struct world *w, struct inputs *in, struct link *l)
{
	if (l->state == LINK_NEW || l->state == LINK_MOVING) {
		inputs_add(in, INPUT_OPEN, 0, l);
		return;
	}
	if (l->state != LINK_OPEN)
		return;
	if (l->up.n && !l->paused)
		inputs_add(in, INPUT_UP, 0, l);
	if (l->wants_room && link_room(w, l) * 2 > w->plan->send_buffer)
		inputs_add(in, INPUT_ROOM, 0, l);
	if (l->client_gone && (l->reset || !l->up.n))
		inputs_add(in, INPUT_GONE, 0, l);
}

static void inputs_collect(const struct world *w, unsigned worker, struct inputs *in)
{
	in->n = 0;
	if (w->nodes[worker].n)
		inputs_add(in, INPUT_NODE, 0, NULL);
	if (w->parcels[worker].n)
		inputs_add(in, INPUT_PARCEL, 0, NULL);
	for (unsigned i = 0; i < w->verdicts.n; i++)
		if (((struct verdict *)fifo_at(&w->verdicts, i))->worker == worker)
			inputs_add(in, INPUT_VERDICT, i, NULL);
	for (unsigned i = 0; i < w->hashings.n; i++)
		if (((struct hashing *)fifo_at(&w->hashings, i))->worker == worker)
			inputs_add(in, INPUT_HASH, i, NULL);
	for (size_t i = 0; i < w->links.n; i++) {
		struct link *l = fifo_at(&w->links, i);
		if (l->worker == worker)
			inputs_of_link(w, in, l);
	}
}

static void input_open(struct world *w, struct link *l)
{
	char address[32];
	int n = snprintf(address, sizeof(address), "10.0.0.%c", 'a' + l->user);
	bool moved = l->state == LINK_MOVING;
	l->state = LINK_OPEN;
	l->handle = 0;
	w->opening = l;
	uint64_t handle = chat_open(w->chats[l->worker], (struct str){ address, (size_t)n },
				    moved ? &l->carry : NULL);
	w->opening = NULL;
	link_carry_drop(l);
	trace_event(w->trace, "link %u %s open on worker %u", l->number, oracle_name(l->user), l->worker);
	if (!handle || (l->handle && l->handle != handle))
		oracle_accuse(w->oracle, FINDING_CONTRACT, "", "chat_open returned %#llx, but spoke of %#llx",
			      (unsigned long long)handle, (unsigned long long)l->handle);
	l->handle = handle;
}

static void input_up(struct world *w, struct link *l)
{
	struct freight *f = fifo_pop(&l->up);
	unsigned number = l->number;
	if (f->kind == FREIGHT_PONG) {
		trace_event(w->trace, "link %u %s > pong", number, oracle_name(l->user));
		oracle_pong(w->oracle, number, (struct str){ f->payload, f->n });
		chat_pong(w->chats[l->worker], l->handle, f->payload, f->n);
	} else {
		size_t n = strlen(f->said->text);
		char *text = malloc(n ? n : 1); /* of that size, so that a sanitizer sees what lies past it */
		CHECK(text);
		memcpy(text, f->said->text, n);
		trace_event(w->trace, "link %u %s > %s", number, oracle_name(l->user), f->said->text);
		oracle_handed(w->oracle, number, f->said);
		handlers_text(w->chats[l->worker], l->handle, text, n);
		free(text);
		if (w->plant)
			plant_said(w->plant, w, l, f->said);
	}
	freight_free(f);
}

static void input_verdict(struct world *w, unsigned worker, unsigned i)
{
	struct verdict *v = fifo_take(&w->verdicts, i);
	chat_verified(w->chats[worker], v->session, v->ok);
	free(v);
}

static void input_hash(struct world *w, unsigned worker, unsigned i)
{
	struct hashing *h = fifo_take(&w->hashings, i);
	chat_hashed(w->chats[worker], h->job, h->overloaded ? STR_NONE : str_of(h->token));
	free(h);
}

static void world_give(struct world *w, unsigned worker, const struct input *in)
{
	struct chat *chat = w->chats[worker];
	switch (in->kind) {
	case INPUT_NODE:
		chat_inbox(chat, fifo_pop(&w->nodes[worker]));
		break;
	case INPUT_PARCEL:
		chat_inbox(chat, fifo_pop(&w->parcels[worker]));
		break;
	case INPUT_OPEN:
		input_open(w, in->link);
		break;
	case INPUT_UP:
		input_up(w, in->link);
		break;
	case INPUT_ROOM:
		in->link->wants_room = false;
		chat_room(chat, in->link->handle);
		break;
	case INPUT_GONE:
		trace_event(w->trace, "link %u %s gone", in->link->number, oracle_name(in->link->user));
		in->link->state = LINK_OVER;
		oracle_gone(w->oracle, in->link->number);
		chat_closed(chat, in->link->handle);
		break;
	case INPUT_VERDICT:
		input_verdict(w, worker, in->index);
		break;
	case INPUT_HASH:
		input_hash(w, worker, in->index);
		break;
	}
}

static void world_turn(struct world *w, unsigned worker, unsigned inputs_max)
{
	struct inputs in;
	for (unsigned i = 0; i < inputs_max; i++) {
		inputs_collect(w, worker, &in);
		if (!in.n)
			break;
		world_give(w, worker, &in.at[dice_below(&w->dice, in.n)]);
	}
	int64_t ms = chat_turn(w->chats[worker]);
	w->due_ns[worker] = ms < 0 ? INT64_MAX : w->now_ns + ms * NS_PER_MS;
	(void)world_store_collect(w);
}

static bool world_turn_somewhere(struct world *w)
{
	struct inputs in;
	unsigned first = dice_below(&w->dice, w->workers);
	for (unsigned i = 0; i < w->workers; i++) {
		unsigned worker = (first + i) % w->workers;
		inputs_collect(w, worker, &in);
		if (in.n || w->due_ns[worker] <= w->now_ns) {
			world_turn(w, worker, dice_between(&w->dice, 1, 8));
			return true;
		}
	}
	return false;
}

/* --- time --- */

static void world_set_time(struct world *w, int64_t ns)
{
	w->wall_ms += (ns - w->now_ns) / NS_PER_MS;
	w->now_ns = ns;
	w->trace->ms = ns / NS_PER_MS;
}

static void world_pass_time(struct world *w, int64_t ms)
{
	int64_t until = w->now_ns + ms * NS_PER_MS;
	if (w->plan->wall_jumps && !w->calm && dice_chance(&w->dice, 20))
		w->wall_ms += (int64_t)dice_below(&w->dice, 7200000) - 3600000;
	if (w->plan->late && !w->calm && dice_chance(&w->dice, 500)) {
		world_set_time(w, until);
		return;
	}
	for (unsigned spin = 0; w->up; spin++) {
		unsigned next = 0;
		for (unsigned i = 1; i < w->workers; i++)
			if (w->due_ns[i] < w->due_ns[next])
				next = i;
		if (w->due_ns[next] > until)
			break;
		if (w->due_ns[next] > w->now_ns)
			world_set_time(w, w->due_ns[next]);
		world_turn(w, next, 0);
		if (spin > WORLD_SPIN_MAX) {
			oracle_accuse(w->oracle, FINDING_CONTRACT, "", "worker %u wants turns without end", next);
			break;
		}
	}
	world_set_time(w, until);
}

/* --- crashes --- */

/* Everything dies but what was committed. The cores are first told that all that waits at the store
 * failed, while nobody listens any more: so they free it, and nothing of it was committed. */
static void world_drop_cores(struct world *w)
{
	w->dying = true;
	for (unsigned round = 0; round < 100; round++) {
		if (w->store)
			world_store_refuse_all(w);
		for (unsigned to = 0; to < w->workers; to++) {
			struct inbox_node *node;
			while ((node = fifo_pop(&w->nodes[to])))
				chat_inbox(w->chats[to], node);
			while ((node = fifo_pop(&w->parcels[to])))
				chat_inbox(w->chats[to], node);
		}
		if (!world_store_busy(w))
			break;
	}
	for (unsigned i = 0; i < w->workers; i++)
		chat_destroy(&w->chats[i]);
	void *p;
	while ((p = fifo_pop(&w->verdicts)))
		free(p);
	while ((p = fifo_pop(&w->hashings)))
		free(p);
	w->dying = false;
	w->up = false;
}

static void link_lose(struct world *w, struct link *l)
{
	l->state = LINK_OVER;
	link_carry_drop(l);
	size_t left = l->down.n ? dice_below(&w->dice, (unsigned)l->down.n + 1) : 0;
	while (l->down.n > left)
		freight_free(fifo_pop_last(&l->down));
	struct freight *end = calloc(1, sizeof(*end));
	CHECK(end);
	end->kind = FREIGHT_CLOSE;
	fifo_push(&l->down, end);
}

static void world_crash(struct world *w)
{
	trace_event(w->trace, "CRASH");
	w->crashes++;
	world_drop_cores(w);
	oracle_crashed(w->oracle);
	world_store_crash(w);
	for (size_t i = 0; i < w->links.n; i++)
		link_lose(w, fifo_at(&w->links, i));
	w->restart_ns = w->now_ns + dice_between(&w->dice, 0, 2000) * NS_PER_MS;
}

static void world_restart(struct world *w)
{
	w->seq = 0;
	world_store_restart(w);
	world_start_cores(w);
	trace_event(w->trace, "START epoch %u", w->store->epoch);
}

/* --- links --- */

struct link *world_link(const struct world *w, unsigned number)
{
	for (size_t i = 0; i < w->links.n; i++) {
		struct link *l = fifo_at(&w->links, i);
		if (l->number == number)
			return l;
	}
	return NULL;
}

struct link *world_connect(struct world *w, int user, unsigned device)
{
	if (!w->up)
		return NULL;
	struct link *l = calloc(1, sizeof(*l));
	CHECK(l);
	l->number = ++w->link_numbers;
	l->user = user;
	l->device = device;
	l->worker = dice_below(&w->dice, w->workers);
	fifo_push(&w->links, l);
	oracle_connected(w->oracle, l->number, user);
	return l;
}

void world_say(struct world *w, struct link *l, struct said *said)
{
	(void)w;
	struct freight *f = calloc(1, sizeof(*f));
	CHECK(f);
	f->kind = FREIGHT_SAID;
	f->said = said;
	fifo_push(&l->up, f);
}

void world_pong(struct world *w, struct link *l, const char *payload, size_t n)
{
	(void)w;
	struct freight *f = calloc(1, sizeof(*f));
	CHECK(f);
	f->kind = FREIGHT_PONG;
	memcpy(f->payload, payload, n);
	f->n = n;
	fifo_push(&l->up, f);
}

void world_cut(struct world *w, struct link *l)
{
	trace_event(w->trace, "link %u %s cut", l->number, oracle_name(l->user));
	l->client_gone = true;
	l->reset = dice_chance(&w->dice, 500);
	size_t left = l->up.n ? dice_below(&w->dice, (unsigned)l->up.n + 1) : 0;
	while (l->up.n > left)
		freight_free(fifo_pop_last(&l->up));
	void *f;
	while ((f = fifo_pop(&l->down)))
		freight_free(f);
}

/* Both sides have done with it. */
static void world_reap(struct world *w)
{
	for (size_t i = w->links.n; i-- > 0;) {
		struct link *l = fifo_at(&w->links, i);
		if (l->state == LINK_OVER && l->client_gone) {
			(void)fifo_take(&w->links, i);
			link_free(&l);
		}
	}
}

/* --- steps --- */

static bool world_quiet(const struct world *w)
{
	if (!w->up || world_store_busy(w) || w->verdicts.n || w->hashings.n)
		return false;
	for (unsigned i = 0; i < w->workers; i++)
		if (w->nodes[i].n || w->parcels[i].n || !chat_idle(w->chats[i]))
			return false;
	return true;
}

static void world_kick(struct world *w)
{
	int user = (int)dice_between(&w->dice, 1, w->plan->users);
	unsigned home = chat_home(str_of(oracle_name(user)), w->workers);
	trace_event(w->trace, "the operator kicks %s", oracle_name(user));
	oracle_kicked(w->oracle, user);
	(void)chat_kick(w->chats[home], str_of(oracle_name(user)));
	world_turn(w, home, 0);
}

static void world_step_down(struct world *w)
{
	if (w->now_ns >= w->restart_ns)
		world_restart(w);
	else if (dice_chance(&w->dice, 500))
		(void)people_read(w->people);
	else
		world_pass_time(w, dice_between(&w->dice, 1, 200));
}

static void world_step_up(struct world *w)
{
	const struct plan *p = w->plan;
	unsigned commit = p->slow_store && !w->calm ? 1 + p->commit / 8 : p->commit;
	unsigned total = p->turn + commit + p->answer + p->read + p->act + p->time;
	unsigned pick = dice_below(&w->dice, total);
	if (pick < p->turn)
		(void)world_turn_somewhere(w);
	else if ((pick -= p->turn) < commit)
		(void)world_store_commit(w);
	else if ((pick -= commit) < p->answer)
		(void)world_store_answer(w);
	else if ((pick -= p->answer) < p->read)
		(void)people_read(w->people);
	else if ((pick -= p->read) < p->act)
		people_act(w->people);
	else
		world_pass_time(w, dice_between(&w->dice, 0, p->time_ms_max));
}

void world_step(struct world *w)
{
	w->trace->step++;
	if (!w->up)
		world_step_down(w);
	else if (!w->calm && w->plan->crash && dice_below(&w->dice, 1000000) < w->plan->crash)
		world_crash(w);
	else if (!w->calm && dice_chance(&w->dice, w->plan->kick))
		world_kick(w);
	else
		world_step_up(w);
	world_reap(w);
	if (w->trace->step % 8 == 0 && world_quiet(w))
		oracle_quiet(w->oracle);
}

/* One round of everything that can happen without the clock. */
static bool world_calm_round(struct world *w)
{
	bool busy = world_turn_somewhere(w);
	busy |= world_store_commit(w);
	busy |= world_store_answer(w);
	busy |= people_read(w->people);
	people_act(w->people);
	world_reap(w);
	return busy;
}

void world_calm(struct world *w)
{
	const char *details;
	const char *const *words;
	int64_t limit_ns = w->now_ns + WORLD_CALM_MS * NS_PER_MS;
	trace_event(w->trace, "CALM");
	w->calm = true;
	if (!w->up)
		world_restart(w);
	people_calm(w->people);
	for (size_t i = 0; i < w->links.n; i++) { /* those who went without a word have timed out */
		struct link *l = fifo_at(&w->links, i);
		l->reset = l->reset || l->client_gone;
	}
	bool audited = false;
	for (unsigned i = 0; i < WORLD_CALM_ROUNDS && w->now_ns < limit_ns; i++) {
		w->trace->step++;
		bool busy = world_calm_round(w);
		if (oracle_finding(w->oracle, &details, &words))
			return;
		if (!busy && world_quiet(w) && people_settled(w->people) && oracle_settled(w->oracle)) {
			oracle_quiet(w->oracle);
			if (audited)
				return;
			audited = true;
			people_audit(w->people);
			busy = true;
		}
		if (!busy)
			world_pass_time(w, dice_between(&w->dice, 1, 300));
	}
	oracle_finish(w->oracle);
	oracle_accuse(w->oracle, FINDING_STUCK, "", "after %lld s: quiet %d, clients content %d, oracle content %d",
		      (long long)(WORLD_CALM_MS / 1000), world_quiet(w), people_settled(w->people),
		      oracle_settled(w->oracle));
}

/* Nothing found: everybody leaves, and the cores must come to rest. */
static void world_shut_down(struct world *w)
{
	for (size_t i = 0; i < w->links.n; i++) {
		struct link *l = fifo_at(&w->links, i);
		if (!l->client_gone)
			world_cut(w, l);
		l->reset = true;
	}
	for (unsigned round = 0; round < 1000 && (round < 3 || !world_quiet(w)); round++) {
		while (world_turn_somewhere(w) || world_store_commit(w) || world_store_answer(w))
			world_reap(w);
		for (unsigned i = 0; i < w->workers; i++)
			chat_flush(w->chats[i]);
		(void)world_store_collect(w);
	}
	world_reap(w);
	if (!world_quiet(w) || w->links.n)
		oracle_accuse(w->oracle, FINDING_STUCK, "", "the cores do not come to rest at shutdown");
}

void world_end(struct world *w)
{
	const char *details;
	const char *const *words;
	if (!oracle_finding(w->oracle, &details, &words))
		oracle_finish(w->oracle);
	if (!oracle_finding(w->oracle, &details, &words))
		world_shut_down(w);
}

void world_destroy(struct world **world)
{
	struct world *w = *world;
	if (!w)
		return;
	if (w->up)
		world_drop_cores(w);
	world_store_close(w);
	struct link *l;
	while ((l = fifo_pop(&w->links)))
		link_free(&l);
	fifo_free(&w->links);
	fifo_free(&w->verdicts);
	fifo_free(&w->hashings);
	for (unsigned i = 0; i < w->workers; i++) {
		fifo_free(&w->nodes[i]);
		fifo_free(&w->parcels[i]);
	}
	people_destroy(&w->people);
	oracle_destroy(&w->oracle);
	free(w);
	*world = NULL;
}
