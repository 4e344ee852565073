#include "store/crc32c.h"
#include <isa-l/crc.h>
#include <limits.h>

uint32_t crc32c(struct str bytes, uint32_t seed)
{
	/* ISA-L reads only, counts in int, and leaves the inversions to the caller. */
	unsigned char *p = (unsigned char *)(uintptr_t)bytes.p;
	uint32_t crc = ~seed;
	for (size_t left = bytes.n; left;) {
		size_t n = left < INT_MAX ? left : INT_MAX;
		crc = crc32_iscsi(p, (int)n, crc);
		p += n;
		left -= n;
	}
	return ~crc;
}
