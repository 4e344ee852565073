/* What the server shows: messages, receipts, information; pings and closes. */
#include "oracle_state.h"

/* --- messages and receipts --- */

static unsigned watch_shown(const struct watch *w, const struct letter *l, const struct copy *copy)
{
	unsigned n = 0;
	for (unsigned i = 0; i < w->show_n; i++)
		n += w->shows[i].letter == l && w->shows[i].copy == copy;
	return n;
}

static unsigned watch_add_show(struct oracle *o, struct watch *w, struct letter *l, struct copy *copy)
{
	ORACLE_GROW(w->shows, w->show_n, w->show_cap);
	w->shows[w->show_n++] = (struct show){ .letter = l, .copy = copy, .ms = o->trace->ms,
		.at = o->stamp };
	o->counts.shown++;
	return w->show_n;
}

/* His, of a letter of which there may be many. */
static const struct copy *letter_copy(const struct letter *l, int user)
{
	for (unsigned i = 0; i < l->copy_n; i++)
		if (l->copies[i]->receiver == user)
			return l->copies[i];
	return NULL;
}

/* May this receipt be about one of several messages of that id? A group that is made again gets them anew,
 * perhaps as p 0. */
static bool letter_of_several(const struct oracle *o, const struct letter *l)
{
	unsigned stored = l->kind == LETTER_DM || l->kind == LETTER_NM ? stored_twins(o, l->from, l->to, l->id) : 0;
	bool unstored = false;
	for (unsigned i = 0; i < l->sending_n; i++)
		unstored |= l->sendings[i].of_p0;
	return stored + unstored > 1;
}

/* Something of the same sender that was sent later must not have been shown to him before: on no link if
 * `l` is stored and shown for the first time, else on this one. */
static void show_in_order(struct oracle *o, const struct watch *w, const struct letter *l)
{
	bool again = l->fan_n > 1 || letter_of_several(o, l);
	bool unsteady = oracle_volatile(o, l->from) || oracle_volatile(o, w->user) || oracle_volatile(o, l->to) ||
			l->from == TALK_SERVER || again;
	/* A copy out of a broadcast is a letter to him, too. */
	for (const struct letter *y = o->pairs[l->from][l->to]; y && !unsteady; y = y->next) {
		const struct copy *c = letter_copy(y, w->user);
		bool shown = letter_copy(l, w->user) ? y->p0_shown[w->user] || (c && c->first_shown)
						      : watch_shown(w, y, c) > 0;
		if (y != l && shown && oracle_before(l, y))
			oracle_accuse_letter(o, FINDING_ORDER, l, "shown after %s, which was sent later", y->id);
	}
}

/* One order for all members of a group: what he had before this, nobody else may have had after it. */
static void show_in_place(struct oracle *o, const struct copy *c)
{
	struct fan *a = c->fan;
	int user = c->receiver;
	if (!a || a->at[user] || oracle_volatile(o, user))
		return;
	a->at[user] = ++o->accounts[a->place].fan_shown[user];
	for (size_t i = 0; i < o->fans.n; i++) {
		const struct fan *b = fifo_at(&o->fans, i);
		for (int other = 1; b->place == a->place && b != a && b->at[user] && other < TALK_USERS; other++)
			if (a->at[other] && b->at[other] > a->at[other])
				oracle_accuse_letter(o, FINDING_ORDER, c->letter, "shown to %s after %s \"%s\", but "
					"to %s before it", oracle_name(user), oracle_name(b->letter->from),
					b->letter->id, oracle_name(other));
	}
}

/* The same words may lie in a mailbox more than once: of two users of one name, or sent anew to a group
 * made again. Which of them is it that is shown? */
static bool copy_doubtful(const struct oracle *o, const struct copy *c)
{
	const struct letter *l = c->letter;
	unsigned n = 0;
	for (unsigned i = 0; i < l->copy_n; i++)
		n += l->copies[i]->receiver == c->receiver && l->copies[i]->to_gen == c->to_gen;
	return (n > 1 && l->kind != LETTER_GAP) ||
	       (l->copy_n > 1 && oracle_direct(c) && oracle_volatile(o, l->from));
}

/* All that lies in the mailbox between what was shown last and `seq` must have been shown. A gap may come
 * into being below, and is told at the next login. */
static void show_without_gap(struct oracle *o, const struct watch *w, uint64_t seq)
{
	const struct fifo *box = &o->accounts[w->user].box;
	for (size_t i = box->n; i-- > 0;) {
		const struct copy *c = fifo_at(box, i);
		const struct letter *l = c->letter;
		bool gap = l->kind == LETTER_GAP;
		if (c->seq <= w->last_seq && !gap)
			break;
		if (c->seq <= w->last_seq || c->seq >= seq || c->to_gen != o->accounts[w->user].gen || c->released ||
		    c->acked || (gap && c->committed > w->login_quiet))
			continue;
		if (gap && c != l->copies[0])
			continue; /* it counted up while it was released: may be lost */
		if (oracle_letter(o, LETTER_DM, w->user, l->from, l->id) || oracle_letter(o, LETTER_NM, w->user, l->from, l->id))
			continue; /* perhaps acknowledged by what was meant for another of that id */
		if (copy_doubtful(o, c) || (oracle_direct(c) && oracle_hidden(o, l, c->committed)))
			continue;
		oracle_accuse_letter(o, FINDING_SKIPPED, l, "%#llx not shown on link %u before %#llx",
				     (unsigned long long)c->seq, w->link, (unsigned long long)seq);
	}
}

static unsigned show_stored(struct oracle *o, struct watch *w, struct copy *c)
{
	struct letter *l = c->letter;
	bool doubtful = copy_doubtful(o, c);
	if ((c->sure && c->sure < w->login_handed) ||
	    (c->released && c->released < o->quiet && o->quiet < w->login_handed))
		oracle_accuse_letter(o, FINDING_AGAIN, l, "on link %u", w->link);
	if (!doubtful) {
		if (watch_shown(w, l, c) && !letter_of_several(o, l))
			oracle_accuse_letter(o, FINDING_TWICE, l, "shown twice on link %u", w->link);
		else if (c->seq < w->last_seq && !(c->first_shown && heard_plan_fails(o->plan)))
			oracle_accuse_letter(o, FINDING_ORDER, l, "%#llx shown on link %u after %#llx",
					     (unsigned long long)c->seq, w->link,
					     (unsigned long long)w->last_seq);
		else
			show_without_gap(o, w, c->seq);
		w->last_seq = c->seq > w->last_seq ? c->seq : w->last_seq;
	}
	if (!c->first_shown) {
		show_in_order(o, w, l);
		show_in_place(o, c);
		c->first_shown = o->stamp;
	}
	return watch_add_show(o, w, l, c);
}

/* Was this sending of a message that is not stored surely refused to him: he blocked its sender, or is not
 * of the group, nor was the sender? */
static bool p0_shut_out(const struct oracle *o, const struct watch *w, const struct letter *l, const struct sending *s)
{
	const struct account *place = &o->accounts[s->place != TALK_NOBODY ? s->place : l->to];
	if (l->to == w->user && o->model.block[w->user][l->from] &&
	    o->blocked_since[w->user][l->from] < s->handed)
		return true;
	return (l->to != w->user || s->place != TALK_NOBODY) &&
	       (place->in_at[l->from] <= s->handed || place->member_at[w->user] <= s->handed);
}

/* p 0: nothing is kept, so the sendings are all there is to go by. */
static unsigned show_p0(struct oracle *o, struct watch *w, struct letter *l, struct str text)
{
	unsigned sent = 0, open = 0;
	for (unsigned i = 0; i < l->sending_n; i++) {
		const struct sending *s = &l->sendings[i];
		bool so = !s->refused && str_eq(text, str_of(s->passed_on));
		sent += so;
		open += so && !p0_shut_out(o, w, l, s);
	}
	if (!sent)
		oracle_accuse_letter(o, FINDING_INVENTED, l, "shown, but nobody sent it so: %.*s", STR_ARG(text));
	else if (!open)
		oracle_accuse_letter(o, l->to == w->user && o->model.block[w->user][l->from] ? FINDING_BLOCKED
				     : FINDING_MEMBERS, l, "shown to %s", oracle_name(w->user));
	else if (watch_shown(w, l, NULL) >= l->sending_n)
		oracle_accuse_letter(o, FINDING_TWICE, l, "shown more often than it was sent");
	const struct letter *stored = oracle_letter(o, LETTER_MESSAGE, l->from, l->to, l->id);
	if (l->kind == LETTER_P0 && stored && stored->taken && stored->taken < l->sendings[0].handed &&
	    oracle_taken(o, stored, l->sendings[l->sending_n - 1].handed) && !oracle_volatile(o, l->from) &&
	    !oracle_volatile(o, l->to))
		oracle_accuse_letter(o, FINDING_TWICE, l, "a repeat of a stored message was shown");
	show_in_order(o, w, l);
	if (!l->p0_shown[w->user])
		l->p0_shown[w->user] = o->stamp;
	return watch_add_show(o, w, l, NULL);
}

static bool letter_unstored(const struct oracle *o, const struct letter *l)
{
	if (l->kind >= LETTER_DM && (oracle_volatile(o, l->from) || oracle_volatile(o, l->to)))
		return true; /* may name a p 0 message of the one who took the name */
	for (unsigned i = 0; i < l->sending_n; i++)
		if (l->sendings[i].of_p0)
			return true;
	for (int to = 0; to < TALK_NAMES && (l->kind == LETTER_DM || l->kind == LETTER_NM); to++)
		if (oracle_letter(o, LETTER_P0, l->to, to, l->id))
			return true; /* the same id was sent anew, to a later group of that name */
	return l->kind == LETTER_P0;
}

/* Which copy is it? The same words may come from one who took the name of a deleted user; a gap may have
 * counted up since. */
static struct copy *letter_copy_meant(const struct oracle *o, const struct watch *w, const struct letter *l,
				      struct str text)
{
	struct copy *meant = NULL;
	for (unsigned i = 0; i < l->copy_n; i++) {
		struct copy *c = l->copies[i];
		if (c->receiver == w->user && c->to_gen == o->accounts[w->user].gen &&
		    (l->kind == LETTER_GAP || str_eq(text, str_of(c->text))) &&
		    (!meant || watch_shown(w, l, meant) || meant->released || meant->acked))
			meant = c;
	}
	return meant;
}

static unsigned show_letter(struct oracle *o, struct watch *w, struct letter *l, const struct heard *h,
			    struct str text)
{
	if (!w->live) {
		oracle_accuse(o, FINDING_INVENTED, h->id, "shown on link %u, which is not logged in as %s: %.*s",
			      w->link, oracle_name(w->user), STR_ARG(text));
		return 0;
	}
	if (!l) {
		oracle_accuse(o, FINDING_INVENTED, h->id, "shown, but nobody sent it: %.*s", STR_ARG(text));
		return 0;
	}
	struct copy *copy = letter_copy_meant(o, w, l, text);
	bool unstored = letter_unstored(o, l);
	if (copy && !(unstored && watch_shown(w, l, copy)))
		return show_stored(o, w, copy);
	if (unstored)
		return show_p0(o, w, l, text);
	bool others = l->fan_n && str_eq(text, str_of(l->fans[0]->text)), had = letter_copy(l, w->user) != NULL;
	oracle_accuse_letter(o, had ? FINDING_INVENTED : others ? FINDING_MEMBERS : FINDING_EARLY, l,
			     "shown on link %u of %s: %.*s", w->link, oracle_name(w->user), STR_ARG(text));
	return 0;
}

static unsigned heard_letter(struct oracle *o, struct watch *w, const struct heard *h, struct str text)
{
	enum letter_kind kind = h->kind == HEARD_DM ? LETTER_DM : h->kind == HEARD_NM ? LETTER_NM
				: h->p0 ? LETTER_P0 : LETTER_MESSAGE;
	int from = oracle_user(str_of(h->from)), to = oracle_any(str_of(h->to));
	bool user = to != TALK_NOBODY && to != w->user && to < TALK_USERS && !oracle_volatile(o, to);
	if (user) {
		oracle_accuse(o, FINDING_INVENTED, h->id, "shown on link %u, which is of %s: %.*s", w->link,
			      oracle_name(w->user), STR_ARG(text));
		return 0;
	}
	return show_letter(o, w, oracle_letter(o, kind, from, to, h->kind == HEARD_MESSAGE ? h->id : h->of), h, text);
}

/* Of a group, or of what was missed. */
static unsigned heard_info(struct oracle *o, struct watch *w, const struct heard *h, struct str text)
{
	bool gap = h->kind == HEARD_GAP;
	int to = gap ? w->user : oracle_any(str_of(h->to));
	struct letter *l = oracle_letter(o, gap ? LETTER_GAP : LETTER_INFO, TALK_SERVER, to, h->id);
	if (gap && (!l || h->count > l->gap_count)) {
		oracle_accuse(o, FINDING_GAP, h->id, "%s is told on link %u of what he did not miss: %.*s",
			      oracle_name(w->user), w->link, STR_ARG(text));
		return 0;
	}
	if (!gap && (!l || (!letter_copy(l, w->user) && l->fan_n))) {
		oracle_accuse(o, FINDING_INFORMED, h->id, "%s is told on link %u what he must not be: %.*s",
			      oracle_name(w->user), w->link, STR_ARG(text));
		return 0;
	}
	return show_letter(o, w, l, h, text);
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
	case HEARD_INFO:
	case HEARD_GAP:
		return heard_info(o, w, heard, text);
	case HEARD_LI:
	case HEARD_LO:
		presence_heard(o, w, heard);
		return 0;
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
		const struct copy *c = s->copy;
		if (!c || s->ms + o->ack_ping_ms > now_ms)
			continue;
		due = !c->released && (!c->acked || c->acked_at < s->at || heard_plan_fails(o->plan) ||
				       c->acked_ms + ORACLE_ACK_MS > now_ms ||
				       stored_twins(o, c->receiver, c->letter->from, c->letter->id) > 1);
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
	w->closed_at = w->closed ? w->closed_at : o->stamp;
	w->closed = true;
}
