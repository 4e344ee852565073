#include "daemon/sockets.h"
#include "daemon/systemd.h"
#include "net/address.h"
#include "net/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"
#define UNIX_MODE 0660 /* a proxy of our group may connect */

static bool is_unix(struct str address)
{
	size_t n = sizeof(UNIX_PREFIX) - 1;
	return address.n > n && memcmp(address.p, UNIX_PREFIX, n) == 0;
}

/* One socket for all workers, the first of which keeps the original. */
static int share(struct sockets *s, unsigned address, int fd)
{
	int *slot = &s->fd[address * s->workers];
	slot[0] = fd;
	for (unsigned w = 1; w < s->workers; w++) {
		slot[w] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (slot[w] < 0)
			return ERR_IO;
	}
	return OK;
}

static int open_unix(struct sockets *s, unsigned address, struct str text, char *why, size_t why_size)
{
	int fd = listen_open(text, false, why, why_size);
	if (fd < 0)
		return fd;
	char *path = strdup(text.p + sizeof(UNIX_PREFIX) - 1);
	CHECK(path);
	s->paths[address] = path;
	if (chmod(path, UNIX_MODE) == 0)
		return share(s, address, fd);
	snprintf(why, why_size, "chmod: %m");
	close(fd);
	return ERR_IO;
}

/* With SO_REUSEPORT another server of the same user could share the port unnoticed. So the address
 * is first bound without, which fails if anybody listens there; and not listened on, or who connects
 * at that moment would be reset. Gives the name with the port in use. */
static int probe(struct str text, char *name, size_t name_size, char *why, size_t why_size)
{
	struct sockaddr_storage address;
	socklen_t n;
	if (address_parse(text, &address, &n) != OK) {
		snprintf(why, why_size, "is no address");
		return ERR_INVALID;
	}
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err = OK;
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) == 0 &&
	    bind(fd, (const struct sockaddr *)&address, n) == 0) {
		listen_name(fd, name, name_size);
	} else {
		err = errno == EADDRINUSE ? ERR_EXISTS : ERR_IO;
		snprintf(why, why_size, "%s", strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static int open_tcp(struct sockets *s, unsigned address, struct str text, char *why, size_t why_size)
{
	char name[ADDRESS_TEXT_MAX];
	int err = s->workers > 1 ? probe(text, name, sizeof(name), why, why_size) : OK;
	for (unsigned w = 0; w < s->workers && err == OK; w++) {
		bool shared = s->workers > 1;
		int fd = listen_open(shared ? str_of(name) : text, shared, why, why_size);
		if (fd >= 0)
			s->fd[address * s->workers + w] = fd;
		err = fd < 0 ? fd : OK;
	}
	return err;
}

static int take_from_systemd(struct sockets *s, int first, char *why, size_t why_size)
{
	for (unsigned i = 0; i < s->n; i++) {
		int fd = first + (int)i, listening = 0;
		socklen_t n = sizeof(listening);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 || !listening) {
			snprintf(why, why_size, "descriptor %d from systemd is no listening socket", fd);
			return ERR_INVALID;
		}
		if (share(s, i, fd) != OK) {
			snprintf(why, why_size, "cannot share descriptor %d: %m", fd);
			return ERR_IO;
		}
	}
	return OK;
}

static int open_all(struct sockets *s, const struct config_list *addresses, char *why, size_t why_size)
{
	int err = OK;
	for (unsigned i = 0; i < s->n && err == OK; i++) {
		struct str text = addresses->item[i];
		char what[128] = "";
		err = is_unix(text) ? open_unix(s, i, text, what, sizeof(what))
				    : open_tcp(s, i, text, what, sizeof(what));
		if (err != OK)
			snprintf(why, why_size, "cannot listen on %.*s: %s", STR_ARG(text), what);
	}
	return err;
}

int sockets_open(struct sockets *s, const struct config_list *addresses, unsigned workers,
		 char *why, size_t why_size)
{
	int first, err;
	unsigned passed = systemd_sockets(&first);
	*s = (struct sockets){ .n = passed ? passed : addresses->n, .workers = workers };
	s->fd = malloc((size_t)s->n * workers * sizeof(int));
	CHECK(s->fd);
	for (size_t i = 0; i < (size_t)s->n * workers; i++)
		s->fd[i] = -1;
	err = passed ? take_from_systemd(s, first, why, why_size)
		     : open_all(s, addresses, why, why_size);
	if (err == OK)
		listen_name(s->fd[0], s->first, sizeof(s->first));
	else
		sockets_close(s);
	return err;
}

int sockets_take(struct sockets *s, unsigned address, unsigned worker)
{
	int *slot = &s->fd[address * s->workers + worker];
	int fd = *slot;
	CHECK(fd >= 0);
	*slot = -1;
	return fd;
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; s->fd && i < (size_t)s->n * s->workers; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	for (unsigned i = 0; i < CONFIG_LIST_MAX; i++) {
		if (s->paths[i])
			unlink(s->paths[i]);
		free(s->paths[i]);
	}
	free(s->fd);
	*s = (struct sockets){ .n = 0 };
}
