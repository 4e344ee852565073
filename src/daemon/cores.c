#include "daemon/cores.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

static unsigned by_affinity(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1; /* more than 1,024 cores: server.threads says it then */
	return (unsigned)CPU_COUNT(&set);
}

/* First line of a file, without its end. */
static bool first_line(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool got = fgets(out, (int)size, file) != NULL;
	fclose(file);
	if (got)
		out[strcspn(out, "\n")] = '\0';
	return got;
}

static unsigned cores_of(double quota, double period)
{
	if (quota <= 0 || period <= 0)
		return UINT_MAX;
	unsigned whole = (unsigned)(quota / period);
	return whole + (whole * period < quota);
}

/* The path of our group behind "0::" (v2), "" if there is none. */
static void group_path(char *out, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];
	out[0] = '\0';
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "0::", 3) == 0)
			snprintf(out, size, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
	if (file)
		fclose(file);
}

/* The least quota of our group and those above it. */
static unsigned by_group_v2(void)
{
	char group[PATH_MAX], file[2 * PATH_MAX], line[64];
	unsigned least = UINT_MAX;
	group_path(group, sizeof(group));
	for (;;) {
		double quota, period;
		char *end;
		snprintf(file, sizeof(file), CGROUP_ROOT "%s/cpu.max", group);
		if (first_line(file, line, sizeof(line)) && strncmp(line, "max", 3) != 0) {
			quota = strtod(line, &end);
			period = strtod(end, NULL);
			least = cores_of(quota, period) < least ? cores_of(quota, period) : least;
		}
		char *slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static unsigned by_group_v1(void)
{
	char quota[32], period[32];
	if (!first_line(CGROUP_ROOT "/cpu/cpu.cfs_quota_us", quota, sizeof(quota)) ||
	    !first_line(CGROUP_ROOT "/cpu/cpu.cfs_period_us", period, sizeof(period)))
		return UINT_MAX;
	return cores_of(strtod(quota, NULL), strtod(period, NULL));
}

unsigned cores_usable(void)
{
	unsigned n = by_affinity(), v2 = by_group_v2(), v1 = by_group_v1();
	n = n < v2 ? n : v2;
	n = n < v1 ? n : v1;
	return n ? n : 1;
}
