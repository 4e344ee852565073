/* A directory on a simulated disk (files.h), for tests and the simulator: it tells what is written from what
 * is on disk, loses any part of the difference when its power fails, and fails or stops where it is told.
 *
 *   kill -9       the next files_memory_open finds all that was written
 *   power loss    files_memory_crash first: of what was not synced any sectors are there or not, of names
 *                 that were not synced any
 *   failed sync   what it should have written may never come to the disk, though it is read as if it had,
 *                 and the next sync succeeds: as Linux does it
 *
 * One thread. Random choices come from the seed. Out of memory ends the process by CHECK. */
#pragma once
#include "base/buf.h"
#include "store/files.h"

struct files_memory;
struct files_memory *files_memory_new(uint64_t seed);
void files_memory_free(struct files_memory *m);
/* A process opens it. Whatever was to fail is forgotten. free() of what is returned leaves the disk. */
struct files *files_memory_open(struct files_memory *m);
/* Power loss; who has it open must not use it any more. */
void files_memory_crash(struct files_memory *m);

/* Calls that change something: writes, syncs, creations, renames, removals; those since it was opened. */
unsigned files_memory_calls(const struct files_memory *m);
/* The nth of them from now (1: the next) fails with `err`, a write after a part of it. 0: none. */
void files_memory_fail(struct files_memory *m, unsigned nth, int err);
/* The nth from now comes half way, and it and all after it fail: as if the process had been killed. */
void files_memory_kill(struct files_memory *m, unsigned nth);
bool files_memory_is_killed(const struct files_memory *m);
void files_memory_set_room(struct files_memory *m, uint64_t bytes); /* what .room says */

/* The bytes of a file, for tests that change them; NULL: there is none. */
struct buf *files_memory_bytes(struct files_memory *m, const char *name);
/* Names of all files, as base/strs.h has it. */
void files_memory_names(const struct files_memory *m, struct buf *out);
/* A disk with the same files, all of it synced. */
struct files_memory *files_memory_copy(const struct files_memory *m, uint64_t seed);
