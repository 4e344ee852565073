#include "daemon/options.h"
#include <getopt.h>
#include <stdio.h>

const char options_help[] =
	"Usage: lempd [--config FILE] [--listen ADDRESS]... [--data DIR] [--set KEY=VALUE]...\n"
	"             [--check] [--check-data DIR] [--version] [--help]\n"
	"\n"
	"  --config FILE     reads a configuration (YAML; lempd.yaml(5) lists the keys)\n"
	"  --listen ADDRESS  listens there instead: HOST:PORT, [IPV6]:PORT or unix:PATH; several are fine\n"
	"  --data DIR        keeps its data there\n"
	"  --set KEY=VALUE   overrides one key, e.g. --set limits.max_packet=64KiB\n"
	"  --check           says what is wrong with the configuration, and exits\n"
	"  --check-data DIR  reads all of a data directory that no server uses, says whether it is whole,\n"
	"                    and exits\n"
	"\n"
	"An environment variable LEMP_SECTION_KEY overrides the file, an option overrides both.\n"
	"SIGTERM ends the server cleanly, SIGHUP makes it read its configuration again.\n"
	"Exit status: 0 clean, 64 usage, 65 bad data directory, 69 port or storage unavailable,\n"
	"70 internal error, 78 bad configuration.\n";

enum { CONFIG_FILE = 1, LISTEN, DATA, SET, CHECK_ONLY, CHECK_DATA, VERSION, HELP };

static const struct option table[] = {
	{ "config", required_argument, NULL, CONFIG_FILE },
	{ "listen", required_argument, NULL, LISTEN },
	{ "data", required_argument, NULL, DATA },
	{ "set", required_argument, NULL, SET },
	{ "check", no_argument, NULL, CHECK_ONLY },
	{ "check-data", required_argument, NULL, CHECK_DATA },
	{ "version", no_argument, NULL, VERSION },
	{ "help", no_argument, NULL, HELP },
	{ NULL, 0, NULL, 0 },
};

static int add(struct options *o, const char *key, const char *value, const char *place, char *why,
	       size_t why_size)
{
	if (o->set_n == OPTIONS_MAX) {
		snprintf(why, why_size, "more than %d options", OPTIONS_MAX);
		return ERR_INVALID;
	}
	o->set[o->set_n].key = key;
	o->set[o->set_n].value = value;
	o->set[o->set_n++].place = place;
	return OK;
}

static int take(struct options *o, int option, char **argv, char *why, size_t why_size)
{
	switch (option) {
	case CONFIG_FILE:
		o->file = optarg;
		return OK;
	case LISTEN:
		return add(o, "server.listen", optarg, "--listen", why, why_size);
	case DATA:
		return add(o, "server.data", optarg, "--data", why, why_size);
	case SET:
		if (!strchr(optarg, '=')) {
			snprintf(why, why_size, "--set wants KEY=VALUE, not '%s'", optarg);
			return ERR_INVALID;
		}
		return add(o, NULL, optarg, "--set", why, why_size);
	case CHECK_ONLY:
		o->check = true;
		return OK;
	case CHECK_DATA:
		o->check_data = optarg;
		return OK;
	case VERSION:
		o->version = true;
		return OK;
	case HELP:
		o->help = true;
		return OK;
	default:
		snprintf(why, why_size, option == ':' ? "%s wants a value" : "unknown option '%s'",
			 argv[optind - 1]);
		return ERR_INVALID;
	}
}

int options_read(int argc, char **argv, struct options *out, char *why, size_t why_size)
{
	int option, err = OK;
	*out = (struct options){ .file = NULL };
	optind = 0; /* begin anew, also in a test */
	while (err == OK && (option = getopt_long(argc, argv, ":", table, NULL)) != -1)
		err = take(out, option, argv, why, why_size);
	if (err == OK && optind < argc) {
		snprintf(why, why_size, "unexpected argument '%s'", argv[optind]);
		err = ERR_INVALID;
	}
	return err;
}

/* All --listen together replace the list. */
static void set_listen(const struct options *o, struct config *config, struct buf *errors)
{
	struct buf list;
	buf_init(&list, CONFIG_VALUE_BYTES_MAX);
	for (unsigned i = 0; i < o->set_n; i++)
		if (o->set[i].key && strcmp(o->set[i].key, "server.listen") == 0)
			buf_printf(&list, "%s%s", list.n ? "," : "", o->set[i].value);
	if (list.n || list.failed)
		config_set(config, STR("server.listen"), buf_view(&list), "--listen", errors);
	buf_deinit(&list);
}

static void set_one(const struct options *o, unsigned i, struct config *config, struct buf *errors)
{
	const char *value = o->set[i].value;
	struct str key;
	if (o->set[i].key) {
		key = str_of(o->set[i].key);
		if (str_eq(key, STR("server.listen")))
			return;
	} else {
		size_t n = strcspn(value, "=");
		key = (struct str){ value, n };
		value += n + 1;
	}
	config_set(config, key, str_of(value), o->set[i].place, errors);
}

struct config *options_config(const struct options *o, char *const *environment,
			      struct buf *errors)
{
	struct config *config = config_create();
	CHECK(config);
	if (o->file)
		config_read_file(config, o->file, errors);
	config_read_environment(config, environment, errors);
	for (unsigned i = 0; i < o->set_n; i++)
		set_one(o, i, config, errors);
	set_listen(o, config, errors);
	config_check(config, errors);
	if (errors->n || errors->failed)
		config_unref(&config);
	return config;
}
