/* An engine around another that misbehaves on command; for tests and the simulator only.
 * Single-threaded: nothing comes back until the owner says so. */
#pragma once
#include "store/store.h"

/* Wraps `inner` (store_memory in the simulator), which the wrapper then owns and whose inboxes
 * must be drained only by it. The wrapper's own completions go to `inbox`. */
struct store *fault_wrap(struct store *inner, struct inbox *const *inbox, unsigned workers);
/* Batches and reads waiting. */
unsigned fault_batches(const struct store *s, unsigned w);
unsigned fault_reads(const struct store *s, unsigned w);
/* Commits the oldest waiting batch of worker w and hands it back. False if none waits. */
bool fault_commit(struct store *s, unsigned w);
/* Refuses it with ERR_UNAVAILABLE, and with it what the contract says must fail too. */
bool fault_refuse(struct store *s, unsigned w);
/* Answers the nth waiting read of worker w (0 is the oldest), or fails it with `status`. */
bool fault_answer(struct store *s, unsigned w, unsigned nth, int status);
/* If set, seen() answers -1 this often out of 1000 (seeded), so that the slow way is taken. */
void fault_seen_unknown(struct store *s, unsigned per_mille, uint64_t seed);
/* Power loss: drops what waits (batches and reads are only forgotten: they belong to the chat
 * that died with them), gives back the inner store with what was committed. Frees the wrapper. */
struct store *fault_crash(struct store *s);
