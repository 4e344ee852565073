/* The requests of sections 5 to 11. */
#include "base/buf.h"
#include "compose.h"
#include "oracle.h"
#include <stdlib.h>

static void put_names(struct buf *b, const struct ask *ask)
{
	for (unsigned i = 0; i < ask->who_n; i++)
		buf_printf(b, "%s\"%s\"", i ? "," : "", oracle_name(ask->who[i]));
}

/* Nicks are made of the text, so that each is another. */
static void put_pairs(struct buf *b, const struct ask *ask)
{
	for (unsigned i = 0; i < ask->who_n; i++)
		buf_printf(b, "%s{\"u\":\"%s\",\"n\":\"%s.%u\"}", i ? "," : "", oracle_name(ask->who[i]), ask->text, i);
}

static void put_user_request(struct buf *b, const struct ask *ask)
{
	static const char *const acts[] = { "cr", "del", "up" };
	buf_printf(b, "\"ad\":{\"c\":\"%s\",\"i\":\"%s\"", acts[ask->kind], oracle_name(ask->name));
	if (ask->kind != ASK_USER_DELETE)
		buf_printf(b, ",\"t\":\"%s\"", ask->text);
	BUF_LIT(b, "}");
}

static void put_tie_request(struct buf *b, const struct ask *ask)
{
	static const char *const keys[] = { "af", "rf", "uf", "b", "ub" };
	const char *key = keys[ask->kind - ASK_FOLLOW];
	if (ask->kind == ASK_BLOCK || ask->kind == ASK_UNBLOCK) {
		buf_printf(b, "\"%s\":{\"u\":\"%s\"}", key, oracle_name(ask->who[0]));
		return;
	}
	buf_printf(b, "\"%s\":[", key);
	if (ask->kind == ASK_UNFOLLOW)
		put_names(b, ask);
	else
		put_pairs(b, ask);
	BUF_LIT(b, "]");
}

static void put_create(struct buf *b, const struct ask *ask)
{
	buf_printf(b, "\"%s\":{\"t\":\"c\",\"i\":\"%s\",\"n\":\"%s\"", ask->broadcast ? "br" : "g",
		   oracle_name(ask->name), ask->text);
	if (ask->picture[0])
		buf_printf(b, ",\"p\":\"%s\"", ask->picture);
	if (ask->who_n) {
		BUF_LIT(b, ",\"m\":[");
		put_names(b, ask);
		BUF_LIT(b, "]");
	}
	BUF_LIT(b, "}");
}

/* Requests `g` and `br` but for the creation. */
static void put_place_request(struct buf *b, const struct ask *ask, const char *t, const char *list)
{
	buf_printf(b, "\"%s\":{\"t\":\"%s\",\"i\":\"%s\"", ask->broadcast ? "br" : "g", t, oracle_name(ask->name));
	if (list) {
		buf_printf(b, ",\"%s\":[", list);
		put_names(b, ask);
		BUF_LIT(b, "]");
	}
	BUF_LIT(b, "}");
}

static void put_text_request(struct buf *b, const struct ask *ask)
{
	const char *i = ask->broadcast ? "b" : "i", *name = oracle_name(ask->name);
	switch (ask->kind) {
	case ASK_PICTURE: buf_printf(b, "\"p\":{\"t\":\"s\",\"v\":\"%s\"}", ask->text); break;
	case ASK_STATUS: buf_printf(b, "\"st\":{\"t\":\"s\",\"s\":\"%s\"}", ask->text); break;
	case ASK_PLACE_PICTURE:
		buf_printf(b, "\"p\":{\"t\":\"s\",\"%s\":\"%s\",\"v\":\"%s\"}", i, name, ask->text);
		break;
	case ASK_TITLE: buf_printf(b, "\"n\":{\"t\":\"s\",\"%s\":\"%s\",\"n\":\"%s\"}", i, name, ask->text); break;
	case ASK_MUTE: buf_printf(b, "\"mt\":{\"i\":\"%s\",\"t\":%lld}", name, (long long)ask->ms); break;
	case ASK_UNMUTE: buf_printf(b, "\"umt\":{\"i\":\"%s\"}", name); break;
	case ASK_STATE_OF: buf_printf(b, "\"s\":{\"u\":\"%s\"}", name); break;
	case ASK_PICTURE_OF: buf_printf(b, "\"p\":{\"t\":\"g\",\"u\":\"%s\"}", name); break;
	case ASK_STATUS_OF: buf_printf(b, "\"st\":{\"t\":\"g\",\"u\":\"%s\"}", name); break;
	case ASK_PLACE_PICTURE_OF: buf_printf(b, "\"p\":{\"t\":\"g\",\"%s\":\"%s\"}", i, name); break;
	case ASK_TITLE_OF: buf_printf(b, "\"n\":{\"t\":\"g\",\"%s\":\"%s\"}", i, name); break;
	default: CHECK_NEVER("no such request");
	}
}

static void put_list_request(struct buf *b, const struct ask *ask)
{
	static const char *const lists[] = { "f", "fr", "g", "br", "pr" };
	buf_printf(b, "\"get\":{\"o\":\"%s\"}", lists[ask->kind - ASK_FOLLOWINGS]);
}

static void put_request(struct buf *b, const struct ask *ask)
{
	if (ask->kind <= ASK_USER_CHANGE)
		put_user_request(b, ask);
	else if (ask->kind <= ASK_UNBLOCK)
		put_tie_request(b, ask);
	else if (ask->kind >= ASK_FOLLOWINGS && ask->kind <= ASK_BLOCKED)
		put_list_request(b, ask);
	else if (ask->kind == ASK_CREATE)
		put_create(b, ask);
	else if (ask->kind == ASK_ADD || ask->kind == ASK_BANISH)
		put_place_request(b, ask, ask->kind == ASK_ADD ? "a" : "b", "m");
	else if (ask->kind == ASK_PROMOTE || ask->kind == ASK_DEMOTE)
		put_place_request(b, ask, ask->kind == ASK_PROMOTE ? "aad" : "rad", "ad");
	else if (ask->kind == ASK_LEAVE || ask->kind == ASK_END)
		put_place_request(b, ask, ask->kind == ASK_LEAVE ? "l" : "t", NULL);
	else if (ask->kind == ASK_INFO || ask->kind == ASK_ADMINS)
		put_place_request(b, ask, ask->kind == ASK_INFO ? "i" : "ad", NULL);
	else
		put_text_request(b, ask);
}

struct said *compose_ask(const char *id, const struct ask *ask)
{
	struct said *said = said_new(SAID_ASK, id);
	struct buf b;
	buf_init(&b, 4096);
	buf_printf(&b, "{\"rq\":{\"id\":\"%s\",", id);
	put_request(&b, ask);
	BUF_LIT(&b, "}}");
	CHECK(!b.failed);
	said->text = strndup(b.p, b.n);
	CHECK(said->text);
	buf_deinit(&b);
	said->ask = *ask;
	return said;
}
