#include "daemon/csv.h"
#include "base/err.h"

void csv_init(struct csv *csv, char *text, size_t n)
{
	static const char mark[] = "\xef\xbb\xbf";
	*csv = (struct csv){ ._at = text, ._end = text + n, ._next = 1 };
	if (n >= 3 && memcmp(text, mark, 3) == 0)
		csv->_at += 3;
}

/* Takes the end of a line, if it is there. */
static bool take_newline(struct csv *csv)
{
	char *at = csv->_at;
	if (at < csv->_end && *at == '\r')
		at++;
	if (at == csv->_end || *at != '\n')
		return false;
	csv->_at = at + 1;
	csv->_next++;
	return true;
}

static bool at_newline(const struct csv *csv)
{
	const char *at = csv->_at;
	return at == csv->_end || *at == '\n' || (*at == '\r' && at + 1 < csv->_end && at[1] == '\n');
}

static int wrong(struct csv *csv, const char *why)
{
	csv->why = why;
	while (csv->_at < csv->_end && *csv->_at != '\n')
		csv->_at++;
	take_newline(csv);
	return ERR_INVALID;
}

static int quoted(struct csv *csv, struct str *out)
{
	char *to = ++csv->_at;
	*out = (struct str){ to, 0 };
	for (; csv->_at < csv->_end; csv->_at++) {
		if (*csv->_at == '"' && (++csv->_at == csv->_end || *csv->_at != '"')) {
			out->n = (size_t)(to - out->p);
			return at_newline(csv) || *csv->_at == ','
				       ? OK : wrong(csv, "something stands behind a closing quote");
		}
		csv->_next += *csv->_at == '\n';
		*to++ = *csv->_at;
	}
	return wrong(csv, "a quoted field is never closed");
}

static int plain(struct csv *csv, struct str *out)
{
	char *from = csv->_at;
	for (; !at_newline(csv) && *csv->_at != ','; csv->_at++)
		if (*csv->_at == '"' || *csv->_at == '\r')
			return wrong(csv, "a quote or carriage return stands in a field that is not quoted");
	*out = (struct str){ from, (size_t)(csv->_at - from) };
	return OK;
}

int csv_next(struct csv *csv, struct str fields_out[CSV_FIELDS_MAX], unsigned *n_out)
{
	while (take_newline(csv))
		;
	csv->line = csv->_next;
	*n_out = 0;
	if (csv->_at == csv->_end)
		return 0;
	for (;;) {
		if (*n_out == CSV_FIELDS_MAX)
			return wrong(csv, "too many fields");
		struct str *field = &fields_out[(*n_out)++];
		bool is_quoted = csv->_at < csv->_end && *csv->_at == '"';
		int err = is_quoted ? quoted(csv, field) : plain(csv, field);
		if (err)
			return err;
		if (csv->_at == csv->_end || *csv->_at != ',')
			break;
		csv->_at++;
	}
	take_newline(csv);
	return 1;
}
