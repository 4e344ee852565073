/* Any bytes as a batch: reading ends, stays inside, and what was read writes the same bytes. */
#include "store/txn.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size }, txn;
	struct store_op op;
	struct buf again;
	size_t cursor = 0;
	int r;
	buf_init(&again, (size_t)1 << 24);
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
