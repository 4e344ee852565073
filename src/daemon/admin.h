/* The admin socket, through which lempctl speaks to the server: a unix socket whose file permissions
 * decide who may. Main thread; what concerns users and sessions is done on their workers.
 *
 * Both sides send one JSON object a line. A request is {"command":"user add","name":…,…}; only
 * after its answer the next one is looked at. `user import` says "bytes", is answered {"send":true},
 * and then is followed by so many bytes of CSV. An
 * answer is any number of {"progress":{"stage","done","total"}} and {"rows":[…]}, then one last
 * line: {"ok":true,…} or {"error":SENTENCE,"code":CODE,…} with the codes of protocol.md section 3.
 *
 * Bounds: ADMIN_CLIENTS_MAX at a time, more are hung up on; lines of 64 KiB; a client that does not
 * read gets no more rows made; one import at a time. */
#pragma once
#include "base/check.h"
#include <stdbool.h>
#include <stddef.h>

#define ADMIN_CLIENTS_MAX 16
#define ADMIN_LINE_MAX 65536

struct admin;
struct daemon;
/* Listens where the configuration says; 0600. 0, or ERR_EXISTS (somebody answers there already),
 * ERR_IO, ERR_NOMEM with a sentence in why. */
int admin_open(struct daemon *d, struct admin **admin_out, char *why, size_t why_size) WARN_UNUSED;
/* Takes nothing new; what is under way goes on, but imports and long lists end. */
void admin_leave(struct admin *admin);
bool admin_idle(const struct admin *admin); /* nothing is under way */
/* After the workers have ended. Removes the socket's path. */
void admin_close(struct admin **admin);
