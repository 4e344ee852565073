/* What a user's sessions were shown and he has not acknowledged, and the streams that show it.
 *
 * The mailbox itself lies in the store. Memory holds an item for each stored mail that was shown
 * (its head, never its content), so that dm, nm and pong find it, and a position for each session:
 *
 *   live     everything stored was shown; new mail is sent as it is committed
 *   behind   there is more in the store than was shown: at login, or when the session reads
 *            slower than its mail comes. It is read on as the session drains.
 *
 * `cursor`: all stored mail up to it was shown or need not be. Mail may become visible late, below
 * the cursor (a batch committed while a read was under way): the cursor then goes back, and what
 * was shown already is skipped by its item. So nothing is lost and nothing shown twice, whatever
 * the order in which commits and reads come back. */
#pragma once
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "chat/post.h"
#include "store/txn.h"

#define UNSTORED_REMEMBERED 1024           /* p 0 messages a session may acknowledge (13.5) */
#define UNSTORED_WAITING_BYTES (256 * 1024) /* p 0 behind a stream that catches up; more is dropped */
#define ACKED_REMEMBERED 32                /* acknowledged items kept, for the nm after the dm */
#define STREAM_READ_BYTES (256 * 1024)
#define STREAM_READ_ROWS 1024

enum item_state { ITEM_SHOWN, ITEM_RELEASING, ITEM_RELEASED };

struct item {
	uint64_t seq;
	uint64_t sender_born;
	struct hash128 once;
	struct str id, sender;   /* point behind the struct */
	struct item *same_id;    /* the next younger one with this id */
	struct list acked;       /* in mailbox.acked unless SHOWN */
	unsigned pending;        /* transactions on their way that say something of it */
	uint32_t failures;       /* of those, how many failed so far */
	uint32_t bytes;          /* of the text, for the mailbox limit */
	uint32_t shown;          /* bit per session */
	uint32_t refs;           /* entries of streams, and the mailbox itself */
	uint8_t flags;           /* MAIL_… */
	uint8_t kinds;           /* ACK_… */
	uint8_t state;           /* enum item_state */
};

struct mailbox {
	struct map by_seq;    /* every item, by the 8 bytes of its seq */
	struct map by_id;     /* SHOWN ones a dm may name; oldest, others by same_id */
	struct list acked;    /* RELEASING and RELEASED, oldest first */
	unsigned acked_n;
	unsigned reads;       /* mailbox reads under way: RELEASED items must stay till they are back */
	uint32_t slots;       /* bits of item.shown in use */
};

struct sent { struct item *item; struct mono at; uint64_t number; };

/* A p 0 message that was shown and may be acknowledged. */
struct unstored { uint64_t sender_born; uint8_t kinds; struct str id, sender; };

struct stream {
	uint64_t cursor;
	uint64_t rewind;      /* UINT64_MAX, or where mail became visible while a read was under way */
	bool behind, reading;
	struct sent *sent;    /* ring: shown, oldest first; entries go when their item is RELEASED */
	size_t sent_first, sent_n, sent_cap;
	uint64_t sent_number; /* of the last one */
	uint64_t ping_number; /* what a pong would prove; 0: no ping under way */
	uint8_t ping[8];      /* its payload */
	struct unstored **unstored; /* ring */
	size_t unstored_first, unstored_n, unstored_cap;
	struct buf waiting;   /* p 0 mail_in posts that keep their place behind the stream */
};

struct chat;
struct session;
struct entity;

void mailbox_init(struct mailbox *box);
void mailbox_deinit(struct mailbox *box);

/* A session joins or leaves (its stream is initialised, started, freed). */
void stream_start(struct chat *chat, struct session *s);
void stream_stop(struct session *s);
void stream_room(struct chat *chat, struct session *s); /* it drained */
void stream_read(struct chat *chat, struct entity *e, struct session *s, struct store_read *read); /* came back; s may be NULL */
/* The pong with this payload came: what it proves is released. */
void stream_pong(struct chat *chat, struct session *s, const void *payload, size_t n);
/* Pings the session if something has been unacknowledged for ack_ping_ms. False: nothing is. */
bool stream_ping(struct chat *chat, struct session *s, struct mono now);
unsigned stream_unacknowledged(const struct stream *t);

/* Mail that became durable: shows it to all sessions of the user. */
void mailbox_show(struct chat *chat, struct entity *e, const struct op_mail *mail);
/* A release failed: sessions that passed over the mail while it was being released read it again. */
void mailbox_show_again(struct chat *chat, struct entity *e, uint64_t seq);
/* p 0 mail. False: no session took it. */
bool mailbox_show_unstored(struct chat *chat, struct entity *e, const struct mail_in *mail);

/* What `id` names: the oldest shown, unacknowledged item; sender absent or the one it must be from. */
struct item *mailbox_find(struct mailbox *box, struct str id, struct str sender);
/* One acknowledged lately. */
struct item *mailbox_find_acked(struct mailbox *box, struct str id, struct str sender);
struct item *mailbox_by_seq(struct mailbox *box, uint64_t seq);
struct unstored *stream_find_unstored(struct stream *t, struct str id, struct str sender);

/* Makes an item of what the store found: of mail shown in an earlier session only, or released
 * already (then seq is a number of its own). text.n counts, text.p is not read. */
struct item *mailbox_adopt(struct mailbox *box, const struct op_mail *mail, bool released);
/* A transaction is on its way that acknowledges the item (`kind`), and releases it if it was not
 * released before. */
void mailbox_acknowledge(struct mailbox *box, struct item *item, uint8_t kind);
/* That transaction is durable, or failed. Returns the item if it is released by it; it lives till
 * the next call. An item that is not there any more is ignored. */
const struct item *mailbox_settle(struct mailbox *box, uint64_t seq, uint8_t kind, bool release, bool ok);
/* The same for a repeat of a receipt, whose first sending was settled before. Did that succeed?
 * `failures`: item.failures when the repeat was sent. */
bool mailbox_settle_again(struct mailbox *box, uint64_t seq, uint32_t failures);
