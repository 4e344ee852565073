/* What lies un-released in live segments of the journal: for each user his mail in order of sequence, and
 * where its op stands. The texts stay in the journal. 32 bytes a mail and receiver. One thread, or under
 * a lock. Out of memory ends the process by CHECK. */
#pragma once
#include "base/map.h"
#include "base/str.h"

struct held_entry {
	uint64_t seq;
	uint32_t segment, offset;  /* of the op's bytes, its length included */
	uint32_t bytes;
	uint32_t crc;              /* crc32c of them: what is served was checked */
	uint32_t id_hash;          /* held_id_hash: most that are not looked for need not be read */
	uint32_t text_bytes : 29, flags : 3; /* MAIL_… */
};

struct held_user {
	struct held_entry *_entries;
	uint32_t _first, n, _cap;
	uint32_t mail_count;       /* receipts and information left out */
	uint64_t mail_bytes;       /* of their texts */
	struct held_user *_older, *_newer; /* among those who have none */
	uint32_t name_n;
	char name[];
};

/* An op with mail, in the order written; what of it is still held is asked by its receivers. */
struct held_op { uint32_t offset, bytes; };
struct held_segment { struct held_op *ops; uint32_t n, cap; uint32_t live; /* entries not released */ };

struct held {
	struct map _users;
	struct held_user *_oldest_idle, *_newest_idle;
	unsigned _idle;
	struct held_segment *_segments; /* from _segment_first on */
	uint32_t _segment_first, _segment_n, _segment_cap;
	uint64_t count;                 /* entries */
};

void held_init(struct held *h);
void held_deinit(struct held *h);
/* An op of the segment (never smaller than at the call before) that holds mail; its receivers follow. */
void held_add_op(struct held *h, uint32_t segment, struct held_op op);
void held_add(struct held *h, struct str user, const struct held_entry *entry);
/* False: it is not there. */
bool held_remove(struct held *h, struct str user, uint64_t seq, struct held_entry *entry_out);
void held_forget_user(struct held *h, struct str user);
/* NULL: nothing is held of him. Valid until the next change. */
const struct held_user *held_user(const struct held *h, struct str user);
/* NULL: it is not there. Valid until the next change. */
const struct held_entry *held_get(const struct held *h, struct str user, uint64_t seq);
/* The first with seq > after; the user's entries are these up to and without held_end. */
const struct held_entry *held_after(const struct held_user *u, uint64_t after);
static inline const struct held_entry *held_end(const struct held_user *u)
{
	return u->_entries + u->_first + u->n;
}
/* Entries of a segment, and its ops; all zeros for one that is not known. Valid until the next change. */
struct held_segment held_segment(const struct held *h, uint32_t segment);
/* Nothing of these segments is held any more. */
void held_forget_segments(struct held *h, uint32_t upto);
uint32_t held_id_hash(struct str id);
