/* Any bytes as the one segment of a journal: opening ends, gives only what lies inside, and what it takes can
 * be opened again. Checksums are made right, or nothing behind them would be reached. */
#include "store/crc32c.h"
#include "store/files_memory.h"
#include "store/journal_private.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen { unsigned n; uint64_t bytes; };

static int visit(void *ctx, struct journal_place place, struct str payload)
{
	struct seen *seen = ctx;
	if (place.bytes != payload.n)
		abort();
	for (size_t i = 0; i < payload.n; i++)
		seen->bytes += (uint8_t)payload.p[i];
	seen->n++;
	return OK;
}

static void seal_records(struct buf *b, uint32_t seed)
{
	struct journal_record r;
	for (size_t at = sizeof(struct journal_head); at + sizeof(r) <= b->n;) {
		memcpy(&r, b->p + at, sizeof(r));
		size_t room = b->n - at - sizeof(r);
		r.bytes %= 200;
		if (r.bytes <= room && r.number % 4)
			r.payload_crc = crc32c((struct str){ b->p + at + sizeof(r), r.bytes }, 0);
		journal_record_seal(&r, seed);
		memcpy(b->p + at, &r, sizeof(r));
		at += (size_t)journal_record_bytes(r.bytes);
	}
}

static void seal(struct buf *b)
{
	struct journal_head head;
	if (b->n < sizeof(head))
		return;
	memcpy(&head, b->p, sizeof(head));
	memcpy(head.magic, JOURNAL_MAGIC, sizeof(head.magic));
	head.version = JOURNAL_VERSION;
	head.number = 1;
	head.bytes_max = 4096;
	journal_head_seal(&head);
	memcpy(b->p, &head, sizeof(head));
	seal_records(b, journal_seed(&head));
}

static int open_once(struct files_memory *disk, struct seen *seen)
{
	static const struct journal_config config = { .segment_bytes = 4096, .grow_bytes = 512,
						      .spares_max = 1, .sync = true };
	struct journal *journal;
	struct journal_cut cut;
	char why[256] = "";
	*seen = (struct seen){ 0 };
	int err = journal_open(files_memory_open(disk), &config, 0, visit, seen, &journal, &cut, why, sizeof(why));
	if (err && !why[0])
		abort();
	if (!err)
		journal_close(journal, false);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct files_memory *disk = files_memory_new(1);
	struct files *files = files_memory_open(disk);
	struct seen first, again;
	int fd;
	if (size < 1) {
		files_memory_free(disk);
		return 0;
	}
	if (files->calls->open(files, "000000000001.seg", true, &fd) != OK)
		abort();
	struct iovec part = { (void *)(uintptr_t)(data + 1), size - 1 };
	if (files->calls->write_at(files, fd, 0, &part, 1) != OK)
		abort();
	if (data[0] % 8)
		seal(files_memory_bytes(disk, "000000000001.seg"));
	if (open_once(disk, &first) == OK &&
	    (open_once(disk, &again) != OK || again.n != first.n || again.bytes != first.bytes))
		abort();
	files_memory_free(disk);
	return 0;
}
