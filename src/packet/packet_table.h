/* packets.def as data: what the reader and the writer go by, and what documents are made from.
 * All of it is constant. */
#pragma once
#include "packet/packet.h"

#define PACKET_TYPES(X) \
	X(ID) X(NAME) X(TEXT) X(WORD) X(FLAG) X(TIME) X(RAW) X(OURS) X(DM) X(NAMES) X(PAIRS)

enum packet_type {
#define X(TYPE) PACKET_TYPE_##TYPE,
	PACKET_TYPES(X)
#undef X
	PACKET_TYPE_COUNT
};
extern const char *const packet_type_names[PACKET_TYPE_COUNT];

enum packet_need { PACKET_NEED_MAY, PACKET_NEED_MUST };

/* Keys longer than this would need another way of comparing; no key of LEMP comes near it. */
#define PACKET_KEY_BYTES_MAX 15

struct packet_field {
	char key[PACKET_KEY_BYTES_MAX + 1]; /* a string, padded with NUL; "": the value itself */
	uint8_t key_n;
	uint8_t type;       /* enum packet_type */
	uint8_t need;       /* enum packet_need */
	uint16_t offset;    /* of the member in the object's struct */
	uint32_t bytes_max; /* of a decoded string; how many in a list; 0: no limit */
	const char *meaning;
};

/* A set of members is one bit each in a uint32_t. */
#define PACKET_FIELDS_MAX 32

struct packet_object {
	const char *name, *what;
	const struct packet_field *fields;
	unsigned count;
	uint32_t must;      /* the fields that must stand there, as bits by index */
	size_t bytes;       /* of the struct */
	const void *absent; /* such a struct with every member absent */
};

enum packet_object_row {
#define OBJECT_BEGIN(object, what) PACKET_OBJECT_##object,
#include "packet/packets.def"
	PACKET_OBJECT_COUNT
};
extern const struct packet_object packet_objects[PACKET_OBJECT_COUNT];

/* What the union of struct packet holds for each kind; NULL for UNKNOWN. */
extern const struct packet_object *const packet_kind_objects[PACKET_KIND_COUNT];
