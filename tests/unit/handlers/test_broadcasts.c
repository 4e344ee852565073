/* Section 10 of protocol.md, but for the messages. */
#include "talk.c.inc"

#define INFO(who, members)                                                                          \
	GETS(who, "`br`:{`i`:`b1`,`c`:`1790000000000`,`n`:`News`,`m`:[" members "]}")
#define BROADCASTS(who, list) GETS(who, "`br`:[" list "]")

/* b1 is alice's, carol and bob are on it. */
static struct world *broadcast_begin(void **state)
{
	struct world *w = talk_begin(state, "abcd");
	ask(w, 'a', "br:{t:`c`,i:`b1`,n:`News`,p:`P`,m:[`carol`,`alice`,`bob`,`carol`]}");
	heard(w, DONE("a"));
	return w;
}

static void a_broadcast_is_created_without_its_owner_on_it_and_nobody_is_told(void **state)
{
	struct world *w = broadcast_begin(state);
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	ask(w, 'a', "get:{o:`br`}");
	ask(w, 'a', "get:{o:`g`}");
	ask(w, 'b', "get:{o:`br`}");
	ask(w, 'b', "get:{o:`g`}");
	heard(w, INFO("a", "`carol`,`bob`") BROADCASTS("a", "{`i`:`b1`,`n`:`News`}") GETS("a", "`g`:[]")
	      BROADCASTS("b", "") GETS("b", "`g`:[]"));
	ask(w, 'b', "br:{t:`c`,i:`b2`,n:``}"); /* may be empty */
	ask(w, 'b', "br:{t:`i`,i:`b2`}");
	heard(w, DONE("b") GETS("b", "`br`:{`i`:`b2`,`c`:`1790000000000`,`n`:``,`m`:[]}"));
	world_destroy(w);
}

static void receivers_come_and_go_and_nobody_is_told(void **state)
{
	struct world *w = broadcast_begin(state);
	ask(w, 'a', "br:{t:`a`,i:`b1`,m:[`dave`,`bob`,`alice`,`dave`]}");
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	ask(w, 'a', "br:{t:`a`,i:`b1`,m:[`dave`]}");
	heard(w, DONE("a") INFO("a", "`carol`,`bob`,`dave`") DONE("a"));
	ask(w, 'a', "br:{t:`b`,i:`b1`,m:[`carol`,`dave`,`carol`]}");
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	heard(w, DONE("a") INFO("a", "`bob`"));
	world_destroy(w);
}

static void a_broadcast_has_a_picture_and_a_name(void **state)
{
	struct world *w = broadcast_begin(state);
	ask(w, 'a', "p:{t:`g`,b:`b1`}");
	ask(w, 'a', "n:{t:`g`,b:`b1`}");
	heard(w, GETS("a", "`p`:{`b`:`b1`,`v`:`P`}") GETS("a", "`n`:{`b`:`b1`,`n`:`News`}"));
	ask(w, 'a', "p:{t:`s`,b:`b1`,v:`Q`}");
	ask(w, 'a', "n:{t:`s`,b:`b1`,n:`Olds`}");
	ask(w, 'a', "p:{t:`g`,b:`b1`}");
	ask(w, 'a', "n:{t:`g`,b:`b1`}");
	heard(w, DONE("a") DONE("a") GETS("a", "`p`:{`b`:`b1`,`v`:`Q`}")
	      GETS("a", "`n`:{`b`:`b1`,`n`:`Olds`}"));
	ask(w, 'a', "br:{t:`a`,i:`b1`,m:[`dave`]}"); /* still its owner */
	heard(w, DONE("a"));
	world_destroy(w);
}

static void a_broadcast_ends_and_its_name_is_free(void **state)
{
	struct world *w = broadcast_begin(state);
	ask(w, 'a', "br:{t:`t`,i:`b1`}");
	ask(w, 'a', "get:{o:`br`}");
	heard(w, DONE("a") BROADCASTS("a", ""));
	ask(w, 'b', "g:{t:`c`,i:`b1`,n:``}");
	ask(w, 'b', "p:{t:`g`,i:`b1`}");
	heard(w, DONE("b") GETS("b", "`p`:{`i`:`b1`,`v`:``}"));
	world_destroy(w);
}

static void one_who_blocks_the_owner_may_be_on_the_list(void **state)
{
	struct world *w = broadcast_begin(state);
	ask(w, 'd', "b:{u:`alice`}");
	ask(w, 'a', "br:{t:`a`,i:`b1`,m:[`dave`]}");
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	heard(w, DONE("a") INFO("a", "`carol`,`bob`,`dave`") DONE("d"));
	world_destroy(w);
}

static void a_broadcast_loses_receivers_who_are_deleted_and_ends_with_its_owner(void **state)
{
	struct world *w = broadcast_begin(state);
	world_user(w, "root", true);
	world_login(w, 'r', "root");
	ask(w, 'r', "ad:{c:`del`,i:`carol`}");
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	heard(w, INFO("a", "`bob`") "c close 4002\n" DONE("r"));
	ask(w, 'r', "ad:{c:`del`,i:`alice`}");
	world_login(w, 'a', "alice");
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	ask(w, 'a', "get:{o:`br`}");
	heard(w, GETS("a", "`e`:{`c`:`404`,`d`:`Not found: broadcast 'b1'.`}") BROADCASTS("a", ""));
	world_destroy(w);
}

/* --- who may --- */

static const char *const requests[] = {
	"br:{t:`a`,i:`b1`,m:[`dave`]}", "br:{t:`b`,i:`b1`,m:[`carol`]}", "br:{t:`t`,i:`b1`}",
	"br:{t:`i`,i:`b1`}", "p:{t:`s`,b:`b1`,v:`P`}", "p:{t:`g`,b:`b1`}", "n:{t:`s`,b:`b1`,n:`N`}",
	"n:{t:`g`,b:`b1`}",
};

static void all_is_for_the_owner_only(void **state)
{
	struct world *w = broadcast_begin(state);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct refused others[] = {
			{ 'b', requests[i], "403", "You are not the owner of 'b1'." }, /* on it */
			{ 'd', requests[i], "403", "You are not the owner of 'b1'." },
		};
		ALL_REFUSED(w, others);
	}
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	heard(w, INFO("a", "`carol`,`bob`"));
	world_destroy(w);
}

static const struct refused refusals[] = {
	{ 'a', "br:{t:`c`,i:`b1`,n:``}", "409", "The name 'b1' is taken." },
	{ 'a', "br:{t:`c`,i:`g1`,n:``}", "409", "The name 'g1' is taken." },
	{ 'a', "br:{t:`c`,i:`bob`,n:``}", "409", "The name 'bob' is taken." },
	{ 'a', "br:{t:`c`,i:`b2`}", "400", "'n' is missing." },
	{ 'a', "br:{t:`c`,i:`b2`,n:``,m:[`bob`,`zed`]}", "404", "Not found: user 'zed'." },
	{ 'a', "br:{t:`a`,i:`b1`,m:[`dave`,`zed`]}", "404", "Not found: user 'zed'." },
	{ 'a', "br:{t:`a`,i:`b1`}", "400", "'m' is missing." },
	{ 'a', "br:{t:`b`,i:`b1`,m:[`bob`,`dave`]}", "404", "Not found: 'dave' is not in 'b1'." },
	{ 'a', "br:{t:`b`,i:`b1`,m:[`alice`]}", "400", "You cannot banish yourself." },
	{ 'a', "br:{t:`b`,i:`b1`}", "400", "'m' is missing." },
	{ 'a', "br:{t:`l`,i:`b1`}", "400", "Unknown request." },
	{ 'a', "br:{t:`i`,i:`b9`}", "404", "Not found: broadcast 'b9'." },
	{ 'a', "br:{t:`i`,i:`g1`}", "404", "Not found: broadcast 'g1'." },
	{ 'a', "br:{t:`i`,i:`bob`}", "404", "Not found: broadcast 'bob'." },
	{ 'a', "p:{t:`g`,b:`g1`}", "404", "Not found: broadcast 'g1'." },
	{ 'a', "n:{t:`g`,b:`b9`}", "404", "Not found: broadcast 'b9'." },
	{ 'a', "p:{t:`s`,b:`b1`}", "400", "'v' is missing." },
	{ 'a', "n:{t:`s`,b:`b1`}", "400", "'n' is missing." },
};

static void what_is_refused_changes_nothing(void **state)
{
	struct world *w = broadcast_begin(state);
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:``}");
	w->log_n = 0;
	ALL_REFUSED(w, refusals);
	ask(w, 'a', "br:{t:`i`,i:`b1`}");
	ask(w, 'a', "get:{o:`br`}");
	heard(w, INFO("a", "`carol`,`bob`") BROADCASTS("a", "{`i`:`b1`,`n`:`News`}"));
	world_destroy(w);
}

static void a_broadcast_has_so_many_receivers_at_most(void **state)
{
	static const struct refused too_many[] = {
		{ 'a', "br:{t:`a`,i:`b1`,m:[`dave`]}", "413", "'b1' can have 2 members at most." },
		{ 'a', "br:{t:`c`,i:`b2`,n:``,m:[`bob`,`carol`,`dave`]}", "413",
		  "'b2' can have 2 members at most." },
	};
	struct world *w = broadcast_begin(state);
	w->settings.max_group_members = 2;
	ALL_REFUSED(w, too_many);
	ask(w, 'a', "br:{t:`c`,i:`b2`,n:``,m:[`bob`,`carol`,`alice`]}");
	heard(w, DONE("a"));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_broadcast_is_created_without_its_owner_on_it_and_nobody_is_told),
		BOTH(receivers_come_and_go_and_nobody_is_told),
		BOTH(a_broadcast_has_a_picture_and_a_name),
		BOTH(a_broadcast_ends_and_its_name_is_free),
		BOTH(one_who_blocks_the_owner_may_be_on_the_list),
		BOTH(a_broadcast_loses_receivers_who_are_deleted_and_ends_with_its_owner),
		BOTH(all_is_for_the_owner_only),
		BOTH(what_is_refused_changes_nothing),
		BOTH(a_broadcast_has_so_many_receivers_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
