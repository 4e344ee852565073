#include "base/clock.h"
#include <time.h>

struct mono mono_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct mono){ (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec };
}

struct wall wall_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){ (int64_t)t.tv_sec * 1000 + t.tv_nsec / NS_PER_MS };
}
