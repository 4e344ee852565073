/* The embedded engine killed at random moments: a child commits and tells what came back, the parent
 * kills it, opens the directory and looks. The child is this program anew: threads do not survive a
 * fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_files.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define IN_FLIGHT 4    /* batches a worker has under way */
#define TXNS 3         /* a batch */
#define KEPT 16        /* steps of which something stays: step n takes out what step n - KEPT put in */
#define TEXT_BYTES 200

static const char *const pairs[WORKERS][3] = { { "bob", "bobby", NULL }, { "carol", "caroline", NULL } };

static const char *const groups[WORKERS] = { "chess", "checkers" };

/* What the child writes when a batch is back: the last transaction in it. */
struct told { uint32_t worker; uint64_t n; };

static uint64_t seq_of(unsigned w, uint64_t n) { return n * WORKERS + w; }

static const char *id_of(unsigned w, uint64_t n)
{
	static char text[16][32];
	static unsigned turn;
	char *id = text[turn++ % 16];
	snprintf(id, sizeof(text[0]), "%u-%llu", w, (unsigned long long)n);
	return id;
}

static uint64_t mailbox_last(struct bench *b, const char *who)
{
	struct store_read r = { .kind = STORE_READ_MAILBOX, .name = str_of(who), .bytes_max = SIZE_MAX,
				.rows_max = 1000 };
	struct store_op op;
	size_t cursor = 0;
	uint64_t last = 0;
	bench_read(b, &r);
	while (store_op_next(buf_view(&r.rows), &cursor, &op) == 1)
		last = op.mail.seq;
	buf_deinit(&r.rows);
	return last;
}

/* --- child --- */

/* Step n is one transaction, all or nothing: a mail to two at once, a new member of the group and a
 * fan-out that goes on; and what came KEPT steps ago ends. */
static size_t step_begin(struct store_op *ops, unsigned w, uint64_t n)
{
	static char text[TEXT_BYTES];
	size_t i = 0;
	ops[i] = mail_to_all(pairs[w], seq_of(w, n), id_of(w, n), 0);
	ops[i++].mail.text = (struct str){ text, sizeof(text) };
	ops[i++] = group(groups[w], 1);
	ops[i++] = user(id_of(w, n), n);
	ops[i++] = link_put(LINK_MEMBER, id_of(w, n), groups[w], n);
	ops[i] = fanout(seq_of(w, n), 2);
	ops[i++].fanout.once = (struct hash128){ 0 };
	if (n > 1)
		ops[i++] = fanout_done(seq_of(w, n - 1), 1);
	return i;
}

/* One worker's members leave, the other's are deleted, which takes another way to the disk. */
static size_t step_end(struct store_op *ops, unsigned w, uint64_t old)
{
	size_t i = 0;
	for (; i < 2; i++)
		ops[i] = release(pairs[w][i], seq_of(w, old), id_of(w, old), ACK_DM, now_ms());
	ops[i++] = w ? name_del(id_of(w, old)) : link_del(LINK_MEMBER, id_of(w, old), groups[w]);
	ops[i++] = fanout_end(seq_of(w, old));
	return i;
}

static void txn_add_step(struct store_batch *batch, unsigned w, uint64_t n)
{
	struct store_op ops[10];
	size_t count = step_begin(ops, w, n);
	if (n > KEPT)
		count += step_end(ops + count, w, n - KEPT);
	batch_add(batch, ops, count);
}

struct child_batch { struct store_batch batch; uint64_t last; bool failed; };

static void child_submit(struct bench *b, unsigned w, struct child_batch *c, uint64_t *next)
{
	buf_clear(&c->batch.ops);
	for (unsigned i = 0; i < TXNS; i++)
		txn_add_step(&c->batch, w, ++*next);
	c->last = *next;
	store_submit(b->store, w, &c->batch);
}

enum mode { MODE_OPEN, MODE_COMMIT, MODE_FULL };

static bool refused; /* a batch was, since the disk has no room */

static void child_tell(unsigned w, const struct child_batch *c)
{
	struct told told = { w, c->last };
	if (write(STDOUT_FILENO, &told, sizeof(told)) != sizeof(told))
		_exit(1);
}

static void child_open(struct bench *b)
{
	if (bench_open(b) == OK)
		return;
	fprintf(stderr, "%s\n", b->why);
	_exit(1);
}

/* A disk without room, as write sees it; and with room again. */
static void child_limit_disk(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What was refused is said again, in the order it was said: of all that a worker has under way, once all
 * of it is back. */
static void child_again(struct bench *b, unsigned w, struct child_batch batches[IN_FLIGHT])
{
	static unsigned back[WORKERS];
	static uint32_t failures[WORKERS];
	if (++back[w] < IN_FLIGHT)
		return;
	if (!refused)
		fprintf(stderr, "refused\n");
	refused = true;
	child_limit_disk(RLIM_INFINITY);
	back[w] = 0;
	failures[w] += IN_FLIGHT;
	for (unsigned n = 0; n < IN_FLIGHT; n++) {
		struct child_batch *first = NULL;
		for (unsigned i = 0; i < IN_FLIGHT; i++)
			if (batches[i].failed && (!first || batches[i].last < first->last))
				first = &batches[i];
		first->failed = false;
		first->batch.failures_seen = failures[w];
		store_submit(b->store, w, &first->batch);
	}
}

static void child_back(struct bench *b, unsigned w, struct child_batch batches[IN_FLIGHT], uint64_t *next)
{
	for (struct inbox_node *node = inbox_take(&b->inbox[w]), *after; node; node = after) {
		struct child_batch *c = (struct child_batch *)(void *)node;
		after = node->next;
		if (c->batch.status != OK) {
			c->failed = true;
			child_again(b, w, batches);
			continue;
		}
		child_tell(w, c);
		child_submit(b, w, c, next);
	}
}

/* Goes on where the run before ended, till it is killed or ended by the engine. */
_Noreturn static void child_commit(struct bench *b)
{
	static struct child_batch batches[WORKERS][IN_FLIGHT];
	uint64_t next[WORKERS], wakes;
	for (unsigned w = 0; w < WORKERS; w++)
		next[w] = mailbox_last(b, pairs[w][0]) / WORKERS;
	for (unsigned w = 0; w < WORKERS; w++) {
		for (unsigned i = 0; i < IN_FLIGHT; i++) {
			batch_init(&batches[w][i].batch);
			child_submit(b, w, &batches[w][i], &next[w]);
		}
	}
	for (;;) {
		if (read(b->wake_fd, &wakes, sizeof(wakes)) != sizeof(wakes))
			_exit(1);
		for (unsigned w = 0; w < WORKERS; w++)
			child_back(b, w, batches[w], &next[w]);
	}
}

_Noreturn static void child_run(enum mode mode, const char *dir)
{
	struct bench b = { .kind = EMBEDDED, .retention_ms = DAY_MS, .wake_fd = eventfd(0, EFD_CLOEXEC),
			   .segment_bytes = 1 << 18 }; /* so that mail is moved on, too */
	snprintf(b.dir, sizeof(b.dir), "%s", dir);
	child_open(&b);
	while (mode == MODE_OPEN) {
		bench_close(&b);
		child_open(&b);
	}
	if (mode == MODE_FULL)
		child_limit_disk(100000);
	child_commit(&b);
}

/* --- parent --- */

struct child { pid_t pid; int out, err; };

static struct child child_start(enum mode mode, const char *dir)
{
	int out[2], err[2];
	const char text[2] = { (char)('0' + mode), 0 };
	assert_int_equal(pipe(out) | pipe(err), 0);
	struct child c = { fork(), out[0], err[0] };
	if (c.pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		close(out[0]);
		close(err[0]);
		execl("/proc/self/exe", "child", text, dir, NULL);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	return c;
}

/* The next it told, or false at its end. */
static bool child_hear(struct child *c, uint64_t last[WORKERS])
{
	struct told told;
	if (read(c->out, &told, sizeof(told)) != sizeof(told))
		return false;
	assert_true(told.worker < WORKERS && told.n > last[told.worker]); /* in order */
	last[told.worker] = told.n;
	return true;
}

static int child_end(struct child *c, uint64_t last[WORKERS], char *said, size_t said_size)
{
	int status;
	while (child_hear(c, last))
		;
	ssize_t n = read(c->err, said, said_size - 1);
	said[n > 0 ? n : 0] = 0;
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->out);
	close(c->err);
	return status;
}

static unsigned found_rows(struct bench *b, const char *who, const char *id, bool released)
{
	struct store_read r = { .kind = STORE_READ_FIND, .name = str_of(who), .id = str_of(id) };
	struct store_find_row row;
	size_t cursor = 0;
	unsigned n = 0;
	bench_read(b, &r);
	while (store_find_row_next(buf_view(&r.rows), &cursor, &row) == 1) {
		assert_int_equal(row.seq == 0, released);
		n++;
	}
	buf_deinit(&r.rows);
	return n;
}

/* The members are those of the last steps. */
static void members_are_whole(struct bench *b, unsigned w, uint64_t last, unsigned kept)
{
	struct store_read r = { .kind = STORE_READ_NAME, .name = str_of(groups[w]) };
	struct store_name_row name;
	struct store_link_row row;
	size_t cursor = 0;
	unsigned n = 0;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	assert_int_equal(r.found, last > 0);
	if (r.found)
		assert_int_equal(store_name_row_next(buf_view(&r.rows), &cursor, &name), 1);
	while (store_link_row_next(buf_view(&r.rows), &cursor, &row) == 1) {
		assert_true(row.order + kept > last && row.order <= last);
		assert_true(str_eq(row.other, str_of(id_of(w, row.order))));
		n++;
	}
	assert_int_equal(n, kept);
	buf_deinit(&r.rows);
}

/* So are the fan-outs; of all but the last the second slice is done. */
static void fanouts_are_whole(struct bench *b, unsigned w, uint64_t last, unsigned kept)
{
	struct store_read r = { .kind = STORE_READ_FANOUTS, .rows_max = 1000, .bytes_max = SIZE_MAX };
	struct store_op op;
	size_t cursor = 0;
	unsigned n = 0;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	while (store_op_next(buf_view(&r.rows), &cursor, &op) == 1) {
		struct str slice[2];
		size_t at = 0;
		if (op.fanout.seq % WORKERS != w)
			continue;
		assert_int_equal(op.fanout.seq, seq_of(w, last - kept + ++n));
		assert_int_equal(strs_next(op.fanout.slices, &at, &slice[0]), 1);
		assert_int_equal(strs_next(op.fanout.slices, &at, &slice[1]), 1);
		assert_true(slice[0].n > 0);
		assert_int_equal(slice[1].n == 0, n < kept);
	}
	assert_int_equal(n, kept);
	buf_deinit(&r.rows);
}

/* All up to some transaction not before `told`, and nothing of any later one. Returns which. */
static uint64_t prefix_is_whole(struct bench *b, unsigned w, uint64_t told)
{
	uint64_t last = mailbox_last(b, pairs[w][0]) / WORKERS;
	unsigned kept = last < KEPT ? (unsigned)last : KEPT;
	assert_true(last >= told);
	assert_int_equal(last % TXNS, 0); /* batches, too, are whole here: one write holds them */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(mailbox_last(b, pairs[w][i]), last ? seq_of(w, last) : 0);
		assert_int_equal(mailbox_rows(b, pairs[w][i], 0, 1000, false), kept);
		if (last)
			assert_int_equal(found_rows(b, pairs[w][i], id_of(w, last), false), 1);
		if (last > KEPT)
			assert_int_equal(found_rows(b, pairs[w][i], id_of(w, last - KEPT), true), 1);
		assert_int_equal(found_rows(b, pairs[w][i], id_of(w, last + 1), false), 0);
	}
	members_are_whole(b, w, last, kept);
	fanouts_are_whole(b, w, last, kept);
	if (last)
		assert_true(is_seen(b, once_of(seq_of(w, last))) && is_seen(b, once_of(seq_of(w, 1))));
	assert_false(is_seen(b, once_of(seq_of(w, last + 1))));
	return last;
}

static void look(struct bench *b, uint64_t last[WORKERS], uint32_t *epoch)
{
	b->segment_bytes = 1 << 18;
	assert_int_equal(bench_open(b), OK);
	assert_true(b->store->epoch > *epoch);
	*epoch = b->store->epoch;
	for (unsigned w = 0; w < WORKERS; w++)
		last[w] = prefix_is_whole(b, w, last[w]);
}

static unsigned dice(unsigned below)
{
	static uint64_t random = 4711;
	random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random >> 33) % below;
}

static void what_came_back_survives_kill_9_and_transactions_are_whole(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	uint64_t last[WORKERS] = { 0 };
	uint32_t epoch = 0;
	char said[512];
	const char *more = getenv("LEMP_KILLS");
	unsigned kills = more ? (unsigned)strtoul(more, NULL, 10) : 15;
	for (unsigned round = 0; round < kills; round++) {
		struct child c = child_start(MODE_COMMIT, b->dir);
		for (unsigned n = 1 + dice(60); n; n--)
			assert_true(child_hear(&c, last));
		kill(c.pid, SIGKILL);
		assert_int_equal(child_end(&c, last, said, sizeof(said)), SIGKILL);
		if (round % 3 == 1) /* else the next run has the log of this one to read */
			continue;
		look(b, last, &epoch);
		bench_close(b);
	}
	assert_true(last[0] > KEPT && last[1] > KEPT);
	bench_destroy(b);
}

static void an_opening_or_closing_that_was_killed_can_be_repeated(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	uint64_t last[WORKERS] = { 0 };
	uint32_t epoch = 0;
	char said[512];
	for (unsigned round = 0; round < 24; round++) {
		struct child c = child_start(MODE_OPEN, b->dir);
		usleep(dice(100000)); /* how far it comes is left to chance */
		kill(c.pid, SIGKILL);
		assert_int_equal(child_end(&c, last, said, sizeof(said)), SIGKILL);
		if (round % 4 != 3)
			continue;
		struct store_op op = mail("dave", 100 + round, "m", 0);
		look(b, last, &epoch);
		bench_do(b, &op, 1);
		assert_int_equal(mailbox_rows(b, "dave", 0, 100, false), round / 4 + 1);
		bench_close(b);
	}
	bench_destroy(b);
}

static void bringing_up_an_older_directory_that_was_killed_can_be_repeated(void **state)
{
	uint64_t last[WORKERS] = { 0 };
	char said[512];
	for (unsigned round = 0; round < 12; round++) {
		struct bench *b = bench_create(state);
		struct store_op op = user("bob", 1);
		bench_do(b, &op, 1);
		bench_close(b);
		if (round % 2)
			make_old(b, NO_RECEIPTS, "lempd data 2\n");
		else
			make_old(b, NO_RECEIPTS | NEW_IN_2, "lempd data 1\n");
		struct child c = child_start(MODE_OPEN, b->dir);
		usleep(dice(50000)); /* how far it comes is left to chance */
		kill(c.pid, SIGKILL);
		assert_int_equal(child_end(&c, last, said, sizeof(said)), SIGKILL);
		assert_int_equal(bench_open(b), OK);
		assert_int_equal(mailbox_rows(b, "bob", 0, 100, false), 1);
		assert_int_equal(found_rows(b, "bob", "a", false), 1);
		bench_destroy(b);
	}
}

static void a_full_disk_refuses_and_with_room_again_it_goes_on_as_if_nothing_had_been(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	uint64_t last[WORKERS] = { 0 };
	uint32_t epoch = 0;
	char said[2048];
	struct child c = child_start(MODE_FULL, b->dir);
	/* 100 kB would hold some hundred steps. */
	while (last[0] < 2000 || last[1] < 2000)
		assert_true(child_hear(&c, last));
	kill(c.pid, SIGKILL);
	assert_int_equal(child_end(&c, last, said, sizeof(said)), SIGKILL);
	assert_non_null(strstr(said, "refused"));
	assert_non_null(strstr(said, "disk full"));
	look(b, last, &epoch);
	bench_destroy(b);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		child_run((enum mode)(argv[1][0] - '0'), argv[2]);
	const struct CMUnitTest tests[] = {
		EMBEDDED_ONLY(what_came_back_survives_kill_9_and_transactions_are_whole),
		EMBEDDED_ONLY(an_opening_or_closing_that_was_killed_can_be_repeated),
		EMBEDDED_ONLY(bringing_up_an_older_directory_that_was_killed_can_be_repeated),
		EMBEDDED_ONLY(a_full_disk_refuses_and_with_room_again_it_goes_on_as_if_nothing_had_been),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
