/* A copy of all data while the engine runs, and a look through all data while it does not. */
#include "store/embedded.h"
#include "store/base_rocksdb.h"
#include "store/journal_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)1 << 20)
#define BEHIND_BYTES 4096 /* zeros behind the end of the last segment: it may not end with its last record */
#define BACKUP_PIN EMBEDDED_READERS

/* --- backup --- */

/* `upto` bytes of the file, and zeros behind them; the whole of it if `upto` is UINT64_MAX. */
static int bytes_copy(int from, int to, uint64_t upto)
{
	static const char zeros[BEHIND_BYTES];
	char *bytes = malloc(COPY_BYTES);
	uint64_t at = 0;
	ssize_t got = bytes ? 1 : -1;
	while (got > 0 && at < upto) {
		uint64_t some = upto - at < COPY_BYTES ? upto - at : COPY_BYTES;
		got = pread(from, bytes, (size_t)some, (off_t)at);
		if (got > 0 && pwrite(to, bytes, (size_t)got, (off_t)at) != got)
			got = -1;
		at += got > 0 ? (uint64_t)got : 0;
	}
	free(bytes);
	if (got >= 0 && upto != UINT64_MAX && pwrite(to, zeros, sizeof(zeros), (off_t)at) != sizeof(zeros))
		got = -1;
	return got < 0 || fsync(to) != 0 ? (errno == ENOSPC ? ERR_NOSPC : ERR_IO) : OK;
}

static int segment_copy(const char *dir, const char *path, uint64_t number, uint64_t upto, const struct why *why)
{
	char name[JOURNAL_NAME_BYTES], below[JOURNAL_NAME_BYTES + 16];
	char from_path[DIR_PATH_BYTES_MAX], to_path[DIR_PATH_BYTES_MAX];
	journal_segment_name(name, number);
	snprintf(below, sizeof(below), "journal/%s", name);
	int err = dir_path(from_path, dir, below, why);
	if (!err)
		err = dir_path(to_path, path, below, why);
	if (err)
		return err;
	int from = open(from_path, O_RDONLY | O_CLOEXEC);
	int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = from < 0 || to < 0 ? ERR_IO : bytes_copy(from, to, upto);
	if (err)
		(void)why_fail(why, err, "cannot copy %s to %s: %s", from_path, to_path, strerror(errno));
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return err;
}

static int dir_new(const char *path, const char *name, const struct why *why)
{
	char whole[DIR_PATH_BYTES_MAX];
	int err = dir_path(whole, path, name, why);
	if (!err && mkdir(whole, 0700) != 0)
		err = why_fail(why, ERR_IO, "cannot create %s: %s", whole, strerror(errno));
	return err;
}

/* The database first: what the journal has beyond it does no harm, what it lacked would. */
static int all_copy(struct store_embedded *e, const char *dir, const char *path, uint32_t first,
		    const struct why *why)
{
	char db[DIR_PATH_BYTES_MAX];
	int err = dir_path(db, path, "db", why);
	if (!err && (err = e->base->calls->checkpoint(e->base, db)) != OK)
		return why_fail(why, err, "cannot copy the database to %s: %s", db, err_text(err));
	pthread_mutex_lock(&e->lock);
	uint32_t last = e->end_segment;
	uint64_t end = e->end;
	pthread_mutex_unlock(&e->lock);
	if (!err)
		err = dir_new(path, "journal", why);
	for (uint32_t n = first; n <= last && !err; n++)
		err = segment_copy(dir, path, n, n == last ? end : UINT64_MAX, why);
	if (!err)
		err = dir_sync(path, "journal", why);
	return err ? err : dir_format_write(path, why); /* without it, it is no data directory */
}

int embedded_backup(struct store_embedded *e, const char *dir, const char *path, const struct why *why)
{
	int err;
	if (mkdir(path, 0700) != 0)
		return why_fail(why, ERR_IO, "cannot create %s: %s", path, strerror(errno));
	pthread_mutex_lock(&e->lock);
	uint32_t first = e->in_base + 1;
	bool other = e->pins[BACKUP_PIN] != 0;
	if (!other)
		e->pins[BACKUP_PIN] = first;
	pthread_mutex_unlock(&e->lock);
	if (other)
		return why_fail(why, ERR_LOCKED, "another backup is under way");
	err = all_copy(e, dir, path, first, why);
	pthread_mutex_lock(&e->lock);
	e->pins[BACKUP_PIN] = 0;
	pthread_mutex_unlock(&e->lock);
	return err ? err : dir_sync(path, "..", why);
}

/* --- check --- */

static int check_record(void *ctx, struct journal_place place, struct str payload)
{
	struct store_checked *c = ctx;
	struct str ops;
	struct store_op op;
	size_t cursor = 0;
	int r = OK, t = OK;
	(void)place;
	c->records++;
	while (r == OK && (t = store_txn_next(payload, &cursor, &ops)) == 1) {
		size_t at = 0;
		while ((r = store_op_next(ops, &at, &op)) == 1) {
			c->ops++;
			c->mails += op.type == OP_MAIL ? op.mail.receiver_count : 0;
		}
	}
	return r ? r : t;
}

/* All rows of a family; RocksDB verifies the checksum of every block it reads. */
static int check_family(struct base *base, enum family family, struct store_checked *c, const struct why *why)
{
	struct base_iter *it = base->calls->iter(base, NULL, family, STR(""), STR(""), true);
	struct str key, value;
	bool whole = true;
	for (; whole && base->calls->iter_at(it, &key, &value); base->calls->iter_next(it)) {
		uint8_t first = key.n ? (uint8_t)key.p[0] : 0;
		c->rows++;
		c->names += family == FAMILY_NAMES;
		c->mails += family == FAMILY_BOX && first < BOX_IDS;
		whole = family == FAMILY_META || (family == FAMILY_BOX && first >= BOX_ONCE) ||
			(family == FAMILY_FANOUTS && !value.n) || value_cut_version(&value);
	}
	int err = base->calls->iter_free(it);
	if (err)
		return why_fail(why, err, "the database is damaged: %s (row %llu)", err_text(err),
				(unsigned long long)c->rows);
	return whole ? OK : why_fail(why, ERR_CORRUPT, "a row of the database is not what this version writes");
}

static int check_base(const char *dir, struct store_checked *c, uint64_t *in_base_out, const struct why *why)
{
	struct base *base;
	struct base_got got;
	struct key spilled = key_spilled();
	int err = base_rocksdb_open(dir, DIR_FORMAT_NOW, 1, true, &base, why);
	if (err)
		return err;
	*in_base_out = 0;
	if (base->calls->get(base, NULL, FAMILY_BOX, key_view(&spilled), &got) == OK) {
		if (got.value.n == sizeof(*in_base_out))
			memcpy(in_base_out, got.value.p, sizeof(*in_base_out));
		base->calls->got_free(&got);
	}
	for (unsigned f = 0; f < FAMILY_COUNT && !err; f++)
		err = check_family(base, f, c, why);
	base->calls->free(base);
	return err;
}

static int check_all(const char *dir, struct store_checked *c, const struct why *why)
{
	char path[DIR_PATH_BYTES_MAX];
	struct journal_cut cut = { 0 };
	struct files *files;
	struct stat st;
	uint64_t in_base;
	int err = check_base(dir, c, &in_base, why);
	if (!err)
		err = dir_path(path, dir, "journal", why);
	if (err)
		return err;
	if (stat(path, &st) != 0)
		return why_fail(why, ERR_CORRUPT, "%s is missing", path);
	err = files_open(path, &files);
	if (err)
		return why_fail(why, err, "cannot open %s: %s", path, err_text(err));
	why->text[0] = 0;
	err = journal_check(files, in_base, check_record, c, &cut, why->text, why->size);
	c->torn_bytes = cut.bytes;
	return err && !why->text[0] ? why_fail(why, err, "a record of the journal is not what this version writes")
				    : err;
}

int embedded_check(const char *dir, struct store_checked *out, const struct why *why)
{
	enum dir_format format;
	struct stat st;
	int lock = -1;
	*out = (struct store_checked){ 0 };
	if (stat(dir, &st) != 0)
		return why_fail(why, ERR_IO, "cannot read %s: %s", dir, strerror(errno));
	int err = dir_format_read(dir, &format, why);
	if (!err && format != DIR_FORMAT_NOW)
		err = why_fail(why, ERR_VERSION, format == DIR_FORMAT_NONE
				       ? "%s is no data directory: it has no file 'format'"
				       : "%s is of an older version: start lempd on it once, which brings it up", dir);
	if (!err)
		err = dir_lock(dir, &lock, why);
	if (!err)
		err = check_all(dir, out, why);
	if (lock >= 0)
		close(lock);
	return err;
}
