/* What the server answers. */
#include "oracle_state.h"

/* How well a packet answers a question: 0 not at all. */
static unsigned pending_fits(const struct oracle *o, const struct pending *p, const struct heard *h)
{
	bool letter = p->kind == SAID_MESSAGE || p->kind == SAID_DM || p->kind == SAID_NM;
	if (p->answered)
		return 0;
	bool stored = letter && p->letter && (p->letter->kind == LETTER_P0 || oracle_taken(o, p->letter, p->handed));
	if (h->kind == HEARD_SR)
		return letter && !p->optional && strcmp(p->id, h->of) == 0 ? 1u + stored : 0;
	if (p->loose && h->kind == HEARD_ERROR && !h->id[0])
		return 2;
	if (!h->id[0] || strcmp(p->id, h->id) != 0)
		return 0;
	switch (h->kind) {
	case HEARD_LOGIN: return p->kind == SAID_LOGIN;
	case HEARD_DONE: return p->kind == SAID_ASK && p->asked->ask.kind < ASK_FOLLOWINGS;
	case HEARD_CONTENT: return p->kind == SAID_ASK && p->asked->ask.kind >= ASK_FOLLOWINGS;
	case HEARD_TIME: return p->kind == SAID_TIME;
	case HEARD_KNOCK: return p->kind == SAID_KNOCK;
	case HEARD_ERROR: return 1u + !stored;
	default: return 0;
	}
}

/* `sure_out`: it can be no other one. */
static struct pending *watch_question(const struct oracle *o, struct watch *w, const struct heard *h,
				      bool *sure_out)
{
	struct pending *best = NULL;
	unsigned best_fit = 0, n = 0;
	for (unsigned i = 0; i < w->pending_n; i++) {
		unsigned fit = pending_fits(o, &w->pendings[i], h);
		n += fit > 0;
		if (fit > best_fit) {
			best_fit = fit;
			best = &w->pendings[i];
		}
	}
	*sure_out = n == 1;
	return best;
}

/* --- logins --- */

static unsigned oracle_online(const struct oracle *o, int user)
{
	unsigned n = 0;
	for (unsigned i = 0; i < o->watch_n; i++)
		n += o->watches[i]->user == user && o->watches[i]->live && !o->watches[i]->closed;
	return n;
}

static void heard_login(struct oracle *o, struct watch *w, const struct heard *h, const struct pending *p)
{
	const struct account *a = &o->accounts[w->user];
	bool in_doubt = a->changed > p->handed || a->admin_handed > p->handed || oracle_volatile(o, w->user);
	bool right = a->alive && strncmp(a->hash, "h:", 2) == 0 && strcmp(a->hash + 2, p->token) == 0;
	if (w->live)
		oracle_accuse(o, FINDING_LOGIN, p->id, "link %u logged in twice", w->link);
	else if (h->accepted != right && !in_doubt)
		oracle_accuse(o, FINDING_LOGIN, p->id, "link %u of %s: the token is %s, the answer %s", w->link,
			      oracle_name(w->user), right ? "right" : "wrong", h->accepted ? "1" : "0");
	if (!h->accepted) {
		w->login_failures++;
		return;
	}
	w->live = true;
	w->live_at = o->stamp;
	w->login_handed = p->handed;
	if (oracle_online(o, w->user) > o->plan->max_sessions)
		oracle_accuse(o, FINDING_LOGIN, p->id, "%s has %u sessions", oracle_name(w->user),
			      oracle_online(o, w->user));
}

/* --- answers --- */

bool heard_plan_fails(const struct plan *p)
{
	return p->refuse || p->read_failure || p->overload;
}

bool heard_mailbox_may_be_full(const struct oracle *o, int user, size_t bytes)
{
	uint64_t n = 0;
	for (size_t i = 0; i < o->accounts[user].box.n; i++) {
		const struct copy *c = fifo_at(&o->accounts[user].box, i);
		if (c->letter->kind == LETTER_MESSAGE && oracle_copy_counts(o, c) &&
		    (!c->released || c->released > o->quiet)) {
			n++;
			bytes += c->bytes;
		}
	}
	for (int from = 0; from < TALK_USERS; from++)
		for (const struct letter *l = o->pairs[from][user]; l; l = l->next)
			for (unsigned i = 0; l->kind == LETTER_MESSAGE && !oracle_copy(o, l, user) && i < l->sending_n; i++)
				if (!l->sendings[i].refused || l->sendings[i].done > o->quiet) {
					n++;
					bytes += strlen(l->sendings[i].passed_on);
				}
	for (size_t i = 0; i < o->fans.n; i++) {
		const struct fan *f = fifo_at(&o->fans, i);
		for (unsigned k = 0; k < f->slice_n && !f->broadcast; k++)
			if (!f->done[k] && f->slice[k] & oracle_bit(user)) {
				n++;
				bytes += strlen(f->text);
			}
	}
	return n >= o->plan->mailbox_max_messages || bytes > o->plan->mailbox_max_bytes;
}

/* Does somebody who comes and goes have to do with it? He may go meanwhile. */
static bool letter_unsteady(const struct oracle *o, int user, const struct pending *p)
{
	return oracle_volatile(o, p->to) || oracle_volatile(o, user);
}

/* May a well-formed message or receipt get this error? */
static bool letter_may_be_refused(const struct oracle *o, int user, const struct pending *p, const char *code)
{
	bool nobody = p->to == TALK_NOBODY;
	if (strcmp(code, "401") == 0)
		return p->early;
	if (strcmp(code, "503") == 0)
		return heard_plan_fails(o->plan);
	if (strcmp(code, "403") == 0)
		return p->kind == SAID_MESSAGE && !nobody && o->accounts[p->to].out_at[user] > p->handed;
	if (strcmp(code, "507") == 0)
		return p->kind == SAID_MESSAGE && p->letter && p->to < TALK_USERS &&
		       (letter_unsteady(o, user, p) || heard_mailbox_may_be_full(o, p->to,
			       strlen(p->letter->sendings[p->sending].passed_on)));
	if (strcmp(code, "404") == 0)
		return nobody || letter_unsteady(o, user, p) || o->accounts[p->to].gone_at > p->handed ||
		       (p->kind != SAID_MESSAGE && !p->known);
	return false;
}

/* Is somebody in it who comes and goes? While he goes, it has to be tried again. */
static bool asked_unsteady(const struct oracle *o, const struct asked *a)
{
	bool is = oracle_volatile(o, a->user) || (a->ask.name != TALK_NOBODY && oracle_volatile(o, a->ask.name));
	for (unsigned i = 0; i < a->ask.who_n; i++)
		is |= oracle_volatile(o, a->ask.who[i]);
	return is;
}

static bool asked_may_be_refused(const struct oracle *o, const struct asked *a, const char *code)
{
	unsigned bit = model_code(code);
	bool named = a->codes & MODEL_OK;
	if (strcmp(code, "503") == 0)
		return heard_plan_fails(o->plan) || asked_unsteady(o, a);
	return a->codes & bit || (named && bit == MODEL_404 && a->named.missing) ||
	       (named && bit == MODEL_403 && a->named.blocking);
}

static bool request_may_be_refused(const struct oracle *o, const struct watch *w, const struct pending *p,
				   const char *code)
{
	if (strcmp(code, "401") == 0)
		return p->kind != SAID_LOGIN && p->early;
	if (p->kind == SAID_ASK)
		return asked_may_be_refused(o, p->asked, code);
	if (strcmp(code, "503") == 0)
		return p->kind == SAID_LOGIN && heard_plan_fails(o->plan);
	return p->kind == SAID_LOGIN && strcmp(code, "400") == 0 && w->live;
}

static void heard_ask_failed(struct oracle *o, const struct watch *w, const struct heard *h, struct asked *a)
{
	if (a->committed && !changed_exchange(o, a))
		oracle_accuse(o, FINDING_REFUSED, a->id, "request '%s' of %s got %s, but was done", a->id,
			      oracle_name(w->user), h->code);
	changed_answered(o, a);
}

static void heard_error(struct oracle *o, struct watch *w, const struct heard *h, struct pending *p, bool sure)
{
	bool letter = p->kind == SAID_MESSAGE || p->kind == SAID_DM || p->kind == SAID_NM;
	bool fine = p->kind == SAID_ODD ? strcmp(h->code, p->code) == 0 ||
						  (p->early && !p->malformed && strcmp(h->code, "401") == 0) ||
						  (heard_plan_fails(o->plan) && strcmp(h->code, "503") == 0)
		    : letter ? letter_may_be_refused(o, w->user, p, h->code)
			     : request_may_be_refused(o, w, p, h->code);
	if (!fine)
		oracle_accuse(o, FINDING_REFUSED, p->id, "link %u of %s: id '%s' (kind %d) got %s", w->link,
			      oracle_name(w->user), p->id, p->kind, h->code);
	if (p->asked)
		heard_ask_failed(o, w, h, p->asked);
	if (!letter || !p->letter || !sure)
		return;
	struct sending *s = &p->letter->sendings[p->sending];
	s->refused = true;
	s->done = o->stamp;
	o->counts.refused++;
	if (p->letter->taken > p->handed && p->letter->sending_n == 1)
		oracle_accuse_letter(o, FINDING_REFUSED, p->letter, "got %s, but was stored", h->code);
}

/* Any sending of it may have vanished; then this one is a repeat. */
static bool letter_hidden(const struct oracle *o, const struct letter *l)
{
	bool hidden = false;
	for (unsigned i = 0; i < l->sending_n; i++)
		hidden |= !l->sendings[i].refused && oracle_hidden(o, l, l->sendings[i].handed);
	return hidden;
}

static void letter_vanished(struct oracle *o, struct letter *l)
{
	l->vanished = o->stamp;
	l->vanished_from = o->accounts[l->from].gen;
	l->vanished_to = o->accounts[l->to].gen;
}

/* What a receipt of the server says about a message: it is stored, or it vanished because the receiver
 * blocks the sender. */
static void heard_sr_message(struct oracle *o, struct letter *l, const struct pending *p)
{
	if (l->kind != LETTER_MESSAGE || oracle_taken(o, l, p->handed) || oracle_volatile(o, l->to) ||
	    oracle_volatile(o, l->from) || l->vanished)
		return;
	if (!letter_hidden(o, l)) {
		oracle_accuse_letter(o, FINDING_EARLY, l, "receipted before it was stored");
		return;
	}
	letter_vanished(o, l);
}

/* And about a dm or nm: the message is released, the receipt stored. */
static void heard_sr_receipt(struct oracle *o, const struct watch *w, const struct pending *p)
{
	if (p->of_p0 || oracle_volatile(o, w->user) || oracle_volatile(o, p->to))
		return;
	struct copy *c = NULL;
	for (size_t i = 0; i < o->accounts[w->user].box.n; i++) {
		struct copy *x = fifo_at(&o->accounts[w->user].box, i);
		if (x->letter->kind == LETTER_MESSAGE && x->letter->from == p->to &&
		    strcmp(x->letter->id, p->letter->id) == 0 && (!c || !c->released))
			c = x;
	}
	if (!c) {
		oracle_accuse_letter(o, FINDING_INVENTED, p->letter, "receipted, but there is no such message");
		return;
	}
	bool hidden = letter_hidden(o, p->letter), wanted = !(c->flags & MAIL_NO_PC) && !hidden;
	if (!c->released)
		oracle_accuse_letter(o, FINDING_EARLY, p->letter, "receipted before the release was stored");
	else if (wanted && !oracle_copy(o, p->letter, p->to) && !p->letter->vanished)
		oracle_accuse_letter(o, FINDING_EARLY, p->letter, "receipted before it was stored");
	if (hidden && !oracle_copy(o, p->letter, p->to))
		letter_vanished(o, p->letter);
	if (!c->sure)
		c->sure = o->stamp;
}

static void heard_sr(struct oracle *o, struct watch *w, struct pending *p)
{
	o->counts.receipts++;
	if (!p->letter) {
		oracle_accuse(o, FINDING_ANSWER, p->id, "receipt for id '%s' to nobody", p->id);
		return;
	}
	p->letter->sendings[p->sending].done = o->stamp;
	if (!w->live)
		oracle_accuse(o, FINDING_ANSWER, p->id, "receipt before login");
	else if (p->kind == SAID_MESSAGE)
		heard_sr_message(o, p->letter, p);
	else
		heard_sr_receipt(o, w, p);
}

/* The request succeeded: it is durable by now, or there was nothing to change. */
static void heard_done(struct oracle *o, const struct watch *w, struct asked *a)
{
	if (!w->live)
		oracle_accuse(o, FINDING_ANSWER, a->id, "request '%s' of %s answered before login", a->id,
			      oracle_name(w->user));
	bool fine = (a->named.fine & a->named.all) == a->named.all;
	if (!a->committed && !changed_exchange(o, a) && !(a->idle && fine))
		oracle_accuse(o, FINDING_EARLY, a->id, "request '%s' of %s succeeded before it was stored", a->id,
			      oracle_name(w->user));
	if ((a->ask.kind == ASK_BLOCK || a->ask.kind == ASK_UNBLOCK) && a->ask.who[0] >= 0)
		o->block_told[a->user][a->ask.who[0]] = o->stamp;
	changed_answered(o, a);
}

/* What nothing has changed since it was asked for must be so. */
static void heard_content(struct oracle *o, const struct watch *w, struct asked *a, struct str text)
{
	struct buf must;
	int64_t created_ms = a->ask.name == TALK_NOBODY ? 0 : o->accounts[a->ask.name].created_ms;
	buf_init(&must, 1 << 14);
	buf_printf(&must, "{\"rp\":{\"id\":\"%s\",", a->id);
	bool known = model_reply(&o->model, a->user, &a->ask, created_ms, &must);
	BUF_LIT(&must, "}}");
	if (!w->live || !(a->codes & MODEL_OK))
		oracle_accuse(o, FINDING_VIEW, a->id, "%s got %.*s, but must be refused", oracle_name(w->user),
			      STR_ARG(text));
	else if (known && o->model_changed < a->handed && !str_eq(text, buf_view(&must)))
		oracle_accuse(o, FINDING_VIEW, a->id, "%s got %.*s, not %.*s", oracle_name(w->user), STR_ARG(text),
			      STR_ARG(buf_view(&must)));
	buf_deinit(&must);
	changed_answered(o, a);
}

/* "0" online, "-1" never or blocked, else a time. */
static void heard_state(struct oracle *o, const struct watch *w, const struct asked *a, struct str text)
{
	static const char online[] = "\"v\":\"0\"}}}";
	bool says = text.n > sizeof(online) && memcmp(text.p + text.n - sizeof(online) + 1, online,
						       sizeof(online) - 1) == 0;
	int user = a->ask.name;
	bool steady = user != TALK_NOBODY && user < TALK_USERS && o->model_changed < a->handed;
	for (unsigned i = 0; i < o->watch_n && steady; i++)
		steady = o->watches[i]->user != user ||
			 (o->watches[i]->live_at < a->handed && o->watches[i]->closed_at < a->handed);
	if (!steady)
		return;
	if (says != presence_online(o, user) && !o->model.block[user][a->user])
		oracle_accuse(o, FINDING_VIEW, a->id, "%s got %.*s, but %s is %s", oracle_name(w->user), STR_ARG(text),
			      oracle_name(user), says ? "offline" : "online");
}

void heard_answer(struct oracle *o, struct watch *w, const struct heard *h, struct str text)
{
	bool sure;
	struct pending *p = watch_question(o, w, h, &sure);
	if (!p) {
		oracle_accuse(o, FINDING_ANSWER, h->kind == HEARD_SR ? h->of : h->id,
			      "link %u of %s: no question to %.*s", w->link, oracle_name(w->user), STR_ARG(text));
		return;
	}
	p->answered = true;
	switch (h->kind) {
	case HEARD_LOGIN:
		heard_login(o, w, h, p);
		break;
	case HEARD_ERROR:
		heard_error(o, w, h, p, sure);
		break;
	case HEARD_SR:
		heard_sr(o, w, p);
		break;
	case HEARD_DONE:
		heard_done(o, w, p->asked);
		break;
	case HEARD_CONTENT:
		heard_content(o, w, p->asked, text);
		if (p->asked->ask.kind == ASK_STATE_OF)
			heard_state(o, w, p->asked, text);
		break;
	default:
		if (!w->live)
			oracle_accuse(o, FINDING_ANSWER, p->id, "answered before login");
		break;
	}
}
