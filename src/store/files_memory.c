#include "store/files_memory.h"
#include "base/strs.h"
#include <stdlib.h>

#define SECTOR 512
#define NAME_BYTES_MAX 32

struct change { uint64_t offset; struct buf bytes; struct change *next; };
/* A file, whatever it is called. What is opened is its number. */
struct inode { struct buf data, disk; struct change *changes, **last; };
struct name { char name[NAME_BYTES_MAX]; int inode, disk; }; /* -1: not there */
/* A change of names not synced yet: one name, or two of a rename. */
struct move { unsigned n; unsigned name[2]; int inode[2]; };

struct files_memory {
	struct files files; /* first: what a struct files is cast to */
	uint64_t random;
	struct inode *inodes;
	int inode_n;
	struct name *names;
	unsigned name_n;
	struct move *moves;
	unsigned move_n;
	uint64_t room;
	unsigned calls, fail_at, kill_at;
	int fail_err;
	bool killed;
};

static struct files_memory *memory_of(struct files *f)
{
	return (struct files_memory *)(void *)f;
}

static unsigned dice(struct files_memory *m, unsigned below)
{
	m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(m->random >> 33) % below;
}

/* --- failures --- */

/* OK, or how the call that begins ends. */
static int call(struct files_memory *m)
{
	m->calls++;
	if (m->killed || (m->kill_at && m->calls >= m->kill_at)) {
		m->killed = true;
		return ERR_IO;
	}
	return m->calls == m->fail_at ? m->fail_err : OK;
}

unsigned files_memory_calls(const struct files_memory *m) { return m->calls; }
bool files_memory_is_killed(const struct files_memory *m) { return m->killed; }
void files_memory_set_room(struct files_memory *m, uint64_t bytes) { m->room = bytes; }

void files_memory_fail(struct files_memory *m, unsigned nth, int err)
{
	m->fail_at = nth ? m->calls + nth : 0;
	m->fail_err = err;
}

void files_memory_kill(struct files_memory *m, unsigned nth)
{
	m->kill_at = nth ? m->calls + nth : 0;
}

/* --- data --- */

static void bytes_put(struct buf *b, uint64_t offset, const char *from, size_t n)
{
	if (b->n < offset + n) {
		size_t more = (size_t)offset + n - b->n;
		char *to = buf_reserve(b, more);
		CHECK(to);
		memset(to, 0, more);
		buf_commit(b, more);
	}
	memcpy(b->p + offset, from, n);
}

/* Of a change the sectors that the dice choose, `keep` of 1000 of them. */
static void change_apply(struct files_memory *m, struct inode *inode, const struct change *c, unsigned keep)
{
	for (size_t at = 0; at < c->bytes.n;) {
		size_t n = SECTOR - (c->offset + at) % SECTOR;
		if (n > c->bytes.n - at)
			n = c->bytes.n - at;
		if (dice(m, 1000) < keep)
			bytes_put(&inode->disk, c->offset + at, c->bytes.p + at, n);
		at += n;
	}
}

/* What was written since the last sync comes to the disk, in part. */
static void changes_settle(struct files_memory *m, struct inode *inode, unsigned keep)
{
	for (struct change *c = inode->changes, *next; c; c = next) {
		next = c->next;
		change_apply(m, inode, c, keep);
		buf_deinit(&c->bytes);
		free(c);
	}
	inode->changes = NULL;
	inode->last = &inode->changes;
}

static int inode_new(struct files_memory *m)
{
	struct inode *all = realloc(m->inodes, (size_t)(m->inode_n + 1) * sizeof(*all));
	CHECK(all);
	m->inodes = all;
	buf_init(&all[m->inode_n].data, UINT32_MAX);
	buf_init(&all[m->inode_n].disk, UINT32_MAX);
	all[m->inode_n].changes = NULL;
	for (int i = 0; i <= m->inode_n; i++) /* it may have moved */
		if (!all[i].changes)
			all[i].last = &all[i].changes;
	return m->inode_n++;
}

/* --- names --- */

static unsigned name_make(struct files_memory *m, const char *name)
{
	for (unsigned i = 0; i < m->name_n; i++)
		if (strcmp(m->names[i].name, name) == 0)
			return i;
	struct name *all = realloc(m->names, (m->name_n + 1) * sizeof(*all));
	CHECK(all && strlen(name) < NAME_BYTES_MAX);
	m->names = all;
	all[m->name_n] = (struct name){ .inode = -1, .disk = -1 };
	memcpy(all[m->name_n].name, name, strlen(name));
	return m->name_n++;
}

static void move_add(struct files_memory *m, struct move move)
{
	struct move *all = realloc(m->moves, (m->move_n + 1) * sizeof(*all));
	CHECK(all);
	m->moves = all;
	all[m->move_n++] = move;
	for (unsigned i = 0; i < move.n; i++)
		m->names[move.name[i]].inode = move.inode[i];
}

static void moves_settle(struct files_memory *m, unsigned keep)
{
	for (unsigned k = 0; k < m->move_n; k++) {
		if (dice(m, 1000) >= keep)
			continue;
		for (unsigned i = 0; i < m->moves[k].n; i++)
			m->names[m->moves[k].name[i]].disk = m->moves[k].inode[i];
	}
	m->move_n = 0;
}

/* --- calls --- */

static int memory_open(struct files *f, const char *name, bool create, int *fd_out)
{
	struct files_memory *m = memory_of(f);
	unsigned at = name_make(m, name);
	int err = create ? call(m) : m->killed ? ERR_IO : OK;
	if (err)
		return err;
	if (!create) {
		*fd_out = m->names[at].inode;
		return *fd_out < 0 ? ERR_NOTFOUND : OK;
	}
	if (m->names[at].inode >= 0)
		return ERR_IO;
	*fd_out = inode_new(m);
	move_add(m, (struct move){ 1, { at, 0 }, { *fd_out, 0 } });
	return OK;
}

static void memory_close(struct files *f, int fd) { (void)f, (void)fd; }

static void write_part(struct inode *inode, uint64_t offset, const char *from, size_t n)
{
	struct change *c = calloc(1, sizeof(*c));
	CHECK(c);
	c->offset = offset;
	buf_init(&c->bytes, UINT32_MAX);
	buf_add(&c->bytes, from, n);
	CHECK(!c->bytes.failed);
	*inode->last = c;
	inode->last = &c->next;
	bytes_put(&inode->data, offset, from, n);
}

static int memory_write_at(struct files *f, int fd, uint64_t offset, const struct iovec *parts, unsigned n)
{
	struct files_memory *m = memory_of(f);
	bool was_killed = m->killed;
	int err = call(m);
	size_t all = 0;
	for (unsigned i = 0; i < n; i++)
		all += parts[i].iov_len;
	size_t left = was_killed ? 0 : err ? dice(m, (unsigned)all + 1) : all;
	for (unsigned i = 0; i < n && left; i++) {
		size_t some = parts[i].iov_len < left ? parts[i].iov_len : left;
		if (some)
			write_part(&m->inodes[fd], offset, parts[i].iov_base, some);
		offset += some;
		left -= some;
	}
	return err;
}

static int memory_read_at(struct files *f, int fd, uint64_t offset, void *to, size_t n, size_t *got_out)
{
	const struct buf *data = &memory_of(f)->inodes[fd].data;
	*got_out = offset >= data->n ? 0 : data->n - offset < n ? data->n - (size_t)offset : n;
	if (*got_out)
		memcpy(to, data->p + offset, *got_out);
	return OK;
}

static int memory_sync(struct files *f, int fd)
{
	struct files_memory *m = memory_of(f);
	bool was_killed = m->killed;
	int err = call(m);
	if (!was_killed && m->killed)
		return err; /* they are still to be written */
	if (!was_killed)
		changes_settle(m, &m->inodes[fd], err ? dice(m, 1001) : 1000);
	return err;
}

static int memory_size(struct files *f, int fd, uint64_t *bytes_out)
{
	*bytes_out = memory_of(f)->inodes[fd].data.n;
	return OK;
}

static int memory_rename(struct files *f, const char *from, const char *to)
{
	struct files_memory *m = memory_of(f);
	unsigned a = name_make(m, from), b = name_make(m, to);
	int err = call(m);
	if (err)
		return err;
	if (m->names[a].inode < 0)
		return ERR_NOTFOUND;
	move_add(m, (struct move){ 2, { a, b }, { -1, m->names[a].inode } });
	return OK;
}

static int memory_remove(struct files *f, const char *name)
{
	struct files_memory *m = memory_of(f);
	unsigned at = name_make(m, name);
	int err = call(m);
	if (err)
		return err;
	if (m->names[at].inode < 0)
		return ERR_NOTFOUND;
	move_add(m, (struct move){ 1, { at, 0 }, { -1, 0 } });
	return OK;
}

static int memory_sync_dir(struct files *f)
{
	struct files_memory *m = memory_of(f);
	int err = call(m);
	if (!err)
		moves_settle(m, 1000);
	return err;
}

static int memory_list(struct files *f, void (*each)(void *ctx, const char *name), void *ctx)
{
	struct files_memory *m = memory_of(f);
	for (unsigned i = m->name_n; i-- > 0;)
		if (m->names[i].inode >= 0)
			each(ctx, m->names[i].name);
	return OK;
}

static int memory_room(struct files *f, uint64_t *bytes_out)
{
	*bytes_out = memory_of(f)->room;
	return OK;
}

static void memory_free(struct files *f) { (void)f; }

static const struct files_calls memory_calls = {
	.open = memory_open,
	.close = memory_close,
	.write_at = memory_write_at,
	.read_at = memory_read_at,
	.sync = memory_sync,
	.size = memory_size,
	.rename = memory_rename,
	.remove = memory_remove,
	.sync_dir = memory_sync_dir,
	.list = memory_list,
	.room = memory_room,
	.free = memory_free,
};

/* --- disks --- */

struct files_memory *files_memory_new(uint64_t seed)
{
	struct files_memory *m = calloc(1, sizeof(*m));
	CHECK(m);
	m->files.calls = &memory_calls;
	m->random = seed;
	m->room = UINT64_MAX;
	return m;
}

void files_memory_free(struct files_memory *m)
{
	for (int i = 0; i < m->inode_n; i++) {
		changes_settle(m, &m->inodes[i], 0);
		buf_deinit(&m->inodes[i].data);
		buf_deinit(&m->inodes[i].disk);
	}
	free(m->inodes);
	free(m->names);
	free(m->moves);
	free(m);
}

struct files *files_memory_open(struct files_memory *m)
{
	m->calls = m->fail_at = m->kill_at = 0;
	m->killed = false;
	return &m->files;
}

static void bytes_copy(struct buf *to, const struct buf *from)
{
	buf_clear(to);
	buf_str(to, buf_view(from));
	CHECK(!to->failed);
}

void files_memory_crash(struct files_memory *m)
{
	static const unsigned keep[] = { 0, 1000, 500, 900, 100 };
	for (int i = 0; i < m->inode_n; i++) {
		changes_settle(m, &m->inodes[i], keep[dice(m, 5)]);
		bytes_copy(&m->inodes[i].data, &m->inodes[i].disk);
	}
	moves_settle(m, keep[dice(m, 5)]);
	for (unsigned i = 0; i < m->name_n; i++)
		m->names[i].inode = m->names[i].disk;
}

struct buf *files_memory_bytes(struct files_memory *m, const char *name)
{
	int inode = m->names[name_make(m, name)].inode;
	return inode < 0 ? NULL : &m->inodes[inode].data;
}

void files_memory_names(const struct files_memory *m, struct buf *out)
{
	for (unsigned i = 0; i < m->name_n; i++)
		if (m->names[i].inode >= 0)
			strs_add(out, str_of(m->names[i].name));
}

struct files_memory *files_memory_copy(const struct files_memory *m, uint64_t seed)
{
	struct files_memory *copy = files_memory_new(seed);
	for (unsigned i = 0; i < m->name_n; i++) {
		if (m->names[i].inode < 0)
			continue;
		unsigned at = name_make(copy, m->names[i].name);
		int inode = copy->names[at].inode = copy->names[at].disk = inode_new(copy);
		bytes_copy(&copy->inodes[inode].data, &m->inodes[m->names[i].inode].data);
		bytes_copy(&copy->inodes[inode].disk, &copy->inodes[inode].data);
	}
	return copy;
}
