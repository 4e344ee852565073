/* The journal over a simulated disk: what it gives back after any damage, failure or death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/strs.h"
#include "store/crc32c.h"
#include "store/files_memory.h"
#include "store/journal.h"
#include <stdio.h>

#define RECORDS_MAX 256

static const struct journal_config small = { .segment_bytes = 1024, .grow_bytes = 512, .spares_max = 1,
					     .sync = true };

/* What was read, or is to be read: payloads in order. */
struct log { struct buf payloads; unsigned n; struct journal_place places[RECORDS_MAX]; };

static int log_visit(void *ctx, struct journal_place place, struct str payload)
{
	struct log *log = ctx;
	assert_true(log->n < RECORDS_MAX);
	assert_int_equal(place.bytes, payload.n);
	strs_add(&log->payloads, payload);
	log->places[log->n++] = place;
	return OK;
}

static void log_clear(struct log *log)
{
	buf_deinit(&log->payloads);
	buf_init(&log->payloads, 1 << 20);
	log->n = 0;
}

struct bench { struct files_memory *disk; struct journal *journal; struct log read; struct journal_cut cut; char why[256]; };

static void bench_init(struct bench *b)
{
	*b = (struct bench){ .disk = files_memory_new(1) };
	log_clear(&b->read);
}

static void bench_deinit(struct bench *b)
{
	if (b->journal)
		journal_close(b->journal, false);
	files_memory_free(b->disk);
	buf_deinit(&b->read.payloads);
}

static int bench_open(struct bench *b, uint64_t retired, const struct journal_config *config)
{
	b->journal = NULL;
	b->why[0] = 0;
	log_clear(&b->read);
	return journal_open(files_memory_open(b->disk), config, retired, log_visit, &b->read, &b->journal,
			    &b->cut, b->why, sizeof(b->why));
}

static void bench_close(struct bench *b, bool clean)
{
	journal_close(b->journal, clean);
	b->journal = NULL;
}

/* Record n is n times its own letter, n * 7 % 200 bytes of it, in three parts. */
static struct str payload_of(unsigned n)
{
	static char text[200];
	memset(text, 'a' + (int)(n % 26), sizeof(text));
	return (struct str){ text, n * 7 % sizeof(text) };
}

static int append(struct bench *b, unsigned n, struct journal_place *place_out)
{
	struct str all = payload_of(n);
	size_t third = all.n / 3;
	const struct iovec parts[] = { { (void *)(uintptr_t)all.p, third },
				       { (void *)(uintptr_t)(all.p + third), third },
				       { (void *)(uintptr_t)(all.p + 2 * third), all.n - 2 * third } };
	return journal_append(b->journal, parts, 3, place_out);
}

static void append_all(struct bench *b, unsigned from, unsigned upto)
{
	struct journal_place place;
	for (; from < upto; from++)
		assert_int_equal(append(b, from, &place), OK);
}

/* The records read are those from `from` on; returns the first that is not. */
static unsigned read_upto(const struct bench *b, unsigned from)
{
	struct str payload;
	size_t cursor = 0;
	while (strs_next(buf_view(&b->read.payloads), &cursor, &payload) == 1)
		assert_true(str_eq(payload, payload_of(from++)));
	return from;
}

static void what_was_appended_is_read_again_in_order(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	assert_int_equal(b.read.n, 0);
	for (unsigned n = 0, step = 1; n < 60; n += step, step = step % 7 + 1) {
		append_all(&b, n, n + step);
		bench_close(&b, n % 2);
		assert_int_equal(bench_open(&b, 0, &small), OK);
		assert_int_equal(read_upto(&b, 0), n + step);
		assert_int_equal(b.cut.bytes, 0);
	}
	assert_true(journal_newest(b.journal) > 5);
	for (unsigned n = 0; n < b.read.n; n++) {
		char text[256];
		const struct journal_place *at = &b.read.places[n];
		assert_int_equal(journal_read(b.journal, at->segment, at->offset, text, at->bytes), OK);
		assert_memory_equal(text, payload_of(n).p, at->bytes);
	}
	bench_deinit(&b);
}

static void the_largest_record_fits_and_journal_read_stops_at_the_end(void **state)
{
	struct bench b;
	static char text[2048];
	struct journal_place place;
	(void)state;
	bench_init(&b);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	const struct iovec part = { text, journal_payload_max(b.journal) };
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(journal_append(b.journal, &part, 1, &place), OK);
	assert_int_equal(journal_newest(b.journal), 3);
	assert_int_equal(journal_read(b.journal, 3, small.segment_bytes, text, 1), ERR_IO);
	assert_int_equal(journal_read(b.journal, 4, 0, text, 1), ERR_IO);
	bench_close(&b, true);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	assert_int_equal(b.read.n, 3);
	bench_deinit(&b);
}

static unsigned file_count(const struct bench *b)
{
	struct buf names;
	struct str name;
	size_t cursor = 0;
	unsigned n = 0;
	buf_init(&names, 1 << 20);
	files_memory_names(b->disk, &names);
	while (strs_next(buf_view(&names), &cursor, &name) == 1)
		n++;
	buf_deinit(&names);
	return n;
}

/* Old bytes of a spare are never taken for records. */
static void retired_segments_are_used_again_and_what_they_held_does_not_come_back(void **state)
{
	struct bench b;
	unsigned from = 0, upto = 0;
	(void)state;
	bench_init(&b);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	for (unsigned round = 0; round < 40; round++) {
		for (uint64_t newest = journal_newest(b.journal); journal_newest(b.journal) < newest + 2;)
			append_all(&b, upto, upto + 1), upto++;
		from = upto - 1; /* the record that began the newest segment */
		uint64_t retired = journal_newest(b.journal) - 1;
		assert_int_equal(journal_retire(b.journal, retired), OK);
		assert_int_equal(journal_oldest(b.journal), retired + 1);
		bench_close(&b, round % 3 == 0);
		if (round % 2)
			files_memory_crash(b.disk);
		assert_int_equal(bench_open(&b, retired, &small), OK);
		assert_int_equal(read_upto(&b, from), upto);
		assert_true(file_count(&b) <= 2);
	}
	bench_deinit(&b);
}

static void a_turn_begins_a_segment_with_the_next_record(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	append_all(&b, 0, 2);
	journal_turn(b.journal);
	assert_int_equal(journal_newest(b.journal), 1);
	append_all(&b, 2, 3);
	assert_int_equal(journal_newest(b.journal), 2);
	assert_true(journal_bytes(b.journal) > 64 * 2);
	bench_deinit(&b);
}

/* --- damage --- */

/* Some segments with records 0 … n - 1, closed as told. */
static struct bench a_journal(unsigned n, bool clean)
{
	struct bench b;
	bench_init(&b);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	append_all(&b, 0, n);
	bench_close(&b, clean);
	return b;
}

/* Opens a copy of it: refused with a reason, or a beginning of all records. Returns how many. */
static unsigned is_never_wrong(struct bench *b, struct files_memory *copy, unsigned all, unsigned *refused)
{
	struct files_memory *whole = b->disk;
	unsigned n = 0;
	b->disk = copy;
	int err = bench_open(b, 0, &small);
	if (err) {
		assert_true(err == ERR_CORRUPT || err == ERR_VERSION);
		assert_non_null(strstr(b->why, "of the journal"));
		(*refused)++;
	} else {
		n = read_upto(b, 0);
		assert_true(n <= all);
		append_all(b, n, n + 3); /* it goes on from there */
		bench_close(b, true);
		assert_int_equal(bench_open(b, 0, &small), OK);
		assert_int_equal(read_upto(b, 0), n + 3);
		bench_close(b, true);
	}
	b->disk = whole;
	files_memory_free(copy);
	return n;
}

static const char *const segments[] = { "000000000001.seg", "000000000002.seg", "000000000003.seg" };

/* All records were synced before the last one was written, so only that one may be missing. */
static void a_flipped_bit_anywhere_is_refused_or_was_in_the_last_record(void **state)
{
	enum { N = 20 };
	(void)state;
	for (unsigned clean = 0; clean < 2; clean++) {
		struct bench b = a_journal(N, clean);
		unsigned refused = 0, tried = 0, cut = 0;
		assert_non_null(files_memory_bytes(b.disk, segments[2]));
		for (unsigned s = 0; s < 3; s++) {
			for (size_t at = 0; at < files_memory_bytes(b.disk, segments[s])->n; at++) {
				struct files_memory *copy = files_memory_copy(b.disk, at);
				files_memory_bytes(copy, segments[s])->p[at] ^= (char)(1 << at % 8);
				unsigned before = refused, n = is_never_wrong(&b, copy, N, &refused);
				tried++;
				if (refused > before)
					continue;
				assert_true(n == N || (n == N - 1 && !clean && s == 2));
				cut += n < N;
			}
		}
		assert_true(refused > tried / 3);
		assert_true(clean ? cut == 0 : cut > 0);
		bench_deinit(&b);
	}
}

static void a_segment_cut_off_anywhere_is_refused_or_loses_nothing(void **state)
{
	enum { N = 20 };
	struct bench b = a_journal(N, true);
	unsigned refused = 0, tried = 0;
	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		for (size_t n = 0; n < files_memory_bytes(b.disk, segments[s])->n; n++) {
			struct files_memory *copy = files_memory_copy(b.disk, n);
			files_memory_bytes(copy, segments[s])->n = n;
			unsigned before = refused, read = is_never_wrong(&b, copy, N, &refused);
			assert_true(refused > before || read == N);
			tried++;
		}
	}
	assert_true(refused > tried / 2);
	bench_deinit(&b);
}

/* The last write comes to the disk from the front up to any byte, or from any byte on. */
static void a_torn_last_record_is_cut_and_told_and_all_before_it_is_there(void **state)
{
	enum { N = 8 };
	struct bench b = a_journal(N, false);
	(void)state;
	assert_int_equal(bench_open(&b, 0, &small), OK);
	append_all(&b, N, N + 1);
	bench_close(&b, false);
	assert_int_equal(bench_open(&b, 0, &small), OK);
	assert_int_equal(b.read.n, N + 1);
	size_t at = b.read.places[N].offset - 32, end = files_memory_bytes(b.disk, segments[0])->n;
	bench_close(&b, false);
	for (unsigned side = 0; side < 2; side++) {
		for (size_t cut = at + 1; cut < at + 32 + payload_of(N).n; cut++) {
			struct files_memory *copy = files_memory_copy(b.disk, cut), *whole = b.disk;
			struct buf *bytes = files_memory_bytes(copy, segments[0]);
			if (side)
				memset(bytes->p + at, 0, cut - at);
			else
				memset(bytes->p + cut, 0, end - cut);
			b.disk = copy;
			assert_int_equal(bench_open(&b, 0, &small), OK);
			assert_int_equal(read_upto(&b, 0), N);
			/* Of a record without its header nothing tells it from what a spare held. */
			bool told = !side || cut < at + 32;
			assert_int_equal(b.cut.segment, told);
			assert_int_equal(b.cut.offset, told ? at : 0);
			assert_int_equal(b.cut.bytes > 0, told);
			append_all(&b, N, N + 2);
			bench_close(&b, false);
			b.disk = whole;
			files_memory_free(copy);
		}
	}
	bench_deinit(&b);
}

/* The header's checksum, over its first 60 bytes, is where every version has it. */
static void another_version_is_refused_as_such_and_damage_as_damage(void **state)
{
	struct bench b = a_journal(3, true);
	struct buf *bytes = files_memory_bytes(b.disk, segments[0]);
	(void)state;
	bytes->p[8] = 2;
	assert_int_equal(bench_open(&b, 0, &small), ERR_CORRUPT);
	assert_non_null(strstr(b.why, "000000000001.seg"));
	assert_non_null(strstr(b.why, "offset"));
	uint32_t crc = crc32c((struct str){ bytes->p, 60 }, 0);
	memcpy(bytes->p + 60, &crc, sizeof(crc));
	assert_int_equal(bench_open(&b, 0, &small), ERR_VERSION);
	assert_non_null(strstr(b.why, "000000000001.seg"));
	bench_deinit(&b);
}

static void a_missing_segment_is_refused(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		struct bench b = a_journal(20, s % 2);
		struct files *files = files_memory_open(b.disk);
		assert_int_equal(files->calls->remove(files, segments[s]), OK);
		assert_int_equal(bench_open(&b, 0, &small), ERR_CORRUPT);
		assert_non_null(strstr(b.why, segments[s]));
		bench_deinit(&b);
	}
	struct bench b;
	struct journal_config used = small;
	used.used = true;
	bench_init(&b);
	assert_int_equal(bench_open(&b, 0, &used), ERR_CORRUPT);
	bench_deinit(&b);
}

static void checking_reads_all_and_changes_nothing(void **state)
{
	struct bench b = a_journal(20, false);
	struct log log = { .n = 0 };
	struct journal_cut cut;
	(void)state;
	log_clear(&log);
	assert_int_equal(journal_check(files_memory_open(b.disk), 0, log_visit, &log, &cut, b.why,
				       sizeof(b.why)), OK);
	assert_int_equal(log.n, 20);
	assert_int_equal(files_memory_calls(b.disk), 0);
	files_memory_bytes(b.disk, segments[1])->p[100] ^= 1;
	log_clear(&log);
	assert_int_equal(journal_check(files_memory_open(b.disk), 0, log_visit, &log, &cut, b.why,
				       sizeof(b.why)), ERR_CORRUPT);
	assert_non_null(strstr(b.why, segments[1]));
	assert_int_equal(files_memory_calls(b.disk), 0);
	buf_deinit(&log.payloads);
	bench_deinit(&b);
}

/* --- failures and deaths --- */

struct run { struct bench b; uint64_t random, retired; unsigned told; };

static unsigned dice(struct run *r, unsigned below)
{
	r->random = r->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(r->random >> 33) % below;
}

/* Appends, and now and then retires all but the newest segment, till something fails. How many records came
 * back. `retired` is what the caller had made durable before. */
static int run_on(struct run *r, unsigned steps)
{
	struct journal_place place;
	int err = OK;
	for (; steps && !err; steps--) {
		err = append(&r->b, r->told, &place);
		if (err)
			return err;
		r->told++;
		if (dice(r, 8) || journal_newest(r->b.journal) == journal_oldest(r->b.journal))
			continue;
		r->retired = place.segment - 1;
		if (journal_retire(r->b.journal, r->retired) && files_memory_is_killed(r->b.disk))
			return ERR_IO; /* else tried again with the next */
	}
	return err;
}

/* What is read is all that was told, from some record on, and at most one more. */
static void is_whole(struct run *r)
{
	struct str first;
	size_t cursor = 0;
	if (strs_next(buf_view(&r->b.read.payloads), &cursor, &first) != 1)
		return assert_int_equal(r->told, 0);
	unsigned from = r->told + 1 - r->b.read.n;
	if (r->told + 1 < r->b.read.n || !str_eq(first, payload_of(from)))
		from--;
	unsigned upto = read_upto(&r->b, from);
	assert_true(upto == r->told || upto == r->told + 1);
	r->told = upto;
}

static void run_anew(struct run *r, bool power)
{
	bench_close(&r->b, false);
	if (power)
		files_memory_crash(r->b.disk);
	if (bench_open(&r->b, r->retired, &small) != OK)
		fail_msg("%s", r->b.why);
	is_whole(r);
}

static void whatever_call_fails_or_is_the_last_one_all_that_was_told_is_there(void **state)
{
	unsigned failures = 0;
	(void)state;
	for (unsigned seed = 0; seed < 400; seed++) {
		struct run r = { .random = seed };
		bench_init(&r.b);
		assert_int_equal(bench_open(&r.b, 0, &small), OK);
		while (r.told < 150) {
			unsigned nth = 1 + dice(&r, 40);
			if (dice(&r, 2))
				files_memory_kill(r.b.disk, nth);
			else
				files_memory_fail(r.b.disk, nth, dice(&r, 2) ? ERR_IO : ERR_NOSPC);
			int err = run_on(&r, 40);
			while (err == ERR_NOSPC && dice(&r, 4)) /* nothing was written: it may be tried again */
				err = run_on(&r, 10);
			failures += err != OK;
			run_anew(&r, dice(&r, 2));
		}
		bench_deinit(&r.b);
	}
	assert_true(failures > 500);
}

static void no_room_refuses_and_goes_on_when_there_is_some(void **state)
{
	struct bench b;
	struct journal_place place;
	struct journal_config config = small;
	unsigned n = 0;
	(void)state;
	config.room_bytes = 2000;
	bench_init(&b);
	files_memory_set_room(b.disk, 10000);
	assert_int_equal(bench_open(&b, 0, &config), OK);
	append_all(&b, 0, 3);
	n = 3;
	files_memory_set_room(b.disk, 1500);
	while (append(&b, n, &place) == OK)
		n++;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(append(&b, n, &place), ERR_NOSPC);
	files_memory_set_room(b.disk, 10000);
	append_all(&b, n, n + 10);
	bench_close(&b, false);
	assert_int_equal(bench_open(&b, 0, &config), OK);
	assert_int_equal(read_upto(&b, 0), n + 10);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_appended_is_read_again_in_order),
		cmocka_unit_test(the_largest_record_fits_and_journal_read_stops_at_the_end),
		cmocka_unit_test(retired_segments_are_used_again_and_what_they_held_does_not_come_back),
		cmocka_unit_test(a_turn_begins_a_segment_with_the_next_record),
		cmocka_unit_test(a_flipped_bit_anywhere_is_refused_or_was_in_the_last_record),
		cmocka_unit_test(a_segment_cut_off_anywhere_is_refused_or_loses_nothing),
		cmocka_unit_test(a_torn_last_record_is_cut_and_told_and_all_before_it_is_there),
		cmocka_unit_test(another_version_is_refused_as_such_and_damage_as_damage),
		cmocka_unit_test(a_missing_segment_is_refused),
		cmocka_unit_test(checking_reads_all_and_changes_nothing),
		cmocka_unit_test(whatever_call_fails_or_is_the_last_one_all_that_was_told_is_there),
		cmocka_unit_test(no_room_refuses_and_goes_on_when_there_is_some),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
