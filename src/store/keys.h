/* Keys and values of rows in the base, as docs/storage-format.md tells them. */
#pragma once
#include "base/buf.h"

#define KEY_STR_BYTES_MAX 200 /* of names and ids in keys; protocol.md section 2 allows 128 */
#define KEY_BYTES_MAX 1024
#define VALUE_VERSION 1

/* Keys are order-preserving: integers in them are big-endian. */
struct key { char p[KEY_BYTES_MAX]; size_t n; };
struct key key_bytes(struct str bytes);        /* just these */
struct key key_str(struct str s);              /* a byte of length first: keeps prefixes apart */
struct key key_u64(uint64_t v);
void key_add_bytes(struct key *k, struct str bytes);
void key_add_str(struct key *k, struct str s);
void key_add_u8(struct key *k, uint8_t v);
void key_add_u32(struct key *k, uint32_t v);
void key_add_u64(struct key *k, uint64_t v);
struct key key_after(struct key prefix);       /* the first key behind all with that prefix */
static inline struct str key_view(const struct key *k) { return (struct str){ k->p, k->n }; }
/* Takes the integer off the front; false if there are not so many bytes. */
bool key_cut_u8(struct str *key, uint8_t *out);
bool key_cut_u32(struct str *key, uint32_t *out);
bool key_cut_u64(struct str *key, uint64_t *out);
bool key_cut_str(struct str *key, struct str *out);
/* The first 16 bytes of a key: two keys with different ones are ordered as these are. */
struct key_begin { uint64_t a, b; };
struct key_begin key_begin(struct str key);
static inline int key_begin_cmp(struct key_begin x, struct key_begin y)
{
	return x.a != y.a ? (x.a < y.a ? -1 : 1) : x.b < y.b ? -1 : x.b > y.b;
}

/* Values: a version byte, then what value_cut takes off the front as it was added. */
void value_begin(struct buf *out);
bool value_cut_version(struct str *value);     /* false: damaged or of another version */
bool value_cut(struct str *value, void *out, size_t n);
/* A value that is a time, in milliseconds. */
void value_time(struct buf *out, int64_t ms);
bool value_cut_time(struct str value, int64_t *ms_out);

/* The first byte of keys in FAMILY_BOX is the length of a name, or one of these. Rows of mail all lie in this
 * family, so that a bulk of them is taken whole or not at all. */
enum { BOX_IDS = 0xf1, BOX_ONCE = 0xf2, BOX_SPILLED = 0xf3 };
