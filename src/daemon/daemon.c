#include "daemon/daemon.h"
#include "base/log.h"
#include "daemon/admin.h"
#include "daemon/systemd.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* --- SIGHUP --- */

struct news { struct task task; struct config *config; };

static void take_news(struct task *task, struct worker *w)
{
	struct news *news = LIST_ENTRY(task, struct news, task);
	worker_use(w, news->config);
	config_unref(&news->config);
	free(news);
}

static void say_restart_needed(const struct config *old, const struct config *config)
{
	for (enum config_key k = 0; k < CONFIG_KEYS; k++)
		if (!config_row(k)->live && config_differs(old, config, k))
			LOG(WARN, "restart_needed", LOG_Z("key", config_row(k)->key));
}

static void spread(struct daemon *d)
{
	for (unsigned i = 0; i < d->all.n; i++) {
		struct news *news = malloc(sizeof(*news));
		CHECK(news);
		news->config = config_ref(d->config);
		task_push(&d->all.worker[i].inbox, &news->task, take_news);
	}
	hashers_set_kind(d->all.hashers, (enum token_kind)d->config->auth_token_hash);
	atomic_store(&d->all.per_address_max, (unsigned)d->config->limits_max_connections_per_address);
	atomic_store(&d->all.connections_max, daemon_connections_max(d));
}

static void reload(struct daemon *d)
{
	struct buf errors;
	config_errors_init(&errors);
	struct config *config = options_config(d->options, d->environment, &errors);
	if (config) {
		say_restart_needed(d->config, config);
		config_keep(config, d->config);
		config_check(config, &errors);
	}
	if (errors.n) {
		LOG(ERROR, "reload_failed", LOG_STR("why", buf_view(&errors)));
		config_unref(&config);
	} else {
		config_unref(&d->config);
		d->config = config;
		const char *path = strcmp(config->log_file, "stderr") == 0 ? NULL : config->log_file;
		if (log_open(path, (enum log_level)config->log_level,
			     (enum log_format)config->log_format) != OK)
			LOG(ERROR, "log_failed", LOG_Z("file", config->log_file));
		spread(d);
		LOG(INFO, "reloaded");
	}
	buf_deinit(&errors);
}

/* --- signals and the loop --- */

static void signal_ready(struct loop_io *io, bool readable, bool writable)
{
	struct daemon *d = LIST_ENTRY(io, struct daemon, signals);
	struct signalfd_siginfo info;
	(void)readable;
	(void)writable;
	while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			daemon_stop(d);
		else if (!d->stopping.begun)
			reload(d);
	}
}

/* Before any thread is made, which inherits the mask. */
static int block_signals(struct daemon *d)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	d->signals = (struct loop_io){ .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
				       .ready = signal_ready };
	return d->signals.fd >= 0 && loop_add(d->loop, &d->signals, true, false) == OK ? OK : ERR_NOMEM;
}

static void wake(void *ctx)
{
	loop_wake(ctx);
}

static int64_t turn(void *ctx)
{
	struct daemon *d = ctx;
	struct inbox_node *node = inbox_take(&d->inbox);
	while (node) {
		struct inbox_node *next = node->next;
		struct task *task = LIST_ENTRY(node, struct task, node);
		task->run(task, NULL);
		node = next;
	}
	return -1;
}

static void say_ready(const struct daemon *d)
{
	bool is_unix = strncmp(d->sockets.first, "unix:", 5) == 0;
	printf("lempd %s ready on ws%s%s%s\n", LEMP_VERSION, is_unix ? "+" : "://", d->sockets.first,
	       is_unix ? "" : d->config->server_path);
	fflush(stdout);
	systemd_notify("READY=1");
	LOG(INFO, "ready", LOG_Z("version", LEMP_VERSION), LOG_Z("listen", d->sockets.first),
	    LOG_INT("threads", d->all.n), LOG_INT("connections_max", atomic_load(&d->all.connections_max)));
}

static int run_with(struct daemon *d)
{
	int status = EXIT_STATUS_INTERNAL;
	d->since = mono_now();
	d->loop = loop_create();
	if (!d->loop)
		return status;
	inbox_init(&d->inbox, wake, d->loop);
	if (block_signals(d) == OK)
		status = daemon_open(d);
	if (status == 0) {
		say_ready(d);
		loop_run(d->loop, turn, d);
	}
	daemon_close(d);
	if (status == 0)
		LOG(INFO, "stopped", LOG_INT("clean", 1));
	if (d->signals.fd >= 0)
		close(d->signals.fd);
	loop_destroy(&d->loop);
	return status;
}

int daemon_run(const struct options *options, char *const *environment)
{
	struct daemon d = { .options = options, .environment = environment, .signals.fd = -1 };
	struct buf errors;
	int status = EXIT_STATUS_CONFIG;
	config_errors_init(&errors);
	d.config = options_config(options, environment, &errors);
	if (!d.config)
		fwrite(errors.p, 1, errors.n, stderr);
	else if (options->check)
		status = printf("The configuration is good.\n") > 0 ? 0 : EXIT_STATUS_INTERNAL;
	else
		status = run_with(&d);
	buf_deinit(&errors);
	config_unref(&d.config);
	return status;
}

int daemon_check_data(const char *dir)
{
	struct store_checked c;
	char why[512] = "";
	int err = store_embedded.check(dir, &c, why, sizeof(why));
	if (err) {
		fprintf(stderr, "lempd: %s\n", why);
		return err == ERR_LOCKED || err == ERR_IO ? EXIT_STATUS_UNAVAILABLE : EXIT_STATUS_DATA;
	}
	printf("%llu names and %llu rows in the database, %llu records with %llu changes in the journal.\n",
	       (unsigned long long)c.names, (unsigned long long)c.rows, (unsigned long long)c.records,
	       (unsigned long long)c.ops);
	if (c.torn_bytes)
		printf("%llu bytes at the journal's end were being written when the server ended: the next start "
		       "cuts them off.\n", (unsigned long long)c.torn_bytes);
	return printf("%s is whole.\n", dir) > 0 ? 0 : EXIT_STATUS_INTERNAL;
}
