/* The server that is measured: ws://HOST:PORT/PATH. */
#pragma once
#include "base/check.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct target {
	char host[280]; /* HOST:PORT, as it stands in the handshake */
	char path[256];
	struct sockaddr_storage address;
	socklen_t address_n;
};

/* Takes a URL apart and looks its host up (which may take a while). 0, or ERR_INVALID: it is no
 * ws:// URL, or ERR_NOTFOUND: no such host; `why` then says so in a sentence. */
int target_parse(const char *url, struct target *out, char *why, size_t why_size) WARN_UNUSED;
