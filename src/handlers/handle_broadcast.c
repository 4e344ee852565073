/* protocol.md section 10: broadcasts. What they have in common with groups stands in roster.c. */
#include "handlers/roster.h"

void handle_broadcast_create(struct chat *chat, struct entity *e, const struct request *r)
{
	roster_create(chat, e, r);
}

void handle_broadcast_add(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_add(chat, e, r);
}

void handle_broadcast_remove(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_remove(chat, e, r);
}

void handle_broadcast_end(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_end(chat, e, r);
}

void handle_broadcast_info(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_info(chat, e, r);
}

void handle_broadcast_picture_set(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_picture_set(chat, e, r);
}

void handle_broadcast_picture_get(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_picture_get(chat, e, r);
}

void handle_broadcast_title_set(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_title_set(chat, e, r);
}

void handle_broadcast_title_get(struct chat *chat, struct entity *e, const struct request *r)
{
	if (roster_allows(chat, e, r, ROSTER_OWNER))
		roster_title_get(chat, e, r);
}
