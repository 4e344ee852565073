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
