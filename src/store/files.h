/* The system calls the journal needs of a directory, as a table: the real ones (files_open), and in
 * tests and the simulator ones over simulated files that fail, tear and lose what was not synced
 * (tests/sim/…, tests/unit/store/…).
 *
 * Names are plain names of files within the directory. All functions return OK or
 *   ERR_NOSPC   no room (ENOSPC, EDQUOT, EFBIG): nothing was changed that a retry would not mend
 *   ERR_IO      anything else; errno's text is logged by who made the call
 * Nothing is retried here but EINTR and short reads or writes.
 *
 * Threads: read_at may be called by any thread at any time for a descriptor that is not closed
 * meanwhile; all else by one thread. */
#pragma once
#include "base/check.h"
#include "base/err.h"
#include "base/str.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct files;
struct files_calls {
	/* Opens `name` for reading and writing; `create`: it must not exist yet. ERR_NOTFOUND: it does not
	 * exist (without create). */
	int (*open)(struct files *f, const char *name, bool create, int *fd_out);
	void (*close)(struct files *f, int fd);
	/* Writes all of the parts one behind the other at `offset`. Not durable before sync. */
	int (*write_at)(struct files *f, int fd, uint64_t offset, const struct iovec *parts, unsigned n);
	/* Reads up to `n` bytes; *got_out < n only at the end of the file. */
	int (*read_at)(struct files *f, int fd, uint64_t offset, void *to, size_t n, size_t *got_out);
	int (*sync)(struct files *f, int fd); /* fdatasync; the size, too */
	int (*size)(struct files *f, int fd, uint64_t *bytes_out);
	int (*rename)(struct files *f, const char *from, const char *to); /* replaces `to` */
	int (*remove)(struct files *f, const char *name);
	int (*sync_dir)(struct files *f);     /* names: after open with create, rename, remove */
	/* Calls each(ctx, name) for every file, in any order. */
	int (*list)(struct files *f, void (*each)(void *ctx, const char *name), void *ctx);
	/* Bytes that may still be written to the file system. */
	int (*room)(struct files *f, uint64_t *bytes_out);
	void (*free)(struct files *f);
};
struct files { const struct files_calls *calls; };

/* The real directory `path`, created (0700, and its parent synced) if it is not there. 0 or ERR_IO,
 * ERR_NOMEM. */
int files_open(const char *path, struct files **files_out) WARN_UNUSED;
