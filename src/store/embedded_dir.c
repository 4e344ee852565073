/* The data directory: who may use it, and what is in it.
 *
 *   DIR/lock     held by flock while a process uses the directory; its pid as text
 *   DIR/format   "lempd data 3": written last when a directory is made, so that one without it was
 *                never used, or when an older one is brought up
 *   DIR/db/      RocksDB (base_rocksdb.c)
 *   DIR/bulk/    tables that are being made for it
 *   DIR/journal/ the journal (journal.h) */
#include "store/embedded_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT_PREFIX "lempd data "

static const char *const format_texts[] = {
	[DIR_FORMAT_1] = FORMAT_PREFIX "1\n",
	[DIR_FORMAT_2] = FORMAT_PREFIX "2\n",
	[DIR_FORMAT_3] = FORMAT_PREFIX "3\n",
};

int why_fail(const struct why *why, int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why->text, why->size, fmt, args);
	va_end(args);
	return err;
}

int dir_path(char out[DIR_PATH_BYTES_MAX], const char *dir, const char *name, const struct why *why)
{
	int n = snprintf(out, DIR_PATH_BYTES_MAX, "%s/%s", dir, name);
	if (n < 0 || n >= DIR_PATH_BYTES_MAX)
		return why_fail(why, ERR_IO, "the path of the data directory is too long");
	return OK;
}

int dir_sync(const char *dir, const char *name, const struct why *why)
{
	char path[DIR_PATH_BYTES_MAX];
	int err = dir_path(path, dir, name, why);
	if (err)
		return err;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		err = why_fail(why, ERR_IO, "cannot sync %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

int dir_make(const char *dir, const struct why *why)
{
	if (mkdir(dir, 0700) == 0)
		return dir_sync(dir, "..", why); /* or the first receipts go with the entry */
	if (errno == EEXIST)
		return OK;
	return why_fail(why, ERR_IO, "cannot create the data directory %s: %s", dir, strerror(errno));
}

static int lock_refused(int fd, const char *dir, const struct why *why)
{
	char pid[32];
	if (errno != EWOULDBLOCK)
		return why_fail(why, ERR_IO, "cannot lock the data directory %s: %s", dir,
				strerror(errno));
	ssize_t n = read(fd, pid, sizeof(pid) - 1);
	pid[n > 0 ? n : 0] = 0;
	return why_fail(why, ERR_LOCKED, "the data directory %s is in use by process %.*s: stop it first, "
			"or give this one a directory of its own", dir, n > 0 ? (int)strcspn(pid, "\n") : 1,
			n > 0 ? pid : "?");
}

int dir_lock(const char *dir, int *fd_out, const struct why *why)
{
	char path[DIR_PATH_BYTES_MAX], pid[32];
	int err = dir_path(path, dir, "lock", why);
	if (err)
		return err;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_fail(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		err = lock_refused(fd, dir, why);
	else if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		err = why_fail(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	if (err)
		close(fd);
	else
		*fd_out = fd;
	return err;
}

static int format_cut(const char *path, const char *text, enum dir_format *format_out,
		      const struct why *why)
{
	for (enum dir_format f = DIR_FORMAT_1; f <= DIR_FORMAT_NOW; f++) {
		*format_out = f;
		if (strcmp(text, format_texts[f]) == 0)
			return OK;
	}
	if (strncmp(text, FORMAT_PREFIX, sizeof(FORMAT_PREFIX) - 1) != 0)
		return why_fail(why, ERR_CORRUPT, "%s is damaged", path);
	const char *now = format_texts[DIR_FORMAT_NOW];
	return why_fail(why, ERR_VERSION,
			"%s says '%.*s', this program knows '%.*s' and what came before: "
			"use the lempd that wrote it, or a newer one",
			path, (int)strcspn(text, "\n"), text, (int)strcspn(now, "\n"), now);
}

int dir_format_read(const char *dir, enum dir_format *format_out, const struct why *why)
{
	char path[DIR_PATH_BYTES_MAX], text[64];
	int err = dir_path(path, dir, "format", why);
	if (err)
		return err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	*format_out = DIR_FORMAT_NONE;
	if (fd < 0 && errno == ENOENT)
		return OK;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		err = why_fail(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	text[n] = 0;
	return format_cut(path, text, format_out, why);
}

int dir_format_write(const char *dir, const struct why *why)
{
	char fresh[DIR_PATH_BYTES_MAX], path[DIR_PATH_BYTES_MAX];
	int err = dir_path(path, dir, "format", why);
	if (!err)
		err = dir_path(fresh, dir, "format.new", why);
	if (err)
		return err;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	const char *text = format_texts[DIR_FORMAT_NOW];
	ssize_t n = (ssize_t)strlen(text);
	bool ok = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0 &&
		  rename(fresh, path) == 0;
	if (!ok)
		err = why_fail(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err ? err : dir_sync(dir, ".", why); /* of db/, too */
}
