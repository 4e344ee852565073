/* What the world does for a core of the chat (chat.h, struct chat_env). */
#include "daemon/worker.h"
#include <sodium.h>
#include <time.h>

static struct mono env_now(void *ctx)
{
	return loop_now(((struct worker *)ctx)->loop);
}

static struct wall env_wall(void *ctx)
{
	(void)ctx;
	return wall_now();
}

static int env_utc_offset_minutes(void *ctx)
{
	time_t now = (time_t)(wall_now().ms / 1000);
	struct tm local = { 0 };
	(void)ctx;
	localtime_r(&now, &local);
	return (int)(local.tm_gmtoff / 60);
}

static void env_random(void *ctx, void *out, size_t n)
{
	(void)ctx;
	randombytes_buf(out, n);
}

static uint64_t env_next_seq(void *ctx)
{
	struct workers *all = ((struct worker *)ctx)->all;
	uint64_t n = atomic_fetch_add(&all->seq, 1) + 1;
	CHECK(n < UINT64_C(1) << STORE_SEQ_BITS);
	return (uint64_t)all->store->epoch << STORE_SEQ_BITS | n;
}

static void env_send(void *ctx, uint64_t session, const char *text, size_t n)
{
	struct conn *conn = worker_conn(ctx, session);
	if (conn)
		conn_text(conn, text, n);
}

static size_t env_room(void *ctx, uint64_t session)
{
	struct conn *conn = worker_conn(ctx, session);
	return conn ? conn_room(conn) : 0;
}

static void env_want_room(void *ctx, uint64_t session)
{
	struct conn *conn = worker_conn(ctx, session);
	if (conn)
		conn_want_room(conn);
}

static void env_ping(void *ctx, uint64_t session, const void *payload, size_t n)
{
	struct conn *conn = worker_conn(ctx, session);
	if (conn)
		conn_ping(conn, payload, n);
}

static void env_close(void *ctx, uint64_t session, enum close_reason why)
{
	worker_conn_close(ctx, session, why);
}

static void env_pause(void *ctx, uint64_t session)
{
	struct conn *conn = worker_conn(ctx, session);
	if (conn)
		conn_pause(conn);
}

static void env_resume(void *ctx, uint64_t session)
{
	struct worker *w = ctx;
	struct conn *conn = worker_conn(w, session);
	if (conn && !w->leaving)
		conn_resume(conn);
}

static void env_move(void *ctx, uint64_t session, unsigned worker, const struct chat_carry *carry)
{
	struct worker *w = ctx;
	worker_conn_move(w, session, &w->all->worker[worker], carry);
}

static void env_post(void *ctx, unsigned worker, struct inbox_node *parcel)
{
	struct worker *w = ctx;
	w->sent++;
	inbox_push(&w->all->worker[worker].inbox, parcel);
}

static void env_verified(struct task *task, struct worker *w)
{
	struct hash_job *job = LIST_ENTRY(task, struct hash_job, task);
	chat_verified(w->chat, job->about, (int)job->result);
	hash_job_free(&job);
}

static void env_hashed(struct task *task, struct worker *w)
{
	struct hash_job *job = LIST_ENTRY(task, struct hash_job, task);
	struct str hash = { job->result == HASH_DONE ? job->hash : NULL,
			    job->result == HASH_DONE ? job->hash_n : 0 };
	chat_hashed(w->chat, job->about, hash);
	hash_job_free(&job);
}

static void submit(struct worker *w, struct hash_job *job, uint64_t about,
		   void (*done)(struct task *task, struct worker *worker))
{
	CHECK(job);
	job->inbox = &w->inbox;
	job->about = about;
	job->done = done;
	hashers_submit(w->all->hashers, job);
}

static void env_verify(void *ctx, uint64_t session, struct str token, struct str hash)
{
	if (hash.n >= TOKEN_HASH_MAX) /* no hash of ours: nobody's token */
		hash = STR_NONE;
	submit(ctx, hash_job_verify(token, hash), session, env_verified);
}

static void env_hash(void *ctx, uint64_t about, struct str token)
{
	submit(ctx, hash_job_hash(token), about, env_hashed);
}

static unsigned env_address_failures(void *ctx, struct str address, unsigned add)
{
	struct worker *w = ctx;
	if (!worker_limits(address))
		return 0;
	return limiter_failures(w->all->limiter, address, add, loop_now(w->loop));
}

void worker_env_init(struct worker *w)
{
	w->env = (struct chat_env){
		.ctx = w,
		.now = env_now,
		.wall = env_wall,
		.utc_offset_minutes = env_utc_offset_minutes,
		.random = env_random,
		.next_seq = env_next_seq,
		.send = env_send,
		.room = env_room,
		.want_room = env_want_room,
		.ping = env_ping,
		.close = env_close,
		.pause = env_pause,
		.resume = env_resume,
		.move = env_move,
		.post = env_post,
		.verify = env_verify,
		.hash = env_hash,
		.address_failures = env_address_failures,
	};
}
