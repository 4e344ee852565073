/* What the files of lempctl share. It is a thin client: the server does the work (daemon/admin.h
 * tells the lines on the socket), and this shows the answers. One thread. */
#pragma once
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 64, CTL_NO_SERVER = 69, CTL_INTERRUPTED = 130 };

struct ctl {
	const char *socket;
	bool json;         /* --json */
	bool admin, watch;
	const char *token; /* --token; NULL: none */
	bool token_stdin;
	const char *prefix;
	const char *data;  /* --data */
	char *const *args; /* behind the command */
	int fd;
	char *in;          /* what came from the server and was not looked at */
	size_t in_n, in_cap;
	int status;        /* the exit status, once it is not CTL_OK */
};

/* --- link.c: to the server and back. What fails is said there and in ctl->status. --- */

extern volatile sig_atomic_t ctl_interrupted; /* Ctrl-C came */
bool link_open(struct ctl *ctl);
bool link_send(struct ctl *ctl, const void *bytes, size_t n);
/* Sends a request; the reference is taken. */
bool link_ask(struct ctl *ctl, json_t *request);
/* The next line of the answer, the caller's; NULL: none, or it was an error, which was shown. */
json_t *link_next(struct ctl *ctl);
/* Skips to the last line. NULL: an error. */
json_t *link_last(struct ctl *ctl);

/* --- show.c: on the terminal --- */

struct column { const char *key, *title; bool right; };
/* A table, printed in pieces; widths follow the first piece. With --json: an array. */
struct table {
	const struct column *columns;
	unsigned n, width[8];
	bool json, begun, any; /* any: a row was printed */
};
void table_rows(struct table *table, const json_t *rows);
void table_end(struct table *table);
void show_json(const json_t *value);     /* one line */
void show_error(const struct ctl *ctl, const json_t *answer);
void show_progress(json_t *progress); /* a bar on standard error, if that is a terminal */
void show_progress_end(void);
/* "3d 4h", "12s" */
void show_age(json_int_t seconds, char *out, size_t size);
void show_time(json_int_t ms, char *out, size_t size);
bool show_colour(void);

/* --- restore.c --- */

/* A backup as a new data directory, synced. False: it was said what is wrong; what was copied is left. */
bool restore_copy(const char *from, const char *to);
