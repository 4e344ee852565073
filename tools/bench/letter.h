/* The packets a scenario sends again and again: written once, then only number and time are put in.
 * Their ids tell runs, kinds and numbers apart: RUN.m.0000002a is message 42, and a dm has RUN.d. and
 * the number of the message it is for. */
#pragma once
#include "base/buf.h"

#define LETTER_TAG_CHARS 8
#define LETTER_CONTENT_BYTES_MAX 200000

/* What an id of this run begins with. */
struct letter_tag { char text[LETTER_TAG_CHARS + 1]; };
struct letter_tag letter_tag_make(void);

struct letter {
	struct buf text;
	size_t _id_at, _time_at, _of_at; /* _of_at: 0 in a message */
};
/* A message of `size` bytes of content; `members` is appended, like `,"p":"0"`. 0 or ERR_NOMEM. */
int letter_message(struct letter *l, struct letter_tag tag, struct str receiver, size_t size,
		   const char *members) WARN_UNUSED;
int letter_dm(struct letter *l, struct letter_tag tag) WARN_UNUSED;
void letter_deinit(struct letter *l);
/* The packet for this number, now; valid until the next call. */
struct str letter_write(struct letter *l, uint32_t number);

/* What an id of this run says: its kind ('m', 'd') and number. 0: it is none. */
char letter_id(struct letter_tag tag, struct str id, uint32_t *number_out);
