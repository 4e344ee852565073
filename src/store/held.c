#include "store/held.h"
#include "store/crc32c.h"
#include "store/store.h"
#include <stdlib.h>
#include <string.h>

#define IDLE_MAX 4096   /* users without mail who are kept: most get some again soon */
#define IDLE_CAP_MAX 16 /* entries of theirs that are kept room for */
#define FIRST_CAP 4

static struct str name_of(const struct held_user *u)
{
	return (struct str){ u->name, u->name_n };
}

uint32_t held_id_hash(struct str id)
{
	return crc32c(id, 0);
}

static bool counts(const struct held_entry *entry)
{
	return !(entry->flags & (MAIL_RECEIPT | MAIL_INFO));
}

void held_init(struct held *h)
{
	memset(h, 0, sizeof(*h));
	map_init(&h->_users);
}

static void user_free(struct held_user *u)
{
	free(u->_entries);
	free(u);
}

void held_deinit(struct held *h)
{
	size_t cursor = 0;
	struct str key;
	void *value;
	while (map_next(&h->_users, &cursor, &key, &value))
		user_free(value);
	map_deinit(&h->_users);
	for (uint32_t i = 0; i < h->_segment_n; i++)
		free(h->_segments[i].ops);
	free(h->_segments);
}

/* --- segments --- */

static struct held_segment *segment_get(const struct held *h, uint32_t segment)
{
	uint32_t i = segment - h->_segment_first;
	return segment >= h->_segment_first && i < h->_segment_n ? &h->_segments[i] : NULL;
}

static struct held_segment *segment_make(struct held *h, uint32_t segment)
{
	if (!h->_segment_n)
		h->_segment_first = segment;
	CHECK(segment >= h->_segment_first);
	uint32_t n = segment - h->_segment_first + 1;
	if (n > h->_segment_cap) {
		h->_segment_cap = n + 8;
		h->_segments = realloc(h->_segments, h->_segment_cap * sizeof(*h->_segments));
		CHECK(h->_segments);
	}
	while (h->_segment_n < n)
		h->_segments[h->_segment_n++] = (struct held_segment){ 0 };
	return &h->_segments[n - 1];
}

void held_add_op(struct held *h, uint32_t segment, struct held_op op)
{
	struct held_segment *s = segment_make(h, segment);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->ops = realloc(s->ops, s->cap * sizeof(*s->ops));
		CHECK(s->ops);
	}
	s->ops[s->n++] = op;
}

struct held_segment held_segment(const struct held *h, uint32_t segment)
{
	const struct held_segment *s = segment_get(h, segment);
	return s ? *s : (struct held_segment){ 0 };
}

void held_forget_segments(struct held *h, uint32_t upto)
{
	if (!h->_segment_n || upto < h->_segment_first)
		return;
	uint32_t gone = upto - h->_segment_first + 1;
	gone = gone < h->_segment_n ? gone : h->_segment_n;
	for (uint32_t i = 0; i < gone; i++) {
		CHECK(h->_segments[i].live == 0);
		free(h->_segments[i].ops);
	}
	h->_segment_n -= gone;
	h->_segment_first += gone;
	memmove(h->_segments, h->_segments + gone, h->_segment_n * sizeof(*h->_segments));
}

/* --- users --- */

static void idle_take(struct held *h, struct held_user *u)
{
	*(u->_older ? &u->_older->_newer : &h->_oldest_idle) = u->_newer;
	*(u->_newer ? &u->_newer->_older : &h->_newest_idle) = u->_older;
	h->_idle--;
}

static void user_remove(struct held *h, struct held_user *u)
{
	CHECK(map_remove(&h->_users, name_of(u)) == u);
	user_free(u);
}

/* He has none any more. */
static void idle_put(struct held *h, struct held_user *u)
{
	u->_first = 0;
	if (u->_cap > IDLE_CAP_MAX) {
		free(u->_entries);
		u->_entries = NULL;
		u->_cap = 0;
	}
	u->_newer = NULL;
	u->_older = h->_newest_idle;
	*(u->_older ? &u->_older->_newer : &h->_oldest_idle) = u;
	h->_newest_idle = u;
	if (++h->_idle > IDLE_MAX) {
		struct held_user *oldest = h->_oldest_idle;
		idle_take(h, oldest);
		user_remove(h, oldest);
	}
}

static struct held_user *user_make(struct held *h, struct str name)
{
	struct held_user *u = map_get(&h->_users, name);
	if (u) {
		if (!u->n)
			idle_take(h, u);
		return u;
	}
	u = calloc(1, sizeof(*u) + name.n);
	CHECK(u);
	u->name_n = (uint32_t)name.n;
	memcpy(u->name, name.p, name.n);
	CHECK(map_put(&h->_users, name_of(u), u) == OK);
	return u;
}

const struct held_user *held_user(const struct held *h, struct str name)
{
	const struct held_user *u = map_get(&h->_users, name);
	return u && u->n ? u : NULL;
}

/* Where the first with seq >= `seq` is, from the first on. */
static uint32_t place_of(const struct held_user *u, uint64_t seq)
{
	const struct held_entry *e = u->_entries + u->_first;
	uint32_t low = 0, high = u->n;
	if (!high || seq <= e[0].seq)
		return 0;
	if (seq > e[high - 1].seq)
		return high;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (e[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct held_entry *held_after(const struct held_user *u, uint64_t after)
{
	return after == UINT64_MAX ? held_end(u) : u->_entries + u->_first + place_of(u, after + 1);
}

/* Makes room behind the last: moves all to the front where half of it is free, else grows. */
static void room_make(struct held_user *u)
{
	if (u->_first + u->n < u->_cap)
		return;
	if (u->_first > u->_cap / 2) {
		memmove(u->_entries, u->_entries + u->_first, u->n * sizeof(*u->_entries));
		u->_first = 0;
		return;
	}
	u->_cap = u->_cap ? u->_cap + u->_cap / 2 : FIRST_CAP;
	u->_entries = realloc(u->_entries, u->_cap * sizeof(*u->_entries));
	CHECK(u->_entries);
}

static void entry_counted(struct held *h, struct held_user *u, const struct held_entry *entry, bool more)
{
	struct held_segment *s = more ? segment_make(h, entry->segment) : segment_get(h, entry->segment);
	CHECK(s && (more || s->live));
	s->live += more ? 1 : UINT32_MAX;
	h->count += more ? 1 : UINT64_MAX;
	if (!counts(entry))
		return;
	u->mail_count += more ? 1 : UINT32_MAX;
	u->mail_bytes = more ? u->mail_bytes + entry->text_bytes : u->mail_bytes - entry->text_bytes;
}

void held_add(struct held *h, struct str name, const struct held_entry *entry)
{
	struct held_user *u = user_make(h, name);
	uint32_t place = place_of(u, entry->seq);
	struct held_entry *at = u->_entries + u->_first + place;
	if (place < u->n && at->seq == entry->seq) {
		entry_counted(h, u, at, false);
	} else {
		room_make(u);
		at = u->_entries + u->_first + place;
		memmove(at + 1, at, (u->n - place) * sizeof(*at));
		u->n++;
	}
	*at = *entry;
	entry_counted(h, u, entry, true);
}

static struct held_entry *entry_get(const struct held_user *u, uint64_t seq)
{
	uint32_t place = u ? place_of(u, seq) : 0;
	if (!u || place == u->n || u->_entries[u->_first + place].seq != seq)
		return NULL;
	return &u->_entries[u->_first + place];
}

const struct held_entry *held_get(const struct held *h, struct str name, uint64_t seq)
{
	return entry_get(held_user(h, name), seq);
}

bool held_remove(struct held *h, struct str name, uint64_t seq, struct held_entry *entry_out)
{
	struct held_user *u = map_get(&h->_users, name);
	struct held_entry *entry = entry_get(u && u->n ? u : NULL, seq);
	if (!entry)
		return false;
	*entry_out = *entry;
	entry_counted(h, u, entry, false);
	uint32_t before = (uint32_t)(entry - u->_entries) - u->_first, behind = u->n - before - 1;
	if (before < behind) {
		memmove(u->_entries + u->_first + 1, u->_entries + u->_first, before * sizeof(*entry));
		u->_first++;
	} else {
		memmove(entry, entry + 1, behind * sizeof(*entry));
	}
	if (--u->n == 0)
		idle_put(h, u);
	return true;
}

void held_forget_user(struct held *h, struct str name)
{
	struct held_user *u = map_get(&h->_users, name);
	if (!u)
		return;
	for (uint32_t i = 0; i < u->n; i++)
		entry_counted(h, u, &u->_entries[u->_first + i], false);
	if (!u->n)
		idle_take(h, u);
	user_remove(h, u);
}
