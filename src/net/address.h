/* Socket addresses as text and back. Pure but for inet_pton and inet_ntop. */
#pragma once
#include "base/str.h"
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 128 /* with NUL; holds any address but a long path, which is cut */

/* "127.0.0.1:8025", "[::1]:8025", "unix:/path". 0 or ERR_INVALID. */
int address_parse(struct str text, struct sockaddr_storage *out, socklen_t *n_out);
/* The same in reverse. */
void address_write(const struct sockaddr *address, socklen_t n, char out[ADDRESS_TEXT_MAX]);
#define ADDRESS_PEER_MAX 56 /* with NUL */
/* Whom limits count as one peer: "127.0.0.1" (mapped IPv4 too), "::1", "2001:db8:0:1::/64", "unix". */
void address_peer(const struct sockaddr *address, char out[ADDRESS_PEER_MAX]);
