#include "store/recent.h"
#include <stdlib.h>

#define CHAINS_MIN 1024

struct recent_gone { size_t end; /* rows before it are of the one who is gone */ char name[]; };

void recent_init(struct recent *r)
{
	r->newest = NULL;
	hash_key_random(&r->_key);
}

static void segment_free(struct recent_segment *s)
{
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(&s->_gone, &cursor, &key, &value))
		free(value);
	map_deinit(&s->_gone);
	buf_deinit(&s->rows);
	free(s->_chains);
	free(s);
}

void recent_deinit(struct recent *r)
{
	recent_forget_segments(r, UINT64_MAX);
}

void recent_forget_segments(struct recent *r, uint64_t upto)
{
	struct recent_segment **at = &r->newest;
	while (*at && (*at)->number > upto)
		at = &(*at)->older;
	while (*at) {
		struct recent_segment *s = *at;
		*at = s->older;
		segment_free(s);
	}
}

static struct recent_segment *segment_make(struct recent *r, uint64_t number)
{
	if (r->newest && r->newest->number == number)
		return r->newest;
	struct recent_segment *s = calloc(1, sizeof(*s));
	CHECK(s && (!r->newest || r->newest->number < number));
	s->number = number;
	buf_init(&s->rows, UINT32_MAX - 1);
	map_init(&s->_gone);
	s->_chain_n = CHAINS_MIN;
	s->_chains = calloc(s->_chain_n, sizeof(*s->_chains));
	CHECK(s->_chains);
	s->older = r->newest;
	r->newest = s;
	return s;
}

static struct recent_row *row_at(const struct recent_segment *s, uint32_t place)
{
	return place ? (struct recent_row *)(void *)(s->rows.p + place - 1) : NULL;
}

/* --- adding --- */

static struct str str8_cut(const char **p)
{
	struct str s = { *p + 1, (uint8_t)**p };
	*p += 1 + s.n;
	return s;
}

static void str8_add(struct buf *rows, struct str s)
{
	CHECK(s.n <= UINT8_MAX);
	buf_u8(rows, (uint8_t)s.n);
	buf_str(rows, s);
}

static struct recent_ack ack_of(const struct recent_row *row, const char **end_out)
{
	const char *p = (const char *)(row + 1);
	struct recent_ack ack;
	ack.user = str8_cut(&p);
	ack.id = str8_cut(&p);
	ack.sender = str8_cut(&p);
	*end_out = p;
	return ack;
}

static size_t aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static void chains_grow(struct recent_segment *s)
{
	struct recent_ack ack;
	size_t cursor = 0;
	free(s->_chains);
	s->_chain_n *= 2;
	s->_chains = calloc(s->_chain_n, sizeof(*s->_chains));
	CHECK(s->_chains);
	for (size_t at = 0; recent_next(s, &cursor, &ack); at = cursor) {
		struct recent_row *row = row_at(s, (uint32_t)at + 1);
		uint32_t *chain = &s->_chains[row->hash & (s->_chain_n - 1)];
		row->next = *chain;
		*chain = (uint32_t)at + 1;
	}
}

static void row_add(struct recent_segment *s, struct recent_row row, const struct op_ack *ack)
{
	uint32_t *chain = &s->_chains[row.hash & (s->_chain_n - 1)];
	uint32_t place = (uint32_t)s->rows.n + 1;
	static const char zeros[8];
	row.next = *chain;
	buf_add(&s->rows, &row, sizeof(row));
	if (ack) {
		str8_add(&s->rows, ack->user);
		str8_add(&s->rows, ack->id);
		str8_add(&s->rows, ack->sender);
		buf_add(&s->rows, zeros, aligned(s->rows.n) - s->rows.n);
	}
	CHECK(!s->rows.failed);
	*chain = place;
	if (++s->row_n > s->_chain_n)
		chains_grow(s);
}

static struct recent_row *once_in(const struct recent_segment *s, struct hash128 once)
{
	uint32_t hash = (uint32_t)once.a;
	struct recent_row *row = row_at(s, s->_chains[hash & (s->_chain_n - 1)]);
	while (row && !(row->kind == RECENT_ONCE && hash128_eq(row->once, once)))
		row = row_at(s, row->next);
	return row;
}

int64_t recent_add_once(struct recent *r, uint64_t segment, struct hash128 once, int64_t ms)
{
	struct recent_segment *s = segment_make(r, segment);
	struct recent_row *there = once_in(s, once);
	int64_t before = there ? there->ms : 0;
	if (there)
		there->ms = ms;
	else
		row_add(s, (struct recent_row){ .hash = (uint32_t)once.a, .ms = ms, .once = once,
						.kind = RECENT_ONCE }, NULL);
	return before;
}

/* The names lie behind each other in memory only now and then, so the two are hashed one by one. */
static uint32_t ack_hash(const struct recent *r, struct str user, struct str id)
{
	return (uint32_t)(hash64(&r->_key, user) * 31 + hash64(&r->_key, id));
}

void recent_add_ack(struct recent *r, uint64_t segment, const struct op_ack *ack)
{
	row_add(segment_make(r, segment),
		(struct recent_row){ .hash = ack_hash(r, ack->user, ack->id), .ms = ack->ms,
				     .once.a = ack->sender_born, .kind = RECENT_ACK, .flags = ack->flags,
				     .kinds = ack->kinds }, ack);
}

void recent_forget_user(struct recent *r, uint64_t segment, struct str user)
{
	struct recent_segment *s = segment_make(r, segment);
	struct recent_gone *gone = map_get(&s->_gone, user);
	if (!gone) {
		gone = malloc(sizeof(*gone) + user.n);
		CHECK(gone);
		memcpy(gone->name, user.p, user.n);
		CHECK(map_put(&s->_gone, (struct str){ gone->name, user.n }, gone) == OK);
	}
	gone->end = s->rows.n;
}

/* --- looking --- */

const struct recent_row *recent_once(const struct recent *r, struct hash128 once)
{
	const struct recent_row *row = NULL;
	for (const struct recent_segment *s = r->newest; s && !row; s = s->older)
		row = once_in(s, once);
	return row;
}

bool recent_acks(const struct recent *r, struct str user, struct str id, recent_each *each, void *ctx)
{
	uint32_t hash = ack_hash(r, user, id);
	bool is_gone = false;
	for (const struct recent_segment *s = r->newest; s && !is_gone; s = s->older) {
		const struct recent_gone *gone = map_get(&s->_gone, user);
		const char *from = s->rows.p + (gone ? gone->end : 0), *end;
		struct recent_row *row = row_at(s, s->_chains[hash & (s->_chain_n - 1)]);
		for (; row && (const char *)row >= from; row = row_at(s, row->next)) {
			if (row->kind != RECENT_ACK || row->hash != hash)
				continue;
			struct recent_ack ack = ack_of(row, &end);
			if (str_eq(ack.user, user) && str_eq(ack.id, id))
				each(ctx, row, &ack);
		}
		is_gone = gone != NULL;
	}
	return is_gone;
}

const struct recent_row *recent_next(const struct recent_segment *s, size_t *cursor,
				     struct recent_ack *ack_out)
{
	const char *end;
	if (*cursor == s->rows.n)
		return NULL;
	const struct recent_row *row = row_at(s, (uint32_t)*cursor + 1);
	*cursor += sizeof(*row);
	if (row->kind == RECENT_ACK) {
		*ack_out = ack_of(row, &end);
		*cursor = aligned((size_t)(end - s->rows.p));
	}
	return row;
}

bool recent_is_gone(const struct recent *r, const struct recent_segment *s, size_t end, struct str user)
{
	const struct recent_segment *later = r->newest;
	const struct recent_gone *gone = map_get(&s->_gone, user);
	bool is = gone && end <= gone->end;
	for (; later != s && !is; later = later->older)
		is = map_get(&later->_gone, user) != NULL;
	return is;
}

bool recent_any_gone(const struct recent *r)
{
	const struct recent_segment *s = r->newest;
	while (s && s->_gone.count == 0)
		s = s->older;
	return s != NULL;
}

size_t recent_bytes(const struct recent *r)
{
	size_t bytes = 0;
	for (const struct recent_segment *s = r->newest; s; s = s->older)
		bytes += s->rows.cap + s->_chain_n * sizeof(*s->_chains);
	return bytes;
}
