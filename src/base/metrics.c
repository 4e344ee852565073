#include "base/metrics.h"

#define COUNTER "counter"
#define GAUGE "gauge"
const struct metric_row metric_rows[METRIC_COUNT] = {
#define METRIC(name, kind, help) { #name, kind, help },
#include "base/metrics.def"
#undef METRIC
};

int64_t metric_sum(struct metrics *const *sets, unsigned n, enum metric which)
{
	int64_t sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += atomic_load_explicit(&sets[i]->v[which], memory_order_relaxed);
	return sum;
}
