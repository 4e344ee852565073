#include "store/keys.h"
#include <endian.h>
#include <string.h>

/* --- keys --- */

void key_add_bytes(struct key *k, struct str bytes)
{
	CHECK(bytes.n <= sizeof(k->p) - k->n);
	if (bytes.n)
		memcpy(k->p + k->n, bytes.p, bytes.n);
	k->n += bytes.n;
}

void key_add_u8(struct key *k, uint8_t v)
{
	key_add_bytes(k, (struct str){ (const char *)&v, sizeof(v) });
}

void key_add_u32(struct key *k, uint32_t v)
{
	uint32_t big = __builtin_bswap32(v);
	key_add_bytes(k, (struct str){ (const char *)&big, sizeof(big) });
}

void key_add_u64(struct key *k, uint64_t v)
{
	uint64_t big = __builtin_bswap64(v);
	key_add_bytes(k, (struct str){ (const char *)&big, sizeof(big) });
}

void key_add_str(struct key *k, struct str s)
{
	CHECK(s.n <= KEY_STR_BYTES_MAX);
	key_add_u8(k, (uint8_t)s.n);
	key_add_bytes(k, s);
}

struct key key_bytes(struct str bytes)
{
	struct key k;
	k.n = 0;
	key_add_bytes(&k, bytes);
	return k;
}

struct key key_str(struct str s)
{
	struct key k;
	k.n = 0;
	key_add_str(&k, s);
	return k;
}

struct key key_u64(uint64_t v)
{
	struct key k;
	k.n = 0;
	key_add_u64(&k, v);
	return k;
}

struct key key_after(struct key k)
{
	while (k.n && (uint8_t)k.p[k.n - 1] == 0xff)
		k.n--;
	CHECK(k.n); /* neither a length of 255 nor such a sequence occurs */
	k.p[k.n - 1]++;
	return k;
}

static bool cut(struct str *from, void *out, size_t n)
{
	if (from->n < n)
		return false;
	memcpy(out, from->p, n);
	from->p += n;
	from->n -= n;
	return true;
}

bool key_cut_u8(struct str *key, uint8_t *out)
{
	return cut(key, out, sizeof(*out));
}

bool key_cut_u32(struct str *key, uint32_t *out)
{
	uint32_t big;
	bool ok = cut(key, &big, sizeof(big));
	*out = ok ? __builtin_bswap32(big) : 0;
	return ok;
}

bool key_cut_u64(struct str *key, uint64_t *out)
{
	uint64_t big;
	bool ok = cut(key, &big, sizeof(big));
	*out = ok ? __builtin_bswap64(big) : 0;
	return ok;
}

bool key_cut_str(struct str *key, struct str *out)
{
	uint8_t n;
	if (!key_cut_u8(key, &n) || key->n < n)
		return false;
	*out = (struct str){ key->p, n };
	key->p += n;
	key->n -= n;
	return true;
}

/* --- values --- */

void value_begin(struct buf *out)
{
	buf_clear(out);
	buf_u8(out, VALUE_VERSION);
}

bool value_cut_version(struct str *value)
{
	uint8_t version;
	return cut(value, &version, 1) && version == VALUE_VERSION;
}

bool value_cut(struct str *value, void *out, size_t n)
{
	return cut(value, out, n);
}

void value_time(struct buf *out, int64_t ms)
{
	value_begin(out);
	buf_add(out, &ms, sizeof(ms));
}

bool value_cut_time(struct str value, int64_t *ms_out)
{
	return value_cut_version(&value) && value_cut(&value, ms_out, sizeof(*ms_out)) && value.n == 0;
}

struct key_begin key_begin(struct str key)
{
	uint64_t words[2] = { 0 };
	memcpy(words, key.p, key.n < sizeof(words) ? key.n : sizeof(words));
	return (struct key_begin){ be64toh(words[0]), be64toh(words[1]) };
}
