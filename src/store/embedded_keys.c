#include "store/embedded.h"
#include "base/clock.h"

static void key_add(struct key *k, const void *p, size_t n)
{
	CHECK(n <= sizeof(k->p) - k->n);
	if (n)
		memcpy(k->p + k->n, p, n);
	k->n += n;
}

/* One byte of length keeps prefixes apart. */
static void key_add_str(struct key *k, struct str s)
{
	uint8_t n = (uint8_t)s.n;
	CHECK(s.n <= EMBEDDED_NAME_BYTES_MAX);
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

struct key key_id(struct str user, struct str id)
{
	struct key k = key_user(user);
	key_add_str(&k, id);
	return k;
}

struct key key_ids(struct str user, struct str id, uint64_t seq)
{
	struct key k = key_id(user, id);
	key_add_u64(&k, seq);
	return k;
}

struct key key_ack(struct str user, struct str id, uint64_t born, struct str sender, uint8_t kinds)
{
	struct key k = key_id(user, id);
	key_add_u64(&k, born);
	key_add_str(&k, sender);
	key_add(&k, &kinds, 1);
	return k;
}

struct key key_links(uint8_t kind, uint8_t side, struct str name)
{
	struct key k;
	uint8_t head = (uint8_t)(kind << 1 | side);
	k.n = 0;
	key_add(&k, &head, 1);
	key_add_str(&k, name);
	return k;
}

struct key key_link(uint8_t kind, uint8_t side, struct str name, struct str other)
{
	struct key k = key_links(kind, side, name);
	key_add(&k, other.p, other.n);
	return k;
}

struct key key_text(struct str name, uint8_t what)
{
	struct key k = key_user(name);
	key_add(&k, &what, 1);
	return k;
}

struct key key_fanout(uint64_t seq)
{
	struct key k;
	k.n = 0;
	key_add_u64(&k, seq);
	return k;
}

struct key key_fanout_done(uint64_t seq, uint32_t slice)
{
	struct key k = key_fanout(seq);
	uint32_t big = __builtin_bswap32(slice);
	key_add(&k, &big, 4);
	return k;
}

bool key_cut_ack(struct str key, struct str prefix, uint64_t *born_out, struct str *sender_out,
		 uint8_t *kinds_out)
{
	size_t at = prefix.n;
	if (key.n < at + 8 + 1 + 1)
		return false;
	*born_out = cut_u64(key.p + at);
	at += 8;
	size_t n = (uint8_t)key.p[at++];
	if (key.n != at + n + 1)
		return false;
	*sender_out = (struct str){ key.p + at, n };
	*kinds_out = (uint8_t)key.p[at + n];
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

_Static_assert(OP_MAIL == 4, "the type stands in every row of a mailbox on disk");

void value_box(struct buf *out, const struct op_mail *mail)
{
	struct store_op op = { .type = OP_MAIL, .mail = *mail };
	op.mail.receiver_count = 0;
	op.mail.receivers = STR("");
	value_begin(out);
	txn_add(out, &op);
}

bool value_cut_box(struct str value, struct str *op_out)
{
	if (!value_cut_version(&value))
		return false;
	*op_out = value;
	return true;
}

void value_ids(struct buf *out, const struct op_mail *mail)
{
	uint32_t bytes = (uint32_t)mail->text.n;
	value_begin(out);
	buf_u8(out, mail->flags);
	buf_add(out, &bytes, sizeof(bytes));
	buf_add(out, &mail->sender_born, sizeof(mail->sender_born));
	buf_add(out, &mail->once, sizeof(mail->once));
	buf_str(out, mail->sender);
}

bool value_cut_ids(struct str value, struct ids_row *row_out)
{
	struct store_find_row *find = &row_out->find;
	*row_out = (struct ids_row){ 0 };
	if (!value_cut_version(&value) || !value_cut(&value, &find->flags, 1) ||
	    !value_cut(&value, &find->bytes, sizeof(find->bytes)) ||
	    !value_cut(&value, &find->sender_born, sizeof(find->sender_born)) ||
	    !value_cut(&value, &row_out->once, sizeof(row_out->once)))
		return false;
	find->sender = value;
	find->once = row_out->once;
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
	if (!value_cut_version(&value) || !value_cut(&value, &row_out->kind, 1))
		return false;
	if (row_out->kind != STORE_USER) {
		struct store_op op;
		if (store_op_at(value, 0, &op) != OK || op.type != OP_NAME_PUT)
			return false;
		row_out->born = op.name_put.born;
		row_out->created_ms = op.name_put.created_ms;
		row_out->title = op.name_put.title;
		row_out->owner = op.name_put.owner;
		return true;
	}
	if (!value_cut(&value, &row_out->type, 1) ||
	    !value_cut(&value, &row_out->born, sizeof(row_out->born)))
		return false;
	row_out->token = value;
	return true;
}

void value_ack(struct buf *out, uint8_t flags, int64_t ms)
{
	value_begin(out);
	buf_u8(out, flags);
	buf_add(out, &ms, sizeof(ms));
}

bool value_cut_ack(struct str value, uint8_t *flags_out, int64_t *ms_out)
{
	return value_cut_version(&value) && value_cut(&value, flags_out, 1) &&
	       value_cut(&value, ms_out, sizeof(*ms_out)) && value.n == 0;
}

void value_group(struct buf *out, const struct op_name_put *put)
{
	struct store_op op = { .type = OP_NAME_PUT, .name_put = *put };
	value_begin(out);
	buf_u8(out, put->kind);
	txn_add(out, &op);
}

void value_link(struct buf *out, const struct op_link_put *put, struct str other)
{
	struct store_link_row row = { put->kind, other, put->born, put->order, put->flags, put->ms, put->text, STR("") };
	value_begin(out);
	store_link_row_add(out, &row);
}

bool value_cut_link(struct str value, struct store_link_row *row_out)
{
	size_t cursor = 0;
	return value_cut_version(&value) && store_link_row_next(value, &cursor, row_out) == 1;
}

void value_bytes(struct buf *out, struct str bytes)
{
	value_begin(out);
	buf_str(out, bytes);
}

bool value_cut_bytes(struct str value, struct str *out)
{
	bool ok = value_cut_version(&value);
	*out = value;
	return ok;
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

bool embedded_aged(const struct store_embedded *e, int64_t ms)
{
	return ms && ms + e->retention_ms <= wall_now().ms;
}

/* --- ranges --- */

void range_open(const struct store_embedded *e, enum family family, rocksdb_readoptions_t *options,
		const struct key *prefix, const struct key *from, struct range *out)
{
	if (prefix->n) {
		out->end = key_after(*prefix);
		rocksdb_readoptions_set_iterate_upper_bound(options, out->end.p, out->end.n);
	}
	out->it = rocksdb_create_iterator_cf(e->db, options, e->families[family]);
	rocksdb_iter_seek(out->it, from->p, from->n);
}

bool range_at(const struct range *r, struct str *key_out, struct str *value_out)
{
	if (!rocksdb_iter_valid(r->it))
		return false;
	key_out->p = rocksdb_iter_key(r->it, &key_out->n);
	value_out->p = rocksdb_iter_value(r->it, &value_out->n);
	return true;
}

char *range_close(struct range *r)
{
	char *error = NULL;
	rocksdb_iter_get_error(r->it, &error);
	rocksdb_iter_destroy(r->it);
	return error;
}
