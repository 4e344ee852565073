#include "lempctl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define CELL_BYTES_MAX 1024
#define BAR_WIDTH 30

static bool progress_shown;

bool show_colour(void)
{
	const char *no = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && !(no && *no);
}

void show_age(json_int_t s, char *out, size_t size)
{
	if (s >= 86400)
		snprintf(out, size, "%lldd %lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(out, size, "%lldh %lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s >= 60)
		snprintf(out, size, "%lldm %llds", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(out, size, "%llds", (long long)s);
}

void show_time(json_int_t ms, char *out, size_t size)
{
	time_t t = (time_t)(ms / 1000);
	struct tm local;
	if (!localtime_r(&t, &local) || !strftime(out, size, "%Y-%m-%d %H:%M:%S", &local))
		snprintf(out, size, "?");
}

/* Columns a text takes; what the terminal cannot show counts as one. */
static unsigned width_of(const char *text)
{
	unsigned width = 0;
	mbstate_t state = { 0 };
	size_t left = strlen(text);
	while (left) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, left, &state);
		if (n == (size_t)-1 || n == (size_t)-2) {
			n = 1;
			state = (mbstate_t){ 0 };
			width++;
		} else {
			int w = wcwidth(c);
			width += w > 0 ? (unsigned)w : 0;
		}
		text += n;
		left -= n;
	}
	return width;
}

static void cell(const struct column *column, const json_t *row, char *out, size_t size)
{
	const json_t *value = json_object_get(row, column->key);
	if (json_is_string(value))
		snprintf(out, size, "%s", json_string_value(value));
	else if (strcmp(column->key, "age_s") == 0)
		show_age(json_integer_value(value), out, size);
	else if (strcmp(column->key, "last_seen") == 0 && json_is_integer(value))
		show_time(json_integer_value(value), out, size);
	else if (json_is_integer(value))
		snprintf(out, size, "%lld", (long long)json_integer_value(value));
	else
		snprintf(out, size, "never");
}

static void print_cell(const struct table *t, unsigned i, const char *text)
{
	unsigned width = width_of(text), pad = width < t->width[i] ? t->width[i] - width : 0;
	bool last = i + 1 == t->n;
	if (t->columns[i].right)
		printf("%*s%s%s", (int)pad, "", text, last ? "" : "  ");
	else
		printf("%s%*s", text, last ? 0 : (int)pad + 2, "");
}

static void table_begin(struct table *t, const json_t *rows)
{
	char text[CELL_BYTES_MAX];
	size_t r;
	json_t *row;
	t->begun = true;
	for (unsigned i = 0; i < t->n; i++)
		t->width[i] = width_of(t->columns[i].title);
	json_array_foreach(rows, r, row) {
		for (unsigned i = 0; i < t->n; i++) {
			cell(&t->columns[i], row, text, sizeof(text));
			t->width[i] = width_of(text) > t->width[i] ? width_of(text) : t->width[i];
		}
	}
	printf("%s", show_colour() ? "\033[1m" : "");
	for (unsigned i = 0; i < t->n; i++)
		print_cell(t, i, t->columns[i].title);
	printf("%s\n", show_colour() ? "\033[0m" : "");
}

static void rows_as_json(struct table *t, const json_t *rows)
{
	size_t r;
	json_t *row;
	json_array_foreach(rows, r, row) {
		printf("%s", t->any ? ",\n " : "[");
		json_dumpf(row, stdout, JSON_COMPACT);
		t->any = true;
	}
}

void table_rows(struct table *t, const json_t *rows)
{
	char text[CELL_BYTES_MAX];
	size_t r;
	json_t *row;
	if (t->json) {
		rows_as_json(t, rows);
		return;
	}
	if (!t->begun)
		table_begin(t, rows);
	json_array_foreach(rows, r, row) {
		for (unsigned i = 0; i < t->n; i++) {
			cell(&t->columns[i], row, text, sizeof(text));
			print_cell(t, i, text);
		}
		printf("\n");
	}
}

void table_end(struct table *t)
{
	if (t->json)
		printf("%s]\n", t->any ? "" : "[");
}

void show_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT);
	printf("\n");
	fflush(stdout);
}

void show_error(const struct ctl *ctl, const json_t *answer)
{
	const json_t *lines = json_object_get(answer, "lines");
	size_t i;
	json_t *line;
	if (ctl->json) {
		show_json(answer);
		return;
	}
	json_array_foreach(lines, i, line)
		fprintf(stderr, "line %lld: %s\n",
			(long long)json_integer_value(json_object_get(line, "line")),
			json_string_value(json_object_get(line, "error")));
	fprintf(stderr, "lempctl: %s\n", json_string_value(json_object_get(answer, "error")));
}

void show_progress(json_t *progress)
{
	const char *stage;
	json_int_t done, total;
	if (!progress || !isatty(STDERR_FILENO) ||
	    json_unpack(progress, "{ss sI sI}", "stage", &stage, "done", &done, "total", &total) ||
	    total <= 0)
		return;
	int filled = (int)(done * BAR_WIDTH / total);
	fprintf(stderr, "\r%-10s [%.*s%*s] %3d %%  %lld of %lld \033[K", stage, filled,
		"##############################", BAR_WIDTH - filled, "", (int)(done * 100 / total),
		(long long)done, (long long)total);
	progress_shown = true;
}

void show_progress_end(void)
{
	if (progress_shown)
		fprintf(stderr, "\r\033[K");
	progress_shown = false;
}
