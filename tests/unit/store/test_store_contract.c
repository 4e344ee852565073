/* What store.h promises, case by case, over every engine. */
#include "store/fault.h"
#include "store/txn.h"
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define WORKERS 2
enum engine_kind { MEMORY, FAULT, EMBEDDED };

struct bench {
	enum engine_kind kind;
	char dir[64];
	int wake_fd;
	struct inbox inbox[WORKERS], outer[WORKERS];
	struct metrics metrics;
	struct store_config config;
	struct store *store;
	int64_t retention_ms;
};

static void bench_wake(void *ctx)
{
	uint64_t one = 1;
	assert_int_equal(write(((struct bench *)ctx)->wake_fd, &one, sizeof(one)), sizeof(one));
}

static int bench_open(struct bench *b, char *why, size_t why_size)
{
	struct inbox *inner[WORKERS], *outer[WORKERS];
	for (unsigned w = 0; w < WORKERS; w++) {
		inbox_init(&b->inbox[w], bench_wake, b);
		inbox_init(&b->outer[w], bench_wake, b);
		inner[w] = &b->inbox[w];
		outer[w] = &b->outer[w];
	}
	b->config = (struct store_config){ .path = b->dir, .workers = WORKERS, .inbox = inner,
					   .retention_ms = b->retention_ms, .sync = true,
					   .metrics = &b->metrics };
	int err = (b->kind == EMBEDDED ? &store_embedded : &store_memory)
			  ->open(&b->config, &b->store, why, why_size);
	if (!err && b->kind == FAULT)
		b->store = fault_wrap(b->store, outer, WORKERS);
	return err;
}

static struct bench *bench_create(void **state)
{
	char why[256];
	struct bench *b = calloc(1, sizeof(*b));
	b->kind = (enum engine_kind)(uintptr_t)*state;
	b->retention_ms = 86400000;
	b->wake_fd = eventfd(0, 0);
	snprintf(b->dir, sizeof(b->dir), "/tmp/lemp-store-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(bench_open(b, why, sizeof(why)), OK);
	return b;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void bench_close(struct bench *b)
{
	b->store->engine->close(b->store);
	b->store = NULL;
}

static void bench_destroy(struct bench *b)
{
	if (b->store)
		bench_close(b);
	nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(b->wake_fd);
	free(b);
}

/* Waits till a node comes back to worker w. */
static struct inbox_node *bench_take(struct bench *b, unsigned w)
{
	struct inbox *in = b->kind == FAULT ? &b->outer[w] : &b->inbox[w];
	for (;;) {
		struct inbox_node *node = inbox_take(in);
		if (node)
			return node;
		struct pollfd p = { .fd = b->wake_fd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, 20000), 1);
		uint64_t n;
		assert_int_equal(read(b->wake_fd, &n, sizeof(n)), sizeof(n));
	}
}

static int bench_commit(struct bench *b, unsigned w, struct store_batch *batch)
{
	store_submit(b->store, w, batch);
	if (b->kind == FAULT)
		assert_true(fault_commit(b->store, w));
	assert_ptr_equal(bench_take(b, w), &batch->node);
	assert_int_equal(batch->node.kind, INBOX_STORE_BATCH);
	return batch->status;
}

static void bench_read(struct bench *b, struct store_read *r)
{
	buf_init(&r->rows, 1 << 24);
	store_read(b->store, 0, r);
	if (b->kind == FAULT)
		assert_true(fault_answer(b->store, 0, 0, OK));
	assert_ptr_equal(bench_take(b, 0), &r->node);
	assert_int_equal(r->node.kind, INBOX_STORE_READ);
	assert_int_equal(r->status, OK);
}

/* Commits one transaction of n ops. */
static void bench_do(struct bench *b, const struct store_op *ops, size_t n)
{
	struct store_batch batch = { .failures_seen = 0 };
	buf_init(&batch.ops, 1 << 24);
	size_t mark = txn_begin(&batch.ops);
	for (size_t i = 0; i < n; i++)
		txn_add(&batch.ops, &ops[i]);
	txn_end(&batch.ops, mark);
	assert_int_equal(bench_commit(b, 0, &batch), OK);
	buf_deinit(&batch.ops);
}

static struct store_op user(const char *name, uint64_t born)
{
	return (struct store_op){ .type = OP_USER_PUT, .user_put = {
		.name = str_of(name), .born = born, .type = 1, .token = STR("hash") } };
}

/* Its receivers stay valid for the next three calls. */
static struct store_op mail(const char *to, uint64_t seq, const char *id, uint8_t flags)
{
	static char encoded[4][64];
	static unsigned turn;
	struct buf receivers = { .p = encoded[turn++ % 4], .cap = 64, .max = 64 };
	store_receiver_add(&receivers, str_of(to));
	return (struct store_op){ .type = OP_MAIL, .mail = {
		.seq = seq, .flags = flags, .ms = 1000, .sender_born = 7, .once = { seq, 99 },
		.sender = STR("alice"), .target = str_of(to), .id = str_of(id), .receiver_count = 1,
		.receivers = buf_view(&receivers), .text = STR("text") } };
}

static struct store_op release(const char *who, uint64_t seq, const char *id, uint8_t kinds, int64_t ms)
{
	return (struct store_op){ .type = OP_RELEASE, .release = {
		.user = str_of(who), .seq = seq, .kinds = kinds, .ms = ms, .sender_born = 7,
		.once = { seq, 99 }, .sender = STR("alice"), .id = str_of(id) } };
}

static int64_t now_ms(void) { return wall_now().ms; }

static unsigned mailbox_rows(struct bench *b, const char *who, uint64_t after, unsigned max, bool more)
{
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = str_of(who), .after = after,
				.bytes_max = 1 << 20, .rows_max = max };
	struct store_op op;
	size_t cursor = 0;
	unsigned n = 0;
	uint64_t last = after;
	bench_read(b, &r);
	while (store_op_next(buf_view(&r.rows), &cursor, &op) == 1) {
		assert_int_equal(op.type, OP_MAIL);
		assert_true(op.mail.seq > last);
		last = op.mail.seq;
		n++;
	}
	assert_int_equal(r.more, more);
	buf_deinit(&r.rows);
	return n;
}

static bool is_seen(struct bench *b, struct hash128 once)
{
	int known = store_seen(b->store, 0, once);
	if (known >= 0)
		return known;
	struct store_read r = { .kind = STORE_READ_SEEN, .once = once };
	bench_read(b, &r);
	buf_deinit(&r.rows);
	return r.found;
}

static void a_user_is_what_was_put_last_and_gone_when_deleted(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op put = user("bob", 5);
	struct store_op seen = { .type = OP_LAST_SEEN, .last_seen = { STR("bob"), 1234 } };
	struct store_op letter = mail("bob", 9, "m1", 0), receipt = mail("bob", 10, "d1", MAIL_RECEIPT);
	bench_do(b, &put, 1);
	bench_do(b, &seen, 1);
	bench_do(b, &letter, 1);
	bench_do(b, &receipt, 1);
	struct store_read r = { .kind = STORE_READ_NAME, .name = STR("bob") };
	struct store_name_row row;
	size_t cursor = 0;
	bench_read(b, &r);
	assert_true(r.found);
	assert_int_equal(store_name_row_next(buf_view(&r.rows), &cursor, &row), 1);
	assert_int_equal(row.kind, STORE_USER);
	assert_int_equal(row.type, 1);
	assert_int_equal(row.born, 5);
	assert_int_equal(row.last_seen_ms, 1234);
	assert_int_equal(row.mail_count, 1);
	assert_int_equal(row.mail_bytes, 4);
	assert_true(str_eq(row.token, STR("hash")));
	buf_deinit(&r.rows);

	struct store_op del = { .type = OP_USER_DEL, .user_del = { STR("bob") } };
	bench_do(b, &del, 1);
	bench_read(b, &r);
	assert_false(r.found);
	buf_deinit(&r.rows);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 0);
	bench_destroy(b);
}

static void a_mailbox_is_read_in_order_within_bounds_and_by_its_owner_only(void **state)
{
	struct bench *b = bench_create(state);
	for (uint64_t seq = 300; seq > 0; seq -= 3) { /* not in order, across a byte of the key */
		struct store_op op = mail(seq % 2 ? "bob" : "bobby", seq, "m", 0);
		bench_do(b, &op, 1);
	}
	assert_int_equal(mailbox_rows(b, "bob", 0, 1000, false), 50);
	assert_int_equal(mailbox_rows(b, "bobby", 0, 1000, false), 50);
	assert_int_equal(mailbox_rows(b, "bo", 0, 1000, false), 0);
	assert_int_equal(mailbox_rows(b, "bob", 0, 7, true), 7);
	assert_int_equal(mailbox_rows(b, "bob", 255, 1000, false), 7);
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = STR("bob"), .bytes_max = 1,
				.rows_max = 1000 };
	struct store_op op;
	size_t cursor = 0;
	bench_read(b, &r);
	assert_true(r.more);
	assert_int_equal(store_op_next(buf_view(&r.rows), &cursor, &op), 1); /* one at least */
	assert_int_equal(store_op_next(buf_view(&r.rows), &cursor, &op), 0);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static void what_is_released_leaves_the_mailbox_and_can_still_be_found(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op m1 = mail("bob", 1, "m1", MAIL_NO_PC), m2 = mail("bob", 2, "m1", 0);
	struct store_op r1 = release("bob", 1, "m1", ACK_DM, now_ms());
	struct store_op ack = { .type = OP_ACK, .ack = { STR("bob"), MAIL_NO_PC, ACK_NM, now_ms(), 7,
							 STR("alice"), STR("m1") } };
	r1.release.flags = MAIL_NO_PC;
	bench_do(b, &m1, 1);
	bench_do(b, &m2, 1);
	bench_do(b, &r1, 1);
	bench_do(b, &ack, 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	struct store_read r = { .kind = STORE_READ_FIND, .name = STR("bob"), .id = STR("m1") };
	struct store_find_row row;
	size_t cursor = 0;
	bench_read(b, &r);
	assert_int_equal(store_find_row_next(buf_view(&r.rows), &cursor, &row), 1);
	assert_int_equal(row.seq, 0);
	assert_int_equal(row.kinds, ACK_DM | ACK_NM);
	assert_int_equal(row.flags, MAIL_NO_PC);
	assert_int_equal(row.sender_born, 7);
	assert_true(str_eq(row.sender, STR("alice")));
	assert_int_equal(store_find_row_next(buf_view(&r.rows), &cursor, &row), 1);
	assert_int_equal(row.seq, 2);
	assert_int_equal(row.bytes, 4);
	assert_int_equal(store_find_row_next(buf_view(&r.rows), &cursor, &row), 0);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static void a_message_is_seen_while_it_is_there_and_for_the_retention_after_its_release(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op m1 = mail("bob", 1, "m1", 0), m2 = mail("bob", 2, "m2", 0);
	assert_false(is_seen(b, (struct hash128){ 1, 99 }));
	bench_do(b, &m1, 1);
	bench_do(b, &m2, 1);
	assert_true(is_seen(b, (struct hash128){ 1, 99 }));
	struct store_op r1 = release("bob", 1, "m1", ACK_DM, now_ms());
	bench_do(b, &r1, 1);
	assert_true(is_seen(b, (struct hash128){ 1, 99 }));
	struct store_op r2 = release("bob", 2, "m2", ACK_DM, now_ms() - b->retention_ms - 1);
	bench_do(b, &r2, 1);
	struct store_op later = { .type = OP_LAST_SEEN, .last_seen = { STR("x"), now_ms() } };
	bench_do(b, &later, 1); /* the memory engine's clock */
	assert_false(is_seen(b, (struct hash128){ 2, 99 }));
	bench_destroy(b);
}

static void names_are_listed_sorted_by_prefix_and_in_pages(void **state)
{
	struct bench *b = bench_create(state);
	const char *names[] = { "bob", "alice", "bobby", "carol", "bo" };
	for (unsigned i = 0; i < 5; i++) {
		struct store_op op = user(names[i], i + 1);
		bench_do(b, &op, 1);
	}
	struct { const char *prefix, *after; unsigned max; const char *want; bool more; } cases[] = {
		{ "", "", 10, "alice bo bob bobby carol ", false },
		{ "bo", "", 10, "bo bob bobby ", false },
		{ "bo", "bo", 1, "bob ", true },
		{ "bo", "bob", 10, "bobby ", false },
		{ "z", "", 10, "", false },
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_read r = { .kind = STORE_READ_NAMES, .name = str_of(cases[i].prefix),
					.id = str_of(cases[i].after), .rows_max = cases[i].max };
		struct store_name_row row;
		char got[128] = "";
		size_t cursor = 0, n = 0;
		bench_read(b, &r);
		while (store_name_row_next(buf_view(&r.rows), &cursor, &row) == 1)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s ", STR_ARG(row.name));
		assert_string_equal(got, cases[i].want);
		assert_int_equal(r.more, cases[i].more);
		buf_deinit(&r.rows);
	}
	bench_destroy(b);
}

static void after_a_failure_the_workers_older_batches_fail_and_others_do_not(void **state)
{
	struct bench *b = bench_create(state);
	struct store_batch batches[3] = { { .failures_seen = 1 }, { .failures_seen = 1 }, { .failures_seen = 1 } };
	for (unsigned i = 0; i < 3; i++)
		buf_init(&batches[i].ops, 1024);
	/* A worker that claims to have seen a failure there was not is refused like one that has
	 * not seen one there was. */
	assert_int_equal(bench_commit(b, 0, &batches[0]), ERR_UNAVAILABLE);
	assert_int_equal(bench_commit(b, 0, &batches[1]), OK);
	batches[2].failures_seen = 0;
	assert_int_equal(bench_commit(b, 1, &batches[2]), OK);
	bench_destroy(b);
}

static void batches_of_one_worker_come_back_in_order(void **state)
{
	struct bench *b = bench_create(state);
	enum { N = 50 };
	struct store_batch batches[N];
	memset(batches, 0, sizeof(batches));
	for (unsigned i = 0; i < N; i++) {
		buf_init(&batches[i].ops, 1024);
		struct store_op op = mail("bob", i + 1, "m", 0);
		size_t mark = txn_begin(&batches[i].ops);
		txn_add(&batches[i].ops, &op);
		txn_end(&batches[i].ops, mark);
		store_submit(b->store, 0, &batches[i]);
	}
	unsigned next = 0;
	while (next < N) {
		if (b->kind == FAULT)
			fault_commit(b->store, 0);
		for (struct inbox_node *node = bench_take(b, 0); node; node = node->next) {
			assert_ptr_equal(node, &batches[next].node);
			next++;
		}
	}
	for (unsigned i = 0; i < N; i++)
		buf_deinit(&batches[i].ops);
	assert_int_equal(mailbox_rows(b, "bob", 0, 1000, false), N);
	bench_destroy(b);
}

/* --- embedded only --- */

static void reopening_keeps_everything_and_raises_the_epoch(void **state)
{
	char why[256];
	struct bench *b = bench_create(state);
	struct store_op put = user("bob", 5), letter = mail("bob", 9, "m1", 0);
	bench_do(b, &put, 1);
	bench_do(b, &letter, 1);
	uint32_t epoch = b->store->epoch;
	struct hash_key key = b->store->once_key;
	bench_close(b);
	assert_int_equal(bench_open(b, why, sizeof(why)), OK);
	assert_int_equal(b->store->epoch, epoch + 1);
	assert_memory_equal(&b->store->once_key, &key, sizeof(key));
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_true(is_seen(b, (struct hash128){ 9, 99 }));
	bench_destroy(b);
}

static void a_second_opening_is_refused_and_names_the_process(void **state)
{
	char why[256] = "", pid[32];
	struct bench *b = bench_create(state);
	struct store *other;
	assert_int_equal(store_embedded.open(&b->config, &other, why, sizeof(why)), ERR_LOCKED);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(why, pid));
	bench_destroy(b);
}

static void format_says(struct bench *b, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/format", b->dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_newer_or_damaged_format_is_refused(void **state)
{
	char why[256] = "";
	struct bench *b = bench_create(state);
	bench_close(b);
	format_says(b, "lempd data 2\n");
	assert_int_equal(bench_open(b, why, sizeof(why)), ERR_VERSION);
	assert_non_null(strstr(why, "lempd data 2"));
	format_says(b, "");
	assert_int_equal(bench_open(b, why, sizeof(why)), ERR_CORRUPT);
	format_says(b, "lempd data 1\n");
	assert_int_equal(bench_open(b, why, sizeof(why)), OK);
	bench_destroy(b);
}

static void files_are_for_their_owner_only(void **state)
{
	struct bench *b = bench_create(state);
	char path[128];
	struct stat st;
	const char *names[] = { "lock", "format", "db/CURRENT" };
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
	bench_destroy(b);
}

/* A child commits pairs of mails, one transaction each, and tells each that came back; it is
 * killed; what it told must be there, and no half of a pair. */
static void what_was_committed_survives_kill_9_and_transactions_are_whole(void **state)
{
	char why[256];
	struct bench *b = bench_create(state);
	bench_close(b);
	uint64_t told = 0;
	for (unsigned round = 0; round < 5; round++) {
		int pipes[2];
		assert_int_equal(pipe(pipes), 0);
		pid_t pid = fork();
		if (pid == 0) {
			if (bench_open(b, why, sizeof(why)) != OK)
				_exit(1);
			for (uint64_t n = told + 1;; n++) {
				struct store_op ops[2] = { mail("bob", n, "a", 0), mail("carol", n, "b", 0) };
				bench_do(b, ops, 2);
				if (write(pipes[1], &n, sizeof(n)) != sizeof(n))
					_exit(1);
			}
		}
		close(pipes[1]);
		for (unsigned i = 0; i < 20 + round * 7; i++)
			assert_int_equal(read(pipes[0], &told, sizeof(told)), sizeof(told));
		kill(pid, SIGKILL);
		while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
			;
		close(pipes[0]);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(bench_open(b, why, sizeof(why)), OK);
		unsigned bobs = mailbox_rows(b, "bob", 0, 100000, false);
		assert_true(bobs >= told);
		assert_int_equal(mailbox_rows(b, "carol", 0, 100000, false), bobs);
		bench_close(b);
		told = bobs;
	}
	bench_destroy(b);
}

#define ALL(test)                                                                                    \
	{ #test ", memory", test, NULL, NULL, (void *)MEMORY },                                       \
	{ #test ", fault", test, NULL, NULL, (void *)FAULT },                                         \
	{ #test ", embedded", test, NULL, NULL, (void *)EMBEDDED }
#define EMBEDDED_ONLY(test) { #test, test, NULL, NULL, (void *)EMBEDDED }

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(a_user_is_what_was_put_last_and_gone_when_deleted),
		ALL(a_mailbox_is_read_in_order_within_bounds_and_by_its_owner_only),
		ALL(what_is_released_leaves_the_mailbox_and_can_still_be_found),
		ALL(a_message_is_seen_while_it_is_there_and_for_the_retention_after_its_release),
		ALL(names_are_listed_sorted_by_prefix_and_in_pages),
		ALL(after_a_failure_the_workers_older_batches_fail_and_others_do_not),
		ALL(batches_of_one_worker_come_back_in_order),
		EMBEDDED_ONLY(reopening_keeps_everything_and_raises_the_epoch),
		EMBEDDED_ONLY(a_second_opening_is_refused_and_names_the_process),
		EMBEDDED_ONLY(a_newer_or_damaged_format_is_refused),
		EMBEDDED_ONLY(files_are_for_their_owner_only),
		EMBEDDED_ONLY(what_was_committed_survives_kill_9_and_transactions_are_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
