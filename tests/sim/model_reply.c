/* What reading requests must get, byte for byte. */
#include "model.h"
#include "oracle.h"

static void put_string(struct buf *out, bool first, int name)
{
	buf_printf(out, "%s\"%s\"", first ? "" : ",", oracle_name(name));
}

/* Names in the order of their bytes. */
static int name_nth(int nth)
{
	for (int name = 0; name < TALK_NAMES; name++) {
		int before = 0;
		for (int other = 0; other < TALK_NAMES; other++)
			before += strcmp(oracle_name(other), oracle_name(name)) < 0;
		if (before == nth)
			return name;
	}
	CHECK_NEVER("names differ");
}

static bool listed(const struct model *m, int asker, enum ask_kind kind, int name)
{
	bool user = name < TALK_USERS;
	switch (kind) {
	case ASK_FOLLOWINGS: return user && m->follow[asker][name];
	case ASK_FOLLOWERS: return user && m->follow[name][asker];
	case ASK_BLOCKED: return user && m->block[asker][name];
	case ASK_GROUPS: return m->name[name].kind == STORE_GROUP && model_member(&m->name[name], asker);
	default: return m->name[name].kind == STORE_BROADCAST && m->name[name].owner == asker;
	}
}

static void reply_list(const struct model *m, int asker, const struct ask *ask, struct buf *out)
{
	static const char *const keys[] = { "f", "fr", "g", "br", "pr" };
	bool first = true;
	buf_printf(out, "\"%s\":[", keys[ask->kind - ASK_FOLLOWINGS]);
	for (int nth = 0; nth < TALK_NAMES; nth++) {
		int name = name_nth(nth);
		if (!listed(m, asker, ask->kind, name))
			continue;
		if (ask->kind == ASK_FOLLOWERS || ask->kind == ASK_BLOCKED)
			put_string(out, first, name);
		else
			buf_printf(out, "%s{\"%s\":\"%s\",\"n\":\"%s\"}", first ? "" : ",",
				   ask->kind == ASK_FOLLOWINGS ? "u" : "i", oracle_name(name),
				   ask->kind == ASK_FOLLOWINGS ? m->nick[asker][name] : m->name[name].title);
		first = false;
	}
	BUF_LIT(out, "]");
}

static void put_members(struct buf *out, const struct model_name *n, bool admins_only)
{
	bool first = true;
	for (unsigned i = 0; i < n->member_n; i++) {
		if (admins_only && !n->member[i].admin)
			continue;
		put_string(out, first, n->member[i].who);
		first = false;
	}
}

static void reply_place(const struct model_name *n, int asker, const struct ask *ask, int64_t created_ms,
			struct buf *out)
{
	const char *i = oracle_name(ask->name);
	const struct model_member *me = model_member(n, asker);
	if (ask->kind == ASK_ADMINS) {
		buf_printf(out, "\"g\":{\"i\":\"%s\",\"ad\":[", i);
		put_members(out, n, true);
	} else if (ask->kind == ASK_INFO && ask->broadcast) {
		buf_printf(out, "\"br\":{\"i\":\"%s\",\"c\":\"%lld\",\"n\":\"%s\",\"m\":[", i, (long long)created_ms,
			   n->title);
		put_members(out, n, false);
	} else if (ask->kind == ASK_INFO) {
		buf_printf(out, "\"g\":{\"i\":\"%s\",\"c\":\"%lld\",\"mt\":\"%lld\",\"m\":[", i,
			   (long long)created_ms, (long long)(me ? me->muted_ms : 0));
		put_members(out, n, false);
		buf_printf(out, "],\"n\":\"%s\"}", n->title);
		return;
	} else {
		bool title = ask->kind == ASK_TITLE_OF;
		buf_printf(out, "\"%s\":{\"%s\":\"%s\",\"%s\":\"%s\"}", title ? "n" : "p", ask->broadcast ? "b" : "i",
			   i, title ? "n" : "v", title ? n->title : n->picture);
		return;
	}
	BUF_LIT(out, "]}");
}

bool model_reply(const struct model *m, int asker, const struct ask *ask, int64_t created_ms, struct buf *out)
{
	const char *u = oracle_name(ask->name);
	const struct model_name *n = ask->name == TALK_NOBODY ? NULL : &m->name[ask->name];
	bool blocked = n && ask->name < TALK_USERS && m->block[ask->name][asker];
	switch (ask->kind) {
	case ASK_FOLLOWINGS:
	case ASK_FOLLOWERS:
	case ASK_GROUPS:
	case ASK_BROADCASTS:
	case ASK_BLOCKED:
		reply_list(m, asker, ask, out);
		return true;
	case ASK_STATE_OF:
		buf_printf(out, "\"s\":{\"u\":\"%s\",\"v\":\"-1\"}", u);
		return n && blocked;
	case ASK_PICTURE_OF:
		buf_printf(out, "\"p\":{\"u\":\"%s\",\"v\":\"%s\"}", u, n && !blocked ? n->picture : "");
		return true;
	case ASK_STATUS_OF:
		buf_printf(out, "\"st\":{\"u\":\"%s\",\"s\":\"%s\"}", u, n && !blocked ? n->status : "");
		return true;
	default:
		if (n)
			reply_place(n, asker, ask, created_ms, out);
		return n != NULL;
	}
}
