/* What the server says: packets, pings, closes. */
#include "oracle_state.h"

/* How well a packet answers a question: 0 not at all. */
static unsigned pending_fits(const struct oracle *o, const struct pending *p, const struct heard *h)
{
	bool letter = p->kind == SAID_MESSAGE || p->kind == SAID_DM || p->kind == SAID_NM;
	bool stored = letter && p->letter && (p->letter->kind == LETTER_P0 || oracle_copy(o, p->letter));
	if (p->answered)
		return 0;
	if (h->kind == HEARD_SR)
		return letter && !p->optional && strcmp(p->id, h->of) == 0 ? 1u + stored : 0;
	if (p->loose && h->kind == HEARD_ERROR && !h->id[0])
		return 2;
	if (!h->id[0] || strcmp(p->id, h->id) != 0)
		return 0;
	switch (h->kind) {
	case HEARD_LOGIN: return p->kind == SAID_LOGIN;
	case HEARD_DONE: return p->kind == SAID_ADMIN;
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

static bool plan_store_fails(const struct plan *p)
{
	return p->refuse || p->read_failure || p->overload;
}

/* Could the receiver's mailbox be full? Counts all that is or may yet be in it. */
static bool mailbox_may_be_full(const struct oracle *o, const struct pending *p)
{
	uint64_t n = 0, bytes = p->letter ? strlen(p->letter->sendings[p->sending].passed_on) : 0;
	for (int from = 0; p->letter && from < ORACLE_NAMES; from++)
		for (const struct letter *l = o->pairs[from][p->to]; l; l = l->next) {
			if (l->kind != LETTER_MESSAGE)
				continue;
			for (unsigned i = 0; i < l->copy_n; i++)
				if (oracle_copy_counts(o, l, &l->copies[i]) &&
				    (!l->copies[i].released || l->copies[i].released > o->quiet)) {
					n++;
					bytes += l->copies[i].bytes;
				}
			for (unsigned i = 0; !l->copy_n && i < l->sending_n; i++)
				if (!l->sendings[i].refused) {
					n++;
					bytes += strlen(l->sendings[i].passed_on);
				}
		}
	return n >= o->plan->mailbox_max_messages || bytes > o->plan->mailbox_max_bytes;
}

/* May a well-formed message or receipt get this error? */
static bool letter_may_be_refused(const struct oracle *o, int user, const struct pending *p, const char *code)
{
	if (strcmp(code, "401") == 0)
		return p->early;
	if (strcmp(code, "503") == 0)
		return plan_store_fails(o->plan);
	if (strcmp(code, "507") == 0)
		return p->kind == SAID_MESSAGE && (mailbox_may_be_full(o, p) || oracle_volatile(o, p->to) ||
							     oracle_volatile(o, user));
	if (strcmp(code, "404") == 0)
		return p->to == TALK_NOBODY || oracle_volatile(o, p->to) || oracle_volatile(o, user) ||
		       (p->kind != SAID_MESSAGE && !p->known);
	return false;
}

static bool request_may_be_refused(const struct oracle *o, const struct watch *w, const struct pending *p,
				   const char *code)
{
	if (strcmp(code, "401") == 0)
		return p->kind != SAID_LOGIN && p->early;
	if (strcmp(code, "503") == 0)
		return (p->kind == SAID_LOGIN || p->kind == SAID_ADMIN) && plan_store_fails(o->plan);
	if (p->kind == SAID_LOGIN)
		return strcmp(code, "400") == 0 && w->live;
	if (p->kind == SAID_ADMIN && w->user != ORACLE_ADMIN)
		return strcmp(code, "403") == 0;
	return p->kind == SAID_ADMIN && (strcmp(code, "404") == 0 || strcmp(code, "409") == 0);
}

static void heard_error(struct oracle *o, struct watch *w, const struct heard *h, struct pending *p, bool sure)
{
	bool letter = p->kind == SAID_MESSAGE || p->kind == SAID_DM || p->kind == SAID_NM;
	bool fine = p->kind == SAID_ODD ? strcmp(h->code, p->code) == 0 ||
						  (p->early && !p->malformed && strcmp(h->code, "401") == 0) ||
						  (plan_store_fails(o->plan) && strcmp(h->code, "503") == 0)
		    : letter ? letter_may_be_refused(o, w->user, p, h->code)
			     : request_may_be_refused(o, w, p, h->code);
	if (!fine)
		oracle_accuse(o, FINDING_REFUSED, p->id, "link %u of %s: id '%s' (kind %d) got %s", w->link,
			      oracle_name(w->user), p->id, p->kind, h->code);
	if (!letter || !p->letter || !sure)
		return;
	struct sending *s = &p->letter->sendings[p->sending];
	s->refused = true;
	s->done = o->stamp;
	o->counts.refused++;
	const struct copy *c = oracle_copy(o, p->letter);
	if (c && c->committed > p->handed && p->letter->sending_n == 1)
		oracle_accuse_letter(o, FINDING_REFUSED, p->letter, "got %s, but was stored", h->code);
}

/* What a receipt of the server says about a message: it is stored. */
static void heard_sr_message(struct oracle *o, struct letter *l)
{
	if (l->kind == LETTER_MESSAGE && !oracle_copy(o, l) && !oracle_volatile(o, l->to) &&
	    !oracle_volatile(o, l->from))
		oracle_accuse_letter(o, FINDING_EARLY, l, "receipted before it was stored");
}

/* And about a dm or nm: the message is released, the receipt stored. */
static void heard_sr_receipt(struct oracle *o, const struct watch *w, const struct pending *p)
{
	struct letter *l = oracle_letter(o, LETTER_MESSAGE, p->to, w->user, p->letter->id);
	if (p->of_p0)
		return;
	struct copy *c = NULL;
	for (unsigned i = 0; l && i < l->copy_n; i++)
		if (l->copies[i].to_gen == o->accounts[w->user].gen && (!c || !c->released))
			c = &l->copies[i];
	if (oracle_volatile(o, w->user) || oracle_volatile(o, p->to))
		return;
	if (!c) {
		oracle_accuse_letter(o, FINDING_INVENTED, p->letter, "receipted, but there is no such message");
		return;
	}
	bool sender_there = o->accounts[l->from].alive && o->accounts[l->from].gen == c->from_gen;
	if (!c->released)
		oracle_accuse_letter(o, FINDING_EARLY, p->letter, "receipted before the release was stored");
	else if (!(c->flags & MAIL_NO_PC) && sender_there && !oracle_copy(o, p->letter))
		oracle_accuse_letter(o, FINDING_EARLY, p->letter, "receipted before it was stored");
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
		heard_sr_message(o, p->letter);
	else
		heard_sr_receipt(o, w, p);
}

static void heard_answer(struct oracle *o, struct watch *w, const struct heard *h, struct str text)
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
		if (w->user != ORACLE_ADMIN || !w->live)
			oracle_accuse(o, FINDING_ANSWER, p->id, "%s administers", oracle_name(w->user));
		else if (o->accounts[p->to].changed < p->handed)
			oracle_accuse(o, FINDING_EARLY, p->id, "request '%s' succeeded before it was stored", p->id);
		break;
	default:
		if (!w->live)
			oracle_accuse(o, FINDING_ANSWER, p->id, "answered before login");
		break;
	}
}

/* --- messages and receipts --- */

static unsigned watch_shown(const struct watch *w, const struct letter *l, int copy)
{
	unsigned n = 0;
	for (unsigned i = 0; i < w->show_n; i++)
		n += w->shows[i].letter == l && w->shows[i].copy == copy;
	return n;
}

static unsigned watch_add_show(struct oracle *o, struct watch *w, struct letter *l, int copy)
{
	ORACLE_GROW(w->shows, w->show_n, w->show_cap);
	w->shows[w->show_n++] = (struct show){ .letter = l, .copy = copy, .ms = o->trace->ms,
		.at = o->stamp };
	o->counts.shown++;
	return w->show_n;
}

/* Something of the same sender that was sent later must not have been shown before: on no link if
 * `l` is stored and shown for the first time, else on this one. */
static void show_in_order(struct oracle *o, const struct watch *w, const struct letter *l)
{
	bool unsteady = oracle_volatile(o, l->from) || oracle_volatile(o, l->to);
	for (const struct letter *y = o->pairs[l->from][l->to]; y && !unsteady; y = y->next) {
		bool shown = l->copy_n ? y->p0_shown || (y->copy_n && y->copies[0].first_shown)
				       : watch_shown(w, y, y->copy_n ? 0 : -1) > 0;
		if (y != l && shown && oracle_before(l, y))
			oracle_accuse_letter(o, FINDING_ORDER, l, "shown after %s, which was sent later", y->id);
	}
}

/* All that lies in the mailbox between what was shown last and `seq` must have been shown. */
static void show_without_gap(struct oracle *o, const struct watch *w, uint64_t seq)
{
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (const struct letter *l = o->pairs[from][w->user]; l; l = l->next)
			for (unsigned i = 0; i < l->copy_n; i++) {
				const struct copy *c = &l->copies[i];
				if (l->copy_n > 1 && oracle_volatile(o, from))
					continue; /* the same words of two users of one name */
				if (c->seq > w->last_seq && c->seq < seq && c->to_gen == o->accounts[w->user].gen &&
				    !c->released && !c->acked)
					oracle_accuse_letter(o, FINDING_SKIPPED, l, "%#llx not shown on link %u "
						"before %#llx", (unsigned long long)c->seq, w->link,
						(unsigned long long)seq);
			}
}

static unsigned show_stored(struct oracle *o, struct watch *w, struct letter *l, unsigned copy)
{
	struct copy *c = &l->copies[copy];
	bool doubtful = l->copy_n > 1 && oracle_volatile(o, l->from); /* which one is it? */
	if ((c->sure && c->sure < w->login_handed) ||
	    (c->released && c->released < o->quiet && o->quiet < w->login_handed))
		oracle_accuse_letter(o, FINDING_AGAIN, l, "on link %u", w->link);
	if (!doubtful) {
		if (watch_shown(w, l, (int)copy))
			oracle_accuse_letter(o, FINDING_TWICE, l, "shown twice on link %u", w->link);
		else if (c->seq < w->last_seq && !(c->first_shown && plan_store_fails(o->plan)))
			oracle_accuse_letter(o, FINDING_ORDER, l, "%#llx shown on link %u after %#llx",
					     (unsigned long long)c->seq, w->link,
					     (unsigned long long)w->last_seq);
		else
			show_without_gap(o, w, c->seq);
		w->last_seq = c->seq > w->last_seq ? c->seq : w->last_seq;
	}
	if (!c->first_shown) {
		show_in_order(o, w, l);
		c->first_shown = o->stamp;
	}
	return watch_add_show(o, w, l, (int)copy);
}

/* p 0: nothing is kept, so the sendings are all there is to go by. */
static unsigned show_p0(struct oracle *o, struct watch *w, struct letter *l, struct str text)
{
	unsigned sent = 0;
	for (unsigned i = 0; i < l->sending_n; i++)
		sent += !l->sendings[i].refused && str_eq(text, str_of(l->sendings[i].passed_on));
	if (!sent)
		oracle_accuse_letter(o, FINDING_INVENTED, l, "shown, but nobody sent it so: %.*s", STR_ARG(text));
	else if (watch_shown(w, l, -1) >= l->sending_n)
		oracle_accuse_letter(o, FINDING_TWICE, l, "shown more often than it was sent");
	const struct letter *stored = oracle_letter(o, LETTER_MESSAGE, l->from, l->to, l->id);
	if (l->kind == LETTER_P0 && stored && stored->copy_n && stored->copies[0].committed < l->sendings[0].handed &&
	    !oracle_volatile(o, l->from) && !oracle_volatile(o, l->to))
		oracle_accuse_letter(o, FINDING_TWICE, l, "a repeat of a stored message was shown");
	show_in_order(o, w, l);
	if (!l->p0_shown)
		l->p0_shown = o->stamp;
	return watch_add_show(o, w, l, -1);
}

static bool letter_unstored(const struct oracle *o, const struct letter *l)
{
	if (l->kind >= LETTER_DM && (oracle_volatile(o, l->from) || oracle_volatile(o, l->to)))
		return true; /* may name a p 0 message of the one who took the name */
	for (unsigned i = 0; i < l->sending_n; i++)
		if (l->sendings[i].of_p0)
			return true;
	return l->kind == LETTER_P0;
}

/* Which copy is it? The same words may come from one who took the name of a deleted user. */
static int letter_copy_meant(const struct oracle *o, const struct watch *w, const struct letter *l,
			     struct str text)
{
	int meant = -1;
	for (unsigned i = 0; i < l->copy_n; i++)
		if (l->copies[i].to_gen == o->accounts[w->user].gen && str_eq(text, str_of(l->copies[i].text)) &&
		    (meant < 0 || watch_shown(w, l, meant) || l->copies[meant].released || l->copies[meant].acked))
			meant = (int)i;
	return meant;
}

static unsigned heard_letter(struct oracle *o, struct watch *w, const struct heard *h, struct str text)
{
	enum letter_kind kind = h->kind == HEARD_DM ? LETTER_DM : h->kind == HEARD_NM ? LETTER_NM
				: h->p0 ? LETTER_P0 : LETTER_MESSAGE;
	int from = oracle_user(str_of(h->from)), to = oracle_user(str_of(h->to));
	struct letter *l = oracle_letter(o, kind, from, to, h->kind == HEARD_MESSAGE ? h->id : h->of);
	if (!w->live || to != w->user) {
		oracle_accuse(o, FINDING_INVENTED, h->id, "shown on link %u, which is %s %s: %.*s", w->link,
			      w->live ? "of" : "not logged in as", oracle_name(w->user), STR_ARG(text));
		return 0;
	}
	if (!l) {
		oracle_accuse(o, FINDING_INVENTED, h->id, "shown, but nobody sent it: %.*s", STR_ARG(text));
		return 0;
	}
	int copy = letter_copy_meant(o, w, l, text);
	if (copy >= 0)
		return show_stored(o, w, l, (unsigned)copy);
	if (letter_unstored(o, l))
		return show_p0(o, w, l, text);
	oracle_accuse_letter(o, l->copy_n ? FINDING_INVENTED : FINDING_EARLY, l, "shown on link %u: %.*s", w->link,
			     STR_ARG(text));
	return 0;
}

unsigned oracle_shown(struct oracle *o, unsigned link, struct str text, const struct heard *heard)
{
	struct watch *w = oracle_watch(o, link);
	o->stamp++;
	if (w->closed) {
		oracle_accuse(o, FINDING_CLOSED, "", "link %u is closed, but was sent %.*s", link, STR_ARG(text));
		return 0;
	}
	switch (heard->kind) {
	case HEARD_STRANGE:
		oracle_accuse(o, FINDING_STRANGE, heard->id, "%s: %.*s", heard->why, STR_ARG(text));
		return 0;
	case HEARD_MESSAGE:
	case HEARD_DM:
	case HEARD_NM:
		return heard_letter(o, w, heard, text);
	default:
		heard_answer(o, w, heard, text);
		return 0;
	}
}

/* --- pings and closes --- */

void oracle_pinged(struct oracle *o, unsigned link, struct str payload, int64_t now_ms)
{
	struct watch *w = oracle_watch(o, link);
	o->stamp++;
	o->counts.pings++;
	bool due = false;
	for (unsigned i = 0; i < w->show_n && !due; i++) {
		const struct show *s = &w->shows[i];
		if (s->copy < 0 || s->ms + o->ack_ping_ms > now_ms)
			continue;
		const struct copy *c = &s->letter->copies[s->copy];
		due = !c->released && (!c->acked || c->acked_at < s->at || plan_store_fails(o->plan) ||
				     c->acked_ms + ORACLE_ACK_MS > now_ms);
	}
	if (w->closed)
		oracle_accuse(o, FINDING_CLOSED, "", "link %u is closed, but was pinged", link);
	else if (!due)
		oracle_accuse(o, FINDING_PING, "", "link %u of %s has nothing unacknowledged for so long", link,
			      oracle_name(w->user));
	CHECK(payload.n <= sizeof(w->pings->payload));
	ORACLE_GROW(w->pings, w->ping_n, w->ping_cap);
	struct ping *p = &w->pings[w->ping_n++];
	p->n = payload.n;
	memcpy(p->payload, payload.p, payload.n);
	p->shows = w->show_n;
}

static bool watch_logs_in(const struct watch *w)
{
	for (unsigned i = 0; i < w->pending_n; i++)
		if (w->pendings[i].kind == SAID_LOGIN && !w->pendings[i].answered)
			return !w->closed && !w->live;
	return false;
}

/* Is a newer login of the same user about to take its place? */
static bool watch_replaced(const struct oracle *o, const struct watch *w)
{
	for (unsigned i = 0; i < o->watch_n; i++)
		if (o->watches[i] != w && o->watches[i]->user == w->user && watch_logs_in(o->watches[i]))
			return true;
	return false;
}

static bool watch_may_close(const struct oracle *o, const struct watch *w, enum close_reason why)
{
	switch (why) {
	case CLOSE_LOGOUT: return w->live && w->logout;
	case CLOSE_LOGIN_TIMEOUT: return !w->live;
	case CLOSE_LOGIN_FAILURES: return w->login_failures > 0;
	case CLOSE_MALFORMED: return w->malformed_over;
	case CLOSE_REPLACED: return w->live && watch_replaced(o, w);
	case CLOSE_REMOVED: return w->live && (w->kicked || oracle_volatile(o, w->user));
	case CLOSE_OVERLOADED: return o->plan->overload > 0 || o->store_failed;
	case CLOSE_INTERNAL: return o->store_failed;
	default: return false;
	}
}

void oracle_closed(struct oracle *o, unsigned link, enum close_reason why)
{
	struct watch *w = oracle_watch(o, link);
	o->stamp++;
	if (w->closed)
		oracle_accuse(o, FINDING_CLOSED, "", "link %u closed twice", link);
	else if (!watch_may_close(o, w, why))
		oracle_accuse(o, FINDING_CLOSED, "", "link %u of %s closed: %s", link, oracle_name(w->user),
			      close_rows[why].text);
	w->closed = true;
}
