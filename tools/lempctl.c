/* lempctl: administration of a running lempd. */
#include "lempctl.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_BYTES 32
#define TOKEN_INPUT_MAX 1100 /* more than the server takes */
#define IMPORT_BYTES_MAX ((size_t)512 << 20)

static const char help[] =
	"Usage: lempctl [--socket PATH] [--json] COMMAND\n"
	"\n"
	"  user add NAME [--token T | --token-stdin] [--admin]\n"
	"  user del NAME\n"
	"  user token NAME [--token T | --token-stdin]    gives another token\n"
	"  user list [--prefix P]\n"
	"  user show NAME\n"
	"  user import FILE.csv | -      lines name,token,type (type 1: administrator); all or nothing\n"
	"  session list\n"
	"  session kick NAME\n"
	"  stats [--watch]\n"
	"  backup DIR                    a copy of all data, while the server runs; DIR is created\n"
	"  restore DIR --data NEW        makes a data directory of a copy; needs no server\n"
	"\n"
	"Without a token, add and token print a random one. --token shows it to whoever sees the list\n"
	"of processes; --token-stdin does not. With auth.token_hash=argon2id an import takes about 15 ms\n"
	"a user (two cores); for long random tokens, as an application issues them, run lempd with\n"
	"--set auth.token_hash=blake2b, which takes next to nothing.\n"
	"\n"
	"The socket is --socket, else the environment's LEMP_ADMIN_SOCKET, else data/admin.sock.\n"
	"Exit status: 0 done, 1 the server said no, 64 usage, 69 no server there.\n";

/* --- tokens --- */

/* A random token, or the given one, in `out`. */
static bool choose_token(struct ctl *ctl, char out[TOKEN_INPUT_MAX + 1], bool *random_out)
{
	*random_out = false;
	if (ctl->token) {
		snprintf(out, TOKEN_INPUT_MAX + 1, "%s", ctl->token);
		return true;
	}
	if (ctl->token_stdin) {
		if (!fgets(out, TOKEN_INPUT_MAX + 1, stdin))
			out[0] = '\0';
		out[strcspn(out, "\r\n")] = '\0';
		return true;
	}
	unsigned char bytes[TOKEN_BYTES];
	if (sodium_init() < 0)
		return false;
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2base64(out, TOKEN_INPUT_MAX, bytes, sizeof(bytes),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	*random_out = true;
	return true;
}

static void with_token(struct ctl *ctl, const char *command)
{
	char token[TOKEN_INPUT_MAX + 1];
	bool random;
	if (!choose_token(ctl, token, &random))
		return;
	if (!token[0]) {
		fprintf(stderr, "lempctl: the token is empty\n");
		ctl->status = CTL_USAGE;
		return;
	}
	json_t *request = json_pack("{ss ss ss}", "command", command, "name", ctl->args[0], "token", token);
	if (request && ctl->admin)
		json_object_set_new(request, "type", json_integer(1));
	json_t *last = link_ask(ctl, request) ? link_last(ctl) : NULL;
	if (last && ctl->json) {
		json_t *shown = json_pack("{ss}", "name", ctl->args[0]);
		if (random)
			json_object_set_new(shown, "token", json_string(token));
		show_json(shown);
		json_decref(shown);
	} else if (last && random) {
		printf("%s\n", token);
	}
	sodium_memzero(token, sizeof(token));
	json_decref(last);
}

static void user_add(struct ctl *ctl)
{
	with_token(ctl, "user add");
}

static void user_token(struct ctl *ctl)
{
	with_token(ctl, "user token");
}

/* --- commands that say yes or no --- */

static void plain(struct ctl *ctl, const char *command)
{
	json_t *request = json_pack("{ss ss}", "command", command, "name", ctl->args[0]);
	json_t *last = link_ask(ctl, request) ? link_last(ctl) : NULL;
	if (last && ctl->json) {
		json_t *shown = json_pack("{ss}", "name", ctl->args[0]);
		show_json(shown);
		json_decref(shown);
	}
	json_decref(last);
}

static void user_del(struct ctl *ctl)
{
	plain(ctl, "user del");
}

static void session_kick(struct ctl *ctl)
{
	plain(ctl, "session kick");
}

/* --- lists --- */

static const struct column user_columns[] = {
	{ "name", "NAME", false }, { "type", "TYPE", false }, { "last_seen", "LAST SEEN", false },
};
static const struct column session_columns[] = {
	{ "user", "USER", false }, { "address", "ADDRESS", false }, { "age_s", "LOGGED IN FOR", true },
	{ "unacknowledged", "UNACKNOWLEDGED", true },
};

static void list(struct ctl *ctl, json_t *request, const struct column *columns, unsigned n)
{
	struct table table = { .columns = columns, .n = n, .json = ctl->json };
	json_t *line, *rows;
	if (!link_ask(ctl, request))
		return;
	while ((line = link_next(ctl))) {
		if ((rows = json_object_get(line, "rows")))
			table_rows(&table, rows);
		bool last = json_object_get(line, "ok") != NULL;
		json_decref(line);
		if (last) {
			table_end(&table);
			return;
		}
	}
}

static void user_list(struct ctl *ctl)
{
	list(ctl, json_pack("{ss ss}", "command", "user list", "prefix", ctl->prefix ? ctl->prefix : ""),
	     user_columns, 3);
}

static void session_list(struct ctl *ctl)
{
	list(ctl, json_pack("{ss}", "command", "session list"), session_columns, 4);
}

static void user_show(struct ctl *ctl)
{
	json_t *request = json_pack("{ss ss}", "command", "user show", "name", ctl->args[0]);
	json_t *last = link_ask(ctl, request) ? link_last(ctl) : NULL;
	const json_t *user = json_object_get(last, "user"), *seen = json_object_get(user, "last_seen");
	const json_t *sessions = json_object_get(user, "sessions");
	char text[64] = "never";
	if (last && ctl->json) {
		show_json(user);
	} else if (last) {
		if (json_is_integer(seen))
			show_time(json_integer_value(seen), text, sizeof(text));
		printf("name           %s\ntype           %s\nlast seen      %s\n",
		       json_string_value(json_object_get(user, "name")),
		       json_string_value(json_object_get(user, "type")),
		       json_array_size(sessions) ? "online" : text);
		printf("messages       %lld\nmessage bytes  %lld\n",
		       (long long)json_integer_value(json_object_get(user, "messages")),
		       (long long)json_integer_value(json_object_get(user, "message_bytes")));
		for (size_t i = 0; i < json_array_size(sessions); i++) {
			const json_t *s = json_array_get(sessions, i);
			show_age(json_integer_value(json_object_get(s, "age_s")), text, sizeof(text));
			printf("session        %s for %s, %lld unacknowledged\n",
			       json_string_value(json_object_get(s, "address")), text,
			       (long long)json_integer_value(json_object_get(s, "unacknowledged")));
		}
	}
	json_decref(last);
}

/* --- import --- */

/* All of a file; NULL: it was said why. */
static char *slurp(struct ctl *ctl, const char *path, size_t *n_out)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t cap = 1 << 16;
	char *bytes = malloc(cap);
	ssize_t got = fd < 0 || !bytes ? -1 : 1;
	*n_out = 0;
	while (got > 0) {
		if (*n_out == cap && cap < IMPORT_BYTES_MAX) {
			char *more = realloc(bytes, cap *= 2);
			if (!more)
				break;
			bytes = more;
		}
		errno = EFBIG; /* unless read says otherwise */
		got = *n_out == cap ? -1 : read(fd, bytes + *n_out, cap - *n_out);
		*n_out += got > 0 ? (size_t)got : 0;
	}
	if (fd > STDIN_FILENO)
		close(fd);
	if (got == 0)
		return bytes;
	fprintf(stderr, "lempctl: %s: %s\n", path, strerror(errno));
	ctl->status = ctl_interrupted ? CTL_INTERRUPTED : CTL_USAGE;
	free(bytes);
	return NULL;
}

static void user_import(struct ctl *ctl)
{
	size_t n;
	char *bytes = slurp(ctl, ctl->args[0], &n);
	json_t *line = NULL;
	if (!bytes)
		return;
	if (link_ask(ctl, json_pack("{ss sI}", "command", "user import", "bytes", (json_int_t)n)))
		line = link_next(ctl); /* go ahead */
	bool sent = line && link_send(ctl, bytes, n);
	json_decref(line);
	sodium_memzero(bytes, n);
	free(bytes);
	line = sent ? link_last(ctl) : NULL;
	show_progress_end();
	long long users = json_integer_value(json_object_get(line, "imported"));
	if (line)
		printf(ctl->json ? "{\"imported\":%lld}\n" : "%lld users imported\n", users);
	json_decref(line);
}

/* --- stats --- */

static void print_stats(const json_t *now, json_t *before)
{
	const char *name;
	json_t *value;
	char age[32];
	show_age(json_integer_value(json_object_get(now, "uptime_s")), age, sizeof(age));
	printf("lempd %s, up %s, %lld threads\n", json_string_value(json_object_get(now, "version")), age,
	       (long long)json_integer_value(json_object_get(now, "threads")));
	json_object_foreach(json_object_get(now, "metrics"), name, value) {
		json_int_t v = json_integer_value(value);
		printf("%-28s %14lld", name, (long long)v);
		if (before)
			printf("  %+10lld/s", (long long)(v - json_integer_value(json_object_get(
				json_object_get(before, "metrics"), name))));
		printf("\n");
	}
	fflush(stdout);
}

static void stats(struct ctl *ctl)
{
	json_t *before = NULL;
	do {
		json_t *now = link_ask(ctl, json_pack("{ss}", "command", "stats")) ? link_last(ctl) : NULL;
		if (now && ctl->json) {
			json_object_del(now, "ok");
			show_json(now);
		} else if (now) {
			if (ctl->watch && isatty(STDOUT_FILENO))
				printf("\033[H\033[J");
			print_stats(now, before);
		}
		json_decref(before);
		before = now;
	} while (ctl->watch && before && !ctl_interrupted && sleep(1) == 0);
	json_decref(before);
	if (ctl->watch && ctl_interrupted)
		ctl->status = CTL_OK;
}

/* --- backup --- */

static void backup(struct ctl *ctl)
{
	char from_root[PATH_MAX], here[PATH_MAX];
	const char *path = ctl->args[0];
	if (path[0] != '/' && getcwd(here, sizeof(here)) &&
	    (size_t)snprintf(from_root, sizeof(from_root), "%s/%s", here, path) < sizeof(from_root))
		path = from_root;
	json_t *last = link_ask(ctl, json_pack("{ss ss}", "command", "backup", "name", path)) ? link_last(ctl)
											       : NULL;
	if (last && ctl->json) {
		json_object_del(last, "ok");
		show_json(last);
	} else if (last) {
		printf("All data are copied to %s.\n", path);
	}
	json_decref(last);
}

static void restore(struct ctl *ctl)
{
	if (!ctl->data) {
		fprintf(stderr, "lempctl: restore wants --data NEW, a directory that it creates\n");
		ctl->status = CTL_USAGE;
	} else if (!restore_copy(ctl->args[0], ctl->data)) {
		ctl->status = CTL_REFUSED;
	} else if (ctl->json) {
		json_t *shown = json_pack("{ss}", "restored", ctl->data);
		show_json(shown);
		json_decref(shown);
	} else {
		printf("%s is ready: lempd --data %s\n", ctl->data, ctl->data);
	}
}

/* --- the command line --- */

struct command { const char *group, *name; int args; void (*run)(struct ctl *ctl); };
static const struct command commands[] = {
	{ "user", "add", 1, user_add },
	{ "user", "del", 1, user_del },
	{ "user", "token", 1, user_token },
	{ "user", "list", 0, user_list },
	{ "user", "show", 1, user_show },
	{ "user", "import", 1, user_import },
	{ "session", "list", 0, session_list },
	{ "session", "kick", 1, session_kick },
	{ "stats", NULL, 0, stats },
	{ "backup", NULL, 1, backup },
	{ "restore", NULL, 1, restore },
};

enum { SOCKET = 1, JSON, TOKEN, TOKEN_STDIN, ADMIN, PREFIX, WATCH, DATA, HELP, VERSION };
static const struct option options[] = {
	{ "socket", required_argument, NULL, SOCKET },
	{ "json", no_argument, NULL, JSON },
	{ "token", required_argument, NULL, TOKEN },
	{ "token-stdin", no_argument, NULL, TOKEN_STDIN },
	{ "admin", no_argument, NULL, ADMIN },
	{ "prefix", required_argument, NULL, PREFIX },
	{ "watch", no_argument, NULL, WATCH },
	{ "data", required_argument, NULL, DATA },
	{ "help", no_argument, NULL, HELP },
	{ "version", no_argument, NULL, VERSION },
	{ NULL, 0, NULL, 0 },
};

static int usage(const char *what)
{
	fprintf(stderr, "lempctl: %s\nTry lempctl --help.\n", what);
	return CTL_USAGE;
}

static const struct command *find(int argc, char **argv, int *used_out)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];
		if (argc < 1 || strcmp(argv[0], c->group) != 0)
			continue;
		*used_out = c->name ? 2 : 1;
		if (!c->name || (argc > 1 && strcmp(argv[1], c->name) == 0))
			return c;
	}
	return NULL;
}

/* -1: go on; else the exit status. */
static int read_options(struct ctl *ctl, int argc, char **argv)
{
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case SOCKET: ctl->socket = optarg; break;
		case JSON: ctl->json = true; break;
		case TOKEN: ctl->token = optarg; break;
		case TOKEN_STDIN: ctl->token_stdin = true; break;
		case ADMIN: ctl->admin = true; break;
		case PREFIX: ctl->prefix = optarg; break;
		case WATCH: ctl->watch = true; break;
		case DATA: ctl->data = optarg; break;
		case HELP: return fputs(help, stdout) < 0;
		case VERSION: return printf("lempctl %s\n", LEMP_VERSION) < 0;
		default: return CTL_USAGE; /* getopt has said why */
		}
	}
	return -1;
}

static void interrupt(int number)
{
	(void)number;
	ctl_interrupted = 1;
}

int main(int argc, char **argv)
{
	const char *from_environment = getenv("LEMP_ADMIN_SOCKET");
	struct ctl ctl = { .fd = -1, .socket = from_environment ? from_environment : "data/admin.sock" };
	struct sigaction on_interrupt = { .sa_handler = interrupt }; /* without SA_RESTART */
	int used = 0;
	setlocale(LC_ALL, "");
	int status = read_options(&ctl, argc, argv);
	if (status >= 0)
		return status;
	const struct command *command = find(argc - optind, argv + optind, &used);
	if (!command)
		return usage(optind < argc ? "unknown command" : "no command");
	if (argc - optind - used != command->args)
		return usage(command->args ? "this command wants one name or file" : "too many arguments");
	if (ctl.token && ctl.token_stdin)
		return usage("--token or --token-stdin, not both");
	ctl.args = argv + optind + used;
	sigaction(SIGINT, &on_interrupt, NULL);
	if (command->run == restore || link_open(&ctl))
		command->run(&ctl);
	show_progress_end();
	if (ctl.fd >= 0)
		close(ctl.fd);
	free(ctl.in);
	return ctl.status;
}
