/* A line is put together on the stack and written with one write(2), so lines of several threads
 * do not mix. The first file's descriptor is kept for good: dup3 puts later files, and standard
 * error, beneath it, so writers never see a closed one. */
#include "base/log.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 4096
#define LOG_END_BYTES 2    /* brace and line end */
#define LOG_TEXT_BYTES 256 /* of one field's text */
#define INT_CHARS 20       /* of INT64_MIN */

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_level_now = LOG_INFO;
static _Atomic int log_format_now = LOG_LOGFMT;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct line { char p[LOG_LINE_BYTES]; size_t n; };

int log_open(const char *path, enum log_level level, enum log_format format)
{
	atomic_store(&log_level_now, (int)level);
	atomic_store(&log_format_now, (int)format);
	int now = atomic_load(&log_fd);
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : STDERR_FILENO;
	if (fd < 0)
		return ERR_IO;
	if (now == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return OK;
	}
	int err = dup3(fd, now, O_CLOEXEC) < 0 ? ERR_IO : OK;
	if (path)
		close(fd);
	return err;
}

bool log_on(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

static size_t line_room(const struct line *l)
{
	return sizeof(l->p) - LOG_END_BYTES - l->n;
}

static void line_add(struct line *l, const char *p, size_t n)
{
	size_t room = line_room(l);
	if (n > room)
		n = room;
	memcpy(l->p + l->n, p, n);
	l->n += n;
}

static void line_z(struct line *l, const char *z) { line_add(l, z, strlen(z)); }

/* Bytes of the UTF-8 sequence at p, 0 if it is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	size_t want = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
		    : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	if (!want || want > n)
		return 0;
	for (size_t i = 1; i < want; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return want;
}

/* Controls, quotes, backslashes and bytes that are no UTF-8 are escaped as in JSON. */
static void line_escaped(struct line *l, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t end = s.n < LOG_TEXT_BYTES ? s.n : LOG_TEXT_BYTES;
	for (size_t i = 0; i < end;) {
		size_t n = utf8_length(p + i, s.n - i);
		char escape[8];
		bool control = p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && n == 2 && p[i + 1] < 0xa0);
		if (n > end - i)
			break; /* not in the middle of a character */
		if (n && !control && p[i] != '"' && p[i] != '\\') {
			line_add(l, (const char *)p + i, n);
			i += n;
			continue;
		}
		bool simple = p[i] == '"' || p[i] == '\\';
		int escaped = simple ? snprintf(escape, sizeof(escape), "\\%c", p[i])
				     : snprintf(escape, sizeof(escape), "\\u%04x", control && n == 2 ? p[i + 1] : p[i]);
		line_add(l, escape, (size_t)escaped);
		i += control && n == 2 ? 2 : 1;
	}
	if (end < s.n)
		line_z(l, "...");
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '=')
			return false;
	return s.n > 0 && s.n <= LOG_TEXT_BYTES;
}

/* The most that line_field may add: each byte of text may become six. */
static size_t field_bytes_max(const struct log_field *f)
{
	size_t text = f->s.n < LOG_TEXT_BYTES ? f->s.n : LOG_TEXT_BYTES;
	return strlen(",\"\":\"...\"") + strlen(f->name) + (f->is_int ? INT_CHARS : 6 * text);
}

static void line_field(struct line *l, bool json, const struct log_field *f)
{
	char number[INT_CHARS + 1];
	line_z(l, json ? ",\"" : " ");
	line_z(l, f->name);
	line_z(l, json ? "\":" : "=");
	if (f->is_int) {
		snprintf(number, sizeof(number), "%lld", (long long)f->i);
		line_z(l, number);
	} else if (!json && is_plain(f->s)) {
		line_add(l, f->s.p, f->s.n);
	} else {
		line_z(l, "\"");
		line_escaped(l, f->s);
		line_z(l, "\"");
	}
}

static void line_begin(struct line *l, bool json, enum log_level level, const char *event)
{
	struct wall now = wall_now();
	time_t seconds = (time_t)(now.ms / 1000);
	struct tm tm;
	char stamp[96], day[32];
	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp),
		 json ? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"event\":\""
		      : "%s.%03dZ level=%s event=",
		 day, (int)(now.ms % 1000), level_names[level]);
	line_z(l, stamp);
	line_z(l, event);
	line_z(l, json ? "\"" : "");
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	struct line l;
	bool json = atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_JSON;
	l.n = 0;
	line_begin(&l, json, level, event);
	for (size_t i = 0; i < n; i++)
		if (field_bytes_max(&fields[i]) <= line_room(&l)) /* whole or not: JSON stays JSON */
			line_field(&l, json, &fields[i]);
	if (json)
		l.p[l.n++] = '}';
	l.p[l.n++] = '\n';
	while (write(atomic_load(&log_fd), l.p, l.n) < 0 && errno == EINTR)
		;
}
