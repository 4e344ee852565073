/* The embedded engine in one thread over a simulated disk, for tests and the simulator: whatever is submitted
 * is committed at once, a read is answered at once, and the spiller's work is done when its owner says so. */
#pragma once
#include "store/base_memory.h"
#include "store/embedded.h"
#include "store/files_memory.h"
#include <setjmp.h>

/* What outlives the process. */
struct simulated_disk { struct files_memory *files; struct base_memory *base; bool used; };
void simulated_disk_init(struct simulated_disk *d, uint64_t seed);
void simulated_disk_deinit(struct simulated_disk *d);

struct simulated_config {
	struct store_config store;      /* path and segment_bytes are not looked at */
	struct embedded_bounds bounds;
	struct embedded_clock clock;
};
/* Bounds so small that everything happens often. */
extern const struct embedded_bounds simulated_bounds;

/* As store_engine.open. engine->close is a clean end. */
int simulated_open(struct simulated_disk *d, const struct simulated_config *config, struct store **store_out,
		   char *why, size_t why_size);
/* Ends it as kill -9 does. */
void simulated_kill(struct store *s);
/* Does what the spiller and the index's threads have to do, if anything; false: nothing. */
bool simulated_work(struct store *s);
struct store_embedded *simulated_engine(struct store *s);
/* Where the engine goes when it would end the process; NULL: it does end it. The store is then only to be
 * killed. */
void simulated_catch(jmp_buf *where);
