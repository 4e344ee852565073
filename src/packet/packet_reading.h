/* What the two halves of the reader share: objects (packet.c) and values of fields
 * (packet_fields.c). Private to packet/.
 *
 * Functions here return false when the text is broken (g->scan says where) and all reading ends.
 * What parses but breaks a rule is noted by packet_bad, and reading goes on: broken text goes
 * before anything else (protocol.md 13.3). */
#pragma once
#include "packet/json_scan.h"
#include "packet/packet_table.h"

/* One packet being read. */
struct reading {
	struct json_scan scan;
	struct packet_reader *reader;
	struct packet *out;
	enum packet_status status;
	size_t bytes;     /* of the text */
	unsigned objects; /* begun so far */
	bool datum;       /* one was met */
	bool request;     /* one was met, in rq */
};

/* One object being read. */
struct walk {
	const struct packet_object *object;
	const char *key; /* of the member it is the value of, or stands in the array of */
	void *to;        /* its struct */
	unsigned level;  /* of the object; its members' values are one deeper */
	unsigned number; /* tells its names from another object's */
	unsigned next;   /* members mostly come in the order of their rows: the row after the last */
	uint32_t seen;   /* rows met, as bits */
	/* Reads the value of a member that has no row and is called `name`, decoded; NULL: it is
	 * ignored. */
	bool (*other)(struct reading *g, struct walk *w, const struct json_value *name);
};

/* Notes what the packet is refused with, the first time only. `why`: no bytes of the peer's. */
void packet_bad(struct reading *g, enum refusal refusal, const char *why, ...) PRINTF_LIKE(3, 4);
/* Reads a value that must be an object into the walk's struct. */
bool packet_object_read(struct reading *g, struct walk *w);
/* Reads the value of a field into its member, which keeps what it was if the value breaks a rule.
 * `depth` objects and arrays are open around it. */
bool packet_field_read(struct reading *g, const struct packet_field *f, unsigned depth, void *to);
