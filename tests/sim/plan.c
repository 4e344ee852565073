#include "plan.h"

/* A feature is off in half the seeds, else as often as drawn up to `max`. */
static unsigned plan_maybe(struct dice *d, unsigned max)
{
	return dice_chance(d, 500) ? dice_between(d, 1, max) : 0;
}

/* What most of the others are about. */
static unsigned plan_often(struct dice *d, unsigned min, unsigned max)
{
	return dice_chance(d, 800) ? dice_between(d, min, max) : 0;
}

static void plan_draw_faults(struct plan *p, struct dice *d)
{
	p->crash = dice_chance(d, 500) ? dice_between(d, 200, 3000) : 0;
	p->refuse = dice_chance(d, 350) ? dice_between(d, 5, 200) : 0;
	p->read_failure = dice_chance(d, 350) ? dice_between(d, 5, 200) : 0;
	p->seen_unknown = dice_chance(d, 400) ? dice_between(d, 50, 1000) : 0;
	p->overload = dice_chance(d, 200) ? dice_between(d, 10, 200) : 0;
	p->cut = plan_maybe(d, 60);
	p->deaf = p->cut ? plan_maybe(d, 300) : 0;
	p->stall = plan_maybe(d, 60);
	p->kick = dice_chance(d, 200) ? dice_between(d, 1, 5) : 0;
	p->late = dice_chance(d, 200);
	p->wall_jumps = dice_chance(d, 200);
	p->slow_store = dice_chance(d, 300);
}

static void plan_draw_people(struct plan *p, struct dice *d)
{
	p->logout = plan_maybe(d, 40);
	p->p0 = plan_maybe(d, 500);
	p->pc0 = plan_maybe(d, 400);
	p->sc0 = plan_maybe(d, 400);
	p->repeat = plan_maybe(d, 200);
	p->same_id_other = plan_maybe(d, 100);
	p->to_self = plan_maybe(d, 150);
	p->to_nobody = plan_maybe(d, 100);
	p->odd = plan_maybe(d, 150);
	p->early = plan_maybe(d, 300);
	p->wrong_token = plan_maybe(d, 150);
	p->ask = plan_often(d, 30, 600);
	p->to_place = plan_often(d, 50, 900);
	p->clash = dice_chance(d, 300) ? dice_between(d, 50, 300) : 0;
	p->knock = plan_maybe(d, 150);
	p->stray_pong = plan_maybe(d, 50);
	p->malformed_burst = dice_chance(d, 150) ? dice_between(d, 1, 20) : 0;
	p->long_content = plan_maybe(d, 100);
	p->collide = dice_chance(d, 250);
	unsigned all = dice_below(d, POLICY_COUNT + 2);
	for (unsigned u = 0; u < PLAN_USERS_MAX; u++)
		p->policy[u] = all < POLICY_COUNT ? all : dice_below(d, POLICY_COUNT);
}

static void plan_draw_requests(struct plan *p, struct dice *d)
{
	p->groups = plan_often(d, 1, 3);
	p->casts = plan_maybe(d, 2);
	p->follow = plan_often(d, 1, 20);
	p->privacy = plan_maybe(d, 15);
	p->profile = plan_maybe(d, 5);
	p->look = plan_maybe(d, 10);
	p->place = plan_often(d, 5, 40);
	p->founded = plan_often(d, 100, 900);
	p->group_max = dice_chance(d, 200) ? dice_between(d, 2, 6) : 10000;
	p->fan_slice = dice_between(d, 1, 3);
}

static void plan_draw_limits(struct plan *p, struct dice *d)
{
	p->content_max = dice_chance(d, 500) ? 40 : 300;
	p->send_buffer = dice_chance(d, 400) ? dice_between(d, 2048, 5000) : 1u << 20;
	p->mailbox_max_messages = dice_chance(d, 350) ? dice_between(d, 2, dice_chance(d, 500) ? 6 : 30)
						       : 100000;
	p->mailbox_max_bytes = dice_chance(d, 150) ? dice_between(d, 1500, 20000) : 256u << 20;
	p->session_messages_max = dice_chance(d, 300) ? dice_between(d, 1, 8) : 1000;
	p->session_bytes_max = dice_chance(d, 200) ? dice_between(d, 200, 2000) : 1u << 20;
	p->pending_bytes_max = dice_chance(d, 200) ? dice_between(d, 500, 4000) : 64u << 20;
	p->entities_max = dice_chance(d, 400) ? dice_between(d, 0, 3) : 10000;
}

void plan_draw(struct plan *p, uint64_t seed, unsigned steps)
{
	struct dice dice = { seed ^ UINT64_C(0x504c414e) }, *d = &dice;
	*p = (struct plan){ .seed = seed, .steps = steps };
	p->workers = dice_between(d, 1, 4);
	p->users = dice_between(d, 2, 9);
	p->max_sessions = dice_chance(d, 500) ? 1 : dice_between(d, 2, 3);
	p->devices = dice_chance(d, 500) ? p->max_sessions : p->max_sessions + 1;
	p->admin = dice_chance(d, 300);
	p->turn = dice_between(d, 20, 100);
	p->commit = dice_between(d, 5, 60);
	p->answer = dice_between(d, 5, 60);
	p->read = dice_between(d, 10, 80);
	p->act = dice_between(d, 10, 60);
	p->time = dice_between(d, 5, 40);
	p->time_ms_max = dice_chance(d, 500) ? 40 : 800;
	plan_draw_faults(p, d);
	plan_draw_people(p, d);
	plan_draw_requests(p, d);
	plan_draw_limits(p, d);
	p->disk = dice_chance(d, 500);
}

void plan_print(const struct plan *p, struct trace *t)
{
	trace_event(t, "plan seed=%llu workers=%u users=%u devices=%u max_sessions=%u admin=%d",
		    (unsigned long long)p->seed, p->workers, p->users, p->devices, p->max_sessions,
		    p->admin);
	trace_event(t, "plan crash=%u refuse=%u read_failure=%u seen_unknown=%u overload=%u cut=%u "
		    "deaf=%u stall=%u kick=%u late=%d wall_jumps=%d slow_store=%d",
		    p->crash, p->refuse, p->read_failure, p->seen_unknown, p->overload, p->cut,
		    p->deaf, p->stall, p->kick, p->late, p->wall_jumps, p->slow_store);
	trace_event(t, "plan p0=%u pc0=%u sc0=%u repeat=%u other=%u self=%u nobody=%u odd=%u early=%u "
		    "wrong=%u collide=%d disk=%d", p->p0, p->pc0, p->sc0, p->repeat, p->same_id_other,
		    p->to_self, p->to_nobody, p->odd, p->early, p->wrong_token, p->collide, p->disk);
	trace_event(t, "plan ask=%u follow=%u privacy=%u profile=%u look=%u place=%u groups=%u casts=%u to_place=%u "
		    "founded=%u clash=%u group_max=%u fan_slice=%u", p->ask, p->follow, p->privacy, p->profile, p->look, p->place,
		    p->groups, p->casts, p->to_place, p->founded, p->clash, p->group_max, p->fan_slice);
	trace_event(t, "plan send_buffer=%zu mailbox=%u/%llu session=%u/%zu pending=%zu entities=%u",
		    p->send_buffer, p->mailbox_max_messages, (unsigned long long)p->mailbox_max_bytes,
		    p->session_messages_max, p->session_bytes_max, p->pending_bytes_max,
		    p->entities_max);
}
