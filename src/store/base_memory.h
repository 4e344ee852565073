/* A base (base.h) in memory, for tests and the simulator: what is flushed survives a crash, of the rest each
 * family loses the last base_writes, so many as it pleases. One thread; while an iterator or a snapshot is open nothing may be written.
 * Out of memory ends the process by CHECK. */
#pragma once
#include "store/base.h"

struct base_memory;
struct base_memory *base_memory_new(uint64_t seed);
void base_memory_free(struct base_memory *m);
/* A process opens it; free() of what is returned leaves the rows. Whatever was to fail is forgotten. */
struct base *base_memory_open(struct base_memory *m);
/* The process, or the machine, is gone: rows not flushed may be lost. */
void base_memory_crash(struct base_memory *m);
/* The nth call from now (1: the next) of flush and of those that make or take bulks fails with `err`. 0: none. */
void base_memory_fail(struct base_memory *m, unsigned nth, int err);
