/* What a server sends, as far as a load generator looks at it. A reader belongs to one thread;
 * views in an answer live until the next answer_read. */
#pragma once
#include "base/str.h"
#include "packet/packet.h"
#include <jansson.h>

enum answer_kind {
	ANSWER_OTHER,     /* srp, or nothing we know */
	ANSWER_MESSAGE,   /* m with content: `id` */
	ANSWER_RECEIPT,   /* m.sr: `of` was taken */
	ANSWER_DELIVERED, /* m.dm: `of` was delivered */
	ANSWER_NOTICED,   /* m.nm */
	ANSWER_RESPONSE,  /* rp to `id`: accepted, or refused with `code` */
	ANSWER_INFO,      /* i */
};

struct answer {
	enum answer_kind kind;
	struct str id;
	struct str of;
	bool accepted;             /* a login with response 1, or no error */
	struct str code, sentence; /* of an error; else absent */
};

struct answer_reader {
	struct packet_reader _packets;
	json_t *_json; /* what the last answer's views point into */
};
void answer_reader_init(struct answer_reader *r, size_t packet_max);
void answer_reader_deinit(struct answer_reader *r);
/* Reads one packet, changing it. 0, or ERR_INVALID: it is no packet. */
int answer_read(struct answer_reader *r, char *text, size_t n, struct answer *out) WARN_UNUSED;
