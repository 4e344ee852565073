/* What groups and broadcasts have in common (protocol.md sections 9 and 10): a list of users under a name,
 * with a title and a picture. The difference: a broadcast is its owner's alone, who is not on the list,
 * and nobody is told of what happens to it. The requests themselves are declared by handlers.def. */
#pragma once
#include "handlers/handler.h"

/* Whether the asker has the right (MEMBER, GROUP_ADMIN, OWNER) that a request needs, and so e is such a
 * thing; if not, he has been told. */
bool roster_allows(struct chat *chat, const struct entity *e, const struct request *r, unsigned right);

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
