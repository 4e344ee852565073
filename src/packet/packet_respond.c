/* The writer of responses and information: strict JSON, members in the order protocol.md shows. */
#include "packet/json.h"
#include "packet/packet.h"
#include <stdlib.h>

/* `{"DATUM":{"id":"ID"`, the id only where there is one; `more` members follow. */
static void put_head(struct buf *out, struct str datum, struct str id, bool more)
{
	BUF_LIT(out, "{\"");
	buf_str(out, datum);
	BUF_LIT(out, "\":{");
	if (!id.p)
		return;
	BUF_LIT(out, "\"id\":");
	json_put_string(out, id);
	if (more)
		BUF_LIT(out, ",");
}

static void put_refusal(struct buf *out, enum refusal code, struct str sentence)
{
	BUF_LIT(out, "\"e\":{\"c\":");
	json_put_string(out, str_of(refusal_codes[code]));
	BUF_LIT(out, ",\"d\":");
	json_put_string(out, sentence);
	BUF_LIT(out, "}");
}

void packet_put_done(struct buf *out, struct str id)
{
	put_head(out, STR("rp"), id, false);
	BUF_LIT(out, "}}");
}

void packet_put_error(struct buf *out, struct str id, enum refusal code, struct str sentence)
{
	put_head(out, STR("rp"), id, true);
	put_refusal(out, code, sentence);
	BUF_LIT(out, "}}");
}

void packet_put_login(struct buf *out, struct str id, bool accepted, enum refusal code,
		      struct str sentence)
{
	put_head(out, STR("rp"), id, true);
	buf_str(out, accepted ? STR("\"response\":1") : STR("\"response\":0"));
	if (code != REFUSAL_NONE) {
		BUF_LIT(out, ",");
		put_refusal(out, code, sentence);
	}
	BUF_LIT(out, "}}");
}

/* Hours, with hundredths where they aren't whole; zones differ by multiples of 15 minutes. */
static void put_hours(struct buf *out, int minutes)
{
	int size = abs(minutes);
	int hundredths = size % 60 * 100 / 60;
	if (minutes < 0)
		BUF_LIT(out, "-");
	buf_i64(out, size / 60);
	if (!hundredths)
		return;
	BUF_LIT(out, ".");
	buf_u8(out, (uint8_t)('0' + hundredths / 10));
	if (hundredths % 10)
		buf_u8(out, (uint8_t)('0' + hundredths % 10));
}

void packet_put_time(struct buf *out, struct str id, int64_t now_ms, int offset_minutes)
{
	put_head(out, STR("srp"), id, true);
	BUF_LIT(out, "\"t\":\"t\",\"tm\":\"");
	buf_i64(out, now_ms);
	BUF_LIT(out, "\",\"o\":");
	put_hours(out, offset_minutes);
	BUF_LIT(out, "},\"o\":");
	put_hours(out, offset_minutes);
	BUF_LIT(out, "}");
}

void packet_put_knock(struct buf *out, struct str id)
{
	put_head(out, STR("srp"), id, true);
	BUF_LIT(out, "\"t\":\"k\"}}");
}

void packet_put_server_error(struct buf *out, struct str id, struct str t, enum refusal code,
			     struct str sentence)
{
	put_head(out, STR("srp"), id, true);
	if (t.p) {
		BUF_LIT(out, "\"t\":");
		json_put_string(out, t);
		BUF_LIT(out, ",");
	}
	put_refusal(out, code, sentence);
	BUF_LIT(out, "}}");
}

/* ---- members of what follows ---- */

static void put_key(struct buf *out, const char *key)
{
	BUF_LIT(out, "\"");
	buf_str(out, str_of(key));
	BUF_LIT(out, "\":");
}

static void put_text(struct buf *out, const char *key, struct str v)
{
	put_key(out, key);
	json_put_string(out, v);
}

/* Times and counts are strings (protocol.md sections 6 and 9). */
static void put_number(struct buf *out, const char *key, int64_t v)
{
	put_key(out, key);
	BUF_LIT(out, "\"");
	buf_i64(out, v);
	BUF_LIT(out, "\"");
}

static void put_names(struct buf *out, const char *key, struct str names)
{
	struct str name;
	size_t cursor = 0;
	put_key(out, key);
	buf_u8(out, '[');
	for (const char *comma = ""; strs_next(names, &cursor, &name) == 1; comma = ",") {
		buf_str(out, str_of(comma));
		json_put_string(out, name);
	}
	buf_u8(out, ']');
}

/* ---- responses with content ---- */

/* `{"rp":{"id":"ID","OBJECT":{` */
static void put_rp(struct buf *out, struct str id, const char *object)
{
	put_head(out, STR("rp"), id, true);
	put_key(out, object);
	buf_u8(out, '{');
}

void packet_put_state(struct buf *out, struct str id, struct str user, int64_t value)
{
	put_rp(out, id, "s");
	put_text(out, "u", user);
	buf_u8(out, ',');
	put_number(out, "v", value);
	BUF_LIT(out, "}}}");
}

/* One text of a name: `"OBJECT":{"NAME_KEY":name,"KEY":text}`. */
static void put_one(struct buf *out, struct str id, const char *object, const char *name_key,
		    struct str name, const char *key, struct str text)
{
	put_rp(out, id, object);
	put_text(out, name_key, name);
	buf_u8(out, ',');
	put_text(out, key, text);
	BUF_LIT(out, "}}}");
}

void packet_put_picture(struct buf *out, struct str id, const char *key, struct str name,
			struct str v)
{
	put_one(out, id, "p", key, name, "v", v);
}

void packet_put_status(struct buf *out, struct str id, struct str user, struct str s)
{
	put_one(out, id, "st", "u", user, "s", s);
}

void packet_put_title(struct buf *out, struct str id, const char *key, struct str name,
		      struct str n)
{
	put_one(out, id, "n", key, name, "n", n);
}

void packet_put_group(struct buf *out, struct str id, const struct packet_group *g)
{
	put_rp(out, id, "g");
	put_text(out, "i", g->name);
	buf_u8(out, ',');
	put_number(out, "c", g->created_ms);
	buf_u8(out, ',');
	put_number(out, "mt", g->muted_ms);
	buf_u8(out, ',');
	put_names(out, "m", g->members);
	buf_u8(out, ',');
	put_text(out, "n", g->title);
	BUF_LIT(out, "}}}");
}

void packet_put_broadcast(struct buf *out, struct str id, const struct packet_group *g)
{
	put_rp(out, id, "br");
	put_text(out, "i", g->name);
	buf_u8(out, ',');
	put_number(out, "c", g->created_ms);
	buf_u8(out, ',');
	put_text(out, "n", g->title);
	buf_u8(out, ',');
	put_names(out, "m", g->members);
	BUF_LIT(out, "}}}");
}

void packet_put_admins(struct buf *out, struct str id, struct str group, struct str admins)
{
	put_rp(out, id, "g");
	put_text(out, "i", group);
	buf_u8(out, ',');
	put_names(out, "ad", admins);
	BUF_LIT(out, "}}}");
}

void packet_put_names(struct buf *out, struct str id, const char *key, struct str names)
{
	put_head(out, STR("rp"), id, true);
	put_names(out, key, names);
	BUF_LIT(out, "}}");
}

void packet_put_pairs(struct buf *out, struct str id, const char *key, const char *name_key,
		      struct str pairs)
{
	struct str name, text;
	size_t cursor = 0;
	put_head(out, STR("rp"), id, true);
	put_key(out, key);
	buf_u8(out, '[');
	for (const char *comma = ""; strs_next(pairs, &cursor, &name) == 1 &&
				     strs_next(pairs, &cursor, &text) == 1; comma = ",") {
		buf_str(out, str_of(comma));
		buf_u8(out, '{');
		put_text(out, name_key, name);
		buf_u8(out, ',');
		put_text(out, "n", text);
		buf_u8(out, '}');
	}
	BUF_LIT(out, "]}}");
}

/* ---- information ---- */

void packet_put_presence(struct buf *out, struct str id, bool online, struct str user)
{
	put_head(out, STR("i"), id, true);
	put_text(out, online ? "li" : "lo", user);
	BUF_LIT(out, "}}");
}

static void put_more_text(struct buf *out, const char *key, struct str v)
{
	if (!v.p)
		return;
	buf_u8(out, ',');
	put_text(out, key, v);
}

void packet_put_info(struct buf *out, struct str id, const struct packet_info *info)
{
	put_head(out, STR("i"), id, true);
	BUF_LIT(out, "\"g\":{");
	put_text(out, "t", str_of(info->t));
	if (info->user.p)
		put_more_text(out, "u", info->user);
	else
		put_more_text(out, "i", info->group);
	put_more_text(out, "m", info->member);
	if (info->members.p) {
		buf_u8(out, ',');
		put_names(out, "m", info->members);
	}
	put_more_text(out, "n", info->title);
	if (info->count) {
		buf_u8(out, ',');
		put_number(out, "c", info->count);
	}
	BUF_LIT(out, "}}}");
}
