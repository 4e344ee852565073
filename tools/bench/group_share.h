/* A group of users, some of whom send to it. What members on different drivers share about a message
 * on its way is atomic; all else about a sender belongs to the thread of his driver.
 *
 *   sender   seq tail … next, of which those from tail on may be unfinished
 *   slot     counts down what a message still waits for: its arrival at each other member, its server
 *            receipt, and with --dm each member's dm and that one's receipt. Whoever takes the last
 *            one sets finished_ns and wakes the sender's driver
 *
 * The number in an id (letter.h) is the sender in its upper 8 bits and his seq in the lower 24. */
#pragma once
#include "driver.h"
#include "letter.h"
#include "schedule.h"

#define GROUP_SENDERS_MAX 256
#define GROUP_WINDOW_MAX 65536
#define GROUP_SEQ_MASK ((UINT32_C(1) << 24) - 1)

struct group_slot {
	_Atomic uint32_t seq;
	_Atomic uint32_t awaits;
	_Atomic int64_t sent_ns;     /* or should have been */
	_Atomic int64_t finished_ns; /* 0: not yet */
	bool refused;                /* only the sender's thread looks */
};

struct group_sender {
	struct driver *driver; /* his; set before any thread runs */
	struct peer *peer;
	uint32_t base, tail, next;
	struct group_slot *slots; /* group.ring_mask + 1 */
	struct letter message;
};

struct group {
	struct buf id;
	struct letter_tag tag;
	size_t member_n;
	unsigned sender_n;
	uint32_t ring_mask;
	uint32_t *arriving; /* [member * sender_n + sender]: the seq he sees next if nothing goes wrong */
	struct group_sender sender[];
};

/* The group on the server and what is shared: a scenario's `prepare` and `finish`. Its first member
 * makes it and ends it. */
int group_prepare(struct bench *b, char *why, size_t why_size) WARN_UNUSED;
int group_finish(struct bench *b, bool told, char *why, size_t why_size) WARN_UNUSED;
