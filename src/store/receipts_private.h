/* What the files of the receipt index share: receipts.c has what is asked and told, receipts_acks.c the
 * rows of acknowledgements, receipts_build.c what goes to the base and comes from it, and time. */
#pragma once
#include "store/bloom.h"
#include "store/receipts.h"
#include "store/recent.h"

#define SLICES_BEFORE 8 /* of the window, before the newest */
#define KIND_ONCE 'o'
#define KIND_ACK 'a'
#define VALUE_VERSION_SLICE 2

struct receipts {
	struct receipts_config config;
	int64_t slice_ms;
	struct bloom bloom;
	_Atomic uint32_t newest;
	_Atomic bool ready;           /* the filters know all that the base has */
	_Atomic size_t recent_bytes;
	uint32_t carried;             /* receipts_carry has seen to slices up to this one */
	/* (L) */
	struct recent recent;
	uint32_t ticked;
	bool building;                /* from receipts_build to receipts_built … */
	struct buf gone;              /* … these users were deleted (base/strs.h) */
};

/* The slice in the window that a row of that time goes to; the first of the window. */
uint32_t receipts_slice(const struct receipts *r, int64_t ms);
uint32_t receipts_oldest(const struct receipts *r);
static inline bool receipts_aged(const struct receipts *r, int64_t ms, int64_t now_ms)
{
	return ms + r->config.retention_ms <= now_ms;
}
/* The beginning of a key of FAMILY_RECEIPTS. */
struct key receipts_key(uint32_t slice, uint8_t kind);
/* The rest of an ack's key, in both families, and its value. */
void receipts_key_ack(struct key *k, const struct op_ack *ack);
void receipts_value_ack(struct buf *out, uint8_t flags, int64_t ms);

/* Calls each(ctx, key, value) for every row of the family whose key has that prefix, till it returns
 * false. OK, or why not all could be read. */
typedef bool receipts_each(void *ctx, struct str key, struct str value);
int receipts_rows(struct receipts *r, struct base_snapshot *s, enum family family, const struct key *prefix,
		  receipts_each *each, void *ctx) WARN_UNUSED;
