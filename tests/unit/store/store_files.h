/* Files of the embedded engine's directory, for tests that take them away or write them anew. Include
 * <cmocka.h> and what it needs before. */
#pragma once
#include "store/embedded.h"
#include "store/store_bench.h"
#include <dirent.h>
#include <fcntl.h>

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

struct files { char name[64][300]; size_t bytes[64], n; };

/* Those of the database in which data lies; not RocksDB's own log and the record of its options. */
static inline struct files files_of(const char *dir)
{
	struct files f = { .n = 0 };
	char path[300];
	snprintf(path, sizeof(path), "%s/db", dir);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_type != DT_REG || strncmp(entry->d_name, "LOG", 3) == 0 ||
		    strncmp(entry->d_name, "OPTIONS", 7) == 0 || strcmp(entry->d_name, "LOCK") == 0 ||
		    strcmp(entry->d_name, "IDENTITY") == 0)
			continue;
		assert_true(f.n < COUNT(f.name));
		struct stat st;
		assert_int_equal(fstatat(dirfd(d), entry->d_name, &st, 0), 0);
		f.bytes[f.n] = (size_t)st.st_size;
		snprintf(f.name[f.n++], sizeof(f.name[0]), "db/%s", entry->d_name);
	}
	closedir(d);
	return f;
}

enum { NO_FANOUTS = 1, NO_TEXTS = 2, NO_LINKS = 4, NO_ACKS = 8, NEW_FAMILIES = 7 };

/* Takes families out of a closed directory. Without the new ones it is as version 1 left it, but for
 * what its `format` says. */
static inline void drop_families(struct bench *b, unsigned without)
{
	const char *const families[] = { "default", "names", "seen",  "box",   "ids",
					 "once",    "acks",  "links", "texts", "fanouts" };
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
