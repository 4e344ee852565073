#include "packet/json_scan.h"
#include <stdint.h>

static bool json_broken(struct json_scan *s, const char *why)
{
	s->why = why;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

/* Four hexadecimal digits; -1 if they aren't. */
static int hex4(const char *p, const char *end)
{
	if (end - p < 4)
		return -1;
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int c = p[i] | 0x20;
		if (is_digit(p[i]))
			v = v << 4 | (p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* At a backslash. A surrogate without its other half has no UTF-8 form and could be neither stored
 * nor sent on (protocol.md section 2). */
static bool scan_escape(struct json_scan *s)
{
	char c = s->end - s->p > 1 ? s->p[1] : '\0';
	if (c != 'u') {
		if (!c || !strchr("\"\\/bfnrt", c))
			return json_broken(s, "unknown escape");
		s->p += 2;
		return true;
	}
	int high = hex4(s->p + 2, s->end);
	if (high < 0)
		return json_broken(s, "unknown escape");
	if (high < 0xD800 || high > 0xDFFF) {
		s->p += 6;
		return true;
	}
	bool pair = high <= 0xDBFF && s->end - s->p >= 12 && s->p[6] == '\\' && s->p[7] == 'u';
	int low = pair ? hex4(s->p + 8, s->end) : -1;
	if (low < 0xDC00 || low > 0xDFFF)
		return json_broken(s, "unpaired surrogate");
	s->p += 12;
	return true;
}

/* At the opening quote. */
static bool scan_string(struct json_scan *s, struct json_value *out)
{
	out->kind = JSON_KIND_STRING;
	out->bare = false;
	out->escaped = false;
	out->p = ++s->p;
	for (;;) {
		s->p += json_plain_end(s->p, s->end) - s->p;
		if (s->p == s->end)
			return json_broken(s, "string without end");
		if (*s->p == '"')
			break;
		if (*s->p != '\\')
			return json_broken(s, "control character in a string");
		out->escaped = true;
		if (!scan_escape(s))
			return false;
	}
	out->n = (size_t)(s->p - out->p);
	s->p++;
	return true;
}

static bool scan_digits(struct json_scan *s)
{
	char *from = s->p;
	while (s->p < s->end && is_digit(*s->p))
		s->p++;
	return s->p > from || json_broken(s, "digit missing");
}

static bool scan_number(struct json_scan *s)
{
	if (*s->p == '-')
		s->p++;
	char *from = s->p;
	if (!scan_digits(s))
		return false;
	if (*from == '0' && s->p > from + 1)
		return json_broken(s, "leading zero");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return scan_digits(s);
	}
	return true;
}

static bool scan_literal(struct json_scan *s, struct str word)
{
	if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0)
		return json_broken(s, "unexpected character");
	s->p += word.n;
	return true;
}

/* Anything but an object or array. */
static bool scan_scalar(struct json_scan *s, struct json_value *out)
{
	if (s->p == s->end)
		return json_broken(s, "value missing");
	if (*s->p == '"')
		return scan_string(s, out);
	bool good;
	out->p = s->p;
	out->bare = out->escaped = false;
	out->kind = JSON_KIND_LITERAL;
	switch (*s->p) {
	case 't': good = scan_literal(s, STR("true")); break;
	case 'f': good = scan_literal(s, STR("false")); break;
	case 'n': good = scan_literal(s, STR("null")); break;
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		out->kind = JSON_KIND_NUMBER;
		good = scan_number(s);
		break;
	default: return json_broken(s, "unexpected character");
	}
	out->n = (size_t)(s->p - out->p);
	return good;
}

/* White space, a name, its colon. */
static bool scan_name(struct json_scan *s, enum json_dialect dialect, struct json_value *out)
{
	json_scan_space(s);
	if (s->p < s->end && *s->p == '"') {
		if (!scan_string(s, out))
			return false;
	} else if (dialect == JSON_LEMP && s->p < s->end && is_name_start(*s->p)) {
		*out = (struct json_value){ .kind = JSON_KIND_STRING, .bare = true, .p = s->p };
		do
			s->p++;
		while (s->p < s->end && (is_name_start(*s->p) || is_digit(*s->p)));
		out->n = (size_t)(s->p - out->p);
	} else {
		return json_broken(s, "name missing");
	}
	json_scan_space(s);
	if (s->p == s->end || *s->p != ':')
		return json_broken(s, "colon missing");
	s->p++;
	return true;
}

/* What is open around the cursor, beside the levels around the value being scanned. */
struct nesting {
	uint64_t objects; /* a bit for each level, the innermost lowest: 1 object, 0 array */
	unsigned levels;
	unsigned levels_max;
};
_Static_assert(JSON_DEPTH_MAX < 64, "one bit each");

/* At `{` or `[`. Moves to the first value inside, or past the closing bracket if there is none. */
static bool nesting_open(struct nesting *n, struct json_scan *s, enum json_dialect dialect,
			 bool *empty_out)
{
	bool object = *s->p == '{';
	if (n->levels == n->levels_max)
		return json_broken(s, "nested too deeply");
	s->p++;
	json_scan_space(s);
	*empty_out = s->p < s->end && *s->p == (object ? '}' : ']');
	if (*empty_out) {
		s->p++;
		return true;
	}
	n->levels++;
	n->objects = n->objects << 1 | object;
	struct json_value name;
	return !object || scan_name(s, dialect, &name);
}

/* After a value: closes what ends here and moves to the next value, if one is still to come. */
static bool nesting_next(struct nesting *n, struct json_scan *s, enum json_dialect dialect)
{
	while (n->levels) {
		bool object = n->objects & 1;
		json_scan_space(s);
		if (s->p == s->end)
			return json_broken(s, object ? "object without end" : "array without end");
		if (*s->p == ',') {
			struct json_value name;
			s->p++;
			return !object || scan_name(s, dialect, &name);
		}
		if (*s->p != (object ? '}' : ']'))
			return json_broken(s, "comma or closing bracket missing");
		s->p++;
		n->levels--;
		n->objects >>= 1;
	}
	return true;
}

static bool scan_nested(struct json_scan *s, enum json_dialect dialect, unsigned depth)
{
	struct nesting n = { .levels_max = JSON_DEPTH_MAX - depth };
	do {
		json_scan_space(s);
		bool whole = true;
		if (s->p < s->end && (*s->p == '{' || *s->p == '[')) {
			if (!nesting_open(&n, s, dialect, &whole))
				return false;
		} else {
			struct json_value scalar;
			if (!scan_scalar(s, &scalar))
				return false;
		}
		if (whole && !nesting_next(&n, s, dialect))
			return false;
	} while (n.levels);
	return true;
}

bool json_scan_value(struct json_scan *s, enum json_dialect dialect, unsigned depth,
		     struct json_value *out)
{
	json_scan_space(s);
	if (s->p == s->end || (*s->p != '{' && *s->p != '['))
		return scan_scalar(s, out);
	*out = (struct json_value){ .kind = *s->p == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY, .p = s->p };
	bool good = scan_nested(s, dialect, depth);
	out->n = (size_t)(s->p - out->p);
	return good;
}

/* Moves over the closing bracket, or over the comma before the next member. */
static inline enum json_step scan_step(struct json_scan *s, bool first, char closing)
{
	json_scan_space(s);
	if (s->p < s->end && *s->p == closing) {
		s->p++;
		return JSON_STEP_END;
	}
	if (first)
		return JSON_STEP_MEMBER;
	if (s->p == s->end || *s->p != ',') {
		s->why = "comma or closing bracket missing";
		return JSON_STEP_BROKEN;
	}
	s->p++;
	return JSON_STEP_MEMBER;
}

enum json_step json_scan_member(struct json_scan *s, bool first, struct json_value *name_out)
{
	enum json_step step = scan_step(s, first, '}');
	if (step == JSON_STEP_MEMBER && !scan_name(s, JSON_LEMP, name_out))
		return JSON_STEP_BROKEN;
	return step;
}

enum json_step json_scan_element(struct json_scan *s, bool first)
{
	return scan_step(s, first, ']');
}

bool json_scan_end(struct json_scan *s)
{
	json_scan_space(s);
	return s->p == s->end || json_broken(s, "something after the end");
}
