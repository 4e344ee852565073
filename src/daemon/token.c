#include "daemon/token.h"
#include "base/err.h"
#include <errno.h>
#include <sodium.h>

#define ARGON2_PASSES 2
#define ARGON2_BYTES ((size_t)19 << 20) /* OWASP's first choice for t=2 */

#define B2_PREFIX "$b2$"
#define B2_SALT_BYTES 16
#define B2_SALT_CHARS 22 /* base64url without padding */
#define B2_HASH_BYTES 32
#define B2_HASH_CHARS 43
#define B2_CHARS (sizeof(B2_PREFIX) - 1 + B2_SALT_CHARS + 1 + B2_HASH_CHARS)

_Static_assert(crypto_pwhash_STRBYTES <= TOKEN_HASH_MAX, "argon2id fits");
_Static_assert(B2_CHARS < TOKEN_HASH_MAX, "blake2b fits");
_Static_assert(B2_SALT_BYTES >= crypto_generichash_KEYBYTES_MIN, "the salt is a key");

void token_init(void)
{
	CHECK(sodium_init() >= 0);
}

void token_forget(void *p, size_t n)
{
	if (n)
		sodium_memzero(p, n);
}

static void b2(struct str token, const uint8_t salt[B2_SALT_BYTES], uint8_t out[B2_HASH_BYTES])
{
	CHECK(crypto_generichash(out, B2_HASH_BYTES, (const uint8_t *)token.p, token.n, salt,
				 B2_SALT_BYTES) == 0);
}

/* out holds n characters and a NUL */
static void put_base64(const uint8_t *bytes, size_t bytes_n, char *out, size_t n)
{
	sodium_bin2base64(out, n + 1, bytes, bytes_n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool take_base64(const char *text, size_t text_n, uint8_t *out, size_t n)
{
	size_t got;
	return sodium_base642bin(out, n, text, text_n, NULL, &got, NULL,
				 sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 && got == n;
}

static void b2_hash(struct str token, char out[TOKEN_HASH_MAX])
{
	uint8_t salt[B2_SALT_BYTES], hash[B2_HASH_BYTES];
	char *at = out + sizeof(B2_PREFIX) - 1;
	randombytes_buf(salt, sizeof(salt));
	b2(token, salt, hash);
	memcpy(out, B2_PREFIX, sizeof(B2_PREFIX));
	put_base64(salt, sizeof(salt), at, B2_SALT_CHARS);
	at[B2_SALT_CHARS] = '$';
	put_base64(hash, sizeof(hash), at + B2_SALT_CHARS + 1, B2_HASH_CHARS);
}

bool token_is_quick(struct str hash)
{
	return hash.n == B2_CHARS && memcmp(hash.p, B2_PREFIX, sizeof(B2_PREFIX) - 1) == 0;
}

static int b2_verify(struct str token, struct str hash)
{
	uint8_t salt[B2_SALT_BYTES], wanted[B2_HASH_BYTES], got[B2_HASH_BYTES];
	const char *at = hash.p + sizeof(B2_PREFIX) - 1;
	if (!take_base64(at, B2_SALT_CHARS, salt, sizeof(salt)) || at[B2_SALT_CHARS] != '$' ||
	    !take_base64(at + B2_SALT_CHARS + 1, B2_HASH_CHARS, wanted, sizeof(wanted)))
		return 0;
	b2(token, salt, got);
	return sodium_memcmp(got, wanted, sizeof(got)) == 0;
}

int token_hash(enum token_kind kind, struct str token, char out[TOKEN_HASH_MAX])
{
	if (kind == TOKEN_BLAKE2B) {
		b2_hash(token, out);
		return OK;
	}
	return crypto_pwhash_str_alg(out, token.p, token.n, ARGON2_PASSES, ARGON2_BYTES,
				     crypto_pwhash_ALG_ARGON2ID13) == 0 ? OK : ERR_NOMEM;
}

int token_verify(struct str token, struct str hash)
{
	char text[crypto_pwhash_STRBYTES] = { 0 };
	if (token_is_quick(hash))
		return b2_verify(token, hash);
	if (hash.n >= sizeof(text))
		return 0;
	memcpy(text, hash.p, hash.n);
	errno = 0;
	if (crypto_pwhash_str_verify(text, token.p, token.n) == 0)
		return 1;
	return errno == ENOMEM ? ERR_NOMEM : 0;
}
