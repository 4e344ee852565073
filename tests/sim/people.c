#include "people.h"
#include "choice.h"
#include "compose.h"
#include <stdio.h>

#define PEOPLE_UP_MAX 20     /* packets under way to the server before a client waits */
#define PEOPLE_DONE_MAX 24   /* receipted messages kept, to be sent again */
#define PEOPLE_TODO_MAX 400
#define PEOPLE_NAMES TALK_USERS

enum device_state { DEVICE_OFF, DEVICE_CONNECTED, DEVICE_ASKED, DEVICE_ON, DEVICE_LEAVING };

/* Something a client wants a receipt for: it is sent again on the next connection. */
struct note { struct said *said; bool sent; };
/* A receipt to be written. */
struct todo { enum said_kind kind; int to; char of[TALK_ID_MAX]; bool of_p0; };

struct device {
	int user;
	unsigned index;
	unsigned link;        /* 0 none */
	enum device_state state;
	bool stalled, deaf;
	struct fifo outbox;   /* struct note, in the order to be sent */
	struct fifo done;     /* struct said, receipted */
	struct fifo todo;     /* struct todo */
	char ping[64];        /* payload of the last ping */
	size_t ping_n;
	unsigned audited;     /* questions asked at the end */
};

struct people {
	struct world *world;
	const struct plan *plan;
	struct dice *dice;
	int first_user;
	struct device devices[PEOPLE_NAMES][PLAN_DEVICES_MAX];
	unsigned ids[PEOPLE_NAMES];
	unsigned contents;
	bool calm, auditing;
};

struct people *people_create(struct world *w)
{
	struct people *p = calloc(1, sizeof(*p));
	CHECK(p);
	p->world = w;
	p->plan = w->plan;
	p->dice = &w->dice;
	p->first_user = w->plan->admin ? 0 : 1;
	for (int u = 0; u < PEOPLE_NAMES; u++)
		for (unsigned i = 0; i < PLAN_DEVICES_MAX; i++) {
			p->devices[u][i].user = u;
			p->devices[u][i].index = i;
		}
	return p;
}

static void note_free(struct note *note)
{
	said_free(&note->said);
	free(note);
}

static void device_forget(struct device *d)
{
	void *p;
	while ((p = fifo_pop(&d->outbox)))
		note_free(p);
	while ((p = fifo_pop(&d->todo)))
		free(p);
}

void people_destroy(struct people **people)
{
	struct people *p = *people;
	if (!p)
		return;
	for (int u = 0; u < PEOPLE_NAMES; u++)
		for (unsigned i = 0; i < PLAN_DEVICES_MAX; i++) {
			struct device *d = &p->devices[u][i];
			device_forget(d);
			struct said *said;
			while ((said = fifo_pop(&d->done)))
				said_free(&said);
			fifo_free(&d->outbox);
			fifo_free(&d->done);
			fifo_free(&d->todo);
		}
	free(p);
	*people = NULL;
}

static const char *people_id(struct people *p, const struct device *d, char out[TALK_ID_MAX])
{
	unsigned n = ++p->ids[d->user];
	if (p->plan->collide)
		(void)snprintf(out, TALK_ID_MAX, "%u", n);
	else
		(void)snprintf(out, TALK_ID_MAX, "%s.%u.%u", oracle_name(d->user), d->index, n);
	return out;
}

/* --- the connection --- */

/* What was sent and not receipted is sent again on the next connection; receipts for p 0 messages
 * make sense on their own connection only (13.5). */
static void device_off(struct device *d)
{
	d->state = DEVICE_OFF;
	d->link = 0;
	d->stalled = d->deaf = false;
	d->ping_n = 0;
	for (size_t i = d->outbox.n; i-- > 0;) {
		struct note *note = fifo_at(&d->outbox, i);
		note->sent = false;
		if (note->said->of_p0)
			note_free(fifo_take(&d->outbox, i));
	}
	for (size_t i = d->todo.n; i-- > 0;)
		if (((struct todo *)fifo_at(&d->todo, i))->of_p0)
			free(fifo_take(&d->todo, i));
}

static void device_connect(struct people *p, struct device *d)
{
	if (p->calm && (d->index || !oracle_user_alive(p->world->oracle, d->user)))
		return;
	struct link *l = world_connect(p->world, d->user, d->index);
	if (!l)
		return;
	d->link = l->number;
	d->state = DEVICE_CONNECTED;
	d->deaf = !p->calm && dice_chance(p->dice, p->plan->deaf);
}

static void device_login(struct people *p, struct device *d, struct link *l)
{
	char id[TALK_ID_MAX], token[TALK_ID_MAX];
	bool again = d->user == (int)p->plan->users && p->plan->admin; /* his token may have changed */
	if (!p->calm && dice_chance(p->dice, p->plan->wrong_token))
		(void)snprintf(token, sizeof(token), "wrong");
	else if (again)
		(void)snprintf(token, sizeof(token), "%s", oracle_token(p->world->oracle, d->user));
	else
		(void)snprintf(token, sizeof(token), "t-%s", oracle_name(d->user));
	world_say(p->world, l, compose_login(people_id(p, d, id), d->user, token, p->dice));
	if (d->state == DEVICE_CONNECTED)
		d->state = DEVICE_ASKED;
}

static void device_cut(struct people *p, struct device *d, struct link *l)
{
	world_cut(p->world, l);
	device_off(d);
}

/* --- what devices say --- */

static bool outbox_has(const struct device *d, const char *id)
{
	for (size_t i = 0; i < d->outbox.n; i++)
		if (strcmp(((struct note *)fifo_at(&d->outbox, i))->said->id, id) == 0)
			return true;
	return false;
}

/* Sends, and remembers it till it is receipted, unless no receipt is wanted. */
static void device_send(struct people *p, struct device *d, struct link *l, struct said *said)
{
	if (!said->sc0 && !said->p0) {
		struct note *note = calloc(1, sizeof(*note));
		CHECK(note);
		note->said = said_copy(said);
		note->sent = true;
		fifo_push(&d->outbox, note);
	}
	world_say(p->world, l, said);
}

static bool device_send_again(struct people *p, struct device *d, struct link *l)
{
	for (size_t i = 0; i < d->outbox.n; i++) {
		struct note *note = fifo_at(&d->outbox, i);
		if (note->sent)
			continue;
		note->sent = true;
		world_say(p->world, l, said_copy(note->said));
		return true;
	}
	return false;
}

static bool device_acknowledge(struct people *p, struct device *d, struct link *l)
{
	char id[TALK_ID_MAX];
	struct todo *t = fifo_pop(&d->todo);
	if (!t)
		return false;
	bool sc0 = dice_chance(p->dice, p->plan->sc0);
	bool named = p->plan->collide || dice_chance(p->dice, 300);
	struct said *said = compose_receipt(t->kind, people_id(p, d, id), d->user, t->to, t->of, sc0, named,
					    p->dice);
	said->of_p0 = t->of_p0;
	free(t);
	device_send(p, d, l, said);
	return true;
}

static int people_receiver(struct people *p, const struct device *d)
{
	if (dice_chance(p->dice, p->plan->to_nobody))
		return TALK_NOBODY;
	if (dice_chance(p->dice, p->plan->to_self))
		return d->user;
	if (dice_chance(p->dice, p->plan->to_place)) {
		int place = choice_place(p->plan, p->dice, oracle_model(p->world->oracle), d->user);
		if (place != TALK_NOBODY)
			return place;
	}
	int to = (int)dice_between(p->dice, 1, p->plan->users);
	return to != d->user ? to : 1 + to % (int)p->plan->users;
}

/* May it be another message of the same id? In a group nobody could tell it from one sent to him alone. */
static bool people_may_share_id(const struct people *p, int a, int b)
{
	int last = p->plan->admin && p->plan->clash ? (int)p->plan->users : TALK_NOBODY;
	bool group = (a >= TALK_USERS && !choice_is_broadcast(a)) || (b >= TALK_USERS && !choice_is_broadcast(b));
	return a != b && !group && a != last && b != last;
}

static void device_write(struct people *p, struct device *d, struct link *l)
{
	char id[TALK_ID_MAX];
	const struct plan *plan = p->plan;
	int to = people_receiver(p, d);
	struct compose_flags flags = { dice_chance(p->dice, plan->p0), dice_chance(p->dice, plan->sc0),
				       dice_chance(p->dice, plan->pc0) };
	size_t size = dice_below(p->dice, dice_chance(p->dice, plan->long_content) ? 300
								 : (unsigned)plan->content_max);
	people_id(p, d, id);
	if (d->done.n && dice_chance(p->dice, plan->same_id_other)) { /* to another receiver it is another */
		const struct said *old = fifo_at(&d->done, dice_below(p->dice, (unsigned)d->done.n));
		if (people_may_share_id(p, old->to, to) && !outbox_has(d, old->id)) {
			(void)snprintf(id, sizeof(id), "%s", old->id);
			flags.p0 = flags.sc0 = false; /* the answers could not be told apart */
		}
	}
	device_send(p, d, l, compose_message(id, d->user, to, flags, ++p->contents, size, p->dice));
}

/* Sends a receipted message again: it must be receipted and not delivered. If as p 0, for the last
 * time: its answer could not be told from others'. */
static void device_repeat(struct people *p, struct device *d, struct link *l)
{
	if (!d->done.n)
		return;
	unsigned which = dice_below(p->dice, (unsigned)d->done.n);
	struct said *old = fifo_at(&d->done, which);
	if (outbox_has(d, old->id))
		return;
	if (dice_chance(p->dice, 500)) {
		device_send(p, d, l, said_copy(old));
		return;
	}
	struct compose_flags flags = { dice_chance(p->dice, 300), false, old->pc0 };
	device_send(p, d, l, compose_message(old->id, d->user, old->to, flags, ++p->contents, 10, p->dice));
	if (flags.p0) {
		(void)fifo_take(&d->done, which);
		said_free(&old);
	}
}

static bool device_ask(struct people *p, struct device *d, struct link *l)
{
	char id[TALK_ID_MAX];
	struct ask ask;
	unsigned number = ++p->contents;
	if (d->user == 0)
		choice_administer(p->plan, p->dice, number, &ask);
	else if (!choice_ask(p->plan, p->dice, oracle_model(p->world->oracle), d->user, number, &ask))
		return false;
	world_say(p->world, l, compose_ask(people_id(p, d, id), &ask));
	return true;
}

/* At the end everybody looks how things are. */
static bool device_audit(struct people *p, struct device *d, struct link *l)
{
	char id[TALK_ID_MAX];
	struct ask ask;
	if (!p->auditing || !choice_audit(p->plan, p->dice, oracle_model(p->world->oracle), d->user, d->audited, &ask))
		return false;
	d->audited++;
	world_say(p->world, l, compose_ask(people_id(p, d, id), &ask));
	return true;
}

static void device_stray_pong(struct people *p, struct device *d, struct link *l)
{
	char payload[8];
	if (d->ping_n && dice_chance(p->dice, 500)) {
		world_pong(p->world, l, d->ping, d->ping_n);
		return;
	}
	dice_bytes(p->dice, payload, sizeof(payload));
	world_pong(p->world, l, payload, sizeof(payload));
}

/* Things a client does beside writing. False: none of them. */
static bool device_fidget(struct people *p, struct device *d, struct link *l)
{
	const struct plan *plan = p->plan;
	char id[TALK_ID_MAX];
	people_id(p, d, id);
	if (dice_chance(p->dice, plan->knock))
		world_say(p->world, l, compose_plain(dice_chance(p->dice, 500) ? SAID_KNOCK : SAID_TIME, id, p->dice));
	else if (dice_chance(p->dice, plan->odd))
		world_say(p->world, l, dice_chance(p->dice, 300) ? compose_malformed(id, p->dice)
								 : compose_odd(id, d->user == 0, p->dice));
	else if (dice_chance(p->dice, plan->stray_pong))
		device_stray_pong(p, d, l);
	else if (dice_chance(p->dice, plan->malformed_burst))
		for (unsigned i = 0; i < 16; i++)
			world_say(p->world, l, compose_malformed(id, p->dice));
	else if (d->state == DEVICE_ON && dice_chance(p->dice, plan->wrong_token / 4))
		device_login(p, d, l);
	else
		return false;
	return true;
}

static void device_act_on(struct people *p, struct device *d, struct link *l)
{
	char id[TALK_ID_MAX];
	if (device_send_again(p, d, l))
		return;
	if (d->todo.n && (p->calm || dice_chance(p->dice, 600))) {
		(void)device_acknowledge(p, d, l);
		return;
	}
	if (p->calm) {
		(void)device_audit(p, d, l);
		return;
	}
	if (dice_chance(p->dice, p->plan->logout)) {
		world_say(p->world, l, compose_plain(SAID_LOGOUT, people_id(p, d, id), p->dice));
		d->state = DEVICE_LEAVING;
	} else if (d->user == 0) {
		if (dice_chance(p->dice, 60))
			(void)device_ask(p, d, l);
	} else if (device_fidget(p, d, l)) {
		return;
	} else if (dice_chance(p->dice, p->plan->repeat)) {
		device_repeat(p, d, l);
	} else if (!dice_chance(p->dice, p->plan->ask) || !device_ask(p, d, l)) {
		device_write(p, d, l);
	}
}

static void device_act(struct people *p, struct device *d)
{
	if (d->state == DEVICE_OFF) {
		device_connect(p, d);
		return;
	}
	struct link *l = world_link(p->world, d->link);
	CHECK(l);
	if (!p->calm && dice_chance(p->dice, d->deaf ? p->plan->cut * 4 : p->plan->cut)) {
		device_cut(p, d, l);
		return;
	}
	if (!p->calm && dice_chance(p->dice, d->stalled ? 200 : p->plan->stall))
		d->stalled = !d->stalled;
	if (l->up.n >= PEOPLE_UP_MAX)
		return;
	bool early = !p->calm && dice_chance(p->dice, p->plan->early);
	if (d->state == DEVICE_ON || (early && d->state == DEVICE_ASKED))
		device_act_on(p, d, l);
	else if (early && d->state == DEVICE_CONNECTED)
		(void)device_fidget(p, d, l);
	else if (d->state == DEVICE_CONNECTED)
		device_login(p, d, l);
}

void people_act(struct people *p)
{
	int user = p->first_user + (int)dice_below(p->dice, (unsigned)((int)p->plan->users + 1 - p->first_user));
	device_act(p, &p->devices[user][dice_below(p->dice, p->calm ? 1 : p->plan->devices)]);
}

/* --- what devices hear --- */

static void device_todo(struct device *d, enum said_kind kind, const struct heard *h)
{
	int to = oracle_user(str_of(h->from));
	for (size_t i = 0; i < d->todo.n; i++) {
		const struct todo *t = fifo_at(&d->todo, i);
		if (t->kind == kind && t->to == to && t->of_p0 == h->p0 && strcmp(t->of, h->id) == 0)
			return;
	}
	if (d->todo.n == PEOPLE_TODO_MAX || to == TALK_NOBODY)
		return;
	struct todo *t = calloc(1, sizeof(*t));
	CHECK(t);
	*t = (struct todo){ .kind = kind, .to = to, .of_p0 = h->p0 };
	(void)snprintf(t->of, sizeof(t->of), "%s", h->id);
	fifo_push(&d->todo, t);
}

static void device_hear_message(struct people *p, struct device *d, const struct heard *h)
{
	enum plan_policy policy = p->plan->policy[d->user % PLAN_USERS_MAX];
	if (policy == POLICY_MIXED)
		policy = dice_below(p->dice, POLICY_MIXED);
	if (policy == POLICY_PONG || (h->p0 && h->pc0))
		return;
	if (policy == POLICY_DM || policy == POLICY_BOTH)
		device_todo(d, SAID_DM, h);
	if (policy == POLICY_NM || policy == POLICY_BOTH)
		device_todo(d, SAID_NM, h);
}

static void device_done(struct device *d, struct note *note)
{
	if (note->said->kind == SAID_MESSAGE && !note->said->p0 && note->said->to != TALK_NOBODY) {
		fifo_push(&d->done, note->said);
		note->said = NULL;
	}
	if (d->done.n > PEOPLE_DONE_MAX) {
		struct said *old = fifo_pop(&d->done);
		said_free(&old);
	}
	note_free(note);
}

static void device_hear_answer(struct device *d, const struct heard *h)
{
	const char *id = h->kind == HEARD_SR ? h->of : h->id;
	for (size_t i = 0; i < d->outbox.n; i++) {
		struct note *note = fifo_at(&d->outbox, i);
		if (!note->sent || strcmp(note->said->id, id) != 0)
			continue;
		if (h->kind == HEARD_SR) {
			device_done(d, fifo_take(&d->outbox, i));
		} else if (strcmp(h->code, "503") == 0) { /* try again, behind what went well */
			note = fifo_take(&d->outbox, i);
			note->sent = false;
			fifo_push(&d->outbox, note);
		} else if (strcmp(h->code, "401") == 0) {
			note->sent = false;
		} else {
			note_free(fifo_take(&d->outbox, i));
		}
		return;
	}
}

static void device_hear(struct people *p, struct device *d, const struct heard *h)
{
	switch (h->kind) {
	case HEARD_LOGIN:
		if (d->state == DEVICE_ASKED)
			d->state = h->accepted ? DEVICE_ON : DEVICE_CONNECTED;
		break;
	case HEARD_MESSAGE:
		device_hear_message(p, d, h);
		break;
	case HEARD_SR:
	case HEARD_ERROR:
		device_hear_answer(d, h);
		break;
	default:
		break;
	}
}

/* False when the connection is over. */
static bool device_read(struct people *p, struct device *d, struct link *l)
{
	struct freight *f = fifo_pop(&l->down);
	bool open = f->kind != FREIGHT_CLOSE;
	if (f->kind == FREIGHT_HEARD) {
		l->down_bytes -= f->n;
		if (f->show)
			oracle_received(p->world->oracle, l->number, f->show);
		device_hear(p, d, &f->heard);
	} else if (f->kind == FREIGHT_PING) {
		memcpy(d->ping, f->payload, f->n);
		d->ping_n = f->n;
		world_pong(p->world, l, f->payload, f->n);
	} else {
		l->client_gone = true;
		device_off(d);
	}
	freight_free(f);
	return open;
}

bool people_read(struct people *p)
{
	struct device *ready[PEOPLE_NAMES * PLAN_DEVICES_MAX];
	unsigned n = 0;
	for (int u = p->first_user; u <= (int)p->plan->users; u++)
		for (unsigned i = 0; i < p->plan->devices; i++) {
			struct device *d = &p->devices[u][i];
			struct link *l = d->link ? world_link(p->world, d->link) : NULL;
			bool over = l && l->state == LINK_OVER;
			if (l && l->down.n && (over || (!d->stalled && !d->deaf)))
				ready[n++] = d;
		}
	if (!n)
		return false;
	struct device *d = ready[dice_below(p->dice, n)];
	struct link *l = world_link(p->world, d->link);
	for (unsigned i = dice_between(p->dice, 1, 6); i > 0 && l->down.n; i--)
		if (!device_read(p, d, l))
			break;
	return true;
}

/* --- the end --- */

void people_calm(struct people *p)
{
	p->calm = true;
	for (int u = p->first_user; u <= (int)p->plan->users; u++)
		for (unsigned i = 0; i < p->plan->devices; i++) {
			struct device *d = &p->devices[u][i];
			struct link *l = d->link ? world_link(p->world, d->link) : NULL;
			if (l && l->state != LINK_OVER && (d->deaf || i))
				device_cut(p, d, l);
			d->stalled = false;
			if (i || !oracle_user_alive(p->world->oracle, u))
				device_forget(d);
		}
}

void people_audit(struct people *p)
{
	p->auditing = true;
}

static bool device_audited(const struct people *p, const struct device *d)
{
	struct dice dice = { 1 };
	struct ask ask;
	return !p->auditing || d->user == 0 ||
	       !choice_audit(p->plan, &dice, oracle_model(p->world->oracle), d->user, d->audited, &ask);
}

bool people_settled(const struct people *p)
{
	for (int u = p->first_user; u <= (int)p->plan->users; u++) {
		const struct device *d = &p->devices[u][0];
		if (oracle_user_alive(p->world->oracle, u) && (d->outbox.n || d->todo.n || d->state != DEVICE_ON ||
							       !device_audited(p, d)))
			return false;
	}
	return true;
}
