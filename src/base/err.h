/* Error values: functions return 0 or one of these, which are negative.
 * No errno leaves base/ and net/. Rows stand in err.def. */
#pragma once

enum err_row {
	ERR_ROW_OK,
#define ERR(name, text) ERR_ROW_##name,
#include "base/err.def"
#undef ERR
};

enum err {
	OK = 0,
#define ERR(name, text) ERR_##name = -(int)ERR_ROW_##name,
#include "base/err.def"
#undef ERR
};

/* A constant sentence fragment for a person ("in use by another process"). */
const char *err_text(int err);
