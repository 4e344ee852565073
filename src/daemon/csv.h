/* Comma-separated values as RFC 4180 has them: fields may be quoted, quotes within are doubled, lines
 * end with CR LF or LF. Empty lines and a byte order mark at the beginning are passed over. Pure;
 * quoted fields are unquoted in place. */
#pragma once
#include "base/check.h"
#include "base/str.h"

#define CSV_FIELDS_MAX 8

struct csv {
	char *_at, *_end;
	unsigned line;  /* where the row returned last begins, from 1 */
	unsigned _next; /* where the next one begins */
	const char *why; /* what is wrong with the row, after ERR_INVALID */
};

/* The text belongs to the caller and must outlive the rows. */
void csv_init(struct csv *csv, char *text, size_t n);
/* 1 and a row's fields; 0 at the end; ERR_INVALID for a row that is none: call again to go on behind
 * it. Rows of more than CSV_FIELDS_MAX fields are invalid. */
int csv_next(struct csv *csv, struct str fields_out[CSV_FIELDS_MAX], unsigned *n_out) WARN_UNUSED;
