/* JSON as protocol.md section 2 takes it: RFC 8259, no extras; in the LEMP dialect member
 * names may also be unquoted identifiers. One pass, no allocation, no recursion; the text
 * must be valid UTF-8 already (net/ checks it as it arrives) unless said otherwise.
 * Unpaired surrogate escapes, a byte order mark and more than JSON_DEPTH_MAX levels are
 * refused. Repeated names are the business of packet.h (objects that LEMP reads); inside
 * values that are only passed on or ignored they are legal JSON and pass. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 32

enum json_dialect { JSON_RFC8259, JSON_LEMP };

/* Is `text` one JSON value with nothing but white space around it, valid UTF-8 included? */
bool json_valid(struct str text, enum json_dialect dialect);

/* Appends a quoted string: escapes quotes, backslash and controls, the rest as it is. */
void json_put_string(struct buf *out, struct str s);

/* Decodes what stands between the quotes of a valid string, in place (never grows). */
struct str json_decode(char *p, size_t n);
