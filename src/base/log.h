/* The log: one line an event on standard error or a file, logfmt or JSON. Any thread.
 * User text is escaped (controls, quotes, bytes that are no UTF-8) and cut at 256 bytes.
 * A line has 4 KiB at most: a field that might not fit is left out, later shorter ones are not.
 * Tokens and message content are never passed to it. The one mutable global beside metrics.
 *
 *   LOG(INFO, "login", LOG_STR("user", name), LOG_INT("sessions", n));
 *   -> 2026-11-23T12:00:00.123Z level=info event=login user=alice sessions=1                 */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field { const char *name; bool is_int; struct str s; int64_t i; };
#define LOG_STR(name, str) ((struct log_field){ (name), false, (str), 0 })
#define LOG_Z(name, z) ((struct log_field){ (name), false, str_of(z), 0 })
#define LOG_INT(name, v) ((struct log_field){ (name), true, { NULL, 0 }, (int64_t)(v) })

/* path NULL: standard error. Called again (SIGHUP) it reopens the file; on failure the old
 * one stays in use, with the new level and format. By one thread at a time, while others log.
 * 0 or ERR_IO. */
int log_open(const char *path, enum log_level level, enum log_format format);
bool log_on(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG(level, event, ...)                                                            \
	do {                                                                              \
		if (log_on(LOG_##level)) {                                                \
			const struct log_field log_fields_[] = { __VA_ARGS__ };           \
			log_write(LOG_##level, (event), log_fields_,                      \
				  sizeof(log_fields_) / sizeof(log_fields_[0]));          \
		}                                                                         \
	} while (0)
