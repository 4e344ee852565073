/* The simulated clients: users with one or more devices each, which log in, write, acknowledge as
 * their policy is, break off and come back, and send again what they saw no receipt for. They
 * follow protocol.md as a good client does, and in some runs do odd things besides. */
#pragma once
#include "world.h"

struct people *people_create(struct world *w);
void people_destroy(struct people **people);

/* Some device does something. */
void people_act(struct people *p);
/* Some device reads what has come, or finds its connection closed. False: nothing to read. */
bool people_read(struct people *p);
/* From now on everybody only reads, acknowledges and sends again. */
void people_calm(struct people *p);
/* And then looks how things are. */
void people_audit(struct people *p);
/* Has everyone received a receipt for all he wants one for? */
bool people_settled(const struct people *p);
