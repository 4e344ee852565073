/* The writer: packets as the server sends them, strict JSON, members in the order protocol.md
 * shows. */
#include "packet/json_scan.h"
#include "packet/packet.h"
#include "packet/packet_table.h"
#include <stdlib.h>

/* ---- objects after their rows: room is reserved once, then written without looking back ---- */

#define NUMBER_BYTES_MAX 20

static bool field_absent(const struct packet_field *f, const void *member)
{
	switch (f->type) {
	case PACKET_TYPE_FLAG: return *(const int8_t *)member < 0;
	case PACKET_TYPE_TIME: return *(const int64_t *)member < 0;
	default: return !((const struct str *)member)->p;
	}
}

/* Bytes field_write may touch: the value's, and a bit more than the key's. */
static size_t field_room(const struct packet_field *f, const void *member)
{
	const size_t key = sizeof(f->key) + sizeof(",\"\":");
	switch (f->type) {
	case PACKET_TYPE_RAW: return key + ((const struct str *)member)->n;
	case PACKET_TYPE_FLAG: return key + sizeof("\"1\"");
	case PACKET_TYPE_TIME: return key + NUMBER_BYTES_MAX;
	case PACKET_TYPE_DM: /* the object around its id */
		return key + sizeof("{\"id\":}") + json_string_bytes(*(const struct str *)member);
	default: return key + json_string_bytes(*(const struct str *)member);
	}
}

static char *bytes_write(char *to, struct str s)
{
	memcpy(to, s.p, s.n);
	return to + s.n;
}

static char *number_write(char *to, int64_t v)
{
	char digits[NUMBER_BYTES_MAX];
	char *p = digits + sizeof(digits);
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return bytes_write(to, (struct str){ p, (size_t)(digits + sizeof(digits) - p) });
}

/* `,"key":value` */
static char *field_write(char *to, const struct packet_field *f, const void *member)
{
	*to++ = ',';
	*to++ = '"';
	memcpy(to, f->key, sizeof(f->key)); /* of fixed size: one instruction */
	to += f->key_n;
	*to++ = '"';
	*to++ = ':';
	switch (f->type) {
	case PACKET_TYPE_RAW: return bytes_write(to, *(const struct str *)member);
	case PACKET_TYPE_FLAG:
		return bytes_write(to, *(const int8_t *)member ? STR("\"1\"") : STR("\"0\""));
	case PACKET_TYPE_TIME: return number_write(to, *(const int64_t *)member);
	case PACKET_TYPE_DM:
		to = bytes_write(to, STR("{\"id\":"));
		to = json_string_write(to, *(const struct str *)member);
		*to++ = '}';
		return to;
	default: return json_string_write(to, *(const struct str *)member);
	}
}

static const void *member_of(const struct packet_field *f, const void *object)
{
	return (const char *)object + f->offset;
}

/* `{"m":{"id":…,` … `}}`; m->id is there. */
static void put_m(struct buf *out, const struct packet_m *m, struct str extra)
{
	const struct packet_object *o = &packet_objects[PACKET_OBJECT_m];
	uint32_t there = 0;
	size_t room = sizeof("{\"m\":}}") + extra.n;
	for (unsigned i = 0; i < o->count; i++) {
		if (field_absent(&o->fields[i], member_of(&o->fields[i], m)))
			continue;
		there |= UINT32_C(1) << i;
		room += field_room(&o->fields[i], member_of(&o->fields[i], m));
	}
	char *begin = buf_reserve(out, room);
	if (!begin)
		return;
	char *to = bytes_write(begin, STR("{\"m\":"));
	char *comma = to;
	for (; there; there &= there - 1) {
		const struct packet_field *f = &o->fields[__builtin_ctz(there)];
		to = field_write(to, f, member_of(f, m));
	}
	*comma = '{'; /* the first member has none */
	if (extra.n)
		to = bytes_write(to, extra);
	to = bytes_write(to, STR("}}"));
	buf_commit(out, (size_t)(to - begin));
}

void packet_put_message(struct buf *out, const struct packet *p, struct str sender,
			struct str receiver)
{
	struct packet_m m = p->m;
	struct str extra = p->extra;
	if (m.dm.p || m.nm.p) {
		m = *(const struct packet_m *)packet_objects[PACKET_OBJECT_m].absent;
		m.id = p->m.id;
		m.st = p->m.st;
		m.dm = p->m.dm;
		m.nm = p->m.nm;
		extra = STR_NONE;
	} else if (!m.t.p) {
		m.t = STR("t");
	}
	m.s = sender;
	m.r = receiver;
	m.sr = STR_NONE;
	put_m(out, &m, extra);
}

void packet_put_sr(struct buf *out, struct str id, struct str of)
{
	BUF_LIT(out, "{\"m\":{\"id\":");
	json_put_string(out, id);
	BUF_LIT(out, ",\"sr\":{\"id\":");
	json_put_string(out, of);
	BUF_LIT(out, "}}}");
}

/* ---- responses ---- */

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

static void put_key(struct buf *out, const char *key)
{
	BUF_LIT(out, "\"");
	buf_str(out, str_of(key));
	BUF_LIT(out, "\":");
}
static void put_pair(struct buf *out, const char *key, struct str v) { put_key(out, key); json_put_string(out, v); }
static void put_number(struct buf *out, const char *key, int64_t v)
{
	put_key(out, key);
	BUF_LIT(out, "\"");
	buf_i64(out, v);
	BUF_LIT(out, "\"");
}
static void put_names(struct buf *out, struct str names)
{
	struct str s;
	size_t cursor = 0;
	bool first = true;
	BUF_LIT(out, "[");
	for (; strs_next(names, &cursor, &s) == 1; first = false) {
		if (!first)
			BUF_LIT(out, ",");
		json_put_string(out, s);
	}
	BUF_LIT(out, "]");
}

struct packet_span packet_find_receiver(struct str text)
{
	const char *p = text.p, *end = text.p + text.n;
	unsigned strings = 0;
	bool r = false;
	for (; p < end; p++) {
		if (*p != '"')
			continue;
		const char *from = p++;
		while (*p != '"')
			p += *p == '\\' ? 2 : 1;
		if (r)
			return (struct packet_span){ (uint32_t)(from - text.p), (uint32_t)(p + 1 - from) };
		if (++strings >= 6 && p - from == 2 && from[1] == 'r')
			r = true;
	}
	return (struct packet_span){ 0, 0 };
}

void packet_put_readdressed(struct buf *out, struct str text, struct packet_span r, struct str receiver)
{
	buf_add(out, text.p, r.at);
	json_put_string(out, receiver);
	buf_add(out, text.p + r.at + r.n, text.n - r.at - r.n);
}

void packet_put_state(struct buf *out, struct str id, struct str user, int64_t value)
{
	put_head(out, STR("rp"), id, true);
	BUF_LIT(out, "\"s\":{");
	put_pair(out, "u", user);
	BUF_LIT(out, ",");
	put_number(out, "v", value);
	BUF_LIT(out, "}}}");
}

static void put_two(struct buf *out, struct str id, const char *object, const char *k1, struct str v1, const char *k2, struct str v2)
{
	put_head(out, STR("rp"), id, true);
	put_key(out, object);
	BUF_LIT(out, "{");
	put_pair(out, k1, v1);
	BUF_LIT(out, ",");
	put_pair(out, k2, v2);
	BUF_LIT(out, "}}}");
}

void packet_put_picture(struct buf *out, struct str id, const char *key, struct str name, struct str v) { put_two(out, id, "p", key, name, "v", v); }
void packet_put_status(struct buf *out, struct str id, struct str user, struct str s) { put_two(out, id, "st", "u", user, "s", s); }
void packet_put_title(struct buf *out, struct str id, const char *key, struct str name, struct str n) { put_two(out, id, "n", key, name, "n", n); }

void packet_put_group(struct buf *out, struct str id, const struct packet_group *g)
{
	put_head(out, STR("rp"), id, true);
	BUF_LIT(out, "\"g\":{");
	put_pair(out, "i", g->name);
	BUF_LIT(out, ",");
	put_number(out, "c", g->created_ms);
	BUF_LIT(out, ",");
	put_number(out, "mt", g->muted_ms);
	BUF_LIT(out, ",\"m\":");
	put_names(out, g->members);
	BUF_LIT(out, ",");
	put_pair(out, "n", g->title);
	BUF_LIT(out, "}}}");
}

void packet_put_broadcast(struct buf *out, struct str id, const struct packet_group *g)
{
	put_head(out, STR("rp"), id, true);
	BUF_LIT(out, "\"br\":{");
	put_pair(out, "i", g->name);
	BUF_LIT(out, ",");
	put_number(out, "c", g->created_ms);
	BUF_LIT(out, ",");
	put_pair(out, "n", g->title);
	BUF_LIT(out, ",\"m\":");
	put_names(out, g->members);
	BUF_LIT(out, "}}}");
}

void packet_put_admins(struct buf *out, struct str id, struct str group, struct str admins)
{
	put_head(out, STR("rp"), id, true);
	BUF_LIT(out, "\"g\":{");
	put_pair(out, "i", group);
	BUF_LIT(out, ",\"ad\":");
	put_names(out, admins);
	BUF_LIT(out, "}}}");
}

void packet_put_names(struct buf *out, struct str id, const char *key, struct str names)
{
	put_head(out, STR("rp"), id, true);
	put_key(out, key);
	put_names(out, names);
	BUF_LIT(out, "}}");
}

void packet_put_pairs(struct buf *out, struct str id, const char *key, const char *name_key, struct str pairs)
{
	struct str a, b;
	size_t cursor = 0;
	bool first = true;
	put_head(out, STR("rp"), id, true);
	put_key(out, key);
	BUF_LIT(out, "[");
	for (; strs_next(pairs, &cursor, &a) == 1 && strs_next(pairs, &cursor, &b) == 1; first = false) {
		if (!first)
			BUF_LIT(out, ",");
		BUF_LIT(out, "{");
		put_pair(out, name_key, a);
		BUF_LIT(out, ",");
		put_pair(out, "n", b.p ? b : STR(""));
		BUF_LIT(out, "}");
	}
	BUF_LIT(out, "]}}");
}

void packet_put_presence(struct buf *out, struct str id, bool online, struct str user)
{
	put_head(out, STR("i"), id, true);
	put_pair(out, online ? "li" : "lo", user);
	BUF_LIT(out, "}}");
}

void packet_put_info(struct buf *out, struct str id, const struct packet_info *info)
{
	put_head(out, STR("i"), id, true);
	BUF_LIT(out, "\"g\":{");
	put_pair(out, "t", str_of(info->t));
	BUF_LIT(out, ",");
	if (info->user.p)
		put_pair(out, "u", info->user);
	else
		put_pair(out, "i", info->group);
	if (info->member.p) {
		BUF_LIT(out, ",");
		put_pair(out, "m", info->member);
	}
	if (info->members.p) {
		BUF_LIT(out, ",\"m\":");
		put_names(out, info->members);
	}
	if (info->title.p) {
		BUF_LIT(out, ",");
		put_pair(out, "n", info->title);
	}
	if (info->count) {
		BUF_LIT(out, ",");
		put_number(out, "c", info->count);
	}
	BUF_LIT(out, "}}}");
}
