/* The base over RocksDB, in the directory DIR/db. */
#pragma once
#include "store/base.h"
#include "store/embedded_dir.h"

/* Opens or (DIR_FORMAT_NONE) makes it. In a directory of an older format the families that this lacked
 * are made; one that is missing else was lost: ERR_CORRUPT. `retention_ms`: rows of format 2 with an
 * older time may go. ERR_IO, ERR_NOMEM likewise with a sentence in `why`. `read_only`: for --check-data. */
int base_rocksdb_open(const char *dir, enum dir_format format, int64_t retention_ms, bool read_only,
		      struct base **base_out, const struct why *why) WARN_UNUSED;
/* Rewrites all tables now, without what was forgotten or has aged: for tests. */
void base_rocksdb_compact(struct base *b);
