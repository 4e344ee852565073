/* What store.h promises of names, the ties between them and their texts, over every engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/store_bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MANY 10000

/* --- rows as text: "kind other born order flags ms text title|" each --- */

static int line_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

static const char *links_text(struct str rows, size_t cursor, bool sorts)
{
	static char lines[16][80], text[16 * 80];
	struct store_link_row l;
	size_t n = 0, at = 0;
	int r;
	while ((r = store_link_row_next(rows, &cursor, &l)) == 1) {
		assert_true(n < COUNT(lines));
		int wrote = snprintf(lines[n++], sizeof(lines[0]), "%u %.*s %d %d %u %d '%.*s' '%.*s'|",
				     l.kind, STR_ARG(l.other), (int)l.born, (int)l.order, l.flags,
				     (int)l.ms, STR_ARG(l.text), STR_ARG(l.title));
		assert_in_range(wrote, 1, sizeof(lines[0]) - 1);
	}
	assert_int_equal(r, 0);
	if (sorts)
		qsort(lines, n, sizeof(lines[0]), line_order);
	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", lines[i]);
	return text;
}

/* What STORE_READ_NAME brings; the links, sorted, in *links. The views live till the next call. */
static bool known(struct bench *b, const char *name, struct store_name_row *row, const char **links)
{
	static struct buf rows;
	struct store_read r = { .kind = STORE_READ_NAME, .name = str_of(name) };
	size_t cursor = 0;
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	buf_deinit(&rows);
	rows = r.rows;
	if (r.found)
		assert_int_equal(store_name_row_next(buf_view(&rows), &cursor, row), 1);
	else
		assert_int_equal(rows.n, 0);
	*links = links_text(buf_view(&rows), cursor, true);
	return r.found;
}

static const char *links_of_name(struct bench *b, const char *name)
{
	struct store_name_row row;
	const char *links;
	assert_true(known(b, name, &row, &links));
	return links;
}

static struct store_read reading_links(const char *name, uint8_t kind, uint8_t side)
{
	return (struct store_read){ .kind = STORE_READ_LINKS, .name = str_of(name), .id = STR(""),
				    .link = kind, .side = side, .rows_max = 100, .bytes_max = 1 << 20 };
}

/* All of a kind, in the order they come. */
static const char *links(struct bench *b, const char *name, uint8_t kind, uint8_t side)
{
	struct store_read r = reading_links(name, kind, side);
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	assert_false(r.more);
	const char *text = links_text(buf_view(&r.rows), 0, false);
	buf_deinit(&r.rows);
	return text;
}

static const char *text_of(struct bench *b, const char *name, uint8_t what)
{
	static char text[64];
	struct store_read r = { .kind = STORE_READ_TEXT, .name = str_of(name), .what = what };
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	assert_int_equal(r.found, r.rows.n > 0);
	assert_in_range(r.rows.n, 0, sizeof(text) - 1);
	snprintf(text, sizeof(text), "%.*s", (int)r.rows.n, r.rows.n ? r.rows.p : "");
	buf_deinit(&r.rows);
	return text;
}

/* --- groups and broadcasts --- */

static void a_group_or_broadcast_is_what_was_put_last(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	const char *no_links;
	struct store_op ops[] = { name_put("g", STORE_GROUP, 5, "first", ""),
				  name_put("b", STORE_BROADCAST, 6, "news", "alice") };
	assert_false(known(b, "g", &row, &no_links));
	bench_do(b, ops, COUNT(ops));
	assert_true(known(b, "g", &row, &no_links));
	assert_string_equal(no_links, "");
	assert_true(str_eq(row.name, STR("g")) && str_eq(row.title, STR("first")) && row.owner.n == 0);
	assert_int_equal(row.kind, STORE_GROUP);
	assert_int_equal(row.born, 5);
	assert_int_equal(row.created_ms, 1234);
	assert_int_equal(row.token.n, 0);
	ops[0].name_put.title = STR("");
	bench_do(b, ops, 1);
	assert_true(known(b, "g", &row, &no_links));
	assert_int_equal(row.title.n, 0);
	assert_int_equal(row.born, 5);
	assert_true(known(b, "b", &row, &no_links));
	assert_int_equal(row.kind, STORE_BROADCAST);
	assert_true(str_eq(row.title, STR("news")) && str_eq(row.owner, STR("alice")));
	bench_destroy(b);
}

static void users_only_are_listed_as_names(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		user("bob", 5), group("boc", 6), name_put("bod", STORE_BROADCAST, 7, "t", "bob"),
		link_put(LINK_FOLLOW, "bob", "boe", 1), text_put("bof", TEXT_STATUS, "x"),
	};
	bench_do(b, ops, COUNT(ops));
	struct store_read r = { .kind = STORE_READ_NAMES, .name = STR("bo"), .id = STR(""),
				.rows_max = 10 };
	struct store_name_row row;
	size_t cursor = 0;
	bench_read(b, &r);
	assert_int_equal(store_name_row_next(buf_view(&r.rows), &cursor, &row), 1);
	assert_true(str_eq(row.name, STR("bob")));
	assert_int_equal(cursor, r.rows.n);
	buf_deinit(&r.rows);
	bench_destroy(b);
}

static void a_user_brings_whom_he_blocks_and_what_he_owns_and_no_other_ties(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		user("bob", 5), user("carol", 6), group("g", 8),
		name_put("news", STORE_BROADCAST, 7, "News", "bob"),
		link_put(LINK_BLOCK, "bob", "carol", 1), link_put(LINK_BLOCK, "bob", "dave", 2),
		link_put(LINK_OWN, "bob", "news", 3),
		/* what is not brought: */
		link_put(LINK_BLOCK, "carol", "bob", 4), link_put(LINK_FOLLOW, "bob", "carol", 5),
		link_put(LINK_FOLLOW, "carol", "bob", 6), link_put(LINK_MEMBER, "bob", "g", 7),
		link_put(LINK_LISTED, "bob", "news", 8), link_put(LINK_BLOCK, "bo", "carol", 9),
		link_put(LINK_BLOCK, "bobb", "carol", 10),
	};
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(links_of_name(b, "bob"), "2 carol 1001 1 0 0 '' ''|"
						     "2 dave 1002 2 0 0 '' ''|"
						     "5 news 1003 3 0 0 '' 'News'|");
	bench_destroy(b);
}

static void a_group_brings_its_members_as_they_stand(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		group("g", 5), link_put(LINK_MEMBER, "bob", "g", 2),
		link_put(LINK_MEMBER, "alice", "g", 3), link_put(LINK_MEMBER, "bob", "gg", 4),
		link_put(LINK_LISTED, "bob", "g", 5), link_put(LINK_MEMBER, "g", "x", 6),
	};
	ops[1].link_put.flags = LINK_ADMIN;
	ops[2].link_put.ms = 123456;
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(links_of_name(b, "g"), "3 alice 1003 3 0 123456 '' ''|"
						   "3 bob 1002 2 1 0 '' ''|");
	bench_destroy(b);
}

static void a_broadcast_brings_its_receivers(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		name_put("news", STORE_BROADCAST, 5, "News", "alice"),
		link_put(LINK_OWN, "alice", "news", 1), link_put(LINK_LISTED, "bob", "news", 2),
		link_put(LINK_LISTED, "carol", "news", 3),
	};
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(links_of_name(b, "news"), "4 bob 1002 2 0 0 '' ''|"
						      "4 carol 1003 3 0 0 '' ''|");
	bench_destroy(b);
}

static void a_group_of_ten_thousand_is_made_read_and_deleted(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op first = group("g", 1), del = name_del("g");
	struct store_batch batch;
	char name[16];
	batch_init(&batch);
	batch_add(&batch, &first, 1);
	size_t mark = txn_begin(&batch.ops);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m%u", i * 7919 % MANY);
		struct store_op op = link_put(LINK_MEMBER, name, "g", i);
		txn_add(&batch.ops, &op);
	}
	txn_end(&batch.ops, mark);
	assert_int_equal(bench_commit(b, 0, &batch), OK);
	struct store_read r = { .kind = STORE_READ_NAME, .name = STR("g") };
	struct store_name_row row;
	struct store_link_row link;
	size_t cursor = 0, n = 0;
	bench_read(b, &r);
	assert_int_equal(store_name_row_next(buf_view(&r.rows), &cursor, &row), 1);
	for (; store_link_row_next(buf_view(&r.rows), &cursor, &link) == 1; n++)
		;
	assert_int_equal(n, MANY);
	assert_int_equal(cursor, r.rows.n);
	bench_do(b, &del, 1);
	assert_string_equal(links(b, "m77", LINK_MEMBER, SIDE_OF), "");
	buf_deinit(&r.rows);
	buf_deinit(&batch.ops);
	bench_destroy(b);
}

/* --- links --- */

static void each_tie_is_seen_from_both_sides_with_the_title_of_where_one_belongs(void **state)
{
	struct bench *b = bench_create(state);
	const struct { uint8_t kind; const char *of, *to; } cases[] = {
		{ LINK_FOLLOW, "1 place 1009 9 1 -8 'nick' ''|", "1 bob 1009 9 1 -8 'nick' ''|" },
		{ LINK_BLOCK, "2 place 1009 9 1 -8 'nick' ''|", "2 bob 1009 9 1 -8 'nick' ''|" },
		{ LINK_MEMBER, "3 place 1009 9 1 -8 'nick' 'new'|", "3 bob 1009 9 1 -8 'nick' ''|" },
		{ LINK_LISTED, "4 place 1009 9 1 -8 'nick' 'new'|", "4 bob 1009 9 1 -8 'nick' ''|" },
		{ LINK_OWN, "5 place 1009 9 1 -8 'nick' 'new'|", "5 bob 1009 9 1 -8 'nick' ''|" },
	};
	struct store_op name = name_put("place", STORE_GROUP, 4, "old", "");
	bench_do(b, &name, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_op op = link_put(cases[i].kind, "bob", "place", 9);
		op.link_put.flags = 1;
		op.link_put.ms = -8;
		op.link_put.text = STR("nick");
		bench_do(b, &op, 1);
	}
	name.name_put.title = STR("new"); /* after they were tied */
	bench_do(b, &name, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(links(b, "bob", cases[i].kind, SIDE_OF), cases[i].of);
		assert_string_equal(links(b, "place", cases[i].kind, SIDE_TO), cases[i].to);
		assert_string_equal(links(b, "bob", cases[i].kind, SIDE_TO), "");
		assert_string_equal(links(b, "place", cases[i].kind, SIDE_OF), "");
	}
	bench_destroy(b);
}

static void links_are_read_by_the_others_name_in_pages_from_either_side(void **state)
{
	struct bench *b = bench_create(state);
	static const char *const others[] = { "d", "b", "bb", "a", "c" }; /* rows alike, but bb's */
	for (unsigned i = 0; i < COUNT(others); i++) {
		struct store_op ops[] = { link_put(LINK_FOLLOW, "me", others[i], i),
					  link_put(LINK_BLOCK, others[i], "me", i),
					  link_put(LINK_FOLLOW, "mee", others[i], i),
					  link_put(LINK_FOLLOW, others[i], "m", i) };
		bench_do(b, ops, COUNT(ops));
	}
	struct store_read one = reading_links("me", LINK_FOLLOW, SIDE_OF);
	one.rows_max = 1;
	bench_read(b, &one);
	size_t row = one.rows.n;
	buf_deinit(&one.rows);
	static char endless[300];
	memset(endless, 'b', sizeof(endless) - 1);
	const struct {
		const char *id;
		unsigned rows_max;
		size_t bytes_max;
		const char *want;
		bool more;
	} cases[] = {
		{ "", 10, 9999, "a b bb c d ", false }, { "", 5, 9999, "a b bb c d ", false },
		{ "", 4, 9999, "a b bb c ", true },     { "", 1, 9999, "a ", true },
		{ "a", 2, 9999, "b bb ", true },        { "b", 2, 9999, "bb c ", true },
		{ "ba", 9, 9999, "bb c d ", false },    { "c", 1, 9999, "d ", false },
		{ "d", 9, 9999, "", false },            { "zzz", 9, 9999, "", false },
		{ "", 9, 1, "a ", true },               { "", 9, row, "a ", true },
		{ "", 9, row + 1, "a b ", true },       { "", 9, 2 * row, "a b ", true },
		{ "", 9, 2 * row + 1, "a b bb ", true }, { "bb", 9, 2 * row, "c d ", false },
		{ endless, 9, 9999, "c d ", false },
	};
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		struct store_read r = i % 2 ? reading_links("me", LINK_BLOCK, SIDE_TO) :
					      reading_links("me", LINK_FOLLOW, SIDE_OF);
		struct store_link_row l;
		char got[64] = "";
		size_t cursor = 0, n = 0;
		r.id = str_of(cases[i / 2].id);
		r.rows_max = cases[i / 2].rows_max;
		r.bytes_max = cases[i / 2].bytes_max;
		bench_read(b, &r);
		assert_int_equal(r.status, OK);
		while (store_link_row_next(buf_view(&r.rows), &cursor, &l) == 1)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s ", STR_ARG(l.other));
		assert_string_equal(got, cases[i / 2].want);
		assert_int_equal(r.more, cases[i / 2].more);
		buf_deinit(&r.rows);
	}
	bench_destroy(b);
}

static void nobody_is_tied_to_a_name_never_heard_of_or_too_long_to_exist(void **state)
{
	struct bench *b = bench_create(state);
	static char endless[3000];
	memset(endless, 'b', sizeof(endless) - 1);
	for (uint8_t kind = LINK_FOLLOW; kind <= LINK_OWN; kind++) {
		assert_string_equal(links(b, "x", kind, SIDE_OF), "");
		assert_string_equal(links(b, endless, kind, SIDE_TO), "");
	}
	assert_string_equal(text_of(b, "x", TEXT_STATUS), "");
	assert_string_equal(text_of(b, endless, TEXT_STATUS), "");
	bench_destroy(b);
}

static void a_tie_put_again_is_the_same_tie_with_what_is_said_last(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		link_put(LINK_FOLLOW, "bob", "carol", 1),
		link_put(LINK_FOLLOW, "bob", "carol", 2),
		link_put(LINK_FOLLOW, "carol", "bob", 3),
	};
	ops[1].link_put.text = STR("caro");
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "1 carol 1002 2 0 0 'caro' ''|");
	assert_string_equal(links(b, "carol", LINK_FOLLOW, SIDE_TO), "1 bob 1002 2 0 0 'caro' ''|");
	bench_do(b, ops, 1);
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "1 carol 1001 1 0 0 '' ''|");
	assert_string_equal(links(b, "carol", LINK_FOLLOW, SIDE_TO), "1 bob 1001 1 0 0 '' ''|");
	bench_destroy(b);
}

static void one_may_be_tied_to_oneself(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		user("bob", 5), link_put(LINK_FOLLOW, "bob", "bob", 1),
	}, del = name_del("bob");
	bench_do(b, ops, COUNT(ops));
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "1 bob 1001 1 0 0 '' ''|");
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_TO), "1 bob 1001 1 0 0 '' ''|");
	bench_do(b, &del, 1);
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "");
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_TO), "");
	bench_destroy(b);
}

static void a_tie_deleted_is_gone_at_both_ends_and_alone(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		link_put(LINK_FOLLOW, "bob", "carol", 1), link_put(LINK_FOLLOW, "bob", "dave", 2),
		link_put(LINK_BLOCK, "bob", "carol", 3), link_put(LINK_FOLLOW, "carol", "bob", 4),
	};
	struct store_op del = link_del(LINK_FOLLOW, "bob", "carol");
	bench_do(b, ops, COUNT(ops));
	bench_do(b, &del, 1);
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "1 dave 1002 2 0 0 '' ''|");
	assert_string_equal(links(b, "carol", LINK_FOLLOW, SIDE_TO), "");
	assert_string_equal(links(b, "bob", LINK_BLOCK, SIDE_OF), "2 carol 1003 3 0 0 '' ''|");
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_TO), "1 carol 1004 4 0 0 '' ''|");
	bench_destroy(b);
}

static void deleting_a_tie_that_is_not_there_changes_nothing(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op op = link_put(LINK_FOLLOW, "bob", "carol", 1);
	struct store_op dels[] = {
		link_del(LINK_FOLLOW, "carol", "bob"), link_del(LINK_BLOCK, "bob", "carol"),
		link_del(LINK_FOLLOW, "bob", "car"), link_del(LINK_FOLLOW, "x", "y"),
	};
	bench_do(b, &op, 1);
	bench_do(b, dels, COUNT(dels));
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "1 carol 1001 1 0 0 '' ''|");
	assert_string_equal(links(b, "carol", LINK_FOLLOW, SIDE_TO), "1 bob 1001 1 0 0 '' ''|");
	bench_destroy(b);
}

/* --- deletion --- */

static void a_name_deleted_leaves_no_tie_at_the_far_ends_and_takes_none_of_others(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op del = name_del("bob");
	for (uint8_t kind = LINK_FOLLOW; kind <= LINK_OWN; kind++) {
		struct store_op ops[] = {
			user("bob", 5), user("bobby", 6), link_put(kind, "bob", "x", 1),
			link_put(kind, "x", "bob", 2), link_put(kind, "bobby", "x", 3),
			link_put(kind, "x", "bobby", 4), link_put(kind, "bo", "x", 5),
		};
		bench_do(b, ops, COUNT(ops));
	}
	bench_do(b, &del, 1);
	for (uint8_t kind = LINK_FOLLOW; kind <= LINK_OWN; kind++) {
		char want[128];
		assert_string_equal(links(b, "bob", kind, SIDE_OF), "");
		assert_string_equal(links(b, "bob", kind, SIDE_TO), "");
		snprintf(want, sizeof(want), "%u bo 1005 5 0 0 '' ''|%u bobby 1003 3 0 0 '' ''|", kind,
			 kind);
		assert_string_equal(links(b, "x", kind, SIDE_TO), want);
		snprintf(want, sizeof(want), "%u bobby 1004 4 0 0 '' ''|", kind);
		assert_string_equal(links(b, "x", kind, SIDE_OF), want);
	}
	bench_destroy(b);
}

static void a_group_deleted_and_made_again_has_no_title_texts_or_members_of_before(void **state)
{
	struct bench *b = bench_create(state);
	struct store_name_row row;
	const char *none;
	struct store_op ops[] = { group("g", 5), link_put(LINK_MEMBER, "bob", "g", 1),
				  text_put("g", TEXT_PICTURE, "p"), text_put("g", TEXT_STATUS, "s"),
				  text_put("gg", TEXT_STATUS, "other's") };
	struct store_op swap[] = { name_del("g"), name_put("g", STORE_GROUP, 9, "", "") };
	bench_do(b, ops, COUNT(ops));
	bench_do(b, &swap[0], 1);
	assert_false(known(b, "g", &row, &none));
	bench_do(b, ops, COUNT(ops));
	bench_do(b, swap, COUNT(swap));
	assert_true(known(b, "g", &row, &none));
	assert_int_equal(row.born, 9);
	assert_int_equal(row.title.n, 0);
	assert_string_equal(none, "");
	assert_string_equal(text_of(b, "g", TEXT_PICTURE), "");
	assert_string_equal(text_of(b, "g", TEXT_STATUS), "");
	assert_string_equal(text_of(b, "gg", TEXT_STATUS), "other's");
	assert_string_equal(links(b, "bob", LINK_MEMBER, SIDE_OF), "");
	bench_destroy(b);
}

static void nothing_is_left_of_bob(struct bench *b)
{
	assert_string_equal(links(b, "bob", LINK_FOLLOW, SIDE_OF), "");
	assert_string_equal(links(b, "carol", LINK_FOLLOW, SIDE_TO), "1 eve 1003 3 0 0 '' ''|");
	assert_string_equal(links(b, "dave", LINK_FOLLOW, SIDE_OF), "");
	assert_string_equal(text_of(b, "bob", TEXT_STATUS), "");
}

static void a_name_deleted_takes_along_what_the_same_transaction_tied_before(void **state)
{
	struct bench *b = bench_create(state);
	struct store_op ops[] = {
		user("bob", 5), link_put(LINK_FOLLOW, "bob", "carol", 1),
		link_put(LINK_FOLLOW, "dave", "bob", 2), text_put("bob", TEXT_STATUS, "s"),
		name_del("bob"), link_put(LINK_FOLLOW, "eve", "carol", 3),
	};
	bench_do(b, ops, COUNT(ops));
	nothing_is_left_of_bob(b);
	bench_destroy(b);
}

/* Given while the engine is busy with another, they may well be one write for it. */
static void a_name_deleted_takes_along_what_was_tied_by_the_batches_right_before(void **state)
{
	struct bench *b = bench_create(state);
	enum { BUSY, TIES, DELETION, BATCHES };
	struct store_batch batches[BATCHES];
	struct store_op ties[] = {
		user("bob", 5), link_put(LINK_FOLLOW, "bob", "carol", 1),
		link_put(LINK_FOLLOW, "dave", "bob", 2), text_put("bob", TEXT_STATUS, "s"),
	};
	struct store_op del[] = { name_del("bob"), link_put(LINK_FOLLOW, "eve", "carol", 3) };
	for (unsigned i = 0; i < BATCHES; i++)
		batch_init(&batches[i]);
	for (unsigned i = 0; i < 1000; i++) {
		struct store_op op = mail("somebody", i + 1, "m", 0);
		batch_add(&batches[BUSY], &op, 1);
	}
	batch_add(&batches[TIES], ties, COUNT(ties));
	batch_add(&batches[DELETION], del, COUNT(del));
	bench_commit_all(b, 0, batches, BATCHES);
	nothing_is_left_of_bob(b);
	for (unsigned i = 0; i < BATCHES; i++)
		buf_deinit(&batches[i].ops);
	bench_destroy(b);
}

/* --- texts --- */

static void a_text_is_what_was_put_last_and_an_empty_one_is_none(void **state)
{
	struct bench *b = bench_create(state);
	const struct { const char *name; uint8_t what; const char *put, *picture, *status; } cases[] = {
		{ "bob", TEXT_STATUS, "here", "", "here" },
		{ "bob", TEXT_PICTURE, "p1", "p1", "here" },
		{ "bob", TEXT_PICTURE, "a longer picture", "a longer picture", "here" },
		{ "bobby", TEXT_STATUS, "another's", "a longer picture", "here" },
		{ "bob", TEXT_STATUS, "", "a longer picture", "" },
		{ "bob", TEXT_STATUS, "", "a longer picture", "" },
		{ "bob", TEXT_STATUS, "again", "a longer picture", "again" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_op op = text_put(cases[i].name, cases[i].what, cases[i].put);
		bench_do(b, &op, 1);
		assert_string_equal(text_of(b, "bob", TEXT_PICTURE), cases[i].picture);
		assert_string_equal(text_of(b, "bob", TEXT_STATUS), cases[i].status);
	}
	bench_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL_ENGINES(a_group_or_broadcast_is_what_was_put_last),
		ALL_ENGINES(users_only_are_listed_as_names),
		ALL_ENGINES(a_user_brings_whom_he_blocks_and_what_he_owns_and_no_other_ties),
		ALL_ENGINES(a_group_brings_its_members_as_they_stand),
		ALL_ENGINES(a_broadcast_brings_its_receivers),
		LARGE_ENGINES(a_group_of_ten_thousand_is_made_read_and_deleted),
		ALL_ENGINES(each_tie_is_seen_from_both_sides_with_the_title_of_where_one_belongs),
		ALL_ENGINES(links_are_read_by_the_others_name_in_pages_from_either_side),
		ALL_ENGINES(nobody_is_tied_to_a_name_never_heard_of_or_too_long_to_exist),
		ALL_ENGINES(a_tie_put_again_is_the_same_tie_with_what_is_said_last),
		ALL_ENGINES(one_may_be_tied_to_oneself),
		ALL_ENGINES(a_tie_deleted_is_gone_at_both_ends_and_alone),
		ALL_ENGINES(deleting_a_tie_that_is_not_there_changes_nothing),
		ALL_ENGINES(a_name_deleted_leaves_no_tie_at_the_far_ends_and_takes_none_of_others),
		ALL_ENGINES(a_group_deleted_and_made_again_has_no_title_texts_or_members_of_before),
		ALL_ENGINES(a_name_deleted_takes_along_what_the_same_transaction_tied_before),
		LARGE_ENGINES(a_name_deleted_takes_along_what_was_tied_by_the_batches_right_before),
		ALL_ENGINES(a_text_is_what_was_put_last_and_an_empty_one_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
