/* A group whose members are all there, and beside it two users who write to each other: what
 * does it cost to bring a message to everyone, and who has to wait for that? */
#include "base/err.h"
#include "group_share.h"
#include "pairs.h"
#include <stdlib.h>

#define MEMBERS_MAX 100000
#define WINDOW_CLOSED 1
#define WINDOW_OPEN 1024
#define PAIR 2 /* users apart: the pair, on driver 0 */
#define PAIR_WINDOW 4096

enum { LATENCY_DELIVERY, LATENCY_RECEIPT, LATENCY_SENDING, LATENCY_PAIR_ALONE, LATENCY_PAIR_LOADED,
       LATENCY_PAIR_LATE };

/* A driver's part of the group. */
struct part {
	struct driver *driver;
	struct group *group;
	struct group_sender *own[GROUP_SENDERS_MAX]; /* those who send here */
	unsigned own_n;
	struct letter dm;
	struct schedule schedule; /* of the open loop */
};

/* --- arguments --- */

/* "10,1000" into a->sizes. */
static bool sizes_read(struct arguments *a)
{
	const char *at = a->members;
	for (a->size_n = 0; a->size_n < ARGUMENT_SIZES_MAX; at++) {
		char *end;
		if (*at < '0' || *at > '9')
			return false;
		unsigned long v = strtoul(at, &end, 10);
		if (v < 2 || v > MEMBERS_MAX)
			return false;
		a->sizes[a->size_n++] = (unsigned)v;
		at = end;
		if (*at != ',')
			return *at == '\0';
	}
	return false;
}

static unsigned smallest(const struct arguments *a)
{
	unsigned min = a->sizes[0];
	for (unsigned i = 1; i < a->size_n; i++)
		min = a->sizes[i] < min ? a->sizes[i] : min;
	return min;
}

static int check(struct arguments *a, char *why, size_t why_size)
{
	if (!sizes_read(a))
		snprintf(why, why_size, "--members is up to %d numbers between 2 and %d, separated by commas",
			 ARGUMENT_SIZES_MAX, MEMBERS_MAX);
	else if (a->senders > smallest(a) || a->senders > GROUP_SENDERS_MAX)
		snprintf(why, why_size, "--senders is at most %d, and no more than there are members",
			 GROUP_SENDERS_MAX);
	else if (a->threads > smallest(a))
		snprintf(why, why_size, "more --threads than members");
	else if (a->window > GROUP_WINDOW_MAX)
		snprintf(why, why_size, "--window is at most %d", GROUP_WINDOW_MAX);
	else if (a->size > LETTER_CONTENT_BYTES_MAX)
		snprintf(why, why_size, "--size is at most %d", LETTER_CONTENT_BYTES_MAX);
	else if (!pairs_flags_known(a->flags))
		snprintf(why, why_size, "--flags knows default and p0, not '%s'", a->flags);
	else if (a->messages && a->rate <= 0)
		snprintf(why, why_size, "a group is measured by --seconds, not --messages");
	else {
		if (a->window == 0)
			a->window = a->rate > 0 ? WINDOW_OPEN : WINDOW_CLOSED;
		a->messages = 0; /* the open loop's, too, ends by its time */
		return OK;
	}
	return ERR_INVALID;
}

static bool next(struct arguments *a)
{
	return ++a->size_at < a->size_n;
}

static size_t users(const struct arguments *a)
{
	return PAIR + (size_t)a->sizes[a->size_at];
}

static void settings_text(const struct arguments *a, FILE *to)
{
	fprintf(to, "%u members, %u of them send messages of %u bytes, ", a->sizes[a->size_at], a->senders,
		a->size);
	if (a->rate > 0)
		fprintf(to, "open loop at %g messages/s", a->rate);
	else
		fprintf(to, "closed loop, window %u", a->window);
	fprintf(to, "%s;\n       beside it a pair at %g messages/s (%s)\n", a->dm ? ", dm" : "", a->pair_rate,
		a->flags);
}

static void settings_json(const struct arguments *a, json_t *settings)
{
	json_t *mine = json_pack("{s:I, s:I, s:b, s:f}", "members", (json_int_t)a->sizes[a->size_at],
				 "senders", (json_int_t)a->senders, "dm", a->dm, "pair_rate", a->pair_rate);
	json_object_update(settings, mine);
	json_decref(mine);
}

/* --- sending --- */

static struct group_slot *slot_at(const struct group *g, struct group_sender *s, uint32_t seq)
{
	return &s->slots[seq & g->ring_mask];
}

static void send_one(struct part *p, struct group_sender *s, int64_t sent_ns)
{
	struct group *g = p->group;
	uint32_t seq = s->next, receivers = (uint32_t)g->member_n - 1;
	struct group_slot *slot = slot_at(g, s, seq);
	s->next = (seq + 1) & GROUP_SEQ_MASK;
	slot->refused = false;
	atomic_store(&slot->finished_ns, 0);
	atomic_store(&slot->sent_ns, sent_ns);
	atomic_store(&slot->awaits, 1 + receivers * (p->driver->args->dm ? 3 : 1));
	atomic_store(&slot->seq, seq);
	struct str packet = letter_write(&s->message, (uint32_t)(s - g->sender) << 24 | seq);
	peer_send(s->peer, packet.p, packet.n);
	driver_sent(p->driver);
}

/* Sends what own[i] may send now. */
static void pump(struct part *p, unsigned i)
{
	struct driver *d = p->driver;
	struct group_sender *s = p->own[i];
	while (d->loaded && ((s->next - s->tail) & GROUP_SEQ_MASK) < d->args->window) {
		int64_t now = mono_now().ns, when = now;
		if (d->args->rate > 0) {
			uint64_t k = (uint64_t)((s->next - s->base) & GROUP_SEQ_MASK) * p->own_n + i;
			if (k >= p->schedule.due)
				return;
			when = schedule_due_ns(&p->schedule, k);
			if (d->measuring)
				histogram_add(&d->tally.latency[LATENCY_SENDING], now - when);
		}
		send_one(p, s, when);
	}
}

static void due(void *ctx, uint64_t k)
{
	struct part *p = ctx;
	pump(p, (unsigned)(k % p->own_n));
}

/* Takes up what has been finished, by whichever driver, and sends more. */
static void turn(struct driver *d)
{
	if (d->index == 0)
		return;
	struct part *p = d->state;
	for (unsigned i = 0; i < p->own_n; i++) {
		struct group_sender *s = p->own[i];
		for (; s->tail != s->next; s->tail = (s->tail + 1) & GROUP_SEQ_MASK) {
			struct group_slot *slot = slot_at(p->group, s, s->tail);
			int64_t at = atomic_load(&slot->finished_ns);
			if (at == 0)
				break;
			driver_done(d, !slot->refused, (struct mono){ at });
		}
		pump(p, i);
	}
}

/* --- hearing --- */

static void finish(struct part *p, struct group_sender *s, struct group_slot *slot)
{
	atomic_store(&slot->finished_ns, p->driver->peers.now.ns);
	if (s->driver != p->driver)
		loop_wake(s->driver->loop); /* its own turn comes anyway */
}

/* Something that the message waited for has come; `latency` is where to note it, or -1. */
static void take(struct part *p, struct group_sender *s, uint32_t seq, int latency)
{
	struct driver *d = p->driver;
	struct group_slot *slot = slot_at(p->group, s, seq);
	uint32_t left = atomic_load(&slot->awaits);
	if (atomic_load(&slot->seq) != seq)
		left = 0;
	while (left > 0 && !atomic_compare_exchange_weak(&slot->awaits, &left, left - 1))
		;
	if (left == 0) {
		driver_trouble(d, TROUBLE_REPEATED);
		return;
	}
	if (latency >= 0 && d->measuring)
		histogram_add(&d->tally.latency[latency], d->peers.now.ns - atomic_load(&slot->sent_ns));
	if (left == 1)
		finish(p, s, slot);
}

static void take_message(struct part *p, struct peer *peer, struct group_sender *s, uint32_t number)
{
	struct driver *d = p->driver;
	struct group *g = p->group;
	size_t member = (size_t)(peer->account - d->bench->crowd.account) - PAIR;
	uint32_t *arriving = &g->arriving[member * g->sender_n + (size_t)(s - g->sender)];
	uint32_t seq = number & GROUP_SEQ_MASK, ahead = (seq - *arriving) & GROUP_SEQ_MASK;
	if (ahead > GROUP_SEQ_MASK / 2) {
		driver_trouble(d, TROUBLE_REPEATED);
		return;
	}
	if (ahead > 0)
		driver_trouble(d, TROUBLE_DISORDERED);
	*arriving = (seq + 1) & GROUP_SEQ_MASK;
	d->tally.deliveries += d->measuring;
	if (d->args->dm) {
		struct str dm = letter_write(&p->dm, number);
		peer_send(peer, dm.p, dm.n);
	}
	take(p, s, seq, LATENCY_DELIVERY);
}

/* A message refused reaches nobody; a dm refused is missed by its sender and the message's. */
static void take_refusal(struct part *p, struct group_sender *s, uint32_t seq, char kind, const struct answer *a)
{
	struct group_slot *slot = slot_at(p->group, s, seq);
	struct tally *t = &p->driver->tally;
	if (!t->refusal[0])
		snprintf(t->refusal, sizeof(t->refusal), "%.*s %.*s", STR_ARG(a->code),
			 STR_ARG(a->sentence));
	driver_trouble(p->driver, TROUBLE_REFUSED);
	if (kind == 'd') {
		take(p, s, seq, -1);
		take(p, s, seq, -1);
	} else if (atomic_load(&slot->seq) == seq && atomic_exchange(&slot->awaits, 0) > 0) {
		slot->refused = true;
		finish(p, s, slot);
	}
}

static void heard(struct driver *d, struct peer *peer, const struct answer *a)
{
	if (d->index == 0) {
		pairs_heard(d->state, peer, a);
		return;
	}
	struct part *p = d->state;
	bool about = a->kind == ANSWER_RECEIPT || a->kind == ANSWER_DELIVERED;
	uint32_t number;
	char kind = letter_id(p->group->tag, about ? a->of : a->id, &number);
	if (kind == 0 || number >> 24 >= p->group->sender_n)
		return; /* information, or left from an earlier run */
	struct group_sender *s = &p->group->sender[number >> 24];
	uint32_t seq = number & GROUP_SEQ_MASK;
	switch (a->kind) {
	case ANSWER_MESSAGE: take_message(p, peer, s, number); break;
	case ANSWER_DELIVERED: take(p, s, seq, -1); break;
	case ANSWER_RECEIPT: take(p, s, seq, kind == 'm' ? LATENCY_RECEIPT : -1); break;
	case ANSWER_RESPONSE:
		if (!a->accepted)
			take_refusal(p, s, seq, kind, a);
		break;
	case ANSWER_NOTICED:
	case ANSWER_INFO:
	case ANSWER_OTHER: break;
	}
}

/* --- life --- */

static void begin_pair(struct driver *d, enum phase phase)
{
	const int rows[PAIRS_LATENCIES] = {
		[PAIRS_DELIVERY] = d->loaded ? LATENCY_PAIR_LOADED : LATENCY_PAIR_ALONE,
		[PAIRS_RECEIPT] = -1,
		[PAIRS_DM] = -1,
		[PAIRS_SENDING] = d->loaded ? LATENCY_PAIR_LATE : -1,
	};
	if (phase == PHASE_PAUSE)
		pairs_pause(d->state);
	else
		pairs_begin(d->state, rows);
}

static void begin(struct driver *d, enum phase phase)
{
	if (d->index == 0) {
		begin_pair(d, phase);
		return;
	}
	struct part *p = d->state;
	if (d->args->rate <= 0 || p->own_n == 0)
		return; /* the closed loop begins by itself, with this turn */
	for (unsigned i = 0; i < p->own_n; i++)
		p->own[i]->base = p->own[i]->next;
	if (d->loaded)
		schedule_start(&p->schedule, d->bench->start.ns, d->args->rate * p->own_n / d->args->senders,
			       UINT64_MAX);
	else
		schedule_stop(&p->schedule);
}

static int open_pair(struct driver *d)
{
	const struct arguments *a = d->args;
	const struct pairs_plan plan = { .rate = a->pair_rate, .window = PAIR_WINDOW, .flags = a->flags,
					 .size = a->size };
	struct pairs *pairs;
	int err = pairs_open(d, &plan, &pairs);
	d->state = pairs;
	return err;
}

/* The senders stand evenly among the members, so every thread has its share of them. */
static void find_own(struct part *p)
{
	struct driver *d = p->driver;
	struct group *g = p->group;
	size_t first = (size_t)(d->peer[0].account - d->bench->crowd.account) - PAIR;
	for (unsigned i = 0; i < g->sender_n; i++) {
		size_t member = g->member_n * i / g->sender_n;
		if (member < first || member >= first + d->peer_n)
			continue;
		g->sender[i].driver = d;
		g->sender[i].peer = &d->peer[member - first];
		p->own[p->own_n++] = &g->sender[i];
	}
}

static int open(struct driver *d)
{
	if (d->index == 0)
		return open_pair(d);
	struct part *p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	d->state = p;
	p->driver = d;
	p->group = d->bench->shared;
	p->schedule = (struct schedule){ .fire = due, .ctx = p };
	find_own(p);
	int err = letter_dm(&p->dm, p->group->tag);
	return err ? err : schedule_open(&p->schedule, d->loop);
}

static void close(struct driver *d)
{
	struct pairs *pairs = d->state;
	struct part *p = d->state;
	if (d->index == 0) {
		pairs_close(&pairs);
	} else {
		schedule_close(&p->schedule);
		letter_deinit(&p->dm);
		free(p);
	}
	d->state = NULL;
}

const struct scenario scenario_group = {
	.name = "group",
	.summary = "members of a group send to it, and two others to each other",
	.help = "  All members are there. A message is finished when each other member has it and its\n"
		"  sender the server receipt; with --dm each member answers by dm, and it is finished when\n"
		"  the sender has all of these and each member the receipt of his. Without --dm the server\n"
		"  learns by its pings what has arrived. Latencies count from sending to the arrival at\n"
		"  each member (delivery) and of the server receipt (receipt).\n"
		"  Beside the group two users write to each other in an open loop (--pair-rate, --flags).\n"
		"  Half of the time the group is silent, in turn: `pair alone` and `pair loaded` are from\n"
		"  when a message was due to its arrival without and with the group's load, and `pair\n"
		"  late` is how late the client was to send it under load. --seconds is the time under load,\n"
		"  --messages is not for groups.\n",
	.latency = { "delivery", "receipt", "sending", "pair_alone", "pair_loaded", "pair_late" },
	.check = check,
	.users = users,
	.users_together = 1,
	.users_apart = PAIR,
	.alternates = true,
	.unit = "delivery",
	.next = next,
	.settings_text = settings_text,
	.settings_json = settings_json,
	.prepare = group_prepare,
	.finish = group_finish,
	.open = open,
	.begin = begin,
	.turn = turn,
	.heard = heard,
	.close = close,
};
