/* The reader's values: each type of packets.def, from a value in the text to the member of a
 * struct. */
#include "packet/name.h"
#include "packet/packet_reading.h"

#define TIME_MAX ((INT64_C(1) << 53) - 1)

/* ---- single values ---- */

static bool is_integer(struct str s)
{
	for (size_t i = s.n && s.p[0] == '-'; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true; /* of a number the scanner let pass: it has digits and no leading zero */
}

static struct str text_view(const struct json_value *v)
{
	return v->escaped ? json_decode(v->p, v->n) : (struct str){ v->p, v->n };
}

static void id_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		    struct str *to)
{
	bool number = v->kind == JSON_KIND_NUMBER && is_integer((struct str){ v->p, v->n });
	if (v->kind != JSON_KIND_STRING && !number) {
		packet_bad(g, REFUSAL_BAD, "'%s' must be a string or an integer.", f->key);
		return;
	}
	struct str id = text_view(v);
	if (id.n > f->bytes_max)
		packet_bad(g, REFUSAL_TOO_LONG, "'%s' is longer than %u bytes.", f->key, f->bytes_max);
	else if (!id.n)
		packet_bad(g, REFUSAL_BAD, "'%s' is empty.", f->key);
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
		packet_bad(g, verdict == NAME_TOO_LONG ? REFUSAL_TOO_LONG : REFUSAL_BAD, "'%s' %s.",
			   f->key, name_verdict_text(verdict));
}

static void text_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		      struct str *to)
{
	if (v->kind != JSON_KIND_STRING) {
		packet_bad(g, REFUSAL_BAD, "'%s' must be a string.", f->key);
		return;
	}
	struct str s = text_view(v);
	if (f->type == PACKET_TYPE_NAME)
		name_take(g, f, s, to);
	else if (!f->bytes_max || s.n <= f->bytes_max)
		*to = s;
	else if (f->type == PACKET_TYPE_WORD)
		packet_bad(g, REFUSAL_BAD, "'%s' is none of the values it may have.", f->key);
	else
		packet_bad(g, REFUSAL_TOO_LONG, "'%s' is longer than %u bytes.", f->key, f->bytes_max);
}

static void flag_take(struct reading *g, const struct packet_field *f, const struct json_value *v,
		      int8_t *to)
{
	bool scalar = v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_NUMBER;
	struct str s = text_view(v);
	if (scalar && s.n == 1 && (s.p[0] == '0' || s.p[0] == '1'))
		*to = (int8_t)(s.p[0] - '0');
	else
		packet_bad(g, REFUSAL_BAD, "'%s' must be 0 or 1.", f->key);
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
	struct str s = text_view(v);
	bool scalar = v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_NUMBER;
	int64_t t = scalar ? time_parse(s) : -1;
	if (t < 0)
		packet_bad(g, REFUSAL_BAD, "'%s' must be a time in milliseconds.", f->key);
	else
		*to = t;
}

static bool dm_read(struct reading *g, const struct packet_field *f, unsigned depth, struct str *to)
{
	struct packet_dm dm;
	struct walk w = { .object = &packet_objects[PACKET_OBJECT_dm], .key = f->key, .to = &dm,
			  .level = depth + 1 };
	bool whole = packet_object_read(g, &w);
	*to = dm.id;
	return whole;
}

/* ---- lists ---- */

static void list_add(struct reading *g, struct str s)
{
	if (g->status == PACKET_OK) /* else nobody will read it */
		strs_add(&g->reader->_lists, s);
}

static bool pair_read(struct reading *g, const struct packet_field *f, unsigned depth)
{
	struct packet_pair pair;
	struct walk w = { .object = &packet_objects[PACKET_OBJECT_pair], .key = f->key, .to = &pair,
			  .level = depth + 1 };
	json_scan_space(&g->scan);
	if (g->scan.p < g->scan.end && *g->scan.p != '{')
		packet_bad(g, REFUSAL_BAD, "'%s' must be an array of objects.", f->key);
	if (!packet_object_read(g, &w))
		return false;
	list_add(g, pair.u);
	list_add(g, pair.n);
	return true;
}

static bool name_read(struct reading *g, const struct packet_field *f, unsigned depth)
{
	struct json_value v;
	struct str name = STR_NONE;
	if (!json_scan_value(&g->scan, JSON_LEMP, depth, &v))
		return false;
	if (v.kind == JSON_KIND_STRING)
		name_take(g, f, text_view(&v), &name);
	else
		packet_bad(g, REFUSAL_BAD, "'%s' must be an array of strings.", f->key);
	list_add(g, name);
	return true;
}

/* After the `[`: all elements and the `]`. */
static bool elements_read(struct reading *g, const struct packet_field *f, unsigned depth,
			  size_t *count_out)
{
	for (*count_out = 0;; ++*count_out) {
		switch (json_scan_element(&g->scan, !*count_out)) {
		case JSON_STEP_BROKEN: return false;
		case JSON_STEP_END: return true;
		case JSON_STEP_MEMBER: break;
		}
		bool whole = f->type == PACKET_TYPE_PAIRS ? pair_read(g, f, depth)
							  : name_read(g, f, depth);
		if (!whole)
			return false;
	}
}

static bool list_read(struct reading *g, const struct packet_field *f, unsigned depth,
		      struct str *to)
{
	struct buf *lists = &g->reader->_lists;
	json_scan_space(&g->scan);
	if (g->scan.p == g->scan.end || *g->scan.p != '[') {
		struct json_value v;
		packet_bad(g, REFUSAL_BAD, "'%s' must be an array.", f->key);
		return json_scan_value(&g->scan, JSON_LEMP, depth, &v);
	}
	g->scan.p++;
	size_t from = lists->n, count;
	/* Room for all lists of the packet: none moves when another one is read. */
	bool room = buf_reserve(lists, 2 * g->bytes - from);
	if (!elements_read(g, f, depth + 1, &count))
		return false;
	if (f->bytes_max && count > f->bytes_max)
		packet_bad(g, REFUSAL_TOO_LONG, "'%s' has more than %u elements.", f->key, f->bytes_max);
	else if (!room)
		packet_bad(g, REFUSAL_TOO_LONG, "'%s' takes too much room.", f->key);
	if (g->status == PACKET_OK)
		*to = (struct str){ lists->p + from, lists->n - from };
	return true;
}

bool packet_field_read(struct reading *g, const struct packet_field *f, unsigned depth, void *to)
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
	case PACKET_TYPE_RAW: *(struct str *)to = json_value_raw(&v); break;
	case PACKET_TYPE_OURS:
	case PACKET_TYPE_DM:
	case PACKET_TYPE_NAMES:
	case PACKET_TYPE_PAIRS:
	case PACKET_TYPE_COUNT: break;
	}
	return true;
}
