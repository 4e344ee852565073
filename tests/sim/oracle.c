#include "oracle_state.h"
#include <stdarg.h>
#include <stdlib.h>

const struct finding_row finding_rows[FINDING_COUNT] = {
	{ "NONE", "", "" },
#define FINDING(name, promise, text) { #name, promise, text },
#include "finding.def"
#undef FINDING
};

static const char *const oracle_names[ORACLE_NAMES] = {
	"root", "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
	"chess", "choir", "lunch", "radio", "train", "",
};

const char *oracle_name(int name)
{
	return name == TALK_NOBODY ? "nobody" : oracle_names[name];
}

int oracle_any(struct str name)
{
	for (int i = 0; i < TALK_NAMES; i++)
		if (str_eq(name, str_of(oracle_names[i])))
			return i;
	return TALK_NOBODY;
}

int oracle_user(struct str name)
{
	int i = oracle_any(name);
	return i < TALK_USERS ? i : TALK_NOBODY;
}

void oracle_grow(void **array, unsigned n, unsigned *cap, size_t size)
{
	if (n < *cap)
		return;
	unsigned more = *cap ? *cap * 2 : 4;
	char *p = realloc(*array, more * size);
	CHECK(p);
	memset(p + *cap * size, 0, (more - *cap) * size);
	*array = p;
	*cap = more;
}

struct oracle *oracle_create(const struct plan *plan, struct trace *trace, int64_t ack_ping_ms)
{
	struct oracle *o = calloc(1, sizeof(*o));
	CHECK(o);
	o->plan = plan;
	o->trace = trace;
	o->ack_ping_ms = ack_ping_ms;
	o->stamp = 1;
	for (int name = 0; name < TALK_NAMES; name++) {
		o->model.name[name].owner = TALK_NOBODY;
		o->accounts[name].gone_at = ORACLE_NOW;
		for (int user = 0; user < TALK_USERS; user++)
			o->accounts[name].out_at[user] = ORACLE_NOW;
	}
	return o;
}

static void letter_free(struct letter *l)
{
	for (unsigned i = 0; i < l->sending_n; i++)
		free(l->sendings[i].passed_on);
	for (unsigned i = 0; i < l->copy_n; i++) {
		free(l->copies[i]->text);
		free(l->copies[i]);
	}
	free(l->sendings);
	free(l->copies);
	free(l->fans);
	free(l);
}

static void watch_free(struct watch *w)
{
	free(w->shows);
	free(w->pings);
	free(w->pendings);
	free(w);
}

void oracle_destroy(struct oracle **oracle)
{
	struct oracle *o = *oracle;
	if (!o)
		return;
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (int to = 0; to < ORACLE_NAMES; to++)
			for (struct letter *l = o->pairs[from][to], *next; l; l = next) {
				next = l->next;
				letter_free(l);
			}
	for (unsigned i = 0; i < o->watch_n; i++)
		watch_free(o->watches[i]);
	for (int name = 0; name < ORACLE_NAMES; name++)
		fifo_free(&o->accounts[name].box);
	struct fan *fan;
	while ((fan = fifo_pop(&o->fans))) {
		free(fan->text);
		free(fan);
	}
	void *asked;
	while ((asked = fifo_pop(&o->asked)))
		free(asked);
	fifo_free(&o->fans);
	fifo_free(&o->asked);
	fifo_free(&o->open);
	free(o->watches);
	free(o);
	*oracle = NULL;
}

enum finding oracle_finding(const struct oracle *o, const char **details_out,
			    const char *const **words_out)
{
	*details_out = o->details;
	*words_out = o->word_list;
	return o->finding;
}

static void oracle_accuse_words(struct oracle *o, enum finding finding, const char *fmt, va_list ap)
{
	o->finding = finding;
	(void)vsnprintf(o->details, sizeof(o->details), fmt, ap);
	for (unsigned i = 0; i < 3; i++)
		o->word_list[i] = o->words[i];
	trace_event(o->trace, "FOUND %s: %s", finding_rows[finding].name, o->details);
}

void oracle_accuse(struct oracle *o, enum finding finding, const char *word, const char *fmt, ...)
{
	if (o->finding)
		return;
	(void)snprintf(o->words[0], sizeof(o->words[0]), "%s", word);
	va_list ap;
	va_start(ap, fmt);
	oracle_accuse_words(o, finding, fmt, ap);
	va_end(ap);
}

void oracle_accuse_letter(struct oracle *o, enum finding finding, const struct letter *letter,
			  const char *fmt, ...)
{
	static const char *const kinds[] = { "message", "p0 message", "dm", "nm", "information", "gap" };
	char all[256];
	if (o->finding)
		return;
	(void)snprintf(all, sizeof(all), "[%s %s of %s to %s] %s", kinds[letter->kind], letter->id,
		       oracle_name(letter->from), oracle_name(letter->to), fmt);
	(void)snprintf(o->words[0], sizeof(o->words[0]), "\"%s\"", letter->id);
	va_list ap;
	va_start(ap, fmt);
	oracle_accuse_words(o, finding, all, ap);
	va_end(ap);
}

struct watch *oracle_watch(const struct oracle *o, unsigned link)
{
	CHECK(link >= 1 && link <= o->watch_n);
	return o->watches[link - 1];
}

struct letter *oracle_letter(const struct oracle *o, enum letter_kind kind, int from, int to, const char *id)
{
	if (from == TALK_NOBODY || to == TALK_NOBODY)
		return NULL;
	for (struct letter *l = o->pairs[from][to]; l; l = l->next)
		if (l->kind == kind && strcmp(l->id, id) == 0)
			return l;
	return NULL;
}

bool oracle_copy_counts(const struct oracle *o, const struct copy *copy)
{
	return o->accounts[copy->receiver].alive && o->accounts[copy->receiver].gen == copy->to_gen;
}

bool oracle_was(const struct oracle *o, int name, unsigned gen, uint64_t since)
{
	const struct account *a = &o->accounts[name];
	return name == TALK_SERVER || !a->ended[gen] || a->ended[gen] > since;
}

bool oracle_taken(const struct oracle *o, const struct letter *l, uint64_t since)
{
	for (unsigned i = 0; i < l->copy_n; i++)
		if (l->copies[i]->receiver == l->to && oracle_was(o, l->from, l->copies[i]->from_gen, since) &&
		    oracle_was(o, l->to, l->copies[i]->to_gen, since))
			return true;
	for (unsigned i = 0; i < l->fan_n; i++)
		if (oracle_was(o, l->from, l->fans[i]->from_gen, since) &&
		    (oracle_was(o, l->to, l->fans[i]->place_gen, since) || l->fans[i]->committed > since))
			return true;
	return false;
}

struct copy *oracle_copy(const struct oracle *o, const struct letter *l, int receiver)
{
	for (unsigned i = l->copy_n; i-- > 0;)
		if (l->copies[i]->receiver == receiver && l->copies[i]->to_gen == o->accounts[receiver].gen &&
		    l->copies[i]->from_gen == o->accounts[l->from].gen)
			return l->copies[i];
	return NULL;
}

struct copy *oracle_copy_of(const struct oracle *o, int receiver, int sender, const char *id)
{
	const struct fifo *box = &o->accounts[receiver].box;
	struct copy *best = NULL;
	for (size_t i = 0; i < box->n; i++) {
		struct copy *c = fifo_at(box, i);
		if (c->letter->kind == LETTER_MESSAGE && c->letter->from == sender && oracle_copy_counts(o, c) &&
		    strcmp(c->letter->id, id) == 0 && (!best || best->released))
			best = c;
	}
	return best;
}

bool oracle_hidden(const struct oracle *o, const struct letter *l, uint64_t since)
{
	return l->to < TALK_USERS && l->from < TALK_USERS && o->blocked_at[l->to][l->from] > since;
}

bool oracle_volatile(const struct oracle *o, int user)
{
	return o->plan->admin && user == (int)o->plan->users;
}

enum letter_kind oracle_receipt_kind(enum said_kind kind)
{
	return kind == SAID_DM ? LETTER_DM : LETTER_NM;
}

const struct model *oracle_model(const struct oracle *o)
{
	return &o->model;
}

bool oracle_user_alive(const struct oracle *o, int user)
{
	return o->accounts[user].alive;
}

const char *oracle_token(const struct oracle *o, int user)
{
	const char *hash = o->accounts[user].hash;
	return strncmp(hash, "h:", 2) == 0 ? hash + 2 : hash;
}

/* Could this sending be the one by which the letter was taken, or if `again`, any since? */
static bool sending_possible(const struct letter *l, const struct sending *s, bool again)
{
	uint64_t last = l->taken;
	for (unsigned u = 0; u < TALK_USERS && !again && !last; u++)
		last = l->p0_shown[u];
	return !s->refused && (!last || s->handed < last);
}

static bool sending_before(const struct letter *x, const struct sending *a, const struct sending *b)
{
	/* A broadcast has its place once that is answered; a message as soon as it is stored. */
	uint64_t done = a->fan && a->way ? a->fan->letter->sendings[0].done : x->taken ? x->taken : a->done;
	if (!a->way || !b->way)
		return false;
	if (a->way == b->way)
		return a->begun < b->begun;
	return done && done < b->begun;
}

bool oracle_before(const struct letter *x, const struct letter *y)
{
	for (unsigned i = 0; i < x->sending_n; i++) {
		if (!sending_possible(x, &x->sendings[i], true))
			continue;
		for (unsigned k = 0; k < y->sending_n; k++)
			if (sending_possible(y, &y->sendings[k], false) &&
			    !sending_before(x, &x->sendings[i], &y->sendings[k]))
				return false;
	}
	return true;
}

/* --- what clients do --- */

void oracle_connected(struct oracle *o, unsigned link, int user)
{
	CHECK(link == o->watch_n + 1);
	if (!o->watch_n)
		o->quiet = o->stamp; /* so far there was nobody */
	ORACLE_GROW(o->watches, o->watch_n, o->watch_cap);
	struct watch *w = calloc(1, sizeof(*w));
	CHECK(w);
	w->link = link;
	w->user = user;
	o->watches[o->watch_n++] = w;
}

struct letter *oracle_letter_make(struct oracle *o, enum letter_kind kind, int from, int to, const char *id)
{
	struct letter *l = oracle_letter(o, kind, from, to, id);
	if (l)
		return l;
	l = calloc(1, sizeof(*l));
	CHECK(l);
	l->kind = kind;
	l->from = from;
	l->to = to;
	(void)snprintf(l->id, sizeof(l->id), "%s", id);
	l->next = o->pairs[from][to];
	o->pairs[from][to] = l;
	return l;
}

struct sending *oracle_sending(struct oracle *o, struct letter *l, unsigned link, const char *passed_on)
{
	ORACLE_GROW(l->sendings, l->sending_n, l->sending_cap);
	struct sending *s = &l->sendings[l->sending_n++];
	*s = (struct sending){ .link = link, .handed = o->stamp, .way = link, .begun = o->stamp, .passed_on = strdup(passed_on),
		.place = TALK_NOBODY };
	CHECK(s->passed_on);
	o->counts.sent++;
	return s;
}

/* A dm or nm: the server now knows that the message arrived. */
static void oracle_acked(struct oracle *o, struct watch *w, const struct said *said, struct pending *p)
{
	struct copy *c = oracle_copy_of(o, w->user, said->to, said->of);
	const struct fifo *box = &o->accounts[w->user].box;
	for (size_t i = 0; c && i < box->n; i++) {
		struct copy *same = fifo_at(box, i);
		if (same->letter->kind != LETTER_MESSAGE || same->letter->from != said->to ||
		    !oracle_copy_counts(o, same) || strcmp(same->letter->id, said->of) != 0)
			continue;
		same->acked |= said->kind == SAID_DM ? ACK_DM : ACK_NM;
		same->acked_at = o->stamp;
		same->acked_ms = o->trace->ms;
	}
	p->known = c && c->received && c->from_gen == o->accounts[said->to].gen;
}

char *oracle_readdressed(const char *text, int place, int receiver)
{
	char was[TALK_ID_MAX];
	(void)snprintf(was, sizeof(was), "\"r\":\"%s\",", oracle_name(place));
	const char *at = strstr(text, was);
	size_t size = strlen(text) + TALK_ID_MAX;
	char *out = malloc(size);
	CHECK(at && out);
	(void)snprintf(out, size, "%.*s\"r\":\"%s\",%s", (int)(at - text), text, oracle_name(receiver),
		       at + strlen(was));
	return out;
}

/* p 0 to what is or may become a broadcast: it may come out of it to anybody. */
static void oracle_handed_p0(struct oracle *o, const struct watch *w, const struct said *said)
{
	uint8_t kind = o->model.name[said->to].kind;
	for (int user = 1; user <= (int)o->plan->users && kind != STORE_USER && kind != STORE_GROUP; user++) {
		struct letter *l = oracle_letter_make(o, LETTER_P0, w->user, user, said->id);
		char *text = oracle_readdressed(said->passed_on, said->to, user);
		struct sending *s = oracle_sending(o, l, 0, text);
		s->place = said->to;
		s->way = w->link;
		free(text);
	}
}

static void oracle_handed_letter(struct oracle *o, struct watch *w, const struct said *said,
				 struct pending *p)
{
	p->optional = said->sc0;
	p->of_p0 = said->of_p0;
	if (said->to == TALK_NOBODY)
		return;
	enum letter_kind kind = said->kind == SAID_MESSAGE ? said->p0 ? LETTER_P0 : LETTER_MESSAGE
							  : oracle_receipt_kind(said->kind);
	const char *id = said->kind == SAID_MESSAGE ? said->id : said->of;
	p->letter = oracle_letter_make(o, kind, w->user, said->to, id);
	p->sending = p->letter->sending_n;
	oracle_sending(o, p->letter, w->link, said->passed_on)->of_p0 = said->of_p0;
	if (kind == LETTER_P0)
		oracle_handed_p0(o, w, said);
	if (said->kind != SAID_MESSAGE && w->live && !said->of_p0)
		oracle_acked(o, w, said, p);
}

static void oracle_handed_login(struct oracle *o, struct watch *w)
{
	if (w->live)
		return;
	w->login_handed = o->stamp;
	w->login_quiet = o->quiet;
}

void oracle_handed(struct oracle *o, unsigned link, const struct said *said)
{
	struct watch *w = oracle_watch(o, link);
	o->stamp++;
	ORACLE_GROW(w->pendings, w->pending_n, w->pending_cap);
	struct pending *p = &w->pendings[w->pending_n++];
	*p = (struct pending){ .kind = said->kind, .handed = o->stamp, .early = !w->live,
		.to = said->to, .code = said->code, .malformed = said->malformed, .loose = said->loose };
	(void)snprintf(p->id, sizeof(p->id), "%s", said->id);
	(void)snprintf(p->token, sizeof(p->token), "%s", said->token);
	w->malformed_row = said->malformed ? w->malformed_row + 1 : 0;
	w->malformed_over |= w->malformed_row >= 16;
	switch (said->kind) {
	case SAID_LOGIN:
		oracle_handed_login(o, w);
		break;
	case SAID_LOGOUT:
		w->logout = true;
		p->optional = true;
		break;
	case SAID_ASK:
		p->asked = changed_ask(o, w, said);
		break;
	case SAID_MESSAGE:
	case SAID_DM:
	case SAID_NM:
		oracle_handed_letter(o, w, said, p);
		break;
	case SAID_TIME:
	case SAID_KNOCK:
	case SAID_ODD:
		break;
	}
}

void oracle_pong(struct oracle *o, unsigned link, struct str payload)
{
	struct watch *w = oracle_watch(o, link);
	o->stamp++;
	for (unsigned i = w->ping_n; i-- > 0;) {
		struct ping *p = &w->pings[i];
		if (!str_eq(payload, (struct str){ p->payload, p->n }))
			continue;
		for (unsigned k = 0; k < p->shows; k++) {
			struct copy *c = w->shows[k].copy;
			if (!c)
				continue;
			c->acked |= ACK_PONG;
			c->acked_at = o->stamp;
			c->acked_ms = o->trace->ms;
			if (!c->sure && i + 1 == w->ping_n && !w->closed && w->live)
				c->sure = o->stamp;
		}
		return;
	}
}

void oracle_received(struct oracle *o, unsigned link, unsigned show)
{
	struct watch *w = oracle_watch(o, link);
	CHECK(show >= 1 && show <= w->show_n);
	struct show *s = &w->shows[show - 1];
	o->stamp++;
	o->counts.received++;
	s->received = true;
	if (s->copy)
		s->copy->received = true;
}

void oracle_gone(struct oracle *o, unsigned link)
{
	struct watch *w = oracle_watch(o, link);
	w->closed = true;
	w->closed_at = ++o->stamp;
}

void oracle_store_failed(struct oracle *o)
{
	o->store_failed = true;
}

void oracle_crashed(struct oracle *o)
{
	o->stamp++;
	for (unsigned i = 0; i < o->watch_n; i++) {
		struct watch *w = o->watches[i];
		w->closed_at = w->closed ? w->closed_at : o->stamp;
		w->closed = true;
	}
	for (int user = 0; user < TALK_USERS; user++)
		for (size_t i = 0; i < o->accounts[user].box.n; i++) {
			struct copy *c = fifo_at(&o->accounts[user].box, i);
			c->acked = c->released ? c->acked : 0;
			c->sure = c->released ? o->stamp : 0;
		}
	changed_forget(o, true);
}

void oracle_kicked(struct oracle *o, int user)
{
	o->stamp++;
	for (unsigned i = 0; i < o->watch_n; i++)
		if (o->watches[i]->user == user)
			o->watches[i]->kicked = true;
}

void oracle_quiet(struct oracle *o)
{
	o->stamp++;
	presence_check(o);
	changed_forget(o, false);
	o->quiet = o->stamp;
}
