/* The listening sockets of all workers: one per worker and TCP address (SO_REUSEPORT, so that the
 * kernel spreads connections), and duplicates of one for unix: paths and sockets from systemd. */
#pragma once
#include "base/check.h"
#include "daemon/config.h"

struct sockets {
	unsigned n;         /* addresses */
	unsigned workers;
	int *fd;            /* [address * workers + worker]; -1: handed on */
	char first[128];    /* the first address, with the port in use */
	char *paths[CONFIG_LIST_MAX]; /* of unix: sockets we made, to be removed at the end */
};

/* Takes what systemd passed, or else opens `addresses`. 0, or ERR_INVALID, ERR_EXISTS (in use), ERR_IO,
 * ERR_NOMEM with a sentence in why; then nothing is open. */
int sockets_open(struct sockets *s, const struct config_list *addresses, unsigned workers,
		 char *why, size_t why_size) WARN_UNUSED;
/* The socket of one worker for one address, which is the caller's from here. */
int sockets_take(struct sockets *s, unsigned address, unsigned worker);
/* Closes what was not taken, and removes paths. */
void sockets_close(struct sockets *s);
