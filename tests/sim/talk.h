/* The two directions of a conversation: what a simulated client says, with what it means by it,
 * and what it hears from the server, taken apart by a JSON parser that is not the server's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALK_ID_MAX 40
#define TALK_TEXT_MAX 24  /* titles, pictures, nicks … */
#define TALK_WHO_MAX 10   /* names in one request */

/* Names are numbers: users, then those that groups and broadcasts take, then the server itself
 * (whose information has no sender). The last user's name may be a group's while he is deleted. */
#define TALK_NOBODY (-1)  /* a name that nobody bears */
#define TALK_USERS 11     /* the administrator is 0 */
#define TALK_PLACES 5
#define TALK_NAMES (TALK_USERS + TALK_PLACES)
#define TALK_SERVER TALK_NAMES

/* Requests of sections 5 to 11. Those from FOLLOWINGS on only read. */
enum ask_kind {
	ASK_USER_CREATE, ASK_USER_DELETE, ASK_USER_CHANGE,
	ASK_FOLLOW, ASK_UNFOLLOW, ASK_NICKS, ASK_BLOCK, ASK_UNBLOCK, ASK_PICTURE, ASK_STATUS,
	ASK_CREATE, ASK_ADD, ASK_BANISH, ASK_LEAVE, ASK_END, ASK_PROMOTE, ASK_DEMOTE,
	ASK_PLACE_PICTURE, ASK_TITLE, ASK_MUTE, ASK_UNMUTE,
	ASK_FOLLOWINGS, ASK_FOLLOWERS, ASK_GROUPS, ASK_BROADCASTS, ASK_BLOCKED,
	ASK_STATE_OF, ASK_PICTURE_OF, ASK_STATUS_OF,
	ASK_INFO, ASK_ADMINS, ASK_PLACE_PICTURE_OF, ASK_TITLE_OF,
};

struct ask {
	enum ask_kind kind;
	int name;                 /* the user, group or broadcast it is about, or TALK_NOBODY */
	bool broadcast;           /* `br` or `b` in place of `g` or `i` */
	int who[TALK_WHO_MAX];    /* FOLLOW to UNBLOCK, CREATE to BANISH, PROMOTE, DEMOTE */
	unsigned who_n;
	char text[TALK_TEXT_MAX]; /* token, picture, status, title; nick */
	char picture[TALK_TEXT_MAX]; /* CREATE; "" none */
	int64_t ms;               /* MUTE */
};

enum said_kind {
	SAID_LOGIN,
	SAID_LOGOUT,
	SAID_ASK,
	SAID_TIME,
	SAID_KNOCK,
	SAID_MESSAGE,
	SAID_DM,
	SAID_NM,
	SAID_ODD, /* something that must be answered with an error */
};

struct said {
	enum said_kind kind;
	char *text;              /* the packet; owned */
	char *passed_on;         /* MESSAGE, DM, NM: the packet as its receiver must get it; owned */
	char id[TALK_ID_MAX];    /* of the packet; "" none */
	int to;                  /* MESSAGE: receiver. DM, NM: sender of the message. LOGIN: whom */
	char of[TALK_ID_MAX];    /* DM, NM: the message */
	bool p0, sc0, pc0;
	bool of_p0;              /* DM, NM: it was not stored */
	char token[TALK_ID_MAX]; /* LOGIN */
	struct ask ask;          /* ASK */
	const char *code;        /* ODD: the error it must get */
	bool malformed;          /* ODD: it can not be parsed */
	bool loose;              /* ODD: the error may come without the id */
};

void said_free(struct said **said);

enum heard_kind {
	HEARD_LOGIN,   /* response to a login */
	HEARD_DONE,    /* success without content */
	HEARD_CONTENT, /* success with content */
	HEARD_ERROR,   /* of a request or message */
	HEARD_TIME,
	HEARD_KNOCK,
	HEARD_SR,
	HEARD_MESSAGE,
	HEARD_DM,
	HEARD_NM,
	HEARD_LI,
	HEARD_LO,
	HEARD_INFO,    /* of a group */
	HEARD_GAP,
	HEARD_STRANGE, /* nothing a server should send; see `why` */
};

struct heard {
	enum heard_kind kind;
	char id[TALK_ID_MAX];   /* of the packet; "" none */
	char of[TALK_ID_MAX];   /* SR, DM, NM: the message */
	char from[TALK_ID_MAX]; /* MESSAGE, DM, NM: `s`. LI, LO: whom */
	char to[TALK_ID_MAX];   /* `r`. INFO, GAP: the group; GAP of a broadcast: its owner */
	char code[8];           /* of an error, "" none */
	unsigned count;         /* GAP */
	bool server;            /* srp */
	bool accepted;          /* LOGIN */
	bool p0, pc0;           /* MESSAGE */
	const char *why;        /* STRANGE */
};

void heard_parse(const char *text, size_t n, struct heard *out);
/* Is it stored until it is acknowledged, or takes its place among such? */
bool heard_is_mail(const struct heard *h);
