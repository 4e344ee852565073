/* lempctl restore: copies a backup. The file `format` comes last, as without it there is no data directory. */
#include "lempctl.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool said(const char *what, const char *path)
{
	fprintf(stderr, "lempctl: cannot %s %s: %s\n", what, path, strerror(errno));
	return false;
}

static bool join(char out[PATH_MAX], const char *dir, const char *name)
{
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return said("use", dir);
}

static bool bytes_copy(int in, int out)
{
	static char bytes[1 << 16];
	ssize_t n;
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		if (write(out, bytes, (size_t)n) != n)
			return false;
	return n == 0 && fsync(out) == 0;
}

static bool file_copy(const char *from_dir, const char *to_dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (!join(from, from_dir, name) || !join(to, to_dir, name))
		return false;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return said("read", from);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = out >= 0 && bytes_copy(in, out);
	if (!ok)
		said("write", to);
	if (out >= 0)
		close(out);
	close(in);
	return ok;
}

static bool dir_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		said("sync", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool dir_copy(const char *from_dir, const char *to_dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (!join(from, from_dir, name) || !join(to, to_dir, name))
		return false;
	DIR *dir = opendir(from);
	if (!dir)
		return said("read", from);
	bool ok = mkdir(to, 0700) == 0 || said("create", to);
	for (struct dirent *entry; ok && (entry = readdir(dir));)
		if (entry->d_type == DT_REG)
			ok = file_copy(from, to, entry->d_name);
	closedir(dir);
	return ok && dir_sync(to);
}

bool restore_copy(const char *from, const char *to)
{
	char format[PATH_MAX];
	struct stat st;
	if (!join(format, from, "format"))
		return false;
	if (stat(format, &st) != 0)
		return said("find a whole backup: no", format);
	if (mkdir(to, 0700) != 0)
		return said("create", to);
	return dir_copy(from, to, "db") && dir_copy(from, to, "journal") && file_copy(from, to, "format") &&
	       dir_sync(to);
}
