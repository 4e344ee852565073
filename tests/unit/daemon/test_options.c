/* The command line, and the configuration that comes of all sources together. */
#include "daemon/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define ARGS_MAX 16

/* Reads a command line given as words with blanks between. */
static int read_line(const char *line, struct options *out, char *why, size_t why_size)
{
	static char words[512];
	char *argv[ARGS_MAX] = { (char[]){ "lempd" } }, *at = words;
	int argc = 1;
	assert_true(strlen(line) < sizeof(words));
	memcpy(words, line, strlen(line) + 1);
	while (*at && argc < ARGS_MAX - 1) {
		argv[argc++] = at;
		at += strcspn(at, " ");
		if (*at)
			*at++ = '\0';
	}
	return options_read(argc, argv, out, why, why_size);
}

static void wrong_usage_is_told(void **state)
{
	static const struct { const char *line, *why; } cases[] = {
		{ "--nonsense", "unknown option '--nonsense'" },
		{ "-x", "unknown option '-x'" },
		{ "nonsense", "unexpected argument 'nonsense'" },
		{ "--config", "--config wants a value" },
		{ "--set limits.max_packet", "--set wants KEY=VALUE, not 'limits.max_packet'" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options o;
		char why[256];
		assert_int_equal(read_line(cases[i].line, &o, why, sizeof(why)), ERR_INVALID);
		assert_string_equal(why, cases[i].why);
	}
}

static void later_sources_win_over_earlier_ones(void **state)
{
	char path[] = "/tmp/test_options.XXXXXX", why[256], line[256];
	char *environment[] = { (char[]){ "LEMP_LIMITS_MAX_SESSIONS=3" }, (char[]){ "LEMP_SERVER_PATH=/e" },
				NULL };
	static const char text[] = "limits:\n  max_sessions: 2\n  max_login_failures: 2\nserver:\n  path: /f\n";
	struct options o;
	struct buf errors;
	int fd = mkstemp(path);
	(void)state;
	assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
	close(fd);
	snprintf(line, sizeof(line), "--config %s --set server.path=/a --set server.path=/c --data d", path);
	assert_int_equal(read_line(line, &o, why, sizeof(why)), OK);
	config_errors_init(&errors);
	struct config *config = options_config(&o, environment, &errors);
	assert_non_null(config);
	assert_int_equal(config->limits_max_login_failures, 2);
	assert_int_equal(config->limits_max_sessions, 3);
	assert_string_equal(config->server_path, "/c");
	assert_string_equal(config->server_data, "d");
	assert_int_equal(config->limits_mailbox_max_messages, 100000);
	config_unref(&config);
	buf_deinit(&errors);
	unlink(path);
}

static void all_listen_options_together_replace_the_list(void **state)
{
	char why[256], *none[] = { NULL };
	struct options o;
	struct buf errors;
	(void)state;
	assert_int_equal(read_line("--listen [::1]:1 --set server.listen=127.0.0.1:9 --listen unix:/x", &o, why,
				   sizeof(why)), OK);
	config_errors_init(&errors);
	struct config *config = options_config(&o, none, &errors);
	assert_non_null(config);
	assert_int_equal(config->server_listen.n, 2);
	assert_string_equal(config->server_listen.item[0].p, "[::1]:1");
	assert_string_equal(config->server_listen.item[1].p, "unix:/x");
	config_unref(&config);
	buf_deinit(&errors);
}

static void mistakes_on_the_command_line_are_told_with_option_and_key(void **state)
{
	static const struct { const char *line, *errors; } cases[] = {
		{ "--set limits.max_paket=1",
		  "--set: limits.max_paket: no such key; did you mean limits.max_packet?\n" },
		{ "--set =1", "--set: : no such key; did you mean log.file?\n" },
		{ "--listen localhost",
		  "--listen: server.listen: 'localhost' is neither HOST:PORT with a numeric host nor unix:PATH\n" },
		{ "--data 0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
		  "0123456789/0123",
		  "--data: server.admin_socket: the path is longer than 107 bytes, more than a socket can have: "
		  "set a shorter one\n" },
	};
	char *none[] = { NULL };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options o;
		struct buf errors;
		char why[256];
		assert_int_equal(read_line(cases[i].line, &o, why, sizeof(why)), OK);
		config_errors_init(&errors);
		assert_null(options_config(&o, none, &errors));
		buf_u8(&errors, 0);
		assert_string_equal(errors.p, cases[i].errors);
		buf_deinit(&errors);
	}
}

static void the_admin_socket_stands_in_the_data_directory_unless_it_is_set(void **state)
{
	char path[CONFIG_SOCKET_PATH_MAX];
	struct config *config = config_create();
	struct buf errors;
	(void)state;
	config_errors_init(&errors);
	assert_int_equal(config_admin_socket(config, path), OK);
	assert_string_equal(path, "data/admin.sock");
	config_set(config, STR("server.admin_socket"), STR("/run/x"), "test", &errors);
	assert_int_equal(config_admin_socket(config, path), OK);
	assert_string_equal(path, "/run/x");
	config_unref(&config);
	buf_deinit(&errors);
}

static void a_running_server_keeps_what_counts_at_a_start_only(void **state)
{
	struct config *old = config_create(), *config = config_create();
	struct buf errors;
	(void)state;
	config_errors_init(&errors);
	config_set(config, STR("server.path"), STR("/other"), "test", &errors);
	config_set(config, STR("server.listen"), STR("[::1]:1,[::1]:2"), "test", &errors);
	config_set(config, STR("limits.max_packet"), STR("1KiB"), "test", &errors);
	config_set(config, STR("limits.max_sessions"), STR("7"), "test", &errors);
	config_keep(config, old);
	assert_string_equal(config->server_path, "/lemp");
	assert_int_equal(config->server_listen.n, 1);
	assert_string_equal(config->server_listen.item[0].p, "127.0.0.1:8025");
	assert_int_equal(config->limits_max_packet, 262144);
	assert_int_equal(config->limits_max_sessions, 7);
	config_unref(&old);
	config_unref(&config);
	buf_deinit(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_told),
		cmocka_unit_test(later_sources_win_over_earlier_ones),
		cmocka_unit_test(all_listen_options_together_replace_the_list),
		cmocka_unit_test(mistakes_on_the_command_line_are_told_with_option_and_key),
		cmocka_unit_test(the_admin_socket_stands_in_the_data_directory_unless_it_is_set),
		cmocka_unit_test(a_running_server_keeps_what_counts_at_a_start_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
