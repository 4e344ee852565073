/* The structs behind packets.def. Included by packet.h only. */
#pragma once
#include "base/str.h"
#include <stdint.h>

typedef struct str packet_type_ID;
typedef struct str packet_type_NAME;
typedef struct str packet_type_TEXT;
typedef int8_t packet_type_FLAG;
typedef int64_t packet_type_TIME;
typedef struct str packet_type_RAW;
typedef struct str packet_type_DM;

/* C has no way to gather the FIELD rows of one OBJECT, so each struct is spelled once here and
 * packet.c asserts by the rows that every member stands in it with the row's type. */
struct packet_a { struct str i, t; };
struct packet_lo { struct str r; };
struct packet_ad { struct str c, i, t; int8_t ty; };
struct packet_srq { struct str t; };
struct packet_m {
	struct str id, s, r, t, c;
	int64_t st;
	int8_t p, sc, pc;
	struct str dm, nm, sr;
};
