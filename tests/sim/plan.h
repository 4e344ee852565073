/* What a seed plays: which features are on and how often things happen. Drawn anew for each
 * seed (swarm testing: a run in which not everything happens at once finds what an average run
 * never does). */
#pragma once
#include "dice.h"
#include "trace.h"

#define PLAN_USERS_MAX 10
#define PLAN_DEVICES_MAX 4

/* How a user acknowledges what he is shown. */
enum plan_policy { POLICY_DM, POLICY_NM, POLICY_BOTH, POLICY_PONG, POLICY_MIXED, POLICY_COUNT };

struct plan {
	uint64_t seed;
	unsigned steps;
	unsigned workers, users, devices, max_sessions;
	bool admin;               /* an administrator creates, deletes and changes the last user */
	enum plan_policy policy[PLAN_USERS_MAX];

	unsigned groups, casts;   /* how many names of each are used */
	/* Weights of what is asked for. */
	unsigned follow, privacy, profile, look, place;
	unsigned founded;         /* how much of it there is from the beginning, out of 1000 */
	unsigned group_max, fan_slice;

	/* Weights of the scheduler's actions. */
	unsigned turn, commit, answer, read, act, time;
	/* Out of 1000 of what they name; 0 is off. */
	unsigned crash;           /* per step, times 1000: out of 1,000,000 */
	unsigned refuse, read_failure, seen_unknown, overload;
	unsigned cut, stall, logout, kick;
	unsigned p0, pc0, sc0, repeat, same_id_other, to_self, to_nobody, odd, early, wrong_token;
	unsigned ask, to_place;   /* a request instead of a message; a message to a group or broadcast */
	unsigned clash;           /* a group that takes the last user's name */
	unsigned knock, stray_pong, malformed_burst, long_content;
	unsigned deaf;            /* a connection that never answers pings nor reads till it is cut */
	bool collide;             /* users choose the same ids as others do */
	bool late;                /* turns come later than asked for */
	bool wall_jumps;
	bool slow_store;          /* commits take long */
	bool disk;                /* the store is the embedded engine, over a simulated disk; else memory */

	unsigned time_ms_max;     /* of one step of the clock */
	size_t send_buffer, content_max;
	uint32_t mailbox_max_messages;
	uint64_t mailbox_max_bytes;
	unsigned session_messages_max;
	size_t session_bytes_max, pending_bytes_max;
	unsigned entities_max;
};

void plan_draw(struct plan *p, uint64_t seed, unsigned steps);
void plan_print(const struct plan *p, struct trace *t);
