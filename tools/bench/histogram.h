/* Durations counted in buckets that widen with the value: below 256 ns exact, above within 1/128,
 * up to 36 minutes (longer ones fall into the last bucket; the maximum is exact all the same).
 * Adding costs a few nanoseconds and allocates nothing. Owned by one thread; merge afterwards. */
#pragma once
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7 /* each power of two is divided into 2^7 buckets */
#define HISTOGRAM_VALUE_BITS 41
#define HISTOGRAM_BUCKETS ((HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t count;
	int64_t max_ns; /* 0 while empty */
	double sum_ns;
	uint64_t _buckets[HISTOGRAM_BUCKETS];
}; /* zeroed: empty */

/* A negative duration counts as 0. */
void histogram_add(struct histogram *h, int64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The smallest duration (as its bucket's upper end) which so many in 10,000 do not exceed:
 * 5000 is the median, 9990 the 99.9th percentile. 0 while empty. */
int64_t histogram_quantile(const struct histogram *h, unsigned in_10000);
int64_t histogram_mean(const struct histogram *h); /* 0 while empty */
