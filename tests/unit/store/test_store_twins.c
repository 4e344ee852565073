/* Random transactions into the memory engine and the embedded one: both must answer every question
 * alike, also after the embedded one was closed, opened and compacted; and over a simulated disk after it was
 * killed anywhere, lost its power, or met a disk that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/base_rocksdb.h"
#include "store/embedded.h"
#include "store/store_bench.h"

#define ROUNDS 400
#define GAPS 3
#define SEEDS 20 /* of the simulated disk; $LEMP_TWIN_SEEDS */
#define ASK_EVERY 4
#define REOPEN_EVERY 50
#define BATCHES_MAX 4 /* under way at once: the embedded engine may write them as one */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const users[] = { "a", "al", "alice", "bob", "b\xff", "\xf0\x9f\x8c\xbb", "zed" };
static const char *const groups[] = { "alicf", "g", "gg", "\xff" };
static const char *const ids[] = { "1", "11", "m\x01", "old-1", "old-2" }; /* old: released long ago */
static const char *const senders[] = { "alice", "bob", "alic" };

struct mailed { uint64_t seq; const char *user, *id, *sender; bool released; };

struct twins {
	struct bench *bench[2];
	uint64_t random, seq;
	struct mailed mails[4096];
	unsigned mail_n;
	uint64_t fanouts[256]; /* the last ones; some have ended */
	unsigned fanout_n;
	int64_t now;
	uint64_t marks;            /* batches so far; each says its number */
	uint32_t failures;         /* what the second twin refused to each of its workers */
	unsigned deaths, lost, refused; /* how often the second twin died in a commit; without a trace of it */
	unsigned answered[STORE_READ_FANOUTS + 1]; /* reads that found something */
};

static unsigned dice(struct twins *t, unsigned below)
{
	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(t->random >> 33) % below;
}

static const char *any_user(struct twins *t) { return users[dice(t, COUNT(users))]; }
static const char *any_group(struct twins *t) { return groups[dice(t, COUNT(groups))]; }
static const char *any_name(struct twins *t) { return dice(t, 3) ? any_user(t) : any_group(t); }

/* Now and then one above those of the mails that come first (STORE_SEQ_BITS). */
static uint64_t any_seq(struct twins *t)
{
	return dice(t, (unsigned)t->seq + 1) + (dice(t, 2) ? UINT64_C(1) << STORE_SEQ_BITS : 0);
}

static int64_t release_ms(const struct twins *t, const char *id)
{
	return id[0] == 'o' ? t->now - DAY_MS - 100000 : t->now;
}

static struct store_op random_mail(struct twins *t)
{
	const char *to[3] = { any_user(t), NULL, NULL };
	const char *id = ids[dice(t, COUNT(ids))], *sender = senders[dice(t, COUNT(senders))];
	static const uint8_t flags[] = { 0, 0, 0, MAIL_NO_PC, MAIL_RECEIPT, MAIL_INFO };
	if (dice(t, 4) == 0) {
		to[1] = any_user(t);
		if (to[1] == to[0])
			to[1] = NULL;
		id = ids[dice(t, 3)]; /* time goes on from one's release, or deletion, to the other's */
	}
	uint64_t seq = ++t->seq + (dice(t, 2) ? UINT64_C(1) << STORE_SEQ_BITS : 0);
	struct store_op op = mail_to_all(to, seq, id, flags[dice(t, COUNT(flags))]);
	op.mail.sender = str_of(sender);
	op.mail.sender_born = strlen(sender);
	for (unsigned i = 0; to[i] && !(op.mail.flags & (MAIL_RECEIPT | MAIL_INFO)); i++)
		if (t->mail_n < COUNT(t->mails))
			t->mails[t->mail_n++] = (struct mailed){ seq, to[i], id, sender, false };
	return op;
}

/* Information that is written over, as it counts up; its sequences are no other's. */
static struct store_op random_gap(struct twins *t)
{
	static const char *const counts[] = { "one", "two or three", "many more than that" };
	const char *to = any_user(t);
	uint64_t seq = 1 + dice(t, GAPS);
	struct store_op op = mail(to, seq, "gap", MAIL_INFO);
	if (dice(t, 3) == 0) {
		op = release(to, seq, "gap", ACK_PONG, t->now);
		op.release.flags = MAIL_INFO;
		op.release.once = (struct hash128){ 0 };
		return op;
	}
	op.mail.text = str_of(counts[dice(t, COUNT(counts))]);
	return op;
}

static struct store_op random_release(struct twins *t)
{
	struct mailed *m = &t->mails[dice(t, t->mail_n)];
	static const uint8_t kinds[] = { ACK_DM, ACK_NM, ACK_PONG };
	uint8_t kind = kinds[dice(t, COUNT(kinds))];
	if (m->released) {
		struct store_op op = ack(m->user, m->id, kind, t->now);
		op.ack.sender = str_of(m->sender);
		op.ack.sender_born = strlen(m->sender);
		return op;
	}
	m->released = true;
	struct store_op op = release(m->user, m->seq, m->id, kind, release_ms(t, m->id));
	op.release.sender = str_of(m->sender);
	op.release.sender_born = strlen(m->sender);
	return op;
}

static struct store_op random_del(struct twins *t)
{
	const char *name = any_name(t);
	unsigned kept = 0;
	for (unsigned i = 0; i < t->mail_n; i++)
		if (t->mails[i].user != name)
			t->mails[kept++] = t->mails[i];
	t->mail_n = kept;
	return name_del(name);
}

static struct store_op random_link(struct twins *t)
{
	static const char *const texts[] = { "", "nick" };
	uint8_t kind = (uint8_t)(LINK_FOLLOW + dice(t, LINK_OWN));
	const char *from = any_name(t), *to = any_name(t);
	if (dice(t, 4) == 0)
		return link_del(kind, from, to);
	struct store_op op = link_put(kind, from, to, ++t->seq);
	op.link_put.flags = (uint8_t)dice(t, 2);
	op.link_put.ms = (int64_t)dice(t, 2) * 1234;
	op.link_put.text = str_of(texts[dice(t, COUNT(texts))]);
	return op;
}

static struct store_op random_fanout(struct twins *t)
{
	unsigned what = dice(t, 6);
	uint64_t *one = &t->fanouts[dice(t, t->fanout_n ? t->fanout_n : 1)];
	if (what >= 2 && t->fanout_n)
		return what == 5 ? fanout_end(*one) : fanout_done(*one, dice(t, 5));
	struct store_op op = fanout(++t->seq, dice(t, 5));
	op.fanout.kind = dice(t, 2) ? STORE_GROUP : STORE_BROADCAST;
	op.fanout.ms = dice(t, 2) ? t->now : 1000;
	if (t->fanout_n < COUNT(t->fanouts))
		one = &t->fanouts[t->fanout_n++];
	*one = t->seq;
	return op;
}

static struct store_op random_name(struct twins *t)
{
	static const char *const texts[] = { "", "here", "there" };
	switch (dice(t, 5)) {
	case 0:
		return user(any_user(t), ++t->seq);
	case 1:
		return last_seen(any_user(t), t->now);
	case 2:
		return name_put(any_group(t), dice(t, 2) ? STORE_GROUP : STORE_BROADCAST, ++t->seq,
				texts[dice(t, COUNT(texts))], any_user(t));
	case 3:
		return text_put(any_name(t), dice(t, 2) ? TEXT_PICTURE : TEXT_STATUS,
				texts[dice(t, COUNT(texts))]);
	default:
		return random_link(t);
	}
}

static struct store_op random_op(struct twins *t)
{
	unsigned what = dice(t, 100);
	if (what < 2)
		return random_del(t);
	if (what < 20)
		return random_name(t);
	if (what < 35)
		return random_link(t);
	if (what < 50)
		return random_fanout(t);
	if (what < 58)
		return random_gap(t);
	if (what < 60)
		return (struct store_op){ .type = OP_ONCE, .once = { once_of(++t->seq), t->now } };
	return what < 80 || !t->mail_n ? random_mail(t) : random_release(t);
}

static void random_batch(struct twins *t, struct store_batch *batch)
{
	batch_init(batch);
	for (unsigned txns = 1 + dice(t, 3); txns; txns--) {
		struct store_op ops[3];
		unsigned n = 1 + dice(t, COUNT(ops));
		for (unsigned i = 0; i < n; i++)
			ops[i] = random_op(t);
		batch_add(batch, ops, n);
	}
}

static void wait_for(struct bench *b, unsigned w, unsigned n)
{
	while (n)
		for (struct inbox_node *node = bench_take(b, w); node; node = node->next)
			n--;
}

/* Of both workers, under way together. */
static void submit_all(struct bench *b, struct store_batch *batches, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		store_submit(b->store, i % WORKERS, &batches[i]);
	for (unsigned w = 0; w < WORKERS; w++)
		wait_for(b, w, (n + WORKERS - 1 - w) / WORKERS);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(batches[i].status, OK);
}

/* --- dying --- */

static void mark(struct twins *t, struct store_batch *batch)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)++t->marks);
	struct store_op op = text_put("mark", TEXT_STATUS, text);
	batch_add(batch, &op, 1);
}

static uint64_t marked(struct bench *b)
{
	struct store_read r = { .kind = STORE_READ_TEXT, .name = STR("mark"), .what = TEXT_STATUS };
	char text[32] = "0";
	bench_read(b, &r);
	assert_int_equal(r.status, OK);
	assert_true(r.rows.n < sizeof(text));
	if (r.found)
		memcpy(text, r.rows.p, r.rows.n);
	buf_deinit(&r.rows);
	return strtoull(text, NULL, 10);
}

static void reborn(struct twins *t, bool power)
{
	struct bench *b = t->bench[1];
	simulated_kill(b->store);
	base_memory_crash(b->disk.base);
	if (power)
		files_memory_crash(b->disk.files);
	t->failures = 0;
	if (bench_open(b) != OK)
		fail_msg("%s", b->why);
}

/* Something goes wrong at a random one of the next calls, or further on than this batch. */
static void trouble(struct twins *t)
{
	struct simulated_disk *disk = &t->bench[1]->disk;
	unsigned nth = 1 + dice(t, 10);
	switch (dice(t, 12)) {
	case 0:
		files_memory_kill(disk->files, nth);
		break;
	case 1:
		files_memory_fail(disk->files, nth, ERR_IO);
		break;
	case 2:
		files_memory_fail(disk->files, nth, ERR_NOSPC);
		break;
	case 3:
		base_memory_fail(disk->base, nth, dice(t, 2) ? ERR_IO : ERR_NOSPC);
		break;
	default:
		break;
	}
}

/* False: it died, or refused the batch. */
static bool submit_once(struct twins *t, struct store_batch *batch)
{
	static jmp_buf dead;
	struct bench *b = t->bench[1];
	unsigned work = dice(t, 4);
	batch->failures_seen = t->failures;
	simulated_catch(&dead);
	bool died = setjmp(dead) != 0;
	if (!died) {
		store_submit(b->store, 0, batch);
		while (work-- && simulated_work(b->store))
			;
	}
	simulated_catch(NULL);
	if (!died) {
		assert_ptr_equal(inbox_take(&b->inbox[0]), &batch->node);
		if (batch->status == OK)
			return true;
		t->failures++;
		t->refused++;
		return false;
	}
	t->deaths++;
	reborn(t, dice(t, 2));
	return false;
}

static void submit_till_done(struct twins *t, struct store_batch *batch)
{
	mark(t, batch);
	trouble(t);
	for (unsigned tries = 0; !submit_once(t, batch); tries++) {
		assert_true(tries < 100);
		uint64_t last = marked(t->bench[1]);
		assert_true(last == t->marks || last + 1 == t->marks); /* what was told before is there */
		if (last == t->marks)
			break; /* it had come to the disk */
		t->lost++;
	}
	files_memory_kill(t->bench[1]->disk.files, 0);
	if (dice(t, 20) == 0)
		reborn(t, dice(t, 2));
}

static void random_batches(struct twins *t)
{
	struct store_batch batches[BATCHES_MAX];
	unsigned n = 1 + dice(t, BATCHES_MAX);
	for (unsigned i = 0; i < n; i++)
		random_batch(t, &batches[i]);
	for (unsigned i = 0; i < n && t->bench[1]->kind == SIMULATED; i++)
		submit_till_done(t, &batches[i]);
	for (unsigned i = 0; i < n; i++)
		batches[i].failures_seen = 0;
	submit_all(t->bench[0], batches, n);
	if (t->bench[1]->kind != SIMULATED)
		submit_all(t->bench[1], batches, n);
	for (unsigned i = 0; i < n; i++)
		buf_deinit(&batches[i].ops);
}

/* --- comparing --- */

static int row_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Rows of FIND in an order of their own: none is promised among the released ones. */
static struct buf sorted_rows(const struct buf *rows)
{
	struct str row[256], bytes = buf_view(rows);
	struct buf out;
	size_t cursor = 0, n = 0;
	while (n < COUNT(row) && store_txn_next(bytes, &cursor, &row[n]) == 1)
		n++;
	assert_int_equal(cursor, bytes.n);
	qsort(row, n, sizeof(row[0]), row_order);
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < n; i++)
		buf_str(&out, row[i]);
	return out;
}

static void ask_both(struct twins *t, struct store_read question)
{
	struct store_read answer[2] = { question, question };
	for (unsigned i = 0; i < 2; i++) {
		bench_read(t->bench[i], &answer[i]);
		assert_int_equal(answer[i].status, OK);
		if (question.kind == STORE_READ_FIND) {
			struct buf sorted = sorted_rows(&answer[i].rows);
			buf_deinit(&answer[i].rows);
			answer[i].rows = sorted;
		}
	}
	assert_int_equal(answer[0].found, answer[1].found);
	assert_int_equal(answer[0].more, answer[1].more);
	assert_int_equal(answer[0].rows.n, answer[1].rows.n);
	if (answer[0].rows.n)
		assert_memory_equal(answer[0].rows.p, answer[1].rows.p, answer[0].rows.n);
	t->answered[question.kind] += answer[0].found || answer[0].rows.n;
	for (unsigned i = 0; i < 2; i++)
		buf_deinit(&answer[i].rows);
}

static void ask_links(struct twins *t, struct str name)
{
	for (uint8_t kind = LINK_FOLLOW; kind <= LINK_OWN; kind++)
		for (uint8_t side = SIDE_OF; side <= SIDE_TO; side++)
			ask_both(t, (struct store_read){
				.kind = STORE_READ_LINKS, .name = name, .link = kind, .side = side,
				.id = dice(t, 2) ? str_of(any_name(t)) : STR(""),
				.bytes_max = 1 + dice(t, 500), .rows_max = 1 + dice(t, 8) });
}

static void ask_name(struct twins *t, struct str name)
{
	ask_both(t, (struct store_read){ .kind = STORE_READ_NAME, .name = name });
	ask_both(t, (struct store_read){ .kind = STORE_READ_MAILBOX, .name = name, .after = any_seq(t),
					 .bytes_max = 1 + dice(t, 2000), .rows_max = 1 + dice(t, 20) });
	ask_both(t, (struct store_read){ .kind = STORE_READ_NAMES, .id = dice(t, 2) ? name : STR(""),
					 .name = { name.p, dice(t, (unsigned)name.n + 1) },
					 .rows_max = 1 + dice(t, 8) });
	for (uint8_t what = TEXT_PICTURE; what <= TEXT_STATUS; what++)
		ask_both(t, (struct store_read){ .kind = STORE_READ_TEXT, .name = name, .what = what });
	for (unsigned k = 0; k < COUNT(ids); k++)
		ask_both(t, (struct store_read){ .kind = STORE_READ_FIND, .name = name,
						 .id = str_of(ids[k]) });
	ask_links(t, name);
}

static void ask_everything(struct twins *t)
{
	for (unsigned i = 0; i < COUNT(users); i++)
		ask_name(t, str_of(users[i]));
	for (unsigned i = 0; i < COUNT(groups); i++)
		ask_name(t, str_of(groups[i]));
	ask_both(t, (struct store_read){ .kind = STORE_READ_FANOUTS,
					 .after = dice(t, (unsigned)t->seq + 1),
					 .bytes_max = 1 + dice(t, 2000), .rows_max = 1 + dice(t, 20) });
	for (unsigned i = 0; i < 40; i++) {
		struct hash128 once = once_of(any_seq(t));
		bool seen = is_seen(t->bench[0], once);
		assert_int_equal(seen, is_seen(t->bench[1], once));
		t->answered[STORE_READ_SEEN] += seen;
	}
}

static void renew(struct twins *t, bool compacts)
{
	struct bench *b = t->bench[1];
	bench_close(b);
	t->failures = 0;
	assert_int_equal(bench_open(b), OK);
	if (compacts && b->kind == EMBEDDED)
		base_rocksdb_compact(((struct store_embedded *)(void *)b->store)->base);
}

static void compare(struct twins *t, enum engine_kind kind, uint64_t segment_bytes, uint64_t seed, unsigned rounds)
{
	struct store_op first = last_seen("zed", now_ms());
	*t = (struct twins){ .random = seed, .now = now_ms(), .seq = GAPS };
	for (unsigned i = 0; i < 2; i++) {
		t->bench[i] = bench_new(i ? kind : MEMORY);
		t->bench[i]->segment_bytes = segment_bytes;
		assert_int_equal(bench_open(t->bench[i]), OK);
		bench_do(t->bench[i], &first, 1);
	}
	for (unsigned n = 1; n <= rounds; n++) {
		random_batches(t);
		if (n % REOPEN_EVERY == 0)
			renew(t, n / REOPEN_EVERY % 2);
		if (n % ASK_EVERY == 0)
			ask_everything(t);
	}
	for (unsigned i = 0; i < COUNT(t->answered); i++)
		assert_true(t->answered[i] > rounds / ASK_EVERY / 2); /* most were not empty */
	for (unsigned i = 0; i < 2; i++)
		bench_destroy(t->bench[i]);
}

static void the_embedded_engine_answers_as_the_reference_does(void **state)
{
	static struct twins t;
	(void)state;
	compare(&t, EMBEDDED, 0, 42, ROUNDS);
	compare(&t, EMBEDDED, 1 << 14, 43, ROUNDS);
}

static void it_does_however_its_disk_fails_and_wherever_it_dies(void **state)
{
	static struct twins t;
	unsigned deaths = 0, lost = 0, refused = 0;
	(void)state;
	const char *more = getenv("LEMP_TWIN_SEEDS");
	uint64_t seeds = more ? strtoull(more, NULL, 10) : SEEDS;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		compare(&t, SIMULATED, 0, seed, ROUNDS / 2);
		deaths += t.deaths;
		lost += t.lost;
		refused += t.refused;
	}
	assert_true(deaths > SEEDS * 5 && lost > SEEDS && refused > SEEDS);
	assert_true(lost < deaths + refused); /* some came to the disk untold */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_embedded_engine_answers_as_the_reference_does),
		cmocka_unit_test(it_does_however_its_disk_fails_and_wherever_it_dies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
