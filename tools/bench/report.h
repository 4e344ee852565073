/* What a run found, for people and for programs. */
#pragma once
#include "bench.h"
#include <stdio.h>

void report_text(const struct bench *b, FILE *to);
json_t *report_json(const struct bench *b); /* the caller's; NULL: no memory */
