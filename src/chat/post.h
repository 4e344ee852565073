/* Posts: what one core tells another, and what waits until a name is loaded. A post is a plain
 * struct with views; as bytes it is head, struct, and the bytes of its views in order, so that
 * it can be kept, carried to another thread, or one day to another node.
 * All posts of one turn from one core to another travel in one parcel. */
#pragma once
#include "base/buf.h"
#include "base/inbox.h"
#include "packet/packet.h"
#include "store/store.h"

enum post_kind {
	POST_MAIL,     /* to the home of its receiver: struct mail_in */
	POST_ANSWER,   /* to the sender's session: what became of a mail_in */
	POST_REQUEST,  /* to the home of the name it is about: struct request */
	POST_REPLY,    /* to the session that made a request: its response */
	POST_LOGIN,    /* only waits: a session whose name is being loaded */
	POST_BARRIER,  /* to a core that got posts of a session: comes back behind them */
	POST_BARRIER_BACK,
	POST_ASK,      /* to the home of users a job must know of, and guard */
	POST_FACTS,    /* back */
	POST_UNGUARD,  /* the job is over */
	POST_FREEZE,   /* a user is being deleted: to the home of a group he is in */
	POST_FROZEN,   /* back: what it means there */
	POST_THAW,     /* it was done, or not */
	POST_FORGET,   /* to the home of those who blocked him: he is no more */
	POST_OWN,      /* to the home of the owner of a broadcast that begins or ends */
	POST_COPY,     /* only waits: the place of a broadcast's copy among what comes for its receiver */
	POST_FAN,      /* a slice of a fan-out: to the home of its receivers */
	POST_FANNED,   /* back: it is in their mailboxes */
	POST_RECOVERED, /* to every core: the fan-outs of an earlier run have been posted */
	POST_PRESENCE, /* to the home of followers */
};

/* A message or receipt on its way to the home of its receiver. */
struct mail_in {
	uint64_t session;      /* whose sender it is, for the answer; 0 nobody waits */
	uint64_t sender_born;
	uint64_t target_born;  /* receipts: the user must be that one still; 0 any */
	uint64_t ack_seq;      /* receipts: what they acknowledge in the sender's mailbox; 0 not known */
	uint64_t place;        /* p 0: its place among stored mail, where that must be kept; else 0 */
	struct hash128 ack_once;
	uint32_t ack_failures; /* receipts: item.failures when it was sent */
	uint8_t flags;         /* MAIL_… of what is to be stored */
	uint8_t ack_flags;     /* MAIL_… of what is released */
	uint8_t ack_kind;      /* ACK_DM, ACK_NM; 0: a message */
	bool ack_release;      /* it is to be released; else it was before */
	bool again;            /* receipts: sent before; answered when the outcome of that is known */
	bool stored;           /* p 1 */
	bool want_sr;          /* sc 1 */
	uint64_t fan;          /* of a broadcast: the copy that wants the answer (copies.c); 0 none */
	struct str sender, target, id;
	struct str ack_id;     /* receipts: id of the message acknowledged */
	struct str text;       /* the packet as its receiver gets it */
};

/* What became of a mail_in. */
struct answer {
	uint64_t session;
	uint64_t ack_seq;      /* as in the mail_in */
	uint32_t bytes;        /* credit that comes back to the session */
	uint32_t ack_failures; /* as in the mail_in */
	uint8_t ack_kind;
	uint8_t refusal;       /* enum refusal; NONE: taken */
	bool ack_release;
	bool again;            /* the outcome of the first sending was told before this */
	bool want_sr;
	uint64_t fan;          /* as in the mail_in */
	struct str sender;     /* user of the session */
	struct str id;
	struct str target;     /* for the sentence of a refusal */
};

/* A request at the home of the name it is about. */
struct request {
	uint64_t session;      /* gets the response; 0: see `job` */
	uint64_t job;          /* operator's request (handlers_admin): index, else 0 */
	uint64_t user_born;
	struct str user;       /* who asks */
	struct str about;      /* the name it is about */
	struct packet packet;
};

struct reply {
	uint64_t session;
	struct str text;       /* the response packet */
};

struct login_wait {
	uint64_t session;
	struct str who;
};

struct barrier {
	uint64_t session;
	uint32_t worker;       /* where it comes back to */
};

struct guard_ask {
	uint64_t job;
	uint32_t worker;       /* whose job it is */
	uint64_t user_born;
	struct str user;       /* who asks */
	struct str names;      /* list (base/strs.h); all of one home */
};

struct guard_facts {
	uint64_t job;
	struct str names;      /* as asked */
	struct str facts;      /* struct guard_fact for each name, in order */
};
struct guard_fact { uint64_t born; uint32_t known; uint32_t blocks; }; /* born 0: no user; known 0: ask again */

struct unguard { struct str names; };

struct freeze {
	uint64_t job;
	uint32_t worker;
	uint32_t end;          /* the user owns the broadcast: it goes, too */
	struct str user;
	struct str group;      /* or broadcast */
};

struct frozen {
	uint64_t job;          /* as in the freeze */
	uint64_t freeze;       /* for the thaw; 0: nothing is frozen, he is not there any more */
	uint32_t failed;       /* it can't be read: the deletion fails */
	struct str ops;        /* to be added to the transaction */
};

struct thaw { uint64_t freeze; uint32_t ok; };

struct forget {
	uint64_t born;
	struct str user;
	struct str blockers;   /* list; of one that only waits for his name: empty */
};

struct own {
	uint32_t on;           /* it is his now; 0: it is no more */
	struct str owner, broadcast;
};

struct copy { uint64_t slice, at; }; /* its number, and which of its receivers */

struct fan_slice {
	uint64_t fanout;       /* seq of the fan-out; 0: p 0, nobody waits to hear of it */
	uint32_t slice;        /* its number; FAN_WHOLE: not to be noted, for it is not the whole slice */
	uint32_t worker;       /* who keeps the fan-out */
	uint8_t flags;         /* MAIL_… */
	uint8_t kind;          /* of the target */
	uint64_t sender_born;
	struct hash128 once;
	struct packet_span r;  /* BROADCAST: where the receiver's name goes */
	struct str sender, target, id, text;
	struct str receivers;  /* list */
};
#define FAN_WHOLE UINT32_MAX

struct fanned { uint64_t fanout; };

struct recovered { uint32_t worker; };

struct presence {
	uint32_t online;
	struct str user;
	struct str followers;  /* list */
};

struct post {
	enum post_kind kind;
	union {
		struct mail_in mail;
		struct answer answer;
		struct request request;
		struct reply reply;
		struct login_wait login;
		struct barrier barrier;
		struct guard_ask ask;
		struct guard_facts facts;
		struct unguard unguard;
		struct freeze freeze;
		struct frozen frozen;
		struct thaw thaw;
		struct forget forget;
		struct own own;
		struct copy copy;
		struct fan_slice fan;
		struct fanned fanned;
		struct recovered recovered;
		struct presence presence;
	};
};

/* Appends a post of that kind; `body` is the struct of the kind. */
void post_put(struct buf *to, enum post_kind kind, const void *body);
/* The same as a post, whose views are the body's. */
void post_of(enum post_kind kind, const void *body, struct post *out);
/* The post at *cursor, which moves on: true and a post whose views point into `bytes`, or false
 * at the end. The bytes come from post_put; anything else aborts. */
bool post_next(struct str bytes, size_t *cursor, struct post *out);
