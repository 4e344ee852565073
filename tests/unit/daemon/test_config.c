/* The configuration: what values are understood, which source wins, and what is said of mistakes. */
#include "daemon/config.h"
#include "daemon/units.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* Reads `text` as the file "f.yaml" over the defaults; what is wrong with it is in *said. */
static struct config *read_text(const char *text, struct buf *said)
{
	struct config *config = config_create();
	assert_non_null(config);
	config_errors_init(said);
	config_read_text(config, "f.yaml", str_of(text), said);
	config_check(config, said);
	buf_u8(said, 0);
	return config;
}

static void expect_said(const char *text, const char *expected)
{
	struct buf said;
	struct config *config = read_text(text, &said);
	assert_string_equal(said.p, expected);
	config_unref(&config);
	buf_deinit(&said);
}

static void sizes_and_times_have_units(void **state)
{
	static const struct { const char *text; int64_t size, duration; } cases[] = {
		{ "0", 0, 0 },
		{ "1", 1, -1 },
		{ "65536", 65536, -1 },
		{ "12B", 12, -1 },
		{ "256KiB", 262144, -1 },
		{ "3MiB", 3145728, -1 },
		{ "2GiB", INT64_C(2147483648), -1 },
		{ "60ms", -1, 60 },
		{ "10s", -1, 10000 },
		{ "5m", -1, 300000 },
		{ "24h", -1, 86400000 },
		{ "7d", -1, 604800000 },
		{ "", -1, -1 },
		{ "s", -1, -1 },
		{ "1.5s", -1, -1 },
		{ "-1s", -1, -1 },
		{ " 1s", -1, -1 },
		{ "1 s", -1, -1 },
		{ "1S", -1, -1 },
		{ "1kb", -1, -1 },
		{ "999999999999999999GiB", -1, -1 },
		{ "9999999999999999999", -1, -1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t size = -1, duration = -1;
		if (units_size(str_of(cases[i].text), &size) != OK)
			size = -1;
		if (units_duration(str_of(cases[i].text), &duration) != OK)
			duration = -1;
		if (size != cases[i].size || duration != cases[i].duration)
			fail_msg("'%s': size %lld, duration %lld", cases[i].text, (long long)size,
				 (long long)duration);
	}
}

static void quantities_are_written_as_short_as_they_can_be(void **state)
{
	static const struct { int64_t value; const char *size, *duration; } cases[] = {
		{ 0, "0B", "0ms" },
		{ 1, "1B", "1ms" },
		{ 1024, "1KiB", "1024ms" },
		{ 1536, "1536B", "1536ms" },
		{ 1 << 20, "1MiB", "1048576ms" },
		{ 60000, "60000B", "1m" },
		{ 172800000, "168750KiB", "2d" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[UNITS_TEXT_MAX];
		units_size_text(cases[i].value, text);
		assert_string_equal(text, cases[i].size);
		units_duration_text(cases[i].value, text);
		assert_string_equal(text, cases[i].duration);
	}
}

static void the_defaults_are_those_of_the_documentation(void **state)
{
	struct buf said;
	struct config *config = read_text("", &said);
	(void)state;
	assert_string_equal(said.p, "");
	assert_int_equal(config->server_listen.n, 1);
	assert_string_equal(config->server_listen.item[0].p, "127.0.0.1:8025");
	assert_string_equal(config->server_path, "/lemp");
	assert_int_equal(config->server_threads, 0);
	assert_int_equal(config->limits_max_packet, 262144);
	assert_int_equal(config->limits_login_timeout, 10000);
	assert_int_equal(config->limits_max_sessions, 1);
	assert_int_equal(config->limits_mailbox_max_messages, 100000);
	assert_int_equal(config->delivery_receipt_retention, 86400000);
	assert_int_equal(config->delivery_durability, CONFIG_DURABILITY_FSYNC);
	assert_int_equal(config->auth_token_hash, CONFIG_TOKEN_ARGON2ID);
	assert_int_equal(config->auth_allowed_origins.n, 0);
	assert_int_equal(config->store_engine, CONFIG_ENGINE_EMBEDDED);
	assert_int_equal(config->store_segment_size, 64 << 20);
	config_unref(&config);
	buf_deinit(&said);
}

static void a_file_sets_every_kind_of_value(void **state)
{
	struct buf said;
	struct config *config = read_text("server:\n"
					  "  listen: [ \"[::1]:1\", unix:/run/x.sock ]\n"
					  "  path: /chat\n"
					  "  threads: 3\n"
					  "limits:\n"
					  "  max_packet: 64KiB\n"
					  "  stall_timeout: \"250ms\"\n"
					  "  names: ascii\n"
					  "auth:\n"
					  "  allowed_origins:\n"
					  "    - https://a.example\n"
					  "    - https://b.example\n"
					  "delivery:\n", &said);
	(void)state;
	assert_string_equal(said.p, "");
	assert_int_equal(config->server_listen.n, 2);
	assert_string_equal(config->server_listen.item[0].p, "[::1]:1");
	assert_string_equal(config->server_listen.item[1].p, "unix:/run/x.sock");
	assert_string_equal(config->server_path, "/chat");
	assert_int_equal(config->server_threads, 3);
	assert_int_equal(config->limits_max_packet, 65536);
	assert_int_equal(config->limits_stall_timeout, 250);
	assert_int_equal(config->limits_names, CONFIG_NAMES_ASCII);
	assert_int_equal(config->auth_allowed_origins.n, 2);
	assert_string_equal(config->auth_allowed_origins.item[1].p, "https://b.example");
	config_unref(&config);
	buf_deinit(&said);
}

static void mistakes_are_told_with_file_line_and_key(void **state)
{
	static const struct { const char *text, *said; } cases[] = {
		{ "limits:\n  max_pakcet: 1KiB\n",
		  "f.yaml:2: limits.max_pakcet: no such key; did you mean limits.max_packet?\n" },
		{ "limit:\n  max_sessions: 2\n",
		  "f.yaml:1: limit: no such section; did you mean limits?\n" },
		{ "other: [ 1, { a: 2 } ]\nlog:\n  level: no\n",
		  "f.yaml:1: other: no such section; did you mean server?\n"
		  "f.yaml:3: log.level: 'no' is none of error|warn|info|debug\n" },
		{ "limits:\n\n  login_timeout: 10\n",
		  "f.yaml:3: limits.login_timeout: '10' is no time from 1ms to 1h "
		  "(units: ms, s, m, h, d)\n" },
		{ "limits:\n  max_packet: 12XiB\n  max_sessions: 33\n",
		  "f.yaml:2: limits.max_packet: '12XiB' is no size from 1KiB to 64MiB "
		  "(units: B, KiB, MiB, GiB)\n"
		  "f.yaml:3: limits.max_sessions: '33' is no number from 1 to 32\n" },
		{ "server:\n  threads: many\n",
		  "f.yaml:2: server.threads: 'many' is no number from 1 to 64, or auto\n" },
		{ "store:\n  engine: sqlite\n",
		  "f.yaml:2: store.engine: 'sqlite' is none of embedded|memory\n" },
		{ "server:\n  path:\n", "f.yaml:2: server.path: '' is no text of 1 to 4096 bytes\n" },
		{ "server:\n  path: lemp\n",
		  "f.yaml:2: server.path: must begin with / and have no ?, # or blank\n" },
		{ "server:\n  listen: []\n",
		  "f.yaml:2: server.listen: there must be an address to listen on\n" },
		{ "server:\n  listen: [\"a,b\"]\n",
		  "f.yaml:2: server.listen: an item of a list has no comma\n" },
		{ "log:\n  level: info\n  level: debug\n", "f.yaml:3: log.level: stands here a second time\n" },
		{ "limits:\n  max_packet: 1MiB\n",
		  "f.yaml:2: limits.send_buffer: 1MiB is less than twice limits.max_packet (1MiB)\n" },
		{ "limits:\n  send_buffer: 256KiB\n",
		  "f.yaml:2: limits.send_buffer: 256KiB is less than twice limits.max_packet (256KiB)\n" },
		{ "log: debug\n", "f.yaml:1: log: is a section of keys, not a value\n" },
		{ "log:\n  level:\n    deep: 1\n", "f.yaml:3: log.level: is a key with a value, not a section\n" },
		{ "- log\n", "f.yaml:1: a configuration is sections of keys\n" },
		{ "log:\n  level: [\n", "f.yaml:3: log.level: did not find expected node content\n" },
		{ "log:\n  level: info\n---\nlog:\n", "f.yaml:3: a second document\n" },
		{ "log:\n  level: \"in\\0fo\"\n",
		  "f.yaml:2: log.level: 'in?fo' is none of error|warn|info|debug\n" },
		{ "\"lo\\eg\":\n  level: info\n",
		  "f.yaml:1: lo?g: no such section; did you mean log?\n" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_said(cases[i].text, cases[i].said);
}

static void a_missing_file_is_told(void **state)
{
	struct config *config = config_create();
	struct buf said;
	(void)state;
	config_errors_init(&said);
	config_read_file(config, "/nonexistent/lempd.yaml", &said);
	assert_true(str_eq(buf_view(&said), STR("/nonexistent/lempd.yaml: No such file or directory\n")));
	config_unref(&config);
	buf_deinit(&said);
}

static void the_environment_wins_over_the_file_and_the_command_line_over_both(void **state)
{
	char *environment[] = { (char[]){ "PATH=/bin" }, (char[]){ "LEMP_LIMITS_MAX_PACKET=65536" },
				(char[]){ "LEMP_LOG_LEVEL=error" }, (char[]){ "LEMP_TOKEN=x" },
				(char[]){ "LEMP_ADMIN_SOCKET=/x" }, (char[]){ "odd" }, NULL };
	struct buf said;
	struct config *config = read_text("limits:\n  max_packet: 4KiB\n  max_sessions: 7\n"
					  "log:\n  level: debug\n", &said);
	(void)state;
	config_read_environment(config, environment, &said);
	config_set(config, STR("log.level"), STR("warn"), "--set", &said);
	assert_string_equal(said.p, "");
	assert_int_equal(said.n, 1);
	assert_int_equal(config->limits_max_sessions, 7);
	assert_int_equal(config->limits_max_packet, 65536);
	assert_int_equal(config->log_level, 1);
	config_unref(&config);
	buf_deinit(&said);
}

static void a_misspelt_variable_is_told(void **state)
{
	char *environment[] = { (char[]){ "LEMP_LIMITS_MAX_PACKT=1" },
				(char[]){ "LEMP_LIMITS_MAX_SESSIONS=none" }, NULL };
	struct config *config = config_create();
	struct buf said;
	(void)state;
	config_errors_init(&said);
	config_read_environment(config, environment, &said);
	buf_u8(&said, 0);
	assert_string_equal(said.p, "LEMP_LIMITS_MAX_PACKT: limits.max_packt: no such key; did you mean "
				    "limits.max_packet?\n"
				    "LEMP_LIMITS_MAX_SESSIONS: limits.max_sessions: 'none' is no number "
				    "from 1 to 32\n");
	config_unref(&config);
	buf_deinit(&said);
}

static void a_change_is_seen_for_every_key(void **state)
{
	struct config *a = config_create();
	struct buf said;
	(void)state;
	config_errors_init(&said);
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		static const char *const others[] = { "2", "2KiB", "8MiB", "5s", "ascii", "os", "blake2b", "memory",
						      "debug", "json", "/other", "x:1,y:2" };
		struct config *b = config_create();
		assert_false(config_differs(a, b, k));
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && !config_differs(a, b, k); i++)
			config_set(b, str_of(config_row(k)->key), str_of(others[i]), "test", &said);
		assert_true(config_differs(a, b, k));
		config_unref(&b);
	}
	config_unref(&a);
	buf_deinit(&said);
}

/* --- the documents say the same --- */

static char *document(const char *path)
{
	static const char here[] = "tests/unit/daemon/test_config.c";
	char name[4096];
	size_t root = strlen(__FILE__) - strlen(here);
	assert_string_equal(&__FILE__[root], here);
	assert_true(snprintf(name, sizeof(name), "%.*s%s", (int)root, __FILE__, path) < (int)sizeof(name));
	FILE *file = fopen(name, "r");
	if (!file)
		fail_msg("cannot open %s", name);
	char *text = calloc(1, CONFIG_FILE_BYTES_MAX);
	assert_non_null(text);
	assert_true(fread(text, 1, CONFIG_FILE_BYTES_MAX - 1, file) > 0);
	fclose(file);
	return text;
}

static void the_example_file_has_every_key_with_its_default(void **state)
{
	char *text = document("docs/lempd.yaml");
	struct buf said;
	struct config *defaults = config_create(), *config = read_text(text, &said);
	(void)state;
	assert_string_equal(said.p, "");
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		if (config_differs(defaults, config, k) || !config->_place[k])
			fail_msg("docs/lempd.yaml: %s is missing or not the default", config_row(k)->key);
	}
	config_unref(&defaults);
	config_unref(&config);
	buf_deinit(&said);
	free(text);
}

static void the_manual_page_has_every_key_with_its_default_and_no_other(void **state)
{
	char *text = document("docs/man/lempd.yaml.5");
	unsigned tagged = 0;
	(void)state;
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		const struct config_row *row = config_row(k);
		char line[256];
		snprintf(line, sizeof(line), "\n.It Ic %s Ns = Ns Ar %s\n", row->key,
			 row->text[0] ? row->text : "none");
		if (!strstr(text, line))
			fail_msg("docs/man/lempd.yaml.5: %s is missing or has another default", row->key);
	}
	for (char *at = text; (at = strstr(at, "\n.It Ic ")); at++)
		tagged++;
	assert_int_equal(tagged, CONFIG_KEYS);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_times_have_units),
		cmocka_unit_test(quantities_are_written_as_short_as_they_can_be),
		cmocka_unit_test(the_defaults_are_those_of_the_documentation),
		cmocka_unit_test(a_file_sets_every_kind_of_value),
		cmocka_unit_test(mistakes_are_told_with_file_line_and_key),
		cmocka_unit_test(a_missing_file_is_told),
		cmocka_unit_test(the_environment_wins_over_the_file_and_the_command_line_over_both),
		cmocka_unit_test(a_misspelt_variable_is_told),
		cmocka_unit_test(a_change_is_seen_for_every_key),
		cmocka_unit_test(the_example_file_has_every_key_with_its_default),
		cmocka_unit_test(the_manual_page_has_every_key_with_its_default_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
