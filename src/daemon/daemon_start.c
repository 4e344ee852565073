/* From a configuration to a server that is ready, in the order in which things depend on each other;
 * each step says itself what was wrong. */
#include "base/log.h"
#include "daemon/admin.h"
#include "daemon/cores.h"
#include "daemon/daemon.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASHER_THREADS 2
#define DESCRIPTORS_RESERVED_MIN 8   /* what the store opens later, lempctl, logs … */
#define DESCRIPTORS_RESERVED_MAX 256
#define CONNECTIONS_MAX 4000000

/* what: a file or directory; NULL: why says it all */
static int fail(int status, const char *what, const char *why)
{
	fprintf(stderr, "lempd: %s%s%s\n", what ? what : "", what ? ": " : "", why);
	return status;
}

static int open_log(struct daemon *d)
{
	const struct config *c = d->config;
	const char *path = strcmp(c->log_file, "stderr") == 0 ? NULL : c->log_file;
	int err = log_open(path, (enum log_level)c->log_level, (enum log_format)c->log_format);
	return err ? fail(EXIT_STATUS_CONFIG, c->log_file, err_text(err)) : 0;
}

/* What the process allows itself and others. */
static void set_limits(void)
{
	struct rlimit files, none = { 0, 0 };
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	(void)setrlimit(RLIMIT_CORE, &none); /* tokens and messages are in memory */
#ifdef NDEBUG
	(void)prctl(PR_SET_DUMPABLE, 0); /* likewise; a debugger wants a debug build */
#endif
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* a lower one only means fewer connections */
	}
}

static int make_data_directory(struct daemon *d)
{
	const char *path = d->config->server_data;
	struct stat st;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fail(EXIT_STATUS_DATA, path, strerror(errno));
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return fail(EXIT_STATUS_DATA, path, "is no directory");
	if (access(path, R_OK | W_OK | X_OK) != 0)
		return fail(EXIT_STATUS_DATA, path, strerror(errno));
	return 0;
}

static int create_threads(struct daemon *d)
{
	struct workers *all = &d->all;
	all->n = d->config->server_threads ? (unsigned)d->config->server_threads : cores_usable();
	all->n = all->n < CHAT_WORKERS_MAX ? all->n : CHAT_WORKERS_MAX;
	all->worker = calloc(all->n, sizeof(struct worker));
	all->limiter = limiter_create();
	all->hashers = hashers_create(HASHER_THREADS, (enum token_kind)d->config->auth_token_hash,
				      &d->hasher_metrics);
	if (!all->worker || !all->limiter || !all->hashers)
		return fail(EXIT_STATUS_INTERNAL, NULL, "out of memory");
	all->main = &d->inbox;
	all->sets = d->sets;
	for (unsigned i = 0; i < all->n; i++) {
		if (worker_init(&all->worker[i], all, i) != OK)
			return fail(EXIT_STATUS_INTERNAL, NULL, "out of memory or descriptors");
		d->sets[all->set_n++] = &all->worker[i].metrics;
	}
	d->sets[all->set_n++] = &d->store_metrics;
	d->sets[all->set_n++] = &d->hasher_metrics;
	return 0;
}

static int open_store(struct daemon *d)
{
	static const struct store_engine *const engines[] = { &store_embedded, &store_memory };
	struct inbox *inbox[CHAT_WORKERS_MAX];
	char why[512] = "";
	for (unsigned i = 0; i < d->all.n; i++)
		inbox[i] = &d->all.worker[i].inbox;
	struct store_config config = {
		.path = d->config->server_data, .workers = d->all.n, .inbox = inbox,
		.retention_ms = d->config->delivery_receipt_retention,
		.sync = d->config->delivery_durability == CONFIG_DURABILITY_FSYNC,
		.segment_bytes = (uint64_t)d->config->store_segment_size, .metrics = &d->store_metrics,
	};
	int err = engines[d->config->store_engine]->open(&config, &d->all.store, why, sizeof(why));
	if (err == OK)
		return 0;
	return fail(err == ERR_VERSION || err == ERR_CORRUPT ? EXIT_STATUS_DATA : EXIT_STATUS_UNAVAILABLE,
		    d->config->server_data, why[0] ? why : err_text(err));
}

static int open_workers(struct daemon *d)
{
	for (unsigned i = 0; i < d->all.n; i++)
		if (worker_open(&d->all.worker[i], d->config) != OK)
			return fail(EXIT_STATUS_INTERNAL, NULL, "out of memory");
	return 0;
}

static int open_sockets(struct daemon *d)
{
	char why[512] = "";
	int err = sockets_open(&d->sockets, &d->config->server_listen, d->all.n, why, sizeof(why));
	if (err)
		return fail(EXIT_STATUS_UNAVAILABLE, NULL, why);
	err = admin_open(d, &d->admin, why, sizeof(why));
	if (err)
		return fail(EXIT_STATUS_UNAVAILABLE, NULL, why);
	return 0;
}

/* The lowest free descriptor, which is their number as long as few were closed. */
static int64_t descriptors_in_use(const struct daemon *d)
{
	int fd = dup(d->signals.fd);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? 0 : fd;
}

int64_t daemon_connections_max(const struct daemon *d)
{
	struct rlimit files;
	if (d->config->limits_max_connections > 0)
		return d->config->limits_max_connections;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	int64_t all = (int64_t)files.rlim_cur, reserved = all / 16;
	reserved = reserved < DESCRIPTORS_RESERVED_MIN ? DESCRIPTORS_RESERVED_MIN : reserved;
	reserved = reserved > DESCRIPTORS_RESERVED_MAX ? DESCRIPTORS_RESERVED_MAX : reserved;
	int64_t left = all - reserved - d->descriptors;
	return left > 1 ? left : 1;
}

static int listen_with(struct daemon *d, struct worker *w)
{
	for (unsigned address = 0; address < d->sockets.n; address++)
		if (worker_listen(w, sockets_take(&d->sockets, address, w->index)) != OK)
			return fail(EXIT_STATUS_INTERNAL, NULL, "out of memory");
	return 0;
}

static int start_workers(struct daemon *d)
{
	int status = 0;
	for (unsigned i = 0; i < d->all.n && status == 0; i++)
		status = listen_with(d, &d->all.worker[i]);
	if (status)
		return status;
	d->descriptors = descriptors_in_use(d);
	atomic_store(&d->all.per_address_max, (unsigned)d->config->limits_max_connections_per_address);
	atomic_store(&d->all.connections_max, daemon_connections_max(d));
	for (unsigned i = 0; i < d->all.n; i++)
		if (worker_start(&d->all.worker[i]) != OK) /* others run already: no way back */
			_exit(fail(EXIT_STATUS_INTERNAL, NULL, "no more threads"));
	return 0;
}

int daemon_open(struct daemon *d)
{
	static int (*const steps[])(struct daemon *d) = {
		open_log, make_data_directory, create_threads, open_store, open_workers, open_sockets,
		start_workers,
	};
	int status = 0;
	set_limits();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status == 0; i++)
		status = steps[i](d);
	return status;
}
