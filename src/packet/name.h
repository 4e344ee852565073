/* What a name may be: user names, group and broadcast ids (protocol.md sections 2 and 13.1). */
#pragma once
#include "base/str.h"

#define NAME_BYTES_MAX 128
#define TOKEN_BYTES_MAX 1024

enum name_verdict {
	NAME_GOOD,
	NAME_EMPTY,
	NAME_TOO_LONG,
	NAME_BAD_CHARACTER, /* control, zero-width or bidirectional-control character */
	NAME_BLANK_END,     /* Unicode white space at either end */
	NAME_NOT_ASCII,     /* only with ascii_only */
};
/* `name` must be valid UTF-8. */
enum name_verdict name_check(struct str name, bool ascii_only);
/* A sentence fragment for a person; constant. */
const char *name_verdict_text(enum name_verdict v);
