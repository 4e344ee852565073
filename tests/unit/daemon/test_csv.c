/* CSV by RFC 4180, and what is said of lines that are none. */
#include "daemon/csv.h"
#include "base/buf.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* Rows as "LINE[field|field]", mistakes as "LINE!why". */
static void expect(const char *text, size_t n, const char *expected)
{
	char *copy = malloc(n ? n : 1); /* exactly as long: sanitizers see what is read beyond */
	struct str fields[CSV_FIELDS_MAX];
	struct buf heard;
	struct csv csv;
	unsigned count;
	int more;
	assert_non_null(copy);
	memcpy(copy, text, n);
	buf_init(&heard, 4096);
	csv_init(&csv, copy, n);
	while ((more = csv_next(&csv, fields, &count)) != 0) {
		buf_printf(&heard, "%u%s", csv.line, more < 0 ? "!" : "[");
		for (unsigned i = 0; more > 0 && i < count; i++)
			buf_printf(&heard, "%s%.*s", i ? "|" : "", STR_ARG(fields[i]));
		buf_printf(&heard, "%s", more < 0 ? csv.why : "]");
	}
	buf_u8(&heard, 0);
	assert_string_equal(heard.p, expected);
	buf_deinit(&heard);
	free(copy);
}

static void rows_are_read_as_the_rfc_says(void **state)
{
	static const struct { const char *text, *rows; } cases[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "a,b,c\n", "1[a|b|c]" },
		{ "a,b,c", "1[a|b|c]" },
		{ "a\r\nb\r\n", "1[a]2[b]" },
		{ "a\n\n\nb\n", "1[a]4[b]" },
		{ "a,,\n", "1[a||]" },
		{ ",", "1[|]" },
		{ "\"a\"", "1[a]" },
		{ "\"a,b\",c\n", "1[a,b|c]" },
		{ "\"say \"\"hi\"\"\"\n", "1[say \"hi\"]" },
		{ "\"\"\n", "1[]" },
		{ "\"\"\"\"\n", "1[\"]" },
		{ "\"two\nlines\",x\nnext\n", "1[two\nlines|x]3[next]" },
		{ " a , b \n", "1[ a | b ]" },
		{ "\xef\xbb\xbfname\n", "1[name]" },
		{ "\xef\xbb", "1[\xef\xbb]" },
		{ "1,2,3,4,5,6,7,8\n", "1[1|2|3|4|5|6|7|8]" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(cases[i].text, strlen(cases[i].text), cases[i].rows);
}

static void mistakes_are_told_by_line_and_reading_goes_on(void **state)
{
	static const struct { const char *text, *rows; } cases[] = {
		{ "a\nb\"c\nd\n", "1[a]2!a quote or carriage return stands in a field that is not quoted3[d]" },
		{ "a\rb\nc\n", "1!a quote or carriage return stands in a field that is not quoted2[c]" },
		{ "\"a\"b,c\nd\n", "1!something stands behind a closing quote2[d]" },
		{ "x\n\"never\nclosed", "1[x]2!a quoted field is never closed" },
		{ "\"", "1!a quoted field is never closed" },
		{ "1,2,3,4,5,6,7,8,9\nx\n", "1!too many fields2[x]" },
		{ "a\r", "1!a quote or carriage return stands in a field that is not quoted" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(cases[i].text, strlen(cases[i].text), cases[i].rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_read_as_the_rfc_says),
		cmocka_unit_test(mistakes_are_told_by_line_and_reading_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
