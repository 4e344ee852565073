/* The one pass over JSON text that json_valid and packet_read share: a cursor that moves over one
 * name or value at a time. No allocation, no recursion, nothing is changed. The text must be valid
 * UTF-8. Private to packet/. */
#pragma once
#include "packet/json.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct json_scan {
	char *p;         /* next byte; where it broke when something here returned false */
	char *end;
	const char *why; /* how it broke: a constant sentence fragment */
};

enum json_kind { JSON_KIND_STRING, JSON_KIND_NUMBER, JSON_KIND_LITERAL, JSON_KIND_OBJECT, JSON_KIND_ARRAY };

struct json_value {
	enum json_kind kind;
	bool bare;    /* a name without quotes */
	bool escaped; /* a string or name with escapes: json_decode it before comparing */
	char *p;      /* of a string what stands between the quotes, else all of the value */
	size_t n;
};

/* All of the value as it stands in the text: a string with its quotes. */
static inline struct str json_value_raw(const struct json_value *v)
{
	size_t quote = v->kind == JSON_KIND_STRING;
	return (struct str){ v->p - quote, v->n + 2 * quote };
}

enum json_step { JSON_STEP_BROKEN, JSON_STEP_MEMBER, JSON_STEP_END };

/* Moves over white space. */
static inline void json_scan_space(struct json_scan *s)
{
	while (s->p < s->end && (unsigned char)*s->p <= ' ') {
		if (*s->p != ' ' && *s->p != '\n' && *s->p != '\r' && *s->p != '\t')
			return;
		s->p++;
	}
}

/* Moves over white space and one value, whatever stands in it. `depth` objects and arrays are open
 * around it. false: broken. */
bool json_scan_value(struct json_scan *s, enum json_dialect dialect, unsigned depth,
		     struct json_value *out);
/* In an object of the LEMP dialect: after its `{` (first) or after a member's value. Moves over a
 * member's name and colon, or over the `}`. */
enum json_step json_scan_member(struct json_scan *s, bool first, struct json_value *name_out);
/* In an array: after its `[` (first) or after a value. Moves up to the next value, which may be
 * missing (json_scan_value tells), or over the `]`. */
enum json_step json_scan_element(struct json_scan *s, bool first);
/* Only white space is left? false: broken. */
bool json_scan_end(struct json_scan *s);

/* The first byte from p on that can't stand in a string as it is (quote, backslash, control), or
 * the end. */
static inline const char *json_plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1F);
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i stop = _mm_cmpeq_epi8(_mm_min_epu8(v, control), v);
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, quote));
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, backslash));
		unsigned mask = (unsigned)_mm_movemask_epi8(stop);
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p > 0x1F)
		p++;
	return p;
}

/* json_put_string in two steps, for one who has reserved room: the bytes it will take, quotes
 * included; and the writing, which returns the end. */
size_t json_string_bytes(struct str s);
char *json_string_write(char *to, struct str s);
