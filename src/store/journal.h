/* The journal: an append-only log in segment files, the engine's only write-ahead log. It knows
 * nothing of what its records say. Byte by byte: docs/storage-format.md.
 *
 *   NNNNNNNNNNNN.seg   segment N (12 decimal digits, from 1), consecutive numbers
 *   spare-N.seg        what a retired segment has become: written over by a later one
 *
 * Segment:  header (64 bytes): magic "LEMPJRNL", u32 version 1, u32 0, u64 number, u64 bytes it may
 *           grow to, …, u32 crc32c of all before it
 * Record:   aligned to 8: u32 type (JOURNAL_COMMIT, JOURNAL_CLOSED), u32 bytes of the payload,
 *           u64 number (of the record, counted over all segments, without gaps), u64 synced (the
 *           segment << 32 | offset up to which the journal was known to be on disk when this was
 *           written; 0 where nothing is synced), u32 crc32c of the payload, u32 crc32c of the 28
 *           bytes before and the segment's number; then the payload, zeros up to the next 8.
 * The segment's number goes into every checksum, so that what a spare held before is never taken for
 * a record.
 *
 * Opening reads segments > `retired` in order. The log ends at the first thing that is no good
 * record. If anything behind that was written after it had been synced (a good record that says so
 * in the same segment, or a later segment with a good header) it is damage: ERR_CORRUPT, the file and
 * the offset. Else it is the torn end of the last write: it is cut (the bytes up to the end of the
 * segment become zeros, synced, before anything is appended) and told in *cut_out. Ending with
 * JOURNAL_CLOSED nothing can be torn: any bad byte before that record is damage. A version not known:
 * ERR_VERSION. A segment missing between others, or `retired` + 1 missing while later ones are there:
 * ERR_CORRUPT. Segments <= `retired` become spares. An unfinished segment (created, header not good,
 * nothing behind it, the last one) is a crash while it was made: made anew.
 *
 * Threads: journal_read any; all else one thread (the committer). */
#pragma once
#include "store/files.h"

#define JOURNAL_RECORD_ALIGN 8

struct journal_config {
	uint64_t segment_bytes; /* of one segment: 64 MiB; tests take 64 KiB */
	uint64_t grow_bytes;    /* files grow by so many zeros at a time, so that most syncs write no metadata: 4 MiB */
	uint64_t room_bytes;    /* grow only while the file system keeps so much free, else ERR_NOSPC */
	unsigned spares_max;    /* retired segments kept for reuse; more are removed */
	bool used;              /* there must be a segment: this journal is not new */
	bool sync;              /* fdatasync before an append returns (durability=fsync); false: os */
};

/* Where a payload lies. */
struct journal_place { uint64_t segment; uint32_t offset, bytes; };

struct journal;
/* Called for every record in order while opening. `payload` is valid during the call. Anything but OK
 * ends the opening with that error (the visitor wrote to `why`). */
typedef int journal_visit(void *ctx, struct journal_place place, struct str payload);

struct journal_cut { uint64_t segment, offset, bytes; }; /* bytes 0: nothing was torn */

/* `visit` may already read, by *journal_out, the segment that it is shown and those before it.
 * Takes `files` (freed by journal_close; also on failure). 0, or ERR_CORRUPT, ERR_VERSION, ERR_IO,
 * ERR_NOSPC, ERR_NOMEM with a sentence for a person in why[0..why_size): which file, which offset. */
int journal_open(struct files *files, const struct journal_config *config, uint64_t retired,
		 journal_visit *visit, void *ctx, struct journal **journal_out,
		 struct journal_cut *cut_out, char *why, size_t why_size) WARN_UNUSED;
/* Reads like journal_open and changes nothing: for lempd --check-data. Same errors; the damage found
 * first. Frees `files`. */
int journal_check(struct files *files, uint64_t retired, journal_visit *visit, void *ctx,
		  struct journal_cut *cut_out, char *why, size_t why_size) WARN_UNUSED;

/* The most bytes one record's payload may have. */
size_t journal_payload_max(const struct journal *j);
/* Writes one record made of the parts (one write) and syncs it (one fdatasync), after going on to a
 * fresh segment where it does not fit (a spare's header or a new file is synced, and the directory,
 * before). OK and where the payload begins.
 * ERR_NOSPC: there is no room for a fresh or growing segment; nothing was written; may be tried again.
 * ERR_IO: a write or sync failed: what is on disk is not known, the journal must not be used any more.
 * The size of all parts together is at most journal_payload_max. */
int journal_append(struct journal *j, const struct iovec *parts, unsigned n,
		   struct journal_place *place_out) WARN_UNUSED;
/* Reads `bytes` at `offset` of a segment that is not retired. OK, ERR_IO (also: past its end). */
int journal_read(struct journal *j, uint64_t segment, uint64_t offset, void *to,
		 size_t bytes) WARN_UNUSED;
/* Segments <= `upto` (never the newest) are not wanted any more: they become spares or go. Whoever
 * still reads them gets other bytes: the caller sees to it that nobody does. OK or ERR_IO (the journal
 * goes on; they are tried again at the next call). */
int journal_retire(struct journal *j, uint64_t upto) WARN_UNUSED;
/* Begins a fresh segment with the next append (so that the newest may be retired). */
void journal_turn(struct journal *j);
uint64_t journal_oldest(const struct journal *j); /* segment; equal to newest when there is one */
uint64_t journal_newest(const struct journal *j);
uint64_t journal_bytes(const struct journal *j);  /* in all live segments */
uint64_t journal_end(const struct journal *j);    /* of the newest: all before this offset is whole */
/* `clean`: writes JOURNAL_CLOSED first (not after ERR_IO). Frees all, `files`, too. */
void journal_close(struct journal *j, bool clean);
/* Bytes that may still be written to the file system; UINT64_MAX if that is not known. Committer. */
uint64_t journal_room(struct journal *j);
