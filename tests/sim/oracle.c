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
};

const char *oracle_name(int user)
{
	return user == TALK_NOBODY ? "nobody" : oracle_names[user];
}

int oracle_user(struct str name)
{
	for (int u = 0; u < ORACLE_NAMES; u++)
		if (str_eq(name, str_of(oracle_names[u])))
			return u;
	return TALK_NOBODY;
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
	return o;
}

static void letter_free(struct letter *l)
{
	for (unsigned i = 0; i < l->sending_n; i++)
		free(l->sendings[i].passed_on);
	for (unsigned i = 0; i < l->copy_n; i++)
		free(l->copies[i].text);
	free(l->sendings);
	free(l->copies);
	free(l);
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
	for (unsigned i = 0; i < o->watch_n; i++) {
		free(o->watches[i]->shows);
		free(o->watches[i]->pings);
		free(o->watches[i]->pendings);
		free(o->watches[i]);
	}
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
	static const char *const kinds[] = { "message", "p0 message", "dm", "nm" };
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

bool oracle_copy_counts(const struct oracle *o, const struct letter *letter, const struct copy *copy)
{
	return o->accounts[letter->to].alive && o->accounts[letter->to].gen == copy->to_gen;
}

struct copy *oracle_copy(const struct oracle *o, const struct letter *letter)
{
	for (unsigned i = letter->copy_n; i-- > 0;)
		if (letter->copies[i].to_gen == o->accounts[letter->to].gen &&
		    letter->copies[i].from_gen == o->accounts[letter->from].gen)
			return &letter->copies[i];
	return NULL;
}

bool oracle_volatile(const struct oracle *o, int user)
{
	return o->plan->admin && user == (int)o->plan->users;
}

enum letter_kind oracle_receipt_kind(enum said_kind kind)
{
	return kind == SAID_DM ? LETTER_DM : LETTER_NM;
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
	uint64_t last = l->copy_n ? l->copies[0].committed : again ? 0 : l->p0_shown;
	return !s->refused && (!last || s->handed < last);
}

static bool sending_before(const struct letter *x, const struct sending *a, const struct sending *b)
{
	uint64_t done = x->copy_n ? x->copies[0].committed : a->done;
	if (a->link == b->link)
		return a->handed < b->handed;
	return done && done < b->handed;
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
	ORACLE_GROW(o->watches, o->watch_n, o->watch_cap);
	struct watch *w = calloc(1, sizeof(*w));
	CHECK(w);
	w->link = link;
	w->user = user;
	o->watches[o->watch_n++] = w;
}

static struct letter *oracle_letter_make(struct oracle *o, enum letter_kind kind, int from, int to,
					 const char *id)
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

static unsigned oracle_sending(struct oracle *o, struct letter *l, unsigned link, const char *passed_on)
{
	ORACLE_GROW(l->sendings, l->sending_n, l->sending_cap);
	struct sending *s = &l->sendings[l->sending_n];
	*s = (struct sending){ .link = link, .handed = o->stamp, .passed_on = strdup(passed_on) };
	CHECK(s->passed_on);
	o->counts.sent++;
	return l->sending_n++;
}

/* A dm or nm: the server now knows that the message arrived. */
static void oracle_acked(struct oracle *o, struct watch *w, const struct said *said, struct pending *p)
{
	struct letter *l = oracle_letter(o, LETTER_MESSAGE, said->to, w->user, said->of);
	struct copy *c = NULL;
	for (unsigned i = 0; l && i < l->copy_n; i++) {
		if (l->copies[i].to_gen != o->accounts[w->user].gen)
			continue;
		c = &l->copies[i];
		c->acked |= said->kind == SAID_DM ? ACK_DM : ACK_NM;
		c->acked_at = o->stamp;
		c->acked_ms = o->trace->ms;
	}
	p->known = c && c->received && c->from_gen == o->accounts[said->to].gen;
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
	p->sending = oracle_sending(o, p->letter, w->link, said->passed_on);
	p->letter->sendings[p->sending].of_p0 = said->of_p0;
	if (said->kind != SAID_MESSAGE && w->live && !said->of_p0)
		oracle_acked(o, w, said, p);
}

void oracle_handed(struct oracle *o, unsigned link, const struct said *said)
{
	struct watch *w = oracle_watch(o, link);
	o->stamp++;
	ORACLE_GROW(w->pendings, w->pending_n, w->pending_cap);
	struct pending *p = &w->pendings[w->pending_n++];
	*p = (struct pending){ .kind = said->kind, .handed = o->stamp, .early = !w->live,
		.to = said->to, .code = said->code, .act = said->act, .malformed = said->malformed,
		.loose = said->loose };
	(void)snprintf(p->id, sizeof(p->id), "%s", said->id);
	(void)snprintf(p->token, sizeof(p->token), "%s", said->token);
	w->malformed_row = said->malformed ? w->malformed_row + 1 : 0;
	w->malformed_over |= w->malformed_row >= 16;
	switch (said->kind) {
	case SAID_LOGIN:
		if (!w->live)
			w->login_handed = o->stamp;
		break;
	case SAID_LOGOUT:
		w->logout = true;
		p->optional = true;
		break;
	case SAID_ADMIN:
		o->accounts[said->to].admin_handed = o->stamp;
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
			if (w->shows[k].copy < 0)
				continue;
			struct copy *c = &w->shows[k].letter->copies[w->shows[k].copy];
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
	if (s->copy >= 0)
		s->letter->copies[s->copy].received = true;
}

void oracle_gone(struct oracle *o, unsigned link)
{
	o->stamp++;
	oracle_watch(o, link)->closed = true;
}

void oracle_store_failed(struct oracle *o)
{
	o->store_failed = true;
}

void oracle_crashed(struct oracle *o)
{
	o->stamp++;
	for (unsigned i = 0; i < o->watch_n; i++)
		o->watches[i]->closed = true;
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (int to = 0; to < ORACLE_NAMES; to++)
			for (struct letter *l = o->pairs[from][to]; l; l = l->next)
				for (unsigned i = 0; i < l->copy_n; i++) {
					struct copy *c = &l->copies[i];
					c->acked = c->released ? c->acked : 0;
					c->sure = c->released ? o->stamp : 0;
				}
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
	o->quiet = ++o->stamp;
}

/* --- the end --- */

static const struct pending *watch_unanswered(const struct watch *w)
{
	for (unsigned i = 0; i < w->pending_n && !w->closed; i++)
		if (!w->pendings[i].answered && !w->pendings[i].optional)
			return &w->pendings[i];
	return NULL;
}

/* Calls accuse (unless NULL) for the first copy that is not where it should be. */
static bool oracle_letters_settled(const struct oracle *o, struct oracle *accuse)
{
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (int to = 0; to < ORACLE_NAMES; to++)
			for (const struct letter *l = o->pairs[from][to]; l; l = l->next)
				for (unsigned i = 0; i < l->copy_n; i++) {
					const struct copy *c = &l->copies[i];
					bool had = c->received || oracle_volatile(o, from) || oracle_volatile(o, to);
					if (!oracle_copy_counts(o, l, c) || (had && c->released))
						continue;
					if (accuse)
						oracle_accuse_letter(accuse, c->received ? FINDING_UNRELEASED
							: FINDING_LOST, l, "sequence %#llx",
							(unsigned long long)c->seq);
					return false;
				}
	return true;
}

bool oracle_settled(const struct oracle *o)
{
	for (unsigned i = 0; i < o->watch_n; i++)
		if (watch_unanswered(o->watches[i]))
			return false;
	return oracle_letters_settled(o, NULL);
}

void oracle_finish(struct oracle *o)
{
	for (unsigned i = 0; i < o->watch_n; i++) {
		const struct watch *w = o->watches[i];
		const struct pending *p = watch_unanswered(w);
		if (p)
			oracle_accuse(o, FINDING_SILENT, p->id, "link %u of %s still owes an answer to id "
				      "'%s' (kind %d)", w->link, oracle_name(w->user), p->id, p->kind);
		if (!w->closed && w->live && w->logout)
			oracle_accuse(o, FINDING_SILENT, "", "link %u logged out and was not closed", w->link);
	}
	(void)oracle_letters_settled(o, o);
}

struct oracle_counts oracle_counts(const struct oracle *o)
{
	return o->counts;
}

/* --- for plants --- */

bool oracle_live(const struct oracle *o, unsigned link)
{
	const struct watch *w = oracle_watch(o, link);
	return w->live && !w->closed;
}

bool oracle_was_stored(const struct oracle *o, const char *id)
{
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (int to = 0; to < ORACLE_NAMES; to++) {
			const struct letter *l = oracle_letter(o, LETTER_MESSAGE, from, to, id);
			if (l && l->copy_n)
				return true;
		}
	return false;
}

bool oracle_was_released(const struct oracle *o, const char *from, const char *to, const char *id)
{
	const struct letter *l = oracle_letter(o, LETTER_MESSAGE, oracle_user(str_of(from)),
					       oracle_user(str_of(to)), id);
	return l && l->copy_n && l->copies[0].released && l->copies[0].released < o->quiet;
}
