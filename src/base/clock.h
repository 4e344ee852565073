/* Two kinds of time are two types, so that they cannot be mixed.
 * Intervals and deadlines use mono; what is shown or stored uses wall (protocol.md section 2). */
#pragma once
#include <stdint.h>

struct mono { int64_t ns; };  /* CLOCK_MONOTONIC, nanoseconds */
struct wall { int64_t ms; };  /* Unix time, milliseconds */

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct mono mono_now(void);
struct wall wall_now(void);

static inline struct mono mono_add_ms(struct mono t, int64_t ms)
{
	return (struct mono){ t.ns + ms * NS_PER_MS };
}
/* Milliseconds from a to b, rounded down; negative when b is before a. */
static inline int64_t mono_diff_ms(struct mono a, struct mono b)
{
	int64_t d = b.ns - a.ns;
	return d >= 0 ? d / NS_PER_MS : -((-d + NS_PER_MS - 1) / NS_PER_MS);
}
