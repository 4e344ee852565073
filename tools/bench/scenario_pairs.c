/* Pairs: users 2i and 2i+1 send to each other. Each direction is a `way` with a window of messages
 * under way; what a message still waits for is a set of bits in its slot of the way's ring.
 *
 *   closed loop   a way sends whenever its window has room
 *   open loop     message k of the driver is due at start + (k * drivers + driver) / rate and belongs
 *                 to way k mod ways; a way whose window is full sends late, and its latencies count from
 *                 when it should have sent (so a server that stalls cannot hide it)
 *
 * The number of a message within its way stands in its id, RUN.m.0000002a; a dm's id is RUN.d. and
 * the number of the message it is for. */
#include "base/err.h"
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PAIRS_MAX 100000
#define WINDOW_MAX 65536
#define WINDOW_CLOSED 16
#define WINDOW_OPEN 1024
#define SIZE_MAX_BYTES 200000
#define ID_TAG_CHARS 8
#define ID_NUMBER_AT (ID_TAG_CHARS + 3) /* TAG . m . number */
#define ID_CHARS (ID_NUMBER_AT + 8)
#define TIME_CHARS 13

enum { LATENCY_DELIVERY, LATENCY_RECEIPT, LATENCY_DM, LATENCY_SENDING };

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
	struct buf message; /* the packet; id and time are overwritten for each */
};

struct pairs {
	struct driver *driver;
	struct way *way;
	size_t way_n;
	uint32_t window, ring_mask;
	const struct flags_row *flags;
	char tag[ID_TAG_CHARS + 1];
	struct buf dm; /* the packet, likewise */
	size_t id_at, time_at_from_end, dm_of_at, dm_time_at;
	struct loop_io timer; /* of the open loop */
	int64_t start_ns;
	uint64_t due; /* the next message of the schedule whose time has not come */
};

/* --- arguments --- */

static const struct flags_row *flags_find(const char *name)
{
	for (size_t i = 0; i < sizeof(flags_rows) / sizeof(flags_rows[0]); i++)
		if (strcmp(flags_rows[i].name, name) == 0)
			return &flags_rows[i];
	return NULL;
}

static int check(struct arguments *a, char *why, size_t why_size)
{
	if (!flags_find(a->flags))
		snprintf(why, why_size, "--flags knows default and p0, not '%s'", a->flags);
	else if (a->pairs < 1 || a->pairs > PAIRS_MAX)
		snprintf(why, why_size, "--pairs is between 1 and %d", PAIRS_MAX);
	else if (a->window > WINDOW_MAX)
		snprintf(why, why_size, "--window is at most %d", WINDOW_MAX);
	else if (a->size > SIZE_MAX_BYTES)
		snprintf(why, why_size, "--size is at most %d", SIZE_MAX_BYTES);
	else if (a->threads > a->pairs)
		snprintf(why, why_size, "more --threads than --pairs");
	else {
		if (a->window == 0)
			a->window = a->rate > 0 ? WINDOW_OPEN : WINDOW_CLOSED;
		return OK;
	}
	return ERR_INVALID;
}

static size_t users(const struct arguments *a)
{
	return 2 * a->pairs;
}

/* --- packets --- */

static void put_hex(char *to, uint32_t v)
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 7; i >= 0; i--, v >>= 4)
		to[i] = digits[v & 15];
}

static void put_time(char *to, int64_t ms)
{
	for (int i = TIME_CHARS - 1; i >= 0; i--, ms /= 10)
		to[i] = (char)('0' + ms % 10);
}

/* What an id of this run says: its kind ('m', 'd') and number. 0: it is none. */
static char id_read(const struct pairs *s, struct str id, uint32_t *number_out)
{
	uint32_t v = 0;
	if (id.n != ID_CHARS || memcmp(id.p, s->tag, ID_TAG_CHARS) != 0)
		return 0;
	for (size_t i = ID_NUMBER_AT; i < ID_CHARS; i++) {
		char c = id.p[i];
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*number_out = v;
	return id.p[ID_TAG_CHARS + 1];
}

static void message_build(struct pairs *s, struct way *w, struct str receiver)
{
	struct buf *b = &w->message;
	buf_init(b, SIZE_MAX_BYTES + 4096);
	BUF_LIT(b, "{\"m\":{\"id\":\"");
	s->id_at = b->n;
	buf_printf(b, "%s.m.00000000\",\"r\":", s->tag);
	json_put_string(b, receiver);
	BUF_LIT(b, ",\"t\":\"t\",\"c\":\"");
	for (size_t i = 0; i < s->driver->args->size; i++)
		buf_u8(b, (uint8_t)('a' + i % 26));
	BUF_LIT(b, "\",\"st\":");
	size_t time_at = b->n;
	buf_printf(b, "%0*d%s}}", TIME_CHARS, 0, s->flags->members);
	s->time_at_from_end = b->n - time_at;
}

static void dm_build(struct pairs *s)
{
	struct buf *b = &s->dm;
	buf_init(b, 1024);
	buf_printf(b, "{\"m\":{\"id\":\"%s.d.00000000\",\"st\":", s->tag);
	s->dm_time_at = b->n;
	buf_printf(b, "%0*d,\"dm\":{\"id\":\"", TIME_CHARS, 0);
	s->dm_of_at = b->n;
	buf_printf(b, "%s.m.00000000\"}}}", s->tag);
}

static void dm_send(struct pairs *s, struct peer *p, uint32_t number)
{
	put_hex(s->dm.p + s->id_at + ID_NUMBER_AT, number);
	put_hex(s->dm.p + s->dm_of_at + ID_NUMBER_AT, number);
	put_time(s->dm.p + s->dm_time_at, wall_now().ms);
	peer_send(p, s->dm.p, s->dm.n);
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
	put_hex(w->message.p + s->id_at + ID_NUMBER_AT, number);
	put_time(w->message.p + w->message.n - s->time_at_from_end, wall_now().ms);
	peer_send(w->from, w->message.p, w->message.n);
	driver_sent(s->driver);
}

/* When message k of this driver is due. */
static int64_t due_ns(const struct pairs *s, uint64_t k)
{
	const struct driver *d = s->driver;
	double number = (double)k * d->bench->driver_n + d->index;
	return s->start_ns + (int64_t)(number * 1e9 / d->args->rate);
}

/* Sends what the way may send now. */
static void pump(struct pairs *s, struct way *w)
{
	struct driver *d = s->driver;
	size_t index = (size_t)(w - s->way);
	while (w->next - w->tail < s->window && driver_may_send(d)) {
		int64_t now = mono_now().ns, when = now;
		if (d->args->rate > 0) {
			uint64_t k = (uint64_t)(w->next - w->base) * s->way_n + index;
			if (k >= s->due)
				return;
			when = due_ns(s, k);
			if (d->measuring)
				histogram_add(&d->tally.latency[LATENCY_SENDING], now - when);
		}
		send_one(s, w, when);
	}
}

/* --- the open loop's schedule --- */

static void timer_set(struct pairs *s, bool on)
{
	struct itimerspec at = { 0 };
	if (on) {
		int64_t ns = due_ns(s, s->due);
		at.it_value.tv_sec = ns / NS_PER_S;
		at.it_value.tv_nsec = ns % NS_PER_S;
	}
	CHECK(timerfd_settime(s->timer.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
}

static void timer_ready(struct loop_io *io, bool readable, bool writable)
{
	struct pairs *s = LIST_ENTRY(io, struct pairs, timer);
	const struct driver *d = s->driver;
	uint64_t times;
	(void)readable;
	(void)writable;
	ssize_t n = read(io->fd, &times, sizeof(times));
	(void)n; /* what is due is told by the clock */
	uint64_t end = d->measuring ? d->share : UINT64_MAX;
	for (int64_t now = mono_now().ns; s->due < end && due_ns(s, s->due) <= now;) {
		uint64_t k = s->due++;
		pump(s, &s->way[k % s->way_n]);
	}
	timer_set(s, s->due < end && d->phase != PHASE_PAUSE);
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
	driver_done(s->driver, well);
	pump(s, w);
}

/* Something that message `number` waited for has come. */
static void take(struct pairs *s, struct way *w, uint32_t number, uint8_t what, int latency)
{
	struct driver *d = s->driver;
	struct slot *slot = slot_of(s, w, number);
	if (!slot || !(slot->awaits & what)) {
		if (number - w->base < w->next - w->base)
			driver_trouble(d, TROUBLE_REPEATED);
		return;
	}
	if (latency >= 0 && d->measuring)
		histogram_add(&d->tally.latency[latency], d->peers.now.ns - slot->sent_ns);
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
	if (s->flags->awaits & AWAITS_DM)
		dm_send(s, p, number);
	if (!repeated && number != w->arriving) {
		if (s->flags->awaits == AWAITS_DELIVERY)
			take_gap(s, w, number);
		else
			driver_trouble(s->driver, TROUBLE_DISORDERED);
	}
	if (!repeated)
		w->arriving = number + 1;
	take(s, w, number, AWAITS_DELIVERY, LATENCY_DELIVERY);
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

static void heard(struct driver *d, struct peer *p, const struct answer *a)
{
	struct pairs *s = d->state;
	size_t user = (size_t)(p - d->peer);
	struct way *out = &s->way[user], *in = &s->way[user ^ 1];
	bool about = a->kind == ANSWER_RECEIPT || a->kind == ANSWER_DELIVERED;
	uint32_t number;
	char kind = id_read(s, about ? a->of : a->id, &number);
	if (kind == 0)
		return; /* left from an earlier run */
	switch (a->kind) {
	case ANSWER_MESSAGE: take_message(s, in, p, number); break;
	case ANSWER_DELIVERED: take(s, out, number, AWAITS_DM, LATENCY_DM); break;
	case ANSWER_RECEIPT:
		if (kind == 'm')
			take(s, out, number, AWAITS_RECEIPT, LATENCY_RECEIPT);
		else
			take(s, in, number, AWAITS_DM_RECEIPT, -1);
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

static void begin(struct driver *d, enum phase phase)
{
	struct pairs *s = d->state;
	if (phase == PHASE_PAUSE) {
		timer_set(s, false);
		return;
	}
	s->start_ns = d->bench->start.ns;
	s->due = 0;
	for (size_t i = 0; i < s->way_n; i++) {
		struct way *w = &s->way[i];
		w->base = w->tail = w->arriving = w->next;
	}
	if (d->args->rate > 0)
		timer_set(s, true);
	else
		for (size_t i = 0; i < s->way_n; i++)
			pump(s, &s->way[i]);
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
	message_build(s, w, d->peer[i ^ 1].account->name);
	return w->slots && !w->message.failed ? OK : ERR_NOMEM;
}

static int open_pairs(struct driver *d)
{
	uint32_t random;
	struct pairs *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	d->state = s;
	s->driver = d;
	s->window = d->args->window;
	s->ring_mask = ring_size(s->window) - 1;
	s->flags = flags_find(d->args->flags);
	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	put_hex(s->tag, random);
	dm_build(s);
	s->timer = (struct loop_io){ .ready = timer_ready };
	s->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	s->way = calloc(d->peer_n, sizeof(s->way[0]));
	if (s->timer.fd < 0 || !s->way || loop_add(d->loop, &s->timer, true, false) != OK)
		return ERR_NOMEM;
	s->way_n = d->peer_n;
	for (size_t i = 0; i < s->way_n; i++)
		if (open_way(s, i) != OK)
			return ERR_NOMEM;
	return OK;
}

static void close_pairs(struct driver *d)
{
	struct pairs *s = d->state;
	for (size_t i = 0; i < s->way_n; i++) {
		free(s->way[i].slots);
		buf_deinit(&s->way[i].message);
	}
	if (s->timer.fd >= 0)
		close(s->timer.fd);
	buf_deinit(&s->dm);
	free(s->way);
	free(s);
	d->state = NULL;
}

const struct scenario scenario_pairs = {
	.name = "pairs",
	.summary = "users 2i and 2i+1 send messages to each other",
	.help = "  With --flags default a message is what an ordinary client sends, and is finished when\n"
		"  the sender has its server receipt and the receiver's delivered receipt (dm), and the\n"
		"  receiver has the message and the server receipt of its dm: six packets. With --flags\n"
		"  p0 it is sent with p, sc and pc \"0\" and is finished when it arrives: two packets.\n"
		"  Latencies count from sending to the arrival of the message (delivery), of the server\n"
		"  receipt (receipt), and of the dm at the sender (dm). In the open loop they count from\n"
		"  the moment the message was due, and `sending` is how late it was sent.\n",
	.latency = { "delivery", "receipt", "dm", "sending" },
	.check = check,
	.users = users,
	.users_together = 2,
	.open = open_pairs,
	.begin = begin,
	.heard = heard,
	.close = close_pairs,
};
