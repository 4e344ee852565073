/* The users of a run: read from a file, or made on the server for the time of the run. */
#pragma once
#include "base/check.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

struct target;

struct account {
	struct str name, token;
	bool created; /* by this run, which deletes it afterwards */
	bool there;   /* it was before, as creating it has shown */
};

struct crowd {
	struct account *account;
	size_t n;
	char *_text; /* what the views point into */
};

void crowd_deinit(struct crowd *r);
/* Lines `name,token` with perhaps more fields behind (what `lempctl user import` reads, without
 * quotes). 0, ERR_IO, ERR_INVALID or ERR_NOMEM; `why` then says what is wrong. */
int crowd_load(const char *path, struct crowd *out, char *why, size_t why_size) WARN_UNUSED;
/* n names PREFIX1, PREFIX2 … with random tokens; nothing on the server yet. 0 or ERR_NOMEM. */
int crowd_make(const char *prefix, size_t n, struct crowd *out) WARN_UNUSED;

/* Creates the accounts on the server through an administrator's session; one that exists gets the
 * new token. Runs a loop of its own, bounded in time. 0, or ERR_UNAVAILABLE: no server, or
 * ERR_INVALID: it said no; `why` then says what. */
int crowd_create(struct crowd *r, const struct target *target, const struct account *admin,
		  char *why, size_t why_size) WARN_UNUSED;
/* Deletes those that were created; results likewise. */
int crowd_delete(struct crowd *r, const struct target *target, const struct account *admin,
		  char *why, size_t why_size) WARN_UNUSED;
