/* Which messages are on their way to the store: the part of promise 3 that an engine cannot
 * know yet (store.h, seen). A set of 128-bit hashes with a count each, one per core. */
#pragma once
#include "base/check.h"
#include "base/hash.h"
#include <stdbool.h>
#include <stddef.h>

struct once_slot { struct hash128 key; uint32_t count; };
struct once {
	struct once_slot *_slots; /* open addressing; count 0: free */
	size_t _mask, _used;
};

void once_deinit(struct once *o);
bool once_has(const struct once *o, struct hash128 key);
void once_add(struct once *o, struct hash128 key); /* aborts when memory is out */
void once_remove(struct once *o, struct hash128 key);

/* The key of a message. Users are told apart by their birth, so that one who takes a deleted
 * user's name is somebody else (protocol.md 13.12). */
struct hash128 once_key(const struct hash_key *secret, uint64_t target_born, uint64_t sender_born,
			struct str id);
