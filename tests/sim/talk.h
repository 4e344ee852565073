/* The two directions of a conversation: what a simulated client says, with what it means by it,
 * and what it hears from the server, taken apart by a JSON parser that is not the server's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALK_ID_MAX 40
#define TALK_NOBODY (-1) /* user number of a name that nobody bears */

enum said_kind {
	SAID_LOGIN,
	SAID_LOGOUT,
	SAID_ADMIN,
	SAID_TIME,
	SAID_KNOCK,
	SAID_MESSAGE,
	SAID_DM,
	SAID_NM,
	SAID_ODD, /* something that must be answered with an error */
};

enum admin_act { ADMIN_ACT_CREATE, ADMIN_ACT_DELETE, ADMIN_ACT_CHANGE };

struct said {
	enum said_kind kind;
	char *text;              /* the packet; owned */
	char *passed_on;         /* MESSAGE, DM, NM: the packet as its receiver must get it; owned */
	char id[TALK_ID_MAX];    /* of the packet; "" none */
	int to;                  /* MESSAGE: receiver. DM, NM: sender of the message. LOGIN, ADMIN: whom */
	char of[TALK_ID_MAX];    /* DM, NM: the message */
	bool p0, sc0, pc0;
	bool of_p0;              /* DM, NM: it was not stored */
	char token[TALK_ID_MAX]; /* LOGIN, ADMIN */
	enum admin_act act;      /* ADMIN */
	const char *code;        /* ODD: the error it must get */
	bool malformed;          /* ODD: it can not be parsed */
	bool loose;              /* ODD: the error may come without the id */
};

void said_free(struct said **said);

enum heard_kind {
	HEARD_LOGIN,   /* response to a login */
	HEARD_DONE,    /* success without content */
	HEARD_ERROR,   /* of a request or message */
	HEARD_TIME,
	HEARD_KNOCK,
	HEARD_SR,
	HEARD_MESSAGE,
	HEARD_DM,
	HEARD_NM,
	HEARD_STRANGE, /* nothing a server of this milestone should send; see `why` */
};

struct heard {
	enum heard_kind kind;
	char id[TALK_ID_MAX];   /* of the packet; "" none */
	char of[TALK_ID_MAX];   /* SR, DM, NM: the message */
	char from[TALK_ID_MAX]; /* MESSAGE, DM, NM: `s` */
	char to[TALK_ID_MAX];   /* `r` */
	char code[8];           /* of an error, "" none */
	bool server;            /* srp */
	bool accepted;          /* LOGIN */
	bool p0, pc0;           /* MESSAGE */
	const char *why;        /* STRANGE */
};

void heard_parse(const char *text, size_t n, struct heard *out);
