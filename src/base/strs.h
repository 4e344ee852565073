/* A list of strings as bytes: u32 length and bytes each, one after the other. A string may be
 * absent (p == NULL). Lists lie in a buf and travel as a view. */
#pragma once
#include "base/buf.h"

void strs_add(struct buf *list, struct str s);
/* The string at *cursor (0 at first), which moves on: 1 and a view into `list`, 0 at the end,
 * ERR_CORRUPT for bytes that are no list (never reads past the end). */
int strs_next(struct str list, size_t *cursor, struct str *out) WARN_UNUSED;
size_t strs_count(struct str list); /* up to the end, or to what is no list */
