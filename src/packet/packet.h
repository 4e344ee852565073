/* LEMP packets: text <-> structs, after the table packets.def. Pure: no I/O, no clock.
 * A reader belongs to one thread. Views in a packet point into the text read (strings are
 * decoded there in place) or into the reader, and live until the next packet_read. */
#pragma once
#include "base/buf.h"
#include "base/hash.h"
#include "base/strs.h"
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
#define PACKET_C_NAMES struct str
#define PACKET_C_PAIRS struct str

#define OBJECT_BEGIN(object, what) struct packet_##object {
#define FIELD(object, member, key, TYPE, bytes_max, need, meaning) PACKET_C_##TYPE member;
#define OBJECT_END(object) };
#include "packet/packets.def"

/* What a client may send: the requests inside `rq`, and the other data.
 * A later request is one more row in PACKET_REQUESTS (key, object) and its rows in packets.def. */
#define PACKET_REQUESTS(X)       \
	X(RQ_A, "a", a)          \
	X(RQ_LO, "lo", lo)       \
	X(RQ_AF, "af", af)       \
	X(RQ_RF, "rf", rf)       \
	X(RQ_UF, "uf", uf)       \
	X(RQ_GET, "get", get)    \
	X(RQ_S, "s", s)          \
	X(RQ_P, "p", p)          \
	X(RQ_ST, "st", st)       \
	X(RQ_B, "b", b)          \
	X(RQ_UB, "ub", ub)       \
	X(RQ_G, "g", g)          \
	X(RQ_N, "n", n)          \
	X(RQ_MT, "mt", mt)       \
	X(RQ_UMT, "umt", umt)    \
	X(RQ_BR, "br", br)       \
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
	struct buf _lists;           /* of NAMES and PAIRS */
	struct packet_names *_names; /* repeated-name set, grown when an object needs it */
};
void packet_reader_init(struct packet_reader *r, bool names_ascii, size_t packet_max);
void packet_reader_deinit(struct packet_reader *r);

/* Reads one packet of n bytes of UTF-8, changing them (strings are decoded in place).
 * `must` fields, types, lengths and names are checked; what one field means beside another is the
 * handlers' business. */
enum packet_status packet_read(struct packet_reader *r, char *text, size_t n, struct packet *out);

/* The member of p's object called `key` if the client wrote it, as text (of a NAMES or PAIRS field
 * the list, of a FLAG or TIME an empty string); absent if not, or if the object has no such
 * member. */
struct str packet_member(const struct packet *p, struct str key);

/* What tells requests of one key apart: `t` of g, br, p, n, st and srq, `o` of get, `c` of ad; else
 * absent. */
struct str packet_selector(const struct packet *p);

/* The addresses of all views of a packet (id, extra, those of its kind's struct, absent ones too),
 * for one who copies it; writes at most PACKET_VIEWS_MAX into `out`, returns how many. */
#define PACKET_VIEWS_MAX 20
unsigned packet_views(struct packet *p, struct str **out);

/* Writing: each appends one packet to `out`. `id` with p == NULL is left out. */

/* {"rp":{"id":"ID"}} */
void packet_put_done(struct buf *out, struct str id);
/* {"rp":{"id":"ID","e":{"c":"404","d":"…"}}} */
void packet_put_error(struct buf *out, struct str id, enum refusal code, struct str sentence);
/* {"rp":{"id":"1","response":1}}; code NONE or TOO_MANY, which adds "e" */
void packet_put_login(struct buf *out, struct str id, bool accepted, enum refusal code,
		      struct str sentence);
/* {"srp":{"id":"20","t":"t","tm":"179…","o":2},"o":2}; offset in minutes, hours where whole */
void packet_put_time(struct buf *out, struct str id, int64_t now_ms, int offset_minutes);
void packet_put_knock(struct buf *out, struct str id);
/* {"srp":{"id":"ID","t":"t","e":{…}}}; t may be absent */
void packet_put_server_error(struct buf *out, struct str id, struct str t, enum refusal code,
			     struct str sentence);
/* {"m":{"id":"ID","sr":{"id":"OF"}}} */
void packet_put_sr(struct buf *out, struct str id, struct str of);
/* The message as its receiver gets it: s set to sender, r to `receiver`, st to m->st (the caller
 * has filled in the server's if it was absent), t "t" if absent, p sc pc only if written, extra
 * last. For dm and nm: {"m":{"id","s","r","st","dm":{"id"}}} and nothing else. */
void packet_put_message(struct buf *out, const struct packet *p, struct str sender,
			struct str receiver);
/* Where the value of `r` stands in a text of packet_put_message, its quotes too; 0, 0: the text is
 * no such. */
struct packet_span { uint32_t at, n; };
struct packet_span packet_find_receiver(struct str text);
/* That text with another receiver. */
void packet_put_readdressed(struct buf *out, struct str text, struct packet_span r,
			    struct str receiver);

/* Responses with content. `key` is "u" for a user, "i" for a group, "b" for a broadcast. Absent
 * texts are written as "". Lists are those of base/strs.h. */

/* {"rp":{"id":"ID","s":{"u":"bob","v":"0"}}} */
void packet_put_state(struct buf *out, struct str id, struct str user, int64_t value);
/* "p":{KEY,"v"} */
void packet_put_picture(struct buf *out, struct str id, const char *key, struct str name,
			struct str v);
/* "st":{"u","s"} */
void packet_put_status(struct buf *out, struct str id, struct str user, struct str s);
/* "n":{KEY,"n"} */
void packet_put_title(struct buf *out, struct str id, const char *key, struct str name,
		      struct str n);
struct packet_group {
	struct str name, title;
	int64_t created_ms;
	int64_t muted_ms;   /* till when; 0 not */
	struct str members; /* list of names */
};
/* "g":{"i","c","mt","m":[…],"n"} */
void packet_put_group(struct buf *out, struct str id, const struct packet_group *g);
/* "br":{"i","c","n","m":[…]} */
void packet_put_broadcast(struct buf *out, struct str id, const struct packet_group *g);
/* "g":{"i","ad":[…]} */
void packet_put_admins(struct buf *out, struct str id, struct str group, struct str admins);
/* KEY:[…]: {"rp":{"id":"6","fr":["dave"]}} */
void packet_put_names(struct buf *out, struct str id, const char *key, struct str names);
/* KEY:[{NAME_KEY,"n"}…], of `pairs` name, text, name, text …:
 * "f":[{"u":"carol","n":"Caro"}], "g" and "br" [{"i":"g1","n":"name"}] */
void packet_put_pairs(struct buf *out, struct str id, const char *key, const char *name_key,
		      struct str pairs);

/* Information: {"i":{"id":"ID", …}}. */

/* "li" or "lo" */
void packet_put_presence(struct buf *out, struct str id, bool online, struct str user);
/* "g":{"t","i","m","n","c"}: what is absent is left out. */
struct packet_info {
	const char *t;      /* c a b l t p n aad rad gap */
	struct str group;   /* i */
	struct str user;    /* u in place of i: gap of a broadcast, its owner */
	struct str member;  /* m as a string */
	struct str members; /* m as a list of names */
	struct str title;   /* n */
	int64_t count;      /* c, as a string; 0 left out */
};
void packet_put_info(struct buf *out, struct str id, const struct packet_info *info);
