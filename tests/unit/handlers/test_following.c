/* Section 5 of protocol.md. */
#include "chat/core.h"
#include "talk.c.inc"

#define FOLLOWINGS(who, list) GETS(who, "`f`:[" list "]")

static void follow_keeps_the_last_nick_and_one_left_out_stays(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "af:[{u:`carol`},{u:`bob`,n:`B`},{u:`bob`,n:`Bobby`}]");
	ask(w, 'a', "get:{o:`f`}");
	heard(w, DONE("a") FOLLOWINGS("a", "{`u`:`bob`,`n`:`Bobby`},{`u`:`carol`,`n`:``}"));
	ask(w, 'a', "af:[{u:`bob`},{u:`carol`,n:`C`}]");
	ask(w, 'a', "get:{o:`f`}");
	heard(w, DONE("a") FOLLOWINGS("a", "{`u`:`bob`,`n`:`Bobby`},{`u`:`carol`,`n`:`C`}"));
	ask(w, 'a', "af:[]");
	heard(w, DONE("a"));
	world_destroy(w);
}

static void followers_are_listed_by_name(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'c', "af:[{u:`bob`}]");
	ask(w, 'a', "af:[{u:`bob`}]");
	ask(w, 'b', "get:{o:`fr`}");
	ask(w, 'a', "get:{o:`fr`}");
	heard(w, DONE("a") GETS("a", "`fr`:[]") GETS("b", "`fr`:[`alice`,`carol`]") DONE("c"));
	world_destroy(w);
}

static void unfollow_is_no_error_for_one_not_followed(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "af:[{u:`bob`,n:`B`},{u:`carol`}]");
	ask(w, 'a', "rf:[`bob`,`bob`,`alice`]");
	ask(w, 'a', "rf:[`bob`]");
	ask(w, 'a', "rf:[]");
	ask(w, 'a', "get:{o:`f`}");
	ask(w, 'b', "get:{o:`fr`}");
	heard(w, DONE("a") DONE("a") DONE("a") DONE("a") FOLLOWINGS("a", "{`u`:`carol`,`n`:``}")
	      GETS("b", "`fr`:[]"));
	ask(w, 'a', "af:[{u:`bob`}]"); /* the nick went with the following */
	ask(w, 'a', "get:{o:`f`}");
	heard(w, DONE("a") FOLLOWINGS("a", "{`u`:`bob`,`n`:``},{`u`:`carol`,`n`:``}"));
	world_destroy(w);
}

static void nicks_are_changed(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "af:[{u:`bob`,n:`B`},{u:`carol`,n:`C`}]");
	ask(w, 'a', "uf:[{u:`carol`,n:`Caro`},{u:`bob`,n:``}]");
	ask(w, 'a', "get:{o:`f`}");
	heard(w, DONE("a") DONE("a") FOLLOWINGS("a", "{`u`:`bob`,`n`:``},{`u`:`carol`,`n`:`Caro`}"));
	world_destroy(w);
}

static const struct refused refusals[] = {
	{ 'a', "af:[{u:`carol`},{u:`zed`}]", "404", "Not found: user 'zed'." },
	{ 'a', "af:[{u:`carol`},{u:`alice`}]", "400", "You cannot follow yourself." },
	{ 'a', "rf:[`bob`,`zed`]", "404", "Not found: user 'zed'." },
	{ 'a', "uf:[{u:`bob`,n:`X`},{u:`zed`,n:`Z`}]", "404", "Not found: user 'zed'." },
	{ 'a', "uf:[{u:`bob`,n:`X`},{u:`carol`,n:`C`}]", "404", "Not found: you do not follow 'carol'." },
	{ 'a', "uf:[{u:`alice`,n:`X`}]", "404", "Not found: you do not follow 'alice'." },
	{ 'a', "uf:[{u:`bob`}]", "400", "The nick (n) of 'bob' is missing." },
	{ 'a', "get:{o:`zz`}", "400", "Unknown request." },
};

static void what_is_refused_changes_nothing(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "af:[{u:`bob`,n:`B`}]");
	w->log_n = 0;
	ALL_REFUSED(w, refusals);
	ask(w, 'a', "get:{o:`f`}");
	heard(w, FOLLOWINGS("a", "{`u`:`bob`,`n`:`B`}"));
	world_destroy(w);
}

static void one_who_is_deleted_while_his_request_waits_follows_nobody(void **state)
{
	struct world *w = talk_begin(state, "ab");
	world_user(w, "root", true);
	world_login(w, 'r', "root");
	const struct world_session *r = &w->sessions[talk_session(w, 'r')];
	const struct world_session *a = &w->sessions[talk_session(w, 'a')];
	char del[] = "{rq:{id:1,ad:{c:\"del\",i:\"alice\"}}}";
	char follow[] = "{rq:{id:1,af:[{u:\"bob\"}]}}";
	handlers_text(r->chat, r->handle, del, strlen(del));
	handlers_text(a->chat, a->handle, follow, strlen(follow));
	world_settle(w);
	w->log_n = 0;
	ask(w, 'b', "get:{o:`fr`}");
	heard(w, GETS("b", "`fr`:[]"));
	world_destroy(w);
}

/* --- limits --- */

static void follow_many(struct world *w, unsigned from, unsigned n)
{
	struct buf packet;
	buf_init(&packet, 1 << 20);
	BUF_LIT(&packet, "{\"rq\":{\"id\":\"1\",\"af\":[");
	for (unsigned i = from; i < from + n; i++)
		buf_printf(&packet, "%s{\"u\":\"%05u\"}", i > from ? "," : "", i);
	buf_str(&packet, STR("]}}\0"));
	world_say(w, talk_session(w, 'a'), packet.p);
	buf_deinit(&packet);
}

static void more_than_1000_at_once_are_too_many(void **state)
{
	struct world *w = talk_begin(state, "a");
	many_users(w, 1001);
	follow_many(w, 0, 1001);
	assert_non_null(memmem(w->log, w->log_n, "\"413\"", 5));
	w->log_n = 0;
	follow_many(w, 0, 1000);
	heard(w, DONE("a"));
	world_destroy(w);
}

static void links_written(struct chat *chat, struct job *job, bool ok)
{
	(void)chat;
	assert_true(ok);
	job_free(job);
}

/* What requests would do 1000 by 1000. */
static void write_followings(struct world *w, unsigned n)
{
	char name[32];
	struct chat *chat = w->chats[0];
	struct job *job = job_new(chat);
	struct buf *ops = job_change(chat, job);
	job->applied = links_written;
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%05u", i);
		struct store_op op = { .type = OP_LINK_PUT, .link_put = {
			.kind = LINK_FOLLOW, .from = STR("alice"), .to = str_of(name), .born = 1,
			.text = STR("") } };
		txn_add(ops, &op);
	}
	job_commit(chat, job);
	world_settle(w);
}

static void more_than_10000_in_all_are_too_many(void **state)
{
	struct world *w = talk_begin(state, "a");
	many_users(w, 10001);
	write_followings(w, 9999);
	follow_many(w, 9998, 3); /* one of them followed already */
	heard(w, GETS("a", "`e`:{`c`:`413`,`d`:`You would follow more than 10000 users.`}"));
	follow_many(w, 9998, 2);
	heard(w, DONE("a"));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(follow_keeps_the_last_nick_and_one_left_out_stays),
		BOTH(followers_are_listed_by_name),
		BOTH(unfollow_is_no_error_for_one_not_followed),
		BOTH(nicks_are_changed),
		BOTH(what_is_refused_changes_nothing),
		BOTH(one_who_is_deleted_while_his_request_waits_follows_nobody),
		BOTH(more_than_1000_at_once_are_too_many),
		{ "more_than_10000_in_all_are_too_many", more_than_10000_in_all_are_too_many, NULL, NULL, (void *)1 },
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
