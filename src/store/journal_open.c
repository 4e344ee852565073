/* Finding again what was written. All segments are read in order; the last one's torn end is cut and
 * what may not be on disk of it is written again before anybody is shown what it holds. */
#include "base/hash.h"
#include "store/journal_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct old { uint64_t number; bool spare; }; /* a file that is not live */

/* What is in the directory. */
struct found {
	uint64_t retired;
	uint64_t newest;                 /* 0: none is live */
	bool live[JOURNAL_SEGMENTS_MAX]; /* [i]: segment retired + 1 + i */
	struct old old[2 * JOURNAL_SEGMENTS_MAX]; /* more are left for the next opening */
	unsigned old_n;
};

struct opening {
	struct files *files;
	struct journal *journal; /* NULL: it is only checked */
	journal_visit *visit;
	void *ctx;
	struct journal_cut *cut;
	char *why;
	size_t why_size;
	uint8_t *bytes; /* of the segment under way */
	size_t bytes_max;
	int fd;
	struct journal_scan scan;
	struct found found;
};

static int tell_io(struct opening *o, int err, const char *what, const char *name)
{
	snprintf(o->why, o->why_size, "%s %s of the journal failed: %s", what, name, strerror(errno));
	return err == ERR_NOSPC ? err : ERR_IO;
}

static int tell_wrong(struct opening *o, int err)
{
	snprintf(o->why, o->why_size, "%012llu.seg of the journal, offset %llu: %s",
		 (unsigned long long)o->scan.number, (unsigned long long)o->scan.bad, o->scan.wrong);
	return err;
}

static int tell_missing(struct opening *o, uint64_t number)
{
	snprintf(o->why, o->why_size, "%012llu.seg of the journal is missing", (unsigned long long)number);
	return ERR_CORRUPT;
}

/* --- the directory --- */

static void find_one(void *ctx, const char *name)
{
	struct found *f = ctx;
	uint64_t number;
	bool spare;
	if (!journal_name_read(name, &number, &spare))
		return;
	if (!spare && number > f->retired) {
		if (number - f->retired <= JOURNAL_SEGMENTS_MAX)
			f->live[number - f->retired - 1] = true;
		if (number > f->newest)
			f->newest = number;
	} else if (f->old_n < sizeof(f->old) / sizeof(f->old[0])) {
		f->old[f->old_n++] = (struct old){ number, spare };
	}
}

static int find_all(struct opening *o)
{
	struct found *f = &o->found;
	if (o->files->calls->list(o->files, find_one, f) != OK)
		return tell_io(o, ERR_IO, "listing", "the directory");
	/* The newest is never retired, so one is there unless this is a fresh journal. */
	if (f->newest == 0)
		return f->retired || !o->journal || o->journal->config.used ? tell_missing(o, f->retired + 1) : OK;
	for (uint64_t i = 0; i < f->newest - f->retired; i++) {
		if (i == JOURNAL_SEGMENTS_MAX) {
			snprintf(o->why, o->why_size, "the journal has more than %d segments",
				 JOURNAL_SEGMENTS_MAX);
			return ERR_NOSPC;
		}
		if (!f->live[i])
			return tell_missing(o, f->retired + 1 + i);
	}
	return OK;
}

/* --- a segment --- */

static int load_bytes(struct opening *o, const char *name)
{
	uint64_t size;
	int err = o->files->calls->size(o->files, o->fd, &size);
	if (err)
		return tell_io(o, ERR_IO, "reading", name);
	if (size > JOURNAL_SEGMENT_BYTES_MAX)
		size = JOURNAL_SEGMENT_BYTES_MAX; /* its header does not allow more */
	if (size > o->bytes_max) {
		free(o->bytes);
		o->bytes = malloc(size);
		o->bytes_max = o->bytes ? size : 0;
	}
	if (size && !o->bytes) {
		snprintf(o->why, o->why_size, "no memory to read %s of the journal", name);
		return ERR_NOMEM;
	}
	err = o->files->calls->read_at(o->files, o->fd, 0, o->bytes, size, &o->scan.n);
	o->scan.p = o->bytes;
	return err ? tell_io(o, ERR_IO, "reading", name) : OK;
}

static int load(struct opening *o, uint64_t number)
{
	char name[JOURNAL_NAME_BYTES];
	journal_segment_name(name, number);
	int err = o->files->calls->open(o->files, name, false, &o->fd);
	if (err)
		return tell_io(o, ERR_IO, "opening", name);
	/* A process that was killed may not have come to its sync. */
	if (o->journal && number == o->found.newest && o->files->calls->sync(o->files, o->fd) != OK)
		err = tell_io(o, ERR_IO, "syncing", name);
	else
		err = load_bytes(o, name);
	if (err)
		o->files->calls->close(o->files, o->fd);
	return err;
}

static int write_again(struct opening *o, uint64_t from, uint64_t to)
{
	struct iovec part = { o->bytes + from, to - from };
	return o->files->calls->write_at(o->files, o->fd, from, &part, 1);
}

/* The last segment, before anything is appended to it: zeros where it is torn; and once more what is
 * not known to be on disk, and the end of the file: a sync that failed before the last process ended
 * may have left pages that look written. */
static int mend(struct opening *o)
{
	struct journal_scan *s = &o->scan;
	char name[JOURNAL_NAME_BYTES];
	uint64_t to = s->torn ? s->n : s->end + JOURNAL_MARK_BYTES;
	journal_segment_name(name, s->number);
	memset(o->bytes + s->end, 0, to - s->end);
	int err = write_again(o, s->synced, to);
	if (err == OK && to < s->n)
		err = write_again(o, s->n - 1, s->n);
	if (err == OK)
		err = o->files->calls->sync(o->files, o->fd);
	return err ? tell_io(o, err, "mending", name) : OK;
}

static int read_tail(struct opening *o)
{
	struct journal_scan *s = &o->scan;
	if (s->turned)
		return tell_missing(o, s->number + 1);
	int err = journal_scan_tail(s);
	if (err)
		return tell_wrong(o, err);
	if (s->torn) {
		uint64_t last = s->n;
		while (last > s->end && s->p[last - 1] == 0)
			last--;
		*o->cut = (struct journal_cut){ s->number, s->end, last - s->end };
	}
	return o->journal ? mend(o) : OK;
}

/* `next`: the number the first record must have, 0 for the first segment. */
static int read_records(struct opening *o, uint64_t number, uint64_t next)
{
	struct journal_scan *s = &o->scan;
	uint32_t end = s->end; /* of the segment before */
	int err = journal_scan(s, number);
	if (err)
		return tell_wrong(o, err);
	if (next && s->first != next) {
		snprintf(o->why, o->why_size, "%012llu.seg of the journal, offset %llu: a record is damaged, and "
			 "there is a segment behind it", (unsigned long long)number - 1, (unsigned long long)end);
		return ERR_CORRUPT;
	}
	return number == o->found.newest ? read_tail(o) : OK;
}

static int visit_records(struct opening *o)
{
	struct journal_record r;
	struct str payload;
	uint32_t at = sizeof(struct journal_head), begin = at;
	for (; journal_scan_next(&o->scan, &at, &r, &payload); begin = at) {
		struct journal_place place = { o->scan.number, begin + (uint32_t)sizeof(r), r.bytes };
		int err = r.type == JOURNAL_COMMIT ? o->visit(o->ctx, place, payload) : OK;
		if (err)
			return err;
	}
	return OK;
}

/* The descriptor goes over to the journal, with all that is known of the segment. */
static void take(struct opening *o)
{
	struct journal *j = o->journal;
	const struct journal_scan *s = &o->scan;
	struct journal_segment *segment = journal_segment(j, s->number);
	atomic_store_explicit(&segment->fd, o->fd, memory_order_relaxed);
	atomic_store_explicit(&segment->number, s->number, memory_order_release);
	segment->end = s->end;
	if (s->number < o->found.newest)
		j->ended_bytes += s->end;
	j->newest = s->number;
	j->fd = o->fd;
	j->seed = s->seed;
	j->bytes_max = s->bytes_max;
	j->grown = s->n;
	j->at = j->synced = s->end;
	j->next = s->next;
}

static int read_all(struct opening *o)
{
	uint64_t next = 0;
	for (uint64_t n = o->found.retired + 1; n <= o->found.newest; n++) {
		int err = load(o, n);
		if (err)
			return err;
		err = read_records(o, n, next);
		if (o->journal)
			take(o);
		else
			o->files->calls->close(o->files, o->fd);
		if (err == OK)
			err = visit_records(o);
		if (err)
			return err;
		next = o->scan.next;
	}
	return OK;
}

/* --- opening --- */

/* Whatever was retired, or once made and not used, becomes a spare or goes. */
static int sort_old(struct opening *o)
{
	struct journal *j = o->journal;
	char name[JOURNAL_NAME_BYTES];
	for (unsigned i = 0; i < o->found.old_n; i++) {
		const struct old *old = &o->found.old[i];
		if (!old->spare)
			continue;
		if (j->spares_n < j->config.spares_max) {
			j->spares[j->spares_n++] = old->number;
			continue;
		}
		journal_spare_name(name, old->number);
		if (o->files->calls->remove(o->files, name) != OK)
			return tell_io(o, ERR_IO, "removing", name);
	}
	for (unsigned i = 0; i < o->found.old_n; i++) {
		const struct old *old = &o->found.old[i];
		journal_segment_name(name, old->number);
		if (!old->spare && journal_spare(j, old->number) != OK)
			return tell_io(o, ERR_IO, "retiring", name);
	}
	return OK;
}

static int open_all(struct opening *o)
{
	struct journal *j = o->journal;
	int err = find_all(o);
	if (err)
		return err;
	/* Names that a process changed before it was killed. */
	if (journal_sync_names(j) != OK)
		return tell_io(o, ERR_IO, "syncing", "the directory");
	j->oldest = o->found.retired + 1;
	j->newest = o->found.retired;
	err = read_all(o);
	if (err == OK)
		err = sort_old(o);
	if (err == OK && o->found.newest == 0) {
		j->next = 1;
		err = journal_begin(j);
		if (err)
			err = tell_io(o, err, "making the first segment", "");
	}
	return err;
}

/* Frees what opening alone needs. */
static void opening_end(struct opening *o)
{
	free(o->bytes);
	free(o);
}

static struct opening *opening_begin(struct files *files, uint64_t retired, char *why, size_t why_size)
{
	struct opening *o = calloc(1, sizeof(*o));
	if (!o) {
		snprintf(why, why_size, "no memory to open the journal");
		return NULL;
	}
	o->files = files;
	o->found.retired = retired;
	o->why = why;
	o->why_size = why_size;
	return o;
}

int journal_open(struct files *files, const struct journal_config *config, uint64_t retired,
		 journal_visit *visit, void *ctx, struct journal **journal_out,
		 struct journal_cut *cut_out, char *why, size_t why_size)
{
	CHECK(config->segment_bytes >= JOURNAL_SEGMENT_BYTES_MIN);
	CHECK(config->segment_bytes <= JOURNAL_SEGMENT_BYTES_MAX);
	CHECK(config->segment_bytes % JOURNAL_RECORD_ALIGN == 0 && config->grow_bytes);
	CHECK(config->spares_max <= JOURNAL_SPARES_MAX);
	struct opening *o = opening_begin(files, retired, why, why_size);
	struct journal *j = calloc(1, sizeof(*j));
	*cut_out = (struct journal_cut){ 0 };
	if (!o || !j) {
		snprintf(why, why_size, "no memory to open the journal");
		free(o);
		free(j);
		files->calls->free(files);
		return ERR_NOMEM;
	}
	j->files = files;
	j->config = *config;
	o->journal = j;
	o->visit = visit;
	o->ctx = ctx;
	o->cut = cut_out;
	*journal_out = j;
	int err = open_all(o);
	opening_end(o);
	if (err) {
		journal_close(j, false);
		*journal_out = NULL;
	}
	return err;
}

int journal_check(struct files *files, uint64_t retired, journal_visit *visit, void *ctx,
		  struct journal_cut *cut_out, char *why, size_t why_size)
{
	struct opening *o = opening_begin(files, retired, why, why_size);
	*cut_out = (struct journal_cut){ 0 };
	if (!o) {
		files->calls->free(files);
		return ERR_NOMEM;
	}
	o->visit = visit;
	o->ctx = ctx;
	o->cut = cut_out;
	int err = find_all(o);
	if (err == OK)
		err = read_all(o);
	opening_end(o);
	files->calls->free(files);
	return err;
}
