/* The end of a run: has everybody got what is his? And what plants ask. */
#include "oracle_state.h"

static const struct pending *watch_unanswered(const struct watch *w)
{
	for (unsigned i = 0; i < w->pending_n && !w->closed; i++)
		if (!w->pendings[i].answered && !w->pendings[i].optional)
			return &w->pendings[i];
	return NULL;
}

/* Was it shown on a session that is still there? */
static bool copy_is_shown(const struct oracle *o, const struct copy *c)
{
	for (unsigned i = 0; i < o->watch_n; i++) {
		const struct watch *w = o->watches[i];
		for (unsigned k = 0; k < w->show_n && w->user == c->receiver && w->live && !w->closed; k++)
			if (w->shows[k].copy == c)
				return true;
	}
	return false;
}

/* Has he got it, and is it acknowledged? A gap he did not see yet is told at the next login. */
static bool copy_settled(const struct oracle *o, const struct copy *c)
{
	const struct letter *l = c->letter;
	bool unsteady = oracle_volatile(o, l->from) || oracle_volatile(o, c->receiver);
	bool hidden = oracle_direct(c) && oracle_hidden(o, l, c->committed);
	if (!oracle_copy_counts(o, c) || (l->kind == LETTER_GAP && (c->released || !copy_is_shown(o, c))))
		return true;
	if (!c->released)
		return false;
	return c->received || unsteady || hidden || stored_twins(o, c->receiver, l->from, l->id) > 1;
}

/* Calls accuse (unless NULL) for the first copy that is not where it should be. */
static bool oracle_boxes_settled(const struct oracle *o, struct oracle *accuse)
{
	for (int user = 0; user < TALK_USERS; user++)
		for (size_t i = 0; i < o->accounts[user].box.n; i++) {
			const struct copy *c = fifo_at(&o->accounts[user].box, i);
			if (copy_settled(o, c))
				continue;
			if (accuse)
				oracle_accuse_letter(accuse, c->received ? FINDING_UNRELEASED : FINDING_LOST,
					c->letter, "sequence %#llx of %s", (unsigned long long)c->seq,
					oracle_name(user));
			return false;
		}
	return true;
}

static bool oracle_fans_settled(const struct oracle *o, struct oracle *accuse)
{
	for (size_t i = 0; i < o->fans.n; i++) {
		const struct fan *f = fifo_at(&o->fans, i);
		if (f->done_n == f->slice_n)
			continue;
		if (accuse)
			oracle_accuse_letter(accuse, FINDING_LOST, f->letter, "%u of %u slices of fan-out %#llx "
				"never became mail", f->slice_n - f->done_n, f->slice_n, (unsigned long long)f->seq);
		return false;
	}
	return true;
}

bool oracle_settled(const struct oracle *o)
{
	for (unsigned i = 0; i < o->watch_n; i++)
		if (watch_unanswered(o->watches[i]))
			return false;
	return oracle_fans_settled(o, NULL) && oracle_boxes_settled(o, NULL);
}

/* Who missed something before he logged in was told so. */
static void oracle_finish_gaps(struct oracle *o, const struct watch *w)
{
	const struct account *a = &o->accounts[w->user];
	for (int about = 0; w->live && !w->closed && about < ORACLE_NAMES; about++) {
		bool shown;
		(void)stored_gap_sum(o, w->user, about, &shown);
		if (a->missed[about] && a->missed_at[about] < w->login_quiet && !shown)
			oracle_accuse(o, FINDING_GAP, oracle_name(about), "%s missed %u of %s and was not told on link %u",
				      oracle_name(w->user), a->missed[about], oracle_name(about), w->link);
	}
}

void oracle_finish(struct oracle *o)
{
	for (unsigned i = 0; i < o->watch_n; i++) {
		const struct watch *w = o->watches[i];
		const struct pending *p = watch_unanswered(w);
		if (p)
			oracle_accuse(o, FINDING_SILENT, p->id, "link %u of %s still owes an answer to id "
				      "'%s' (kind %d)", w->link, oracle_name(w->user), p->id, p->kind);
		if (!w->closed && w->live && w->logout)
			oracle_accuse(o, FINDING_SILENT, "", "link %u logged out and was not closed", w->link);
		oracle_finish_gaps(o, w);
	}
	(void)oracle_fans_settled(o, o);
	(void)oracle_boxes_settled(o, o);
}

struct oracle_counts oracle_counts(const struct oracle *o)
{
	return o->counts;
}

/* --- for plants --- */

bool oracle_live(const struct oracle *o, unsigned link)
{
	const struct watch *w = oracle_watch(o, link);
	return w->live && !w->closed;
}

bool oracle_was_stored(const struct oracle *o, const char *id)
{
	for (int from = 0; from < ORACLE_NAMES; from++)
		for (int to = 0; to < ORACLE_NAMES; to++) {
			const struct letter *l = oracle_letter(o, LETTER_MESSAGE, from, to, id);
			if (l && l->taken)
				return true;
		}
	return false;
}

bool oracle_was_released(const struct oracle *o, const char *from, const char *to, const char *id)
{
	const struct letter *l = oracle_letter(o, LETTER_MESSAGE, oracle_user(str_of(from)),
					       oracle_user(str_of(to)), id);
	return l && l->copy_n && l->copies[0]->released && l->copies[0]->released < o->quiet;
}

bool oracle_asks_change(const struct oracle *o, unsigned link, const char *id)
{
	const struct watch *w = oracle_watch(o, link);
	for (unsigned i = 0; i < w->pending_n; i++)
		if (w->pendings[i].asked && !w->pendings[i].answered && strcmp(w->pendings[i].id, id) == 0)
			return w->pendings[i].asked->ask.kind < ASK_FOLLOWINGS;
	return false;
}

int oracle_outsider(const struct oracle *o, int place)
{
	for (unsigned i = 0; i < o->watch_n; i++) {
		const struct watch *w = o->watches[i];
		if (w->live && !w->closed && !o->accounts[place].in_at[w->user])
			return w->user;
	}
	return TALK_NOBODY;
}
