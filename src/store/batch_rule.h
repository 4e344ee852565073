/* The rule of store.h that every engine keeps alike: after a batch failed, batches that the worker
 * submitted before it saw the failure fail, too. */
#pragma once
#include "store/store.h"

struct batch_rule { uint32_t failures[STORE_WORKERS_MAX]; /* handed back as failed, per worker */ };

/* OK: may be written. ERR_UNAVAILABLE: must be refused, and is counted as failed. */
static inline int batch_rule_admit(struct batch_rule *rule, unsigned w, const struct store_batch *batch)
{
	if (batch->failures_seen == rule->failures[w])
		return OK;
	rule->failures[w]++;
	return ERR_UNAVAILABLE;
}

/* A batch could not be written: counts it. */
static inline int batch_rule_fail(struct batch_rule *rule, unsigned w)
{
	rule->failures[w]++;
	return ERR_UNAVAILABLE;
}
