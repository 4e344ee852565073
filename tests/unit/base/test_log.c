#include "base/log.h"
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <cmocka.h>

#define LINE_BYTES_MAX 4096

static char dir[64], path[96];

static void read_whole(const char *from, char *text, size_t bytes)
{
	FILE *f = fopen(from, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, bytes - 1, f);
	assert_true(feof(f));
	fclose(f);
	text[n] = 0;
}

/* The one line the log has had since it was emptied. */
static const char *whole_line(void)
{
	static char text[2 * LINE_BYTES_MAX];
	read_whole(path, text, sizeof(text));
	size_t n = strcspn(text, "\n");
	assert_true(n > 0 && n < LINE_BYTES_MAX);
	assert_string_equal(text + n, "\n");
	text[n] = 0;
	assert_int_equal(truncate(path, 0), 0);
	return text;
}

/* The same without its time. */
static const char *line(void)
{
	const char *after = strchr(whole_line(), 'Z');
	assert_non_null(after);
	return after + 1;
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/lemp-log-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_open(NULL, LOG_INFO, LOG_LOGFMT);
	remove(path);
	return rmdir(dir);
}

static void logfmt_quotes_only_what_needs_it_and_escapes_user_text(void **state)
{
	static const struct { struct str text; const char *shown; } cases[] = {
		{ STR("alice"), "alice" }, { STR("[::1]:80"), "[::1]:80" }, { STR("a b"), "\"a b\"" },
		{ STR(""), "\"\"" }, { { NULL, 0 }, "\"\"" }, { STR("a=b"), "\"a=b\"" },
		{ STR("a\nb\r\t\x1b\0"), "\"a\\u000ab\\u000d\\u0009\\u001b\\u0000\"" },
		{ STR("\"\\"), "\"\\\"\\\\\"" }, { STR("\x7f"), "\"\\u007f\"" },
		{ STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ STR("\xc2\x9b"), "\"\\u009b\"" },             /* a control of two bytes */
		{ STR("\xff"), "\"\\u00ff\"" },
		{ STR("\xc3"), "\"\\u00c3\"" },                 /* ends too early */
		{ STR("\xc0\xaf"), "\"\\u00c0\\u00af\"" },      /* longer than needed */
		{ STR("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"" }, /* a surrogate */
		{ STR("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"" }, /* past the last one */
	};
	char shown[256];
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		LOG(INFO, "x", LOG_STR("u", cases[i].text), LOG_INT("n", -2));
		snprintf(shown, sizeof(shown), " level=info event=x u=%s n=-2", cases[i].shown);
		assert_string_equal(line(), shown);
	}
}

static void json_lines_are_json(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_JSON), OK);
	LOG(ERROR, "x", LOG_Z("u", "a\tb"), LOG_INT("n", INT64_MIN));
	assert_string_equal(line(), "\",\"level\":\"error\",\"event\":\"x\",\"u\":\"a\\u0009b\","
				    "\"n\":-9223372036854775808}");
	LOG(WARN, "bare");
	assert_string_equal(line(), "\",\"level\":\"warn\",\"event\":\"bare\"}");
}

static void a_long_event_is_written_in_full(void **state)
{
	static const char event[] = "an_event_whose_name_is_longer_than_anybody_would_think_it_sensible_"
				    "to_write_into_a_program_and_yet_somebody_did";
	char shown[256];
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_JSON), OK);
	LOG(INFO, event, LOG_INT("n", 1));
	snprintf(shown, sizeof(shown), "\",\"level\":\"info\",\"event\":\"%s\",\"n\":1}", event);
	assert_string_equal(line(), shown);
}

/* The bytes of the JSON string after the quote that opens it; fails on what JSON forbids. */
static size_t string_bytes(const char *p)
{
	size_t n = 0;
	for (; p[n] != '"'; n++) {
		assert_true((unsigned char)p[n] >= 0x20);
		if (p[n] != '\\')
			continue;
		n++;
		assert_true(p[n] == '"' || p[n] == '\\' ||
			    (p[n] == 'u' && strspn(p + n + 1, "0123456789abcdef") >= 4));
	}
	return n;
}

static void any_bytes_make_a_json_line_of_characters(void **state)
{
	uint32_t random = 7;
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_JSON), OK);
	for (unsigned round = 0; round < 2000; round++) {
		char text[300];
		size_t n = round % sizeof(text);
		for (size_t i = 0; i < n; i++) {
			random = random * 1664525u + 1013904223u;
			/* often such bytes as begin and continue characters */
			text[i] = (char)(random >> 24 < 128 ? random >> 8 : 0x80 | random >> 16);
		}
		LOG(INFO, "x", LOG_STR("u", ((struct str){ text, n })));
		const char *u = strstr(line(), ",\"u\":\"");
		assert_non_null(u);
		u += 6;
		size_t bytes = string_bytes(u);
		assert_string_equal(u + bytes, "\"}");
		wchar_t wide[2 * LINE_BYTES_MAX];
		assert_true(mbstowcs(wide, u, sizeof(wide) / sizeof(wide[0])) != (size_t)-1);
	}
}

static void a_line_has_a_bound_and_fields_without_room_are_left_out_whole(void **state)
{
	char controls[300];
	struct log_field fields[9];
	(void)state;
	memset(controls, 1, sizeof(controls));
	for (unsigned i = 0; i < 8; i++)
		fields[i] = LOG_STR("u", ((struct str){ controls, sizeof(controls) }));
	fields[8] = LOG_INT("last", 5);
	assert_int_equal(log_open(path, LOG_INFO, LOG_JSON), OK);
	log_write(LOG_INFO, "x", fields, 9);
	const char *text = line();
	const char *last = strstr(text, ",\"last\":5}");
	assert_non_null(last);
	unsigned shown = 0;
	for (const char *u = text; (u = strstr(u, ",\"u\":\"")) != NULL; shown++) {
		u += 6;
		u += string_bytes(u);
	}
	assert_int_equal(shown, 2); /* of 1,536 bytes each */
}

static void many_short_fields_fill_the_line(void **state)
{
	struct log_field fields[100];
	unsigned shown = 0;
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		fields[i] = LOG_Z("number", "12345678901234567890");
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	log_write(LOG_INFO, "x", fields, 100);
	for (const char *p = line(); (p = strstr(p, " number=12345678901234567890")) != NULL; p++)
		shown++;
	assert_int_equal(shown, 100);
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_WARN, LOG_LOGFMT), OK);
	assert_true(log_on(LOG_ERROR));
	assert_true(log_on(LOG_WARN));
	assert_false(log_on(LOG_INFO));
	LOG(INFO, "hidden", LOG_INT("n", 1));
	LOG(WARN, "shown", LOG_INT("n", 1));
	assert_string_equal(line(), " level=warn event=shown n=1");
}

static void user_text_is_cut_but_not_within_a_character(void **state)
{
	char text[400];
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	for (size_t at = 252; at <= 256; at++) {
		size_t kept = at + 4 <= 256 ? 256 : at;
		memset(text, 'a', sizeof(text));
		memcpy(text + at, "\xf0\x9f\x98\x80", 4);
		LOG(INFO, "x", LOG_STR("u", ((struct str){ text, sizeof(text) })));
		const char *u = strchr(line(), '"') + 1;
		assert_memory_equal(u, text, kept);
		assert_string_equal(u + kept, "...\"");
	}
	LOG(INFO, "x", LOG_STR("u", ((struct str){ text, 256 })));
	assert_int_equal(strspn(strstr(line(), "u=") + 2, "a"), 256);
}

static void lines_begin_with_the_time_in_utc(void **state)
{
	struct tm tm = { 0 };
	(void)state;
	setenv("TZ", "Asia/Kathmandu", 1);
	tzset();
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	time_t before = time(NULL);
	LOG(INFO, "x");
	const char *text = whole_line();
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	assert_ptr_equal(rest, text + 19);
	assert_true(rest[0] == '.' && strspn(rest + 1, "0123456789") == 3 && rest[4] == 'Z');
	assert_in_range(timegm(&tm), before - 1, before + 60);
}

static void a_log_that_cannot_be_opened_leaves_the_old_one(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	assert_int_equal(log_open("/nonexistent/lemp.log", LOG_INFO, LOG_LOGFMT), ERR_IO);
	LOG(INFO, "still", LOG_INT("n", 1));
	assert_string_equal(line(), " level=info event=still n=1");
}

static int lowest_free_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void the_log_moves_between_file_and_standard_error_without_leaking(void **state)
{
	char elsewhere[128];
	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	assert_int_equal(log_open(elsewhere, LOG_INFO, LOG_LOGFMT), OK);
	int before = lowest_free_descriptor();
	for (unsigned round = 0; round < 3; round++) {
		int kept = dup(STDERR_FILENO);
		int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
		dup2(file, STDERR_FILENO);
		int err = log_open(NULL, LOG_INFO, LOG_LOGFMT);
		LOG(INFO, "to_error");
		dup2(kept, STDERR_FILENO);
		close(kept);
		close(file);
		assert_int_equal(err, OK);
		assert_string_equal(line(), " level=info event=to_error");
		assert_int_equal(log_open(elsewhere, LOG_INFO, LOG_LOGFMT), OK);
	}
	LOG(INFO, "to_file");
	assert_int_equal(lowest_free_descriptor(), before);
	assert_int_equal(rename(elsewhere, path), 0);
	assert_string_equal(line(), " level=info event=to_file");
}

#define THREADS 3
#define LINES 2000
#define FILES_MAX 200
#define WORDS "some words to make the line longer"

static _Atomic unsigned threads_done;

static void *write_lines(void *ctx)
{
	for (unsigned i = 0; i < LINES; i++)
		LOG(INFO, "t", LOG_INT("thread", *(unsigned *)ctx), LOG_INT("seq", i),
		    LOG_Z("text", WORDS));
	atomic_fetch_add(&threads_done, 1);
	return NULL;
}

/* Each line must be the next of its thread. */
static void read_lines(const char *from, unsigned *next)
{
	char text[512], shown[512];
	FILE *f = fopen(from, "r");
	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		const char *after = strchr(text, 'Z'), *thread = strstr(text, " thread=");
		assert_true(after && thread);
		unsigned long t = strtoul(thread + 8, NULL, 10);
		assert_true(t < THREADS);
		snprintf(shown, sizeof(shown),
			 "Z level=info event=t thread=%lu seq=%u text=\"%s\"\n", t, next[t]++, WORDS);
		assert_string_equal(after, shown);
	}
	fclose(f);
	remove(from);
}

static void no_line_is_lost_or_torn_while_the_file_is_rotated(void **state)
{
	pthread_t threads[THREADS];
	unsigned numbers[THREADS], next[THREADS] = { 0 }, files = 0;
	char old[FILES_MAX][128];
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	for (unsigned t = 0; t < THREADS; t++) {
		numbers[t] = t;
		assert_int_equal(pthread_create(&threads[t], NULL, write_lines, &numbers[t]), 0);
	}
	while (files < FILES_MAX && atomic_load(&threads_done) < THREADS) {
		snprintf(old[files], sizeof(old[files]), "%s.%u", path, files);
		assert_int_equal(rename(path, old[files++]), 0);
		assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (unsigned i = 0; i < files; i++)
		read_lines(old[i], next);
	read_lines(path, next);
	for (unsigned t = 0; t < THREADS; t++)
		assert_int_equal(next[t], LINES);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8"); /* mbstowcs is to read UTF-8 */
	const struct CMUnitTest tests[] = {
		IN_DIR(logfmt_quotes_only_what_needs_it_and_escapes_user_text),
		IN_DIR(json_lines_are_json),
		IN_DIR(a_long_event_is_written_in_full),
		IN_DIR(any_bytes_make_a_json_line_of_characters),
		IN_DIR(a_line_has_a_bound_and_fields_without_room_are_left_out_whole),
		IN_DIR(many_short_fields_fill_the_line),
		IN_DIR(what_is_below_the_level_is_not_written),
		IN_DIR(user_text_is_cut_but_not_within_a_character),
		IN_DIR(lines_begin_with_the_time_in_utc),
		IN_DIR(a_log_that_cannot_be_opened_leaves_the_old_one),
		IN_DIR(the_log_moves_between_file_and_standard_error_without_leaking),
		IN_DIR(no_line_is_lost_or_torn_while_the_file_is_rotated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
