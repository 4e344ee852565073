/* crc32c (Castagnoli), as iSCSI and RFC 3720 have it. Pure. */
#pragma once
#include "base/str.h"
#include <stdint.h>

/* `seed` is 0, or what came out for the bytes before these: the same as of all of them at once. */
uint32_t crc32c(struct str bytes, uint32_t seed);
