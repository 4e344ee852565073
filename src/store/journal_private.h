/* What the files of the journal share: the layout of segments, how one in memory is read, and the
 * struct. Where and when things are written: journal.c; how they are found again: journal_open.c. */
#pragma once
#include "base/check.h"
#include "store/journal.h"
#include <limits.h>
#include <stdatomic.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers go as they lie in memory");

#define JOURNAL_SEGMENTS_MAX 4096 /* live ones */
#define JOURNAL_SPARES_MAX 64
#define JOURNAL_SEGMENT_BYTES_MIN 512
#define JOURNAL_SEGMENT_BYTES_MAX (UINT64_C(1) << 30) /* offsets are u32 */

/* --- layout --- */

#define JOURNAL_MAGIC "LEMPJRNL"
#define JOURNAL_VERSION 1

struct journal_head { /* begins a segment */
	char magic[8];
	uint32_t version, zero;
	uint64_t number;    /* as its file is named */
	uint64_t bytes_max; /* it may grow to */
	uint64_t first;     /* number of its first record */
	uint64_t salt;
	uint64_t zeros;
	uint32_t zeros2;
	uint32_t crc; /* of all before, in every version */
};
_Static_assert(sizeof(struct journal_head) == 64, "as docs/storage-format.md has it");

enum journal_type {
	JOURNAL_COMMIT = 1,
	JOURNAL_CLOSED = 2, /* all before it is on disk, nothing was under way */
	JOURNAL_TURNED = 3, /* the next segment is there; has the number of the first record in it */
};

struct journal_record {
	uint32_t type;
	uint32_t bytes;
	uint64_t number;
	uint64_t synced;
	uint32_t payload_crc;
	uint32_t crc; /* of all before, the segment's number and its salt */
};
_Static_assert(sizeof(struct journal_record) == 32, "as docs/storage-format.md has it");

/* Zeros behind each record, written together with it, where the next one will stand: they tell the
 * end of the log from one torn, in a spare that holds old bytes, too. A JOURNAL_TURNED always fits. */
#define JOURNAL_MARK_BYTES sizeof(struct journal_record)
/* What a segment holds beside one payload. */
#define JOURNAL_OVERHEAD (sizeof(struct journal_head) + sizeof(struct journal_record) + JOURNAL_MARK_BYTES)

static inline uint64_t journal_align(uint64_t n)
{
	return (n + JOURNAL_RECORD_ALIGN - 1) / JOURNAL_RECORD_ALIGN * JOURNAL_RECORD_ALIGN;
}
/* A record and the zeros that align it. */
static inline uint64_t journal_record_bytes(uint64_t payload)
{
	return journal_align(sizeof(struct journal_record) + payload);
}

void journal_head_seal(struct journal_head *head);
/* What the checksums of a segment's records begin with. */
uint32_t journal_seed(const struct journal_head *head);
void journal_record_seal(struct journal_record *record, uint32_t seed);

#define JOURNAL_NAME_BYTES 32
void journal_segment_name(char out[JOURNAL_NAME_BYTES], uint64_t number);
void journal_spare_name(char out[JOURNAL_NAME_BYTES], uint64_t number);
/* Whose name this is: false if it is none of ours. */
bool journal_name_read(const char *name, uint64_t *number_out, bool *spare_out);

/* --- a segment in memory --- */

struct journal_scan {
	const uint8_t *p;   /* the file, or what of it counts */
	size_t n;
	uint64_t number;
	uint64_t bytes_max;
	uint64_t first;     /* number of its first record */
	uint64_t next;      /* number of the next record */
	uint32_t seed;
	uint32_t end;       /* offset behind the last good record */
	uint32_t synced;    /* offset up to which the last good record knew the segment to be on disk */
	uint32_t bad;       /* when something is wrong: its offset */
	bool turned;        /* the segment says that another one follows */
	bool torn;          /* something stands behind the end that was to become a record */
	const char *wrong;  /* when something is wrong: what, for a person */
};

/* Reads the header and all records of segment `number`, whose bytes scan->p and ->n are. OK,
 * ERR_CORRUPT or ERR_VERSION. */
int journal_scan(struct journal_scan *scan, uint64_t number);
/* For the last segment: is what stands behind the end torn, or damage? OK or ERR_CORRUPT. */
int journal_scan_tail(struct journal_scan *scan);
/* The record at *at (sizeof(struct journal_head) first); false at the end. Steps behind it. */
bool journal_scan_next(const struct journal_scan *scan, uint32_t *at, struct journal_record *record_out,
		       struct str *payload_out);

/* --- the struct --- */

struct journal_segment {
	_Atomic uint64_t number; /* 0: not live */
	_Atomic int fd;
	uint32_t end;            /* of its records; of the newest: journal.at */
};

struct journal {
	struct files *files;
	struct journal_config config;
	uint64_t oldest, newest;
	uint64_t ended_bytes; /* of all but the newest */
	/* The newest segment. */
	int fd;
	uint32_t seed;
	uint64_t bytes_max;
	uint64_t grown;  /* bytes of the file, synced */
	uint64_t at;     /* where the next record goes */
	uint64_t synced; /* offset up to which it is on disk */
	uint64_t next;   /* number of the next record */
	bool turn;       /* the next record goes to a fresh segment */
	bool failed;     /* nothing can be trusted any more */
	bool told;       /* that there is no room stands in the log */
	bool renamed;    /* names were changed and not synced */
	uint64_t spares[JOURNAL_SPARES_MAX + 1]; /* the last is used first */
	unsigned spares_n;
	struct iovec parts[IOV_MAX];
	struct journal_segment segments[JOURNAL_SEGMENTS_MAX]; /* by number, modulo */
};

static inline struct journal_segment *journal_segment(struct journal *j, uint64_t number)
{
	return &j->segments[number % JOURNAL_SEGMENTS_MAX];
}

/* Writes `n` zeros. */
int journal_zeros(struct journal *j, int fd, uint64_t offset, uint64_t n);
/* Makes the segment behind the newest, known to be on disk, and goes on to it. OK, ERR_NOSPC (as if
 * nothing had happened) or ERR_IO. */
int journal_begin(struct journal *j);
/* A segment that is not wanted becomes a spare or goes. OK or ERR_IO. */
int journal_spare(struct journal *j, uint64_t number);
int journal_sync_names(struct journal *j);
