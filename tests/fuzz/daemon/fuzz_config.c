/* Any file: values are within their bounds whatever was said of it, and a file without mistakes reads
 * the same a second time. */
#include "daemon/config.h"

static struct config *read_file(struct str text, struct buf *errors)
{
	struct config *config = config_create();
	CHECK(config);
	config_errors_init(errors);
	config_read_text(config, "f", text, errors);
	config_check(config, errors);
	CHECK(config->limits_max_sessions >= 1 && config->limits_max_sessions <= 32);
	CHECK(config->limits_max_packet >= 1024 && config->limits_max_packet <= 64 << 20);
	CHECK(config->limits_names >= CONFIG_NAMES_UTF8 && config->limits_names <= CONFIG_NAMES_ASCII);
	CHECK(config->server_path && config->server_path[0]);
	CHECK(config->server_listen.n <= CONFIG_LIST_MAX);
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct buf errors, again;
	if (size > 4096)
		return 0;
	struct config *a = read_file(text, &errors), *b = read_file(text, &again);
	CHECK(str_eq(buf_view(&errors), buf_view(&again)));
	for (enum config_key k = 0; k < CONFIG_KEYS; k++)
		CHECK(!config_differs(a, b, k));
	config_unref(&a);
	config_unref(&b);
	buf_deinit(&errors);
	buf_deinit(&again);
	return 0;
}
