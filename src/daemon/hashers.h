/* Threads that hash tokens, so that no worker waits the 30 ms that argon2id takes.
 *
 * A job goes in from any thread and always comes back, through the inbox it names. What needs
 * no thread is answered at once: quick hashes (token.h), and tokens found right before, which are
 * remembered in memory as a keyed hash of (stored hash, token): a reconnect costs microseconds,
 * and nothing in it helps who reads the memory to find the token faster than the stored hash does.
 *
 * Bounds: HASHERS_QUEUE_MAX jobs wait, more are answered HASH_OVERLOADED; HASHERS_MEMORY tokens
 * are remembered, the oldest of a set of 4 goes first. */
#pragma once
#include "base/metrics.h"
#include "base/str.h"
#include "daemon/task.h"
#include "daemon/token.h"

#define HASHERS_QUEUE_MAX 256
#define HASHERS_MEMORY 65536

enum hash_result { HASH_OVERLOADED = -1, HASH_WRONG = 0, HASH_DONE = 1 }; /* DONE: right, or hashed */

struct hash_job {
	struct task task;
	struct inbox *inbox;      /* where it goes when it is done … */
	void (*done)(struct task *task, struct worker *worker); /* … to run there, and be freed */
	void *ctx;                /* the submitter's */
	uint64_t about;           /* likewise */
	bool verify;              /* else: hash */
	bool known;               /* verify: false if there is nobody to be right about */
	enum hash_result result;
	size_t token_n, hash_n;
	char hash[TOKEN_HASH_MAX];
	char token[];
};

/* Copies both. hash absent: verifying takes the same time as for a user and is wrong. NULL: out of memory,
 * or the hash is too long to be one. */
struct hash_job *hash_job_verify(struct str token, struct str hash);
struct hash_job *hash_job_hash(struct str token);
void hash_job_free(struct hash_job **job); /* overwrites the token */

struct hashers;
/* NULL: no memory or threads. `metrics` is for these threads only (they share it under their lock). */
struct hashers *hashers_create(unsigned threads, enum token_kind kind, struct metrics *metrics);
/* Waits for what is being hashed; what waits is answered HASH_OVERLOADED. */
void hashers_destroy(struct hashers **hashers);
/* How tokens are hashed from now on, and what is done for users that are not known. */
void hashers_set_kind(struct hashers *hashers, enum token_kind kind);
enum token_kind hashers_kind(struct hashers *hashers);
/* The inbox, done, ctx and about of the job must be set. The job belongs to the hashers until `done`. */
void hashers_submit(struct hashers *hashers, struct hash_job *job);
