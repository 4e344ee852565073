#include "trace.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_LINES_MAX 2000000 /* older ones stay, newer ones are not kept: no run is that long */
#define TRACE_LINE_MAX 700

void trace_init(struct trace *t, enum trace_mode mode)
{
	*t = (struct trace){ .mode = mode, .hash = UINT64_C(0xcbf29ce484222325) };
}

void trace_deinit(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->lines[i]);
	free(t->lines);
	t->lines = NULL;
	t->n = t->cap = 0;
}

static void trace_keep(struct trace *t, const char *line)
{
	if (t->n == TRACE_LINES_MAX)
		return;
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 1024;
		t->lines = realloc(t->lines, t->cap * sizeof(*t->lines));
		CHECK(t->lines);
	}
	t->lines[t->n] = strdup(line);
	CHECK(t->lines[t->n]);
	t->n++;
}

void trace_event(struct trace *t, const char *fmt, ...)
{
	char line[TRACE_LINE_MAX];
	va_list ap;
	va_start(ap, fmt);
	int head = snprintf(line, sizeof(line), "%6u %9lld  ", t->step, (long long)t->ms);
	(void)vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
	va_end(ap);
	for (const char *p = line; *p; p++)
		t->hash = (t->hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	t->events++;
	if (t->mode == TRACE_KEEP)
		trace_keep(t, line);
	else if (t->mode == TRACE_PRINT)
		(void)puts(line);
}

static bool trace_matches(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (**words && strstr(line, *words))
			return true;
	return false;
}

void trace_excerpt(const struct trace *t, const char *const *words, size_t max, size_t tail, FILE *to)
{
	size_t tail_from = t->n > tail ? t->n - tail : 0;
	size_t matching = 0;
	for (size_t i = 0; i < tail_from; i++)
		matching += trace_matches(t->lines[i], words);
	size_t skip = matching > max ? matching - max : 0;
	if (skip)
		(void)fprintf(to, "  … %zu earlier lines about it\n", skip);
	for (size_t i = 0; i < tail_from; i++) {
		if (!trace_matches(t->lines[i], words))
			continue;
		if (skip)
			skip--;
		else
			(void)fprintf(to, "  %s\n", t->lines[i]);
	}
	(void)fprintf(to, "  -- the last %zu lines:\n", t->n - tail_from);
	for (size_t i = tail_from; i < t->n; i++)
		(void)fprintf(to, "  %s\n", t->lines[i]);
}
