/* UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF), checked as it
 * arrives. The fast way uses SIMD where the machine has it; utf8_scalar is its twin and the
 * oracle in tests. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utf8_state { uint32_t _state; }; /* zero at the beginning of a text */

/* Checks the next n bytes; false as soon as they cannot be part of a valid text any more, and
 * from then on. */
bool utf8_feed(struct utf8_state *s, const void *p, size_t n);
bool utf8_feed_scalar(struct utf8_state *s, const void *p, size_t n);
/* True if the text may end here (no sequence is half done). */
bool utf8_complete(const struct utf8_state *s);
bool utf8_valid(const void *p, size_t n);
