/* Planted violations: a faulty server, made by tampering with what a right one sends. The checker
 * must find each of them; else its silence means nothing. */
#pragma once
#include "world.h"

enum plant_kind {
#define PLANT(name, text, ...) PLANT_##name,
#include "plant.def"
#undef PLANT
	PLANT_COUNT
};

struct plant {
	enum plant_kind kind;
	struct dice dice;
	unsigned countdown;       /* opportunities to let pass */
	bool done;                /* it was planted */
	struct heard victim;      /* what was tampered with */
	char *text;               /* kept for later; owned */
	size_t n;
	unsigned link;            /* where it was sent */
};

const char *plant_name(enum plant_kind kind);
const char *plant_text(enum plant_kind kind);
/* Is this finding one that names the planted fault? */
bool plant_explains(enum plant_kind kind, enum finding finding);
void plant_init(struct plant *p, enum plant_kind kind, uint64_t seed);
void plant_deinit(struct plant *p);
/* Called for each packet a core sends, in place of world_deliver. */
void plant_send(struct plant *p, struct world *w, struct link *l, const char *text, size_t n,
		const struct heard *heard);
/* What became durable, as the oracle is to see it; in place of oracle_committed. */
void plant_committed(struct plant *p, struct world *w, struct str batch);
/* Called after a core was given a packet. */
void plant_said(struct plant *p, struct world *w, struct link *l, const struct said *said);
