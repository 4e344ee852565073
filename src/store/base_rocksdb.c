/* RocksDB beneath the journal: its own write-ahead log is never used. */
#include "store/base_rocksdb.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"
#include <dirent.h>
#include <errno.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_BYTES ((size_t)32 << 20)
#define MEMTABLE_BYTES ((size_t)16 << 20) /* of all families together */
#define BLOOM_BITS 12                     /* 0.5 % of the rows that are not there are looked up */
#define OPEN_FILES_MAX 256
#define RECEIPT_RUNS 16                   /* sorted ones, before they are merged */
#define INFO_LOG_ERRORS 3                 /* RocksDB's own log tells errors only */

static const char *const family_names[FAMILY_COUNT] = {
	[FAMILY_META] = "default",    [FAMILY_NAMES] = "names", [FAMILY_SEEN] = "seen",
	[FAMILY_BOX] = "box",         [FAMILY_IDS] = "ids",     [FAMILY_ONCE] = "once",
	[FAMILY_ACKS] = "acks",       [FAMILY_LINKS] = "links", [FAMILY_TEXTS] = "texts",
	[FAMILY_FANOUTS] = "fanouts", [FAMILY_RECEIPTS] = "receipts",
};

struct base_rocksdb {
	struct base base;
	char bulk_dir[DIR_PATH_BYTES_MAX];
	int64_t retention_ms;
	_Atomic uint32_t oldest_slice;
	_Atomic uint64_t bulks;         /* made so far: names of files */
	_Atomic int64_t complained_ns;  /* when a failure was logged last */
	rocksdb_t *db;
	rocksdb_options_t *options, *family_options[FAMILY_COUNT];
	rocksdb_compactionfilter_t *filter_aged, *filter_left, *filter_slices;
	rocksdb_cache_t *cache;
	rocksdb_column_family_handle_t *families[FAMILY_COUNT];
	rocksdb_readoptions_t *read_options;
	rocksdb_writeoptions_t *write_options;
	rocksdb_writebatch_t *batch;
};

struct base_snapshot { const rocksdb_snapshot_t *at; rocksdb_readoptions_t *options; };
struct base_iter { struct base_rocksdb *r; rocksdb_iterator_t *it; rocksdb_readoptions_t *options; };
struct base_bulk {
	struct base_rocksdb *r;
	enum family family;
	rocksdb_envoptions_t *env;
	rocksdb_sstfilewriter_t *writer;
	char path[DIR_PATH_BYTES_MAX];
};

static struct base_rocksdb *rocks_of(struct base *b)
{
	return (struct base_rocksdb *)(void *)b;
}

/* Takes what RocksDB says went wrong, NULL for nothing. Told once a second at most, as damage or a full
 * disk is usually met again and again. */
static int error_take(struct base_rocksdb *r, char *error)
{
	if (!error)
		return OK;
	int64_t now = mono_now().ns, last = atomic_load(&r->complained_ns);
	if (now - last >= NS_PER_S && atomic_compare_exchange_strong(&r->complained_ns, &last, now))
		LOG(ERROR, "storage", LOG_Z("failed", "database"), LOG_Z("error", error));
	int err = strstr(error, "Corruption") ? ERR_CORRUPT
		: strstr(error, "No space") || strstr(error, "NoSpace") ? ERR_NOSPC : ERR_IO;
	rocksdb_free(error);
	return err;
}

/* --- writing --- */

static void rocks_put(struct base *b, enum family family, struct str key, struct str value)
{
	struct base_rocksdb *r = rocks_of(b);
	rocksdb_writebatch_put_cf(r->batch, r->families[family], key.p, key.n, value.p, value.n);
}

static void rocks_forget(struct base *b, enum family family, struct str key)
{
	struct base_rocksdb *r = rocks_of(b);
	rocksdb_writebatch_delete_cf(r->batch, r->families[family], key.p, key.n);
}

static int rocks_write(struct base *b)
{
	struct base_rocksdb *r = rocks_of(b);
	char *error = NULL;
	if (!rocksdb_writebatch_count(r->batch))
		return OK;
	rocksdb_write(r->db, r->write_options, r->batch, &error);
	rocksdb_writebatch_clear(r->batch);
	return error_take(r, error);
}

static int rocks_flush(struct base *b)
{
	struct base_rocksdb *r = rocks_of(b);
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	int err = OK;
	for (unsigned f = 0; f < FAMILY_COUNT && !err; f++) {
		char *error = NULL;
		rocksdb_flush_cf(r->db, options, r->families[f], &error);
		err = error_take(r, error);
	}
	rocksdb_flushoptions_destroy(options);
	return err;
}

static void rocks_forget_slices(struct base *b, uint32_t oldest)
{
	struct base_rocksdb *r = rocks_of(b);
	struct key end;
	end.n = 0;
	key_add_u32(&end, oldest);
	char *error = NULL;
	atomic_store(&r->oldest_slice, oldest);
	rocksdb_delete_file_in_range_cf(r->db, r->families[FAMILY_RECEIPTS], "", 0, end.p, end.n, &error);
	(void)error_take(r, error); /* what stays goes when it is rewritten */
}

/* --- reading --- */

static struct base_snapshot *rocks_snapshot(struct base *b)
{
	struct base_rocksdb *r = rocks_of(b);
	struct base_snapshot *s = malloc(sizeof(*s));
	CHECK(s);
	s->at = rocksdb_create_snapshot(r->db);
	s->options = rocksdb_readoptions_create();
	rocksdb_readoptions_set_snapshot(s->options, s->at);
	return s;
}

static void rocks_snapshot_free(struct base *b, struct base_snapshot *s)
{
	rocksdb_release_snapshot(rocks_of(b)->db, s->at);
	rocksdb_readoptions_destroy(s->options);
	free(s);
}

static int rocks_get(struct base *b, struct base_snapshot *s, enum family family, struct str key,
		     struct base_got *out)
{
	struct base_rocksdb *r = rocks_of(b);
	char *error = NULL;
	rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
		r->db, s ? s->options : r->read_options, r->families[family], key.p, key.n, &error);
	if (error)
		return error_take(r, error);
	if (!slice)
		return ERR_NOTFOUND;
	out->held = slice;
	out->value.p = rocksdb_pinnableslice_value(slice, &out->value.n);
	return OK;
}

static void rocks_got_free(struct base_got *got)
{
	rocksdb_pinnableslice_destroy(got->held);
}

static struct base_iter *rocks_iter(struct base *b, struct base_snapshot *s, enum family family,
				    struct str from, struct str end, bool scan)
{
	struct base_iter *i = malloc(sizeof(*i));
	CHECK(i);
	i->r = rocks_of(b);
	i->options = rocksdb_readoptions_create();
	if (s)
		rocksdb_readoptions_set_snapshot(i->options, s->at);
	if (scan)
		rocksdb_readoptions_set_fill_cache(i->options, 0);
	if (from.n)
		rocksdb_readoptions_set_iterate_lower_bound(i->options, from.p, from.n);
	if (end.n)
		rocksdb_readoptions_set_iterate_upper_bound(i->options, end.p, end.n);
	i->it = rocksdb_create_iterator_cf(i->r->db, i->options, i->r->families[family]);
	rocksdb_iter_seek(i->it, from.p ? from.p : "", from.n);
	return i;
}

static void rocks_iter_last(struct base_iter *i, struct str key)
{
	rocksdb_iter_seek_for_prev(i->it, key.p, key.n);
}

static bool rocks_iter_at(struct base_iter *i, struct str *key_out, struct str *value_out)
{
	if (!rocksdb_iter_valid(i->it))
		return false;
	key_out->p = rocksdb_iter_key(i->it, &key_out->n);
	value_out->p = rocksdb_iter_value(i->it, &value_out->n);
	return true;
}

static void rocks_iter_next(struct base_iter *i)
{
	rocksdb_iter_next(i->it);
}

static int rocks_iter_free(struct base_iter *i)
{
	char *error = NULL;
	rocksdb_iter_get_error(i->it, &error);
	rocksdb_iter_destroy(i->it);
	rocksdb_readoptions_destroy(i->options);
	int err = error_take(i->r, error);
	free(i);
	return err;
}

/* --- bulks: table files that the database takes in --- */

static void bulk_free(struct base_bulk *bulk)
{
	rocksdb_sstfilewriter_destroy(bulk->writer);
	rocksdb_envoptions_destroy(bulk->env);
	free(bulk);
}

static void rocks_bulk_drop(struct base *b, struct base_bulk *bulk)
{
	(void)b;
	unlink(bulk->path);
	bulk_free(bulk);
}

static int rocks_bulk_new(struct base *b, enum family family, struct base_bulk **out)
{
	struct base_rocksdb *r = rocks_of(b);
	struct base_bulk *bulk = calloc(1, sizeof(*bulk));
	char *error = NULL;
	CHECK(bulk);
	bulk->r = r;
	bulk->family = family;
	bulk->env = rocksdb_envoptions_create();
	bulk->writer = rocksdb_sstfilewriter_create(bulk->env, r->family_options[family]);
	int n = snprintf(bulk->path, sizeof(bulk->path), "%s/%llu.sst", r->bulk_dir,
			 (unsigned long long)atomic_fetch_add(&r->bulks, 1));
	CHECK(n > 0 && (size_t)n < sizeof(bulk->path));
	rocksdb_sstfilewriter_open(bulk->writer, bulk->path, &error);
	int err = error_take(r, error);
	if (err)
		rocks_bulk_drop(b, bulk);
	else
		*out = bulk;
	return err;
}

static int rocks_bulk_add(struct base_bulk *bulk, struct str key, struct str value)
{
	char *error = NULL;
	rocksdb_sstfilewriter_put(bulk->writer, key.p, key.n, value.p, value.n, &error);
	return error_take(bulk->r, error);
}

static int rocks_bulk_end(struct base_bulk *bulk)
{
	char *error = NULL;
	rocksdb_sstfilewriter_finish(bulk->writer, &error);
	return error_take(bulk->r, error);
}

static int rocks_bulk_take(struct base *b, struct base_bulk *bulk)
{
	struct base_rocksdb *r = rocks_of(b);
	const char *const list[] = { bulk->path };
	char *error = NULL;
	rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
	rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
	rocksdb_ingest_external_file_cf(r->db, r->families[bulk->family], list, 1, options, &error);
	rocksdb_ingestexternalfileoptions_destroy(options);
	unlink(bulk->path);
	bulk_free(bulk);
	return error_take(r, error);
}

static int rocks_checkpoint(struct base *b, const char *path)
{
	struct base_rocksdb *r = rocks_of(b);
	char *error = NULL;
	rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(r->db, &error);
	if (error)
		return error_take(r, error);
	rocksdb_checkpoint_create(checkpoint, path, 0, &error);
	rocksdb_checkpoint_object_destroy(checkpoint);
	return error_take(r, error);
}

void base_rocksdb_compact(struct base *b)
{
	struct base_rocksdb *r = rocks_of(b);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		rocksdb_compact_range_cf(r->db, r->families[f], NULL, 0, NULL, 0);
}

/* --- what has aged goes when RocksDB rewrites it --- */

static void filter_free(void *state) { (void)state; }

/* Rows of format 2: a time of release stands at the end of the value; 0 is not released. */
static unsigned char filter_aged(void *state, int level, const char *key, size_t key_n,
				 const char *value, size_t value_n, char **fresh, size_t *fresh_n,
				 unsigned char *changed)
{
	const struct base_rocksdb *r = state;
	int64_t ms = 0;
	(void)level, (void)key, (void)key_n, (void)fresh, (void)fresh_n, (void)changed;
	if (value_n > sizeof(ms))
		memcpy(&ms, value + value_n - sizeof(ms), sizeof(ms));
	return ms && ms + r->retention_ms <= wall_now().ms;
}

/* Of what deleted users left. */
static unsigned char filter_left(void *state, int level, const char *key, size_t key_n, const char *value,
				 size_t value_n, char **fresh, size_t *fresh_n, unsigned char *changed)
{
	return key_n && (uint8_t)key[0] == BOX_ONCE && value_n == 1 + sizeof(int64_t) &&
	       filter_aged(state, level, key, key_n, value, value_n, fresh, fresh_n, changed);
}

static unsigned char filter_slices(void *state, int level, const char *key, size_t key_n,
				   const char *value, size_t value_n, char **fresh, size_t *fresh_n,
				   unsigned char *changed)
{
	struct base_rocksdb *r = state;
	struct str view = { key, key_n };
	uint32_t slice;
	(void)level, (void)value, (void)value_n, (void)fresh, (void)fresh_n, (void)changed;
	return key_cut_u32(&view, &slice) && slice < atomic_load(&r->oldest_slice);
}

static const char *filter_left_name(void *state) { (void)state; return "lemp left"; }
static const char *filter_aged_name(void *state) { (void)state; return "lemp aged"; }
static const char *filter_slices_name(void *state) { (void)state; return "lemp slices"; }

/* --- opening, closing --- */

static rocksdb_options_t *options_of(struct base_rocksdb *r, enum family family)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(table, r->cache);
	/* So that the memory of many tables is bounded, too. */
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
	/* The others are read by ranges, which filters do not help. In parts: one that is larger than the cache
	 * would be read from the file each time. */
	if (family == FAMILY_NAMES || family == FAMILY_SEEN || family == FAMILY_ONCE ||
	    family == FAMILY_RECEIPTS) {
		rocksdb_block_based_options_set_filter_policy(
			table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
		rocksdb_block_based_options_set_index_type(
			table, rocksdb_block_based_table_index_type_two_level_index_search);
		rocksdb_block_based_options_set_partition_filters(table, 1);
		rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
	}
	rocksdb_options_set_block_based_table_factory(o, table);
	rocksdb_block_based_options_destroy(table);
	rocksdb_options_set_write_buffer_size(o, MEMTABLE_BYTES);
	if (family == FAMILY_ONCE || family == FAMILY_ACKS)
		rocksdb_options_set_compaction_filter(o, r->filter_aged);
	if (family == FAMILY_BOX)
		rocksdb_options_set_compaction_filter(o, r->filter_left);
	if (family == FAMILY_RECEIPTS) { /* written once, read seldom, dropped by age; mostly hashes */
		rocksdb_options_set_compaction_filter(o, r->filter_slices);
		rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
		rocksdb_options_set_level0_file_num_compaction_trigger(o, RECEIPT_RUNS);
		rocksdb_options_set_compression(o, rocksdb_no_compression);
	}
	return o;
}

static void options_make(struct base_rocksdb *r, enum dir_format format)
{
	r->cache = rocksdb_cache_create_lru(CACHE_BYTES);
	r->filter_aged = rocksdb_compactionfilter_create(r, filter_free, filter_aged, filter_aged_name);
	r->filter_left = rocksdb_compactionfilter_create(r, filter_free, filter_left, filter_left_name);
	r->filter_slices = rocksdb_compactionfilter_create(r, filter_free, filter_slices,
							   filter_slices_name);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		r->family_options[f] = options_of(r, f);
	rocksdb_options_t *o = r->options = rocksdb_options_create();
	rocksdb_options_set_create_if_missing(o, format == DIR_FORMAT_NONE);
	rocksdb_options_set_create_missing_column_families(o, format != DIR_FORMAT_NOW);
	rocksdb_options_set_max_open_files(o, OPEN_FILES_MAX);
	rocksdb_options_set_db_write_buffer_size(o, MEMTABLE_BYTES);
	rocksdb_options_set_info_log_level(o, INFO_LOG_ERRORS);
	rocksdb_options_set_keep_log_file_num(o, 2);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	/* Format 2 and before wrote to its log. */
	rocksdb_options_set_wal_recovery_mode(o, rocksdb_tolerate_corrupted_tail_records_recovery);
	r->read_options = rocksdb_readoptions_create();
	r->write_options = rocksdb_writeoptions_create();
	rocksdb_writeoptions_disable_WAL(r->write_options, 1);
	r->batch = rocksdb_writebatch_create();
}

/* RocksDB calls a database that is not there an invalid argument, or says which file it misses. */
static int open_failed(const char *path, char *error, const struct why *why)
{
	bool damaged = strstr(error, "Corruption") || strstr(error, "Invalid argument") ||
		       strstr(error, "No such file");
	int err = why_fail(why, damaged ? ERR_CORRUPT : ERR_IO, "cannot open the database in %s: %s",
			   path, error);
	rocksdb_free(error);
	return err;
}

/* Has it the families of its format? RocksDB would create anew those that were lost, too. */
static int families_check(struct base_rocksdb *r, const char *path, unsigned count,
			  const struct why *why)
{
	char *error = NULL;
	size_t n = 0;
	int err = OK;
	char **names = rocksdb_list_column_families(r->options, path, &n, &error);
	if (error)
		err = open_failed(path, error, why);
	for (unsigned f = 0; f < count && !err; f++) {
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

/* What a crash left of bulks that were not taken. */
static int bulk_dir_make(struct base_rocksdb *r, const char *dir, const struct why *why)
{
	int err = dir_path(r->bulk_dir, dir, "bulk", why);
	if (err)
		return err;
	if (mkdir(r->bulk_dir, 0700) != 0 && errno != EEXIST)
		return why_fail(why, ERR_IO, "cannot create %s: %s", r->bulk_dir, strerror(errno));
	DIR *d = opendir(r->bulk_dir);
	if (!d)
		return why_fail(why, ERR_IO, "cannot read %s: %s", r->bulk_dir, strerror(errno));
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_type == DT_REG)
			unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	return OK;
}

static int db_open(struct base_rocksdb *r, const char *dir, enum dir_format format, bool read_only,
		   const struct why *why)
{
	static const unsigned counts[] = {
		[DIR_FORMAT_1] = FAMILY_COUNT_1, [DIR_FORMAT_2] = FAMILY_COUNT_2,
		[DIR_FORMAT_3] = FAMILY_COUNT,
	};
	const rocksdb_options_t *const *families = (const rocksdb_options_t *const *)r->family_options;
	char path[DIR_PATH_BYTES_MAX], *error = NULL;
	int err = dir_path(path, dir, "db", why);
	if (err)
		return err;
	options_make(r, format);
	if (format != DIR_FORMAT_NONE && (err = families_check(r, path, counts[format], why)) != OK)
		return err;
	if (read_only)
		r->db = rocksdb_open_for_read_only_column_families(
			r->options, path, FAMILY_COUNT, family_names, families, r->families, 0, &error);
	else
		r->db = rocksdb_open_column_families(r->options, path, FAMILY_COUNT, family_names,
						     families, r->families, &error);
	return r->db ? OK : open_failed(path, error, why);
}

static void rocks_free(struct base *b)
{
	struct base_rocksdb *r = rocks_of(b);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		if (r->families[f])
			rocksdb_column_family_handle_destroy(r->families[f]);
	if (r->db)
		rocksdb_close(r->db);
	if (r->options) {
		for (unsigned f = 0; f < FAMILY_COUNT; f++)
			rocksdb_options_destroy(r->family_options[f]);
		rocksdb_options_destroy(r->options);
		rocksdb_compactionfilter_destroy(r->filter_aged);
		rocksdb_compactionfilter_destroy(r->filter_left);
		rocksdb_compactionfilter_destroy(r->filter_slices);
		rocksdb_cache_destroy(r->cache);
		rocksdb_readoptions_destroy(r->read_options);
		rocksdb_writeoptions_destroy(r->write_options);
		rocksdb_writebatch_destroy(r->batch);
	}
	free(r);
}

static const struct base_calls rocks_calls = {
	.put = rocks_put, .forget = rocks_forget, .write = rocks_write, .flush = rocks_flush,
	.snapshot = rocks_snapshot, .snapshot_free = rocks_snapshot_free,
	.get = rocks_get, .got_free = rocks_got_free,
	.iter = rocks_iter, .iter_last = rocks_iter_last, .iter_at = rocks_iter_at,
	.iter_next = rocks_iter_next, .iter_free = rocks_iter_free,
	.bulk_new = rocks_bulk_new, .bulk_add = rocks_bulk_add, .bulk_end = rocks_bulk_end,
	.bulk_take = rocks_bulk_take, .bulk_drop = rocks_bulk_drop,
	.forget_slices = rocks_forget_slices, .checkpoint = rocks_checkpoint, .free = rocks_free,
};

int base_rocksdb_open(const char *dir, enum dir_format format, int64_t retention_ms, bool read_only,
		      struct base **base_out, const struct why *why)
{
	struct base_rocksdb *r = calloc(1, sizeof(*r));
	if (!r)
		return why_fail(why, ERR_NOMEM, "out of memory");
	r->base.calls = &rocks_calls;
	r->retention_ms = retention_ms;
	int err = read_only ? OK : bulk_dir_make(r, dir, why);
	if (!err)
		err = db_open(r, dir, format, read_only, why);
	if (err)
		rocks_free(&r->base);
	else
		*base_out = &r->base;
	return err;
}
