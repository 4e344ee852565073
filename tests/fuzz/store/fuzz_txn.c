/* Any bytes as a batch, as receivers and as rows of reads: reading ends and stays inside, and a batch
 * that was read is written as the same bytes. */
#include "store/txn.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read must lie within the input. */
static void is_inside(struct str bytes, struct str s)
{
	if (s.n && (s.p < bytes.p || s.p + s.n > bytes.p + bytes.n))
		abort();
}

static void read_rows(struct str bytes)
{
	struct store_name_row name;
	struct store_link_row link;
	struct store_find_row find;
	struct str receiver;
	size_t cursor = 0;
	while (strs_next(bytes, &cursor, &receiver) == 1)
		is_inside(bytes, receiver);
	cursor = 0;
	while (store_name_row_next(bytes, &cursor, &name) == 1)
		is_inside(bytes, name.owner);
	cursor = 0;
	while (store_link_row_next(bytes, &cursor, &link) == 1)
		is_inside(bytes, link.title);
	cursor = 0;
	while (store_find_row_next(bytes, &cursor, &find) == 1)
		is_inside(bytes, find.sender);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size }, txn;
	struct store_op op;
	struct buf again;
	size_t cursor = 0;
	int r;
	buf_init(&again, (size_t)1 << 24);
	read_rows(bytes);
	while ((r = store_txn_next(bytes, &cursor, &txn)) == 1) {
		size_t at = 0, mark = txn_begin(&again);
		while ((r = store_op_next(txn, &at, &op)) == 1)
			txn_add(&again, &op);
		txn_end(&again, mark);
		if (r)
			break;
	}
	if (r == 0 && (again.n != size || (size && memcmp(again.p, data, size) != 0)))
		abort();
	buf_deinit(&again);
	return 0;
}
