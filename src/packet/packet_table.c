#include "packet/packet_table.h"
#include <assert.h>

const char *const packet_type_names[PACKET_TYPE_COUNT] = {
#define X(TYPE) #TYPE,
	PACKET_TYPES(X)
#undef X
};

/* The bit of each field, and the mask of those that MUST stand. */
#define OBJECT_BEGIN(object, what) enum {
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) INDEX_##object##_##member,
#define OBJECT_END(object) COUNT_##object };
#include "packet/packets.def"

#define OBJECT_BEGIN(object, what) static const uint32_t must_##object = 0
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) \
	| (uint32_t)PACKET_NEED_##need << INDEX_##object##_##member
#define OBJECT_END(object) ; static_assert(COUNT_##object <= PACKET_FIELDS_MAX, "one bit each");
#include "packet/packets.def"

#define OBJECT_BEGIN(object, what) static const struct packet_field fields_##object[] = {
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning)                        \
	{ "" key, sizeof(key) - 1, PACKET_TYPE_##TYPE, PACKET_NEED_##need,                 \
	  offsetof(struct packet_##object, member), bytes_max, meaning },
#define OBJECT_END(object) };
#include "packet/packets.def"

#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) \
	static_assert(sizeof(key) <= PACKET_KEY_BYTES_MAX + 1, "the key fits its row");
#include "packet/packets.def"

/* A field without a key is its object's only one: the object is not on the wire. */
#define OBJECT_BEGIN(object, what) static_assert(COUNT_##object == 1 || (1
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) && sizeof(key) > 1
#define OBJECT_END(object) ), "a field without a key stands alone");
#include "packet/packets.def"

#define OBJECT_END(object) \
	static_assert(COUNT_##object + 2 <= PACKET_VIEWS_MAX, "with id and extra, views of all");
#include "packet/packets.def"

#define ABSENT_ID { NULL, 0 }
#define ABSENT_NAME { NULL, 0 }
#define ABSENT_TEXT { NULL, 0 }
#define ABSENT_WORD { NULL, 0 }
#define ABSENT_RAW { NULL, 0 }
#define ABSENT_OURS { NULL, 0 }
#define ABSENT_DM { NULL, 0 }
#define ABSENT_NAMES { NULL, 0 }
#define ABSENT_PAIRS { NULL, 0 }
#define ABSENT_FLAG -1
#define ABSENT_TIME -1

#define OBJECT_BEGIN(object, what) static const struct packet_##object absent_##object = {
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) .member = ABSENT_##TYPE,
#define OBJECT_END(object) };
#include "packet/packets.def"

const struct packet_object packet_objects[PACKET_OBJECT_COUNT] = {
#define OBJECT_BEGIN(object, what)                                                        \
	[PACKET_OBJECT_##object] = { #object, what, fields_##object, COUNT_##object,       \
				     must_##object, sizeof(struct packet_##object),        \
				     &absent_##object },
#include "packet/packets.def"
};

const struct packet_object *const packet_kind_objects[PACKET_KIND_COUNT] = {
#define X(KIND, key, object) [PACKET_##KIND] = &packet_objects[PACKET_OBJECT_##object],
	PACKET_KINDS(X)
#undef X
};
