/* Section 8 of protocol.md, as far as one sees it from requests. */
#include "talk.c.inc"

static void one_who_is_blocked_sees_nothing_till_he_is_unblocked(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "p:{t:`s`,v:`P`}");
	ask(w, 'a', "st:{t:`s`,s:`S`}");
	ask(w, 'a', "b:{u:`bob`}");
	w->log_n = 0;
	ask(w, 'b', "s:{u:`alice`}");
	ask(w, 'b', "p:{t:`g`,u:`alice`}");
	ask(w, 'b', "st:{t:`g`,u:`alice`}");
	ask(w, 'c', "s:{u:`alice`}");
	ask(w, 'c', "p:{t:`g`,u:`alice`}");
	heard(w, GETS("b", "`s`:{`u`:`alice`,`v`:`-1`}") GETS("b", "`p`:{`u`:`alice`,`v`:``}")
	      GETS("b", "`st`:{`u`:`alice`,`s`:``}") GETS("c", "`s`:{`u`:`alice`,`v`:`0`}")
	      GETS("c", "`p`:{`u`:`alice`,`v`:`P`}"));
	ask(w, 'a', "ub:{u:`bob`}");
	ask(w, 'b', "s:{u:`alice`}");
	ask(w, 'b', "p:{t:`g`,u:`alice`}");
	ask(w, 'b', "st:{t:`g`,u:`alice`}");
	heard(w, DONE("a") GETS("b", "`s`:{`u`:`alice`,`v`:`0`}") GETS("b", "`p`:{`u`:`alice`,`v`:`P`}")
	      GETS("b", "`st`:{`u`:`alice`,`s`:`S`}"));
	world_destroy(w);
}

static void blocked_users_are_listed_and_twice_is_no_error(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "b:{u:`carol`}");
	ask(w, 'a', "b:{u:`bob`}");
	ask(w, 'a', "b:{u:`bob`}");
	ask(w, 'a', "get:{o:`pr`}");
	ask(w, 'b', "get:{o:`pr`}");
	heard(w, DONE("a") DONE("a") DONE("a") GETS("a", "`pr`:[`bob`,`carol`]") GETS("b", "`pr`:[]"));
	ask(w, 'a', "ub:{u:`bob`}");
	ask(w, 'a', "ub:{u:`bob`}");
	ask(w, 'a', "get:{o:`pr`}");
	heard(w, DONE("a") DONE("a") GETS("a", "`pr`:[`carol`]"));
	world_destroy(w);
}

static void a_block_is_for_a_user_and_not_for_one_who_takes_his_name(void **state)
{
	struct world *w = talk_begin(state, "ab");
	world_user(w, "root", true);
	world_login(w, 'r', "root");
	ask(w, 'a', "b:{u:`bob`}");
	ask(w, 'r', "ad:{c:`del`,i:`bob`}");
	world_login(w, 'b', "bob");
	ask(w, 'b', "s:{u:`alice`}");
	ask(w, 'a', "get:{o:`pr`}");
	heard(w, GETS("a", "`pr`:[]") GETS("b", "`s`:{`u`:`alice`,`v`:`0`}"));
	ask(w, 'a', "b:{u:`bob`}");
	ask(w, 'b', "s:{u:`alice`}");
	heard(w, DONE("a") GETS("b", "`s`:{`u`:`alice`,`v`:`-1`}"));
	world_destroy(w);
}

static void what_is_blocked_stays_so_after_the_name_is_read_anew(void **state)
{
	struct world *w = talk_begin(state, "ab");
	ask(w, 'a', "b:{u:`bob`}");
	world_drop(w, talk_session(w, 'a'));
	w->settings.entities_max = 0; /* whom nobody needs is forgotten at once */
	world_user(w, "carol", false);
	world_user(w, "dave", false);
	w->log_n = 0;
	ask(w, 'b', "s:{u:`alice`}");
	ask(w, 'b', "s:{u:`alice`}");
	heard(w, GETS("b", "`s`:{`u`:`alice`,`v`:`-1`}") GETS("b", "`s`:{`u`:`alice`,`v`:`-1`}"));
	world_destroy(w);
}

static const struct refused refusals[] = {
	{ 'a', "b:{u:`zed`}", "404", "Not found: user 'zed'." },
	{ 'a', "b:{u:`alice`}", "400", "You cannot block or unblock yourself." },
	{ 'a', "ub:{u:`zed`}", "404", "Not found: user 'zed'." },
	{ 'a', "ub:{u:`alice`}", "400", "You cannot block or unblock yourself." },
	{ 'b', "g:{t:`c`,i:`g2`,n:``,m:[`carol`,`alice`]}", "403", "You may not add 'alice' to a group." },
	{ 'b', "g:{t:`a`,i:`g1`,m:[`carol`,`alice`]}", "403", "You may not add 'alice' to a group." },
};

static void what_is_refused_changes_nothing(void **state)
{
	struct world *w = talk_begin(state, "abc");
	ask(w, 'a', "b:{u:`bob`}");
	ask(w, 'b', "g:{t:`c`,i:`g1`,n:``}");
	w->log_n = 0;
	ALL_REFUSED(w, refusals);
	ask(w, 'a', "get:{o:`pr`}");
	ask(w, 'b', "get:{o:`g`}");
	ask(w, 'c', "get:{o:`g`}");
	heard(w, GETS("a", "`pr`:[`bob`]") GETS("b", "`g`:[{`i`:`g1`,`n`:``}]") GETS("c", "`g`:[]"));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(one_who_is_blocked_sees_nothing_till_he_is_unblocked),
		BOTH(blocked_users_are_listed_and_twice_is_no_error),
		BOTH(a_block_is_for_a_user_and_not_for_one_who_takes_his_name),
		BOTH(what_is_blocked_stays_so_after_the_name_is_read_anew),
		BOTH(what_is_refused_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
