#include "compose.h"
#include "base/buf.h"
#include "oracle.h"
#include <stdlib.h>

#define COMPOSE_MAX 4096
#define COMPOSE_ST INT64_C(1790000000000)
#define LONG_NAME "oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo" \
		  "oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo"

struct said *said_new(enum said_kind kind, const char *id)
{
	struct said *said = calloc(1, sizeof(*said));
	CHECK(said);
	said->kind = kind;
	said->to = TALK_NOBODY;
	(void)snprintf(said->id, sizeof(said->id), "%s", id);
	return said;
}

static char *buf_string(struct buf *b)
{
	CHECK(!b->failed);
	char *p = strndup(b->p, b->n);
	CHECK(p);
	buf_deinit(b);
	return p;
}

struct said *said_copy(const struct said *said)
{
	struct said *copy = malloc(sizeof(*copy));
	CHECK(copy);
	*copy = *said;
	copy->text = strdup(said->text);
	copy->passed_on = said->passed_on ? strdup(said->passed_on) : NULL;
	CHECK(copy->text && (copy->passed_on || !said->passed_on));
	return copy;
}

/* Names may come without quotes, ids that are numbers as numbers. */
struct style { bool bare, number; };

static struct style style_draw(struct dice *d)
{
	return (struct style){ dice_chance(d, 150), dice_chance(d, 300) };
}

static void put_name(struct buf *b, struct style style, const char *name)
{
	buf_printf(b, style.bare ? "%s:" : "\"%s\":", name);
}

static bool is_number(const char *s)
{
	return *s >= '1' && *s <= '9' && strspn(s, "0123456789") == strlen(s);
}

static void put_id(struct buf *b, struct style style, const char *id)
{
	put_name(b, style, "id");
	buf_printf(b, style.number && is_number(id) ? "%s" : "\"%s\"", id);
}

struct said *compose_login(const char *id, int user, const char *token, struct dice *d)
{
	struct style style = style_draw(d);
	struct said *said = said_new(SAID_LOGIN, id);
	struct buf b;
	buf_init(&b, COMPOSE_MAX);
	BUF_LIT(&b, "{\"rq\":{");
	put_id(&b, style, id);
	buf_printf(&b, ",\"a\":{\"i\":\"%s\",\"t\":\"%s\"}}}", oracle_name(user), token);
	said->text = buf_string(&b);
	said->to = user;
	(void)snprintf(said->token, sizeof(said->token), "%s", token);
	return said;
}

struct said *compose_plain(enum said_kind kind, const char *id, struct dice *d)
{
	struct style style = style_draw(d);
	struct said *said = said_new(kind, id);
	struct buf b;
	buf_init(&b, COMPOSE_MAX);
	buf_printf(&b, kind == SAID_LOGOUT ? "{\"rq\":{" : "{\"srq\":{");
	put_id(&b, style, id);
	if (kind == SAID_LOGOUT)
		BUF_LIT(&b, ",\"lo\":{\"r\":\"bye\"}}}");
	else
		buf_printf(&b, ",\"t\":\"%s\"}}", kind == SAID_TIME ? "t" : "k");
	said->text = buf_string(&b);
	return said;
}

/* What stands behind `r` or `s` and `r` in both forms of a message. */
static void put_message_rest(struct buf *b, struct style style, struct compose_flags flags, bool all_flags,
			     const char *content, int64_t st, bool extra)
{
	static const struct style quoted = { false, false };
	put_name(b, style, "t");
	BUF_LIT(b, "\"t\",");
	put_name(b, style, "c");
	buf_printf(b, "%s,", content);
	put_name(b, style, "st");
	buf_i64(b, st);
	const struct { const char *name; bool zero; } flag[] = {
		{ "p", flags.p0 }, { "sc", flags.sc0 }, { "pc", flags.pc0 } };
	for (unsigned i = 0; i < 3; i++) {
		if (!flag[i].zero && !all_flags)
			continue;
		BUF_LIT(b, ",");
		put_name(b, style, flag[i].name);
		buf_printf(b, style.number ? "%d" : "\"%d\"", !flag[i].zero);
	}
	if (extra) {
		BUF_LIT(b, ",");
		put_name(b, quoted, "x");
		BUF_LIT(b, "{\"y\": [1, null]}");
	}
	BUF_LIT(b, "}}");
}

struct said *compose_message(const char *id, int from, int to, struct compose_flags flags,
			     unsigned number, size_t size, struct dice *d)
{
	static const struct style strict = { false, false };
	struct style style = style_draw(d);
	struct said *said = said_new(SAID_MESSAGE, id);
	bool all_flags = dice_chance(d, 100), extra = dice_chance(d, 100);
	int64_t st = COMPOSE_ST + number;
	char content[600];
	int n = snprintf(content, sizeof(content), "\"%u of %s ", number, oracle_name(from));
	for (size_t i = 0; i < size && (size_t)n < sizeof(content) - 3; i++)
		content[n++] = (char)('a' + i % 26);
	content[n++] = '"';
	content[n] = 0;
	struct buf b;
	buf_init(&b, COMPOSE_MAX);
	BUF_LIT(&b, "{\"m\":{");
	put_id(&b, style, id);
	BUF_LIT(&b, ",");
	put_name(&b, style, "r");
	buf_printf(&b, "\"%s\",", oracle_name(to));
	put_message_rest(&b, style, flags, all_flags, content, st, extra);
	said->text = buf_string(&b);
	buf_init(&b, COMPOSE_MAX);
	buf_printf(&b, "{\"m\":{\"id\":\"%s\",\"s\":\"%s\",\"r\":\"%s\",", id, oracle_name(from), oracle_name(to));
	put_message_rest(&b, strict, flags, all_flags, content, st, extra);
	said->passed_on = buf_string(&b);
	said->to = to;
	said->p0 = flags.p0;
	said->sc0 = flags.sc0;
	said->pc0 = flags.pc0;
	return said;
}

struct said *compose_receipt(enum said_kind kind, const char *id, int from, int to, const char *of,
			     bool sc0, bool named, struct dice *d)
{
	const char *what = kind == SAID_DM ? "dm" : "nm";
	struct style style = style_draw(d);
	struct said *said = said_new(kind, id);
	int64_t st = COMPOSE_ST + dice_below(d, 1000000);
	struct buf b;
	buf_init(&b, COMPOSE_MAX);
	BUF_LIT(&b, "{\"m\":{");
	put_id(&b, style, id);
	if (named)
		buf_printf(&b, ",\"r\":\"%s\"", oracle_name(to));
	if (sc0)
		BUF_LIT(&b, ",\"sc\":\"0\"");
	buf_printf(&b, ",\"st\":%lld,\"%s\":{\"id\":\"%s\"}}}", (long long)st, what, of);
	said->text = buf_string(&b);
	buf_init(&b, COMPOSE_MAX);
	buf_printf(&b, "{\"m\":{\"id\":\"%s\",\"s\":\"%s\",\"r\":\"%s\",\"st\":%lld,\"%s\":{\"id\":\"%s\"}}}", id,
		   oracle_name(from), oracle_name(to), (long long)st, what, of);
	said->passed_on = buf_string(&b);
	said->to = to;
	said->sc0 = sc0;
	(void)snprintf(said->of, sizeof(said->of), "%s", of);
	return said;
}

/* `%` stands for the id; without one the error has none to carry. */
struct odd { const char *text, *code; bool malformed, loose; };

static struct said *compose_odd_row(const struct odd *odd, const char *id)
{
	const char *at = strchr(odd->text, '%');
	struct said *said = said_new(SAID_ODD, at ? id : "");
	struct buf b;
	buf_init(&b, COMPOSE_MAX);
	if (at)
		buf_printf(&b, "%.*s%s%s", (int)(at - odd->text), odd->text, id, at + 1);
	else
		buf_printf(&b, "%s", odd->text);
	said->text = buf_string(&b);
	said->code = odd->code;
	said->malformed = odd->malformed;
	said->loose = odd->loose || odd->malformed || !at;
	return said;
}

struct said *compose_odd(const char *id, bool by_admin, struct dice *d)
{
	static const struct odd odds[] = {
		{ "{\"rq\":{\"id\":\"%\",\"ad\":{\"c\":\"cr\",\"i\":\"mallory\",\"t\":\"x\"}}}", "403", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"zz\":{}}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\"}}", "400", false, false },
		{ "{\"rp\":{\"id\":\"%\"}}", "400", false, true },
		{ "{}", "400", false, true },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"alice\"}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"c\":\"x\"}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"alice\",\"c\":1,\"t\":\"zz\"}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"alice\",\"c\":1,\"p\":\"2\"}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"alice\",\"c\":1,\"dm\":{\"id\":\"1\"}}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"dm\":{\"id\":\"1\"},\"nm\":{\"id\":\"1\"}}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"sr\":{\"id\":\"1\"}}}", "400", false, false },
		{ "{\"m\":{\"id\":\"%\",\"dm\":{\"id\":\"no-such\"}}}", "404", false, false },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"alice\",\"nm\":{\"id\":\"no-such\"}}}", "404", false, false },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"" LONG_NAME "\",\"c\":1}}", "413", false, false },
		{ "{\"m\":{\"r\":\"alice\",\"c\":1}}", "400", false, true },
		{ "{\"srq\":{\"id\":\"%\",\"t\":\"zz\"}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"g\":{\"t\":\"zz\",\"i\":\"chess\"}}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"g\":{\"t\":\"a\",\"i\":\"chess\"}}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"get\":{\"o\":\"zz\"}}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"af\":[{\"n\":\"x\"}]}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"b\":{}}}", "400", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"g\":{\"t\":\"i\",\"i\":\"alice\"}}}", "404", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"g\":{\"t\":\"c\",\"i\":\"alice\",\"n\":\"x\"}}}", "409", false, false },
		{ "{\"rq\":{\"id\":\"%\",\"br\":{\"t\":\"i\",\"i\":\"bob\"}}}", "404", false, false },
	};
	return compose_odd_row(&odds[dice_between(d, by_admin, sizeof(odds) / sizeof(odds[0]) - 1)], id);
}

struct said *compose_malformed(const char *id, struct dice *d)
{
	static const struct odd odds[] = {
		{ "{", "400", true, true },
		{ "nonsense", "400", true, true },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"alice\",\"c\":1,}}", "400", true, true },
		{ "{\"m\":{\"id\":\"%\",\"r\":\"bob\",\"r\":\"alice\",\"c\":1}}", "400", true, true },
		{ "{\"rq\":{\"id\":\"%\",\"a\":{\"i\":\"alice\",'t':1}}}", "400", true, true },
	};
	return compose_odd_row(&odds[dice_below(d, sizeof(odds) / sizeof(odds[0]))], id);
}
