#include "crowd.h"
#include "base/err.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define TOKEN_CHARS 32
#define FILE_BYTES_MAX ((size_t)64 << 20)

void crowd_deinit(struct crowd *r)
{
	free(r->account);
	free(r->_text);
	*r = (struct crowd){ 0 };
}

/* --- from a file --- */

static int file_text(const char *path, char **text_out, char *why, size_t why_size)
{
	char *text = malloc(FILE_BYTES_MAX);
	FILE *f = text ? fopen(path, "re") : NULL;
	size_t n = f ? fread(text, 1, FILE_BYTES_MAX, f) : 0;
	int err = !text ? ERR_NOMEM : !f || ferror(f) || n == FILE_BYTES_MAX ? ERR_IO : OK;
	if (err == ERR_IO)
		snprintf(why, why_size, "%s: %s", path, n ? "too long" : strerror(errno));
	if (f)
		fclose(f);
	if (err) {
		free(text);
		return err;
	}
	text[n] = '\0';
	*text_out = text;
	return OK;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* One line, without its end. False if it is none. */
static bool take_line(struct crowd *r, char *line, size_t n)
{
	char *comma = memchr(line, ',', n);
	if (n == 0)
		return true;
	if (!comma || memchr(line, '"', n))
		return false;
	size_t name_n = (size_t)(comma - line), rest_n = n - name_n - 1;
	char *next = memchr(comma + 1, ',', rest_n);
	size_t token_n = next ? (size_t)(next - comma) - 1 : rest_n;
	r->account[r->n++] = (struct account){ .name = { line, name_n }, .token = { comma + 1, token_n } };
	return name_n > 0;
}

int crowd_load(const char *path, struct crowd *out, char *why, size_t why_size)
{
	*out = (struct crowd){ 0 };
	int err = file_text(path, &out->_text, why, why_size);
	if (err)
		return err;
	out->account = calloc(count_lines(out->_text), sizeof(out->account[0]));
	if (!out->account) {
		crowd_deinit(out);
		return ERR_NOMEM;
	}
	unsigned number = 0;
	for (char *at = out->_text; *at; number++) {
		size_t n = strcspn(at, "\n");
		size_t line_n = n > 0 && at[n - 1] == '\r' ? n - 1 : n;
		bool header = number == 0 && strncmp(at, "name,token", 10) == 0;
		if (!header && !take_line(out, at, line_n)) {
			snprintf(why, why_size, "%s:%u: not name,token without quotes", path,
				 number + 1);
			crowd_deinit(out);
			return ERR_INVALID;
		}
		at += n + (at[n] == '\n');
	}
	return OK;
}

/* --- made up --- */

int crowd_make(const char *prefix, size_t n, struct crowd *out)
{
	size_t name_size = strlen(prefix) + sizeof("4294967295");
	size_t each = name_size + TOKEN_CHARS + 1;
	*out = (struct crowd){ .account = calloc(n, sizeof(out->account[0])),
				._text = malloc(n * each) };
	if (!out->account || !out->_text) {
		crowd_deinit(out);
		return ERR_NOMEM;
	}
	for (; out->n < n; out->n++) {
		char *name = out->_text + out->n * each, *token = name + name_size;
		uint64_t random[2];
		CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
		snprintf(name, name_size, "%s%u", prefix, (unsigned)out->n + 1);
		snprintf(token, TOKEN_CHARS + 1, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
		out->account[out->n] = (struct account){ .name = str_of(name), .token = str_of(token) };
	}
	return OK;
}
