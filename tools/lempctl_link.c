#include "lempctl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)128 << 20)

volatile sig_atomic_t ctl_interrupted;

static bool no_server(struct ctl *ctl, const char *why)
{
	ctl->status = CTL_NO_SERVER;
	fprintf(stderr, "lempctl: no server at %s: %s\n", ctl->socket, why);
	return false;
}

static bool lost_server(struct ctl *ctl, const char *why)
{
	ctl->status = CTL_NO_SERVER;
	show_progress_end();
	fprintf(stderr, "lempctl: lost the server at %s: %s\n", ctl->socket, why);
	return false;
}

bool link_open(struct ctl *ctl)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(ctl->socket);
	if (n >= sizeof(un.sun_path))
		return no_server(ctl, "the path is longer than 107 bytes");
	memcpy(un.sun_path, ctl->socket, n);
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ctl->fd < 0 || connect(ctl->fd, (const struct sockaddr *)&un, sizeof(un)) != 0)
		return no_server(ctl, strerror(errno));
	return true;
}

static bool interrupted(struct ctl *ctl)
{
	if (ctl_interrupted)
		ctl->status = CTL_INTERRUPTED;
	return ctl_interrupted;
}

bool link_send(struct ctl *ctl, const void *bytes, size_t n)
{
	for (const char *at = bytes, *end = at + n; at < end;) {
		ssize_t sent = send(ctl->fd, at, (size_t)(end - at), MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR && !interrupted(ctl))
			continue;
		if (sent < 0)
			return ctl->status == CTL_INTERRUPTED ? false : lost_server(ctl, strerror(errno));
		at += sent;
	}
	return true;
}

bool link_ask(struct ctl *ctl, json_t *request)
{
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(request);
	if (!line) {
		fprintf(stderr, "lempctl: names and tokens are UTF-8\n");
		ctl->status = CTL_USAGE;
		return false;
	}
	bool sent = link_send(ctl, line, strlen(line)) && link_send(ctl, "\n", 1);
	memset(line, 0, strlen(line)); /* may hold a token */
	free(line);
	return sent;
}

static bool receive(struct ctl *ctl)
{
	if (ctl->in_n == ctl->in_cap) {
		size_t cap = ctl->in_cap ? ctl->in_cap * 2 : 65536;
		char *in = cap <= LINE_BYTES_MAX ? realloc(ctl->in, cap) : NULL;
		if (!in)
			return lost_server(ctl, "its answer is too long");
		ctl->in = in;
		ctl->in_cap = cap;
	}
	ssize_t n = recv(ctl->fd, ctl->in + ctl->in_n, ctl->in_cap - ctl->in_n, 0);
	if (n < 0 && errno == EINTR)
		return !interrupted(ctl);
	if (n <= 0)
		return lost_server(ctl, n < 0 ? strerror(errno) : "it has hung up");
	ctl->in_n += (size_t)n;
	return true;
}

json_t *link_next(struct ctl *ctl)
{
	char *end;
	while (!(end = ctl->in_n ? memchr(ctl->in, '\n', ctl->in_n) : NULL))
		if (!receive(ctl))
			return NULL;
	size_t n = (size_t)(end + 1 - ctl->in);
	json_t *line = json_loadb(ctl->in, n, 0, NULL);
	memmove(ctl->in, ctl->in + n, ctl->in_n - n);
	ctl->in_n -= n;
	if (!json_is_object(line)) {
		lost_server(ctl, "its answer cannot be understood");
	} else if (json_object_get(line, "error")) {
		ctl->status = CTL_REFUSED;
		show_progress_end();
		show_error(ctl, line);
	} else {
		return line;
	}
	json_decref(line);
	return NULL;
}

json_t *link_last(struct ctl *ctl)
{
	json_t *line;
	while ((line = link_next(ctl)) && !json_object_get(line, "ok")) {
		if (!ctl->json)
			show_progress(json_object_get(line, "progress"));
		json_decref(line);
	}
	return line;
}
