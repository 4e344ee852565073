/* What the tests of engines share: an engine in a directory of its own, workers whose inboxes can be
 * waited on, and short ways to write ops. Include <cmocka.h> and what it needs before. */
#pragma once
#include "store/fault.h"
#include "store/simulated.h"
#include "store/txn.h"
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS 2
#define DAY_MS INT64_C(86400000)
enum engine_kind { MEMORY, FAULT, EMBEDDED, SIMULATED };

struct bench {
	enum engine_kind kind;
	char dir[64];
	char why[512]; /* of the last opening */
	int wake_fd;
	struct inbox inbox[WORKERS], outer[WORKERS];
	struct metrics metrics;
	struct store_config config;
	struct inbox *inner_list[WORKERS], *outer_list[WORKERS];
	struct store *store;
	int64_t retention_ms;
	struct simulated_disk disk; /* of SIMULATED */
	uint64_t segment_bytes; /* of the embedded engine's journal; 0: its own choice */
};

static inline void bench_wake(void *ctx)
{
	uint64_t one = 1;
	assert_int_equal(write(((struct bench *)ctx)->wake_fd, &one, sizeof(one)), sizeof(one));
}

static inline int64_t bench_wall_ms(void *ctx)
{
	(void)ctx;
	return wall_now().ms;
}

static inline int64_t bench_mono_ns(void *ctx)
{
	static int64_t ns;
	(void)ctx;
	return ns += 20000000;
}

static inline int bench_open_simulated(struct bench *b)
{
	struct simulated_config config = { .store = b->config, .bounds = simulated_bounds,
					   .clock = { bench_wall_ms, bench_mono_ns, NULL } };
	return simulated_open(&b->disk, &config, &b->store, b->why, sizeof(b->why));
}

static inline int bench_open(struct bench *b)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		inbox_init(&b->inbox[w], bench_wake, b);
		inbox_init(&b->outer[w], bench_wake, b);
		b->inner_list[w] = &b->inbox[w];
		b->outer_list[w] = &b->outer[w];
	}
	b->config = (struct store_config){ .path = b->dir, .workers = WORKERS, .inbox = b->inner_list,
					   .retention_ms = b->retention_ms, .sync = true,
					   .segment_bytes = b->segment_bytes,
					   .metrics = &b->metrics };
	b->store = NULL;
	if (b->kind == SIMULATED)
		return bench_open_simulated(b);
	int err = (b->kind == EMBEDDED ? &store_embedded : &store_memory)
			  ->open(&b->config, &b->store, b->why, sizeof(b->why));
	if (!err && b->kind == FAULT)
		b->store = fault_wrap(b->store, b->outer_list, WORKERS);
	return err;
}

/* A directory, nothing open in it yet. */
static inline struct bench *bench_new(enum engine_kind kind)
{
	struct bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	b->kind = kind;
	b->retention_ms = DAY_MS;
	b->wake_fd = eventfd(0, EFD_CLOEXEC);
	snprintf(b->dir, sizeof(b->dir), "/tmp/lemp-store-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	if (kind == SIMULATED)
		simulated_disk_init(&b->disk, 1);
	return b;
}

static inline struct bench *bench_create(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	assert_int_equal(bench_open(b), OK);
	return b;
}

static inline void bench_close(struct bench *b)
{
	b->store->engine->close(b->store);
	b->store = NULL;
}

static inline int bench_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void bench_destroy(struct bench *b)
{
	if (b->store)
		bench_close(b);
	if (b->kind == SIMULATED)
		simulated_disk_deinit(&b->disk);
	nftw(b->dir, bench_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(b->wake_fd);
	free(b);
}

/* What came back to worker w, waiting for it. */
static inline struct inbox_node *bench_take(struct bench *b, unsigned w)
{
	struct inbox *in = b->kind == FAULT ? &b->outer[w] : &b->inbox[w];
	for (;;) {
		struct inbox_node *node = inbox_take(in);
		if (node)
			return node;
		struct pollfd p = { .fd = b->wake_fd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, 60000), 1);
		uint64_t n;
		assert_int_equal(read(b->wake_fd, &n, sizeof(n)), sizeof(n));
	}
}

static inline void batch_init(struct store_batch *batch)
{
	*batch = (struct store_batch){ 0 };
	buf_init(&batch->ops, 1 << 24);
}

/* Adds one transaction of n ops. */
static inline void batch_add(struct store_batch *batch, const struct store_op *ops, size_t n)
{
	size_t mark = txn_begin(&batch->ops);
	for (size_t i = 0; i < n; i++)
		txn_add(&batch->ops, &ops[i]);
	txn_end(&batch->ops, mark);
	assert_false(batch->ops.failed);
}

/* Submits it and waits till it is back. */
static inline int bench_commit(struct bench *b, unsigned w, struct store_batch *batch)
{
	store_submit(b->store, w, batch);
	if (b->kind == FAULT)
		assert_true(fault_commit(b->store, w));
	assert_ptr_equal(bench_take(b, w), &batch->node);
	assert_int_equal(batch->node.kind, INBOX_STORE_BATCH);
	return batch->status;
}

/* Commits one transaction of n ops. */
static inline void bench_do(struct bench *b, const struct store_op *ops, size_t n)
{
	struct store_batch batch;
	batch_init(&batch);
	batch_add(&batch, ops, n);
	assert_int_equal(bench_commit(b, 0, &batch), OK);
	buf_deinit(&batch.ops);
}

/* Submits n batches of one worker at once and waits till all are back, in order and well. */
static inline void bench_commit_all(struct bench *b, unsigned w, struct store_batch *batches,
				    unsigned n)
{
	unsigned back = 0;
	for (unsigned i = 0; i < n; i++)
		store_submit(b->store, w, &batches[i]);
	while (back < n) {
		if (b->kind == FAULT)
			assert_true(fault_commit(b->store, w));
		for (struct inbox_node *node = bench_take(b, w); node; node = node->next) {
			assert_ptr_equal(node, &batches[back].node);
			assert_int_equal(batches[back++].status, OK);
		}
	}
}

/* The caller frees rows. */
static inline void bench_read(struct bench *b, struct store_read *r)
{
	buf_init(&r->rows, 1 << 24);
	store_read(b->store, 0, r);
	if (b->kind == FAULT)
		assert_true(fault_answer(b->store, 0, 0, OK));
	assert_ptr_equal(bench_take(b, 0), &r->node);
	assert_int_equal(r->node.kind, INBOX_STORE_READ);
}

static inline int64_t now_ms(void) { return wall_now().ms; }

static inline struct store_op user(const char *name, uint64_t born)
{
	return (struct store_op){ .type = OP_USER_PUT, .user_put = {
		.name = str_of(name), .born = born, .type = 1, .token = STR("hash") } };
}

static inline struct store_op name_del(const char *name)
{
	return (struct store_op){ .type = OP_NAME_DEL, .name_del = { str_of(name) } };
}

static inline struct hash128 once_of(uint64_t seq)
{
	return (struct hash128){ seq, 99 };
}

/* The list of its receivers (NULL ends it) stays valid for the next seven calls. */
static inline struct store_op mail_to_all(const char *const *to, uint64_t seq, const char *id, uint8_t flags)
{
	static char encoded[8][64];
	static unsigned turn;
	struct buf receivers = { .p = encoded[turn++ % 8], .cap = 64, .max = 64 };
	uint32_t n = 0;
	for (; to[n]; n++)
		strs_add(&receivers, str_of(to[n]));
	assert_false(receivers.failed);
	return (struct store_op){ .type = OP_MAIL, .mail = {
		.seq = seq, .flags = flags, .ms = 1000, .sender_born = 7,
		.once = flags & (MAIL_RECEIPT | MAIL_INFO) ? (struct hash128){ 0 } : once_of(seq),
		.sender = STR("alice"), .target = str_of(to[0]), .id = str_of(id), .receiver_count = n,
		.receivers = buf_view(&receivers), .text = STR("text") } };
}

static inline struct store_op mail(const char *to, uint64_t seq, const char *id, uint8_t flags)
{
	const char *all[] = { to, NULL };
	return mail_to_all(all, seq, id, flags);
}

static inline struct store_op release(const char *who, uint64_t seq, const char *id, uint8_t kinds, int64_t ms)
{
	return (struct store_op){ .type = OP_RELEASE, .release = {
		.user = str_of(who), .seq = seq, .kinds = kinds, .ms = ms, .sender_born = 7,
		.once = once_of(seq), .sender = STR("alice"), .id = str_of(id) } };
}

static inline struct store_op ack(const char *who, const char *id, uint8_t kinds, int64_t ms)
{
	return (struct store_op){ .type = OP_ACK, .ack = {
		.user = str_of(who), .kinds = kinds, .ms = ms, .sender_born = 7,
		.sender = STR("alice"), .id = str_of(id) } };
}

static inline struct store_op last_seen(const char *who, int64_t ms)
{
	return (struct store_op){ .type = OP_LAST_SEEN, .last_seen = { str_of(who), ms } };
}

static inline struct store_op name_put(const char *name, uint8_t kind, uint64_t born,
				       const char *title, const char *owner)
{
	return (struct store_op){ .type = OP_NAME_PUT, .name_put = {
		.name = str_of(name), .kind = kind, .born = born, .created_ms = 1234,
		.title = str_of(title), .owner = str_of(owner) } };
}

static inline struct store_op group(const char *name, uint64_t born)
{
	return name_put(name, STORE_GROUP, born, "a group", "");
}

static inline struct store_op link_put(uint8_t kind, const char *from, const char *to, uint64_t order)
{
	return (struct store_op){ .type = OP_LINK_PUT, .link_put = {
		.kind = kind, .from = str_of(from), .to = str_of(to), .born = order + 1000,
		.order = order, .text = STR("") } };
}

static inline struct store_op link_del(uint8_t kind, const char *from, const char *to)
{
	return (struct store_op){ .type = OP_LINK_DEL, .link_del = {
		.kind = kind, .from = str_of(from), .to = str_of(to) } };
}

static inline struct store_op text_put(const char *name, uint8_t what, const char *text)
{
	return (struct store_op){ .type = OP_TEXT_PUT, .text_put = {
		.name = str_of(name), .what = what, .text = str_of(text) } };
}

/* To group g, of slice_count slices "r0", "r1", … The list of them stays valid for the next seven
 * calls. */
static inline struct store_op fanout(uint64_t seq, uint32_t slice_count)
{
	static char encoded[8][256];
	static unsigned turn;
	struct buf slices = { .p = encoded[turn++ % 8], .cap = 256, .max = 256 };
	for (uint32_t i = 0; i < slice_count; i++) {
		char name[] = { 'r', (char)('0' + i) }, bytes[16];
		struct buf slice = { .p = bytes, .cap = sizeof(bytes), .max = sizeof(bytes) };
		strs_add(&slice, (struct str){ name, sizeof(name) });
		strs_add(&slices, buf_view(&slice));
	}
	assert_false(slices.failed);
	return (struct store_op){ .type = OP_FANOUT, .fanout = {
		.seq = seq, .flags = MAIL_NO_PC, .kind = STORE_GROUP, .ms = now_ms(), .sender_born = 7,
		.once = once_of(seq), .sender = STR("alice"), .target = STR("g"), .id = STR("m"),
		.r_at = 3, .r_n = 2, .slice_count = slice_count, .slices = buf_view(&slices),
		.text = STR("text") } };
}

static inline struct store_op fanout_done(uint64_t seq, uint32_t slice)
{
	return (struct store_op){ .type = OP_FANOUT_DONE, .fanout_done = { seq, slice } };
}

static inline struct store_op fanout_end(uint64_t seq)
{
	return (struct store_op){ .type = OP_FANOUT_END, .fanout_end = { seq } };
}


/* Rows of the mailbox behind `after`, whose order it checks. */
static inline unsigned mailbox_rows(struct bench *b, const char *who, uint64_t after, unsigned max, bool more)
{
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = str_of(who), .after = after,
				.bytes_max = 1 << 20, .rows_max = max };
	struct store_op op;
	size_t cursor = 0;
	unsigned n = 0;
	uint64_t last = after;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	while (store_op_next(buf_view(&r.rows), &cursor, &op) == 1) {
		assert_int_equal(op.type, OP_MAIL);
		assert_true(op.mail.seq > last);
		last = op.mail.seq;
		n++;
	}
	assert_int_equal(cursor, r.rows.n);
	assert_int_equal(r.more, more);
	buf_deinit(&r.rows);
	return n;
}

/* As the caller of an engine asks: without waiting, then by a read. */
static inline bool is_seen(struct bench *b, struct hash128 once)
{
	int known = store_seen(b->store, 0, once);
	struct store_read r = { .kind = STORE_READ_SEEN, .once = once };
	bench_read(b, &r);
	buf_deinit(&r.rows);
	assert_int_equal(r.status, OK);
	assert_true(known < 0 || known == r.found);
	return r.found;
}

/* For tests whose batches are larger than a segment of the simulated one. */
#define LARGE_ENGINES(test)                                                                          \
	{ #test ", memory", test, NULL, NULL, (void *)MEMORY },                                       \
	{ #test ", fault", test, NULL, NULL, (void *)FAULT },                                         \
	{ #test ", embedded", test, NULL, NULL, (void *)EMBEDDED }
#define ALL_ENGINES(test)                                                                            \
	LARGE_ENGINES(test), { #test ", simulated", test, NULL, NULL, (void *)SIMULATED }
#define EMBEDDED_ONLY(test) { #test, test, NULL, NULL, (void *)EMBEDDED }
