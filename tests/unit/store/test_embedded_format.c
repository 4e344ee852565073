/* The embedded engine's directory: its version, how an older one is brought up, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_files.h"
#include <errno.h>

static void another_version_or_damage_in_the_format_is_refused(void **state)
{
	struct bench *b = bench_create(state);
	const struct { const char *text; int err; } cases[] = {
		{ "lempd data 4\n", ERR_VERSION }, { "lempd data 0\n", ERR_VERSION },
		{ "lempd data 3", ERR_VERSION },   { "", ERR_CORRUPT },
		{ "lempd", ERR_CORRUPT },          { "\x7f" "ELF", ERR_CORRUPT },
	};
	bench_close(b);
	const struct dir_files before = files_of(b->dir);
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file(b->dir, "format", cases[i].text);
		assert_int_equal(bench_open(b), cases[i].err);
		assert_non_null(strstr(b->why, "format"));
		const struct dir_files after = files_of(b->dir);
		assert_memory_equal(&before, &after, sizeof(before)); /* untouched */
	}
	write_file(b->dir, "format", "lempd data 3\n");
	assert_int_equal(bench_open(b), OK);
	bench_destroy(b);
}

static void a_used_directory_without_format_is_refused(void **state)
{
	struct bench *b = bench_create(state);
	bench_close(b);
	assert_int_equal(bench_open(b), OK);
	bench_close(b);
	remove_file(b->dir, "format");
	assert_int_equal(bench_open(b), ERR_CORRUPT);
	assert_non_null(strstr(b->why, "format"));
	bench_destroy(b);
}

static void a_first_opening_that_was_cut_short_is_taken_up_again(void **state)
{
	struct bench *b = bench_create(state);
	bench_close(b);
	remove_file(b->dir, "format"); /* as before the last step of opening */
	write_file(b->dir, "format.new", "lem");
	assert_int_equal(bench_open(b), OK);
	bench_close(b);
	assert_int_equal(bench_open(b), OK);
	bench_destroy(b);
}

/* --- older formats --- */

/* With a user and his mail in it, closed, without some families. */
static struct bench *a_directory(void **state, const char *format, unsigned without)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = { user("bob", 5), last_seen("bob", 6) };
	bench_do(b, ops, COUNT(ops));
	bench_close(b);
	make_old(b, without, format);
	return b;
}

static unsigned found_rows(struct bench *b, const char *id)
{
	struct store_read r = { .kind = STORE_READ_FIND, .name = STR("bob"), .id = str_of(id) };
	struct store_find_row row;
	size_t cursor = 0;
	unsigned n = 0;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	while (store_find_row_next(buf_view(&r.rows), &cursor, &row) == 1)
		n++;
	buf_deinit(&r.rows);
	return n;
}

static void all_is_kept_and_the_new_can_be_stored(struct bench *b)
{
	struct store_read name = { .kind = STORE_READ_NAME, .name = STR("bob") };
	struct store_read text = { .kind = STORE_READ_TEXT, .name = STR("bob"), .what = TEXT_STATUS };
	struct store_op op = text_put("bob", TEXT_STATUS, "here");
	bench_read(b, &name);
	assert_true(name.status == OK && name.found);
	assert_int_equal(found_rows(b, "a"), 1);
	assert_int_equal(found_rows(b, "b"), 1);
	assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 1);
	assert_true(is_seen(b, once_of(1)) && is_seen(b, once_of(2)));
	bench_do(b, &op, 1);
	bench_read(b, &text);
	assert_true(text.status == OK && text.found);
	buf_deinit(&name.rows);
	buf_deinit(&text.rows);
}

static void the_format_is(const struct bench *b, const char *want)
{
	char path[128], text[64] = "";
	snprintf(path, sizeof(path), "%s/format", b->dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, want);
}

/* Each as a process killed there leaves it. */
static void an_older_directory_is_brought_up_from_wherever_that_was_cut_short(void **state)
{
	const struct { const char *format; unsigned without; const char *format_new; } cases[] = {
		{ "lempd data 1\n", NO_RECEIPTS | NEW_IN_2, NULL }, /* not begun */
		{ "lempd data 1\n", NO_RECEIPTS | NO_TEXTS | NO_FANOUTS, NULL },
		{ "lempd data 1\n", NO_RECEIPTS | NO_FANOUTS, NULL },
		{ "lempd data 1\n", NO_RECEIPTS, NULL },
		{ "lempd data 1\n", 0, NULL },                      /* all made */
		{ "lempd data 2\n", NO_RECEIPTS, NULL },
		{ "lempd data 2\n", 0, NULL },
		{ "lempd data 2\n", 0, "" },                        /* the new format half written */
		{ "lempd data 2\n", 0, "lempd da" },
		{ "lempd data 2\n", 0, "lempd data 3\n" },          /* not yet in its place */
		{ "lempd data 1\n", NO_RECEIPTS | NEW_IN_2, "lempd da" }, /* of the making of version 1 */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bench *b = a_directory(state, cases[i].format, cases[i].without);
		if (cases[i].format_new)
			write_file(b->dir, "format.new", cases[i].format_new);
		assert_int_equal(bench_open(b), OK);
		the_format_is(b, "lempd data 3\n");
		assert_int_equal(b->store->epoch, 2);
		for (unsigned opened = 0; opened < 3; opened++) {
			all_is_kept_and_the_new_can_be_stored(b);
			bench_close(b);
			assert_int_equal(bench_open(b), OK);
		}
		bench_destroy(b);
	}
}

/* Wherever it came from, what was released leaves nothing. */
static void mail_that_an_older_version_stored_is_released_like_any_other(void **state)
{
	struct bench *b = a_directory(state, "lempd data 2\n", NO_RECEIPTS);
	struct store_op op = release("bob", 1, "a", ACK_DM, now_ms());
	assert_int_equal(bench_open(b), OK);
	bench_do(b, &op, 1);
	for (unsigned opened = 0; opened < 3; opened++) {
		assert_int_equal(mailbox_rows(b, "bob", 0, 10, false), 0);
		assert_int_equal(found_rows(b, "a"), 1);
		assert_true(is_seen(b, once_of(1)));
		bench_close(b);
		assert_int_equal(bench_open(b), OK);
	}
	bench_destroy(b);
}

static void a_journal_that_was_lost_is_refused(void **state)
{
	struct bench *b = bench_create(state);
	char path[128];
	bench_close(b);
	snprintf(path, sizeof(path), "%s/journal", b->dir);
	nftw(path, bench_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(bench_open(b), ERR_CORRUPT);
	assert_non_null(strstr(b->why, "journal"));
	bench_destroy(b);
}

static void mkdir_in(const struct bench *b, const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static void a_family_that_was_lost_is_refused_and_not_made_anew(void **state)
{
	const struct { const char *format; unsigned without; const char *said; } cases[] = {
		{ "lempd data 1\n", NO_ACKS | NO_RECEIPTS, "acks" },
		{ "lempd data 1\n", NO_ACKS | NEW_IN_2 | NO_RECEIPTS, "acks" },
		{ "lempd data 2\n", NO_ACKS, "acks" },
		{ "lempd data 2\n", NO_LINKS, "links" },
		{ "lempd data 2\n", NO_TEXTS, "texts" },
		{ "lempd data 2\n", NO_FANOUTS, "fanouts" },
		{ "lempd data 3\n", NO_RECEIPTS, "receipts" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bench *b = a_directory(state, cases[i].format, cases[i].without);
		for (unsigned tries = 0; tries < 2; tries++) {
			mkdir_in(b, "journal"); /* if there is none */
			assert_int_equal(bench_open(b), ERR_CORRUPT);
			assert_non_null(strstr(b->why, cases[i].said));
			the_format_is(b, cases[i].format);
		}
		bench_destroy(b);
	}
}

static void a_directory_of_version_1_without_its_database_is_refused(void **state)
{
	struct bench *b = bench_new((enum engine_kind)(uintptr_t)*state);
	write_file(b->dir, "format", "lempd data 1\n");
	assert_int_equal(bench_open(b), ERR_CORRUPT);
	the_format_is(b, "lempd data 1\n");
	bench_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EMBEDDED_ONLY(another_version_or_damage_in_the_format_is_refused),
		EMBEDDED_ONLY(a_used_directory_without_format_is_refused),
		EMBEDDED_ONLY(a_first_opening_that_was_cut_short_is_taken_up_again),
		EMBEDDED_ONLY(an_older_directory_is_brought_up_from_wherever_that_was_cut_short),
		EMBEDDED_ONLY(mail_that_an_older_version_stored_is_released_like_any_other),
		EMBEDDED_ONLY(a_journal_that_was_lost_is_refused),
		EMBEDDED_ONLY(a_family_that_was_lost_is_refused_and_not_made_anew),
		EMBEDDED_ONLY(a_directory_of_version_1_without_its_database_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
