/* The embedded engine: its directory and its threads. The committer takes what workers submit, the readers
 * answer what may wait for the disk, the spiller moves old segments to the base. */
#include "store/embedded.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/base_rocksdb.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_BYTES (UINT64_C(64) << 20)
#define GROW_BYTES (UINT64_C(4) << 20)
#define SEGMENTS_MAX 4
#define HELD_MAX 1500000                   /* entries of 32 bytes */
#define FILTER_BYTES_MAX ((size_t)256 << 20)

struct reader { struct engine *engine; unsigned number; pthread_t thread; bool started; };

struct engine {
	struct store_embedded e; /* first: what a struct store is cast to */
	struct embedded_bounds bounds;
	char dir[DIR_PATH_BYTES_MAX];
	int lock_fd;

	/* Committer. Batches come with the worker's number as node.kind; how many there can be is
	 * bounded by what each worker may have under way, and so is the size of one write. */
	struct inbox inbox;
	int wake_fd;
	pthread_t committer, rebuilder;
	bool committer_started, rebuilder_started;

	/* Readers and the spiller: a queue of reads, bounded by what the workers have under way (a read a
	 * name or session). */
	pthread_mutex_t lock;
	pthread_cond_t reads_some, spill_wanted;
	struct inbox_node *first, **last; /* reads; the worker's number as node.kind */
	struct reader readers[EMBEDDED_READERS];
	pthread_t spiller;
	bool spiller_started;
	bool carry;
	_Atomic bool stopping;
};

static struct engine *engine_of(struct store *s)
{
	return (struct engine *)(void *)s;
}

static int64_t wall_ms(void *ctx)
{
	(void)ctx;
	return wall_now().ms;
}

static int64_t mono_ns(void *ctx)
{
	(void)ctx;
	return mono_now().ns;
}

/* --- committer --- */

static void commit_wake(void *ctx)
{
	struct engine *g = ctx;
	uint64_t one = 1;
	while (write(g->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void commit_sleep(struct engine *g)
{
	uint64_t woken;
	while (read(g->wake_fd, &woken, sizeof(woken)) < 0 && errno == EINTR)
		;
}

static void spill_look(struct engine *g)
{
	struct store_embedded *e = &g->e;
	spill_step(e);
	pthread_mutex_lock(&e->lock);
	bool aged = receipts_tick(e->receipts, wall_now().ms);
	pthread_mutex_unlock(&e->lock);
	if (!aged && atomic_load(&e->spill.state) != SPILL_WANTED)
		return;
	pthread_mutex_lock(&g->lock);
	g->carry = g->carry || aged;
	pthread_cond_signal(&g->spill_wanted);
	pthread_mutex_unlock(&g->lock);
}

/* While the base falls behind, nothing more is taken in: workers have only so many batches under way, and
 * then read no more from who sends. */
static void commit_run_nodes(struct engine *g, struct inbox_node *nodes)
{
	while (spill_behind(&g->e)) {
		commit_sleep(g);
		spill_look(g);
	}
	embedded_commit(&g->e, nodes);
	spill_look(g);
}

static void *commit_run(void *ctx)
{
	struct engine *g = ctx;
	for (;;) {
		bool last = atomic_load(&g->stopping); /* read before the inbox is emptied */
		struct inbox_node *nodes = inbox_take(&g->inbox);
		if (nodes) {
			commit_run_nodes(g, nodes);
		} else if (last) {
			return NULL;
		} else {
			commit_sleep(g);
			spill_look(g);
		}
	}
}

static void embedded_submit(struct store *s, unsigned w, struct store_batch *batch)
{
	batch->node.kind = w;
	inbox_push(&engine_of(s)->inbox, &batch->node);
}

/* --- spiller --- */

static void *spill_run(void *ctx)
{
	struct engine *g = ctx;
	struct store_embedded *e = &g->e;
	pthread_mutex_lock(&g->lock);
	while (!atomic_load(&g->stopping)) {
		bool spill = atomic_load(&e->spill.state) == SPILL_WANTED, carry = g->carry;
		if (!spill && !carry) {
			pthread_cond_wait(&g->spill_wanted, &g->lock);
			continue;
		}
		g->carry = false;
		pthread_mutex_unlock(&g->lock);
		if (carry && receipts_carry(e->receipts))
			carry = false; /* the rows stay till the next slice ages */
		if (spill)
			spill_build(e);
		commit_wake(g);
		pthread_mutex_lock(&g->lock);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

static void *rebuild_run(void *ctx)
{
	struct engine *g = ctx;
	if (receipts_rebuild(g->e.receipts, &g->stopping) != OK)
		LOG(WARN, "storage", LOG_Z("failed", "reading the receipt index"),
		    LOG_Z("hint", "every new message is looked up in the database"));
	return NULL;
}

/* --- readers --- */

static void *reader_run(void *ctx)
{
	struct reader *reader = ctx;
	struct engine *g = reader->engine;
	pthread_mutex_lock(&g->lock);
	for (;;) {
		while (!g->first && !atomic_load(&g->stopping))
			pthread_cond_wait(&g->reads_some, &g->lock);
		struct inbox_node *node = g->first;
		if (!node)
			break;
		g->first = node->next;
		if (!g->first)
			g->last = &g->first;
		pthread_mutex_unlock(&g->lock);
		unsigned worker = node->kind;
		embedded_answer(&g->e, reader->number, (struct store_read *)(void *)node);
		node->kind = INBOX_STORE_READ;
		inbox_push(g->e.store.inbox[worker], node);
		pthread_mutex_lock(&g->lock);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

static void embedded_read(struct store *s, unsigned w, struct store_read *read)
{
	struct engine *g = engine_of(s);
	read->node.kind = w;
	read->node.next = NULL;
	pthread_mutex_lock(&g->lock);
	*g->last = &read->node;
	g->last = &read->node.next;
	pthread_cond_signal(&g->reads_some);
	pthread_mutex_unlock(&g->lock);
}

static int embedded_seen(struct store *s, unsigned w, struct hash128 once)
{
	return receipts_seen(engine_of(s)->e.receipts, w, once);
}

/* --- opening, closing --- */

/* After committing and answering all there is. Also after a failed start. */
static void threads_stop(struct engine *g)
{
	pthread_mutex_lock(&g->lock);
	atomic_store(&g->stopping, true);
	pthread_cond_broadcast(&g->reads_some);
	pthread_cond_broadcast(&g->spill_wanted);
	pthread_mutex_unlock(&g->lock);
	commit_wake(g);
	if (g->committer_started)
		pthread_join(g->committer, NULL);
	if (g->spiller_started)
		pthread_join(g->spiller, NULL);
	if (g->rebuilder_started)
		pthread_join(g->rebuilder, NULL);
	for (unsigned i = 0; i < EMBEDDED_READERS; i++)
		if (g->readers[i].started)
			pthread_join(g->readers[i].thread, NULL);
	pthread_cond_destroy(&g->reads_some);
	pthread_cond_destroy(&g->spill_wanted);
	pthread_mutex_destroy(&g->lock);
	close(g->wake_fd);
}

/* The name is what top -H shows. */
static bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx)
{
	if (pthread_create(thread, NULL, run, ctx) != 0)
		return false;
	pthread_setname_np(*thread, name);
	return true;
}

static bool threads_try(struct engine *g)
{
	g->committer_started = thread_start(&g->committer, "commit", commit_run, g);
	g->spiller_started = thread_start(&g->spiller, "spill", spill_run, g);
	g->rebuilder_started = thread_start(&g->rebuilder, "rebuild", rebuild_run, g);
	bool all = g->committer_started && g->spiller_started && g->rebuilder_started;
	for (unsigned i = 0; i < EMBEDDED_READERS; i++) {
		struct reader *reader = &g->readers[i];
		*reader = (struct reader){ .engine = g, .number = i };
		reader->started = thread_start(&reader->thread, "read", reader_run, reader);
		all = all && reader->started;
	}
	return all;
}

static int threads_start(struct engine *g, const struct why *why)
{
	g->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (g->wake_fd < 0)
		return why_fail(why, ERR_NOMEM, "no descriptor for the store's threads");
	inbox_init(&g->inbox, commit_wake, g);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->reads_some, NULL);
	pthread_cond_init(&g->spill_wanted, NULL);
	g->last = &g->first;
	if (threads_try(g))
		return OK;
	threads_stop(g);
	return why_fail(why, ERR_NOMEM, "no resources for the threads of the store");
}

static void bounds_make(struct embedded_bounds *b, const struct store_config *config)
{
	uint64_t segment = (config->segment_bytes ? config->segment_bytes : SEGMENT_BYTES) &
			   ~(uint64_t)(JOURNAL_RECORD_ALIGN - 1);
	*b = (struct embedded_bounds){
		.journal = { .segment_bytes = segment, .grow_bytes = segment < GROW_BYTES ? segment : GROW_BYTES,
			     .room_bytes = segment, .spares_max = 2, .sync = config->sync },
		.segments_max = SEGMENTS_MAX, .held_max = HELD_MAX, .filter_bytes_max = FILTER_BYTES_MAX,
		.room_bytes = 2 * segment,
	};
}

/* The directory of the journal; one that is gone from a used data directory was lost. */
static int journal_files(const char *dir, enum dir_format format, struct files **files_out,
			 const struct why *why)
{
	char path[DIR_PATH_BYTES_MAX];
	struct stat st;
	int err = dir_path(path, dir, "journal", why);
	if (err)
		return err;
	if (format == DIR_FORMAT_3 && stat(path, &st) != 0)
		return why_fail(why, ERR_CORRUPT, "%s is missing", path);
	err = files_open(path, files_out);
	return err ? why_fail(why, err, "cannot open %s: %s", path, err_text(err)) : OK;
}

/* In this order a crash at any point leaves either the format there was (none: nothing was ever
 * kept there) and the next opening goes on from here, or all of it. */
static int data_open(struct engine *g, const struct store_config *config, const struct why *why)
{
	const char *dir = config->path;
	snprintf(g->dir, sizeof(g->dir), "%s", dir);
	struct embedded_parts parts = { .bounds = &g->bounds, .metrics = config->metrics,
					.retention_ms = config->retention_ms, .clock = { wall_ms, mono_ns, NULL } };
	enum dir_format format;
	int err = dir_make(dir, why);
	if (!err)
		err = dir_lock(dir, &g->lock_fd, why);
	if (!err)
		err = dir_format_read(dir, &format, why);
	if (!err)
		err = journal_files(dir, format, &parts.files, why);
	if (err)
		return err;
	err = base_rocksdb_open(dir, format, config->retention_ms, false, &parts.base, why);
	if (err) {
		parts.files->calls->free(parts.files);
		return err;
	}
	parts.fresh = format == DIR_FORMAT_NONE;
	parts.migrate = format == DIR_FORMAT_1 || format == DIR_FORMAT_2;
	err = embedded_parts_open(&g->e, &parts, why);
	if (!err && format != DIR_FORMAT_NOW)
		err = dir_format_write(dir, why);
	return err;
}

static void engine_free(struct engine *g, bool clean)
{
	if (g->e.base)
		embedded_parts_close(&g->e, clean);
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	free(g);
}

static int embedded_open(const struct store_config *config, struct store **store_out, char *why_text,
			 size_t why_size)
{
	const struct why why = { why_text, why_size };
	struct engine *g = calloc(1, sizeof(*g));
	if (!g)
		return why_fail(&why, ERR_NOMEM, "out of memory");
	CHECK(config->workers <= STORE_WORKERS_MAX);
	g->e.store.engine = &store_embedded;
	memcpy(g->e.store.inbox, config->inbox, config->workers * sizeof(g->e.store.inbox[0]));
	g->lock_fd = -1;
	bounds_make(&g->bounds, config);
	umask(0077); /* for good: RocksDB makes files at any time, on threads of its own */
	int err = data_open(g, config, &why);
	if (!err)
		err = threads_start(g, &why);
	if (err) {
		engine_free(g, false);
		return err;
	}
	*store_out = &g->e.store;
	return OK;
}

static void embedded_close(struct store *s)
{
	struct engine *g = engine_of(s);
	threads_stop(g);
	engine_free(g, true);
}

static int engine_backup(struct store *s, const char *path, char *why, size_t why_size)
{
	return embedded_backup(&engine_of(s)->e, engine_of(s)->dir, path, &(struct why){ why, why_size });
}

static int engine_check(const char *path, struct store_checked *out, char *why, size_t why_size)
{
	return embedded_check(path, out, &(struct why){ why, why_size });
}

const struct store_engine store_embedded = {
	.name = "embedded",
	.open = embedded_open,
	.close = embedded_close,
	.submit = embedded_submit,
	.seen = embedded_seen,
	.read = embedded_read,
	.backup = engine_backup,
	.check = engine_check,
};
