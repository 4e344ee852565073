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
	p->countdown = dice_between(&p->dice, 1, 20);
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
	bool gone = heard->kind == HEARD_MESSAGE && !heard->p0 ? plant_message(p, w, l, text, n, heard)
		    : heard->kind == HEARD_DM || heard->kind == HEARD_NM ? plant_receipt(p, w, l, text, n, heard)
									  : plant_answer(p, w, l, text, n, heard);
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

static struct link *plant_link_of(const struct world *w, int user)
{
	for (size_t i = 0; i < w->links.n; i++) {
		struct link *l = fifo_at(&w->links, i);
		if (l->user == user && l->state == LINK_OPEN && oracle_live(w->oracle, l->number))
			return l;
	}
	return NULL;
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
