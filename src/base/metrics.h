/* Counters and gauges, one row each in metrics.def. Each thread writes its own set without
 * locks (relaxed stores, one writer a set); a reader sums all sets. Sets live as long as the
 * process. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

enum metric {
#define METRIC(name, kind, help) METRIC_##name,
#include "base/metrics.def"
#undef METRIC
	METRIC_COUNT
};

struct metrics { _Atomic int64_t v[METRIC_COUNT]; };

struct metric_row { const char *name; const char *kind; const char *help; }; /* kind: "counter" | "gauge" */
extern const struct metric_row metric_rows[METRIC_COUNT];

static inline void metric_add(struct metrics *m, enum metric which, int64_t by)
{
	int64_t v = atomic_load_explicit(&m->v[which], memory_order_relaxed);
	atomic_store_explicit(&m->v[which], v + by, memory_order_relaxed);
}
/* Sums `which` over n sets. */
int64_t metric_sum(struct metrics *const *sets, unsigned n, enum metric which);
