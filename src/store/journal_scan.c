/* A segment in memory. Nothing here does I/O. */
#include "store/crc32c.h"
#include "store/journal_private.h"
#include <stdio.h>

#define NUMBER_DIGITS 12

/* --- headers --- */

static uint32_t head_crc(const struct journal_head *head)
{
	return crc32c((struct str){ (const char *)head, offsetof(struct journal_head, crc) }, 0);
}

void journal_head_seal(struct journal_head *head)
{
	head->crc = head_crc(head);
}

uint32_t journal_seed(const struct journal_head *head)
{
	uint64_t both[] = { head->number, head->salt };
	return crc32c((struct str){ (const char *)both, sizeof(both) }, 0);
}

static uint32_t record_crc(const struct journal_record *record, uint32_t seed)
{
	return crc32c((struct str){ (const char *)record, offsetof(struct journal_record, crc) }, seed);
}

void journal_record_seal(struct journal_record *record, uint32_t seed)
{
	record->crc = record_crc(record, seed);
}

/* --- names --- */

void journal_segment_name(char out[JOURNAL_NAME_BYTES], uint64_t number)
{
	snprintf(out, JOURNAL_NAME_BYTES, "%0*llu.seg", NUMBER_DIGITS, (unsigned long long)number);
}

void journal_spare_name(char out[JOURNAL_NAME_BYTES], uint64_t number)
{
	snprintf(out, JOURNAL_NAME_BYTES, "spare-%llu.seg", (unsigned long long)number);
}

bool journal_name_read(const char *name, uint64_t *number_out, bool *spare_out)
{
	char again[JOURNAL_NAME_BYTES];
	struct str prefix = STR("spare-");
	uint64_t number = 0;
	*spare_out = str_begins(str_of(name), prefix);
	const char *digits = name + (*spare_out ? prefix.n : 0);
	for (unsigned i = 0; i < NUMBER_DIGITS && digits[i] >= '0' && digits[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(digits[i] - '0');
	*number_out = number;
	(*spare_out ? journal_spare_name : journal_segment_name)(again, number);
	return number && strcmp(name, again) == 0;
}

/* --- reading --- */

static int wrong(struct journal_scan *scan, int err, uint64_t at, const char *what)
{
	scan->bad = (uint32_t)at;
	scan->wrong = what;
	return err;
}

static int head_read(struct journal_scan *scan)
{
	struct journal_head head;
	if (scan->n < sizeof(head))
		return wrong(scan, ERR_CORRUPT, 0, "it is too short");
	memcpy(&head, scan->p, sizeof(head));
	if (memcmp(head.magic, JOURNAL_MAGIC, sizeof(head.magic)) != 0 || head.crc != head_crc(&head))
		return wrong(scan, ERR_CORRUPT, 0, "its header is damaged");
	if (head.version != JOURNAL_VERSION)
		return wrong(scan, ERR_VERSION, offsetof(struct journal_head, version),
			     "another version of this program wrote it");
	if (head.number != scan->number)
		return wrong(scan, ERR_CORRUPT, offsetof(struct journal_head, number),
			     "it is another segment than its name says");
	if (head.bytes_max < JOURNAL_SEGMENT_BYTES_MIN || head.bytes_max > JOURNAL_SEGMENT_BYTES_MAX)
		return wrong(scan, ERR_CORRUPT, offsetof(struct journal_head, bytes_max),
			     "its header is damaged");
	scan->bytes_max = head.bytes_max;
	scan->seed = journal_seed(&head);
	scan->first = scan->next = head.first;
	if (scan->n > scan->bytes_max)
		scan->n = scan->bytes_max;
	return OK;
}

/* The header of a record whose checksum is good; there must be bytes for one. */
static bool record_at(const struct journal_scan *scan, uint64_t at, struct journal_record *out)
{
	memcpy(out, scan->p + at, sizeof(*out));
	return out->type && out->crc == record_crc(out, scan->seed);
}

/* A record with a good checksum was written just so: anything odd in it is no torn write. */
static int record_odd(struct journal_scan *scan, uint64_t at, const struct journal_record *r)
{
	if (r->type > JOURNAL_TURNED)
		return wrong(scan, ERR_VERSION, at, "a newer version of this program wrote a record");
	if (r->number != scan->next || r->synced > (scan->number << 32 | at))
		return wrong(scan, ERR_CORRUPT, at, "a record does not follow the one before it");
	/* Files grow, and that is synced, before anything is written there. */
	if (journal_record_bytes(r->bytes) > scan->n - at)
		return wrong(scan, ERR_CORRUPT, at, "the file ends within a record");
	return OK;
}

static bool payload_good(const struct journal_scan *scan, uint64_t at, const struct journal_record *r)
{
	struct str payload = { (const char *)scan->p + at + sizeof(*r), r->bytes };
	return crc32c(payload, 0) == r->payload_crc;
}

static int records_read(struct journal_scan *scan)
{
	uint64_t at = sizeof(struct journal_head);
	scan->synced = scan->end = (uint32_t)at;
	for (;;) {
		struct journal_record r;
		if (scan->n - at < JOURNAL_MARK_BYTES)
			return wrong(scan, ERR_CORRUPT, at, "the file ends too early");
		if (!record_at(scan, at, &r))
			return OK;
		int err = record_odd(scan, at, &r);
		if (err || !payload_good(scan, at, &r))
			return err;
		scan->turned = r.type == JOURNAL_TURNED;
		if (scan->turned)
			return OK;
		scan->synced = r.synced >> 32 == scan->number ? (uint32_t)r.synced : sizeof(struct journal_head);
		scan->next++;
		at += journal_record_bytes(r.bytes);
		scan->end = (uint32_t)at;
	}
}

int journal_scan(struct journal_scan *scan, uint64_t number)
{
	scan->number = number;
	scan->turned = scan->torn = false;
	int err = head_read(scan);
	if (err)
		return err;
	return records_read(scan);
}

/* Only headers are looked at, so this is linear: a good one proves that the record was written, be its
 * payload torn, and says what was on disk by then. Nobody who sends messages can have one made, for he
 * does not know the salt. */
int journal_scan_tail(struct journal_scan *scan)
{
	struct journal_record r;
	for (size_t i = 0; i < JOURNAL_MARK_BYTES; i++)
		scan->torn |= scan->p[scan->end + i] != 0;
	for (uint64_t at = scan->end; at + sizeof(r) <= scan->n; at += JOURNAL_RECORD_ALIGN) {
		if (!record_at(scan, at, &r))
			continue;
		if (r.synced > (scan->number << 32 | scan->end))
			return wrong(scan, ERR_CORRUPT, scan->end,
				     "a record is damaged, and one behind it says that it was on disk");
		scan->torn = true;
	}
	return OK;
}

bool journal_scan_next(const struct journal_scan *scan, uint32_t *at, struct journal_record *record_out,
		       struct str *payload_out)
{
	if (*at == scan->end)
		return false;
	memcpy(record_out, scan->p + *at, sizeof(*record_out));
	*payload_out = (struct str){ (const char *)scan->p + *at + sizeof(*record_out), record_out->bytes };
	*at += (uint32_t)journal_record_bytes(record_out->bytes);
	return true;
}
