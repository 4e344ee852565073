/* Changes that became durable: each transaction must be, to the last tie and piece of information, what
 * one request asks for that is on its way, as things were before it. */
#include "oracle_state.h"
#include <stdlib.h>

/* --- requests on their way --- */

/* What it may come to has to be looked at again whenever something changed. */
static void asked_update(struct oracle *o, struct asked *a)
{
	struct model_outcome *out = &o->outcome;
	char difference[16];
	struct model_named named = model_named(&o->model, a->user, &a->ask);
	a->named.all |= named.all;
	a->named.missing |= named.missing;
	a->named.fine |= named.fine;
	a->named.blocking |= named.blocking;
	model_ask(&o->model, a->user, &a->ask, o->plan->group_max, out);
	a->codes |= out->codes;
	a->idle |= out->codes & MODEL_OK && !out->info_n &&
		   !model_differs(&o->model, &out->after, difference, sizeof(difference));
}

/* What is durable is known everywhere when it is answered, or nothing is under way any more: till then it
 * may be so, or as it was. */
static void asked_doubt(const struct oracle *o, struct asked *a)
{
	for (unsigned i = 0; i < a->ask.who_n; i++) {
		int who = a->ask.who[i];
		if (who == TALK_NOBODY || who >= TALK_USERS)
			continue;
		uint64_t known = o->quiet > o->block_told[who][a->user] ? o->quiet : o->block_told[who][a->user];
		bool block = o->block_changed[who][a->user] > known;
		bool user = oracle_volatile(o, who) && o->accounts[who].changed > o->quiet;
		a->named.fine |= block || user ? oracle_bit(who) : 0;
		a->named.blocking |= block ? oracle_bit(who) : 0;
		a->named.missing |= user ? oracle_bit(who) : 0;
	}
}

struct asked *changed_ask(struct oracle *o, const struct watch *w, const struct said *said)
{
	struct asked *a = calloc(1, sizeof(*a));
	CHECK(a);
	*a = (struct asked){ .link = w->link, .user = w->user, .gen = o->accounts[w->user].gen, .ask = said->ask,
		.handed = o->stamp };
	(void)snprintf(a->id, sizeof(a->id), "%s", said->id);
	if (said->ask.kind <= ASK_USER_CHANGE)
		o->accounts[said->ask.name].admin_handed = o->stamp;
	fifo_push(&o->asked, a);
	fifo_push(&o->open, a);
	o->counts.asked++;
	asked_update(o, a);
	asked_doubt(o, a);
	return a;
}

void changed_answered(struct oracle *o, struct asked *a)
{
	for (size_t i = 0; i < o->open.n; i++)
		if (fifo_at(&o->open, i) == a) {
			(void)fifo_take(&o->open, i);
			return;
		}
}

bool changed_exchange(struct oracle *o, struct asked *a)
{
	for (size_t i = 0; i < o->open.n; i++) {
		struct asked *b = fifo_at(&o->open, i);
		bool from = a->committed && !b->committed && b->fitted == a->committed;
		bool to = !a->committed && b->committed && a->fitted == b->committed;
		if (b == a || (!from && !to))
			continue;
		uint64_t committed = a->committed;
		a->committed = b->committed;
		b->committed = committed;
		return true;
	}
	return false;
}

void changed_forget(struct oracle *o, bool crashed)
{
	for (size_t i = o->open.n; i-- > 0;) {
		const struct asked *a = fifo_at(&o->open, i);
		if (crashed || oracle_watch(o, a->link)->closed)
			(void)fifo_take(&o->open, i);
	}
}

/* --- what a transaction says --- */

struct change {
	struct model after;
	struct model_info infos[MODEL_INFOS_MAX];
	unsigned info_n;
	bool any;            /* it says something of what is no mail */
};

static void change_born(struct oracle *o, int name, uint64_t born)
{
	struct account *a = &o->accounts[name];
	CHECK(a->gen + 1 < ORACLE_GENS);
	a->born[++a->gen] = born;
	a->seq_last = 0;
	a->changed = o->stamp;
	memset(a->missed, 0, sizeof(a->missed));
}

static void change_user(struct oracle *o, const struct op_user_put *op, const struct change *c)
{
	int user = oracle_user(op->name);
	if (user == TALK_NOBODY) {
		oracle_accuse(o, FINDING_INVENTED, "", "user '%.*s' stored", STR_ARG(op->name));
		return;
	}
	struct account *a = &o->accounts[user];
	if (c->after.name[user].kind != STORE_NOBODY && (!a->alive || a->born[a->gen] != op->born))
		oracle_accuse(o, FINDING_NAME, oracle_name(user), "a user is made of '%s', which is taken",
			      oracle_name(user));
	if (!a->alive)
		change_born(o, user, op->born);
	a->alive = true;
	a->changed = o->stamp;
	(void)snprintf(a->hash, sizeof(a->hash), "%.*s", STR_ARG(op->token));
	trace_event(o->trace, "stored user %s born %#llx", oracle_name(user), (unsigned long long)op->born);
}

static void change_place(struct oracle *o, const struct op_name_put *op, const struct change *c)
{
	int name = oracle_any(op->name);
	if (name == TALK_NOBODY) {
		oracle_accuse(o, FINDING_INVENTED, "", "name '%.*s' stored", STR_ARG(op->name));
		return;
	}
	struct account *a = &o->accounts[name];
	uint8_t was = c->after.name[name].kind;
	if (was != STORE_NOBODY && (was != op->kind || a->born[a->gen] != op->born))
		oracle_accuse(o, FINDING_NAME, oracle_name(name), "kind %u is made of '%s', which is taken",
			      op->kind, oracle_name(name));
	if (was == STORE_NOBODY)
		change_born(o, name, op->born);
	a->created_ms = op->created_ms;
	trace_event(o->trace, "stored kind %u %s '%.*s' born %#llx", op->kind, oracle_name(name),
		    STR_ARG(op->title), (unsigned long long)op->born);
}

static void change_end(struct oracle *o, const struct op_name_del *op, const struct change *c)
{
	int name = oracle_any(op->name);
	if (name == TALK_NOBODY || c->after.name[name].kind == STORE_NOBODY) {
		oracle_accuse(o, FINDING_INVENTED, "", "'%.*s' deleted, which is none", STR_ARG(op->name));
		return;
	}
	struct account *a = &o->accounts[name];
	a->alive = false;
	a->changed = a->ended[a->gen] = o->stamp;
	trace_event(o->trace, "stored end of %s", oracle_name(name));
}

/* The user at the far end of a tie is the one who bears the name now. */
static void change_tie(struct oracle *o, const struct op_link_put *op)
{
	bool to = op->kind == LINK_FOLLOW || op->kind == LINK_BLOCK;
	int user = oracle_user(to ? op->to : op->from);
	trace_event(o->trace, "stored tie %u of %.*s to %.*s flags %u '%.*s'", op->kind, STR_ARG(op->from),
		    STR_ARG(op->to), op->flags, STR_ARG(op->text));
	if (user == TALK_NOBODY || !o->accounts[user].alive || o->accounts[user].born[o->accounts[user].gen] != op->born)
		oracle_accuse(o, FINDING_CHANGE, "", "tie %u of '%.*s' to '%.*s' with a user who is none, or "
			      "another", op->kind, STR_ARG(op->from), STR_ARG(op->to));
}

static void change_info(const struct op_fanout *op, struct change *c)
{
	static const char head[] = "\"g\":";
	struct str names, name;
	size_t cursor = 0;
	const char *g = memmem(op->text.p, op->text.n, head, sizeof(head) - 1);
	struct model_info *info = &c->infos[c->info_n];
	CHECK(c->info_n < MODEL_INFOS_MAX);
	*info = (struct model_info){ .place = oracle_any(op->target) };
	size_t at = g ? (size_t)(g - op->text.p) + sizeof(head) - 1 : op->text.n;
	if (at + 2 <= op->text.n)
		(void)snprintf(info->g, sizeof(info->g), "%.*s", (int)(op->text.n - 2 - at), op->text.p + at);
	while (strs_next(op->slices, &cursor, &names) == 1)
		for (size_t within = 0; strs_next(names, &within, &name) == 1;)
			info->to |= oracle_any(name) >= 0 ? oracle_bit(oracle_any(name)) : 0;
	c->info_n++;
}

static void change_op(struct oracle *o, const struct store_op *op, struct change *c)
{
	switch (op->type) {
	case OP_USER_PUT: change_user(o, &op->user_put, c); break;
	case OP_NAME_PUT: change_place(o, &op->name_put, c); break;
	case OP_NAME_DEL: change_end(o, &op->name_del, c); break;
	case OP_LINK_PUT: change_tie(o, &op->link_put); break;
	case OP_LINK_DEL:
		trace_event(o->trace, "stored end of tie %u of %.*s to %.*s", op->link_del.kind,
			    STR_ARG(op->link_del.from), STR_ARG(op->link_del.to));
		break;
	case OP_TEXT_PUT: break;
	case OP_FANOUT:
		if (!op->fanout.sender.n)
			change_info(&op->fanout, c);
		return;
	default: return;
	}
	c->any = true;
	model_apply(&c->after, op);
}

/* --- is it what was asked for? --- */

/* Those of one group in their order; between groups none is promised. */
static bool infos_alike(const struct change *c, const struct model_outcome *out, char *why, size_t size)
{
	unsigned used[TALK_NAMES] = { 0 };
	why[0] = 0;
	for (unsigned i = 0; i < c->info_n; i++) {
		const struct model_info *is = &c->infos[i], *must = NULL;
		unsigned nth = is->place < 0 ? 0 : ++used[is->place];
		for (unsigned k = 0; k < out->info_n && nth; k++)
			if (out->infos[k].place == is->place && --nth == 0)
				must = &out->infos[k];
		if (must && must->to == is->to && strcmp(must->g, is->g) == 0)
			continue;
		(void)snprintf(why, size, "informs %#x of %s, not %#x of %s", is->to, is->g, must ? must->to : 0,
			       must ? must->g : "nothing");
		return false;
	}
	if (c->info_n < out->info_n)
		(void)snprintf(why, size, "informs %u times, not %u", c->info_n, out->info_n);
	return c->info_n == out->info_n;
}

/* Could it succeed as far as those are concerned whom it names? */
static bool asked_names_fine(const struct asked *a)
{
	return (a->named.fine & a->named.all) == a->named.all;
}

/* Finds the request, the oldest of those it fits; failing that says what is wrong with the one that is
 * nearest to it. */
static struct asked *change_explained(struct oracle *o, const struct change *c, enum finding *finding_out,
				      char *why, size_t size)
{
	struct model_outcome *out = &o->outcome;
	char difference[1000], infos[600];
	struct asked *found = NULL;
	*finding_out = FINDING_CHANGE;
	(void)snprintf(why, size, "no request asks for it");
	for (size_t i = 0; i < o->open.n; i++) {
		struct asked *a = fifo_at(&o->open, i);
		if (a->committed || a->ask.kind >= ASK_FOLLOWINGS || !oracle_was(o, a->user, a->gen, o->stamp))
			continue;
		model_ask(&o->model, a->user, &a->ask, o->plan->group_max, out);
		bool ok = out->codes & MODEL_OK && asked_names_fine(a);
		bool same = !model_differs(&c->after, &out->after, difference, sizeof(difference));
		if (same && infos_alike(c, out, infos, sizeof(infos)) && ok) {
			a->fitted = o->stamp;
			found = found ? found : a;
		} else if (same && ok) {
			*finding_out = FINDING_INFORMED;
		}
		if (same)
			(void)snprintf(why, size, "request '%s' of %s %s%s", a->id, oracle_name(a->user),
				       ok ? "" : "must be refused", ok ? infos : "");
		else if (ok && *finding_out == FINDING_CHANGE)
			(void)snprintf(why, size, "not what request '%s' of %s asks for: %s", a->id,
				       oracle_name(a->user), difference);
	}
	return found;
}

static void note_pair(struct oracle *o, const struct model *was, int u, int v)
{
	const struct model *is = &o->model;
	if (was->follow[u][v] != is->follow[u][v])
		o->follow_changed[u][v] = o->stamp;
	if (was->block[u][v] == is->block[u][v])
		return;
	o->block_changed[u][v] = o->stamp;
	o->blocked_at[u][v] = is->block[u][v] ? ORACLE_NOW : o->stamp;
	o->blocked_since[u][v] = is->block[u][v] ? o->stamp : 0;
}

/* When things were last so and so. */
static void change_note(struct oracle *o, const struct model *was)
{
	for (int u = 0; u < TALK_USERS; u++)
		for (int v = 0; v < TALK_USERS; v++)
			note_pair(o, was, u, v);
	for (int name = 0; name < TALK_NAMES; name++) {
		struct account *a = &o->accounts[name];
		if (o->model.name[name].kind == STORE_NOBODY)
			a->gone_at = ORACLE_NOW;
		else if (a->gone_at == ORACLE_NOW)
			a->gone_at = o->stamp;
		for (int user = 0; user < TALK_USERS; user++) {
			bool in = model_may_write(&o->model, name, user);
			bool member = model_member(&o->model.name[name], user) != NULL;
			if (member || a->member_at[user] == ORACLE_NOW)
				a->member_at[user] = member ? ORACLE_NOW : o->stamp;
			if (in == model_may_write(was, name, user))
				continue;
			a->in_at[user] = in ? ORACLE_NOW : o->stamp;
			a->out_at[user] = in ? o->stamp : ORACLE_NOW;
		}
	}
}

static void change_happens(struct oracle *o, const struct change *c)
{
	static struct model was;
	was = o->model;
	o->model = c->after;
	o->model_changed = o->stamp;
	o->counts.changes++;
	change_note(o, &was);
	for (size_t i = 0; i < o->open.n; i++)
		asked_update(o, fifo_at(&o->open, i));
}

void changed_txn(struct oracle *o, struct str ops)
{
	static struct change c;
	struct store_op op;
	size_t cursor = 0;
	enum finding finding;
	char why[1600];
	c.after = o->model;
	c.info_n = 0;
	c.any = false;
	while (store_op_next(ops, &cursor, &op) == 1)
		change_op(o, &op, &c);
	if ((!c.any && !c.info_n) || o->finding)
		return;
	if (!model_differs(&o->model, &c.after, why, sizeof(why)) && !c.info_n)
		return; /* says what was so before */
	struct asked *a = o->watch_n ? change_explained(o, &c, &finding, why, sizeof(why)) : NULL;
	if (a)
		a->committed = o->stamp;
	else if (o->watch_n) /* else it is what there was in the beginning */
		oracle_accuse(o, finding, "", "%s", why);
	change_happens(o, &c);
}
