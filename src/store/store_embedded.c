/* The embedded engine's data directory.
 *
 *   DIR/lock     held by flock while a process uses the directory; its pid as text
 *   DIR/format   "lempd data 1": written before anything else
 *   DIR/db/      RocksDB
 *
 * Opening: directory, lock, format, database, epoch and secret; closing in reverse order. */
#include "base/clock.h"
#include "store/embedded.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT_TEXT "lempd data 1\n"
#define FORMAT_PREFIX "lempd data "
#define PATH_BYTES_MAX 4096

#define CACHE_BYTES ((size_t)64 << 20)
#define MEMTABLE_BYTES ((size_t)32 << 20) /* per family; the mailbox and once families use it */
#define BLOOM_BITS 12                     /* a row of the once family: 0.5 % of new ids are looked up */
#define OPEN_FILES_MAX 256

struct why { char *text; size_t size; };

static const char *const family_names[FAMILY_COUNT] = {
	[FAMILY_META] = "default", [FAMILY_NAMES] = "names", [FAMILY_SEEN] = "seen",
	[FAMILY_BOX] = "box",      [FAMILY_ONCE] = "once",   [FAMILY_ACKS] = "acks",
};

PRINTF_LIKE(3, 4)
static int fail(struct why *why, int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why->text, why->size, fmt, args);
	va_end(args);
	return err;
}

/* --- directory, lock, format --- */

static int dir_make(const char *path, struct why *why)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fail(why, ERR_IO, "cannot create the data directory %s: %s", path, strerror(errno));
	return OK;
}

static int path_in(char out[PATH_BYTES_MAX], const char *dir, const char *name, struct why *why)
{
	int n = snprintf(out, PATH_BYTES_MAX, "%s/%s", dir, name);
	if (n < 0 || n >= PATH_BYTES_MAX)
		return fail(why, ERR_INVALID, "the path of the data directory is too long");
	return OK;
}

static int lock_take(struct store_embedded *e, const char *dir, struct why *why)
{
	char path[PATH_BYTES_MAX], pid[32] = "";
	int err = path_in(path, dir, "lock", why);
	if (err)
		return err;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(fd, pid, sizeof(pid) - 1);
		close(fd);
		return fail(why, ERR_LOCKED, "the data directory %s is in use by process %.*s: stop it first, "
			    "or give this one a directory of its own", dir,
			    n > 0 ? (int)strcspn(pid, "\n") : 1, n > 0 ? pid : "?");
	}
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
		close(fd);
		return fail(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	}
	e->lock_fd = fd;
	return OK;
}

static int dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	int err = fsync(fd) == 0 ? OK : ERR_IO;
	close(fd);
	return err;
}

static int format_write(const char *dir, const char *path, struct why *why)
{
	char fresh[PATH_BYTES_MAX];
	int err = path_in(fresh, dir, "format.new", why);
	if (err)
		return err;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t n = sizeof(FORMAT_TEXT) - 1;
	bool ok = fd >= 0 && write(fd, FORMAT_TEXT, n) == (ssize_t)n && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (!ok || rename(fresh, path) != 0 || dir_sync(dir) != OK)
		return fail(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	return OK;
}

static int format_check(const char *dir, struct why *why)
{
	char path[PATH_BYTES_MAX], db[PATH_BYTES_MAX], text[64];
	struct stat st;
	int err = path_in(path, dir, "format", why);
	if (!err)
		err = path_in(db, dir, "db", why);
	if (err)
		return err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && stat(db, &st) != 0)
		return format_write(dir, path, why);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return fail(why, ERR_CORRUPT, "%s is missing or unreadable, but there is a database beside it", path);
	text[n] = 0;
	if (strcmp(text, FORMAT_TEXT) == 0)
		return OK;
	if (strncmp(text, FORMAT_PREFIX, sizeof(FORMAT_PREFIX) - 1) == 0)
		return fail(why, ERR_VERSION, "%s says '%.*s', this program knows '%.*s': use a newer lempd", path,
			    (int)strcspn(text, "\n"), text, (int)sizeof(FORMAT_TEXT) - 2, FORMAT_TEXT);
	return fail(why, ERR_CORRUPT, "%s is damaged", path);
}

/* --- the database --- */

static void filter_free(void *state) { (void)state; }

static unsigned char filter_once(void *state, int level, const char *key, size_t key_n,
				 const char *value, size_t value_n, char **fresh, size_t *fresh_n,
				 unsigned char *changed)
{
	int64_t ms;
	(void)level, (void)key, (void)key_n, (void)fresh, (void)fresh_n, (void)changed;
	return value_cut_time((struct str){ value, value_n }, &ms) && embedded_aged(state, ms);
}

static unsigned char filter_acks(void *state, int level, const char *key, size_t key_n,
				 const char *value, size_t value_n, char **fresh, size_t *fresh_n,
				 unsigned char *changed)
{
	int64_t ms;
	uint8_t flags;
	(void)level, (void)key, (void)key_n, (void)fresh, (void)fresh_n, (void)changed;
	return value_cut_ack((struct str){ value, value_n }, &flags, &ms) && embedded_aged(state, ms);
}

static const char *filter_once_name(void *state) { (void)state; return "lemp once"; }
static const char *filter_acks_name(void *state) { (void)state; return "lemp acks"; }

static void options_make(struct store_embedded *e)
{
	e->cache = rocksdb_cache_create_lru(CACHE_BYTES);
	e->filters[0] = rocksdb_compactionfilter_create(e, filter_free, filter_once, filter_once_name);
	e->filters[1] = rocksdb_compactionfilter_create(e, filter_free, filter_acks, filter_acks_name);
	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		rocksdb_options_t *o = rocksdb_options_create();
		rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
		rocksdb_block_based_options_set_block_cache(table, e->cache);
		rocksdb_block_based_options_set_filter_policy(
			table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
		rocksdb_options_set_block_based_table_factory(o, table);
		rocksdb_block_based_options_destroy(table);
		rocksdb_options_set_write_buffer_size(o, MEMTABLE_BYTES);
		if (f == FAMILY_ONCE)
			rocksdb_options_set_compaction_filter(o, e->filters[0]);
		if (f == FAMILY_ACKS)
			rocksdb_options_set_compaction_filter(o, e->filters[1]);
		e->family_options[f] = o;
	}
	e->options = rocksdb_options_create();
	rocksdb_options_set_create_if_missing(e->options, 1);
	rocksdb_options_set_create_missing_column_families(e->options, 1);
	rocksdb_options_set_max_open_files(e->options, OPEN_FILES_MAX);
	rocksdb_options_set_info_log_level(e->options, 3); /* errors */
	rocksdb_options_set_keep_log_file_num(e->options, 2);
	/* A torn tail of the log is what a crash leaves; damage before it stops the start. */
	rocksdb_options_set_wal_recovery_mode(e->options, 0);
	e->read_options = rocksdb_readoptions_create();
	e->write_options = rocksdb_writeoptions_create();
}

static int db_open(struct store_embedded *e, const char *dir, struct why *why)
{
	char path[PATH_BYTES_MAX], *error = NULL;
	int err = path_in(path, dir, "db", why);
	if (err)
		return err;
	options_make(e);
	mode_t mask = umask(0077);
	e->db = rocksdb_open_column_families(e->options, path, FAMILY_COUNT, family_names,
					     (const rocksdb_options_t *const *)e->family_options,
					     e->families, &error);
	umask(mask);
	if (e->db)
		return OK;
	err = strstr(error, "Corruption") ? ERR_CORRUPT : ERR_IO;
	fail(why, err, "cannot open the database in %s: %s", path, error);
	rocksdb_free(error);
	return err;
}

static int meta_get(struct store_embedded *e, const char *key, void *out, size_t n, bool *found,
		    struct why *why)
{
	char *error = NULL;
	size_t got_n = 0;
	char *got = rocksdb_get_cf(e->db, e->read_options, e->families[FAMILY_META], key, strlen(key),
				   &got_n, &error);
	if (error) {
		fail(why, ERR_CORRUPT, "reading the database: %s", error);
		rocksdb_free(error);
		return ERR_CORRUPT;
	}
	*found = got != NULL;
	if (got && got_n != n) {
		rocksdb_free(got);
		return fail(why, ERR_CORRUPT, "the database's own record '%s' is damaged", key);
	}
	if (got)
		memcpy(out, got, n);
	rocksdb_free(got);
	return OK;
}

/* The epoch of this run is durable before anything is numbered with it. */
static int meta_open(struct store_embedded *e, struct why *why)
{
	bool found;
	char *error = NULL;
	int err = meta_get(e, "once_key", &e->store.once_key, sizeof(e->store.once_key), &found, why);
	if (err)
		return err;
	if (!found)
		hash_key_random(&e->store.once_key);
	err = meta_get(e, "epoch", &e->store.epoch, sizeof(e->store.epoch), &found, why);
	if (err)
		return err;
	e->store.epoch = found ? e->store.epoch + 1 : 1;
	if (e->store.epoch >= UINT32_C(1) << (64 - STORE_SEQ_BITS))
		return fail(why, ERR_VERSION, "the data directory was opened too often to number another run");
	rocksdb_writeoptions_set_sync(e->write_options, 1);
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocksdb_writebatch_put_cf(batch, e->families[FAMILY_META], "once_key", 8,
				  (const char *)&e->store.once_key, sizeof(e->store.once_key));
	rocksdb_writebatch_put_cf(batch, e->families[FAMILY_META], "epoch", 5,
				  (const char *)&e->store.epoch, sizeof(e->store.epoch));
	rocksdb_write(e->db, e->write_options, batch, &error);
	rocksdb_writebatch_destroy(batch);
	if (!error)
		return OK;
	fail(why, ERR_IO, "cannot write to the database: %s", error);
	rocksdb_free(error);
	return ERR_IO;
}

static void db_close(struct store_embedded *e)
{
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		if (e->families[f])
			rocksdb_column_family_handle_destroy(e->families[f]);
	if (e->db)
		rocksdb_close(e->db);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		if (e->family_options[f])
			rocksdb_options_destroy(e->family_options[f]);
	if (!e->options)
		return;
	rocksdb_options_destroy(e->options);
	rocksdb_compactionfilter_destroy(e->filters[0]);
	rocksdb_compactionfilter_destroy(e->filters[1]);
	rocksdb_cache_destroy(e->cache);
	rocksdb_readoptions_destroy(e->read_options);
	rocksdb_writeoptions_destroy(e->write_options);
}

static void dir_leave(struct store_embedded *e)
{
	db_close(e);
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	free(e);
}

static int embedded_open(const struct store_config *config, struct store **store_out, char *why_text,
			 size_t why_size)
{
	struct why why = { why_text, why_size };
	struct store_embedded *e = calloc(1, sizeof(*e));
	if (!e)
		return ERR_NOMEM;
	CHECK(config->workers <= STORE_WORKERS_MAX);
	e->store.engine = &store_embedded;
	memcpy(e->store.inbox, config->inbox, config->workers * sizeof(e->store.inbox[0]));
	e->metrics = config->metrics;
	e->retention_ms = config->retention_ms;
	e->lock_fd = -1;
	int err = dir_make(config->path, &why);
	if (!err)
		err = lock_take(e, config->path, &why);
	if (!err)
		err = format_check(config->path, &why);
	if (!err)
		err = db_open(e, config->path, &why);
	if (!err)
		err = meta_open(e, &why);
	if (!err) {
		rocksdb_writeoptions_set_sync(e->write_options, config->sync);
		err = commit_start(e);
	}
	if (!err && (err = readers_start(e)) != OK)
		commit_stop(e);
	if (err) {
		dir_leave(e);
		return err;
	}
	*store_out = &e->store;
	return OK;
}

static void embedded_close(struct store *s)
{
	struct store_embedded *e = (struct store_embedded *)(void *)s;
	commit_stop(e);
	readers_stop(e);
	dir_leave(e);
}

const struct store_engine store_embedded = {
	.name = "embedded",
	.open = embedded_open,
	.close = embedded_close,
	.submit = embedded_submit,
	.seen = embedded_seen,
	.read = embedded_read,
};
