#include "plant.h"

static const struct { const char *name, *text; enum finding found[8]; } plant_rows[PLANT_COUNT] = {
#define PLANT(name, text, ...) { #name, text, { __VA_ARGS__ } },
#include "plant.def"
#undef PLANT
};

const char *plant_name(enum plant_kind kind)
{
	return plant_rows[kind].name;
}

const char *plant_text(enum plant_kind kind)
{
	return plant_rows[kind].text;
}

bool plant_explains(enum plant_kind kind, enum finding finding)
{
	for (unsigned i = 0; i < 8 && plant_rows[kind].found[i]; i++)
		if (plant_rows[kind].found[i] == finding)
			return true;
	return false;
}

void plant_init(struct plant *p, enum plant_kind kind, uint64_t seed)
{
	*p = (struct plant){ .kind = kind, .dice = { seed } };
	p->countdown = dice_between(&p->dice, 1, kind < PLANT_OUTSIDER ? 20 : 5); /* others come seldom */
}

void plant_deinit(struct plant *p)
{
	free(p->text);
	p->text = NULL;
}

static void plant_keep(struct plant *p, const struct link *l, const char *text, size_t n,
		       const struct heard *heard)
{
	free(p->text);
	p->text = strndup(text, n);
	CHECK(p->text);
	p->n = n;
	p->victim = *heard;
	p->link = l->number;
	p->done = true;
}

static bool plant_ripe(struct plant *p)
{
	return !p->done && p->countdown && --p->countdown == 0;
}

static bool plant_is_victim(const struct plant *p, const struct heard *h)
{
	return p->done && h->kind == HEARD_MESSAGE && strcmp(h->id, p->victim.id) == 0 &&
	       strcmp(h->from, p->victim.from) == 0 && strcmp(h->to, p->victim.to) == 0;
}

/* Puts `with` in place of the first `what`, of the same length. */
static void plant_replace(char *text, const char *what, const char *with)
{
	char *at = strstr(text, what);
	CHECK(at && strlen(what) == strlen(with));
	memcpy(at, with, strlen(with));
}

/* Another user whose name is as long, or NULL. */
static const char *plant_other(const struct world *w, const char *name, const char *but)
{
	for (int u = 1; u <= (int)w->plan->users; u++)
		if (strlen(oracle_name(u)) == strlen(name) && strcmp(oracle_name(u), name) != 0 &&
		    strcmp(oracle_name(u), but) != 0)
			return oracle_name(u);
	return NULL;
}

/* A stored message to a user. True: it went its way already. */
static bool plant_message(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
			  const struct heard *h)
{
	switch (p->kind) {
	case PLANT_LOSE:
		if (plant_ripe(p))
			plant_keep(p, l, text, n, h);
		return plant_is_victim(p, h);
	case PLANT_SWAP:
		if (!p->done && plant_ripe(p)) {
			plant_keep(p, l, text, n, h);
			return true;
		}
		if (p->done && p->text && p->link == l->number && strcmp(h->from, p->victim.from) == 0) {
			world_deliver(w, l, text, n);
			world_deliver(w, l, p->text, p->n);
			plant_deinit(p);
			return true;
		}
		return false;
	case PLANT_DOUBLE:
	case PLANT_HAUNT:
		if (plant_ripe(p)) {
			plant_keep(p, l, text, n, h);
			if (p->kind == PLANT_DOUBLE)
				world_deliver(w, l, text, n);
			p->done = p->kind == PLANT_DOUBLE; /* the other comes later */
		}
		return false;
	case PLANT_INVENT:
	case PLANT_CHANGE:
		if (!plant_ripe(p))
			return false;
		plant_keep(p, l, text, n, h);
		if (p->kind == PLANT_INVENT)
			p->text[strlen("{\"m\":{\"id\":\"")] = 'Z';
		else
			plant_replace(p->text, " of ", " OF ");
		world_deliver(w, l, p->text, n);
		return true;
	default:
		return false;
	}
}

static bool plant_receipt(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
			  const struct heard *h)
{
	const char *other = plant_other(w, h->from, h->to);
	if (p->kind != PLANT_FORGE || !other || !plant_ripe(p))
		return false;
	char from[TALK_ID_MAX + 8], forged[TALK_ID_MAX + 8];
	(void)snprintf(from, sizeof(from), "\"s\":\"%s\"", h->from);
	(void)snprintf(forged, sizeof(forged), "\"s\":\"%s\"", other);
	plant_keep(p, l, text, n, h);
	plant_replace(p->text, from, forged);
	world_deliver(w, l, p->text, n);
	return true;
}

static bool plant_answer(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
			 const struct heard *h)
{
	if (p->kind == PLANT_ECHO && h->kind == HEARD_SR && plant_ripe(p)) {
		plant_keep(p, l, text, n, h);
		world_deliver(w, l, text, n);
		return false;
	}
	if (p->kind != PLANT_MUTE || h->kind != HEARD_SR)
		return false;
	if (oracle_was_stored(w->oracle, h->of) && plant_ripe(p))
		plant_keep(p, l, text, n, h);
	return p->done && strcmp(h->of, p->victim.of) == 0;
}

static struct link *plant_link_of(const struct world *w, int user)
{
	for (size_t i = 0; i < w->links.n; i++) {
		struct link *l = fifo_at(&w->links, i);
		if (l->user == user && l->state == LINK_OPEN && oracle_live(w->oracle, l->number))
			return l;
	}
	return NULL;
}

/* What is meant for a group goes to somebody else as well. */
static void plant_elsewhere(struct plant *p, struct world *w, const char *text, size_t n, const struct heard *h)
{
	int place = oracle_any(str_of(h->to));
	int user = place >= TALK_USERS ? oracle_outsider(w->oracle, place) : TALK_NOBODY;
	struct link *to = user != TALK_NOBODY ? plant_link_of(w, user) : NULL;
	if (!to || !plant_ripe(p))
		return;
	world_deliver(w, to, text, n);
	p->done = true;
}

/* Is every login told in this run? */
static bool plant_told(const struct world *w)
{
	return w->plan->send_buffer >= 1u << 20 && !w->plan->read_failure;
}

/* Information and logins. True: it went its way already. */
static bool plant_information(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
			      const struct heard *h)
{
	if (p->kind == PLANT_GOSSIP && h->kind == HEARD_INFO)
		plant_elsewhere(p, w, text, n, h);
	if (p->kind == PLANT_SPARE && h->kind == HEARD_INFO && plant_ripe(p))
		plant_keep(p, l, text, n, h);
	if (p->kind == PLANT_RUMOUR && h->kind == HEARD_LI && plant_told(w) && plant_ripe(p)) {
		world_deliver(w, l, text, n);
		p->done = true;
	}
	if (p->kind == PLANT_HUSH && h->kind == HEARD_LO && plant_told(w) &&
	    oracle_knows_online(w->oracle, l->number, h->from) && plant_ripe(p))
		plant_keep(p, l, text, n, h);
	if (p->kind == PLANT_HUSH && p->text && h->kind == HEARD_LI && strcmp(h->from, p->victim.from) == 0)
		plant_deinit(p); /* he is back */
	if (p->kind == PLANT_HUSH && p->text && h->kind == HEARD_LO)
		return strcmp(h->from, p->victim.from) == 0;
	return p->kind == PLANT_SPARE && p->done && h->kind == HEARD_INFO && strcmp(h->id, p->victim.id) == 0;
}

/* Somebody blocks the one who is spoken to. */
static void plant_whisper(struct plant *p, struct world *w, struct link *l)
{
	const struct model *m = oracle_model(w->oracle);
	char text[128];
	for (int user = 1; user <= (int)w->plan->users && p->kind == PLANT_WHISPER && plant_told(w); user++) {
		if (!m->block[user][l->user] || !plant_link_of(w, user) || !plant_ripe(p))
			continue;
		int n = snprintf(text, sizeof(text), "{\"i\":{\"id\":\"planted\",\"li\":\"%s\"}}", oracle_name(user));
		world_deliver(w, l, text, (size_t)n);
		p->done = true;
	}
}

static bool plant_response(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
			   const struct heard *h)
{
	bool refused = h->kind == HEARD_ERROR && strcmp(h->code, "503") != 0 && strcmp(h->code, "401") != 0;
	if (p->kind == PLANT_FEIGN && refused && oracle_asks_change(w->oracle, l->number, h->id) && plant_ripe(p)) {
		char done[TALK_ID_MAX + 32];
		int size = snprintf(done, sizeof(done), "{\"rp\":{\"id\":\"%s\"}}", h->id);
		world_deliver(w, l, done, (size_t)size);
		p->done = true;
		return true;
	}
	for (int user = 1; user <= (int)w->plan->users && p->kind == PLANT_LIE && h->kind == HEARD_CONTENT; user++) {
		const char *other = plant_other(w, oracle_name(user), "");
		char was[TALK_ID_MAX], is[TALK_ID_MAX];
		(void)snprintf(was, sizeof(was), "\"%s\"", oracle_name(user));
		(void)snprintf(is, sizeof(is), "\"%s\"", other ? other : "");
		if (!other || !memmem(text, n, was, strlen(was)) || !plant_ripe(p))
			continue;
		plant_keep(p, l, text, n, h);
		plant_replace(p->text, was, is);
		world_deliver(w, l, p->text, n);
		return true;
	}
	return false;
}

/* A login was accepted: something released long ago comes again. */
static void plant_after_login(struct plant *p, struct world *w, struct link *l, const struct heard *h)
{
	if (p->kind == PLANT_HAUNT && p->text && h->kind == HEARD_LOGIN && h->accepted && p->link != l->number &&
	    l->state == LINK_OPEN && strcmp(oracle_name(l->user), p->victim.to) == 0 &&
	    oracle_was_released(w->oracle, p->victim.from, p->victim.to, p->victim.id)) {
		world_deliver(w, l, p->text, p->n);
		plant_deinit(p);
		p->done = true;
	}
}

void plant_send(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
		const struct heard *heard)
{
	if (p->kind == PLANT_OUTSIDER && heard->kind == HEARD_MESSAGE && !heard->p0)
		plant_elsewhere(p, w, text, n, heard);
	plant_whisper(p, w, l);
	bool gone = heard->kind == HEARD_MESSAGE && !heard->p0 ? plant_message(p, w, l, text, n, heard)
		    : heard->kind == HEARD_DM || heard->kind == HEARD_NM ? plant_receipt(p, w, l, text, n, heard)
		    : heard_is_mail(heard) ? plant_information(p, w, l, text, n, heard)
		    : plant_response(p, w, l, text, n, heard) || plant_answer(p, w, l, text, n, heard);
	if (!gone)
		world_deliver(w, l, text, n);
	plant_after_login(p, w, l, heard);
}

/* A packet to the client of this link, as early as can be. */
static void plant_haste(struct world *w, struct link *l, const struct said *said)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "{\"m\":{\"id\":\"planted\",\"sr\":{\"id\":\"%s\"}}}", said->id);
	world_deliver(w, l, text, (size_t)n);
}

void plant_said(struct plant *p, struct world *w, struct link *l, const struct said *said)
{
	struct link *to = said->to != TALK_NOBODY ? plant_link_of(w, said->to) : NULL;
	if (l->state != LINK_OPEN || !oracle_live(w->oracle, l->number))
		return;
	if (p->kind == PLANT_NAG && plant_ripe(p)) {
		oracle_pinged(w->oracle, l->number, STR("planted"), w->trace->ms);
		p->done = true;
	}
	if (said->kind != SAID_MESSAGE || said->p0 || said->sc0 || said->to == TALK_NOBODY)
		return;
	if (p->kind == PLANT_HASTE && !oracle_was_stored(w->oracle, said->id) && plant_ripe(p)) {
		plant_haste(w, l, said);
		p->done = true;
	} else if (p->kind == PLANT_LEAK && to && !oracle_was_stored(w->oracle, said->id) && plant_ripe(p)) {
		world_deliver(w, to, said->passed_on, strlen(said->passed_on));
		p->done = true;
	}
}

/* --- what is stored --- */

/* Puts another name of the same length in place of a receiver who is none. */
static bool plant_fanout(const struct world *w, const struct op_fanout *op)
{
	struct str names, name;
	size_t cursor = 0;
	int place = oracle_any(op->target);
	uint32_t members = place < 0 ? 0 : model_members(&oracle_model(w->oracle)->name[place]);
	while (strs_next(op->slices, &cursor, &names) == 1)
		for (size_t within = 0; strs_next(names, &within, &name) == 1;)
			for (int user = 1; user <= (int)w->plan->users; user++) {
				const char *other = oracle_name(user);
				if (members >> user & 1 || strlen(other) != name.n || str_eq(name, str_of(other)) ||
				    str_eq(op->sender, str_of(other)))
					continue;
				memcpy((char *)(uintptr_t)name.p, other, name.n);
				return true;
			}
	return false;
}

/* Puts the name of what exists in place of what is created. */
static bool plant_name_put(const struct world *w, const struct op_name_put *op)
{
	const struct model *m = oracle_model(w->oracle);
	for (int name = 0; name < TALK_NAMES; name++)
		if (m->name[name].kind != STORE_NOBODY && strlen(oracle_name(name)) == op->name.n &&
		    !str_eq(op->name, str_of(oracle_name(name)))) {
			memcpy((char *)(uintptr_t)op->name.p, oracle_name(name), op->name.n);
			return true;
		}
	return false;
}

static bool plant_gap(const struct op_mail *op)
{
	static const char count[] = "\"c\":\"";
	char *at = op->flags & MAIL_INFO && op->seq >> STORE_SEQ_BITS == 0
		? memmem(op->text.p, op->text.n, count, sizeof(count) - 1) : NULL;
	if (at)
		at[sizeof(count) - 1] = '9';
	return at != NULL;
}

/* Tampers with an op, whose views point into a copy of the batch. */
static bool plant_op(struct plant *p, const struct world *w, const struct store_op *op)
{
	bool info = op->type == OP_FANOUT && !op->fanout.sender.n;
	const struct op_link_put *link = &op->link_put;
	switch (p->kind) {
	case PLANT_CROWN:
		if (op->type != OP_LINK_PUT || link->kind != LINK_MEMBER || link->flags || link->ms)
			return false;
		*((char *)(uintptr_t)link->to.p + link->to.n + 16) = LINK_ADMIN; /* behind born and order */
		return true;
	case PLANT_BOAST:
		return op->type == OP_MAIL && plant_gap(&op->mail);
	case PLANT_USURP:
		return op->type == OP_NAME_PUT && plant_name_put(w, &op->name_put);
	case PLANT_STRAY:
	case PLANT_BLAB:
		return op->type == OP_FANOUT && info == (p->kind == PLANT_BLAB) && plant_fanout(w, &op->fanout);
	default:
		return false;
	}
}

void plant_committed(struct plant *p, struct world *w, struct str batch)
{
	struct str ops;
	struct store_op op;
	char *copy = malloc(batch.n + 1);
	CHECK(copy);
	memcpy(copy, batch.p, batch.n);
	batch.p = copy;
	for (size_t cursor = 0; !p->done && store_txn_next(batch, &cursor, &ops) == 1;)
		for (size_t at = 0; !p->done && store_op_next(ops, &at, &op) == 1;)
			p->done = plant_op(p, w, &op);
	oracle_committed(w->oracle, batch);
	free(copy);
}
