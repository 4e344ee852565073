/* SHA-1 (FIPS 180-4), for nothing but Sec-WebSocket-Accept: RFC 6455 demands it, libsodium has
 * none, and no secret rests on it. Pure. */
#pragma once
#include "base/str.h"
#include <stdint.h>

#define SHA1_BYTES 20

void sha1(struct str message, uint8_t out[SHA1_BYTES]);
