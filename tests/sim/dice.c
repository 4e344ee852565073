#include "dice.h"
#include <sodium.h>
#include <string.h>

/* splitmix64: small, and good enough to choose among actions. */
uint64_t dice_u64(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

unsigned dice_below(struct dice *d, unsigned n)
{
	return (unsigned)(dice_u64(d) % n);
}

unsigned dice_between(struct dice *d, unsigned low, unsigned high)
{
	return low + dice_below(d, high - low + 1);
}

bool dice_chance(struct dice *d, unsigned per_mille)
{
	return per_mille && dice_below(d, 1000) < per_mille;
}

void dice_bytes(struct dice *d, void *out, size_t n)
{
	unsigned char *p = out;
	while (n) {
		uint64_t z = dice_u64(d);
		size_t step = n < sizeof(z) ? n : sizeof(z);
		memcpy(p, &z, step);
		p += step;
		n -= step;
	}
}

static struct dice *dice_of_sodium;

static const char *dice_sodium_name(void)
{
	return "seeded";
}

static uint32_t dice_sodium_u32(void)
{
	return (uint32_t)dice_u64(dice_of_sodium);
}

static void dice_sodium_buf(void *const out, const size_t n)
{
	dice_bytes(dice_of_sodium, out, n);
}

void dice_feed_sodium(struct dice *d)
{
	static randombytes_implementation seeded = {
		.implementation_name = dice_sodium_name,
		.random = dice_sodium_u32,
		.buf = dice_sodium_buf,
	};
	dice_of_sodium = d;
	randombytes_set_implementation(&seeded);
}
