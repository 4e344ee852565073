/* The embedded engine's directory: its version, how one of version 1 is brought up, what is refused.
 *
 * What version 1 lacked are families, so a directory of version 1 is one without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_files.h"

static void another_version_or_damage_in_the_format_is_refused(void **state)
{
	struct bench *b = bench_create(state);
	const struct { const char *text; int err; } cases[] = {
		{ "lempd data 3\n", ERR_VERSION }, { "lempd data 0\n", ERR_VERSION },
		{ "lempd data 2", ERR_VERSION },   { "", ERR_CORRUPT },
		{ "lempd", ERR_CORRUPT },          { "\x7f" "ELF", ERR_CORRUPT },
	};
	bench_close(b);
	const struct files before = files_of(b->dir);
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file(b->dir, "format", cases[i].text);
		assert_int_equal(bench_open(b), cases[i].err);
		assert_non_null(strstr(b->why, "format"));
		const struct files after = files_of(b->dir);
		assert_memory_equal(&before, &after, sizeof(before)); /* untouched */
	}
	write_file(b->dir, "format", "lempd data 2\n");
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

/* --- version 1 --- */

/* With a user and his mail in it, closed, without some families. */
static struct bench *a_directory(void **state, const char *format, unsigned without)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = { user("bob", 5), last_seen("bob", 6), mail("bob", 1, "a", 0),
				  mail("bob", 2, "b", 0), release("bob", 2, "b", ACK_DM, now_ms()) };
	bench_do(b, ops, COUNT(ops));
	bench_close(b);
	drop_families(b, without);
	write_file(b->dir, "format", format);
	return b;
}

static void all_is_kept_and_the_new_can_be_stored(struct bench *b)
{
	struct store_read name = { .kind = STORE_READ_NAME, .name = STR("bob") };
	struct store_read text = { .kind = STORE_READ_TEXT, .name = STR("bob"), .what = TEXT_STATUS };
	struct store_op op = text_put("bob", TEXT_STATUS, "here");
	bench_read(b, &name);
	assert_true(name.status == OK && name.found);
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
static void a_directory_of_version_1_is_brought_up_from_wherever_that_was_cut_short(void **state)
{
	const struct { unsigned without; const char *format_new; } cases[] = {
		{ NEW_FAMILIES, NULL },         /* not begun */
		{ NO_TEXTS | NO_FANOUTS, NULL },
		{ NO_FANOUTS, NULL },
		{ 0, NULL },                    /* all made */
		{ 0, "" },                      /* the new format half written */
		{ 0, "lempd da" },
		{ 0, "lempd data 2\n" },        /* not yet in its place */
		{ NEW_FAMILIES, "lempd da" },   /* of the making of version 1 */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bench *b = a_directory(state, "lempd data 1\n", cases[i].without);
		if (cases[i].format_new)
			write_file(b->dir, "format.new", cases[i].format_new);
		assert_int_equal(bench_open(b), OK);
		the_format_is(b, "lempd data 2\n");
		assert_int_equal(b->store->epoch, 2);
		all_is_kept_and_the_new_can_be_stored(b);
		bench_close(b);
		assert_int_equal(bench_open(b), OK);
		all_is_kept_and_the_new_can_be_stored(b);
		bench_destroy(b);
	}
}

static void a_family_that_was_lost_is_refused_and_not_made_anew(void **state)
{
	const struct { const char *format; unsigned without; const char *said; } cases[] = {
		{ "lempd data 1\n", NO_ACKS, "acks" },
		{ "lempd data 1\n", NO_ACKS | NEW_FAMILIES, "acks" },
		{ "lempd data 2\n", NO_ACKS, "acks" },
		{ "lempd data 2\n", NO_LINKS, "links" },
		{ "lempd data 2\n", NO_TEXTS, "texts" },
		{ "lempd data 2\n", NO_FANOUTS, "fanouts" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bench *b = a_directory(state, cases[i].format, cases[i].without);
		for (unsigned tries = 0; tries < 2; tries++) {
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
		EMBEDDED_ONLY(a_directory_of_version_1_is_brought_up_from_wherever_that_was_cut_short),
		EMBEDDED_ONLY(a_family_that_was_lost_is_refused_and_not_made_anew),
		EMBEDDED_ONLY(a_directory_of_version_1_without_its_database_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
