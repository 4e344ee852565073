/* Keyed hashes (SipHash of libsodium), so that a peer who chooses names cannot choose collisions. */
#pragma once
#include "base/str.h"
#include <stdint.h>

struct hash_key { uint8_t b[16]; };
struct hash128 { uint64_t a, b; };

void hash_key_random(struct hash_key *out);
uint64_t hash64(const struct hash_key *key, struct str s);
struct hash128 hash128(const struct hash_key *key, struct str s);

static inline bool hash128_eq(struct hash128 x, struct hash128 y) { return x.a == y.a && x.b == y.b; }
