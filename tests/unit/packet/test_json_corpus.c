/* The public corpus of JSON texts, where it is at hand: LEMP_JSON_CORPUS names its folder, else
 * shared/corpora/json is looked for beside this source tree and above. Each file is read as
 * the content of a message (strict JSON) and as an ignored member (LEMP's dialect). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "packet/json.h"
#include "packet/packet.h"

#define FILE_BYTES_MAX 1000000
#define PATH_BYTES_MAX 4096

static bool corpus_find(char *path, size_t path_max)
{
	const char *given = getenv("LEMP_JSON_CORPUS");
	if (given) {
		snprintf(path, path_max, "%s", given);
		return true;
	}
	char above[PATH_BYTES_MAX] = __FILE__;
	for (char *slash; (slash = strrchr(above, '/'));) {
		*slash = '\0';
		snprintf(path, path_max, "%.2000s/shared/corpora/json", above);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static size_t file_read(const char *folder, const char *name, char *to)
{
	char path[2 * PATH_BYTES_MAX];
	snprintf(path, sizeof(path), "%s/parsing/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s is missing", path);
	size_t n = fread(to, 1, FILE_BYTES_MAX, f);
	fclose(f);
	assert_true(n < FILE_BYTES_MAX);
	return n;
}

/* By another's judgement than ours. */
static bool is_utf8(char *p, size_t n)
{
	static char sink[2 * FILE_BYTES_MAX + 16];
	char *to = sink;
	size_t left = sizeof(sink);
	iconv_t converter = iconv_open("UTF-16LE", "UTF-8");
	assert_true(converter != (iconv_t)-1);
	size_t bad = iconv(converter, &p, &n, &to, &left);
	iconv_close(converter);
	return bad == 0;
}

static enum packet_status wrapped_read(const char *before, const char *p, size_t n, const char *after)
{
	struct packet_reader reader;
	struct packet packet;
	size_t all = strlen(before) + n + strlen(after);
	char *text = malloc(all);
	assert_non_null(text);
	memcpy(text, before, strlen(before));
	memcpy(text + strlen(before), p, n);
	memcpy(text + strlen(before) + n, after, strlen(after));
	packet_reader_init(&reader, false, all);
	enum packet_status status = packet_read(&reader, text, all, &packet);
	packet_reader_deinit(&reader);
	free(text);
	return status;
}

static void verdict_check(const char *name, const char *as, const char *expected, bool accepted)
{
	if (strcmp(expected, "either") != 0 && accepted != (strcmp(expected, "accept") == 0))
		fail_msg("%s as %s is to be %sed", name, as, expected);
}

static void file_check(const char *folder, const char *name, const char *strict, const char *lemp)
{
	static char text[FILE_BYTES_MAX];
	size_t n = file_read(folder, name, text);
	const char *content = strcmp(strict, "either") == 0 ? lemp : strict;
	verdict_check(name, "strict JSON", content, json_valid((struct str){ text, n }, JSON_RFC8259));
	verdict_check(name, "LEMP", lemp, json_valid((struct str){ text, n }, JSON_LEMP));
	if (!is_utf8(text, n)) /* never gets past the frame reader */
		return;
	enum packet_status status =
		wrapped_read("{\"m\":{\"id\":\"1\",\"r\":\"bob\",\"c\":", text, n, "}}");
	assert_int_not_equal(status, PACKET_BAD);
	verdict_check(name, "content", content, status == PACKET_OK);
	status = wrapped_read("{\"srq\":{\"id\":\"k1\",\"t\":\"k\",\"x\":", text, n, "}}");
	assert_int_not_equal(status, PACKET_BAD);
	verdict_check(name, "ignored member", lemp, status == PACKET_OK);
}

static void every_file_of_the_corpus_gets_its_verdict(void **state)
{
	(void)state;
	char folder[PATH_BYTES_MAX], path[2 * PATH_BYTES_MAX], line[512];
	if (!corpus_find(folder, sizeof(folder))) {
		print_message("no JSON corpus here (LEMP_JSON_CORPUS): skipped\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/expect.tsv", folder);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	int files = 0;
	while (fgets(line, sizeof(line), f)) {
		char *rest = line;
		const char *name = strsep(&rest, "\t\n"), *strict = strsep(&rest, "\t\n"),
			   *lemp = strsep(&rest, "\t\n");
		if (name[0] == '#')
			continue;
		assert_non_null(lemp);
		file_check(folder, name, strict, lemp);
		files++;
	}
	fclose(f);
	assert_true(files > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_of_the_corpus_gets_its_verdict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
