/* How tokens are kept: as salted hashes that say of themselves how they were made.
 *
 *   $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH   slow, for tokens people choose (RFC 9106)
 *   $b2$SALT$HASH                              BLAKE2b-256 keyed with the salt (RFC 7693), for
 *                                              tokens of at least 128 random bits
 *
 * Pure but for randomness. Comparisons take the same time wherever tokens differ. */
#pragma once
#include "base/check.h"
#include "base/str.h"

#define TOKEN_HASH_MAX 128 /* with NUL */
#define TOKEN_RANDOM_CHARS 43 /* 32 bytes in base64url without padding */

enum token_kind { TOKEN_ARGON2ID, TOKEN_BLAKE2B };

/* Once before all else; repeated calls do nothing. */
void token_init(void);
/* 0 or ERR_NOMEM (argon2id wants 19 MiB for the moment). */
int token_hash(enum token_kind kind, struct str token, char out[TOKEN_HASH_MAX]) WARN_UNUSED;
/* 1 the token is right, 0 it is not (or the hash is of no kind we know), ERR_NOMEM. */
int token_verify(struct str token, struct str hash) WARN_UNUSED;
/* Is comparing with this hash so quick that no other thread is needed? */
bool token_is_quick(struct str hash);
/* Overwrites a token that is not needed any more. */
void token_forget(void *p, size_t n);
