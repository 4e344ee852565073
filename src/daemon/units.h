/* Quantities as people write them: "256KiB", "10s", "7d". Pure. */
#pragma once
#include "base/check.h"
#include "base/str.h"
#include <stdint.h>

/* A whole number of at most 18 digits. 0 or ERR_INVALID. */
int units_count(struct str text, int64_t *out) WARN_UNUSED;
/* Bytes: a number and nothing, B, KiB, MiB or GiB. 0 or ERR_INVALID (also when it does not fit). */
int units_size(struct str text, int64_t *bytes_out) WARN_UNUSED;
/* Milliseconds: a number and ms, s, m, h or d; a bare 0 is fine, too. 0 or ERR_INVALID. */
int units_duration(struct str text, int64_t *ms_out) WARN_UNUSED;

#define UNITS_TEXT_MAX 32 /* with NUL */
/* The shortest of the forms above that means the same. */
void units_size_text(int64_t bytes, char out[UNITS_TEXT_MAX]);
void units_duration_text(int64_t ms, char out[UNITS_TEXT_MAX]);
