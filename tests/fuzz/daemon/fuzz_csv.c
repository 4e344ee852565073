/* Any text: rows stand within it and in order, line numbers are those of the text, and there are no
 * more rows than lines. */
#include "base/err.h"
#include "daemon/csv.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct str fields[CSV_FIELDS_MAX];
	unsigned n, lines = 1, line = 0, rows = 0;
	struct csv csv;
	int got;
	CHECK(text);
	if (size)
		memcpy(text, data, size);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	csv_init(&csv, text, size);
	while ((got = csv_next(&csv, fields, &n)) != 0) {
		CHECK(got == 1 || (got == ERR_INVALID && csv.why));
		CHECK(csv.line > line && csv.line <= lines);
		CHECK(++rows <= lines);
		line = csv.line;
		for (unsigned i = 0; got == 1 && i < n; i++)
			CHECK(fields[i].p >= text && fields[i].p + fields[i].n <= text + size);
		CHECK(got != 1 || (n >= 1 && n <= CSV_FIELDS_MAX));
	}
	free(text);
	return 0;
}
