#include "base/check.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* What a child that runs `act` writes on standard error, and how it ends. */
static int run(void (*act)(void), char *text, size_t text_bytes)
{
	int ends[2], status = 0;
	size_t n = 0;
	ssize_t got;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		act();
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + n, text_bytes - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void hold(void) { CHECK(1 + 1 == 2); }
static void break_check(void) { CHECK(1 + 1 == 3); }
static void break_never(void) { CHECK_NEVER("no such kind"); }

static void a_check_that_holds_does_nothing(void **state)
{
	char text[512];
	(void)state;
	int status = run(hold, text, sizeof(text));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_string_equal(text, "");
}

static void a_check_that_fails_says_what_and_where_and_aborts(void **state)
{
	char text[512];
	(void)state;
	int status = run(break_check, text, sizeof(text));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(text, "1 + 1 == 3"));
	assert_non_null(strstr(text, "test_check.c:"));
}

static void what_cannot_be_reached_aborts_with_its_words(void **state)
{
	char text[512];
	(void)state;
	int status = run(break_never, text, sizeof(text));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(text, "no such kind"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_that_holds_does_nothing),
		cmocka_unit_test(a_check_that_fails_says_what_and_where_and_aborts),
		cmocka_unit_test(what_cannot_be_reached_aborts_with_its_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
