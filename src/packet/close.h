/* Ways to hang up and ways to refuse, as enums over their tables. */
#pragma once
#include <stdint.h>

enum close_reason {
#define CLOSE(name, code, text) CLOSE_##name,
#include "packet/close.def"
#undef CLOSE
	CLOSE_COUNT
};
struct close_row { uint16_t code; const char *text; };
extern const struct close_row close_rows[CLOSE_COUNT];

enum refusal {
	REFUSAL_NONE,
#define REFUSAL(name, code) REFUSAL_##name,
#include "packet/refusal.def"
#undef REFUSAL
	REFUSAL_COUNT
};
extern const char *const refusal_codes[REFUSAL_COUNT]; /* "400", … ; "" for NONE */
