#include "group_share.h"
#include "base/err.h"
#include "errand.h"
#include <stdlib.h>

static const struct account *members(const struct bench *b)
{
	return b->crowd.account + b->args->scenario->users_apart;
}

static void create(void *ctx, size_t i, struct buf *out)
{
	const struct bench *b = ctx;
	const struct group *g = b->shared;
	buf_printf(out, "{\"rq\":{\"id\":\"%zu\",\"g\":{\"t\":\"c\",\"i\":", i);
	json_put_string(out, buf_view(&g->id));
	BUF_LIT(out, ",\"n\":\"lemp-bench\",\"m\":[");
	for (size_t m = 1; m < g->member_n; m++) {
		if (m > 1)
			BUF_LIT(out, ",");
		json_put_string(out, members(b)[m].name);
	}
	BUF_LIT(out, "]}}}");
}

static void terminate(void *ctx, size_t i, struct buf *out)
{
	const struct group *g = ((const struct bench *)ctx)->shared;
	buf_printf(out, "{\"rq\":{\"id\":\"%zu\",\"g\":{\"t\":\"t\",\"i\":", i);
	json_put_string(out, buf_view(&g->id));
	BUF_LIT(out, "}}}");
}

static int ask(struct bench *b, const char *what, void (*request)(void *ctx, size_t i, struct buf *out),
	       char *why, size_t why_size)
{
	struct errand e = { .target = &b->target, .user = members(b), .what = what, .n = 1,
			    .request = request, .ctx = b };
	return errand_run(&e, "group's creator", why, why_size);
}

static void destroy(struct bench *b)
{
	struct group *g = b->shared;
	for (unsigned i = 0; i < g->sender_n; i++) {
		free(g->sender[i].slots);
		letter_deinit(&g->sender[i].message);
	}
	buf_deinit(&g->id);
	free(g->arriving);
	free(g);
	b->shared = NULL;
}

static int open_sender(const struct bench *b, struct group *g, struct group_sender *s)
{
	s->slots = calloc((size_t)g->ring_mask + 1, sizeof(s->slots[0]));
	if (!s->slots)
		return ERR_NOMEM;
	/* No message has the last seq when seq 0 comes to its slot. */
	for (uint32_t i = 0; i <= g->ring_mask; i++)
		atomic_init(&s->slots[i].seq, GROUP_SEQ_MASK);
	return letter_message(&s->message, g->tag, buf_view(&g->id), b->args->size, "");
}

static int create_shared(struct bench *b)
{
	const struct arguments *a = b->args;
	struct group *g = calloc(1, sizeof(*g) + a->senders * sizeof(g->sender[0]));
	if (!g)
		return ERR_NOMEM;
	b->shared = g;
	g->tag = letter_tag_make();
	g->member_n = a->sizes[a->size_at];
	while (g->ring_mask + 1 < a->window)
		g->ring_mask = g->ring_mask * 2 + 1;
	g->arriving = calloc(g->member_n * a->senders, sizeof(g->arriving[0]));
	buf_init(&g->id, 1024);
	buf_printf(&g->id, "%sgroup-%s", a->prefix, g->tag.text);
	int err = g->arriving && !g->id.failed ? OK : ERR_NOMEM;
	for (; !err && g->sender_n < a->senders; g->sender_n++)
		err = open_sender(b, g, &g->sender[g->sender_n]);
	return err;
}

int group_prepare(struct bench *b, char *why, size_t why_size)
{
	int err = create_shared(b);
	if (!err)
		err = ask(b, "making the group", create, why, why_size);
	if (err && b->shared)
		destroy(b);
	return err;
}

int group_finish(struct bench *b, bool told, char *why, size_t why_size)
{
	int err = told ? ask(b, "ending the group", terminate, why, why_size) : OK;
	destroy(b);
	return err;
}
