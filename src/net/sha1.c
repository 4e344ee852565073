#include "net/sha1.h"

#define BLOCK_BYTES 64

static uint32_t rotate(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

static void add_block(uint32_t hash[5], const uint8_t block[BLOCK_BYTES])
{
	uint32_t w[80];
	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, k;
		if (i < 20)
			f = (b & c) | (~b & d), k = 0x5A827999;
		else if (i < 40)
			f = b ^ c ^ d, k = 0x6ED9EBA1;
		else if (i < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
		else
			f = b ^ c ^ d, k = 0xCA62C1D6;
		uint32_t next = rotate(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	hash[0] += a;
	hash[1] += b;
	hash[2] += c;
	hash[3] += d;
	hash[4] += e;
}

void sha1(struct str message, uint8_t out[SHA1_BYTES])
{
	uint32_t hash[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
	size_t whole = message.n - message.n % BLOCK_BYTES;
	for (size_t at = 0; at < whole; at += BLOCK_BYTES)
		add_block(hash, (const uint8_t *)message.p + at);

	/* The rest, a 1 bit, zeros, and the length in bits: one block or two. */
	uint8_t last[2 * BLOCK_BYTES] = { 0 };
	size_t rest = message.n - whole;
	if (rest)
		memcpy(last, message.p + whole, rest);
	last[rest] = 0x80;
	size_t n = rest + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
	uint64_t bits = (uint64_t)message.n * 8;
	for (size_t i = 0; i < 8; i++)
		last[n - 1 - i] = (uint8_t)(bits >> 8 * i);
	for (size_t at = 0; at < n; at += BLOCK_BYTES)
		add_block(hash, last + at);

	for (size_t i = 0; i < SHA1_BYTES; i++)
		out[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
}
