/* The writer of messages: strict JSON, members in the order protocol.md shows. */
#include "packet/json_scan.h"
#include "packet/packet.h"
#include "packet/packet_table.h"

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

/* ---- another receiver ---- */

/* The end of the string, quotes included, that begins at `at`; 0: there is none. */
static size_t string_end(struct str text, size_t at)
{
	if (at >= text.n || text.p[at] != '"')
		return 0;
	const char *end = text.p + text.n, *p = json_plain_end(text.p + at + 1, end);
	while (end - p > 1 && *p == '\\')
		p = json_plain_end(p + 2, end);
	return p < end && *p == '"' ? (size_t)(p + 1 - text.p) : 0;
}

struct packet_span packet_find_receiver(struct str text)
{
	static const struct { const char *p; size_t n; } between[] = {
#define BETWEEN(literal) { literal, sizeof(literal) - 1 }
		BETWEEN("{\"m\":{\"id\":"), BETWEEN(",\"s\":"), BETWEEN(",\"r\":"),
#undef BETWEEN
	};
	size_t from = 0, to = 0;
	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		struct str rest = { text.p + to, text.n - to };
		if (!str_begins(rest, (struct str){ between[i].p, between[i].n }))
			return (struct packet_span){ 0, 0 };
		from = to + between[i].n;
		to = string_end(text, from);
		if (!to)
			return (struct packet_span){ 0, 0 };
	}
	return (struct packet_span){ (uint32_t)from, (uint32_t)(to - from) };
}

void packet_put_readdressed(struct buf *out, struct str text, struct packet_span r,
			    struct str receiver)
{
	buf_add(out, text.p, r.at);
	json_put_string(out, receiver);
	buf_add(out, text.p + r.at + r.n, text.n - r.at - r.n);
}
