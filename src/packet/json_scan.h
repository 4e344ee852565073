/* The one pass over JSON text that json_valid and packet_read share: a cursor that moves over one
 * name or value at a time. No allocation, no recursion, nothing is changed. The text must be valid
 * UTF-8. Private to packet/. */
#pragma once
#include "packet/json.h"

struct json_scan {
	char *p;         /* next byte; where it broke when something here returned false */
	char *end;
	const char *why; /* how it broke: a constant sentence fragment */
};

enum json_kind { JSON_STRING, JSON_NUMBER, JSON_LITERAL, JSON_OBJECT, JSON_ARRAY };

struct json_value {
	enum json_kind kind;
	bool bare;    /* a name without quotes */
	bool escaped; /* a string or name with escapes: json_decode it before comparing */
	char *p;      /* of a string what stands between the quotes, else all of the value */
	size_t n;
};

enum json_step { JSON_STEP_BROKEN, JSON_STEP_MEMBER, JSON_STEP_END };

/* Moves over white space. */
void json_scan_space(struct json_scan *s);
/* Moves over white space and one value, whatever stands in it. `depth` objects and arrays are open
 * around it. false: broken. */
bool json_scan_value(struct json_scan *s, enum json_dialect dialect, unsigned depth,
		     struct json_value *out);
/* In an object of the LEMP dialect: after its `{` (first) or after a member's value. Moves over a
 * member's name and colon, or over the `}`. */
enum json_step json_scan_member(struct json_scan *s, bool first, struct json_value *name_out);
/* Only white space is left? false: broken. */
bool json_scan_end(struct json_scan *s);

/* The first byte from p on that can't stand in a string as it is (quote, backslash, control), or end. */
const char *json_plain_end(const char *p, const char *end);

/* json_put_string in two steps, for one who has reserved room: the bytes it will take, quotes
 * included; and the writing, which returns the end. */
size_t json_string_bytes(struct str s);
char *json_string_write(char *to, struct str s);
