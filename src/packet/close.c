#include "packet/close.h"

const struct close_row close_rows[CLOSE_COUNT] = {
#define CLOSE(name, code, text) [CLOSE_##name] = { code, text },
#include "packet/close.def"
#undef CLOSE
};

const char *const refusal_codes[REFUSAL_COUNT] = {
	[REFUSAL_NONE] = "",
#define REFUSAL(name, code) [REFUSAL_##name] = code,
#include "packet/refusal.def"
#undef REFUSAL
};
