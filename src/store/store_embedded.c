/* The embedded engine: opening and closing the database in the data directory. */
#include "store/embedded.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_BYTES ((size_t)64 << 20)
#define MEMTABLE_BYTES ((size_t)32 << 20) /* of all families together */
#define LOG_BYTES_MAX ((uint64_t)128 << 20) /* of the write-ahead log: what a start may have to read */
#define BLOOM_BITS 12                       /* 0.5 % of the ids never seen are looked up */
#define OPEN_FILES_MAX 256
#define INFO_LOG_ERRORS 3                   /* RocksDB's own log tells errors only */

static const char *const family_names[FAMILY_COUNT] = {
	[FAMILY_META] = "default",    [FAMILY_NAMES] = "names", [FAMILY_SEEN] = "seen",
	[FAMILY_BOX] = "box",         [FAMILY_IDS] = "ids",     [FAMILY_ONCE] = "once",
	[FAMILY_ACKS] = "acks",       [FAMILY_LINKS] = "links", [FAMILY_TEXTS] = "texts",
	[FAMILY_FANOUTS] = "fanouts",
};

/* --- what has aged goes when RocksDB rewrites it --- */

static void filter_free(void *state) { (void)state; }

static unsigned char filter_once(void *state, int level, const char *key, size_t key_n,
				 const char *value, size_t value_n, char **fresh, size_t *fresh_n,
				 unsigned char *changed)
{
	(void)level, (void)key, (void)key_n, (void)fresh, (void)fresh_n, (void)changed;
	return once_aged(state, (struct str){ value, value_n });
}

static unsigned char filter_acks(void *state, int level, const char *key, size_t key_n,
				 const char *value, size_t value_n, char **fresh, size_t *fresh_n,
				 unsigned char *changed)
{
	(void)level, (void)key, (void)key_n, (void)fresh, (void)fresh_n, (void)changed;
	return mail_ack_aged(state, (struct str){ value, value_n });
}

static const char *filter_once_name(void *state) { (void)state; return "lemp once"; }
static const char *filter_acks_name(void *state) { (void)state; return "lemp acks"; }

static rocksdb_options_t *family_options(struct store_embedded *e, enum family family)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(table, e->cache);
	/* The others are read by ranges, which filters do not help. */
	if (family == FAMILY_NAMES || family == FAMILY_SEEN || family == FAMILY_ONCE)
		rocksdb_block_based_options_set_filter_policy(
			table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_options_set_block_based_table_factory(o, table);
	rocksdb_block_based_options_destroy(table);
	rocksdb_options_set_write_buffer_size(o, MEMTABLE_BYTES);
	if (family == FAMILY_ONCE)
		rocksdb_options_set_compaction_filter(o, e->filters[0]);
	if (family == FAMILY_ACKS)
		rocksdb_options_set_compaction_filter(o, e->filters[1]);
	return o;
}

/* In a new directory all may be created, in one of format 1 the families which that did not have.
 * Else nothing may: what is missing was lost. */
static void options_make(struct store_embedded *e, enum dir_format format)
{
	e->cache = rocksdb_cache_create_lru(CACHE_BYTES);
	e->filters[0] = rocksdb_compactionfilter_create(e, filter_free, filter_once, filter_once_name);
	e->filters[1] = rocksdb_compactionfilter_create(e, filter_free, filter_acks, filter_acks_name);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		e->family_options[f] = family_options(e, f);
	rocksdb_options_t *o = e->options = rocksdb_options_create();
	rocksdb_options_set_create_if_missing(o, format == DIR_FORMAT_NONE);
	rocksdb_options_set_create_missing_column_families(o, format != DIR_FORMAT_NOW);
	rocksdb_options_set_max_open_files(o, OPEN_FILES_MAX);
	rocksdb_options_set_db_write_buffer_size(o, MEMTABLE_BYTES);
	rocksdb_options_set_max_total_wal_size(o, LOG_BYTES_MAX);
	rocksdb_options_set_info_log_level(o, INFO_LOG_ERRORS);
	rocksdb_options_set_keep_log_file_num(o, 2);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	rocksdb_options_set_wal_recovery_mode(o, rocksdb_tolerate_corrupted_tail_records_recovery);
	e->read_options = rocksdb_readoptions_create();
	e->write_options = rocksdb_writeoptions_create();
}

/* RocksDB calls a database that is not there an invalid argument, or says which file it misses. */
static int db_failed(const char *path, char *error, const struct why *why)
{
	bool damaged = strstr(error, "Corruption") || strstr(error, "Invalid argument") ||
		       strstr(error, "No such file");
	int err = why_fail(why, damaged ? ERR_CORRUPT : ERR_IO, "cannot open the database in %s: %s",
			   path, error);
	rocksdb_free(error);
	return err;
}

/* Has it the families of format 1? RocksDB would create anew those that were lost, too. */
static int db_check_1(struct store_embedded *e, const char *path, const struct why *why)
{
	char *error = NULL;
	size_t n = 0;
	int err = OK;
	char **names = rocksdb_list_column_families(e->options, path, &n, &error);
	if (error)
		err = db_failed(path, error, why);
	for (unsigned f = 0; f < FAMILY_COUNT_1 && !err; f++) {
		bool found = false;
		for (size_t i = 0; i < n; i++)
			found = found || strcmp(names[i], family_names[f]) == 0;
		if (!found)
			err = why_fail(why, ERR_CORRUPT, "the database in %s has lost '%s'", path,
				       family_names[f]);
	}
	rocksdb_list_column_families_destroy(names, n); /* there is one after an error, too */
	return err;
}

static int db_open(struct store_embedded *e, const char *dir, enum dir_format format,
		   const struct why *why)
{
	char path[DIR_PATH_BYTES_MAX], *error = NULL;
	int err = dir_path(path, dir, "db", why);
	if (err)
		return err;
	options_make(e, format);
	if (format == DIR_FORMAT_1 && (err = db_check_1(e, path, why)) != OK)
		return err;
	e->db = rocksdb_open_column_families(e->options, path, FAMILY_COUNT, family_names,
					     (const rocksdb_options_t *const *)e->family_options,
					     e->families, &error);
	return e->db ? OK : db_failed(path, error, why);
}

static int meta_get(struct store_embedded *e, const char *key, void *out, size_t n, bool *found_out,
		    const struct why *why)
{
	char *error = NULL;
	size_t got_n = 0;
	char *got = rocksdb_get_cf(e->db, e->read_options, e->families[FAMILY_META], key, strlen(key),
				   &got_n, &error);
	if (error) {
		why_fail(why, ERR_CORRUPT, "cannot read the database: %s", error);
		rocksdb_free(error);
		return ERR_CORRUPT;
	}
	*found_out = got != NULL;
	if (got && got_n != n) {
		rocksdb_free(got);
		return why_fail(why, ERR_CORRUPT, "the database's own record '%s' is damaged", key);
	}
	if (got)
		memcpy(out, got, n);
	rocksdb_free(got);
	return OK;
}

/* The epoch of this run is durable before anything is numbered with it. */
static int meta_put(struct store_embedded *e, const struct why *why)
{
	char *error = NULL;
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocksdb_writebatch_put_cf(batch, e->families[FAMILY_META], "once_key", 8,
				  (const char *)&e->store.once_key, sizeof(e->store.once_key));
	rocksdb_writebatch_put_cf(batch, e->families[FAMILY_META], "epoch", 5,
				  (const char *)&e->store.epoch, sizeof(e->store.epoch));
	rocksdb_writeoptions_set_sync(e->write_options, 1);
	rocksdb_write(e->db, e->write_options, batch, &error);
	rocksdb_writebatch_destroy(batch);
	if (!error)
		return OK;
	why_fail(why, ERR_IO, "cannot write to the database: %s", error);
	rocksdb_free(error);
	return ERR_IO;
}

static int meta_open(struct store_embedded *e, bool fresh, const struct why *why)
{
	bool has_key = false, has_epoch = false;
	int err = meta_get(e, "once_key", &e->store.once_key, sizeof(e->store.once_key), &has_key, why);
	if (!err)
		err = meta_get(e, "epoch", &e->store.epoch, sizeof(e->store.epoch), &has_epoch, why);
	if (err)
		return err;
	if (has_key != has_epoch || (!fresh && !has_epoch))
		return why_fail(why, ERR_CORRUPT,
				"the database's own records 'epoch' and 'once_key' are damaged");
	if (fresh && has_epoch && e->store.epoch > 1) /* 1: the first opening did not come to its end */
		return why_fail(why, ERR_CORRUPT, "the data directory's file 'format' is missing");
	if (!has_key)
		hash_key_random(&e->store.once_key);
	e->store.epoch = has_epoch ? e->store.epoch + 1 : 1;
	if (e->store.epoch >= UINT32_C(1) << (64 - STORE_SEQ_BITS))
		return why_fail(why, ERR_VERSION,
				"the data directory was opened too often to number another run");
	return meta_put(e, why);
}

/* What is in memory goes to tables, so that a directory at rest is all checksummed tables and the
 * next start has no log to read. If it fails, the log has it all. */
static void db_flush(struct store_embedded *e)
{
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		char *error = NULL;
		rocksdb_flush_cf(e->db, options, e->families[f], &error);
		rocksdb_free(error);
	}
	rocksdb_flushoptions_destroy(options);
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

static void data_close(struct store_embedded *e)
{
	db_close(e);
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	free(e);
}

/* In this order a crash at any point leaves either the format there was (none: nothing was ever
 * kept there) and the next opening goes on from here, or all of it. To the families that format 1
 * lacked nothing is written until no older program opens the directory any more. */
static int data_open(struct store_embedded *e, const char *dir, const struct why *why)
{
	enum dir_format format;
	int err = dir_make(dir, why);
	if (!err)
		err = dir_lock(dir, &e->lock_fd, why);
	if (!err)
		err = dir_format_read(dir, &format, why);
	if (!err)
		err = db_open(e, dir, format, why);
	if (!err)
		err = meta_open(e, format == DIR_FORMAT_NONE, why);
	if (!err && format != DIR_FORMAT_NOW)
		err = dir_format_write(dir, why);
	return err;
}

static int threads_start(struct store_embedded *e, const struct why *why)
{
	int err = commit_start(e);
	if (!err && (err = readers_start(e)) != OK) {
		commit_stop(e);
		readers_stop(e);
	}
	return err ? why_fail(why, err, "no resources for the threads of the store") : OK;
}

static int embedded_open(const struct store_config *config, struct store **store_out, char *why_text,
			 size_t why_size)
{
	const struct why why = { why_text, why_size };
	struct store_embedded *e = calloc(1, sizeof(*e));
	if (!e)
		return why_fail(&why, ERR_NOMEM, "out of memory");
	CHECK(config->workers <= STORE_WORKERS_MAX);
	e->store.engine = &store_embedded;
	memcpy(e->store.inbox, config->inbox, config->workers * sizeof(e->store.inbox[0]));
	e->metrics = config->metrics;
	e->retention_ms = config->retention_ms;
	e->lock_fd = -1;
	umask(0077); /* for good: RocksDB makes files at any time, on threads of its own */
	int err = data_open(e, config->path, &why);
	if (!err) {
		rocksdb_writeoptions_set_sync(e->write_options, config->sync);
		err = threads_start(e, &why);
	}
	if (err) {
		data_close(e);
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
	db_flush(e);
	data_close(e);
}

const struct store_engine store_embedded = {
	.name = "embedded",
	.open = embedded_open,
	.close = embedded_close,
	.submit = embedded_submit,
	.seen = embedded_seen,
	.read = embedded_read,
};
