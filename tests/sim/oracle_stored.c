/* What became durable: transactions as the store got them. */
#include "oracle_state.h"
#include <stdlib.h>

/* What one transaction acknowledges, and which receipts it stores: they must go together. */
struct txn_half { struct letter *receipt; bool stored, acked; };
struct txn_halves { struct txn_half half[64]; unsigned n; };

static struct txn_half *txn_half(struct txn_halves *h, struct letter *receipt)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->half[i].receipt == receipt)
			return &h->half[i];
	CHECK(h->n < 64);
	h->half[h->n] = (struct txn_half){ .receipt = receipt };
	return &h->half[h->n++];
}

static unsigned account_gen(const struct account *a, uint64_t born)
{
	for (unsigned gen = a->gen; gen > 0; gen--)
		if (a->born[gen] == born)
			return gen;
	return 0;
}

static void stored_user_put(struct oracle *o, const struct op_user_put *op)
{
	int user = oracle_user(op->name);
	if (user == TALK_NOBODY) {
		oracle_accuse(o, FINDING_INVENTED, "", "user '%.*s' stored", STR_ARG(op->name));
		return;
	}
	struct account *a = &o->accounts[user];
	if (!a->alive || a->born[a->gen] != op->born) {
		CHECK(a->gen + 1 < sizeof(a->born) / sizeof(a->born[0]));
		a->born[++a->gen] = op->born;
		a->seq_last = 0;
	}
	a->alive = true;
	a->changed = o->stamp;
	(void)snprintf(a->hash, sizeof(a->hash), "%.*s", STR_ARG(op->token));
	trace_event(o->trace, "stored user %s born %#llx", oracle_name(user), (unsigned long long)op->born);
}

static void stored_user_del(struct oracle *o, const struct op_user_del *op)
{
	int user = oracle_user(op->name);
	if (user == TALK_NOBODY || !o->accounts[user].alive) {
		oracle_accuse(o, FINDING_INVENTED, "", "user '%.*s' deleted who is none", STR_ARG(op->name));
		return;
	}
	o->accounts[user].alive = false;
	o->accounts[user].changed = o->stamp;
	trace_event(o->trace, "stored end of user %s", oracle_name(user));
}

/* How much of the mailbox counts against its limit, as the server must see it at the least. */
static unsigned mailbox_count(const struct oracle *o, int user)
{
	unsigned n = 0;
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (const struct letter *l = o->pairs[from][user]; l; l = l->next)
			for (unsigned i = 0; l->kind == LETTER_MESSAGE && i < l->copy_n; i++)
				n += oracle_copy_counts(o, l, &l->copies[i]) && !l->copies[i].released &&
				     !l->copies[i].acked;
	return n;
}

/* Did somebody send it, in these words, and was not refused? */
static bool letter_sent_so(const struct letter *l, struct str text)
{
	for (unsigned i = 0; i < l->sending_n; i++)
		if (!l->sendings[i].refused && str_eq(text, str_of(l->sendings[i].passed_on)))
			return true;
	return false;
}

static void letter_stored(struct oracle *o, struct letter *l, const struct op_mail *op, unsigned from_gen)
{
	struct account *to = &o->accounts[l->to];
	for (unsigned i = 0; i < l->copy_n; i++)
		if (l->copies[i].from_gen == from_gen && l->copies[i].to_gen == to->gen)
			oracle_accuse_letter(o, FINDING_TWICE, l, "stored as %#llx and again as %#llx",
					     (unsigned long long)l->copies[i].seq, (unsigned long long)op->seq);
	if (op->seq <= to->seq_last)
		oracle_accuse_letter(o, FINDING_ORDER, l, "sequence %#llx stored after %#llx",
				     (unsigned long long)op->seq, (unsigned long long)to->seq_last);
	to->seq_last = op->seq;
	if (l->kind == LETTER_MESSAGE && mailbox_count(o, l->to) >= o->plan->mailbox_max_messages)
		oracle_accuse_letter(o, FINDING_LIMIT, l, "%u messages in the mailbox, and another stored",
				     mailbox_count(o, l->to));
	ORACLE_GROW(l->copies, l->copy_n, l->copy_cap);
	struct copy *c = &l->copies[l->copy_n++];
	*c = (struct copy){ .from_gen = from_gen, .to_gen = to->gen, .seq = op->seq, .flags = op->flags,
		.bytes = op->text.n, .committed = o->stamp, .text = strndup(op->text.p, op->text.n) };
	CHECK(c->text);
	o->counts.stored++;
	trace_event(o->trace, "stored %#llx for %s: %s", (unsigned long long)op->seq, oracle_name(l->to), c->text);
}

/* Was the message shown to the one who acknowledges it? */
static bool receipt_is_true(const struct oracle *o, const struct letter *receipt)
{
	const struct letter *l = oracle_letter(o, LETTER_MESSAGE, receipt->to, receipt->from, receipt->id);
	for (unsigned i = 0; l && i < l->copy_n; i++)
		if (l->copies[i].first_shown && !(l->copies[i].flags & MAIL_NO_PC))
			return true;
	return false;
}

static void stored_mail(struct oracle *o, const struct op_mail *op, struct txn_halves *halves)
{
	static const enum letter_kind kinds[] = { [HEARD_MESSAGE] = LETTER_MESSAGE, [HEARD_DM] = LETTER_DM,
		[HEARD_NM] = LETTER_NM };
	struct heard heard;
	heard_parse(op->text.p, op->text.n, &heard);
	int from = oracle_user(op->sender), to = oracle_user(op->target);
	bool receipt = heard.kind == HEARD_DM || heard.kind == HEARD_NM;
	struct letter *l = receipt || heard.kind == HEARD_MESSAGE
		? oracle_letter(o, kinds[heard.kind], from, to, receipt ? heard.of : heard.id) : NULL;
	if (!l || !letter_sent_so(l, op->text)) {
		oracle_accuse(o, FINDING_INVENTED, heard.id, "stored but not sent so: %.*s", STR_ARG(op->text));
		return;
	}
	unsigned from_gen = account_gen(&o->accounts[from], op->sender_born);
	if (!from_gen || !o->accounts[to].alive)
		oracle_accuse_letter(o, FINDING_INVENTED, l, "stored of or for a user who does not exist");
	else if (receipt != !!(op->flags & MAIL_RECEIPT) || heard.pc0 != !!(op->flags & MAIL_NO_PC))
		oracle_accuse_letter(o, FINDING_INVENTED, l, "stored with flags %u", op->flags);
	else if (receipt && !receipt_is_true(o, l))
		oracle_accuse_letter(o, FINDING_INVENTED, l, "a receipt for what its sender was not shown, "
				     "or that wants none");
	letter_stored(o, l, op, from_gen);
	if (receipt)
		txn_half(halves, l)->stored = true;
}

/* Kinds of acknowledgement that became durable for a copy. */
static void copy_acked(struct oracle *o, struct letter *l, struct copy *c, uint8_t kinds,
		       struct txn_halves *halves)
{
	static const struct { uint8_t ack; enum letter_kind kind; } passed[] = {
		{ ACK_DM, LETTER_DM }, { ACK_NM, LETTER_NM } };
	c->kinds |= kinds;
	const struct account *sender = &o->accounts[l->from];
	bool sender_there = sender->alive && sender->gen == c->from_gen;
	for (unsigned i = 0; i < 2; i++) {
		if (!(kinds & passed[i].ack) || (c->flags & MAIL_NO_PC) || !sender_there)
			continue;
		struct letter *receipt = oracle_letter(o, passed[i].kind, l->to, l->from, l->id);
		if (!receipt)
			oracle_accuse_letter(o, FINDING_RELEASED, l, "by a receipt nobody sent");
		else
			txn_half(halves, receipt)->acked = true;
	}
}

static void stored_release(struct oracle *o, const struct op_release *op, struct txn_halves *halves)
{
	int user = oracle_user(op->user);
	for (int from = 0; user != TALK_NOBODY && from < ORACLE_NAMES; from++)
		for (struct letter *l = o->pairs[from][user]; l; l = l->next)
			for (unsigned i = 0; i < l->copy_n; i++) {
				struct copy *c = &l->copies[i];
				if (c->seq != op->seq)
					continue;
				trace_event(o->trace, "stored release of %#llx \"%s\" by %u",
					    (unsigned long long)op->seq, l->id, op->kinds);
				/* Several releases may be under way, and each must stand alone, for the
				 * others' batches may fail: releasing what is released does nothing. */
				if (!c->released && oracle_copy_counts(o, l, c) && !oracle_volatile(o, from) &&
					 !oracle_volatile(o, user) && !(c->received && c->acked & op->kinds))
					oracle_accuse_letter(o, FINDING_RELEASED, l, "kinds %u, known %u, "
						"received %d", op->kinds, c->acked, c->received);
				c->released = o->stamp;
				o->counts.released++;
				copy_acked(o, l, c, op->kinds, halves);
				return;
			}
	oracle_accuse(o, FINDING_INVENTED, "", "release of %#llx of '%.*s', which was never stored",
		      (unsigned long long)op->seq, STR_ARG(op->user));
}

static void stored_ack(struct oracle *o, const struct op_ack *op, struct txn_halves *halves)
{
	char id[TALK_ID_MAX];
	(void)snprintf(id, sizeof(id), "%.*s", STR_ARG(op->id));
	struct letter *l = oracle_letter(o, LETTER_MESSAGE, oracle_user(op->sender), oracle_user(op->user), id);
	struct copy *c = NULL;
	for (unsigned i = 0; l && i < l->copy_n; i++)
		if (o->accounts[l->from].born[l->copies[i].from_gen] == op->sender_born &&
		    oracle_copy_counts(o, l, &l->copies[i]))
			c = &l->copies[i];
	trace_event(o->trace, "stored acknowledgement %u of \"%s\"", op->kinds, id);
	if (!c && oracle_volatile(o, oracle_user(op->user))) /* deleted while it was under way */
		return;
	if (!c)
		oracle_accuse(o, FINDING_INVENTED, id, "'%.*s' acknowledged '%s' of '%.*s', which was never "
			      "stored for him", STR_ARG(op->user), id, STR_ARG(op->sender));
	else
		copy_acked(o, l, c, op->kinds, halves);
}

static void stored_txn(struct oracle *o, struct str ops)
{
	struct txn_halves halves = { .n = 0 };
	struct store_op op;
	size_t cursor = 0;
	while (store_op_next(ops, &cursor, &op) == 1) {
		switch (op.type) {
		case OP_USER_PUT: stored_user_put(o, &op.user_put); break;
		case OP_USER_DEL: stored_user_del(o, &op.user_del); break;
		case OP_MAIL: stored_mail(o, &op.mail, &halves); break;
		case OP_RELEASE: stored_release(o, &op.release, &halves); break;
		case OP_ACK: stored_ack(o, &op.ack, &halves); break;
		case OP_LAST_SEEN:
		case OP_NONE:
		case OP_TYPE_COUNT:
			break;
		}
	}
	for (unsigned i = 0; i < halves.n; i++)
		if (halves.half[i].stored != halves.half[i].acked &&
		    !oracle_volatile(o, halves.half[i].receipt->from))
			oracle_accuse_letter(o, FINDING_HALF, halves.half[i].receipt, "%s",
					     halves.half[i].stored ? "stored without acknowledgement"
								   : "acknowledged without being stored");
}

void oracle_committed(struct oracle *o, struct str batch)
{
	struct str ops;
	size_t cursor = 0;
	o->stamp++;
	int more;
	while ((more = store_txn_next(batch, &cursor, &ops)) == 1)
		stored_txn(o, ops);
	if (more != 0)
		oracle_accuse(o, FINDING_CONTRACT, "", "a batch that is none");
}
