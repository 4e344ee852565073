/* What people ask for: mostly what makes sense for them, at times what must be refused. */
#pragma once
#include "model.h"
#include "plan.h"

/* Groups and broadcasts have names of their own; but a group may take that of the last user while he is
 * deleted, if the plan says so. */
#define CHOICE_GROUPS 3
#define CHOICE_BROADCASTS (TALK_PLACES - CHOICE_GROUPS)

/* `number` makes texts differ. False: this user asks for nothing in this run. */
bool choice_ask(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned number,
		struct ask *out);
/* The administrator's: about the last user. */
void choice_administer(const struct plan *plan, struct dice *d, unsigned number, struct ask *out);
/* At the end, the nth of what a user asks to see how things are; false: that was all. */
bool choice_audit(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned nth,
		  struct ask *out);
/* Where he writes to; TALK_NOBODY if there are no groups nor broadcasts. */
int choice_place(const struct plan *plan, struct dice *d, const struct model *m, int user);
bool choice_is_broadcast(int place);
