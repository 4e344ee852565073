#include "model.h"
#include "oracle.h"
#include <stdio.h>

#define MODEL_NOBODY_BIT 31 /* stands for TALK_NOBODY */

static uint32_t bit_of(int who)
{
	return UINT32_C(1) << (who == TALK_NOBODY ? MODEL_NOBODY_BIT : who);
}

unsigned model_code(const char *code)
{
	static const struct { const char *code; unsigned bit; } codes[] = {
		{ "", MODEL_OK }, { "400", MODEL_400 }, { "403", MODEL_403 }, { "404", MODEL_404 },
		{ "409", MODEL_409 }, { "413", MODEL_413 } };
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i].code) == 0)
			return codes[i].bit;
	return 0;
}

/* --- members --- */

static struct model_member *member_of(struct model_name *n, int user)
{
	for (unsigned i = 0; i < n->member_n; i++)
		if (n->member[i].who == user)
			return &n->member[i];
	return NULL;
}

const struct model_member *model_member(const struct model_name *n, int user)
{
	for (unsigned i = 0; i < n->member_n; i++)
		if (n->member[i].who == user)
			return &n->member[i];
	return NULL;
}

uint32_t model_members(const struct model_name *n)
{
	uint32_t all = 0;
	for (unsigned i = 0; i < n->member_n; i++)
		all |= bit_of(n->member[i].who);
	return all;
}

bool model_may_write(const struct model *m, int place, int user)
{
	const struct model_name *n = &m->name[place];
	return n->kind == STORE_GROUP ? model_member(n, user) != NULL
				      : n->kind == STORE_BROADCAST && n->owner == user;
}

static void member_add(struct model_name *n, struct model_member member)
{
	unsigned at = n->member_n;
	CHECK(n->member_n < TALK_USERS);
	for (; at && n->member[at - 1].order > member.order; at--)
		n->member[at] = n->member[at - 1];
	n->member[at] = member;
	n->member_n++;
}

static void member_remove(struct model_name *n, int user)
{
	const struct model_member *m = model_member(n, user);
	if (!m)
		return;
	unsigned at = (unsigned)(m - n->member);
	for (n->member_n--; at < n->member_n; at++)
		n->member[at] = n->member[at + 1];
}

static unsigned admins(const struct model_name *n)
{
	unsigned count = 0;
	for (unsigned i = 0; i < n->member_n; i++)
		count += n->member[i].admin;
	return count;
}

/* What is behind all others. */
static uint64_t order_next(const struct model_name *n)
{
	return n->member_n ? n->member[n->member_n - 1].order + 1 : 1;
}

/* Everything of the name is gone, ties in both directions too. */
static void name_end(struct model *m, int name)
{
	m->name[name] = (struct model_name){ .kind = STORE_NOBODY, .owner = TALK_NOBODY };
	if (name >= TALK_USERS)
		return;
	for (int u = 0; u < TALK_USERS; u++) {
		m->follow[name][u] = m->follow[u][name] = false;
		m->block[name][u] = m->block[u][name] = false;
		m->nick[name][u][0] = m->nick[u][name][0] = 0;
	}
	for (int place = 0; place < TALK_NAMES; place++)
		member_remove(&m->name[place], name);
}

/* --- information --- */

/* `g` is written by the caller afterwards. */
static struct model_info *info_add(struct model_outcome *out, int place, uint32_t to)
{
	CHECK(out->info_n < MODEL_INFOS_MAX);
	struct model_info *info = &out->infos[out->info_n];
	*info = (struct model_info){ .place = place, .to = to };
	out->info_n += to != 0;
	return info;
}

static void info_list(struct model_outcome *out, int place, uint32_t to, const char *t, const int *who,
		      unsigned n)
{
	struct model_info *info = info_add(out, place, to);
	int at = snprintf(info->g, sizeof(info->g), "{\"t\":\"%s\",\"i\":\"%s\",\"m\":[", t, oracle_name(place));
	for (unsigned i = 0; i < n; i++)
		at += snprintf(info->g + at, sizeof(info->g) - (size_t)at, "%s\"%s\"", i ? "," : "",
			       oracle_name(who[i]));
	CHECK((size_t)at + 3 < sizeof(info->g));
	(void)snprintf(info->g + at, sizeof(info->g) - (size_t)at, "]}");
}

static void info_one(struct model_outcome *out, int place, uint32_t to, const char *t, int who)
{
	struct model_info *info = info_add(out, place, to);
	(void)snprintf(info->g, sizeof(info->g), "{\"t\":\"%s\",\"i\":\"%s\",\"m\":\"%s\"}", t, oracle_name(place),
		       oracle_name(who));
}

static void info_plain(struct model_outcome *out, int place, uint32_t to, const char *t, const char *title)
{
	struct model_info *info = info_add(out, place, to);
	int at = snprintf(info->g, sizeof(info->g), "{\"t\":\"%s\",\"i\":\"%s\"", t, oracle_name(place));
	(void)snprintf(info->g + at, sizeof(info->g) - (size_t)at, title ? ",\"n\":\"%s\"}" : "}", title);
}

/* --- what requests mean --- */

/* The names of a request, each once, without the asker. */
static unsigned who_distinct(const struct ask *ask, int asker, int who[TALK_WHO_MAX])
{
	unsigned n = 0;
	uint32_t had = 0;
	for (unsigned i = 0; i < ask->who_n; i++)
		if (ask->who[i] != asker && ask->who[i] != TALK_NOBODY && !(had & bit_of(ask->who[i]))) {
			had |= bit_of(ask->who[i]);
			who[n++] = ask->who[i];
		}
	return n;
}

static void copy_text(char out[TALK_TEXT_MAX], const char *text)
{
	(void)snprintf(out, TALK_TEXT_MAX, "%s", text);
}

/* More than the limit after skipping: refused; only before: either. */
static unsigned codes_of_size(size_t before, size_t listed, size_t joining, unsigned members_max)
{
	if (before + joining > members_max)
		return MODEL_413;
	return before + listed > members_max ? MODEL_OK | MODEL_413 : MODEL_OK;
}

static void ask_create(int asker, const struct ask *ask, unsigned members_max, struct model_outcome *out)
{
	struct model_name *n = &out->after.name[ask->name];
	int who[TALK_WHO_MAX];
	unsigned joining = who_distinct(ask, asker, who);
	if (n->kind != STORE_NOBODY) {
		out->codes = MODEL_409;
		return;
	}
	name_end(&out->after, ask->name);
	n->kind = ask->broadcast ? STORE_BROADCAST : STORE_GROUP;
	copy_text(n->title, ask->text);
	copy_text(n->picture, ask->picture);
	if (ask->broadcast)
		n->owner = asker;
	else
		member_add(n, (struct model_member){ asker, true, 0, 1 });
	out->codes = codes_of_size(n->member_n, ask->who_n, joining, members_max);
	for (unsigned i = 0; i < joining; i++)
		member_add(n, (struct model_member){ who[i], false, 0, i + 2 });
	if (!ask->broadcast)
		info_plain(out, ask->name, model_members(n) & ~bit_of(asker), "c", ask->text);
}

static void ask_add(int asker, const struct ask *ask, unsigned members_max, struct model_outcome *out)
{
	struct model_name *n = &out->after.name[ask->name];
	int who[TALK_WHO_MAX];
	unsigned distinct = who_distinct(ask, asker, who), joining = 0, before = n->member_n;
	for (unsigned i = 0; i < distinct; i++)
		if (!model_member(n, who[i]))
			who[joining++] = who[i];
	for (unsigned i = 0; i < joining; i++)
		member_add(n, (struct model_member){ who[i], false, 0, order_next(n) });
	out->codes = codes_of_size(before, ask->who_n, joining, members_max);
	if (joining && !ask->broadcast)
		info_list(out, ask->name, model_members(n) & ~bit_of(asker), "a", who, joining);
}

static void ask_banish(int asker, const struct ask *ask, struct model_outcome *out)
{
	struct model_name *n = &out->after.name[ask->name];
	int who[TALK_WHO_MAX];
	unsigned count = who_distinct(ask, asker, who);
	for (unsigned i = 0; i < ask->who_n; i++)
		if (ask->who[i] == asker)
			out->codes |= MODEL_400;
		else if (ask->who[i] == TALK_NOBODY || !model_member(n, ask->who[i]))
			out->codes |= MODEL_404;
	for (unsigned i = 0; i < count; i++)
		member_remove(n, who[i]);
	for (unsigned i = 0; i < count && !ask->broadcast; i++)
		info_one(out, ask->name, (model_members(n) | bit_of(who[i])) & ~bit_of(asker), "b", who[i]);
}

static void leave(struct model *after, int place, int user, struct model_outcome *out)
{
	struct model_name *n = &after->name[place];
	member_remove(n, user);
	if (n->kind == STORE_BROADCAST)
		return;
	if (!n->member_n) {
		name_end(after, place);
		return;
	}
	info_one(out, place, model_members(n), "l", user);
	if (admins(n))
		return;
	n->member[0].admin = true;
	info_list(out, place, model_members(n), "aad", &n->member[0].who, 1);
}

static void ask_end(int asker, const struct ask *ask, struct model_outcome *out)
{
	const struct model_name *n = &out->after.name[ask->name];
	if (!ask->broadcast)
		info_plain(out, ask->name, model_members(n) & ~bit_of(asker), "t", NULL);
	name_end(&out->after, ask->name);
}

/* aad and rad. */
static void ask_admins(int asker, const struct ask *ask, struct model_outcome *out)
{
	struct model_name *n = &out->after.name[ask->name];
	bool admin = ask->kind == ASK_PROMOTE;
	int changed[TALK_WHO_MAX];
	unsigned count = 0;
	for (unsigned i = 0; i < ask->who_n; i++) {
		struct model_member *m = member_of(n, ask->who[i]);
		if (!m) {
			out->codes |= MODEL_404;
		} else if (m->admin != admin) {
			m->admin = admin;
			changed[count++] = m->who;
		}
	}
	if (!admins(n))
		out->codes |= MODEL_400;
	if (count)
		info_list(out, ask->name, model_members(n) & ~bit_of(asker), admin ? "aad" : "rad", changed, count);
}

static void ask_texts(int asker, const struct ask *ask, struct model_outcome *out)
{
	struct model_name *n = &out->after.name[ask->name];
	uint32_t to = model_members(n) & ~bit_of(asker);
	if (ask->kind == ASK_PLACE_PICTURE)
		copy_text(n->picture, ask->text);
	else
		copy_text(n->title, ask->text);
	if (!ask->broadcast)
		info_plain(out, ask->name, to, ask->kind == ASK_TITLE ? "n" : "p",
			   ask->kind == ASK_TITLE ? ask->text : NULL);
}

static unsigned place_codes(const struct model *m, int asker, const struct ask *ask)
{
	bool member_does = ask->kind == ASK_LEAVE || ask->kind == ASK_MUTE || ask->kind == ASK_UNMUTE ||
			   ask->kind >= ASK_FOLLOWINGS;
	if (ask->name == TALK_NOBODY || m->name[ask->name].kind != (ask->broadcast ? STORE_BROADCAST : STORE_GROUP))
		return MODEL_404;
	const struct model_name *n = &m->name[ask->name];
	const struct model_member *me = model_member(n, asker);
	if (ask->broadcast)
		return n->owner == asker ? 0 : MODEL_403;
	return me && (me->admin || member_does) ? 0 : MODEL_403;
}

static void ask_place(const struct model *m, int asker, const struct ask *ask, unsigned members_max,
		      struct model_outcome *out)
{
	out->codes = place_codes(m, asker, ask);
	if (out->codes)
		return;
	switch (ask->kind) {
	case ASK_ADD: ask_add(asker, ask, members_max, out); break;
	case ASK_BANISH: ask_banish(asker, ask, out); break;
	case ASK_LEAVE: leave(&out->after, ask->name, asker, out); break;
	case ASK_END: ask_end(asker, ask, out); break;
	case ASK_PROMOTE:
	case ASK_DEMOTE: ask_admins(asker, ask, out); break;
	case ASK_PLACE_PICTURE:
	case ASK_TITLE: ask_texts(asker, ask, out); break;
	case ASK_MUTE:
	case ASK_UNMUTE: member_of(&out->after.name[ask->name], asker)->muted_ms = ask->ms; break;
	default: break;
	}
}

static void ask_ties(const struct model *m, int asker, const struct ask *ask, struct model_outcome *out)
{
	struct model *after = &out->after;
	for (unsigned i = 0; i < ask->who_n; i++) {
		int who = ask->who[i];
		if (who == asker)
			out->codes |= MODEL_400;
		if (who == TALK_NOBODY || who == asker)
			continue;
		if (ask->kind == ASK_NICKS && !m->follow[asker][who])
			out->codes |= MODEL_404;
		if (ask->kind == ASK_BLOCK || ask->kind == ASK_UNBLOCK)
			after->block[asker][who] = ask->kind == ASK_BLOCK;
		else
			after->follow[asker][who] = ask->kind != ASK_UNFOLLOW;
		if (ask->kind == ASK_FOLLOW || ask->kind == ASK_NICKS) /* of a repeated one the last counts */
			(void)snprintf(after->nick[asker][who], MODEL_NICK_MAX, "%s.%u", ask->text, i);
		else if (ask->kind == ASK_UNFOLLOW)
			after->nick[asker][who][0] = 0;
	}
}

/* The places of the names by their bytes, so that a deletion tells of them in that order. */
static void ask_delete(const struct model *m, int user, struct model_outcome *out)
{
	for (int place = 0; place < TALK_NAMES; place++) {
		const struct model_name *n = &m->name[place];
		if (n->kind == STORE_BROADCAST && n->owner == user)
			name_end(&out->after, place);
		else if (model_member(n, user))
			leave(&out->after, place, user, out);
	}
	name_end(&out->after, user);
}

static void ask_user(const struct model *m, int asker, const struct ask *ask, struct model_outcome *out)
{
	bool there = m->name[ask->name].kind != STORE_NOBODY, user = m->name[ask->name].kind == STORE_USER;
	struct model_name *n = &out->after.name[ask->name];
	if (asker != 0)
		out->codes |= MODEL_403;
	else if (ask->kind == ASK_USER_CREATE && there)
		out->codes |= MODEL_409;
	else if (ask->kind != ASK_USER_CREATE && !user)
		out->codes |= MODEL_404;
	else if (ask->kind == ASK_USER_DELETE)
		ask_delete(m, ask->name, out);
	else
		n->kind = STORE_USER;
	if (!out->codes && ask->kind != ASK_USER_DELETE)
		(void)snprintf(n->token, sizeof(n->token), "h:%s", ask->text);
}

void model_ask(const struct model *m, int asker, const struct ask *ask, unsigned members_max,
	       struct model_outcome *out)
{
	out->codes = 0;
	out->info_n = 0;
	out->after = *m;
	switch (ask->kind) {
	case ASK_USER_CREATE:
	case ASK_USER_DELETE:
	case ASK_USER_CHANGE: ask_user(m, asker, ask, out); break;
	case ASK_FOLLOW:
	case ASK_UNFOLLOW:
	case ASK_NICKS:
	case ASK_BLOCK:
	case ASK_UNBLOCK: ask_ties(m, asker, ask, out); break;
	case ASK_PICTURE: copy_text(out->after.name[asker].picture, ask->text); break;
	case ASK_STATUS: copy_text(out->after.name[asker].status, ask->text); break;
	case ASK_CREATE: ask_create(asker, ask, members_max, out); break;
	case ASK_STATE_OF:
	case ASK_PICTURE_OF:
	case ASK_STATUS_OF:
		if (ask->name == TALK_NOBODY || m->name[ask->name].kind != STORE_USER)
			out->codes = MODEL_404;
		break;
	case ASK_FOLLOWINGS:
	case ASK_FOLLOWERS:
	case ASK_GROUPS:
	case ASK_BROADCASTS:
	case ASK_BLOCKED: break;
	default: ask_place(m, asker, ask, members_max, out); break;
	}
	if (!out->codes)
		out->codes = MODEL_OK;
}

struct model_named model_named(const struct model *m, int asker, const struct ask *ask)
{
	struct model_named named = { 0, 0, 0, 0 };
	bool ties = ask->kind >= ASK_FOLLOW && ask->kind <= ASK_UNBLOCK;
	bool group = ask->kind == ASK_CREATE || ask->kind == ASK_ADD;
	for (unsigned i = 0; i < ask->who_n && (ties || group); i++) {
		int who = ask->who[i];
		uint32_t bit = bit_of(who);
		if (group && who == asker)
			continue;
		bool user = who != TALK_NOBODY && m->name[who].kind == STORE_USER;
		bool blocks = user && group && !ask->broadcast && m->block[who][asker];
		bool in = ask->kind == ASK_ADD && user && ask->name != TALK_NOBODY &&
			  model_member(&m->name[ask->name], who);
		named.all |= bit;
		named.missing |= user ? 0 : bit;
		named.blocking |= blocks ? bit : 0;
		named.fine |= user && (!blocks || in) ? bit : 0;
	}
	return named;
}

/* --- what ops mean --- */

static void copy_str(char *out, size_t size, struct str s)
{
	(void)snprintf(out, size, "%.*s", STR_ARG(s));
}

static void apply_link(struct model *m, const struct op_link_put *op)
{
	int from = oracle_any(op->from), to = oracle_any(op->to);
	if (from < 0 || to < 0 || from >= TALK_USERS)
		return;
	switch (op->kind) {
	case LINK_FOLLOW:
		m->follow[from][to] = true;
		copy_str(m->nick[from][to], MODEL_NICK_MAX, op->text);
		break;
	case LINK_BLOCK:
		m->block[from][to] = true;
		break;
	case LINK_OWN:
		m->name[to].owner = from;
		break;
	default:
		if (!member_of(&m->name[to], from))
			member_add(&m->name[to], (struct model_member){ from, false, 0, op->order });
		member_of(&m->name[to], from)->admin = op->flags & LINK_ADMIN;
		member_of(&m->name[to], from)->muted_ms = op->ms;
	}
}

static void apply_unlink(struct model *m, const struct op_link_del *op)
{
	int from = oracle_any(op->from), to = oracle_any(op->to);
	if (from < 0 || to < 0 || from >= TALK_USERS)
		return;
	if (op->kind == LINK_FOLLOW) {
		m->follow[from][to] = false;
		m->nick[from][to][0] = 0;
	} else if (op->kind == LINK_BLOCK) {
		m->block[from][to] = false;
	} else if (op->kind == LINK_OWN) {
		m->name[to].owner = TALK_NOBODY;
	} else {
		member_remove(&m->name[to], from);
	}
}

static void apply_name(struct model *m, const struct op_name_put *op)
{
	int name = oracle_any(op->name);
	if (name < 0)
		return;
	struct model_name *n = &m->name[name];
	n->kind = op->kind;
	n->owner = op->owner.n ? oracle_any(op->owner) : TALK_NOBODY;
	copy_str(n->title, sizeof(n->title), op->title);
}

static void apply_text(struct model *m, const struct op_text_put *op)
{
	int name = oracle_any(op->name);
	if (name < 0)
		return;
	struct model_name *n = &m->name[name];
	copy_str(op->what == TEXT_PICTURE ? n->picture : n->status, TALK_TEXT_MAX, op->text);
}

static void apply_user(struct model *m, const struct op_user_put *op)
{
	int name = oracle_any(op->name);
	if (name < 0)
		return;
	m->name[name].kind = STORE_USER;
	copy_str(m->name[name].token, sizeof(m->name[name].token), op->token);
}

void model_apply(struct model *m, const struct store_op *op)
{
	switch (op->type) {
	case OP_USER_PUT: apply_user(m, &op->user_put); break;
	case OP_NAME_DEL:
		if (oracle_any(op->name_del.name) >= 0)
			name_end(m, oracle_any(op->name_del.name));
		break;
	case OP_NAME_PUT: apply_name(m, &op->name_put); break;
	case OP_LINK_PUT: apply_link(m, &op->link_put); break;
	case OP_LINK_DEL: apply_unlink(m, &op->link_del); break;
	case OP_TEXT_PUT: apply_text(m, &op->text_put); break;
	default: break;
	}
}

/* --- comparing --- */

static void members_print(const struct model_name *n, char *out, size_t size)
{
	int at = 0;
	out[0] = 0;
	for (unsigned i = 0; i < n->member_n && (size_t)at < size; i++)
		at += snprintf(out + at, size - (size_t)at, "%s%s%s", i ? " " : "", oracle_name(n->member[i].who),
			       n->member[i].admin ? "*" : "");
}

static bool members_differ(const struct model_name *a, const struct model_name *b)
{
	if (a->member_n != b->member_n)
		return true;
	for (unsigned i = 0; i < a->member_n; i++)
		if (a->member[i].who != b->member[i].who || a->member[i].admin != b->member[i].admin ||
		    a->member[i].muted_ms != b->member[i].muted_ms)
			return true;
	return false;
}

static bool names_differ(int name, const struct model_name *a, const struct model_name *b, char *out, size_t size)
{
	char members_a[120], members_b[120];
	if (a->kind == b->kind && a->owner == b->owner && !members_differ(a, b) && !strcmp(a->title, b->title) &&
	    !strcmp(a->picture, b->picture) && !strcmp(a->status, b->status) && !strcmp(a->token, b->token))
		return false;
	members_print(a, members_a, sizeof(members_a));
	members_print(b, members_b, sizeof(members_b));
	(void)snprintf(out, size, "%s: kind %u owner %s '%s' '%s' '%s' '%s' [%s], not kind %u owner %s '%s' '%s' "
		       "'%s' '%s' [%s]", oracle_name(name), a->kind, oracle_name(a->owner), a->title, a->picture,
		       a->status, a->token, members_a, b->kind, oracle_name(b->owner), b->title, b->picture,
		       b->status, b->token, members_b);
	return true;
}

bool model_differs(const struct model *a, const struct model *b, char *out, size_t size)
{
	out[0] = 0;
	for (int name = 0; name < TALK_NAMES; name++)
		if (names_differ(name, &a->name[name], &b->name[name], out, size))
			return true;
	for (int u = 0; u < TALK_USERS; u++)
		for (int v = 0; v < TALK_USERS; v++)
			if (a->follow[u][v] != b->follow[u][v] || a->block[u][v] != b->block[u][v] ||
			    strcmp(a->nick[u][v], b->nick[u][v]) != 0) {
				(void)snprintf(out, size, "%s and %s: follows %d as '%s', blocks %d, not follows %d "
					       "as '%s', blocks %d", oracle_name(u), oracle_name(v),
					       a->follow[u][v], a->nick[u][v], a->block[u][v], b->follow[u][v],
					       b->nick[u][v], b->block[u][v]);
				return true;
			}
	return false;
}
