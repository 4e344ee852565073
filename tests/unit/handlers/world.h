/* A world for one or two cores over the memory store: what each session gets is written down, and
 * whole transcripts are compared. Time stands still unless a test moves it. */
#pragma once
#include "handlers/handlers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define WORLD_SESSIONS 8

struct world_session {
	uint64_t handle;
	struct chat *chat;
	char name;            /* in the transcript */
	size_t room;
	bool wants_room;
	uint8_t ping[8];
};

struct world {
	unsigned workers;
	struct chat *chats[2];
	struct inbox inbox[2];
	struct metrics metrics[3];
	struct chat_settings settings;
	struct chat_env env[2];
	struct world_env { struct world *world; unsigned worker; } ctx[2];
	struct store *store;
	struct mono now;
	uint64_t seq;
	unsigned address_failures;
	struct world_session sessions[WORLD_SESSIONS];
	unsigned session_n;
	struct { uint64_t session; int ok; struct chat *chat; } verdicts[8];
	unsigned verdict_n;
	struct { uint64_t job; char hash[64]; size_t n; struct chat *chat; } hashes[8];
	unsigned hash_n;
	struct { unsigned session; unsigned worker; struct chat_carry carry; char text[512]; } moves[4];
	unsigned move_n;
	char log[65536];      /* the transcript */
	size_t log_n;
};

struct world *world_create(unsigned workers);
void world_destroy(struct world *w);
/* A connection named `name` at worker 0. */
unsigned world_connect(struct world *w, char name);
/* Sends one packet and lets everything settle. */
void world_say(struct world *w, unsigned session, const char *packet);
void world_settle(struct world *w);
void world_drop(struct world *w, unsigned session);
/* Connects, logs in with token "t", forgets what was said. The user exists afterwards. */
unsigned world_login(struct world *w, char name, const char *user);
void world_user(struct world *w, const char *user, bool admin);
/* Compares what was heard since the last call, then forgets it. Numbers chosen by the server
 * (ids like 1.0.3) stand as #. */
void world_heard(struct world *w, const char *transcript);
