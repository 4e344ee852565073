/* What groups and broadcasts have in common (protocol.md sections 9 and 10): a list of users under a name,
 * with a title and a picture. The difference: a broadcast is its owner's alone, who is not on the list,
 * and nobody is told of what happens to it.
 *
 * All run at the home of the name. Those that take a request lead to its answer. */
#pragma once
#include "handlers/handler.h"

/* Who may. MEMBER, ADMIN: of a group; OWNER: of a broadcast. */
enum roster_right { ROSTER_MEMBER, ROSTER_ADMIN, ROSTER_OWNER };
/* Whether the asker may (then e is such a thing); if not, he has been told. */
bool roster_allows(struct chat *chat, struct entity *e, const struct request *r, enum roster_right right);

void roster_create(struct chat *chat, struct entity *e, const struct request *r);
/* The rest is for those who may. */
void roster_add(struct chat *chat, struct entity *e, const struct request *r);
void roster_remove(struct chat *chat, struct entity *e, const struct request *r);
void roster_end(struct chat *chat, struct entity *e, const struct request *r);
void roster_info(struct chat *chat, struct entity *e, const struct request *r);
void roster_picture_set(struct chat *chat, struct entity *e, const struct request *r);
void roster_picture_get(struct chat *chat, struct entity *e, const struct request *r);
void roster_title_set(struct chat *chat, struct entity *e, const struct request *r);
void roster_title_get(struct chat *chat, struct entity *e, const struct request *r);

/* Adds those of `names` who are on the list to job->list, each once; of those only whom `keep` (may be
 * NULL) takes. One who is not on it: the job is refused with 404, and false. */
bool roster_pick(struct chat *chat, struct job *job, struct str names,
		 bool (*keep)(const struct member *m));
/* Information to the members but the asker, and to the others (a list of names) in any case. Fills in
 * info->group. Does nothing for a broadcast. */
void roster_inform(struct chat *chat, const struct job *job, struct buf *ops, struct packet_info *info,
		   struct str others);
/* Adds the op that says what its picture is; empty: none. */
void roster_put_picture(const struct job *job, struct buf *ops, struct str picture);
