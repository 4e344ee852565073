/* The reader: one pass over the text, by the rows of packets.def.
 *
 *   packet_read          {                                       level 1
 *   datum_read             "m": {                                level 2
 *   packet_object_read       members of the row's object …
 *   packet_field_read        "dm": { "id": … }                   level 3
 *
 *   rq_read                "rq": {                               level 2
 *   request_read             "lo": {                             level 3
 *   packet_field_read        "af": [ { "u": … }, … ]             levels 3 and 4
 */
#include "packet/packet.h"
#include "packet/packet_names.h"
#include "packet/packet_reading.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void packet_bad(struct reading *g, enum refusal refusal, const char *why, ...)
{
	if (g->status != PACKET_OK)
		return;
	g->status = PACKET_BAD;
	g->out->refusal = refusal;
	va_list args;
	va_start(args, why);
	vsnprintf(g->out->why, sizeof(g->out->why), why, args);
	va_end(args);
}

static bool broken(struct reading *g, const char *why)
{
	g->scan.why = why;
	return false;
}

/* ---- objects ---- */

static const struct packet_field *field_find(struct walk *w, struct str name)
{
	unsigned count = w->object->count;
	for (unsigned tried = 0, i = w->next; tried < count; tried++, i++) {
		if (i >= count)
			i = 0;
		const struct packet_field *f = &w->object->fields[i];
		if (f->key_n == name.n && f->key[0] == name.p[0] &&
		    memcmp(f->key, name.p, name.n) == 0) {
			w->next = i + 1;
			return f;
		}
	}
	return NULL;
}

/* Starts an unknown member of a message: its name, quoted, as it was received. */
static void extra_name(struct reading *g, const struct json_value *name)
{
	struct buf *extra = &g->reader->_extra;
	BUF_LIT(extra, ",\"");
	buf_add(extra, name->p, name->n);
	BUF_LIT(extra, "\":");
}

/* An unknown member of a message is passed on: it must be strict JSON. */
static bool extra_read(struct reading *g, struct walk *w, const struct json_value *name)
{
	struct json_value v;
	struct buf *extra = &g->reader->_extra;
	if (!name->escaped) /* otherwise member_read did this before it decoded the name */
		extra_name(g, name);
	if (!json_scan_value(&g->scan, JSON_RFC8259, w->level, &v))
		return false;
	buf_str(extra, json_value_raw(&v));
	if (extra->failed)
		packet_bad(g, REFUSAL_TOO_LONG, "The unknown members take too much room.");
	return true;
}

static bool ignored_read(struct reading *g, const struct walk *w)
{
	struct json_value v;
	return json_scan_value(&g->scan, JSON_LEMP, w->level, &v);
}

/* A member whose name has no row. */
static bool other_read(struct reading *g, struct walk *w, const struct json_value *name)
{
	struct str view = { name->p, name->n };
	switch (packet_names_add(g->reader->_names, w->number, view)) {
	case NAMES_NEW: break;
	case NAMES_REPEATED: return broken(g, "a name stands twice");
	case NAMES_NO_MEMORY: packet_bad(g, REFUSAL_TOO_LONG, "Too many unknown members."); break;
	}
	return w->other ? w->other(g, w, name) : ignored_read(g, w);
}

static bool member_read(struct reading *g, struct walk *w, struct json_value *name)
{
	size_t extra_n = g->reader->_extra.n;
	if (name->escaped) { /* whether it has a row shows only after decoding, which changes it */
		if (w->other == extra_read)
			extra_name(g, name);
		name->n = json_decode(name->p, name->n).n;
	}
	const struct packet_field *f = field_find(w, (struct str){ name->p, name->n });
	if (!f)
		return other_read(g, w, name);
	g->reader->_extra.n = extra_n;
	uint32_t bit = UINT32_C(1) << (f - w->object->fields);
	if (w->seen & bit)
		return broken(g, "a name stands twice");
	w->seen |= bit;
	return packet_field_read(g, f, w->level, (char *)w->to + f->offset);
}

static void must_check(struct reading *g, const struct walk *w)
{
	uint32_t missing = w->object->must & ~w->seen;
	if (!missing)
		return;
	const struct packet_field *f = &w->object->fields[__builtin_ctz(missing)];
	packet_bad(g, REFUSAL_BAD, "'%s' is missing in '%s'.", f->key, w->key);
}

bool packet_object_read(struct reading *g, struct walk *w)
{
	static_assert(JSON_DEPTH_MAX >= 4, "objects that have rows are never too deep");
	memcpy(w->to, w->object->absent, w->object->bytes);
	w->number = ++g->objects;
	json_scan_space(&g->scan);
	if (g->scan.p == g->scan.end || *g->scan.p != '{') {
		struct json_value v;
		packet_bad(g, REFUSAL_BAD, "'%s' must be an object.", w->key);
		return json_scan_value(&g->scan, JSON_LEMP, w->level - 1, &v);
	}
	g->scan.p++;
	for (bool first = true;; first = false) {
		struct json_value name;
		switch (json_scan_member(&g->scan, first, &name)) {
		case JSON_STEP_BROKEN: return false;
		case JSON_STEP_END: must_check(g, w); return true;
		case JSON_STEP_MEMBER: break;
		}
		if (!member_read(g, w, &name))
			return false;
	}
}

/* ---- the packet ---- */

struct kind_row {
	struct str key;
	enum packet_kind kind;
};

#define X(KIND, key, object) { { key, sizeof(key) - 1 }, PACKET_##KIND },
static const struct kind_row requests[] = { PACKET_REQUESTS(X) };
static const struct kind_row data[] = { PACKET_DATA(X) };
#undef X

#define KIND_FIND(rows, key) kind_find(rows, sizeof(rows) / sizeof((rows)[0]), key)

static const struct kind_row *kind_find(const struct kind_row *rows, size_t n,
					const struct json_value *key)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(rows[i].key, (struct str){ key->p, key->n }))
			return &rows[i];
	}
	return NULL;
}

/* The structs of all kinds share their place. */
static void *kind_place(struct packet *p)
{
	return &p->m;
}

/* Reads the object of a kind, or the value it is itself, into its place in the packet. */
static bool kind_read(struct reading *g, const struct walk *around, const struct kind_row *row)
{
	struct walk w = { .object = packet_kind_objects[row->kind], .key = row->key.p,
			  .to = kind_place(g->out), .level = around->level + 1,
			  .other = row->kind == PACKET_M ? extra_read : NULL };
	g->out->kind = row->kind;
	if (w.object->fields[0].key_n)
		return packet_object_read(g, &w);
	struct packet_field itself = w.object->fields[0];
	memcpy(itself.key, row->key.p, row->key.n + 1); /* for sentences */
	memcpy(w.to, w.object->absent, w.object->bytes);
	return packet_field_read(g, &itself, around->level, w.to);
}

/* A member of `rq` beside its id. */
static bool request_read(struct reading *g, struct walk *w, const struct json_value *name)
{
	const struct kind_row *row = KIND_FIND(requests, name);
	if (!row)
		return ignored_read(g, w);
	if (g->request) {
		packet_bad(g, REFUSAL_BAD, "More than one request.");
		g->out->kind = PACKET_UNKNOWN;
		return ignored_read(g, w);
	}
	g->request = true;
	return kind_read(g, w, row);
}

static bool rq_read(struct reading *g, const struct walk *around)
{
	struct packet_rq rq;
	struct walk w = { .object = &packet_objects[PACKET_OBJECT_rq], .key = "rq", .to = &rq,
			  .level = around->level + 1, .other = request_read };
	bool whole = packet_object_read(g, &w);
	g->out->id = rq.id;
	if (whole && !g->request)
		packet_bad(g, REFUSAL_BAD, "No request, or an unknown one.");
	return whole;
}

/* A member of the packet: its datum, or what is ignored beside it. */
static bool datum_read(struct reading *g, struct walk *w, const struct json_value *name)
{
	struct str key = { name->p, name->n };
	bool rq = str_eq(key, STR("rq"));
	const struct kind_row *row = KIND_FIND(data, name);
	if (str_eq(key, STR("rp")) || str_eq(key, STR("srp")) || str_eq(key, STR("i")))
		packet_bad(g, REFUSAL_BAD, "Only a server sends this.");
	if (!rq && !row)
		return ignored_read(g, w);
	if (g->datum) {
		packet_bad(g, REFUSAL_BAD, "More than one of rq, srq and m.");
		g->out->kind = PACKET_UNKNOWN;
		return ignored_read(g, w);
	}
	g->datum = true;
	if (rq)
		return rq_read(g, w);
	bool whole = kind_read(g, w, row);
	g->out->id = row->kind == PACKET_M ? g->out->m.id : g->out->srq.id;
	return whole;
}

static bool top_read(struct reading *g)
{
	static const struct packet_object top = { .name = "packet", .absent = "" };
	char none;
	struct walk w = { .object = &top, .key = "packet", .to = &none, .level = 1,
			  .other = datum_read };
	if (!packet_object_read(g, &w) || !json_scan_end(&g->scan))
		return false;
	if (!g->datum)
		packet_bad(g, REFUSAL_BAD, "None of rq, srq and m.");
	return true;
}

/* ---- interface ---- */

void packet_reader_init(struct packet_reader *r, bool names_ascii, size_t packet_max)
{
	*r = (struct packet_reader){ .names_ascii = names_ascii, ._names = packet_names_create() };
	/* A member takes at least `a:1,` and grows by at most the quotes of its name. */
	buf_init(&r->_extra, packet_max * 2);
	/* `{u:"b"},` grows by one byte, nothing by more than half. */
	buf_init(&r->_lists, packet_max * 2);
}

void packet_reader_deinit(struct packet_reader *r)
{
	buf_deinit(&r->_extra);
	buf_deinit(&r->_lists);
	packet_names_destroy(&r->_names);
}

enum packet_status packet_read(struct packet_reader *r, char *text, size_t n, struct packet *out)
{
	struct reading g = { .scan = { text, text + n, NULL }, .reader = r, .out = out,
			     .bytes = n };
	buf_clear(&r->_extra);
	buf_clear(&r->_lists);
	packet_names_clear(r->_names);
	out->kind = PACKET_UNKNOWN;
	out->id = out->extra = STR_NONE;
	out->refusal = REFUSAL_NONE;
	out->why[0] = '\0';
	if (!top_read(&g)) {
		g.status = PACKET_OK; /* being broken goes before a rule already found broken */
		packet_bad(&g, REFUSAL_BAD, "Malformed at byte %zu: %s.",
			   (size_t)(g.scan.p - text), g.scan.why);
		return PACKET_MALFORMED;
	}
	if (out->kind == PACKET_M && r->_extra.n)
		out->extra = buf_view(&r->_extra);
	return g.status;
}

unsigned packet_views(struct packet *p, struct str **out)
{
	unsigned n = 0;
	out[n++] = &p->id;
	out[n++] = &p->extra;
	const struct packet_object *object = packet_kind_objects[p->kind];
	for (unsigned i = 0; object && i < object->count; i++) {
		const struct packet_field *f = &object->fields[i];
		if (f->type != PACKET_TYPE_FLAG && f->type != PACKET_TYPE_TIME)
			out[n++] = (void *)((char *)kind_place(p) + f->offset);
	}
	return n;
}

static struct str member_text(const struct packet_field *f, const void *member)
{
	switch (f->type) {
	case PACKET_TYPE_FLAG: return *(const int8_t *)member < 0 ? STR_NONE : STR("");
	case PACKET_TYPE_TIME: return *(const int64_t *)member < 0 ? STR_NONE : STR("");
	default: return *(const struct str *)member;
	}
}

struct str packet_member(const struct packet *p, struct str key)
{
	const struct packet_object *object = packet_kind_objects[p->kind];
	for (unsigned i = 0; object && i < object->count; i++) {
		const struct packet_field *f = &object->fields[i];
		if (str_eq((struct str){ f->key, f->key_n }, key))
			return member_text(f, (const char *)&p->m + f->offset);
	}
	return STR_NONE;
}

struct str packet_selector(const struct packet *p)
{
	switch (p->kind) {
	case PACKET_RQ_G: return p->g.t;
	case PACKET_RQ_BR: return p->br.t;
	case PACKET_RQ_P: return p->p.t;
	case PACKET_RQ_N: return p->n.t;
	case PACKET_RQ_ST: return p->st.t;
	case PACKET_RQ_GET: return p->get.o;
	case PACKET_RQ_AD: return p->ad.c;
	case PACKET_SRQ: return p->srq.t;
	default: return STR_NONE;
	}
}
