/* Writing. The order of things, so that a crash at any point leaves what opening takes:
 *
 *   a record      one write, one sync. Its place was zeros or old bytes of a spare, whose checksums are
 *                 another segment's; so it is there whole, or it is no good record.
 *   growing       zeros, sync; only then records there. A file shorter than its records is damage.
 *   a fresh       the old one synced; a spare taken, or made under a spare's name; grown; its header
 *   segment       written; sync; names synced (that it is a spare, above all); renamed to a segment;
 *                 names synced. So a segment's name never stands before its header is good, and if it
 *                 is there all segments before it are whole. At last the old one is told that it has a
 *                 successor (JOURNAL_TURNED), or nobody would miss it.
 *   retiring      renamed, or removed; synced before the spare is used. Whatever comes back after a
 *                 crash is <= `retired` and becomes a spare again.
 *   closing       sync, JOURNAL_CLOSED, sync. */
#include "base/hash.h"
#include "base/log.h"
#include "store/crc32c.h"
#include "store/journal_private.h"
#include <errno.h>
#include <stdlib.h>

/* An error on its way to the caller. */
static int fail(struct journal *j, int err, const char *what)
{
	const char *why = err == ERR_NOSPC ? err_text(err) : strerror(errno);
	if (err == ERR_NOSPC && j->told)
		return err; /* each try would say so again */
	LOG(ERROR, "journal", LOG_Z("failed", what), LOG_INT("segment", j->newest), LOG_Z("error", why));
	if (err == ERR_NOSPC) {
		j->told = true;
		return err;
	}
	j->failed = true;
	return ERR_IO;
}

/* What a sync could not write may be lost, though the next one succeeds: so even a lack of room there
 * ends it. */
static int sync_file(struct journal *j, int fd)
{
	return j->files->calls->sync(j->files, fd) == OK ? OK : fail(j, ERR_IO, "syncing");
}

int journal_sync_names(struct journal *j)
{
	if (j->files->calls->sync_dir(j->files) != OK)
		return fail(j, ERR_IO, "syncing the directory");
	j->renamed = false;
	return OK;
}

static int sync_newest(struct journal *j)
{
	int err = sync_file(j, j->fd);
	if (err == OK)
		j->synced = j->at;
	return err;
}

/* --- growing --- */

int journal_zeros(struct journal *j, int fd, uint64_t offset, uint64_t n)
{
	static char zeros[1 << 16]; /* never written to */
	while (n) {
		unsigned parts = 0;
		uint64_t from = offset;
		for (; n && parts < IOV_MAX; parts++) {
			size_t bytes = n < sizeof(zeros) ? n : sizeof(zeros);
			j->parts[parts] = (struct iovec){ zeros, bytes };
			offset += bytes;
			n -= bytes;
		}
		int err = j->files->calls->write_at(j->files, fd, from, j->parts, parts);
		if (err)
			return err;
	}
	return OK;
}

/* Makes the file `upto` bytes at least, as steps go; not synced. */
static int grow(struct journal *j, int fd, uint64_t *grown, uint64_t upto)
{
	uint64_t to = *grown + j->config.grow_bytes, room;
	if (to < upto)
		to = upto;
	if (to > j->bytes_max)
		to = j->bytes_max;
	if (j->files->calls->room(j->files, &room) != OK)
		return fail(j, ERR_IO, "asking for room");
	if (room < to - *grown || room - (to - *grown) < j->config.room_bytes)
		return fail(j, ERR_NOSPC, "growing");
	int err = journal_zeros(j, fd, *grown, to - *grown);
	if (err)
		return fail(j, err, "growing");
	*grown = to;
	return OK;
}

static int grow_newest(struct journal *j, uint64_t upto)
{
	uint64_t grown = j->grown;
	int err = grow(j, j->fd, &grown, upto);
	if (err == OK)
		err = sync_newest(j);
	if (err == OK)
		j->grown = grown;
	return err;
}

/* --- a fresh segment --- */

static int drop_spare(struct journal *j)
{
	char name[JOURNAL_NAME_BYTES];
	journal_spare_name(name, j->spares[j->spares_n - 1]);
	if (j->files->calls->remove(j->files, name) != OK)
		return fail(j, ERR_IO, "removing a spare");
	j->spares_n--;
	j->renamed = true;
	return OK;
}

/* Opens the last spare that is not larger than a segment may be; made, if there is none. */
static int open_spare(struct journal *j, int *fd_out, uint64_t *bytes_out)
{
	char name[JOURNAL_NAME_BYTES];
	int err;
	while (j->spares_n) {
		journal_spare_name(name, j->spares[j->spares_n - 1]);
		err = j->files->calls->open(j->files, name, false, fd_out);
		if (err)
			return fail(j, ERR_IO, "opening a spare");
		err = j->files->calls->size(j->files, *fd_out, bytes_out);
		if (err == OK && *bytes_out <= j->config.segment_bytes)
			return OK;
		j->files->calls->close(j->files, *fd_out);
		err = err ? fail(j, ERR_IO, "opening a spare") : drop_spare(j);
		if (err)
			return err;
	}
	journal_spare_name(name, j->newest + 1);
	err = j->files->calls->open(j->files, name, true, fd_out);
	if (err)
		return fail(j, err, "creating a segment");
	j->spares[j->spares_n++] = j->newest + 1;
	j->renamed = true;
	*bytes_out = 0;
	return OK;
}

static int write_head(struct journal *j, int fd, uint32_t *seed_out)
{
	static char zeros[JOURNAL_MARK_BYTES]; /* never written to */
	struct journal_head head = { .magic = JOURNAL_MAGIC, .version = JOURNAL_VERSION,
				     .number = j->newest + 1, .bytes_max = j->config.segment_bytes,
				     .first = j->next };
	struct iovec parts[] = { { &head, sizeof(head) }, { zeros, sizeof(zeros) } };
	struct hash_key random;
	hash_key_random(&random);
	memcpy(&head.salt, random.b, sizeof(head.salt));
	journal_head_seal(&head);
	*seed_out = journal_seed(&head);
	int err = j->files->calls->write_at(j->files, fd, 0, parts, 2);
	return err ? fail(j, err, "writing a header") : OK;
}

/* A spare with the next segment's header in it becomes that segment. */
static int name_segment(struct journal *j)
{
	char spare[JOURNAL_NAME_BYTES], name[JOURNAL_NAME_BYTES];
	journal_spare_name(spare, j->spares[j->spares_n - 1]);
	journal_segment_name(name, j->newest + 1);
	int err = j->renamed ? journal_sync_names(j) : OK;
	if (err)
		return err;
	err = j->files->calls->rename(j->files, spare, name);
	if (err)
		return fail(j, err, "naming a segment");
	j->spares_n--;
	return journal_sync_names(j);
}

static int make_segment(struct journal *j, int fd, uint64_t *grown, uint32_t *seed_out)
{
	uint64_t bytes_max = j->bytes_max;
	int err = OK;
	j->bytes_max = j->config.segment_bytes;
	if (*grown < j->bytes_max && *grown < j->config.grow_bytes)
		err = grow(j, fd, grown, JOURNAL_OVERHEAD);
	j->bytes_max = bytes_max;
	if (err == OK)
		err = write_head(j, fd, seed_out);
	if (err == OK)
		err = sync_file(j, fd);
	return err ? err : name_segment(j);
}

int journal_begin(struct journal *j)
{
	uint64_t grown;
	uint32_t seed;
	int fd;
	if (j->newest - j->oldest + 1 >= JOURNAL_SEGMENTS_MAX || j->newest == UINT32_MAX)
		return fail(j, ERR_NOSPC, "counting segments");
	int err = open_spare(j, &fd, &grown);
	if (err)
		return err;
	err = make_segment(j, fd, &grown, &seed);
	if (err) {
		j->files->calls->close(j->files, fd);
		return err;
	}
	struct journal_segment *s = journal_segment(j, ++j->newest);
	atomic_store_explicit(&s->fd, fd, memory_order_relaxed);
	atomic_store_explicit(&s->number, j->newest, memory_order_release);
	j->fd = fd;
	j->seed = seed;
	j->bytes_max = j->config.segment_bytes;
	j->grown = grown;
	j->at = j->synced = sizeof(struct journal_head);
	j->turn = false;
	return OK;
}

/* --- records --- */

/* All parts between the record's header and the zeros behind it, as few writes as the kernel takes. */
static int write_parts(struct journal *j, struct journal_record *record, const struct iovec *parts,
		       unsigned n, uint64_t zeros_n)
{
	static char zeros[JOURNAL_RECORD_ALIGN + JOURNAL_MARK_BYTES]; /* never written to */
	uint64_t at = j->at, bytes = sizeof(*record);
	unsigned k = 0;
	j->parts[k++] = (struct iovec){ record, sizeof(*record) };
	for (unsigned i = 0; i <= n; i++) {
		if (k == IOV_MAX) {
			int err = j->files->calls->write_at(j->files, j->fd, at, j->parts, k);
			if (err)
				return err;
			at += bytes;
			bytes = k = 0;
		}
		j->parts[k] = i < n ? parts[i] : (struct iovec){ zeros, zeros_n };
		bytes += j->parts[k++].iov_len;
	}
	return j->files->calls->write_at(j->files, j->fd, at, j->parts, k);
}

/* One that did not fit on the disk is unmade: it might be whole but for the zeros behind it, and then
 * it would be there after a crash though the caller was told otherwise. */
static int write_failed(struct journal *j, int err)
{
	if (err == ERR_NOSPC && journal_zeros(j, j->fd, j->at, sizeof(struct journal_record)) != OK)
		err = ERR_IO;
	return fail(j, err, "writing");
}

/* The header of a record of these parts for where the journal stands. */
static struct journal_record describe(const struct journal *j, enum journal_type type,
				      const struct iovec *parts, unsigned n)
{
	struct journal_record r = { .type = type, .number = j->next,
				    .synced = j->newest << 32 | j->synced };
	for (unsigned i = 0; i < n; i++) {
		r.bytes += (uint32_t)parts[i].iov_len;
		r.payload_crc = crc32c((struct str){ parts[i].iov_base, parts[i].iov_len }, r.payload_crc);
	}
	journal_record_seal(&r, j->seed);
	return r;
}

static bool fits(const struct journal *j, uint64_t payload)
{
	uint64_t need = journal_record_bytes(payload) + JOURNAL_MARK_BYTES;
	return need <= j->bytes_max - j->at;
}


/* Tells the segment at `fd` that there is one behind it. If it cannot (no room: where files are never
 * written in place), only its successor's absence would go unnoticed. */
static int write_turned(struct journal *j, int fd, uint64_t at, struct journal_record record)
{
	struct iovec part = { &record, sizeof(record) };
	int err = j->files->calls->write_at(j->files, fd, at, &part, 1);
	if (err == ERR_NOSPC)
		return OK;
	return err ? fail(j, err, "writing") : sync_file(j, fd);
}

static int turn(struct journal *j)
{
	int err = j->synced < j->at ? sync_newest(j) : OK;
	if (err)
		return err;
	struct journal_record turned = describe(j, JOURNAL_TURNED, NULL, 0);
	uint64_t at = j->at;
	int fd = j->fd;
	err = journal_begin(j);
	if (err)
		return err;
	journal_segment(j, j->newest - 1)->end = (uint32_t)at;
	j->ended_bytes += at;
	return write_turned(j, fd, at, turned);
}

static uint64_t parts_bytes(const struct iovec *parts, unsigned n)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < n; i++)
		bytes += parts[i].iov_len;
	return bytes;
}

static int put(struct journal *j, enum journal_type type, const struct iovec *parts, unsigned n,
	       struct journal_place *place_out)
{
	uint64_t payload = parts_bytes(parts, n), bytes = journal_record_bytes(payload);
	int err = j->failed ? ERR_IO : OK;
	CHECK(payload <= journal_payload_max(j));
	if (err == OK && (j->turn || !fits(j, payload)))
		err = turn(j);
	if (err == OK && j->at + bytes + JOURNAL_MARK_BYTES > j->grown)
		err = grow_newest(j, j->at + bytes + JOURNAL_MARK_BYTES);
	if (err)
		return err;
	struct journal_record record = describe(j, type, parts, n);
	uint64_t zeros_n = bytes - sizeof(record) - payload + JOURNAL_MARK_BYTES;
	err = write_parts(j, &record, parts, n, zeros_n);
	if (err)
		return write_failed(j, err);
	*place_out = (struct journal_place){ j->newest, (uint32_t)(j->at + sizeof(record)), (uint32_t)payload };
	j->at += bytes;
	j->next++;
	j->told = false;
	return OK;
}

size_t journal_payload_max(const struct journal *j)
{
	return j->config.segment_bytes - JOURNAL_OVERHEAD;
}

int journal_append(struct journal *j, const struct iovec *parts, unsigned n,
		   struct journal_place *place_out)
{
	int err = put(j, JOURNAL_COMMIT, parts, n, place_out);
	if (err == OK && j->config.sync)
		err = sync_newest(j);
	return err;
}

void journal_turn(struct journal *j)
{
	j->turn = true;
}

void journal_close(struct journal *j, bool clean)
{
	struct journal_place place;
	/* What fails here is told in the log, and leaves a journal like that of a crash. */
	if (clean && !j->failed && (j->synced == j->at || sync_newest(j) == OK) &&
	    put(j, JOURNAL_CLOSED, NULL, 0, &place) == OK)
		(void)sync_newest(j);
	for (uint64_t n = j->oldest; n <= j->newest; n++)
		j->files->calls->close(j->files, journal_segment(j, n)->fd);
	j->files->calls->free(j->files);
	free(j);
}

/* --- reading --- */

int journal_read(struct journal *j, uint64_t segment, uint64_t offset, void *to, size_t bytes)
{
	struct journal_segment *s = journal_segment(j, segment);
	size_t got = 0;
	if (segment == 0 || atomic_load_explicit(&s->number, memory_order_acquire) != segment)
		return ERR_IO;
	int fd = atomic_load_explicit(&s->fd, memory_order_relaxed);
	int err = j->files->calls->read_at(j->files, fd, offset, to, bytes, &got);
	return err == OK && got == bytes ? OK : ERR_IO;
}

/* --- retiring --- */

static bool is_spare(const struct journal *j, uint64_t number)
{
	for (unsigned i = 0; i < j->spares_n; i++)
		if (j->spares[i] == number)
			return true;
	return false;
}

int journal_spare(struct journal *j, uint64_t number)
{
	char name[JOURNAL_NAME_BYTES], spare[JOURNAL_NAME_BYTES];
	bool wanted = j->spares_n < j->config.spares_max && !is_spare(j, number);
	journal_segment_name(name, number);
	journal_spare_name(spare, number);
	int err = wanted ? j->files->calls->rename(j->files, name, spare)
			 : j->files->calls->remove(j->files, name);
	if (err) {
		LOG(WARN, "journal", LOG_Z("failed", "retiring"), LOG_INT("segment", number),
		    LOG_Z("error", strerror(errno)));
		return ERR_IO;
	}
	j->renamed = true;
	if (wanted)
		j->spares[j->spares_n++] = number;
	return OK;
}

int journal_retire(struct journal *j, uint64_t upto)
{
	CHECK(upto < j->newest);
	for (; j->oldest <= upto; j->oldest++) {
		struct journal_segment *s = journal_segment(j, j->oldest);
		int err = journal_spare(j, j->oldest);
		if (err)
			return err;
		atomic_store_explicit(&s->number, 0, memory_order_relaxed);
		j->files->calls->close(j->files, s->fd);
		j->ended_bytes -= s->end;
	}
	return OK;
}

uint64_t journal_oldest(const struct journal *j)
{
	return j->oldest;
}

uint64_t journal_newest(const struct journal *j)
{
	return j->newest;
}

uint64_t journal_bytes(const struct journal *j)
{
	return j->ended_bytes + j->at;
}

uint64_t journal_end(const struct journal *j)
{
	return j->at;
}

uint64_t journal_room(struct journal *j)
{
	uint64_t room;
	return j->files->calls->room(j->files, &room) == OK ? room : UINT64_MAX;
}
