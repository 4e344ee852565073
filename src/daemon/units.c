#include "daemon/units.h"
#include "base/err.h"
#include <stdio.h>

#define DIGITS_MAX 18 /* always fits 63 bits */

struct unit { const char *name; int64_t factor; };

static const struct unit sizes[] = { /* the greatest first */
	{ "GiB", INT64_C(1) << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 },
	{ "B", 1 }, { "", 1 }, { NULL, 0 },
};
static const struct unit durations[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 },
};

/* Takes the digits at the beginning; false if there are none or too many. */
static bool take_number(struct str *text, int64_t *out)
{
	size_t n = 0;
	*out = 0;
	while (n < text->n && text->p[n] >= '0' && text->p[n] <= '9') {
		if (n == DIGITS_MAX)
			return false;
		*out = *out * 10 + (text->p[n++] - '0');
	}
	*text = (struct str){ text->p + n, text->n - n };
	return n > 0;
}

static int with_unit(struct str text, const struct unit *units, int64_t *out)
{
	int64_t number;
	if (!take_number(&text, &number))
		return ERR_INVALID;
	if (number == 0 && text.n == 0) {
		*out = 0;
		return OK;
	}
	for (const struct unit *u = units; u->name; u++) {
		if (str_eq(text, str_of(u->name)))
			return __builtin_mul_overflow(number, u->factor, out) ? ERR_INVALID : OK;
	}
	return ERR_INVALID;
}

int units_count(struct str text, int64_t *out)
{
	return take_number(&text, out) && text.n == 0 ? OK : ERR_INVALID;
}

int units_size(struct str text, int64_t *bytes_out)
{
	return with_unit(text, sizes, bytes_out);
}

int units_duration(struct str text, int64_t *ms_out)
{
	return with_unit(text, durations, ms_out);
}

static void to_text(int64_t value, const struct unit *units, char out[UNITS_TEXT_MAX])
{
	const struct unit *u = units;
	while (u->factor > 1 && (value == 0 || value % u->factor != 0))
		u++;
	snprintf(out, UNITS_TEXT_MAX, "%lld%s", (long long)(value / u->factor), u->name);
}

void units_size_text(int64_t bytes, char out[UNITS_TEXT_MAX])
{
	to_text(bytes, sizes, out);
}

void units_duration_text(int64_t ms, char out[UNITS_TEXT_MAX])
{
	to_text(ms, durations, out);
}
