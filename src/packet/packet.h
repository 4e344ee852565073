/* LEMP packets: text <-> structs, after the table packets.def. Pure: no I/O, no clock.
 * A reader belongs to one thread. Views in a packet point into the text read (strings are
 * decoded there in place) or into the reader, and live until the next packet_read. */
#pragma once
#include "base/buf.h"
#include "base/hash.h"
#include "base/str.h"
#include "packet/close.h"

/* One struct per object of packets.def, a member per FIELD: struct packet_a, packet_m … */
#define PACKET_C_ID struct str
#define PACKET_C_NAME struct str
#define PACKET_C_TEXT struct str
#define PACKET_C_WORD struct str
#define PACKET_C_FLAG int8_t
#define PACKET_C_TIME int64_t
#define PACKET_C_RAW struct str
#define PACKET_C_OURS struct str
#define PACKET_C_DM struct str

#define OBJECT_BEGIN(object, what) struct packet_##object {
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) PACKET_C_##TYPE member;
#define OBJECT_END(object) };
#include "packet/packets.def"

/* What a client may send: the requests inside `rq`, and the other data.
 * A later request is one more row in PACKET_REQUESTS (key, object) and its rows in packets.def. */
#define PACKET_REQUESTS(X)       \
	X(RQ_A, "a", a)          \
	X(RQ_LO, "lo", lo)       \
	X(RQ_AD, "ad", ad)
#define PACKET_DATA(X)           \
	X(SRQ, "srq", srq)       \
	X(M, "m", m)
#define PACKET_KINDS(X) PACKET_REQUESTS(X) PACKET_DATA(X)

enum packet_kind {
	PACKET_UNKNOWN, /* nothing that could be told */
#define X(KIND, key, object) PACKET_##KIND,
	PACKET_KINDS(X)
#undef X
	PACKET_KIND_COUNT
};

enum packet_status {
	PACKET_OK,
	PACKET_BAD,       /* it parses, but breaks a rule: answer with `refusal` */
	PACKET_MALFORMED, /* it can't be parsed (protocol.md 13.3); refusal is REFUSAL_BAD */
};

struct packet {
	enum packet_kind kind; /* as far as it could be told, also when not OK */
	struct str id;         /* p == NULL if none could be read; of `m` it is m.id */
	enum refusal refusal;  /* when not OK: BAD or TOO_LONG */
	char why[128];         /* when not OK: a sentence for a person, no bytes of the peer's */
	struct str extra;      /* m only: unknown members as `,"name":value…`, names quoted */
	union {
#define X(KIND, key, object) struct packet_##object object;
		PACKET_KINDS(X)
#undef X
	};
};

struct packet_reader {
	bool names_ascii;      /* limits.names=ascii */
	struct buf _extra;
	struct packet_names *_names; /* repeated-name set, grown when an object needs it */
};
void packet_reader_init(struct packet_reader *r, bool names_ascii, size_t packet_max);
void packet_reader_deinit(struct packet_reader *r);

/* Reads one packet of n bytes of UTF-8, changing them (strings are decoded in place).
 * `must` fields, types, lengths and names are checked; what one field means beside another is the
 * handlers' business. */
enum packet_status packet_read(struct packet_reader *r, char *text, size_t n, struct packet *out);

/* The addresses of all views of a packet (id, extra, those of its kind's struct, absent ones too),
 * for one who copies it; writes at most PACKET_VIEWS_MAX into `out`, returns how many. */
#define PACKET_VIEWS_MAX 20
unsigned packet_views(struct packet *p, struct str **out);

/* Writing: each appends one packet to `out`. `id` with p == NULL is left out. */
void packet_put_done(struct buf *out, struct str id);                          /* {"rp":{"id":"ID"}} */
void packet_put_error(struct buf *out, struct str id, enum refusal code, struct str sentence);
/* {"rp":{"id":"1","response":1}}; code NONE or TOO_MANY, which adds "e" */
void packet_put_login(struct buf *out, struct str id, bool accepted, enum refusal code, struct str sentence);
/* {"srp":{"id":"20","t":"t","tm":"179…","o":2},"o":2}; offset in minutes, hours where whole */
void packet_put_time(struct buf *out, struct str id, int64_t now_ms, int offset_minutes);
void packet_put_knock(struct buf *out, struct str id);
/* {"srp":{"id":"ID","t":"t","e":{…}}}; t may be absent */
void packet_put_server_error(struct buf *out, struct str id, struct str t, enum refusal code, struct str sentence);
/* {"m":{"id":"ID","sr":{"id":"OF"}}} */
void packet_put_sr(struct buf *out, struct str id, struct str of);
/* The message as its receiver gets it: s set to sender, r to `receiver`, st to m->st (the caller has filled
 * in the server's if it was absent), t "t" if absent, p sc pc only if written, extra last.
 * For dm and nm: {"m":{"id","s","r","st","dm":{"id"}}} and nothing else. */
void packet_put_message(struct buf *out, const struct packet *p, struct str sender, struct str receiver);
