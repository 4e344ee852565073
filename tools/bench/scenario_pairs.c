/* Pairs: users 2i and 2i+1 send to each other. */
#include "base/err.h"
#include "letter.h"
#include "pairs.h"
#include <stdio.h>

#define PAIRS_MAX 100000
#define WINDOW_CLOSED 16
#define WINDOW_OPEN 1024

static int check(struct arguments *a, char *why, size_t why_size)
{
	if (!pairs_flags_known(a->flags))
		snprintf(why, why_size, "--flags knows default and p0, not '%s'", a->flags);
	else if (a->pairs < 1 || a->pairs > PAIRS_MAX)
		snprintf(why, why_size, "--pairs is between 1 and %d", PAIRS_MAX);
	else if (a->window > PAIRS_WINDOW_MAX)
		snprintf(why, why_size, "--window is at most %d", PAIRS_WINDOW_MAX);
	else if (a->size > LETTER_CONTENT_BYTES_MAX)
		snprintf(why, why_size, "--size is at most %d", LETTER_CONTENT_BYTES_MAX);
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

static int open(struct driver *d)
{
	const struct arguments *a = d->args;
	/* Message k of the run is due at k / rate, and every driver has its turn. */
	struct pairs_plan plan = { .rate = a->rate / a->threads, .window = a->window,
				   .flags = a->flags, .size = a->size };
	if (a->rate > 0)
		plan.offset_ns = (int64_t)(d->index * 1e9 / a->rate);
	struct pairs *pairs;
	int err = pairs_open(d, &plan, &pairs);
	d->state = pairs;
	return err;
}

static void begin(struct driver *d, enum phase phase)
{
	static const int rows[PAIRS_LATENCIES] = { PAIRS_DELIVERY, PAIRS_RECEIPT, PAIRS_DM, PAIRS_SENDING };
	if (phase == PHASE_PAUSE)
		pairs_pause(d->state);
	else
		pairs_begin(d->state, rows);
}

static void heard(struct driver *d, struct peer *p, const struct answer *a)
{
	pairs_heard(d->state, p, a);
}

static void close(struct driver *d)
{
	struct pairs *pairs = d->state;
	pairs_close(&pairs);
	d->state = NULL;
}

static void settings_text(const struct arguments *a, FILE *to)
{
	fprintf(to, "%u users, %s messages of %u bytes, ", 2 * a->pairs, a->flags, a->size);
	if (a->rate > 0)
		fprintf(to, "open loop at %g messages/s\n", a->rate);
	else
		fprintf(to, "closed loop, window %u\n", a->window);
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
	.unit = "message",
	.settings_text = settings_text,
	.open = open,
	.begin = begin,
	.heard = heard,
	.close = close,
};
