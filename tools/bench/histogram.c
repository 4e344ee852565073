#include "histogram.h"

#define SUB_COUNT (INT64_C(1) << HISTOGRAM_SUB_BITS)
#define VALUE_MAX ((INT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

/* Values below 2 * SUB_COUNT have a bucket each. Above, a value is shifted right until it is below
 * that; the shift chooses a row of SUB_COUNT buckets, what is left of the value the one in it. */
static unsigned bucket_of(int64_t ns)
{
	if (ns < 2 * SUB_COUNT)
		return (unsigned)ns;
	unsigned bits = 64 - (unsigned)__builtin_clzll((unsigned long long)ns);
	unsigned shift = bits - (HISTOGRAM_SUB_BITS + 1);
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift);
}

static int64_t bucket_end(unsigned bucket)
{
	if (bucket < 2 * SUB_COUNT)
		return bucket;
	unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	int64_t sub = (int64_t)bucket - ((int64_t)shift << HISTOGRAM_SUB_BITS);
	return ((sub + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	h->count++;
	h->sum_ns += (double)ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->_buckets[bucket_of(ns < VALUE_MAX ? ns : VALUE_MAX)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->_buckets[i] += from->_buckets[i];
}

int64_t histogram_quantile(const struct histogram *h, unsigned in_10000)
{
	uint64_t rank = (h->count * in_10000 + 9999) / 10000;
	uint64_t seen = 0;
	if (h->count == 0)
		return 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += h->_buckets[i];
		if (seen > 0 && seen >= rank)
			return bucket_end(i) < h->max_ns ? bucket_end(i) : h->max_ns;
	}
	return h->max_ns; /* in the last bucket, which has no end */
}

int64_t histogram_mean(const struct histogram *h)
{
	return h->count ? (int64_t)(h->sum_ns / (double)h->count) : 0;
}
