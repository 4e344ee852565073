#include "daemon/hashers.h"
#include "base/check.h"
#include "base/err.h"
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#define HASHERS_THREADS_MAX 16
#define WAYS 4
#define DIGEST_BYTES 16
#define SETS (HASHERS_MEMORY / WAYS)

/* Tokens found right: the place of a digest is told by its own first bytes. */
struct memory {
	uint8_t key[crypto_generichash_KEYBYTES];
	uint8_t digest[SETS][WAYS][DIGEST_BYTES];
	uint8_t oldest[SETS]; /* which of the ways goes next */
};

struct hashers {
	pthread_mutex_t lock; /* the only one here; nothing is called with it held but pushes and libsodium */
	pthread_cond_t work;
	struct inbox_node *first, *last; /* jobs that wait */
	unsigned waiting;
	bool stopping;
	enum token_kind kind;
	char dummy[2][TOKEN_HASH_MAX]; /* by kind: what nobody's token is compared with */
	struct memory *memory;
	struct metrics *metrics;
	unsigned thread_n;
	pthread_t threads[HASHERS_THREADS_MAX];
};

static struct hash_job *job_new(struct str token, struct str hash, bool verify)
{
	if (hash.n >= TOKEN_HASH_MAX)
		return NULL;
	struct hash_job *job = calloc(1, sizeof(*job) + token.n);
	if (!job)
		return NULL;
	job->verify = verify;
	job->known = hash.p != NULL;
	job->token_n = token.n;
	job->hash_n = hash.n;
	if (token.n)
		memcpy(job->token, token.p, token.n);
	if (hash.n)
		memcpy(job->hash, hash.p, hash.n);
	return job;
}

struct hash_job *hash_job_verify(struct str token, struct str hash)
{
	return job_new(token, hash, true);
}

struct hash_job *hash_job_hash(struct str token)
{
	return job_new(token, STR_NONE, false);
}

void hash_job_free(struct hash_job **job)
{
	if (*job)
		token_forget((*job)->token, (*job)->token_n);
	free(*job);
	*job = NULL;
}

static struct hash_job *job_of(struct inbox_node *node)
{
	return (struct hash_job *)(void *)((char *)node - offsetof(struct hash_job, task.node));
}

static struct str job_token(const struct hash_job *job)
{
	return (struct str){ job->token, job->token_n };
}

static struct str job_hash(const struct hash_job *job)
{
	return (struct str){ job->hash, job->hash_n };
}

static void job_answer(struct hash_job *job, enum hash_result result)
{
	job->result = result;
	token_forget(job->token, job->token_n);
	task_push(job->inbox, &job->task, job->done);
}

/* --- what was found right --- */

static void digest_of(const struct memory *m, const struct hash_job *job, uint8_t out[DIGEST_BYTES])
{
	crypto_generichash_state state;
	uint64_t hash_n = job->hash_n;
	crypto_generichash_init(&state, m->key, sizeof(m->key), DIGEST_BYTES);
	crypto_generichash_update(&state, (const uint8_t *)&hash_n, sizeof(hash_n));
	crypto_generichash_update(&state, (const uint8_t *)job->hash, job->hash_n);
	crypto_generichash_update(&state, (const uint8_t *)job->token, job->token_n);
	crypto_generichash_final(&state, out, DIGEST_BYTES);
}

static size_t digest_set(const uint8_t digest[DIGEST_BYTES])
{
	uint32_t head;
	memcpy(&head, digest, sizeof(head));
	return head % SETS;
}

/* With the lock held. */
static bool remembered(const struct memory *m, const uint8_t digest[DIGEST_BYTES])
{
	size_t set = digest_set(digest);
	int found = 0;
	for (unsigned way = 0; way < WAYS; way++)
		found |= sodium_memcmp(m->digest[set][way], digest, DIGEST_BYTES) == 0;
	return found;
}

static void remember(struct memory *m, const uint8_t digest[DIGEST_BYTES])
{
	if (remembered(m, digest))
		return;
	size_t set = digest_set(digest);
	memcpy(m->digest[set][m->oldest[set]], digest, DIGEST_BYTES);
	m->oldest[set] = (uint8_t)((m->oldest[set] + 1) % WAYS);
}

/* --- the threads --- */

static enum hash_result verify(const struct hash_job *job)
{
	int right = token_verify(job_token(job), job_hash(job));
	return right < 0 ? HASH_OVERLOADED : right && job->known ? HASH_DONE : HASH_WRONG;
}

static enum hash_result hash(enum token_kind kind, struct hash_job *job)
{
	if (token_hash(kind, job_token(job), job->hash) != OK)
		return HASH_OVERLOADED;
	job->hash_n = strlen(job->hash);
	return HASH_DONE;
}

static void work_on(struct hashers *h, struct hash_job *job, enum token_kind kind)
{
	uint8_t digest[DIGEST_BYTES];
	enum hash_result result = job->verify ? verify(job) : hash(kind, job);
	if (result == HASH_DONE)
		digest_of(h->memory, job, digest);
	pthread_mutex_lock(&h->lock);
	if (result == HASH_DONE)
		remember(h->memory, digest);
	metric_add(h->metrics, METRIC_token_hashes_total, 1);
	pthread_mutex_unlock(&h->lock);
	job_answer(job, result);
}

static void *hasher(void *ctx)
{
	struct hashers *h = ctx;
	pthread_setname_np(pthread_self(), "hasher");
	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->first && !h->stopping)
			pthread_cond_wait(&h->work, &h->lock);
		if (h->stopping)
			break;
		struct hash_job *job = job_of(h->first);
		enum token_kind kind = h->kind;
		h->first = h->first->next;
		h->waiting--;
		pthread_mutex_unlock(&h->lock);
		work_on(h, job, kind);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* With the lock held. */
static bool enqueue(struct hashers *h, struct hash_job *job)
{
	if (h->waiting == HASHERS_QUEUE_MAX || h->stopping)
		return false;
	job->task.node.next = NULL;
	if (h->first)
		h->last->next = &job->task.node;
	else
		h->first = &job->task.node;
	h->last = &job->task.node;
	h->waiting++;
	pthread_cond_signal(&h->work);
	return true;
}

/* Answers without a thread if that is possible. Nobody's token never is remembered. */
static bool answer_quickly(struct hashers *h, struct hash_job *job)
{
	uint8_t digest[DIGEST_BYTES];
	if (token_is_quick(job_hash(job))) {
		job_answer(job, verify(job));
		return true;
	}
	digest_of(h->memory, job, digest);
	pthread_mutex_lock(&h->lock);
	bool right = job->known && remembered(h->memory, digest);
	pthread_mutex_unlock(&h->lock);
	if (right)
		job_answer(job, HASH_DONE);
	return right;
}

void hashers_submit(struct hashers *h, struct hash_job *job)
{
	if (job->verify && !job->known) {
		const char *dummy = h->dummy[hashers_kind(h)];
		job->hash_n = strlen(dummy);
		memcpy(job->hash, dummy, job->hash_n);
	}
	if (job->verify && answer_quickly(h, job))
		return;
	pthread_mutex_lock(&h->lock);
	bool queued = enqueue(h, job);
	pthread_mutex_unlock(&h->lock);
	if (!queued)
		job_answer(job, HASH_OVERLOADED);
}

void hashers_set_kind(struct hashers *h, enum token_kind kind)
{
	pthread_mutex_lock(&h->lock);
	h->kind = kind;
	pthread_mutex_unlock(&h->lock);
}

enum token_kind hashers_kind(struct hashers *h)
{
	pthread_mutex_lock(&h->lock);
	enum token_kind kind = h->kind;
	pthread_mutex_unlock(&h->lock);
	return kind;
}

static bool dummies_init(struct hashers *h)
{
	char token[TOKEN_RANDOM_CHARS];
	randombytes_buf(token, sizeof(token));
	for (unsigned kind = TOKEN_ARGON2ID; kind <= TOKEN_BLAKE2B; kind++)
		if (token_hash(kind, (struct str){ token, sizeof(token) }, h->dummy[kind]) != OK)
			return false;
	return true;
}

struct hashers *hashers_create(unsigned threads, enum token_kind kind, struct metrics *metrics)
{
	CHECK(threads >= 1 && threads <= HASHERS_THREADS_MAX);
	struct hashers *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	token_init();
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->work, NULL);
	h->kind = kind;
	h->metrics = metrics;
	h->memory = calloc(1, sizeof(*h->memory));
	if (!h->memory || !dummies_init(h))
		goto failed;
	randombytes_buf(h->memory, sizeof(*h->memory));
	memset(h->memory->oldest, 0, sizeof(h->memory->oldest));
	for (; h->thread_n < threads; h->thread_n++)
		if (pthread_create(&h->threads[h->thread_n], NULL, hasher, h) != 0)
			goto failed;
	return h;
failed:
	hashers_destroy(&h);
	return NULL;
}

void hashers_destroy(struct hashers **hashers)
{
	struct hashers *h = *hashers;
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_broadcast(&h->work);
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->thread_n; i++)
		pthread_join(h->threads[i], NULL);
	for (struct inbox_node *node = h->first, *next; node; node = next) {
		next = node->next;
		job_answer(job_of(node), HASH_OVERLOADED);
	}
	if (h->memory)
		sodium_memzero(h->memory, sizeof(*h->memory));
	free(h->memory);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->lock);
	free(h);
	*hashers = NULL;
}
