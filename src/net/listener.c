#include "net/listener.h"
#include "base/err.h"
#include "base/log.h"
#include "net/address.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64 /* so that a rush of new peers does not starve those already here */
#define PAUSE_MS 100

struct listener {
	struct loop_io io;
	struct loop *loop;
	struct net *net;
	bool (*admit)(void *ctx, const struct sockaddr *address);
	void *ctx;
	bool paused;  /* not in the loop; `pause` runs */
	bool starved; /* has paused since it last accepted: said once */
	struct loop_timers pauses;
	struct loop_timer pause;
};

static void set_flag(int fd, int level, int name, int value)
{
	/* Fails only for kinds of socket that have no such option. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* A socket's path left over by a server that died: nobody answers there. */
static bool path_is_stale(const struct sockaddr_un *un, socklen_t n)
{
	struct stat st;
	if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	bool stale = connect(fd, (const struct sockaddr *)un, n) != 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* 0 or an errno */
static int bind_to(int fd, const struct sockaddr_storage *address, socklen_t n)
{
	if (bind(fd, (const struct sockaddr *)address, n) == 0)
		return 0;
	int error = errno;
	struct sockaddr_un un;
	memcpy(&un, address, sizeof(un));
	if (error != EADDRINUSE || address->ss_family != AF_UNIX || !path_is_stale(&un, n))
		return error;
	if (unlink(un.sun_path) != 0 || bind(fd, (const struct sockaddr *)address, n) != 0)
		return errno;
	return 0;
}

static int failed(int error, const char *what, char *why, size_t why_size)
{
	char text[64];
	snprintf(why, why_size, "%s: %s", what, strerror_r(error, text, sizeof(text)));
	return error == EADDRINUSE ? ERR_EXISTS : ERR_IO;
}

int listen_open(struct str text, bool reuse_port, char *why, size_t why_size)
{
	struct sockaddr_storage address;
	socklen_t n;
	if (address_parse(text, &address, &n) != 0) {
		snprintf(why, why_size, "'%.*s' is no address", STR_ARG(text));
		return ERR_INVALID;
	}
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failed(errno, "socket", why, why_size);
	set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (reuse_port && address.ss_family != AF_UNIX)
		set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (address.ss_family == AF_INET6)
		set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	const char *what = "bind";
	int error = bind_to(fd, &address, n);
	if (error == 0) {
		what = "listen";
		error = listen(fd, SOMAXCONN) == 0 ? 0 : errno;
	}
	if (error == 0)
		return fd;
	close(fd);
	return failed(error, what, why, why_size);
}

void listen_name(int fd, char *out, size_t out_size)
{
	struct sockaddr_storage address = { 0 };
	socklen_t n = sizeof(address);
	char text[ADDRESS_TEXT_MAX] = "?";
	if (getsockname(fd, (struct sockaddr *)&address, &n) == 0)
		address_write((const struct sockaddr *)&address, n, text);
	snprintf(out, out_size, "%s", text);
}

/* Out of descriptors or memory: a connection that waits keeps the socket readable, so looking
 * away is the only way not to spin. Those waiting are taken when there is room again. */
static void pause_accepting(struct listener *l, int error)
{
	if (!l->starved)
		LOG(WARN, "accept_paused", LOG_INT("errno", error), LOG_INT("ms", PAUSE_MS));
	l->starved = true;
	loop_remove(l->loop, &l->io);
	l->paused = true;
	loop_timer_start(l->loop, &l->pauses, &l->pause);
}

static void pause_over(struct loop_timer *timer, void *ctx)
{
	struct listener *l = ctx;
	if (loop_add(l->loop, &l->io, true, false) == 0)
		l->paused = false;
	else
		loop_timer_start(l->loop, &l->pauses, timer);
}

static bool accept_one(struct listener *l)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr *address = (struct sockaddr *)&storage;
	socklen_t n = sizeof(storage);
	int fd = accept4(l->io.fd, address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(l, errno);
		/* Else none waits, or one that was reset before it was accepted. */
		return errno == ECONNABORTED || errno == EINTR;
	}
	l->starved = false;
	if (!l->admit(l->ctx, address)) {
		close(fd);
		return true;
	}
	if (net_accept(l->net, fd, address, n) != 0) {
		pause_accepting(l, ENOMEM);
		return false;
	}
	return true;
}

static void listener_ready(struct loop_io *io, bool readable, bool writable)
{
	struct listener *l = LIST_ENTRY(io, struct listener, io);
	(void)readable;
	(void)writable;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(l))
			return;
}

struct listener *listener_create(struct loop *loop, struct net *net, int fd,
				 bool (*admit)(void *ctx, const struct sockaddr *address), void *ctx)
{
	struct listener *l = calloc(1, sizeof(*l));
	if (!l)
		goto no_memory;
	*l = (struct listener){ .loop = loop, .net = net, .admit = admit, .ctx = ctx };
	l->io = (struct loop_io){ .fd = fd, .ready = listener_ready };
	loop_timer_init(&l->pause);
	if (loop_add(loop, &l->io, true, false) != 0)
		goto no_room;
	loop_timers_init(loop, &l->pauses, PAUSE_MS, pause_over, l);
	return l;
no_room:
	free(l);
no_memory:
	close(fd);
	return NULL;
}

void listener_destroy(struct listener **listener)
{
	struct listener *l = *listener;
	if (!l)
		return;
	if (!l->paused)
		loop_remove(l->loop, &l->io);
	loop_timer_stop(&l->pause);
	loop_timers_deinit(&l->pauses);
	close(l->io.fd);
	free(l);
	*listener = NULL;
}
