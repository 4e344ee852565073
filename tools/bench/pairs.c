/* Each direction is a `way` with a window of messages under way; what a message still waits for is a
 * set of bits in its slot of the way's ring. In the open loop message k belongs to way k mod ways. */
#include "pairs.h"
#include "base/err.h"
#include "letter.h"
#include "schedule.h"
#include <stdio.h>
#include <stdlib.h>

enum { /* what a message waits for */
	AWAITS_DELIVERY = 1,
	AWAITS_RECEIPT = 2,
	AWAITS_DM = 4,
	AWAITS_DM_RECEIPT = 8, /* the receiver's */
};

static const struct flags_row {
	const char *name, *members; /* of the message */
	unsigned awaits;
} flags_rows[] = {
	{ "default", "", AWAITS_DELIVERY | AWAITS_RECEIPT | AWAITS_DM | AWAITS_DM_RECEIPT },
	{ "p0", ",\"p\":\"0\",\"sc\":\"0\",\"pc\":\"0\"", AWAITS_DELIVERY },
};

struct slot {
	int64_t sent_ns; /* or should have been */
	uint8_t awaits;
};

/* Messages from one user to another: numbers base … tail … next, of which those from tail on may be
 * unfinished. Numbers wrap around. */
struct way {
	struct peer *from;
	uint32_t base, tail, next;
	uint32_t arriving; /* the number the receiver sees next, if nothing goes wrong */
	struct slot *slots; /* ring_mask + 1 */
	struct letter message;
};

struct pairs {
	struct driver *driver;
	struct pairs_plan plan;
	struct way *way;
	size_t way_n;
	uint32_t ring_mask;
	const struct flags_row *flags;
	struct letter_tag tag;
	struct letter dm;
	struct schedule schedule; /* of the open loop */
	int row[PAIRS_LATENCIES + 1];
};

static const struct flags_row *flags_find(const char *name)
{
	for (size_t i = 0; i < sizeof(flags_rows) / sizeof(flags_rows[0]); i++)
		if (strcmp(flags_rows[i].name, name) == 0)
			return &flags_rows[i];
	return NULL;
}

bool pairs_flags_known(const char *flags)
{
	return flags_find(flags) != NULL;
}

/* --- sending --- */

static struct slot *slot_at(const struct pairs *s, const struct way *w, uint32_t number)
{
	return &w->slots[number & s->ring_mask];
}

static void send_one(struct pairs *s, struct way *w, int64_t sent_ns)
{
	uint32_t number = w->next++;
	*slot_at(s, w, number) = (struct slot){ sent_ns, (uint8_t)s->flags->awaits };
	struct str packet = letter_write(&w->message, number);
	peer_send(w->from, packet.p, packet.n);
	driver_sent(s->driver);
}

static void note(struct pairs *s, enum pairs_latency what, int64_t ns)
{
	struct driver *d = s->driver;
	if (d->measuring && s->row[what] >= 0)
		histogram_add(&d->tally.latency[s->row[what]], ns);
}

/* Sends what the way may send now. */
static void pump(struct pairs *s, struct way *w)
{
	struct driver *d = s->driver;
	size_t index = (size_t)(w - s->way);
	while (w->next - w->tail < s->plan.window && driver_may_send(d)) {
		int64_t now = mono_now().ns, when = now;
		if (s->plan.rate > 0) {
			uint64_t k = (uint64_t)(w->next - w->base) * s->way_n + index;
			if (k >= s->schedule.due)
				return;
			when = schedule_due_ns(&s->schedule, k);
			note(s, PAIRS_SENDING, now - when);
		}
		send_one(s, w, when);
	}
}

static void due(void *ctx, uint64_t k)
{
	struct pairs *s = ctx;
	pump(s, &s->way[k % s->way_n]);
}

/* --- hearing --- */

/* The slot of a message that is not finished; NULL for any other number. */
static struct slot *slot_of(const struct pairs *s, const struct way *w, uint32_t number)
{
	if (number - w->tail >= w->next - w->tail)
		return NULL;
	struct slot *slot = slot_at(s, w, number);
	return slot->awaits ? slot : NULL;
}

static void slot_finish(struct pairs *s, struct way *w, struct slot *slot, bool well)
{
	slot->awaits = 0;
	while (w->tail != w->next && slot_at(s, w, w->tail)->awaits == 0)
		w->tail++;
	driver_done(s->driver, well, s->driver->peers.now);
	pump(s, w);
}

/* Something that message `number` waited for has come. */
static void take(struct pairs *s, struct way *w, uint32_t number, uint8_t what, enum pairs_latency latency)
{
	struct driver *d = s->driver;
	struct slot *slot = slot_of(s, w, number);
	if (!slot || !(slot->awaits & what)) {
		if (number - w->base < w->next - w->base)
			driver_trouble(d, TROUBLE_REPEATED);
		return;
	}
	note(s, latency, d->peers.now.ns - slot->sent_ns);
	slot->awaits &= (uint8_t)~what;
	if (slot->awaits == 0)
		slot_finish(s, w, slot, true);
}

/* Messages with p 0 may be dropped; those of one sender arrive in order, so a gap is a loss. */
static void take_gap(struct pairs *s, struct way *w, uint32_t to)
{
	for (uint32_t number = w->arriving; number != to; number++) {
		struct slot *slot = slot_of(s, w, number);
		if (slot) {
			driver_trouble(s->driver, TROUBLE_LOST);
			slot_finish(s, w, slot, false);
		}
	}
}

static void take_message(struct pairs *s, struct way *w, struct peer *p, uint32_t number)
{
	if (number - w->base >= w->next - w->base)
		return; /* of the warm-up */
	bool repeated = number - w->base < w->arriving - w->base;
	if (s->flags->awaits & AWAITS_DM) {
		struct str dm = letter_write(&s->dm, number);
		peer_send(p, dm.p, dm.n);
	}
	if (!repeated && number != w->arriving) {
		if (s->flags->awaits == AWAITS_DELIVERY)
			take_gap(s, w, number);
		else
			driver_trouble(s->driver, TROUBLE_DISORDERED);
	}
	if (!repeated)
		w->arriving = number + 1;
	take(s, w, number, AWAITS_DELIVERY, PAIRS_DELIVERY);
}

static void take_refusal(struct pairs *s, struct way *w, uint32_t number, const struct answer *a)
{
	struct tally *t = &s->driver->tally;
	struct slot *slot = slot_of(s, w, number);
	if (!t->refusal[0])
		snprintf(t->refusal, sizeof(t->refusal), "%.*s %.*s", STR_ARG(a->code),
			 STR_ARG(a->sentence));
	if (!slot)
		return; /* with p 0 a later message may have been there first: then it counts as lost */
	driver_trouble(s->driver, TROUBLE_REFUSED);
	slot_finish(s, w, slot, false);
}

void pairs_heard(struct pairs *s, struct peer *p, const struct answer *a)
{
	size_t user = (size_t)(p - s->driver->peer);
	struct way *out = &s->way[user], *in = &s->way[user ^ 1];
	bool about = a->kind == ANSWER_RECEIPT || a->kind == ANSWER_DELIVERED;
	uint32_t number;
	char kind = letter_id(s->tag, about ? a->of : a->id, &number);
	if (kind == 0)
		return; /* left from an earlier run */
	switch (a->kind) {
	case ANSWER_MESSAGE: take_message(s, in, p, number); break;
	case ANSWER_DELIVERED: take(s, out, number, AWAITS_DM, PAIRS_DM); break;
	case ANSWER_RECEIPT:
		if (kind == 'm')
			take(s, out, number, AWAITS_RECEIPT, PAIRS_RECEIPT);
		else
			take(s, in, number, AWAITS_DM_RECEIPT, PAIRS_UNNOTED);
		break;
	case ANSWER_RESPONSE:
		if (!a->accepted)
			take_refusal(s, kind == 'm' ? out : in, number, a);
		break;
	case ANSWER_NOTICED:
	case ANSWER_INFO:
	case ANSWER_OTHER: break;
	}
}

/* --- life --- */

void pairs_begin(struct pairs *s, const int row[PAIRS_LATENCIES])
{
	const struct driver *d = s->driver;
	memcpy(s->row, row, PAIRS_LATENCIES * sizeof(row[0]));
	for (size_t i = 0; i < s->way_n; i++) {
		struct way *w = &s->way[i];
		w->base = w->tail = w->arriving = w->next;
	}
	if (s->plan.rate > 0)
		schedule_start(&s->schedule, d->bench->start.ns + s->plan.offset_ns, s->plan.rate,
			       d->measuring ? d->share : UINT64_MAX);
	else
		for (size_t i = 0; i < s->way_n; i++)
			pump(s, &s->way[i]);
}

void pairs_pause(struct pairs *s)
{
	if (s->plan.rate > 0)
		schedule_stop(&s->schedule);
}

static uint32_t ring_size(uint32_t window)
{
	uint32_t n = 1;
	while (n < window)
		n *= 2;
	return n;
}

static int open_way(struct pairs *s, size_t i)
{
	struct driver *d = s->driver;
	struct way *w = &s->way[i];
	w->from = &d->peer[i];
	w->slots = calloc((size_t)s->ring_mask + 1, sizeof(w->slots[0]));
	int err = letter_message(&w->message, s->tag, d->peer[i ^ 1].account->name, s->plan.size,
				 s->flags->members);
	return w->slots ? err : ERR_NOMEM;
}

int pairs_open(struct driver *d, const struct pairs_plan *plan, struct pairs **out)
{
	struct pairs *s = *out = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	s->driver = d;
	s->plan = *plan;
	s->row[PAIRS_UNNOTED] = -1;
	s->ring_mask = ring_size(plan->window) - 1;
	s->flags = flags_find(plan->flags);
	s->tag = letter_tag_make();
	s->schedule = (struct schedule){ .fire = due, .ctx = s };
	s->way = calloc(d->peer_n, sizeof(s->way[0]));
	if (!s->way || letter_dm(&s->dm, s->tag) != OK || schedule_open(&s->schedule, d->loop) != OK)
		return ERR_NOMEM;
	s->way_n = d->peer_n;
	for (size_t i = 0; i < s->way_n; i++)
		if (open_way(s, i) != OK)
			return ERR_NOMEM;
	return OK;
}

void pairs_close(struct pairs **out)
{
	struct pairs *s = *out;
	if (!s)
		return;
	for (size_t i = 0; i < s->way_n; i++) {
		free(s->way[i].slots);
		letter_deinit(&s->way[i].message);
	}
	schedule_close(&s->schedule);
	letter_deinit(&s->dm);
	free(s->way);
	free(s);
	*out = NULL;
}
