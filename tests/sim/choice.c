#include "choice.h"
#include <stdio.h>
#include <string.h>

#define CHOICE_MUTED_MS INT64_C(1800000000000)

bool choice_is_broadcast(int place)
{
	return place >= TALK_USERS + CHOICE_GROUPS;
}

static struct ask *choice_begin(struct ask *out, enum ask_kind kind, unsigned number)
{
	*out = (struct ask){ .kind = kind, .name = TALK_NOBODY };
	(void)snprintf(out->text, sizeof(out->text), "t%u", number);
	return out;
}

static int draw_user(const struct plan *plan, struct dice *d)
{
	return dice_chance(d, plan->to_nobody / 4) ? TALK_NOBODY : (int)dice_between(d, 1, plan->users);
}

static int draw_other(const struct plan *plan, struct dice *d, int user)
{
	int other = draw_user(plan, d);
	return other != user ? other : 1 + user % (int)plan->users;
}

/* Somebody who is in it, or is not; after some tries anybody. */
static int draw_member(const struct plan *plan, struct dice *d, const struct model_name *n, bool in)
{
	int user = draw_user(plan, d);
	for (unsigned i = 0; i < 6 && user != TALK_NOBODY && (model_member(n, user) != NULL) != in; i++)
		user = draw_user(plan, d);
	return user;
}

/* --- groups and broadcasts --- */

static int draw_place(const struct plan *plan, struct dice *d)
{
	if (plan->admin && plan->groups && dice_chance(d, plan->clash))
		return (int)plan->users;
	unsigned which = dice_below(d, plan->groups + plan->casts);
	return TALK_USERS + (int)(which < plan->groups ? which : CHOICE_GROUPS + which - plan->groups);
}

int choice_place(const struct plan *plan, struct dice *d, const struct model *m, int user)
{
	if (!plan->groups && !plan->casts)
		return TALK_NOBODY;
	int place = draw_place(plan, d);
	for (unsigned i = 0; i < 4 && !model_may_write(m, place, user); i++)
		place = draw_place(plan, d);
	return place;
}

static void draw_members(const struct plan *plan, struct dice *d, const struct model *m, int user, struct ask *out)
{
	static const struct model_name nothing = { .member_n = 0 };
	const struct model_name *n = out->name == TALK_NOBODY ? &nothing : &m->name[out->name];
	unsigned max = out->kind == ASK_CREATE ? 7 : 3;
	out->who_n = dice_between(d, 1, max);
	for (unsigned i = 0; i < out->who_n; i++) {
		out->who[i] = draw_member(plan, d, n, out->kind != ASK_ADD && out->kind != ASK_CREATE);
		if (out->kind == ASK_BANISH && out->who[i] == user && (out->broadcast || dice_chance(d, 900)))
			out->who[i] = draw_other(plan, d, user);
	}
}

static void choose_creation(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned number,
			    int place, struct ask *out)
{
	choice_begin(out, ASK_CREATE, number)->name = place;
	out->broadcast = choice_is_broadcast(place);
	if (dice_chance(d, 300))
		(void)snprintf(out->picture, sizeof(out->picture), "p%u", number);
	if (dice_chance(d, 850))
		draw_members(plan, d, m, user, out);
}

static enum ask_kind draw_act(struct dice *d, bool broadcast)
{
	static const enum ask_kind group[] = {
		ASK_ADD, ASK_ADD, ASK_ADD, ASK_ADD, ASK_BANISH, ASK_BANISH, ASK_LEAVE, ASK_LEAVE, ASK_PROMOTE,
		ASK_PROMOTE, ASK_DEMOTE, ASK_PLACE_PICTURE, ASK_TITLE, ASK_MUTE, ASK_UNMUTE, ASK_INFO, ASK_ADMINS,
		ASK_PLACE_PICTURE_OF, ASK_TITLE_OF, ASK_END };
	static const enum ask_kind cast[] = {
		ASK_ADD, ASK_ADD, ASK_ADD, ASK_BANISH, ASK_BANISH, ASK_PLACE_PICTURE, ASK_TITLE, ASK_INFO,
		ASK_PLACE_PICTURE_OF, ASK_TITLE_OF, ASK_END };
	return broadcast ? cast[dice_below(d, sizeof(cast) / sizeof(cast[0]))]
			 : group[dice_below(d, sizeof(group) / sizeof(group[0]))];
}

static bool is_admin(const struct model *m, int place, int user)
{
	const struct model_member *me = model_member(&m->name[place], user);
	return m->name[place].owner == user || (me && me->admin);
}

static void choose_place(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned number,
			 struct ask *out)
{
	int place = draw_place(plan, d);
	bool any = dice_chance(d, 200);
	for (unsigned i = 0; i < 4 && !any && m->name[place].kind != STORE_NOBODY && !is_admin(m, place, user); i++)
		place = draw_place(plan, d);
	if (m->name[place].kind == STORE_NOBODY ? dice_chance(d, 900) : dice_chance(d, 30)) {
		bool taken = dice_chance(d, 50);
		choose_creation(plan, d, m, user, number, taken ? 1 : place, out);
		return;
	}
	bool broadcast = choice_is_broadcast(place);
	choice_begin(out, draw_act(d, broadcast), number)->name = dice_chance(d, plan->to_nobody / 4) ? TALK_NOBODY
										     : place;
	out->broadcast = broadcast;
	if (out->kind == ASK_END && dice_chance(d, 600))
		out->kind = ASK_INFO;
	if (out->kind == ASK_MUTE)
		out->ms = CHOICE_MUTED_MS + number;
	if (out->kind == ASK_ADD || out->kind == ASK_BANISH || out->kind == ASK_PROMOTE || out->kind == ASK_DEMOTE)
		draw_members(plan, d, m, user, out);
}

/* --- users --- */

static void choose_following(const struct plan *plan, struct dice *d, const struct model *m, int user,
			     unsigned number, struct ask *out)
{
	unsigned pick = dice_below(d, 10);
	choice_begin(out, pick < 5 ? ASK_FOLLOW : pick < 8 ? ASK_UNFOLLOW : ASK_NICKS, number);
	out->who_n = dice_between(d, 1, 4);
	for (unsigned i = 0; i < out->who_n; i++) {
		int who = draw_other(plan, d, user);
		for (unsigned k = 0; k < 6 && who != TALK_NOBODY && out->kind == ASK_NICKS && !m->follow[user][who]; k++)
			who = draw_other(plan, d, user);
		out->who[i] = who;
	}
	if (out->kind == ASK_FOLLOW && dice_chance(d, 20))
		out->who[0] = user;
}

static void choose_block(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned number,
			 struct ask *out)
{
	int who = draw_other(plan, d, user);
	bool blocks = who != TALK_NOBODY && m->block[user][who];
	choice_begin(out, blocks == dice_chance(d, 850) && who != TALK_NOBODY ? ASK_UNBLOCK : ASK_BLOCK, number);
	out->who[0] = out->kind == ASK_BLOCK && dice_chance(d, 20) ? user : who;
	out->who_n = 1;
}

static void choose_look(const struct plan *plan, struct dice *d, int user, unsigned number, struct ask *out)
{
	choice_begin(out, ASK_FOLLOWINGS + dice_below(d, ASK_STATUS_OF - ASK_FOLLOWINGS + 1), number);
	if (out->kind >= ASK_STATE_OF)
		out->name = draw_other(plan, d, user);
}

bool choice_ask(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned number,
		struct ask *out)
{
	unsigned places = plan->groups + plan->casts ? plan->place : 0;
	unsigned total = plan->follow + plan->privacy + plan->profile + plan->look + places;
	if (!total)
		return false;
	unsigned pick = dice_below(d, total);
	if (pick < plan->follow)
		choose_following(plan, d, m, user, number, out);
	else if ((pick -= plan->follow) < plan->privacy)
		choose_block(plan, d, m, user, number, out);
	else if ((pick -= plan->privacy) < plan->profile)
		choice_begin(out, dice_chance(d, 500) ? ASK_PICTURE : ASK_STATUS, number);
	else if ((pick -= plan->profile) < plan->look)
		choose_look(plan, d, user, number, out);
	else
		choose_place(plan, d, m, user, number, out);
	return true;
}

void choice_administer(const struct plan *plan, struct dice *d, unsigned number, struct ask *out)
{
	choice_begin(out, dice_below(d, 3), number)->name = (int)plan->users;
}

/* --- the end --- */

bool choice_audit(const struct plan *plan, struct dice *d, const struct model *m, int user, unsigned nth,
		  struct ask *out)
{
	static const enum ask_kind group[] = { ASK_ADMINS, ASK_TITLE_OF, ASK_PLACE_PICTURE_OF };
	static const enum ask_kind profile[] = { ASK_STATE_OF, ASK_PICTURE_OF, ASK_STATUS_OF };
	unsigned lists = ASK_BLOCKED - ASK_FOLLOWINGS + 1;
	(void)m;
	choice_begin(out, ASK_FOLLOWINGS + nth, 0);
	if (nth < lists)
		return true;
	nth -= lists;
	if (nth < 2 * TALK_PLACES) {
		bool broadcast = choice_is_broadcast(TALK_USERS + (int)nth / 2);
		choice_begin(out, nth % 2 ? group[dice_between(d, broadcast, 2)] : ASK_INFO, 0);
		out->name = TALK_USERS + (int)nth / 2;
		out->broadcast = broadcast;
		return true;
	}
	nth -= 2 * TALK_PLACES;
	choice_begin(out, profile[dice_below(d, 3)], 0)->name = draw_other(plan, d, user);
	return nth < 4;
}
