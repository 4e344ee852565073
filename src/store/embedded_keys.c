#include "store/embedded.h"
#include "base/clock.h"

static void key_add(struct key *k, const void *p, size_t n)
{
	CHECK(n <= sizeof(k->p) - k->n);
	if (n)
		memcpy(k->p + k->n, p, n);
	k->n += n;
}

/* Names and ids are bounded by 255, so one byte of length keeps prefixes apart. */
static void key_add_str(struct key *k, struct str s)
{
	uint8_t n = (uint8_t)s.n;
	CHECK(s.n <= 255);
	key_add(k, &n, 1);
	key_add(k, s.p, s.n);
}

static void key_add_u64(struct key *k, uint64_t v)
{
	uint64_t big = __builtin_bswap64(v);
	key_add(k, &big, sizeof(big));
}

static uint64_t cut_u64(const char *p)
{
	uint64_t big;
	memcpy(&big, p, sizeof(big));
	return __builtin_bswap64(big);
}

struct key key_user(struct str user)
{
	struct key k;
	k.n = 0;
	key_add_str(&k, user);
	return k;
}

struct key key_box(struct str user, uint64_t seq)
{
	struct key k = key_user(user);
	key_add_u64(&k, seq);
	return k;
}

struct key key_acks(struct str user, struct str id)
{
	struct key k = key_user(user);
	key_add_str(&k, id);
	return k;
}

struct key key_ack(struct str user, struct str id, uint64_t born, struct str sender, uint8_t kind)
{
	struct key k = key_acks(user, id);
	key_add_u64(&k, born);
	key_add_str(&k, sender);
	key_add(&k, &kind, 1);
	return k;
}

bool key_cut_ack(struct str key, struct str prefix, uint64_t *born, struct str *sender, uint8_t *kind)
{
	size_t at = prefix.n;
	if (key.n < at + 8 + 1 + 1)
		return false;
	*born = cut_u64(key.p + at);
	at += 8;
	size_t n = (uint8_t)key.p[at++];
	if (key.n != at + n + 1)
		return false;
	*sender = (struct str){ key.p + at, n };
	*kind = (uint8_t)key.p[at + n];
	return true;
}

uint64_t key_cut_seq(struct str key)
{
	return key.n >= 8 ? cut_u64(key.p + key.n - 8) : 0;
}

struct key key_after(struct key k)
{
	while (k.n && (uint8_t)k.p[k.n - 1] == 0xff)
		k.n--;
	CHECK(k.n); /* a length byte of 255 does not occur */
	k.p[k.n - 1]++;
	return k;
}

/* --- values: a version byte, then fixed fields, then bytes --- */

static bool value_cut(struct str *value, void *out, size_t n)
{
	if (value->n < n)
		return false;
	memcpy(out, value->p, n);
	value->p += n;
	value->n -= n;
	return true;
}

static bool value_cut_version(struct str *value)
{
	uint8_t version;
	return value_cut(value, &version, 1) && version == EMBEDDED_VALUE_VERSION;
}

static void value_begin(struct buf *out)
{
	buf_clear(out);
	buf_u8(out, EMBEDDED_VALUE_VERSION);
}

void value_box(struct buf *out, const struct op_mail *mail)
{
	uint32_t bytes = (uint32_t)mail->text.n;
	struct store_op op = { .type = OP_MAIL, .mail = *mail };
	op.mail.receiver_count = 0;
	op.mail.receivers = STR("");
	value_begin(out);
	buf_u8(out, mail->flags);
	buf_add(out, &bytes, sizeof(bytes));
	txn_add(out, &op);
}

bool value_cut_box(struct str value, struct box_head *head_out, struct str *op_out)
{
	if (!value_cut_version(&value) || !value_cut(&value, &head_out->flags, 1) ||
	    !value_cut(&value, &head_out->text_bytes, sizeof(head_out->text_bytes)))
		return false;
	*op_out = value;
	return true;
}

void value_name(struct buf *out, const struct op_user_put *put)
{
	value_begin(out);
	buf_u8(out, STORE_USER);
	buf_u8(out, put->type);
	buf_add(out, &put->born, sizeof(put->born));
	buf_str(out, put->token);
}

bool value_cut_name(struct str value, struct store_name_row *row_out)
{
	*row_out = (struct store_name_row){ .last_seen_ms = -1 };
	if (!value_cut_version(&value) || !value_cut(&value, &row_out->kind, 1) ||
	    !value_cut(&value, &row_out->type, 1) ||
	    !value_cut(&value, &row_out->born, sizeof(row_out->born)))
		return false;
	row_out->token = value;
	return row_out->kind == STORE_USER;
}

void value_ack(struct buf *out, uint8_t flags, int64_t ms)
{
	value_begin(out);
	buf_u8(out, flags);
	buf_add(out, &ms, sizeof(ms));
}

bool value_cut_ack(struct str value, uint8_t *flags, int64_t *ms)
{
	return value_cut_version(&value) && value_cut(&value, flags, 1) &&
	       value_cut(&value, ms, sizeof(*ms)) && value.n == 0;
}

void value_time(struct buf *out, int64_t ms)
{
	value_begin(out);
	buf_add(out, &ms, sizeof(ms));
}

bool value_cut_time(struct str value, int64_t *ms)
{
	return value_cut_version(&value) && value_cut(&value, ms, sizeof(*ms)) && value.n == 0;
}

bool embedded_aged(const struct store_embedded *e, int64_t ms)
{
	return ms && ms + e->retention_ms <= wall_now().ms;
}
