#include "progress.h"
#include <stdio.h>
#include <unistd.h>

#define EVERY_MS 100
#define BAR_CHARS 30

void progress_init(struct progress *p)
{
	*p = (struct progress){ ._on = isatty(STDERR_FILENO) };
}

void progress_show(struct progress *p, const char *what, double part, const char *text)
{
	struct mono now = mono_now();
	char bar[BAR_CHARS + 1];
	if (!p->_on || (p->_shown && mono_diff_ms(p->_last, now) < EVERY_MS))
		return;
	for (int i = 0; i < BAR_CHARS; i++)
		bar[i] = i < part * BAR_CHARS ? '#' : '.';
	bar[BAR_CHARS] = '\0';
	if (part < 0)
		fprintf(stderr, "\r\033[K%s  %s", what, text);
	else
		fprintf(stderr, "\r\033[K%-14s [%s] %3.0f %%  %s", what, bar, part * 100, text);
	fflush(stderr);
	p->_last = now;
	p->_shown = true;
}

void progress_clear(struct progress *p)
{
	if (p->_shown)
		fprintf(stderr, "\r\033[K");
	p->_shown = false;
}
