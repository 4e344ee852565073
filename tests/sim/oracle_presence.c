/* Who is told of whose logins and logouts (protocol.md section 11). On one session of a follower `li` and
 * `lo` of one user alternate; and whenever nothing is under way, what was told last is so. */
#include "oracle_state.h"

/* Information that does not fit a small buffer waits or is dropped. */
static bool presence_fits(const struct oracle *o)
{
	return o->plan->send_buffer >= 1u << 20;
}

/* And a list of followers that can not be read is not told: then nothing is promised. */
static bool presence_sure(const struct oracle *o)
{
	return presence_fits(o) && !o->plan->read_failure;
}

bool presence_online(const struct oracle *o, int user)
{
	for (unsigned i = 0; i < o->watch_n; i++)
		if (o->watches[i]->user == user && o->watches[i]->live && !o->watches[i]->closed)
			return true;
	return false;
}

/* Was he at some time since nothing was under way last? */
static bool presence_was(const struct oracle *o, int user, bool online)
{
	if (presence_online(o, user) == online)
		return true;
	for (unsigned i = 0; i < o->watch_n; i++) {
		const struct watch *w = o->watches[i];
		if (w->user == user && w->live && (w->closed_at > o->quiet || (!online && w->live_at > o->quiet)))
			return true;
	}
	return false;
}

/* Has nothing been changed between the two since? */
static bool presence_steady(const struct oracle *o, int follower, int user, uint64_t since)
{
	return o->follow_changed[follower][user] < since && o->block_changed[user][follower] < since;
}

bool oracle_knows_online(const struct oracle *o, unsigned link, const char *name)
{
	const struct watch *w = oracle_watch(o, link);
	int user = oracle_user(str_of(name));
	return user != TALK_NOBODY && w->seen[user] == PRESENCE_ON &&
	       presence_steady(o, w->user, user, w->seen_quiet[user]);
}

void presence_heard(struct oracle *o, struct watch *w, const struct heard *h)
{
	int user = oracle_user(str_of(h->from));
	uint8_t is = h->kind == HEARD_LI ? PRESENCE_ON : PRESENCE_OFF;
	const char *what = h->kind == HEARD_LI ? "login" : "logout";
	o->counts.told++;
	if (!w->live || user == TALK_NOBODY) {
		oracle_accuse(o, FINDING_PRESENCE, h->id, "%s of '%s' told on link %u before login, or of nobody", what,
			      h->from, w->link);
		return;
	}
	if (o->model.block[user][w->user] && presence_fits(o) && o->block_changed[user][w->user] < o->quiet)
		oracle_accuse(o, FINDING_BLOCKED, h->id, "%s of %s told to %s, whom he blocks", what, h->from,
			      oracle_name(w->user));
	if (!o->model.follow[w->user][user] && presence_fits(o) && o->follow_changed[w->user][user] < o->quiet)
		oracle_accuse(o, FINDING_PRESENCE, h->id, "%s of %s told to %s, who does not follow him", what,
			      h->from, oracle_name(w->user));
	if (presence_fits(o) && !presence_was(o, user, is == PRESENCE_ON))
		oracle_accuse(o, FINDING_PRESENCE, h->id, "%s of %s told on link %u, but he is not", what, h->from,
			      w->link);
	if (presence_sure(o) && w->seen[user] == is && presence_steady(o, w->user, user, w->seen_quiet[user]))
		oracle_accuse(o, FINDING_PRESENCE, h->id, "%s of %s told on link %u, which %s knew", what, h->from,
			      w->link, oracle_name(w->user));
	w->seen[user] = is;
	w->seen_quiet[user] = o->quiet;
}

static void watch_check(struct oracle *o, struct watch *w, const bool online[TALK_USERS])
{
	for (int user = 1; user < TALK_USERS; user++) {
		uint8_t is = online[user] ? PRESENCE_ON : PRESENCE_OFF, seen = w->seen[user];
		bool follows = o->model.follow[w->user][user] && !o->model.block[user][w->user];
		if (follows && seen && seen != is && presence_steady(o, w->user, user, w->seen_quiet[user]))
			oracle_accuse(o, FINDING_PRESENCE, oracle_name(user), "%s is %s, but link %u of %s was not "
				      "told", oracle_name(user), online[user] ? "online" : "offline", w->link,
				      oracle_name(w->user));
		w->seen[user] = follows ? is : PRESENCE_UNKNOWN;
		w->seen_quiet[user] = o->stamp;
	}
}

void presence_check(struct oracle *o)
{
	bool online[TALK_USERS] = { false };
	if (!presence_sure(o))
		return;
	for (unsigned i = 0; i < o->watch_n; i++)
		if (o->watches[i]->live && !o->watches[i]->closed)
			online[o->watches[i]->user] = true;
	for (unsigned i = 0; i < o->watch_n; i++)
		if (o->watches[i]->live && !o->watches[i]->closed)
			watch_check(o, o->watches[i], online);
}
