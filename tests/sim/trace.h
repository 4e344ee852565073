/* What happened in a run: a hash over all of it, to tell two runs apart, and on demand the lines
 * themselves. A run is first played with the hash alone; a failing one is played again with the
 * lines kept, which costs nothing since it is the same run. */
#pragma once
#include "base/check.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum trace_mode { TRACE_HASH, TRACE_KEEP, TRACE_PRINT };

struct trace {
	enum trace_mode mode;
	uint64_t hash;
	uint64_t events;
	unsigned step;
	int64_t ms;      /* simulated time since the start of the run */
	char **lines;    /* KEEP */
	size_t n, cap;
};

void trace_init(struct trace *t, enum trace_mode mode);
void trace_deinit(struct trace *t);
void trace_event(struct trace *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prints the kept lines that contain one of `words` (NULL-terminated), the newest `max` of them,
 * and the newest `tail` lines whatever they contain. */
void trace_excerpt(const struct trace *t, const char *const *words, size_t max, size_t tail, FILE *to);
