/* Groups and broadcasts (protocol.md sections 9 and 10): who is in them. A broadcast's members are its
 * receivers; its owner is not among them. */
#pragma once
#include "base/map.h"
#include "store/txn.h"

struct member {
	struct str name;       /* points behind the struct */
	uint64_t born, order;
	int64_t muted_ms;      /* till when; 0 not */
	bool admin;
};

struct group {
	uint64_t born;
	int64_t created_ms;
	struct str title;      /* owned */
	struct str owner;      /* of a broadcast; owned */
	struct member **members; /* in the order they joined */
	size_t member_n, member_cap;
	struct map by_name;
	unsigned admin_n;
	size_t fanning;        /* receivers of fan-outs under way */
	bool full;             /* too many: BUSY till there are fewer (fanout.c) */
};

struct chat;
struct entity;

struct group *group_new(const struct op_name_put *put);
void group_free(struct group *g); /* NULL is fine */
void group_put(struct group *g, const struct op_name_put *put); /* title */
void group_link(struct group *g, const struct op_link_put *put); /* a member, new or changed */
void group_unlink(struct group *g, struct str name);
struct member *group_find(const struct group *g, struct str name); /* NULL: not in it */

/* Ops (one each) that say what is said of a member, changed by the caller. e is a group or broadcast. */
void group_add_member_op(struct buf *ops, const struct entity *e, const struct member *m);
void group_remove_member_op(struct buf *ops, const struct entity *e, struct str name);
/* What it means that a member leaves (section 9; nothing if he is none): the information, perhaps a new
 * admin, the end of the group when he was the last. Also when his account is deleted. */
void group_leave(struct chat *chat, struct buf *ops, const struct entity *e, struct str name);
/* Ends it without a word. */
void group_end_op(struct buf *ops, const struct entity *e);
