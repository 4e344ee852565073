/* Tokens and the threads that hash them. */
#include "daemon/hashers.h"
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct inbox inbox;
static sem_t arrived;
static struct metrics metrics;

static void wake(void *ctx)
{
	sem_post(ctx);
}

static void done(struct task *task, struct worker *worker)
{
	(void)task;
	(void)worker;
}

static int setup(void **state)
{
	(void)state;
	token_init();
	sem_init(&arrived, 0, 0);
	inbox_init(&inbox, wake, &arrived);
	return 0;
}

static struct hash_job *job_of(struct inbox_node *node)
{
	return (struct hash_job *)(void *)((char *)node - offsetof(struct hash_job, task.node));
}

static void submit(struct hashers *h, struct hash_job *job)
{
	assert_non_null(job);
	job->inbox = &inbox;
	job->done = done;
	hashers_submit(h, job);
}

/* Waits for the next answer. */
static struct hash_job *answer(void)
{
	sem_wait(&arrived);
	struct inbox_node *node = inbox_take(&inbox);
	assert_non_null(node);
	assert_null(node->next);
	return job_of(node);
}

/* Submits, and returns the result; *threads_out says how often a thread was needed for it. */
static enum hash_result ask(struct hashers *h, struct hash_job *job, int64_t *threads_out)
{
	int64_t before = atomic_load(&metrics.v[METRIC_token_hashes_total]);
	submit(h, job);
	job = answer();
	enum hash_result result = job->result;
	*threads_out = atomic_load(&metrics.v[METRIC_token_hashes_total]) - before;
	hash_job_free(&job);
	return result;
}

static void a_token_is_right_for_its_own_hash_only(void **state)
{
	static const enum token_kind kinds[] = { TOKEN_ARGON2ID, TOKEN_BLAKE2B };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char hash[TOKEN_HASH_MAX], again[TOKEN_HASH_MAX];
		assert_int_equal(token_hash(kinds[i], STR("secret"), hash), 0);
		assert_int_equal(token_hash(kinds[i], STR("secret"), again), 0);
		assert_string_not_equal(hash, again); /* each has a salt of its own */
		assert_null(strstr(hash, "secret"));
		assert_int_equal(token_verify(STR("secret"), str_of(hash)), 1);
		assert_int_equal(token_verify(STR("secret"), str_of(again)), 1);
		assert_int_equal(token_verify(STR("Secret"), str_of(hash)), 0);
		assert_int_equal(token_verify(STR(""), str_of(hash)), 0);
		assert_int_equal(token_is_quick(str_of(hash)), kinds[i] == TOKEN_BLAKE2B);
	}
}

static void hashes_say_how_they_were_made(void **state)
{
	char hash[TOKEN_HASH_MAX];
	(void)state;
	assert_int_equal(token_hash(TOKEN_ARGON2ID, STR("t"), hash), 0);
	assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	assert_int_equal(token_hash(TOKEN_BLAKE2B, STR("t"), hash), 0);
	assert_memory_equal(hash, "$b2$", 4);
	assert_int_equal(strlen(hash), 70);
}

static void no_token_is_right_for_what_is_no_hash(void **state)
{
	static const char *const hashes[] = {
		"", "t", "$b2$", "$b2$$",
		"$b2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!",
		"$b2$AAAAAAAAAAAAAAAAAAAAAAxAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=1$AAAA", "$2y$10$abc",
	};
	char long_one[300];
	(void)state;
	memset(long_one, 'x', sizeof(long_one));
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		assert_int_equal(token_verify(STR("t"), str_of(hashes[i])), 0);
	assert_int_equal(token_verify(STR("t"), (struct str){ long_one, sizeof(long_one) }), 0);
}

static void a_hashed_token_is_found_right_without_a_thread(void **state)
{
	struct hashers *h = hashers_create(2, TOKEN_ARGON2ID, &metrics);
	char hash[TOKEN_HASH_MAX];
	int64_t threads;
	(void)state;
	submit(h, hash_job_hash(STR("secret")));
	struct hash_job *job = answer();
	assert_int_equal(job->result, HASH_DONE);
	memcpy(hash, job->hash, sizeof(hash));
	hash_job_free(&job);
	assert_int_equal(ask(h, hash_job_verify(STR("secret"), str_of(hash)), &threads), HASH_DONE);
	assert_int_equal(threads, 0);
	assert_int_equal(ask(h, hash_job_verify(STR("Secret"), str_of(hash)), &threads), HASH_WRONG);
	assert_int_equal(threads, 1);
	assert_int_equal(ask(h, hash_job_verify(STR("Secret"), str_of(hash)), &threads), HASH_WRONG);
	assert_int_equal(threads, 1);
	hashers_destroy(&h);
}

static void a_token_found_right_once_is_found_right_quickly_the_next_time(void **state)
{
	struct hashers *h = hashers_create(1, TOKEN_ARGON2ID, &metrics);
	char hash[TOKEN_HASH_MAX];
	int64_t threads;
	(void)state;
	assert_int_equal(token_hash(TOKEN_ARGON2ID, STR("secret"), hash), 0);
	assert_int_equal(ask(h, hash_job_verify(STR("secret"), str_of(hash)), &threads), HASH_DONE);
	assert_int_equal(threads, 1);
	assert_int_equal(ask(h, hash_job_verify(STR("secret"), str_of(hash)), &threads), HASH_DONE);
	assert_int_equal(threads, 0);
	hashers_destroy(&h);
}

static void an_unknown_user_costs_what_a_known_one_with_a_wrong_token_does(void **state)
{
	static const struct { enum token_kind kind; int64_t threads; } cases[] = {
		{ TOKEN_ARGON2ID, 1 }, { TOKEN_BLAKE2B, 0 },
	};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct hashers *h = hashers_create(1, cases[i].kind, &metrics);
		char hash[TOKEN_HASH_MAX];
		int64_t threads;
		assert_int_equal(token_hash(cases[i].kind, STR("secret"), hash), 0);
		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(ask(h, hash_job_verify(STR("wrong"), str_of(hash)), &threads),
					 HASH_WRONG);
			assert_int_equal(threads, cases[i].threads);
			assert_int_equal(ask(h, hash_job_verify(STR("wrong"), STR_NONE), &threads),
					 HASH_WRONG);
			assert_int_equal(threads, cases[i].threads);
		}
		hashers_destroy(&h);
	}
}

static void the_kind_of_new_hashes_can_be_changed(void **state)
{
	struct hashers *h = hashers_create(1, TOKEN_ARGON2ID, &metrics);
	(void)state;
	hashers_set_kind(h, TOKEN_BLAKE2B);
	submit(h, hash_job_hash(STR("secret")));
	struct hash_job *job = answer();
	assert_true(token_is_quick((struct str){ job->hash, job->hash_n }));
	hash_job_free(&job);
	hashers_destroy(&h);
}

static void what_does_not_fit_the_queue_is_refused_and_nothing_is_lost(void **state)
{
	enum { JOBS = HASHERS_QUEUE_MAX + 50 };
	struct hashers *h = hashers_create(1, TOKEN_ARGON2ID, &metrics);
	unsigned results[3] = { 0 };
	(void)state;
	for (unsigned i = 0; i < JOBS; i++)
		submit(h, hash_job_hash(STR("secret")));
	hashers_destroy(&h); /* answers what waits */
	for (struct inbox_node *node = inbox_take(&inbox), *next; node; node = next) {
		struct hash_job *job = job_of(node);
		next = node->next;
		results[job->result + 1]++;
		assert_int_equal(job->token[0], 0); /* overwritten */
		hash_job_free(&job);
	}
	assert_int_equal(results[0] + results[2], JOBS);
	assert_true(results[0] >= JOBS - HASHERS_QUEUE_MAX - 10);
}

static void a_hash_too_long_to_be_one_makes_no_job(void **state)
{
	char text[TOKEN_HASH_MAX];
	(void)state;
	memset(text, 'x', sizeof(text));
	assert_null(hash_job_verify(STR("t"), (struct str){ text, sizeof(text) }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_token_is_right_for_its_own_hash_only, setup),
		cmocka_unit_test_setup(hashes_say_how_they_were_made, setup),
		cmocka_unit_test_setup(no_token_is_right_for_what_is_no_hash, setup),
		cmocka_unit_test_setup(a_hashed_token_is_found_right_without_a_thread, setup),
		cmocka_unit_test_setup(a_token_found_right_once_is_found_right_quickly_the_next_time, setup),
		cmocka_unit_test_setup(an_unknown_user_costs_what_a_known_one_with_a_wrong_token_does, setup),
		cmocka_unit_test_setup(the_kind_of_new_hashes_can_be_changed, setup),
		cmocka_unit_test_setup(what_does_not_fit_the_queue_is_refused_and_nothing_is_lost, setup),
		cmocka_unit_test_setup(a_hash_too_long_to_be_one_makes_no_job, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
