/* Mail that became durable: transactions as the store got them. */
#include "oracle_state.h"
#include <stdlib.h>

/* What one transaction acknowledges, and which receipts it stores: they must go together. */
struct txn_half { struct letter *receipt; bool stored, acked; };
struct txn {
	struct txn_half half[64];
	unsigned half_n;
	struct fan *fan;     /* a slice of it is done */
	uint32_t slice;
	uint32_t missed;     /* who is told of a gap (bits) */
};

static struct txn_half *txn_half(struct txn *t, struct letter *receipt)
{
	for (unsigned i = 0; i < t->half_n; i++)
		if (t->half[i].receipt == receipt)
			return &t->half[i];
	CHECK(t->half_n < 64);
	t->half[t->half_n] = (struct txn_half){ .receipt = receipt };
	return &t->half[t->half_n++];
}

unsigned account_gen(const struct account *a, uint64_t born)
{
	for (unsigned gen = a->gen; gen > 0; gen--)
		if (a->born[gen] == born)
			return gen;
	return 0;
}

/* How much of the mailbox counts against its limit, as the server must see it at the least. */
static unsigned mailbox_count(const struct oracle *o, int user)
{
	const struct fifo *box = &o->accounts[user].box;
	unsigned n = 0;
	for (size_t i = 0; i < box->n; i++) {
		const struct copy *c = fifo_at(box, i);
		n += c->letter->kind == LETTER_MESSAGE && oracle_copy_counts(o, c) && !c->released && !c->acked;
	}
	return n;
}

/* --- mail --- */

/* Did somebody send it, in these words, and was not refused? */
static const struct sending *letter_sent_so(const struct letter *l, struct str text)
{
	for (unsigned i = 0; i < l->sending_n; i++)
		if (!l->sendings[i].refused && str_eq(text, str_of(l->sendings[i].passed_on)))
			return &l->sendings[i];
	return NULL;
}

unsigned stored_twins(const struct oracle *o, int receiver, int sender, const char *id)
{
	const struct fifo *box = &o->accounts[receiver].box;
	unsigned n = 0;
	for (size_t i = 0; i < box->n; i++) {
		const struct copy *c = fifo_at(box, i);
		n += c->letter->kind == LETTER_MESSAGE && c->letter->from == sender && strcmp(c->letter->id, id) == 0;
	}
	return n;
}

/* How often it may be stored for one receiver: receipts as often as there were messages of that id. */
static unsigned letter_times(const struct oracle *o, const struct letter *l)
{
	return l->kind == LETTER_DM || l->kind == LETTER_NM ? stored_twins(o, l->from, l->to, l->id) : 1;
}

static void copy_checked(struct oracle *o, const struct letter *l, const struct copy *c)
{
	struct account *to = &o->accounts[c->receiver];
	unsigned times = letter_times(o, l), all = times;
	/* After a failed batch receipts that were on their way may be counted twice till it is counted anew. */
	unsigned slack = heard_plan_fails(o->plan) ? 4 : 0;
	for (unsigned i = 0; i < l->copy_n; i++)
		if (l->copies[i]->receiver == c->receiver && l->copies[i]->from_gen == c->from_gen &&
		    l->copies[i]->to_gen == c->to_gen && (oracle_direct(c) || l->copies[i]->fan == c->fan) &&
		    --times == 0)
			oracle_accuse_letter(o, FINDING_TWICE, l, "stored for %s as %#llx and again as %#llx",
					     oracle_name(c->receiver), (unsigned long long)l->copies[i]->seq,
					     (unsigned long long)c->seq);
	if (c->seq <= to->seq_last)
		oracle_accuse_letter(o, FINDING_ORDER, l, "sequence %#llx stored after %#llx",
				     (unsigned long long)c->seq, (unsigned long long)to->seq_last);
	if (l->kind == LETTER_MESSAGE && mailbox_count(o, c->receiver) >= o->plan->mailbox_max_messages + slack)
		oracle_accuse_letter(o, FINDING_LIMIT, l, "%u messages in the mailbox of %s, and another stored",
				     mailbox_count(o, c->receiver), oracle_name(c->receiver));
	if (!oracle_direct(c) || l->from >= TALK_USERS)
		return;
	if (o->model.block[c->receiver][l->from] && c->from_gen == o->accounts[l->from].gen)
		oracle_accuse_letter(o, FINDING_BLOCKED, l, "stored, though %s blocks %s", oracle_name(c->receiver),
				     oracle_name(l->from));
	if (l->vanished && all == 1 && l->vanished_from == c->from_gen && l->vanished_to == c->to_gen)
		oracle_accuse_letter(o, FINDING_BLOCKED, l, "stored, though it was sent while he was blocked");
}

static struct copy *copy_add(struct oracle *o, struct letter *l, int receiver, const struct op_mail *op)
{
	ORACLE_GROW(l->copies, l->copy_n, l->copy_cap);
	struct copy *c = calloc(1, sizeof(*c));
	CHECK(c);
	*c = (struct copy){ .letter = l, .receiver = receiver, .to_gen = o->accounts[receiver].gen,
		.seq = op->seq, .flags = op->flags, .bytes = op->text.n, .committed = o->stamp,
		.text = strndup(op->text.p, op->text.n) };
	CHECK(c->text);
	o->counts.stored++;
	trace_event(o->trace, "stored %#llx for %s: %s", (unsigned long long)op->seq, oracle_name(receiver), c->text);
	return c;
}

static void letter_stored(struct oracle *o, struct letter *l, int receiver, const struct op_mail *op,
			  unsigned from_gen, struct fan *fan)
{
	struct copy *c = copy_add(o, l, receiver, op);
	c->from_gen = from_gen;
	c->fan = fan;
	copy_checked(o, l, c);
	o->accounts[receiver].seq_last = op->seq;
	l->copies[l->copy_n++] = c;
	l->taken = l->taken ? l->taken : o->stamp;
	fifo_push(&o->accounts[receiver].box, c);
}

/* Was the message shown to the one who acknowledges it? */
static bool receipt_is_true(const struct oracle *o, const struct letter *receipt)
{
	const struct fifo *box = &o->accounts[receipt->from].box;
	for (size_t i = 0; i < box->n; i++) {
		const struct copy *c = fifo_at(box, i);
		if (c->letter->kind == LETTER_MESSAGE && c->letter->from == receipt->to && c->first_shown &&
		    !(c->flags & MAIL_NO_PC) && strcmp(c->letter->id, receipt->id) == 0)
			return true;
	}
	return false;
}

/* Sent to this one receiver, perhaps out of a broadcast. */
static void stored_letter(struct oracle *o, const struct op_mail *op, const struct heard *heard, struct txn *t)
{
	static const enum letter_kind kinds[] = { [HEARD_MESSAGE] = LETTER_MESSAGE, [HEARD_DM] = LETTER_DM,
		[HEARD_NM] = LETTER_NM };
	int from = oracle_user(op->sender), to = oracle_user(op->target);
	bool receipt = heard->kind == HEARD_DM || heard->kind == HEARD_NM;
	struct letter *l = receipt || heard->kind == HEARD_MESSAGE
		? oracle_letter(o, kinds[heard->kind], from, to, receipt ? heard->of : heard->id) : NULL;
	const struct sending *s = l ? letter_sent_so(l, op->text) : NULL;
	if (!s) {
		oracle_accuse(o, FINDING_INVENTED, heard->id, "stored but not sent so: %.*s", STR_ARG(op->text));
		return;
	}
	unsigned from_gen = account_gen(&o->accounts[from], op->sender_born);
	if (!from_gen || !o->accounts[to].alive)
		oracle_accuse_letter(o, FINDING_INVENTED, l, "stored of or for a user who does not exist");
	else if (receipt != !!(op->flags & MAIL_RECEIPT) || heard->pc0 != !!(op->flags & MAIL_NO_PC))
		oracle_accuse_letter(o, FINDING_INVENTED, l, "stored with flags %u", op->flags);
	else if (receipt && !receipt_is_true(o, l))
		oracle_accuse_letter(o, FINDING_INVENTED, l, "a receipt for what its sender was not shown, "
				     "or that wants none");
	letter_stored(o, l, to, op, from_gen, s->fan);
	if (receipt)
		txn_half(t, l)->stored = true;
}

/* Sum of what is told in gaps about this group or owner. */
unsigned stored_gap_sum(const struct oracle *o, int user, int about, bool *shown_out)
{
	unsigned sum = 0;
	*shown_out = false;
	for (const struct letter *l = o->pairs[TALK_SERVER][user]; l; l = l->next) {
		if (l->kind != LETTER_GAP || l->gap_about != about || l->copies[0]->to_gen != o->accounts[user].gen)
			continue;
		sum += l->gap_count;
		for (unsigned i = 0; i < l->copy_n; i++)
			*shown_out |= l->copies[i]->first_shown != 0;
	}
	return sum;
}

/* He misses something: a new gap, or one that counts up in its place. */
static void stored_gap(struct oracle *o, const struct op_mail *op, const struct heard *heard, struct txn *t)
{
	int user = oracle_user(op->target), about = oracle_any(str_of(heard->to));
	bool shown;
	if (user == TALK_NOBODY || about == TALK_NOBODY || op->seq >> STORE_SEQ_BITS) {
		oracle_accuse(o, FINDING_GAP, heard->id, "stored as %#llx for '%.*s': %.*s",
			      (unsigned long long)op->seq, STR_ARG(op->target), STR_ARG(op->text));
		return;
	}
	struct letter *l = oracle_letter_make(o, LETTER_GAP, TALK_SERVER, user, heard->id);
	struct copy *last = l->copy_n ? l->copies[l->copy_n - 1] : NULL;
	if (last && !last->released) {
		free(last->text);
		last->text = strndup(op->text.p, op->text.n);
		last->bytes = op->text.n;
		last->committed = o->stamp;
		CHECK(last->text);
		trace_event(o->trace, "stored gap for %s: %s", oracle_name(user), last->text);
	} else {
		last = copy_add(o, l, user, op);
		l->copies[l->copy_n++] = last;
		fifo_push(&o->accounts[user].box, last);
	}
	struct account *a = &o->accounts[user];
	a->missed_at[about] = a->missed[about]++ ? a->missed_at[about] : o->stamp;
	o->counts.gaps++;
	l->gap_count = heard->count;
	l->gap_about = about;
	t->missed |= oracle_bit(user);
	if (stored_gap_sum(o, user, about, &shown) > a->missed[about])
		oracle_accuse_letter(o, FINDING_GAP, l, "tells in all of %u of %s missed, but only %u were",
				     stored_gap_sum(o, user, about, &shown), heard->to, a->missed[about]);
	if (!t->fan || !heard_mailbox_may_be_full(o, user, t->fan ? strlen(t->fan->text) : 0))
		oracle_accuse_letter(o, FINDING_GAP, l, "told %s of something missed, but his mailbox can not be "
				     "full", oracle_name(user));
}

/* A slice of a fan-out to a group. */
static void stored_slice(struct oracle *o, const struct op_mail *op, struct txn *t)
{
	struct fan *f = t->fan;
	struct str name;
	size_t cursor = 0;
	if (!f || f->broadcast || !str_eq(op->text, str_of(f->text)) ||
	    !str_eq(op->target, str_of(oracle_name(f->place))) || !str_eq(op->id, str_of(f->letter->id))) {
		oracle_accuse(o, FINDING_INVENTED, "", "mail to '%.*s' that no fan-out explains: %.*s",
			      STR_ARG(op->target), STR_ARG(op->text));
		return;
	}
	while (strs_next(op->receivers, &cursor, &name) == 1) {
		int receiver = oracle_user(name);
		if (receiver == TALK_NOBODY || !(f->slice[t->slice] & oracle_bit(receiver)))
			oracle_accuse_letter(o, FINDING_MEMBERS, f->letter, "stored for '%.*s', who is not in "
					     "slice %u", STR_ARG(name), t->slice);
		else
			letter_stored(o, f->letter, receiver, op, f->from_gen, f);
	}
}

static void stored_mail(struct oracle *o, const struct op_mail *op, struct txn *t)
{
	struct heard heard;
	heard_parse(op->text.p, op->text.n, &heard);
	if (heard.kind == HEARD_GAP)
		stored_gap(o, op, &heard, t);
	else if (heard.kind == HEARD_INFO || (t->fan && !t->fan->broadcast))
		stored_slice(o, op, t);
	else if (op->receiver_count == 1)
		stored_letter(o, op, &heard, t);
	else
		oracle_accuse(o, FINDING_INVENTED, heard.id, "mail for %u: %.*s", op->receiver_count,
			      STR_ARG(op->text));
}

/* --- fan-outs --- */

/* It counts as sent to each receiver. */
static void fan_broadcast(struct oracle *o, struct fan *f, uint32_t receivers)
{
	for (int user = 0; user < TALK_USERS; user++) {
		if (!(receivers & oracle_bit(user)))
			continue;
		struct letter *l = oracle_letter_make(o, LETTER_MESSAGE, f->letter->from, user, f->letter->id);
		char *text = oracle_readdressed(f->text, f->place, user);
		struct sending *s = oracle_sending(o, l, 0, text);
		s->fan = f;
		if (f->letter->sending_n == 1) {
			s->way = f->letter->sendings[0].link;
			s->begun = f->letter->sendings[0].handed;
		}
		free(text);
	}
}

/* Who gets it: the members as they are, without the sender. Those who come and go are deleted elsewhere,
 * perhaps while it was on its way to the store. */
static void fan_members(struct oracle *o, const struct fan *f, const struct op_fanout *op, uint32_t receivers)
{
	const struct model_name *n = &o->model.name[f->place];
	int from = f->letter->from;
	uint32_t volatile_bit = o->plan->admin ? oracle_bit((int)o->plan->users) : 0;
	uint32_t members = model_members(n);
	if (f->letter->kind == LETTER_INFO) /* changed_txn sees to it */
		return;
	if (!model_may_write(&o->model, f->place, from) && !oracle_volatile(o, from))
		oracle_accuse_letter(o, FINDING_MEMBERS, f->letter, "accepted though he may not write to it");
	members &= ~oracle_bit(from);
	if ((members ^ receivers) & ~volatile_bit && model_may_write(&o->model, f->place, from))
		oracle_accuse_letter(o, FINDING_MEMBERS, f->letter, "for %#x, but the members are %#x", receivers,
				     members);
	if (op->kind != (f->broadcast ? STORE_BROADCAST : STORE_GROUP))
		oracle_accuse_letter(o, FINDING_MEMBERS, f->letter, "accepted by what is no group any more");
}

static void fan_checked(struct oracle *o, const struct fan *f, const struct op_fanout *op, uint32_t receivers)
{
	struct letter *l = f->letter;
	struct heard heard;
	heard_parse(op->text.p, op->text.n, &heard);
	for (unsigned i = 0; i < l->fan_n; i++)
		if (l->kind == LETTER_INFO || (l->fans[i]->from_gen == f->from_gen &&
						l->fans[i]->place_gen == f->place_gen))
			oracle_accuse_letter(o, FINDING_TWICE, l, "fanned out as %#llx and again as %#llx",
				(unsigned long long)l->fans[i]->seq, (unsigned long long)f->seq);
	if (l->kind != LETTER_INFO && (!letter_sent_so(l, op->text) || !f->from_gen))
		oracle_accuse_letter(o, FINDING_INVENTED, l, "stored but not sent so: %.*s", STR_ARG(op->text));
	if (op->flags != (l->kind == LETTER_INFO ? MAIL_INFO : heard.pc0 ? MAIL_NO_PC : 0))
		oracle_accuse_letter(o, FINDING_INVENTED, l, "stored with flags %u", op->flags);
	fan_members(o, f, op, receivers);
}

static uint32_t fan_slices(struct oracle *o, struct fan *f, const struct op_fanout *op)
{
	struct str names, name;
	size_t cursor = 0;
	uint32_t all = 0;
	while (strs_next(op->slices, &cursor, &names) == 1 && f->slice_n < TALK_USERS) {
		size_t within = 0;
		while (strs_next(names, &within, &name) == 1) {
			int user = oracle_user(name);
			if (user == TALK_NOBODY || all & oracle_bit(user))
				oracle_accuse_letter(o, FINDING_MEMBERS, f->letter, "for '%.*s', who is no user "
						     "or named twice", STR_ARG(name));
			else
				f->slice[f->slice_n] |= oracle_bit(user);
		}
		all |= f->slice[f->slice_n++];
	}
	for (int user = 0; user < TALK_USERS; user++) { /* who is born while it is on its way is somebody else */
		const struct account *a = &o->accounts[user];
		f->to_gen[user] = a->born[a->gen] < f->seq ? a->gen : 0;
	}
	return all;
}

static void stored_fanout(struct oracle *o, const struct op_fanout *op)
{
	char id[TALK_ID_MAX];
	int place = oracle_any(op->target), from = op->sender.n ? oracle_user(op->sender) : TALK_SERVER;
	(void)snprintf(id, sizeof(id), "%.*s", STR_ARG(op->id));
	struct letter *l = place == TALK_NOBODY || from == TALK_NOBODY ? NULL
		: from == TALK_SERVER ? oracle_letter_make(o, LETTER_INFO, from, place, id)
				      : oracle_letter(o, LETTER_MESSAGE, from, place, id);
	if (!l) {
		oracle_accuse(o, FINDING_INVENTED, id, "fanned out but not sent: %.*s", STR_ARG(op->text));
		return;
	}
	struct fan *f = calloc(1, sizeof(*f));
	CHECK(f);
	*f = (struct fan){ .seq = op->seq, .letter = l, .place = place, .broadcast = op->kind == STORE_BROADCAST,
		.place_gen = o->accounts[place].gen, .committed = o->stamp,
		.text = strndup(op->text.p, op->text.n) };
	CHECK(f->text);
	f->from_gen = from == TALK_SERVER ? 0 : account_gen(&o->accounts[from], op->sender_born);
	fifo_push(&o->fans, f);
	uint32_t receivers = fan_slices(o, f, op);
	trace_event(o->trace, "stored fan-out %#llx of %s for %#x in %u slices: %s", (unsigned long long)f->seq,
		    oracle_name(place), receivers, f->slice_n, f->text);
	fan_checked(o, f, op, receivers);
	ORACLE_GROW(l->fans, l->fan_n, l->fan_cap);
	l->fans[l->fan_n++] = f;
	l->taken = l->taken ? l->taken : o->stamp;
	o->counts.fans++;
	if (f->broadcast)
		fan_broadcast(o, f, receivers);
}

static struct fan *fan_find(const struct oracle *o, uint64_t seq)
{
	for (size_t i = o->fans.n; i-- > 0;) {
		struct fan *f = fifo_at(&o->fans, i);
		if (f->seq == seq)
			return f;
	}
	return NULL;
}

/* Does he have it, or need not? */
static bool fan_reached(const struct oracle *o, const struct fan *f, int user, const struct txn *t)
{
	const struct account *a = &o->accounts[user];
	const struct letter *l = f->letter;
	if (t->missed & oracle_bit(user) || !a->alive || a->gen != f->to_gen[user])
		return true;
	if (f->broadcast) {
		l = oracle_letter(o, LETTER_MESSAGE, l->from, user, l->id);
		CHECK(l);
		return l->vanished || oracle_hidden(o, l, l->sendings[0].handed) || oracle_copy(o, l, user) ||
		       oracle_volatile(o, l->from);
	}
	for (unsigned i = 0; i < l->copy_n; i++)
		if (l->copies[i]->receiver == user && l->copies[i]->fan == f)
			return true;
	return false;
}

static void fan_done(struct oracle *o, const struct txn *t)
{
	struct fan *f = t->fan;
	trace_event(o->trace, "stored slice %u of fan-out %#llx \"%s\"", t->slice, (unsigned long long)f->seq,
		    f->letter->id);
	if (f->done[t->slice])
		oracle_accuse_letter(o, FINDING_TWICE, f->letter, "slice %u became mail twice", t->slice);
	f->done[t->slice] = true;
	f->done_n++;
	for (int user = 0; user < TALK_USERS; user++)
		if (f->slice[t->slice] & oracle_bit(user) && !fan_reached(o, f, user, t))
			oracle_accuse_letter(o, FINDING_LOST, f->letter, "slice %u is done, but not for %s", t->slice,
					     oracle_name(user));
}

static void stored_fanout_end(struct oracle *o, const struct op_fanout_end *op)
{
	struct fan *f = fan_find(o, op->seq);
	if (!f)
		oracle_accuse(o, FINDING_INVENTED, "", "end of fan-out %#llx, which is none",
			      (unsigned long long)op->seq);
	else if (f->done_n < f->slice_n)
		oracle_accuse_letter(o, FINDING_LOST, f->letter, "fan-out %#llx ends with %u of %u slices done",
				     (unsigned long long)f->seq, f->done_n, f->slice_n);
	else
		f->ended = true;
}

/* --- acknowledgements --- */

/* Kinds of acknowledgement that became durable for a copy. */
static void copy_acked(struct oracle *o, struct copy *c, uint8_t kinds, struct txn *t)
{
	static const struct { uint8_t ack; enum letter_kind kind; } passed[] = {
		{ ACK_DM, LETTER_DM }, { ACK_NM, LETTER_NM } };
	const struct letter *l = c->letter;
	c->kinds |= kinds;
	const struct account *sender = &o->accounts[l->from];
	bool sender_there = sender->alive && sender->gen == c->from_gen;
	for (unsigned i = 0; i < 2; i++) {
		if (!(kinds & passed[i].ack) || (c->flags & MAIL_NO_PC) || !sender_there)
			continue;
		struct letter *receipt = oracle_letter(o, passed[i].kind, c->receiver, l->from, l->id);
		if (!receipt)
			oracle_accuse_letter(o, FINDING_RELEASED, l, "by a receipt nobody sent");
		else
			txn_half(t, receipt)->acked = true;
	}
}

/* Released without a word of his? What one whom he blocks wrote may be. */
static void release_checked(struct oracle *o, const struct copy *c, uint8_t kinds)
{
	const struct letter *l = c->letter;
	bool unsteady = oracle_volatile(o, l->from) || oracle_volatile(o, c->receiver);
	bool hidden = kinds == ACK_PONG && oracle_direct(c) && oracle_hidden(o, l, c->committed);
	/* Several releases may be under way, and each must stand alone, for the others' batches may
	 * fail: releasing what is released does nothing. */
	if (c->released || !oracle_copy_counts(o, c) || unsteady || hidden || (c->received && c->acked & kinds) ||
	    stored_twins(o, c->receiver, l->from, l->id) > 1)
		return;
	oracle_accuse_letter(o, FINDING_RELEASED, l, "of %s, kinds %u, known %u, received %d",
			     oracle_name(c->receiver), kinds, c->acked, c->received);
}

static void stored_release(struct oracle *o, const struct op_release *op, struct txn *t)
{
	int user = oracle_user(op->user);
	const struct fifo *box = user == TALK_NOBODY ? NULL : &o->accounts[user].box;
	for (size_t i = box ? box->n : 0; i-- > 0;) {
		struct copy *c = fifo_at(box, i);
		if (c->seq != op->seq || (c->released && c->letter->kind == LETTER_GAP &&
					  c != c->letter->copies[c->letter->copy_n - 1]))
			continue;
		trace_event(o->trace, "stored release of %#llx \"%s\" of %s by %u", (unsigned long long)op->seq,
			    c->letter->id, oracle_name(user), op->kinds);
		release_checked(o, c, op->kinds);
		c->released = o->stamp;
		o->counts.released++;
		copy_acked(o, c, op->kinds, t);
		return;
	}
	oracle_accuse(o, FINDING_INVENTED, "", "release of %#llx of '%.*s', which was never stored",
		      (unsigned long long)op->seq, STR_ARG(op->user));
}

static void stored_ack(struct oracle *o, const struct op_ack *op, struct txn *t)
{
	char id[TALK_ID_MAX];
	int user = oracle_user(op->user), sender = oracle_user(op->sender);
	struct copy *c = NULL;
	(void)snprintf(id, sizeof(id), "%.*s", STR_ARG(op->id));
	const struct fifo *box = user == TALK_NOBODY || sender == TALK_NOBODY ? NULL : &o->accounts[user].box;
	for (size_t i = 0; box && i < box->n; i++) {
		struct copy *x = fifo_at(box, i);
		if (x->letter->kind == LETTER_MESSAGE && x->letter->from == sender &&
		    strcmp(x->letter->id, id) == 0 && oracle_copy_counts(o, x) &&
		    o->accounts[sender].born[x->from_gen] == op->sender_born)
			c = x;
	}
	trace_event(o->trace, "stored acknowledgement %u of \"%s\"", op->kinds, id);
	if (!c && user != TALK_NOBODY && oracle_volatile(o, user)) /* deleted while it was under way */
		return;
	if (!c)
		oracle_accuse(o, FINDING_INVENTED, id, "'%.*s' acknowledged '%s' of '%.*s', which was never "
			      "stored for him", STR_ARG(op->user), id, STR_ARG(op->sender));
	else
		copy_acked(o, c, op->kinds, t);
}

/* --- transactions --- */

static void txn_op(struct oracle *o, const struct store_op *op, struct txn *t)
{
	switch (op->type) {
	case OP_MAIL: stored_mail(o, &op->mail, t); break;
	case OP_RELEASE: stored_release(o, &op->release, t); break;
	case OP_ACK: stored_ack(o, &op->ack, t); break;
	case OP_FANOUT: stored_fanout(o, &op->fanout); break;
	case OP_FANOUT_END: stored_fanout_end(o, &op->fanout_end); break;
	default: break;
	}
}

static void txn_find_slice(struct oracle *o, struct str ops, struct txn *t)
{
	struct store_op op;
	size_t cursor = 0;
	while (store_op_next(ops, &cursor, &op) == 1) {
		if (op.type != OP_FANOUT_DONE)
			continue;
		t->fan = fan_find(o, op.fanout_done.seq);
		t->slice = op.fanout_done.slice;
		if (t->fan && t->slice < t->fan->slice_n)
			continue;
		oracle_accuse(o, FINDING_INVENTED, "", "slice %u of fan-out %#llx, which is none", t->slice,
			      (unsigned long long)op.fanout_done.seq);
		t->fan = NULL;
	}
}

/* The sender of a message who blocks the one who acknowledges it is told nothing. */
static void txn_halves(struct oracle *o, const struct txn *t)
{
	for (unsigned i = 0; i < t->half_n; i++) {
		const struct txn_half *h = &t->half[i];
		bool blocked = o->model.block[h->receipt->to][h->receipt->from];
		if (h->stored != h->acked && !oracle_volatile(o, h->receipt->from) && (h->stored || !blocked))
			oracle_accuse_letter(o, FINDING_HALF, h->receipt, "%s",
					     h->stored ? "stored without acknowledgement"
						       : "acknowledged without being stored");
	}
}

static void stored_txn(struct oracle *o, struct str ops)
{
	struct txn t = { .half_n = 0 };
	struct store_op op;
	size_t cursor = 0;
	changed_txn(o, ops);
	txn_find_slice(o, ops, &t);
	while (store_op_next(ops, &cursor, &op) == 1)
		txn_op(o, &op, &t);
	if (t.fan)
		fan_done(o, &t);
	txn_halves(o, &t);
}

void oracle_committed(struct oracle *o, struct str batch)
{
	struct str ops;
	size_t cursor = 0;
	int more;
	while ((more = store_txn_next(batch, &cursor, &ops)) == 1) {
		o->stamp++;
		stored_txn(o, ops);
	}
	if (more != 0)
		oracle_accuse(o, FINDING_CONTRACT, "", "a batch that is none");
}
