/* Section 9 of protocol.md: groups come, grow, shrink and end. */
#include "talk.c.inc"

#define G1 "`i`:`g1`"
#define INFO(who, members)                                                                          \
	GETS(who, "`g`:{" G1 ",`c`:`1790000000000`,`mt`:`0`,`m`:[" members "],`n`:`Team`}")
#define GROUPS(who, list) GETS(who, "`g`:[" list "]")

/* alice created g1, bob and carol are in it. */
static struct world *group_begin(void **state, const char *letters)
{
	struct world *w = talk_begin(state, letters);
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:`Team`,m:[`bob`,`carol`]}");
	w->log_n = 0;
	return w;
}

static void a_group_is_created_and_its_first_members_are_told(void **state)
{
	struct world *w = talk_begin(state, "abcd");
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:`Team`,p:`P`,m:[`carol`,`alice`,`bob`,`carol`]}");
	heard(w, DONE("a") TOLD("b", "`t`:`c`," G1 ",`n`:`Team`") TOLD("c", "`t`:`c`," G1 ",`n`:`Team`"));
	ask(w, 'b', "g:{t:`i`,i:`g1`}");
	ask(w, 'b', "g:{t:`ad`,i:`g1`}");
	ask(w, 'b', "p:{t:`g`,i:`g1`}");
	ask(w, 'b', "get:{o:`g`}");
	heard(w, INFO("b", "`alice`,`carol`,`bob`") GETS("b", "`g`:{" G1 ",`ad`:[`alice`]}")
	      GETS("b", "`p`:{" G1 ",`v`:`P`}") GROUPS("b", "{`i`:`g1`,`n`:`Team`}"));
	world_destroy(w);
}

static void a_group_may_begin_with_its_creator_alone(void **state)
{
	struct world *w = talk_begin(state, "a");
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:`Team`}");
	ask(w, 'a', "g:{t:`i`,i:`g1`}");
	ask(w, 'a', "p:{t:`g`,i:`g1`}");
	heard(w, DONE("a") INFO("a", "`alice`") GETS("a", "`p`:{" G1 ",`v`:``}"));
	world_destroy(w);
}

static void who_is_added_is_told_with_the_others_and_who_is_in_is_skipped(void **state)
{
	struct world *w = group_begin(state, "abcde");
	ask(w, 'a', "g:{t:`a`,i:`g1`,m:[`erin`,`bob`,`alice`,`dave`,`erin`]}");
	heard(w, DONE("a") TOLD("b", "`t`:`a`," G1 ",`m`:[`erin`,`dave`]")
	      TOLD("c", "`t`:`a`," G1 ",`m`:[`erin`,`dave`]") TOLD("d", "`t`:`a`," G1 ",`m`:[`erin`,`dave`]")
	      TOLD("e", "`t`:`a`," G1 ",`m`:[`erin`,`dave`]"));
	ask(w, 'a', "g:{t:`a`,i:`g1`,m:[`bob`,`alice`]}");
	ask(w, 'a', "g:{t:`a`,i:`g1`,m:[]}");
	ask(w, 'd', "g:{t:`i`,i:`g1`}");
	heard(w, DONE("a") DONE("a") INFO("d", "`alice`,`bob`,`carol`,`erin`,`dave`"));
	world_destroy(w);
}

static void each_who_is_banished_is_told_with_those_who_stay(void **state)
{
	struct world *w = group_begin(state, "abcd");
	ask(w, 'a', "g:{t:`a`,i:`g1`,m:[`dave`]}");
	w->log_n = 0;
	ask(w, 'a', "g:{t:`b`,i:`g1`,m:[`dave`,`bob`,`dave`]}");
	heard(w, DONE("a") TOLD("b", "`t`:`b`," G1 ",`m`:`bob`") TOLD("c", "`t`:`b`," G1 ",`m`:`dave`")
	      TOLD("c", "`t`:`b`," G1 ",`m`:`bob`") TOLD("d", "`t`:`b`," G1 ",`m`:`dave`"));
	ask(w, 'c', "g:{t:`i`,i:`g1`}");
	ask(w, 'b', "get:{o:`g`}");
	ask(w, 'a', "g:{t:`b`,i:`g1`,m:[]}");
	heard(w, DONE("a") GROUPS("b", "") INFO("c", "`alice`,`carol`"));
	world_destroy(w);
}

static void who_leaves_is_told_of_and_the_last_admin_hands_over_to_the_first(void **state)
{
	struct world *w = group_begin(state, "abc");
	ask(w, 'a', "g:{t:`l`,i:`g1`}");
	heard(w, DONE("a") TOLD("b", "`t`:`l`," G1 ",`m`:`alice`") TOLD("b", "`t`:`aad`," G1 ",`m`:[`bob`]")
	      TOLD("c", "`t`:`l`," G1 ",`m`:`alice`") TOLD("c", "`t`:`aad`," G1 ",`m`:[`bob`]"));
	ask(w, 'c', "g:{t:`ad`,i:`g1`}");
	ask(w, 'c', "g:{t:`l`,i:`g1`}");
	heard(w, TOLD("b", "`t`:`l`," G1 ",`m`:`carol`") GETS("c", "`g`:{" G1 ",`ad`:[`bob`]}") DONE("c"));
	ask(w, 'b', "g:{t:`l`,i:`g1`}");
	ask(w, 'b', "get:{o:`g`}");
	heard(w, DONE("b") GROUPS("b", ""));
	ask(w, 'c', "g:{t:`c`,i:`g1`,n:`Mine`}"); /* the name is free again */
	heard(w, DONE("c"));
	world_destroy(w);
}

static void all_are_told_that_a_group_is_terminated(void **state)
{
	struct world *w = group_begin(state, "abc");
	ask(w, 'a', "g:{t:`t`,i:`g1`}");
	ask(w, 'b', "get:{o:`g`}");
	heard(w, DONE("a") TOLD("b", "`t`:`t`," G1) GROUPS("b", "") TOLD("c", "`t`:`t`," G1));
	ask(w, 'b', "g:{t:`c`,i:`g1`,n:`Team`}");
	ask(w, 'b', "g:{t:`i`,i:`g1`}");
	heard(w, DONE("b") INFO("b", "`bob`"));
	world_destroy(w);
}

static void information_waits_for_those_who_are_away(void **state)
{
	struct world *w = talk_begin(state, "ab");
	world_drop(w, talk_session(w, 'b'));
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:`Team`,m:[`bob`]}");
	ask(w, 'a', "g:{t:`b`,i:`g1`,m:[`bob`]}");
	w->log_n = 0;
	world_connect(w, 'b');
	ask(w, 'b', "a:{i:`bob`,t:`t`}");
	heard(w, GETS("b", "`response`:1") TOLD("b", "`t`:`c`," G1 ",`n`:`Team`")
	      TOLD("b", "`t`:`b`," G1 ",`m`:`bob`"));
	world_destroy(w);
}

static void a_group_is_the_same_after_its_name_is_read_anew(void **state)
{
	struct world *w = group_begin(state, "abc");
	ask(w, 'a', "g:{t:`aad`,i:`g1`,ad:[`carol`]}");
	ask(w, 'b', "mt:{i:`g1`,t:77}");
	w->settings.entities_max = 0; /* what nobody needs is forgotten at once */
	world_user(w, "dave", false);
	world_user(w, "erin", false);
	w->log_n = 0;
	ask(w, 'b', "g:{t:`i`,i:`g1`}");
	ask(w, 'b', "g:{t:`ad`,i:`g1`}");
	heard(w, GETS("b", "`g`:{" G1 ",`c`:`1790000000000`,`mt`:`77`,`m`:[`alice`,`bob`,`carol`],`n`:`Team`}")
	      GETS("b", "`g`:{" G1 ",`ad`:[`alice`,`carol`]}"));
	world_destroy(w);
}

static void a_member_who_is_deleted_leaves_and_one_of_his_name_is_no_member(void **state)
{
	struct world *w = group_begin(state, "abc");
	world_user(w, "root", true);
	world_login(w, 'r', "root");
	ask(w, 'r', "ad:{c:`del`,i:`alice`}");
	heard(w, "a close 4002\n" TOLD("b", "`t`:`l`," G1 ",`m`:`alice`")
	      TOLD("b", "`t`:`aad`," G1 ",`m`:[`bob`]") TOLD("c", "`t`:`l`," G1 ",`m`:`alice`")
	      TOLD("c", "`t`:`aad`," G1 ",`m`:[`bob`]") DONE("r"));
	world_login(w, 'a', "alice");
	ask(w, 'a', "g:{t:`i`,i:`g1`}");
	ask(w, 'a', "get:{o:`g`}");
	ask(w, 'b', "g:{t:`i`,i:`g1`}");
	heard(w, GETS("a", "`e`:{`c`:`403`,`d`:`You are not a member of 'g1'.`}") GROUPS("a", "")
	      INFO("b", "`bob`,`carol`"));
	world_destroy(w);
}

static const struct refused refusals[] = {
	{ 'a', "g:{t:`c`,i:`g1`,n:`X`}", "409", "The name 'g1' is taken." },
	{ 'a', "g:{t:`c`,i:`b1`,n:`X`}", "409", "The name 'b1' is taken." },
	{ 'a', "g:{t:`c`,i:`bob`,n:`X`}", "409", "The name 'bob' is taken." },
	{ 'a', "g:{t:`c`,i:`g2`}", "400", "'n' is missing." },
	{ 'a', "g:{t:`c`,i:`g2`,n:`X`,m:[`bob`,`zed`]}", "404", "Not found: user 'zed'." },
	{ 'a', "g:{t:`c`,i:`g2`,n:`X`,m:[`g1`]}", "404", "Not found: user 'g1'." },
	{ 'a', "g:{t:`a`,i:`g1`,m:[`dave`,`zed`]}", "404", "Not found: user 'zed'." },
	{ 'a', "g:{t:`a`,i:`g1`}", "400", "'m' is missing." },
	{ 'a', "g:{t:`b`,i:`g1`,m:[`bob`,`dave`]}", "404", "Not found: 'dave' is not in 'g1'." },
	{ 'a', "g:{t:`b`,i:`g1`,m:[`bob`,`alice`]}", "400", "You cannot banish yourself." },
	{ 'a', "g:{t:`b`,i:`g1`}", "400", "'m' is missing." },
	{ 'a', "g:{t:`zz`,i:`g1`}", "400", "Unknown request." },
	{ 'a', "g:{t:`i`,i:`g9`}", "404", "Not found: group 'g9'." },
	{ 'a', "g:{t:`i`,i:`b1`}", "404", "Not found: group 'b1'." },
	{ 'a', "g:{t:`i`,i:`bob`}", "404", "Not found: group 'bob'." },
};

static void what_is_refused_changes_nothing(void **state)
{
	struct world *w = group_begin(state, "abcd");
	ask(w, 'a', "br:{t:`c`,i:`b1`,n:``}");
	w->log_n = 0;
	ALL_REFUSED(w, refusals);
	ask(w, 'a', "g:{t:`i`,i:`g1`}");
	ask(w, 'a', "get:{o:`g`}");
	heard(w, INFO("a", "`alice`,`bob`,`carol`") GROUPS("a", "{`i`:`g1`,`n`:`Team`}"));
	world_destroy(w);
}

static void a_group_has_so_many_members_at_most(void **state)
{
	static const struct refused too_many[] = {
		{ 'a', "g:{t:`a`,i:`g1`,m:[`dave`]}", "413", "'g1' can have 3 members at most." },
		{ 'a', "g:{t:`c`,i:`g2`,n:``,m:[`bob`,`carol`,`dave`]}", "413",
		  "'g2' can have 3 members at most." },
	};
	struct world *w = group_begin(state, "abcd");
	w->settings.max_group_members = 3;
	ALL_REFUSED(w, too_many);
	ask(w, 'a', "g:{t:`c`,i:`g2`,n:``,m:[`bob`,`alice`,`carol`,`bob`]}");
	heard(w, DONE("a") TOLD("b", "`t`:`c`,`i`:`g2`,`n`:``") TOLD("c", "`t`:`c`,`i`:`g2`,`n`:``"));
	world_destroy(w);
}

/* A request about g1 with the list of users from … to - 1 at its end. */
static void ask_with_many(struct world *w, const char *begin, unsigned from, unsigned to)
{
	struct buf packet;
	buf_init(&packet, 1 << 20);
	buf_printf(&packet, "{rq:{id:1,g:{i:\"g1\",%s,m:[", begin);
	for (unsigned i = from; i < to; i++)
		buf_printf(&packet, "%s\"%05u\"", i > from ? "," : "", i);
	buf_str(&packet, STR("]}}}\0"));
	world_say(w, talk_session(w, 'a'), packet.p);
	buf_deinit(&packet);
}

static void out_of_10000_not_more_than_25_are_banished_at_once(void **state)
{
	struct world *w = talk_begin(state, "ab");
	many_users(w, 9999);
	ask_with_many(w, "t:\"c\",n:\"\"", 0, 9999);
	heard(w, DONE("a"));
	ask_with_many(w, "t:\"a\"", 9998, 10000);
	heard(w, GETS("a", "`e`:{`c`:`413`,`d`:`'g1' can have 10000 members at most.`}"));
	ask_with_many(w, "t:\"b\"", 100, 126);
	heard(w, GETS("a", "`e`:{`c`:`413`,`d`:`Too many at once out of so large a group.`}"));
	ask_with_many(w, "t:\"b\"", 100, 125);
	heard(w, DONE("a"));
	ask(w, 'a', "g:{t:`a`,i:`g1`,m:[`bob`]}");
	heard(w, DONE("a") TOLD("b", "`t`:`a`," G1 ",`m`:[`bob`]"));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_group_is_created_and_its_first_members_are_told),
		BOTH(a_group_may_begin_with_its_creator_alone),
		BOTH(who_is_added_is_told_with_the_others_and_who_is_in_is_skipped),
		BOTH(each_who_is_banished_is_told_with_those_who_stay),
		BOTH(who_leaves_is_told_of_and_the_last_admin_hands_over_to_the_first),
		BOTH(all_are_told_that_a_group_is_terminated),
		BOTH(information_waits_for_those_who_are_away),
		BOTH(a_group_is_the_same_after_its_name_is_read_anew),
		BOTH(a_member_who_is_deleted_leaves_and_one_of_his_name_is_no_member),
		BOTH(what_is_refused_changes_nothing),
		BOTH(a_group_has_so_many_members_at_most),
		BOTH(out_of_10000_not_more_than_25_are_banished_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
