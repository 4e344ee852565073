/* Writes the packets of simulated clients, in all the ways section 2 of protocol.md allows, and
 * for those that are passed on what their receiver must get, byte for byte. The caller owns what
 * it gets. */
#pragma once
#include "dice.h"
#include "talk.h"

struct compose_flags { bool p0, sc0, pc0; };

struct said *compose_login(const char *id, int user, const char *token, struct dice *d);
struct said *said_new(enum said_kind kind, const char *id); /* without a text yet */
/* LOGOUT, TIME, KNOCK. */
struct said *compose_plain(enum said_kind kind, const char *id, struct dice *d);
struct said *compose_ask(const char *id, const struct ask *ask);
/* `number` stands in the content, to tell a repeat with other content; `size` bytes of padding. */
struct said *compose_message(const char *id, int from, int to, struct compose_flags flags,
			     unsigned number, size_t size, struct dice *d);
/* `named`: with the sender of the message in `r`. */
struct said *compose_receipt(enum said_kind kind, const char *id, int from, int to, const char *of,
			     bool sc0, bool named, struct dice *d);
/* Something that must be answered with an error. */
struct said *compose_odd(const char *id, bool by_admin, struct dice *d);
/* Something that can not be parsed. */
struct said *compose_malformed(const char *id, struct dice *d);
struct said *said_copy(const struct said *said);
