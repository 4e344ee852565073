/* Listening sockets: one per worker and address (SO_REUSEPORT), or one shared for unix: paths and
 * sockets that systemd passed. */
#pragma once
#include "net/conn.h"

struct listener;
/* Binds and listens: "127.0.0.1:8025", "[::1]:8025", "0.0.0.0:0" (a free port), "unix:/path".
 * "[::]:8025" takes IPv4, too. A path that a dead server left is taken over. Returns a descriptor
 * (the caller's), or with a sentence in why: ERR_INVALID (text is no address; names are not looked
 * up), ERR_EXISTS (in use), ERR_IO. */
int listen_open(struct str address, bool reuse_port, char *why, size_t why_size);
/* The address it is bound to, with the port in use, as text. */
void listen_name(int fd, char *out, size_t out_size);
/* Accepts on fd (owned from here) for `net`. `admit` may refuse (max_connections, per address): then
 * the socket is closed at once. Out of descriptors: pauses accepting for 100 ms, existing
 * connections live on. NULL: no memory, fd is closed. */
struct listener *listener_create(struct loop *loop, struct net *net, int fd,
				 bool (*admit)(void *ctx, const struct sockaddr *address), void *ctx);
void listener_destroy(struct listener **listener);
