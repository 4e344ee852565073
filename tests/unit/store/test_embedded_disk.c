/* The embedded engine's directory: who may open it, what it keeps, what it forgets, and what it does
 * when something in it is missing or damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_files.h"

static void reopening_keeps_everything_and_raises_the_epoch(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = { user("bob", 5), mail("bob", 9, "m1", 0) };
	bench_do(b, ops, COUNT(ops));
	assert_int_equal(b->store->epoch, 1);
	struct hash_key key = b->store->once_key;
	for (uint32_t epoch = 2; epoch < 5; epoch++) {
		bench_close(b);
		assert_int_equal(bench_open(b), OK);
		assert_int_equal(b->store->epoch, epoch);
		assert_memory_equal(&b->store->once_key, &key, sizeof(key));
		assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
		assert_true(is_seen(b, once_of(9)));
	}
	bench_destroy(b);
}

static void a_second_opening_is_refused_and_names_the_process(void **state)
{
	char pid[32];
	struct bench *b = bench_create(state);
	struct store *other;
	assert_int_equal(store_embedded.open(&b->config, &other, b->why, sizeof(b->why)), ERR_LOCKED);
	snprintf(pid, sizeof(pid), "process %d:", (int)getpid());
	assert_non_null(strstr(b->why, pid));
	bench_close(b);
	assert_int_equal(bench_open(b), OK);
	bench_destroy(b);
}

static void a_directory_that_cannot_be_made_is_told_by_name(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	char *end = b->dir + strlen(b->dir);
	memcpy(end, "/no/dir", sizeof("/no/dir"));
	assert_int_equal(bench_open(b), ERR_IO);
	assert_non_null(strstr(b->why, b->dir));
	*end = 0;
	bench_destroy(b);
}

static int visit_mode(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)path, (void)flag, (void)ftw;
	return (st->st_mode & 077) != 0;
}

static void all_files_are_for_their_owner_only(void **state)
{
	struct bench *b = bench_create(state);
	bench_close(b); /* which makes more of them */
	assert_int_equal(nftw(b->dir, visit_mode, 16, FTW_PHYS), 0);
	assert_int_equal(bench_open(b), OK);
	bench_destroy(b);
}

/* BOX_SPILLED left out. */
static unsigned rows_on_disk(struct bench *b, enum family family)
{
	const struct base *base = engine_of_bench(b)->base;
	struct base_iter *it = base->calls->iter(engine_of_bench(b)->base, NULL, family, STR(""), STR(""), true);
	struct str key, value;
	unsigned n = 0;
	for (; base->calls->iter_at(it, &key, &value); base->calls->iter_next(it))
		n += family != FAMILY_BOX || (uint8_t)key.p[0] != BOX_SPILLED;
	assert_int_equal(base->calls->iter_free(it), OK);
	return n;
}

static void compact(struct bench *b)
{
	base_rocksdb_compact(engine_of_bench(b)->base);
}

static struct bench *small_segments(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	b->segment_bytes = 1 << 16;
	assert_int_equal(bench_open(b), OK);
	return b;
}

/* Rows of the receipt index come to the disk with the segment that told them, unless they have aged. */
static void what_has_aged_leaves_the_disk_and_the_rest_stays(void **state)
{
	struct bench *b = small_segments(state);
	int64_t now = now_ms(), old = now - DAY_MS - 1;
	struct store_op ops[] = {
		mail("bob", 1, "a", 0), mail("bob", 2, "b", 0), mail("bob", 3, "c", 0), mail("bob", 4, "d", 0),
		release("bob", 1, "a", ACK_DM, old), release("bob", 2, "b", ACK_DM, now),
		release("bob", 3, "c", ACK_DM, old), ack("bob", "c", ACK_NM, old),
	};
	bench_do(b, ops, COUNT(ops));
	spill_all(b);
	compact(b);
	assert_int_equal(rows_on_disk(b, FAMILY_RECEIPTS), 2); /* of "b": once, ack */
	assert_int_equal(rows_on_disk(b, FAMILY_BOX), 3);      /* of "d": mail, in small, once */
	assert_true(is_seen(b, once_of(2)));
	assert_true(is_seen(b, once_of(4)));
	assert_false(is_seen(b, once_of(1)));
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	bench_destroy(b);
}

static void nothing_stays_on_disk_of_what_was_released_or_deleted(void **state)
{
	const char *both[] = { "bob", "carol", NULL };
	struct store_op ops[] = {
		user("bob", 5), last_seen("bob", 6), mail_to_all(both, 1, "a", 0),
		mail("bob", 2, "b", MAIL_RECEIPT), mail("bob", 3, "c", 0),
		text_put("bob", TEXT_STATUS, "here"), text_put("g", TEXT_PICTURE, "picture"),
		group("g", 7), link_put(LINK_MEMBER, "bob", "g", 8),
		link_put(LINK_MEMBER, "carol", "g", 9),
		link_put(LINK_FOLLOW, "bob", "carol", 10), link_put(LINK_BLOCK, "carol", "bob", 11),
		link_put(LINK_FOLLOW, "carol", "dave", 12), fanout(13, 3), fanout_done(13, 0),
	};
	struct store_op done[] = {
		release("carol", 1, "a", ACK_DM, 1000), release("bob", 1, "a", ACK_DM, 1000),
		fanout_done(13, 2), fanout_end(13), { .type = OP_ONCE, .once = { once_of(13), 1 } },
		name_del("bob"), name_del("g"), link_del(LINK_FOLLOW, "carol", "dave"),
	};
	/* Whether it was in the base before it went. */
	for (unsigned spilled = 0; spilled < 2; spilled++) {
		struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
		b->retention_ms = 1;
		b->segment_bytes = 1 << 16;
		assert_int_equal(bench_open(b), OK);
		bench_do(b, ops, COUNT(ops));
		if (spilled)
			spill_all(b);
		assert_int_equal(rows_on_disk(b, FAMILY_BOX) > 0, spilled);
		bench_do(b, done, COUNT(done));
		spill_all(b);
		compact(b);
		for (unsigned f = FAMILY_NAMES; f < FAMILY_COUNT; f++)
			assert_int_equal(rows_on_disk(b, f), 0);
		bench_destroy(b);
	}
}

/* --- damage: each case on a copy of a directory at rest --- */

#define FLIPS 6 /* a file */
#define NO_FLIP SIZE_MAX
/* One bit of the byte at `flip` is turned. */
static void copy_file(const char *from_dir, const char *to_dir, const char *name, size_t flip)
{
	char from[512], to[512];
	static char bytes[1 << 20];
	snprintf(from, sizeof(from), "%s/%s", from_dir, name);
	snprintf(to, sizeof(to), "%s/%s", to_dir, name);
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(in >= 0 && out >= 0);
	ssize_t n = read(in, bytes, sizeof(bytes));
	assert_true(n >= 0 && (size_t)n < sizeof(bytes));
	if (flip != NO_FLIP)
		bytes[flip] ^= 0x10;
	assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

static void copy_all(const struct bench *from, struct bench *to, const struct dir_files *files)
{
	char path[128];
	nftw(to->dir, bench_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(to->dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/db", to->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/journal", to->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	copy_file(from->dir, to->dir, "format", NO_FLIP);
	for (size_t i = 0; i < files->n; i++)
		copy_file(from->dir, to->dir, files->name[i], NO_FLIP);
}

/* A read whose answer is whole or an error; counts errors. */
static void read_whole(struct bench *b, struct store_read r, const struct store_read *want, unsigned *errors)
{
	bench_read(b, &r);
	if (r.status == OK) {
		assert_int_equal(r.found, want->found);
		assert_int_equal(r.rows.n, want->rows.n);
		if (r.rows.n)
			assert_memory_equal(r.rows.p, want->rows.p, want->rows.n);
	} else {
		assert_true(r.status == ERR_CORRUPT || r.status == ERR_UNAVAILABLE);
		(*errors)++;
	}
	buf_deinit(&r.rows);
}

enum { QUESTIONS = 12 };
static void questions(struct store_read out[QUESTIONS])
{
	out[0] = (struct store_read){ .kind = STORE_READ_NAME, .name = STR("bob") };
	out[1] = (struct store_read){ .kind = STORE_READ_SEEN, .once = once_of(1) };
	out[2] = (struct store_read){ .kind = STORE_READ_SEEN, .once = once_of(5) };
	out[3] = (struct store_read){ .kind = STORE_READ_FIND, .name = STR("bob"), .id = STR("m") };
	out[4] = (struct store_read){ .kind = STORE_READ_MAILBOX, .name = STR("bob"), .bytes_max = 99999,
				      .rows_max = 99 };
	out[5] = (struct store_read){ .kind = STORE_READ_NAMES, .rows_max = 99 };
	out[6] = (struct store_read){ .kind = STORE_READ_NAME, .name = STR("g") };
	out[7] = (struct store_read){ .kind = STORE_READ_LINKS, .name = STR("bob"), .link = LINK_MEMBER,
				      .side = SIDE_OF, .bytes_max = 99999, .rows_max = 99 };
	out[8] = (struct store_read){ .kind = STORE_READ_LINKS, .name = STR("carol"), .link = LINK_BLOCK,
				      .side = SIDE_TO, .bytes_max = 99999, .rows_max = 99 };
	out[9] = (struct store_read){ .kind = STORE_READ_TEXT, .name = STR("bob"), .what = TEXT_STATUS };
	out[10] = (struct store_read){ .kind = STORE_READ_TEXT, .name = STR("g"), .what = TEXT_PICTURE };
	out[11] = (struct store_read){ .kind = STORE_READ_FANOUTS, .bytes_max = 99999, .rows_max = 99 };
}

/* Two runs' worth of everything, the first one's in the base, closed; answers are what each question is to be answered. */
static struct bench *a_full_directory(void **state, struct store_read answers[QUESTIONS])
{
	struct bench *b = small_segments(state);
	for (uint64_t run = 0; run < 2; run++) {
		uint64_t seq = 10 * run;
		struct store_op ops[] = {
			user("bob", 5), last_seen("bob", 1234), mail("bob", seq + 1, "m", 0),
			mail("bob", seq + 2, "m", 0), release("bob", seq + 2, "m", ACK_DM, now_ms()),
			group("g", 4), link_put(LINK_MEMBER, "bob", "g", seq + 3),
			link_put(LINK_BLOCK, "bob", run ? "carol" : "dave", 3),
			text_put("bob", TEXT_STATUS, "here"), text_put("g", TEXT_PICTURE, "picture"),
			fanout(seq + 5, 3), fanout_done(seq + 5, 1),
		};
		bench_do(b, ops, COUNT(ops));
		if (!run)
			spill_all(b);
		bench_close(b);
		assert_int_equal(bench_open(b), OK);
	}
	questions(answers);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		bench_read(b, &answers[i]);
		assert_true(answers[i].status == OK && (answers[i].found || answers[i].rows.n));
	}
	bench_close(b);
	return b;
}

static void answers_free(struct store_read answers[QUESTIONS])
{
	for (unsigned i = 0; i < QUESTIONS; i++)
		buf_deinit(&answers[i].rows);
}

/* Opens; refused, or answers are right or errors. Whether damage was noticed. */
static bool is_never_wrong(struct bench *b, const struct store_read answers[QUESTIONS])
{
	struct store_read ask[QUESTIONS];
	unsigned errors = 0;
	b->why[0] = 0;
	int err = bench_open(b);
	if (err) {
		assert_true(err == ERR_CORRUPT || err == ERR_IO || err == ERR_VERSION);
		assert_true(b->why[0]);
		return true;
	}
	questions(ask);
	for (unsigned i = 0; i < QUESTIONS; i++)
		read_whole(b, ask[i], &answers[i], &errors);
	bench_close(b);
	return errors > 0;
}

static int put_raw(struct bench *b, enum family family, struct str key, struct str value)
{
	struct store_embedded *e = engine_of_bench(b);
	pthread_mutex_lock(&e->lock);
	base_put(e->base, family, key, value);
	int err = e->base->calls->write(e->base);
	pthread_mutex_unlock(&e->lock);
	return err;
}

/* As it may come from a bug or another program: RocksDB finds nothing wrong with it. */
static void a_row_that_this_version_does_not_write_is_corrupt_to_who_reads_it(void **state)
{
	const struct { enum family family; struct str key, value; unsigned question; } cases[] = {
		{ FAMILY_NAMES, STR("bob"), STR("\2"), 0 },
		{ FAMILY_SEEN, STR("bob"), STR("\1"), 0 },
		{ FAMILY_BOX, STR("\xf1\3bob\1m01234567"), STR("\2"), 3 },
		{ FAMILY_ACKS, STR("\3bob\1m"), STR("\1"), 3 },
		{ FAMILY_BOX, STR("\3bob01234567"), STR(""), 4 },
		{ FAMILY_NAMES, STR("g"), STR("\1\2"), 6 },
		{ FAMILY_NAMES, STR("g"), STR("\1\2\1\0\0\0\4"), 7 }, /* whose title is in the answer */
		{ FAMILY_LINKS, STR("\6\3bobg"), STR("\2"), 7 },
		{ FAMILY_LINKS, STR("\6\3bobg"), STR("\1\1\0\0\0\3"), 7 },
		{ FAMILY_LINKS, STR("\6\3bobg"), STR(""), 7 },
		{ FAMILY_LINKS, STR("\7\1gbob"), STR(""), 6 },
		{ FAMILY_LINKS, STR("\4\3bobdave"), STR("\1"), 0 },
		{ FAMILY_TEXTS, STR("\3bob\2"), STR("\2here"), 9 },
		{ FAMILY_FANOUTS, STR("\0\0\0\0\0\0\0\5"), STR("\2"), 11 },
		{ FAMILY_FANOUTS, STR("\0\0\0\0\0\0\0\5"), STR("\1\1\0\0\0\4"), 11 },
		{ FAMILY_FANOUTS, STR("\0\0\0\0\0\0\1"), STR("\1"), 11 },
	};
	struct store_read answers[QUESTIONS], ask[QUESTIONS];
	struct bench *whole = a_full_directory(state, answers);
	struct bench *b = bench_new(EMBEDDED);
	b->segment_bytes = whole->segment_bytes;
	struct dir_files files = files_of(whole->dir);
	for (size_t i = 0; i < COUNT(cases); i++) {
		copy_all(whole, b, &files);
		assert_int_equal(bench_open(b), OK);
		assert_int_equal(put_raw(b, cases[i].family, cases[i].key, cases[i].value), OK);
		questions(ask);
		bench_read(b, &ask[cases[i].question]);
		assert_int_equal(ask[cases[i].question].status, ERR_CORRUPT);
		buf_deinit(&ask[cases[i].question].rows);
		bench_close(b);
	}
	answers_free(answers);
	bench_destroy(whole);
	bench_destroy(b);
}

/* A link whose key says another name than its row. */
static void a_link_under_another_key_is_corrupt_to_who_reads_it(void **state)
{
	struct bench *b = bench_create(state);
	struct store_embedded *e = (struct store_embedded *)(void *)b->store;
	struct store_op op = link_put(LINK_FOLLOW, "bob", "carol", 1);
	struct store_read r = { .kind = STORE_READ_LINKS, .name = STR("dave"), .link = LINK_FOLLOW,
				.side = SIDE_OF, .rows_max = 9, .bytes_max = 999 };
	struct base_got got;
	bench_do(b, &op, 1);
	assert_int_equal(e->base->calls->get(e->base, NULL, FAMILY_LINKS, STR("\2\3bobcarol"), &got), OK);
	assert_int_equal(put_raw(b, FAMILY_LINKS, STR("\2\4davecaro"), got.value), OK);
	e->base->calls->got_free(&got);
	bench_read(b, &r);
	assert_int_equal(r.status, ERR_CORRUPT);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

/* Else the rest of him would be there for who takes his name. */
static void a_deletion_that_can_not_read_what_it_deletes_fails_whole(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op before[] = { user("bob", 5), mail("bob", 1, "m", 0) };
	struct store_op ops[] = { mail("carol", 2, "m", 0), name_del("bob"), mail("carol", 3, "m", 0) };
	struct store_op other = mail("dave", 4, "m", 0);
	struct store_batch batches[3];
	bench_do(b, before, COUNT(before));
	assert_int_equal(put_raw(b, FAMILY_BOX, STR("\xf1\3bob\1m01234567"), STR("\2")), OK);
	for (unsigned i = 0; i < 3; i++)
		batch_init(&batches[i]);
	batch_add(&batches[0], &ops[0], 1);
	batch_add(&batches[0], &ops[1], 2);
	batch_add(&batches[1], &other, 1);
	batch_add(&batches[2], &other, 1);
	assert_int_equal(bench_commit(b, 0, &batches[0]), ERR_UNAVAILABLE);
	assert_int_equal(bench_commit(b, 0, &batches[1]), ERR_UNAVAILABLE); /* the worker's own */
	assert_int_equal(bench_commit(b, 1, &batches[2]), OK);
	assert_int_equal(mailbox_rows(b, "carol", 0, 10, false), 0);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_int_equal(mailbox_rows(b, "dave", 0, 10, false), 1);
	for (unsigned i = 0; i < 3; i++)
		buf_deinit(&batches[i].ops);
	bench_destroy(b);
}

static void a_flipped_bit_is_refused_or_harmless_but_never_served(void **state)
{
	struct store_read answers[QUESTIONS];
	struct bench *whole = a_full_directory(state, answers);
	struct bench *b = bench_new(EMBEDDED);
	b->segment_bytes = whole->segment_bytes;
	struct dir_files files = files_of(whole->dir);
	unsigned noticed = 0, tried = 0;
	for (size_t i = 0; i < files.n; i++) {
		for (size_t step = 0; step < FLIPS && files.bytes[i]; step++) {
			copy_all(whole, b, &files);
			copy_file(whole->dir, b->dir, files.name[i], (files.bytes[i] - 1) * step / (FLIPS - 1));
			noticed += is_never_wrong(b, answers);
			tried++;
		}
	}
	assert_true(tried >= FLIPS * FAMILY_COUNT);
	assert_true(noticed > tried / 4);
	answers_free(answers);
	bench_destroy(whole);
	bench_destroy(b);
}

static void a_missing_file_is_refused_or_harmless_but_never_started_without(void **state)
{
	struct store_read answers[QUESTIONS];
	struct bench *whole = a_full_directory(state, answers);
	struct bench *b = bench_new(EMBEDDED);
	b->segment_bytes = whole->segment_bytes;
	struct dir_files files = files_of(whole->dir);
	unsigned noticed = 0;
	for (size_t i = 0; i < files.n; i++) {
		copy_all(whole, b, &files);
		remove_file(b->dir, files.name[i]);
		noticed += is_never_wrong(b, answers);
	}
	assert_true(noticed >= FAMILY_COUNT); /* a table of each, and what says which there are */
	copy_all(whole, b, &files);
	for (size_t i = 0; i < files.n; i++)
		remove_file(b->dir, files.name[i]);
	assert_int_equal(bench_open(b), ERR_CORRUPT);
	answers_free(answers);
	bench_destroy(whole);
	bench_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EMBEDDED_ONLY(reopening_keeps_everything_and_raises_the_epoch),
		EMBEDDED_ONLY(a_second_opening_is_refused_and_names_the_process),
		EMBEDDED_ONLY(a_directory_that_cannot_be_made_is_told_by_name),
		EMBEDDED_ONLY(all_files_are_for_their_owner_only),
		EMBEDDED_ONLY(what_has_aged_leaves_the_disk_and_the_rest_stays),
		EMBEDDED_ONLY(nothing_stays_on_disk_of_what_was_released_or_deleted),
		EMBEDDED_ONLY(a_row_that_this_version_does_not_write_is_corrupt_to_who_reads_it),
		EMBEDDED_ONLY(a_link_under_another_key_is_corrupt_to_who_reads_it),
		EMBEDDED_ONLY(a_deletion_that_can_not_read_what_it_deletes_fails_whole),
		EMBEDDED_ONLY(a_flipped_bit_is_refused_or_harmless_but_never_served),
		EMBEDDED_ONLY(a_missing_file_is_refused_or_harmless_but_never_started_without),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
