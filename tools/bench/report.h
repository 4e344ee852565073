/* What a run found, for people and for programs. */
#pragma once
#include "bench.h"
#include <stdio.h>

void report_text(const struct bench *b, FILE *to);
/* 0, or ERR_NOMEM or ERR_IO. */
int report_json(const struct bench *b, FILE *to) WARN_UNUSED;
