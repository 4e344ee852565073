/* The data directory: who may use it, what format it is of (docs/storage-format.md). */
#pragma once
#include "base/check.h"
#include "base/err.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Opening the data directory. All return 0, or ERR_IO or what is said, with the reason in `why`. */
#define DIR_PATH_BYTES_MAX 4096
struct why { char *text; size_t size; };
int why_fail(const struct why *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4); /* returns err */
int dir_path(char out[DIR_PATH_BYTES_MAX], const char *dir, const char *name,
	     const struct why *why) WARN_UNUSED;
int dir_sync(const char *dir, const char *name, const struct why *why) WARN_UNUSED;
int dir_make(const char *dir, const struct why *why) WARN_UNUSED;
int dir_lock(const char *dir, int *fd_out, const struct why *why) WARN_UNUSED; /* ERR_LOCKED */
/* What the directory says of itself (docs/storage-format.md). NONE: nothing was ever kept there. */
enum dir_format {
	DIR_FORMAT_NONE, DIR_FORMAT_1, DIR_FORMAT_2, DIR_FORMAT_3,
	DIR_FORMAT_NOW = DIR_FORMAT_3
};
/* ERR_VERSION, ERR_CORRUPT. */
int dir_format_read(const char *dir, enum dir_format *format_out,
		    const struct why *why) WARN_UNUSED;
int dir_format_write(const char *dir, const struct why *why) WARN_UNUSED; /* DIR_FORMAT_NOW */
