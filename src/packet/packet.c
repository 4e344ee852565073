/* The reader: one pass over the text, by the rows of packets.def.
 *
 *   packet_read   {                                              level 1
 *   datum_read      "m": {                                       level 2
 *   object_read       members of the row's object …
 *   dm_read           "dm": { "id": … }                          level 3
 *
 * Functions here return false when the text is broken (g->scan says where) and all reading ends.
 * What parses but breaks a rule is noted by bad(), the first time only, and reading goes on:
 * broken text goes before anything else (protocol.md 13.3). */
#include "packet/packet.h"
#include "packet/json_scan.h"
#include "packet/name.h"
#include "packet/packet_names.h"
#include "packet/packet_table.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define TIME_MAX ((INT64_C(1) << 53) - 1)

/* One packet being read. */
struct reading {
	struct json_scan scan;
	struct packet_reader *reader;
	struct packet *out;
	enum packet_status status;
	unsigned objects; /* begun so far */
	bool datum;       /* one was met */
	bool request;     /* one was met, in rq */
};

/* One object being read. */
struct walk {
	const struct packet_object *object;
	const char *key; /* of the member it is the value of */
	void *to;        /* its struct */
	unsigned level;  /* of the object; its members' values are one deeper */
	unsigned number; /* tells its names from another object's */
	unsigned next;   /* members mostly come in the order of their rows: the row after the last */
	uint32_t seen;   /* rows met, as bits */
	/* Reads the value of a member that has no row and is called `name`, decoded; NULL: it is
	 * ignored. */
	bool (*other)(struct reading *g, struct walk *w, const struct json_value *name);
};

PRINTF_LIKE(3, 4)
static void bad(struct reading *g, enum refusal refusal, const char *why, ...)
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

/* ---- values of fields ---- */

static bool is_integer(struct str s)
{
	for (size_t i = s.n && s.p[0] == '-'; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true; /* of a number the scanner let pass: it has digits and no leading zero */
}

static void id_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		    struct str *to)
{
	bool number = v->kind == JSON_KIND_NUMBER && is_integer((struct str){ v->p, v->n });
	if (v->kind != JSON_KIND_STRING && !number) {
		bad(g, REFUSAL_BAD, "'%s' must be a string or an integer.", f->key);
		return;
	}
	struct str id = number ? (struct str){ v->p, v->n } : json_decode(v->p, v->n);
	if (id.n > f->bytes_max)
		bad(g, REFUSAL_TOO_LONG, "'%s' is longer than %u bytes.", f->key, f->bytes_max);
	else if (!id.n)
		bad(g, REFUSAL_BAD, "'%s' is empty.", f->key);
	else
		*to = id;
}

static void name_take(struct reading *g, const struct packet_field *f, struct str name,
		      struct str *to)
{
	enum name_verdict verdict = name_check(name, g->reader->names_ascii);
	if (verdict == NAME_GOOD)
		*to = name;
	else
		bad(g, verdict == NAME_TOO_LONG ? REFUSAL_TOO_LONG : REFUSAL_BAD, "'%s' %s.",
		    f->key, name_verdict_text(verdict));
}

static void text_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		      struct str *to)
{
	if (v->kind != JSON_KIND_STRING) {
		bad(g, REFUSAL_BAD, "'%s' must be a string.", f->key);
		return;
	}
	struct str s = v->escaped ? json_decode(v->p, v->n) : (struct str){ v->p, v->n };
	if (f->type == PACKET_TYPE_NAME)
		name_take(g, f, s, to);
	else if (!f->bytes_max || s.n <= f->bytes_max)
		*to = s;
	else if (f->type == PACKET_TYPE_WORD)
		bad(g, REFUSAL_BAD, "'%s' is none of the values it may have.", f->key);
	else
		bad(g, REFUSAL_TOO_LONG, "'%s' is longer than %u bytes.", f->key, f->bytes_max);
}

static void flag_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		      int8_t *to)
{
	bool scalar = v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_NUMBER;
	struct str s = v->escaped ? json_decode(v->p, v->n) : (struct str){ v->p, v->n };
	if (scalar && s.n == 1 && (s.p[0] == '0' || s.p[0] == '1'))
		*to = (int8_t)(s.p[0] - '0');
	else
		bad(g, REFUSAL_BAD, "'%s' must be 0 or 1.", f->key);
}

/* 0|[1-9][0-9]* up to TIME_MAX, else -1. */
static int64_t time_parse(struct str s)
{
	if (!s.n || s.n > 16 || (s.p[0] == '0' && s.n > 1))
		return -1;
	int64_t t = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		t = t * 10 + (s.p[i] - '0');
	}
	return t <= TIME_MAX ? t : -1;
}

static void time_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		      int64_t *to)
{
	struct str s = v->escaped ? json_decode(v->p, v->n) : (struct str){ v->p, v->n };
	bool scalar = v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_NUMBER;
	int64_t t = scalar ? time_parse(s) : -1;
	if (t < 0)
		bad(g, REFUSAL_BAD, "'%s' must be a time in milliseconds.", f->key);
	else
		*to = t;
}

static struct str raw_view(const struct json_value *v)
{
	if (v->kind == JSON_KIND_STRING)
		return (struct str){ v->p - 1, v->n + 2 }; /* with its quotes */
	return (struct str){ v->p, v->n };
}

static bool object_read(struct reading *g, struct walk *w);

static bool dm_read(struct reading *g, const struct packet_field *f, unsigned depth, struct str *to)
{
	struct packet_dm dm;
	struct walk w = { .object = &packet_objects[PACKET_OBJECT_dm], .key = f->key, .to = &dm,
			  .level = depth + 1 };
	bool whole = object_read(g, &w);
	*to = dm.id;
	return whole;
}

static bool list_element(struct reading *g, const struct packet_field *f, unsigned depth)
{
	struct buf *lists = &g->reader->_lists;
	if (f->type == PACKET_TYPE_PAIRS) {
		struct packet_pair pair;
		struct walk w = { .object = &packet_objects[PACKET_OBJECT_pair], .key = "pair", .to = &pair,
				  .level = depth + 1 };
		if (!object_read(g, &w))
			return false;
		strs_add(lists, pair.u);
		strs_add(lists, pair.n);
		return true;
	}
	struct json_value v;
	struct str name = STR_NONE;
	if (!json_scan_value(&g->scan, JSON_LEMP, depth, &v))
		return false;
	if (v.kind != JSON_KIND_STRING)
		bad(g, REFUSAL_BAD, "'%s' must be a list of strings.", f->key);
	else
		name_take(g, f, v.escaped ? json_decode(v.p, v.n) : (struct str){ v.p, v.n }, &name);
	strs_add(lists, name);
	return true;
}

static bool list_read(struct reading *g, const struct packet_field *f, unsigned depth, struct str *to)
{
	struct buf *lists = &g->reader->_lists;
	size_t from = lists->n, count = 0;
	json_scan_space(&g->scan);
	if (g->scan.p == g->scan.end || *g->scan.p != '[') {
		struct json_value v;
		bad(g, REFUSAL_BAD, "'%s' must be an array.", f->key);
		return json_scan_value(&g->scan, JSON_LEMP, depth, &v);
	}
	g->scan.p++;
	json_scan_space(&g->scan);
	if (g->scan.p < g->scan.end && *g->scan.p == ']') {
		g->scan.p++;
		*to = (struct str){ lists->p + from, 0 };
		if (!to->p)
			*to = STR("");
		return true;
	}
	for (;;) {
		if (!list_element(g, f, depth + 1))
			return false;
		if (++count > f->bytes_max && f->bytes_max)
			bad(g, REFUSAL_TOO_LONG, "'%s' has more than %u elements.", f->key, f->bytes_max);
		json_scan_space(&g->scan);
		if (g->scan.p == g->scan.end)
			return broken(g, "unexpected end");
		char c = *g->scan.p++;
		if (c == ']')
			break;
		if (c != ',')
			return broken(g, "no comma");
	}
	*to = (struct str){ lists->p + from, lists->n - from };
	return true;
}

/* Reads the value of a field into its member. `depth` levels are open around it. */
static bool field_read(struct reading *g, const struct packet_field *f, unsigned depth, void *to)
{
	if (f->type == PACKET_TYPE_DM)
		return dm_read(g, f, depth, to);
	if (f->type == PACKET_TYPE_NAMES || f->type == PACKET_TYPE_PAIRS)
		return list_read(g, f, depth, to);
	struct json_value v;
	enum json_dialect dialect = f->type == PACKET_TYPE_RAW ? JSON_RFC8259 : JSON_LEMP;
	if (!json_scan_value(&g->scan, dialect, depth, &v))
		return false;
	switch ((enum packet_type)f->type) {
	case PACKET_TYPE_ID: id_take(g, f, &v, to); break;
	case PACKET_TYPE_NAME:
	case PACKET_TYPE_TEXT:
	case PACKET_TYPE_WORD: text_take(g, f, &v, to); break;
	case PACKET_TYPE_FLAG: flag_take(g, f, &v, to); break;
	case PACKET_TYPE_TIME: time_take(g, f, &v, to); break;
	case PACKET_TYPE_RAW: *(struct str *)to = raw_view(&v); break;
	case PACKET_TYPE_OURS:
	case PACKET_TYPE_DM:
	case PACKET_TYPE_NAMES:
	case PACKET_TYPE_PAIRS:
	case PACKET_TYPE_COUNT: break;
	}
	return true;
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
	buf_str(extra, raw_view(&v));
	if (extra->failed)
		bad(g, REFUSAL_TOO_LONG, "The unknown members take too much room.");
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
	case NAMES_NO_MEMORY: bad(g, REFUSAL_TOO_LONG, "Too many unknown members."); break;
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
	return field_read(g, f, w->level, (char *)w->to + f->offset);
}

static void must_check(struct reading *g, const struct walk *w)
{
	uint32_t missing = w->object->must & ~w->seen;
	if (!missing)
		return;
	const struct packet_field *f = &w->object->fields[__builtin_ctz(missing)];
	bad(g, REFUSAL_BAD, "'%s' is missing in '%s'.", f->key, w->object->name);
}

/* Reads a value that must be an object into the walk's struct. */
static bool object_read(struct reading *g, struct walk *w)
{
	static_assert(JSON_DEPTH_MAX >= 3, "objects that have rows are never too deep");
	memcpy(w->to, w->object->absent, w->object->bytes);
	w->number = ++g->objects;
	json_scan_space(&g->scan);
	if (g->scan.p == g->scan.end || *g->scan.p != '{') {
		struct json_value v;
		bad(g, REFUSAL_BAD, "'%s' must be an object.", w->key);
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

/* Reads the object of a kind into its place in the packet. */
static bool kind_read(struct reading *g, const struct walk *around, const struct kind_row *row)
{
	struct walk w = { .object = packet_kind_objects[row->kind], .key = row->key.p,
			  .to = kind_place(g->out), .level = around->level + 1,
			  .other = row->kind == PACKET_M ? extra_read : NULL };
	g->out->kind = row->kind;
	if (w.object->count == 1 && !w.object->fields[0].key_n) {
		struct packet_field f = w.object->fields[0];
		memcpy(f.key, row->key.p, row->key.n + 1);
		return field_read(g, &f, around->level, w.to);
	}
	return object_read(g, &w);
}

/* A member of `rq` beside its id. */
static bool request_read(struct reading *g, struct walk *w, const struct json_value *name)
{
	const struct kind_row *row = KIND_FIND(requests, name);
	if (!row)
		return ignored_read(g, w);
	if (g->request) {
		bad(g, REFUSAL_BAD, "More than one request.");
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
	bool whole = object_read(g, &w);
	g->out->id = rq.id;
	if (whole && !g->request)
		bad(g, REFUSAL_BAD, "No request, or an unknown one.");
	return whole;
}

/* A member of the packet: its datum, or what is ignored beside it. */
static bool datum_read(struct reading *g, struct walk *w, const struct json_value *name)
{
	struct str key = { name->p, name->n };
	bool rq = str_eq(key, STR("rq"));
	const struct kind_row *row = KIND_FIND(data, name);
	if (str_eq(key, STR("rp")) || str_eq(key, STR("srp")) || str_eq(key, STR("i")))
		bad(g, REFUSAL_BAD, "Only a server sends this.");
	if (!rq && !row)
		return ignored_read(g, w);
	if (g->datum) {
		bad(g, REFUSAL_BAD, "More than one of rq, srq and m.");
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
	if (!object_read(g, &w) || !json_scan_end(&g->scan))
		return false;
	if (!g->datum)
		bad(g, REFUSAL_BAD, "None of rq, srq and m.");
	return true;
}

/* ---- interface ---- */

void packet_reader_init(struct packet_reader *r, bool names_ascii, size_t packet_max)
{
	*r = (struct packet_reader){ .names_ascii = names_ascii, ._names = packet_names_create() };
	/* A member takes at least `a:1,` and grows by at most the quotes of its name. */
	buf_init(&r->_extra, packet_max * 2);
	buf_init(&r->_lists, packet_max * 2 + 64);
}

void packet_reader_deinit(struct packet_reader *r)
{
	buf_deinit(&r->_extra);
	buf_deinit(&r->_lists);
	packet_names_destroy(&r->_names);
}

enum packet_status packet_read(struct packet_reader *r, char *text, size_t n, struct packet *out)
{
	struct reading g = { .scan = { text, text + n, NULL }, .reader = r, .out = out };
	buf_clear(&r->_extra);
	buf_clear(&r->_lists);
	(void)!buf_reserve(&r->_lists, n * 2);
	packet_names_clear(r->_names);
	out->kind = PACKET_UNKNOWN;
	out->id = out->extra = STR_NONE;
	out->refusal = REFUSAL_NONE;
	out->why[0] = '\0';
	if (!top_read(&g)) {
		g.status = PACKET_OK; /* being broken goes before a rule already found broken */
		bad(&g, REFUSAL_BAD, "Malformed at byte %zu: %s.", (size_t)(g.scan.p - text),
		    g.scan.why);
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
	CHECK(n <= PACKET_VIEWS_MAX);
	return n;
}

struct str packet_member(const struct packet *p, struct str key)
{
	const struct packet_object *object = packet_kind_objects[p->kind];
	for (unsigned i = 0; object && i < object->count; i++) {
		const struct packet_field *f = &object->fields[i];
		const void *at = (const char *)&p->m + f->offset;
		if (f->key_n != key.n || memcmp(f->key, key.p, key.n) != 0)
			continue;
		if (f->type == PACKET_TYPE_FLAG)
			return *(const int8_t *)at < 0 ? STR_NONE : STR("");
		if (f->type == PACKET_TYPE_TIME)
			return *(const int64_t *)at < 0 ? STR_NONE : STR("");
		return *(const struct str *)at;
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
