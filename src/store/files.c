/* The real calls. */
#include "store/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct real {
	struct files files;
	int dir_fd;
};

static int dir_of(struct files *f)
{
	return ((struct real *)(void *)f)->dir_fd;
}

/* What a call that returned `r` has to say. */
static int result(int r)
{
	if (r >= 0)
		return OK;
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG: return ERR_NOSPC;
	case ENOENT: return ERR_NOTFOUND;
	default: return ERR_IO;
	}
}

static int real_open(struct files *f, const char *name, bool create, int *fd_out)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0);
	*fd_out = openat(dir_of(f), name, flags, 0600);
	return result(*fd_out);
}

static void real_close(struct files *f, int fd)
{
	(void)f;
	close(fd); /* what had to last was synced */
}

/* How many of the parts are written once `n` bytes more are; *within is how much of the next one is. */
static unsigned parts_done(const struct iovec *parts, unsigned parts_n, size_t *within, size_t n)
{
	unsigned i = 0;
	for (n += *within; i < parts_n && n >= parts[i].iov_len; i++)
		n -= parts[i].iov_len;
	*within = n;
	return i;
}

static int real_write_at(struct files *f, int fd, uint64_t offset, const struct iovec *parts, unsigned n)
{
	size_t within = 0;
	(void)f;
	while (n) {
		/* After a short write the rest of a part goes by itself. */
		struct iovec rest = { (char *)parts->iov_base + within, parts->iov_len - within };
		ssize_t put = within ? pwritev(fd, &rest, 1, (off_t)offset)
				     : pwritev(fd, parts, (int)(n < IOV_MAX ? n : IOV_MAX), (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return result(-1);
		unsigned done = parts_done(parts, n, &within, (size_t)put);
		offset += (uint64_t)put;
		parts += done;
		n -= done;
	}
	return OK;
}

static int real_read_at(struct files *f, int fd, uint64_t offset, void *to, size_t n, size_t *got_out)
{
	size_t got = 0;
	(void)f;
	while (got < n) {
		ssize_t r = pread(fd, (char *)to + got, n - got, (off_t)(offset + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return ERR_IO;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	*got_out = got;
	return OK;
}

static int real_sync(struct files *f, int fd)
{
	(void)f;
	return result(fdatasync(fd));
}

static int real_size(struct files *f, int fd, uint64_t *bytes_out)
{
	struct stat st = { 0 };
	(void)f;
	int err = result(fstat(fd, &st));
	*bytes_out = (uint64_t)st.st_size;
	return err;
}

static int real_rename(struct files *f, const char *from, const char *to)
{
	return result(renameat(dir_of(f), from, dir_of(f), to));
}

static int real_remove(struct files *f, const char *name)
{
	return result(unlinkat(dir_of(f), name, 0));
}

static int real_sync_dir(struct files *f)
{
	return result(fsync(dir_of(f)));
}

static int real_list(struct files *f, void (*each)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(dir_of(f), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return ERR_IO;
	}
	struct dirent *entry;
	for (errno = 0; (entry = readdir(dir)); errno = 0)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(ctx, entry->d_name);
	int err = errno ? ERR_IO : OK;
	closedir(dir);
	return err;
}

static int real_room(struct files *f, uint64_t *bytes_out)
{
	struct statvfs st = { 0 };
	int err = result(fstatvfs(dir_of(f), &st));
	*bytes_out = (uint64_t)st.f_bavail * st.f_frsize;
	return err;
}

static void real_free(struct files *f)
{
	close(dir_of(f));
	free(f);
}

static const struct files_calls real_calls = {
	.open = real_open,
	.close = real_close,
	.write_at = real_write_at,
	.read_at = real_read_at,
	.sync = real_sync,
	.size = real_size,
	.rename = real_rename,
	.remove = real_remove,
	.sync_dir = real_sync_dir,
	.list = real_list,
	.room = real_room,
	.free = real_free,
};

/* Always, not only after mkdir: a crash may have come between the two. */
static int parent_sync(int dir_fd)
{
	int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	int err = fsync(fd) == 0 ? OK : ERR_IO;
	close(fd);
	return err;
}

int files_open(const char *path, struct files **files_out)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return ERR_IO;
	struct real *real = malloc(sizeof(*real));
	if (!real)
		return ERR_NOMEM;
	*real = (struct real){ { &real_calls }, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	if (real->dir_fd < 0 || parent_sync(real->dir_fd) != OK) {
		if (real->dir_fd >= 0)
			close(real->dir_fd);
		free(real);
		return ERR_IO;
	}
	*files_out = &real->files;
	return OK;
}
