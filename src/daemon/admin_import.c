/* lempctl user import: many users at once, all or none.
 *
 *   body -> rows, checked by themselves
 *        -> CHECK: each name is held at its home for a moment: is it free?   (so that a name that is
 *           taken is told before hours are spent on hashing)
 *        -> HASH:  tokens, on the hashers, a few at a time so that logins do not wait long
 *        -> HOLD:  each name is held, for good
 *        -> STORE: one transaction
 *        -> LET GO of the names, which then are read anew
 *
 * What is wrong with rows by themselves is told together with what CHECK finds.
 * Main goes from step to step; within CHECK, HOLD and LET GO the import belongs to one worker after
 * the other, which takes some rows a turn. A client that goes away ends it, before STORE, with nothing
 * changed. */
#include "base/arena.h"
#include "base/map.h"
#include "daemon/admin_private.h"
#include "daemon/csv.h"
#include "net/utf8.h"
#include "packet/name.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define IMPORT_ROWS_MAX 1000000
#define IMPORT_BYTES_MAX ((size_t)512 << 20)
#define HASHES_BYTES_MAX ((size_t)256 << 20)
#define FAULTS_MAX 100    /* are told; others are counted */
#define ROWS_PER_TURN 256
#define HASHES_SLOW 4     /* at the hashers at a time, by kind of hash */
#define HASHES_QUICK 64
#define PROGRESS_MS 200   /* between two reports; also the wait when the hashers are busy */

enum step { CHECK_NAMES, HASH, HOLD, STORE, LET_GO };
static const char *const step_names[] = { "checking", "hashing", "reserving", "storing", "finishing" };

struct import;
struct row {
	struct import *import;
	struct str name, token, hash;
	unsigned line;
	uint8_t type;
	bool held;
	const char *fault; /* what was found out about it at its home */
};

struct import {
	struct admin_job *job;
	struct buf body;
	struct row *rows;
	size_t n;
	struct fault { unsigned line; const char *what; } faults[FAULTS_MAX]; /* the first of them */
	unsigned fault_n;
	enum step step;
	/* CHECK_NAMES, HOLD, LET_GO: the worker's while it walks. */
	struct worker *worker;
	size_t at, batch_at;    /* the next row; the first of those asked for last */
	unsigned waiting;       /* answers to come, and 1 while asking */
	_Atomic size_t done;    /* rows, for the report */
	/* HASH */
	unsigned hashing;
	size_t *again;          /* rows the hashers had no room for */
	unsigned again_n;
	struct arena hashes;
	struct handlers_import_row *ready;
	struct loop_timers reports;
	struct loop_timer report;
};

static void import_free(void *state)
{
	struct import *im = state;
	loop_timer_stop(&im->report);
	loop_timers_deinit(&im->reports);
	token_forget(im->body.p, im->body.cap);
	buf_deinit(&im->body);
	arena_deinit(&im->hashes);
	free(im->rows);
	free(im->again);
	free(im->ready);
	im->job->daemon->importing = false;
	free(im);
	malloc_trim(0); /* a large import leaves hundreds of megabytes that nobody needs again */
}

static void add_fault(struct import *im, unsigned line, const char *what)
{
	if (im->fault_n < FAULTS_MAX)
		im->faults[im->fault_n] = (struct fault){ line, what };
	im->fault_n++;
}

static int by_line(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;
	return (x->line > y->line) - (x->line < y->line);
}

static void answer_faults(struct import *im)
{
	char sentence[128];
	json_t *lines = json_array();
	unsigned told = im->fault_n < FAULTS_MAX ? im->fault_n : FAULTS_MAX;
	qsort(im->faults, told, sizeof(im->faults[0]), by_line);
	for (unsigned i = 0; i < told; i++)
		json_array_append_new(lines, json_pack("{sI ss}", "line", (json_int_t)im->faults[i].line,
						       "error", im->faults[i].what));
	snprintf(sentence, sizeof(sentence), "Nothing was imported: %u %s wrong.", im->fault_n,
		 im->fault_n == 1 ? "line is" : "lines are");
	admin_finish(im->job, json_pack("{ss ss so}", "error", sentence, "code", "400", "lines", lines));
}

static size_t workers_of(const struct import *im)
{
	return im->job->daemon->all.n;
}

/* --- reports --- */

static void hash_more(struct import *im);

static void report_now(struct import *im)
{
	bool walks = im->step == CHECK_NAMES || im->step == HOLD || im->step == LET_GO;
	size_t total = walks ? im->n * workers_of(im) : im->n;
	size_t done = atomic_load(&im->done);
	if (!im->job->client || !admin_drained(im->job))
		return;
	admin_say(im->job,
		  json_pack("{s{ss sI sI}}", "progress", "stage", step_names[im->step],
			    "done", (json_int_t)(total ? done * im->n / total : 0),
			    "total", (json_int_t)im->n));
}

static void report_due(struct loop_timer *timer, void *ctx)
{
	struct import *im = ctx;
	loop_timer_start(im->job->daemon->loop, &im->reports, timer);
	report_now(im);
	if (im->step == HASH)
		hash_more(im);
}

/* --- walking over the names --- */

static void walk(struct task *task, struct worker *w);
static void walked(struct task *task, struct worker *none);

static void walk_answered(struct import *im)
{
	if (--im->waiting == 0) /* not at once: others have their turn, and this may be a callback */
		task_push(&im->worker->inbox, &im->job->task, walk);
}

static void held(void *ctx, enum refusal refusal)
{
	struct row *row = ctx;
	row->held = refusal == REFUSAL_NONE;
	if (refusal == REFUSAL_TAKEN)
		row->fault = "the name is taken";
	else if (refusal != REFUSAL_NONE)
		row->fault = "the name cannot be looked up now";
	walk_answered(row->import);
}

static void let_go(struct import *im, struct row *row)
{
	if (row->held)
		handlers_unhold(im->worker->chat, row->name);
	row->held = false;
}

static bool is_home(const struct import *im, const struct row *row)
{
	return chat_home(row->name, (unsigned)workers_of(im)) == im->worker->index;
}

/* On a worker. */
static void walk(struct task *task, struct worker *w)
{
	struct import *im = admin_job_of(task)->state;
	im->worker = w;
	for (size_t i = im->batch_at; i < im->at && im->step == CHECK_NAMES; i++)
		if (is_home(im, &im->rows[i]))
			let_go(im, &im->rows[i]);
	if (im->at == im->n) {
		im->at = im->batch_at = 0;
		if (w->index + 1 < w->all->n)
			admin_at(im->job, w->index + 1, walk);
		else
			admin_back(im->job, walked);
		return;
	}
	im->batch_at = im->at;
	im->waiting = 1;
	for (unsigned n = 0; n < ROWS_PER_TURN && im->at < im->n; im->at++) {
		struct row *row = &im->rows[im->at];
		if (!is_home(im, row))
			continue;
		n++;
		if (im->step == LET_GO) {
			let_go(im, row);
			continue;
		}
		im->waiting++;
		handlers_hold(w->chat, row->name, held, row);
	}
	atomic_store(&im->done, w->index * im->n + im->at);
	walk_answered(im);
}

static void begin_walk(struct import *im, enum step step)
{
	im->step = step;
	im->at = im->batch_at = 0;
	atomic_store(&im->done, 0);
	admin_at(im->job, 0, walk);
}

/* --- hashing --- */

static void hashed(struct task *task, struct worker *none)
{
	struct hash_job *job = LIST_ENTRY(task, struct hash_job, task);
	struct import *im = job->ctx;
	struct row *row = &im->rows[job->about];
	(void)none;
	im->hashing--;
	if (job->result == HASH_DONE) {
		row->hash = arena_str(&im->hashes, (struct str){ job->hash, job->hash_n });
		CHECK(row->hash.p); /* the arena has room for all rows */
		atomic_fetch_add(&im->done, 1);
		hash_job_free(&job);
		hash_more(im);
	} else {
		im->again[im->again_n++] = job->about; /* by report_due */
		hash_job_free(&job);
	}
}

static void hash_one(struct import *im, size_t index)
{
	struct hash_job *job = hash_job_hash(im->rows[index].token);
	CHECK(job);
	job->inbox = &im->job->daemon->inbox;
	job->done = hashed;
	job->ctx = im;
	job->about = index;
	im->hashing++;
	hashers_submit(im->job->daemon->all.hashers, job);
}

/* May end the import. */
static void hash_more(struct import *im)
{
	unsigned window = hashers_kind(im->job->daemon->all.hashers) == TOKEN_BLAKE2B ? HASHES_QUICK
										      : HASHES_SLOW;
	bool heard = im->job->client != NULL;
	while (heard && im->hashing < window && (im->again_n || im->at < im->n))
		hash_one(im, im->again_n ? im->again[--im->again_n] : im->at++);
	if (im->hashing)
		return;
	if (heard)
		begin_walk(im, HOLD);
	else
		admin_finish(im->job, json_null());
}

/* --- storing --- */

static void stored(struct task *task, struct worker *none)
{
	(void)none;
	begin_walk(admin_job_of(task)->state, LET_GO);
}

static void store_done(void *ctx, enum refusal refusal)
{
	struct import *im = ctx;
	im->job->refusal = refusal;
	admin_back(im->job, stored);
}

static void store_at_worker(struct task *task, struct worker *w)
{
	struct import *im = admin_job_of(task)->state;
	handlers_import(w->chat, im->ready, im->n, store_done, im);
}

static void begin_store(struct import *im)
{
	im->step = STORE;
	im->ready = calloc(im->n, sizeof(*im->ready));
	CHECK(im->ready);
	for (size_t i = 0; i < im->n; i++)
		im->ready[i] = (struct handlers_import_row){ im->rows[i].name, im->rows[i].hash,
							     im->rows[i].type };
	admin_at(im->job, 0, store_at_worker);
}

/* --- the steps --- */

static void collect_faults(struct import *im)
{
	for (size_t i = 0; i < im->n; i++)
		if (im->rows[i].fault)
			add_fault(im, im->rows[i].line, im->rows[i].fault);
}

static void finish(struct import *im)
{
	if (im->fault_n)
		answer_faults(im);
	else if ((im->ready || im->n == 0) && im->job->refusal == REFUSAL_NONE)
		admin_finish(im->job, json_pack("{sb sI}", "ok", 1, "imported", (json_int_t)im->n));
	else
		admin_finish_refusal(im->job); /* or nobody is there to hear it */
}

static void walked(struct task *task, struct worker *none)
{
	struct import *im = admin_job_of(task)->state;
	(void)none;
	if (im->step == LET_GO) {
		finish(im);
		return;
	}
	collect_faults(im);
	bool go_on = !im->fault_n && im->job->client;
	if (im->step == CHECK_NAMES && go_on) {
		im->step = HASH;
		im->at = 0;
		atomic_store(&im->done, 0);
		hash_more(im);
	} else if (im->step == CHECK_NAMES) {
		finish(im);
	} else if (go_on) {
		begin_store(im);
	} else {
		begin_walk(im, LET_GO);
	}
}

/* --- rows --- */

static const char *row_fault(const struct import *im, const struct str *fields, unsigned n)
{
	bool ascii = im->job->daemon->config->limits_names == CONFIG_NAMES_ASCII;
	if (n < 2 || n > 3)
		return "a line is name,token,type";
	if (!utf8_valid(fields[0].p, fields[0].n) || !utf8_valid(fields[1].p, fields[1].n))
		return "is no UTF-8";
	enum name_verdict verdict = name_check(fields[0], ascii);
	if (verdict != NAME_GOOD)
		return name_verdict_text(verdict);
	if (fields[1].n == 0)
		return "the token is empty";
	if (fields[1].n > TOKEN_BYTES_MAX)
		return "the token is longer than 1 KiB";
	if (n == 3 && fields[2].n && !str_eq(fields[2], STR("0")) && !str_eq(fields[2], STR("1")))
		return "the type is neither 0 nor 1";
	return NULL;
}

static bool is_header(const struct str *fields, unsigned n)
{
	return n == 3 && str_eq(fields[0], STR("name")) && str_eq(fields[1], STR("token")) &&
	       str_eq(fields[2], STR("type"));
}

static void add_row(struct import *im, const struct str *fields, unsigned n, unsigned line, struct map *names)
{
	const char *fault = row_fault(im, fields, n);
	if (!fault && im->n == IMPORT_ROWS_MAX)
		fault = "there are more than 1000000 users";
	else if (!fault && map_put(names, fields[0], im) != OK)
		fault = "the name stands in an earlier line, too";
	if (fault)
		add_fault(im, line, fault);
	else
		im->rows[im->n++] = (struct row){ .import = im, .name = fields[0], .token = fields[1],
						  .line = line,
						  .type = n == 3 && str_eq(fields[2], STR("1")) };
}

static size_t count_lines(struct str text)
{
	size_t n = 1;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n < IMPORT_ROWS_MAX ? n : IMPORT_ROWS_MAX;
}

static void read_rows(struct import *im)
{
	struct str fields[CSV_FIELDS_MAX];
	unsigned n;
	struct csv csv;
	struct map names;
	bool first = true;
	int got;
	map_init(&names);
	im->rows = calloc(count_lines(buf_view(&im->body)), sizeof(struct row));
	CHECK(im->rows);
	csv_init(&csv, im->body.p, im->body.n);
	while ((got = csv_next(&csv, fields, &n)) != 0) {
		if (got < 0)
			add_fault(im, csv.line, csv.why);
		else if (!first || !is_header(fields, n))
			add_row(im, fields, n, csv.line, &names);
		first = false;
	}
	map_deinit(&names);
}

static void import_body(struct admin_job *job)
{
	struct import *im = job->state;
	read_rows(im);
	if (im->n == 0) {
		finish(im);
		return;
	}
	loop_timer_start(job->daemon->loop, &im->reports, &im->report);
	begin_walk(im, CHECK_NAMES);
}

void import_begin(struct admin_job *job)
{
	json_int_t bytes = -1;
	(void)json_unpack(job->request, "{sI}", "bytes", &bytes);
	if (bytes < 0 || bytes > (json_int_t)IMPORT_BYTES_MAX) {
		admin_refuse(job, "413", "An import has at most 512 MiB.");
		return;
	}
	if (job->daemon->importing) {
		admin_refuse(job, "503", "Another import is under way.");
		return;
	}
	struct import *im = calloc(1, sizeof(*im));
	CHECK(im);
	job->daemon->importing = true;
	job->state = im;
	job->free_state = import_free;
	im->job = job;
	buf_init(&im->body, IMPORT_BYTES_MAX);
	arena_init(&im->hashes, HASHES_BYTES_MAX);
	im->again = calloc(HASHES_QUICK, sizeof(size_t));
	CHECK(im->again);
	loop_timers_init(job->daemon->loop, &im->reports, PROGRESS_MS, report_due, im);
	loop_timer_init(&im->report);
	admin_say(job, json_pack("{sb}", "send", 1));
	admin_read_body(job, &im->body, (size_t)bytes, import_body);
}
