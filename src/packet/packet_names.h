/* The set of member names met in one packet, to find the repeated ones: linear while they are few,
 * hashed with a secret key beyond. One set holds the names of all the objects that are open; they
 * are told apart by a number. Owned by one thread. It keeps the memory of the largest packet
 * it saw, which is bounded by the packet's: about 48 bytes for each unknown member. Private to
 * packet/. */
#pragma once
#include "base/check.h"
#include "base/str.h"

struct packet_names;

enum packet_names_result { NAMES_NEW, NAMES_REPEATED, NAMES_NO_MEMORY };

struct packet_names *packet_names_create(void);
void packet_names_destroy(struct packet_names **names);
void packet_names_clear(struct packet_names *names);
/* Adds the name of a member of `object`. The view is kept until the set is cleared. */
enum packet_names_result packet_names_add(struct packet_names *names, unsigned object,
					  struct str name) WARN_UNUSED;
