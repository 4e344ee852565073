#include "base/hash.h"
#include "base/check.h"
#include <sodium.h>

_Static_assert(crypto_shorthash_KEYBYTES == sizeof(struct hash_key), "SipHash key");
_Static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(struct hash128), "SipHash-128");

void hash_key_random(struct hash_key *out)
{
	CHECK(sodium_init() >= 0);
	randombytes_buf(out, sizeof(*out));
}

uint64_t hash64(const struct hash_key *key, struct str s)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)s.p, s.n, key->b);
	return h;
}

struct hash128 hash128(const struct hash_key *key, struct str s)
{
	struct hash128 h;
	crypto_shorthash_siphashx24((unsigned char *)&h, (const unsigned char *)s.p, s.n, key->b);
	return h;
}
