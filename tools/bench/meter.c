#include "meter.h"
#include "base/err.h"
#include "base/str.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES_MAX 4096
#define STAT_TIMES_BEFORE 11 /* fields of /proc/PID/stat between its name's `)` and utime */

/* Reads a small file as text. 0 or ERR_NOTFOUND. */
static int file_read(const char *path, char out[FILE_BYTES_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR_NOTFOUND;
	ssize_t n = read(fd, out, FILE_BYTES_MAX - 1);
	close(fd);
	if (n < 0)
		return ERR_NOTFOUND;
	out[n] = '\0';
	return OK;
}

static int64_t line_number(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	return at ? strtoll(at + strlen(label), NULL, 10) : 0;
}

static int times_read(int pid, struct meter *out)
{
	char path[64], text[FILE_BYTES_MAX];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read(path, text) != OK)
		return ERR_NOTFOUND;
	char *at = strrchr(text, ')'); /* the name before it may hold anything */
	for (int i = 0; at && i <= STAT_TIMES_BEFORE; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return ERR_NOTFOUND;
	int64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
	out->user_ns = strtoll(at, &at, 10) * tick_ns;
	out->system_ns = strtoll(at, &at, 10) * tick_ns;
	return OK;
}

static int memory_read(int pid, struct meter *out)
{
	char path[64], text[FILE_BYTES_MAX];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read(path, text) != OK)
		return ERR_NOTFOUND;
	out->resident_bytes = line_number(text, "\nVmRSS:") * 1024;
	out->resident_bytes_max = line_number(text, "\nVmHWM:") * 1024;
	return OK;
}

static void switches_read(int pid, struct meter *out)
{
	char path[512], text[FILE_BYTES_MAX];
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return;
	for (struct dirent *e; (e = readdir(tasks)) != NULL;) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, e->d_name);
		if (e->d_name[0] == '.' || file_read(path, text) != OK)
			continue;
		out->switches += line_number(text, "\nvoluntary_ctxt_switches:");
		out->switches_forced += line_number(text, "\nnonvoluntary_ctxt_switches:");
	}
	closedir(tasks);
}

int meter_read(int pid, struct meter *out)
{
	clockid_t clock;
	struct timespec cpu;
	*out = (struct meter){ .at = mono_now() };
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &cpu) != 0)
		return ERR_NOTFOUND;
	out->cpu_ns = cpu.tv_sec * NS_PER_S + cpu.tv_nsec;
	if (times_read(pid, out) != OK || memory_read(pid, out) != OK)
		return ERR_NOTFOUND;
	switches_read(pid, out);
	return OK;
}

int meter_find(const char *data, int *pid_out)
{
	char path[4096], text[FILE_BYTES_MAX];
	if (snprintf(path, sizeof(path), "%s/lock", data) >= (int)sizeof(path) ||
	    file_read(path, text) != OK)
		return ERR_NOTFOUND;
	long pid = strtol(text, NULL, 10);
	if (pid <= 0 || pid > INT32_MAX)
		return ERR_NOTFOUND;
	*pid_out = (int)pid;
	return OK;
}
