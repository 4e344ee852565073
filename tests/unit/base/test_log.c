#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char path[64];

/* The last line of the log without its time. */
static const char *last_line(void)
{
	static char text[8192];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char line[8192];
	while (fgets(line, sizeof(line), f))
		memcpy(text, line, sizeof(text));
	fclose(f);
	text[strcspn(text, "\n")] = 0;
	char *after = strchr(text, 'Z');
	assert_non_null(after);
	return after + 1;
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/lemp-log-XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 || close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return remove(path);
}

static void logfmt_quotes_only_what_needs_it_and_escapes_user_text(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	LOG(INFO, "login", LOG_Z("user", "alice"), LOG_INT("sessions", -2), LOG_Z("peer", "a b"));
	assert_string_equal(last_line(), " level=info event=login user=alice sessions=-2 peer=\"a b\"");
	LOG(WARN, "x", LOG_STR("u", STR("a\nb\x1b\"\\\xff\xc3\xa9")), LOG_Z("e", ""));
	assert_string_equal(last_line(), " level=warn event=x u=\"a\\u000ab\\u001b\\\"\\\\\\u00ff\xc3\xa9\" e=\"\"");
}

static void json_lines_are_json(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_JSON), OK);
	LOG(ERROR, "x", LOG_Z("u", "a\tb"), LOG_INT("n", 5));
	assert_string_equal(last_line(), "\",\"level\":\"error\",\"event\":\"x\",\"u\":\"a\\u0009b\",\"n\":5}");
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_WARN, LOG_LOGFMT), OK);
	LOG(WARN, "shown", LOG_INT("n", 1));
	LOG(INFO, "hidden", LOG_INT("n", 1));
	assert_string_equal(last_line(), " level=warn event=shown n=1");
}

static void user_text_is_cut_but_not_within_a_character(void **state)
{
	(void)state;
	char text[400];
	memset(text, 'a', sizeof(text));
	memcpy(text + 255, "\xc3\xa9", 2);
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	LOG(INFO, "x", LOG_STR("u", ((struct str){ text, sizeof(text) })));
	const char *line = last_line();
	assert_int_equal(strspn(strchr(line, '"') + 1, "a"), 255);
	assert_string_equal(strchr(line, '"') + 1 + 255, "...\"");
}

static void a_log_that_cannot_be_opened_leaves_the_old_one(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_INFO, LOG_LOGFMT), OK);
	assert_int_equal(log_open("/nonexistent/lemp.log", LOG_INFO, LOG_LOGFMT), ERR_IO);
	LOG(INFO, "still", LOG_INT("n", 1));
	assert_string_equal(last_line(), " level=info event=still n=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt_quotes_only_what_needs_it_and_escapes_user_text),
		cmocka_unit_test(json_lines_are_json),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(user_text_is_cut_but_not_within_a_character),
		cmocka_unit_test(a_log_that_cannot_be_opened_leaves_the_old_one),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
