/* Files of the embedded engine's directory, for tests that take them away or write them anew. Include
 * <cmocka.h> and what it needs before. */
#pragma once
#include "store/embedded.h"
#include "store/store_bench.h"
#include "store/base_rocksdb.h"
#include <dirent.h>
#include <fcntl.h>
#include <rocksdb/c.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline void remove_file(const char *dir, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(remove(path), 0);
}

struct dir_files { char name[64][300]; size_t bytes[64], n; };

static inline void files_add(struct dir_files *f, const char *dir, const char *below)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", dir, below);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_type != DT_REG || strncmp(entry->d_name, "LOG", 3) == 0 ||
		    strncmp(entry->d_name, "OPTIONS", 7) == 0 || strcmp(entry->d_name, "LOCK") == 0 ||
		    strcmp(entry->d_name, "IDENTITY") == 0)
			continue;
		assert_true(f->n < COUNT(f->name));
		struct stat st;
		assert_int_equal(fstatat(dirfd(d), entry->d_name, &st, 0), 0);
		f->bytes[f->n] = (size_t)st.st_size;
		snprintf(f->name[f->n++], sizeof(f->name[0]), "%s/%s", below, entry->d_name);
	}
	closedir(d);
}

/* Those in which data lies; not RocksDB's own log and the record of its options. */
static inline struct dir_files files_of(const char *dir)
{
	struct dir_files f = { .n = 0 };
	files_add(&f, dir, "db");
	files_add(&f, dir, "journal");
	return f;
}

static inline struct store_embedded *engine_of_bench(struct bench *b)
{
	return (struct store_embedded *)(void *)b->store;
}

/* Commits till all that was committed before lies in the base. The bench has small segments. */
static inline void spill_all(struct bench *b)
{
	static char text[10000];
	struct store_embedded *e = engine_of_bench(b);
	struct store_op ops[] = { mail("filler", UINT64_MAX, "", MAIL_INFO),
				  release("filler", UINT64_MAX, "", 0, 1) };
	ops[0].mail.text = (struct str){ text, sizeof(text) };
	ops[0].mail.once = ops[1].release.once = (struct hash128){ 0 };
	ops[1].release.flags = MAIL_INFO;
	pthread_mutex_lock(&e->lock);
	uint32_t newest = e->segment, in_base = e->in_base;
	pthread_mutex_unlock(&e->lock);
	assert_in_range(b->segment_bytes, 1, 1 << 20);
	while (in_base < newest) {
		bench_do(b, ops, COUNT(ops));
		pthread_mutex_lock(&e->lock);
		in_base = e->in_base;
		pthread_mutex_unlock(&e->lock);
	}
}

/* --- directories of older formats --- */

enum { NO_RECEIPTS = 1, NO_FANOUTS = 2, NO_TEXTS = 4, NO_LINKS = 8, NO_ACKS = 16, NEW_IN_2 = 14 };

/* Takes families out of a closed directory. */
static inline void drop_families(struct bench *b, unsigned without)
{
	const char *const families[] = { "default", "names", "seen",  "box",   "ids",     "once",
					 "acks",    "links", "texts", "fanouts", "receipts" };
	rocksdb_options_t *options = rocksdb_options_create();
	rocksdb_column_family_handle_t *handles[COUNT(families)];
	const rocksdb_options_t *each[COUNT(families)];
	char path[128], *error = NULL;
	for (size_t i = 0; i < COUNT(families); i++)
		each[i] = options;
	snprintf(path, sizeof(path), "%s/db", b->dir);
	rocksdb_t *db = rocksdb_open_column_families(options, path, COUNT(families), families, each,
						     handles, &error);
	assert_null(error);
	for (size_t i = 0; i < COUNT(families); i++) {
		if (without & 1U << (COUNT(families) - 1 - i))
			rocksdb_drop_column_family(db, handles[i], &error);
		assert_null(error);
		rocksdb_column_family_handle_destroy(handles[i]);
	}
	rocksdb_close(db);
	rocksdb_options_destroy(options);
}

static inline void old_once(struct base *base, uint64_t seq, int64_t ms)
{
	struct hash128 once = once_of(seq);
	struct buf value;
	buf_init(&value, 64);
	value_time(&value, ms);
	base_put(base, FAMILY_ONCE, (struct str){ (const char *)&once, sizeof(once) }, buf_view(&value));
	buf_deinit(&value);
}

/* As formats 1 and 2 keep a mail of bob's: not released if `released_ms` is 0. */
static inline void old_mail(struct base *base, uint64_t seq, const char *id, int64_t released_ms)
{
	struct store_op op = mail("bob", seq, id, 0);
	struct key box = key_box(STR("bob"), seq), ids = key_str(STR("bob"));
	struct buf value;
	buf_init(&value, 4096);
	key_add_str(&ids, str_of(id));
	old_once(base, seq, released_ms);
	if (released_ms) {
		key_add_u64(&ids, 7);
		key_add_str(&ids, STR("alice"));
		key_add_u8(&ids, ACK_DM | KINDS_RELEASE);
		value_begin(&value);
		buf_u8(&value, 0);
		buf_add(&value, &released_ms, sizeof(released_ms));
		base_put(base, FAMILY_ACKS, key_view(&ids), buf_view(&value));
	} else {
		key_add_u64(&ids, seq);
		value_box(&value, &op.mail);
		base_put(base, FAMILY_BOX, key_view(&box), buf_view(&value));
		buf_clear(&value);
		value_ids(&value, &op.mail);
		base_put(base, FAMILY_IDS, key_view(&ids), buf_view(&value));
	}
	buf_deinit(&value);
}

/* A closed directory of format 3 with names in it becomes one of format 2, and 1 without NEW_IN_2: bob's
 * mail 1 ("a") is there, 2 ("b") is released. */
static inline void make_old(struct bench *b, unsigned without, const char *format)
{
	const struct why why = { b->why, sizeof(b->why) };
	struct base *base;
	char path[128];
	assert_int_equal(base_rocksdb_open(b->dir, DIR_FORMAT_3, DAY_MS, false, &base, &why), OK);
	base_forget(base, FAMILY_META, STR("slice_ms"));
	old_mail(base, 1, "a", 0);
	old_mail(base, 2, "b", now_ms());
	assert_int_equal(base->calls->write(base), OK);
	assert_int_equal(base->calls->flush(base), OK);
	base->calls->free(base);
	snprintf(path, sizeof(path), "%s/journal", b->dir);
	nftw(path, bench_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	drop_families(b, without);
	write_file(b->dir, "format", format);
}
