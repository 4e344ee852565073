/* Sections 6 and 7 of protocol.md. */
#include "talk.c.inc"

static void state_is_online_or_when_one_left_or_never(void **state)
{
	struct world *w = talk_begin(state, "ab");
	world_user(w, "carol", false);
	ask(w, 'a', "s:{u:`bob`}");
	ask(w, 'a', "s:{u:`alice`}");
	ask(w, 'a', "s:{u:`carol`}");
	heard(w, GETS("a", "`s`:{`u`:`bob`,`v`:`0`}") GETS("a", "`s`:{`u`:`alice`,`v`:`0`}")
	      GETS("a", "`s`:{`u`:`carol`,`v`:`-1`}"));
	w->now = mono_add_ms(w->now, 5000);
	world_drop(w, talk_session(w, 'b'));
	w->now = mono_add_ms(w->now, 5000);
	ask(w, 'a', "s:{u:`bob`}");
	heard(w, GETS("a", "`s`:{`u`:`bob`,`v`:`1790000005000`}"));
	world_login(w, 'b', "bob");
	ask(w, 'a', "s:{u:`bob`}");
	heard(w, GETS("a", "`s`:{`u`:`bob`,`v`:`0`}"));
	world_destroy(w);
}

static void a_picture_is_set_and_cleared(void **state)
{
	struct world *w = talk_begin(state, "ab");
	ask(w, 'b', "p:{t:`g`,u:`alice`}");
	ask(w, 'a', "p:{t:`s`,v:`https://pics/alice.png`}");
	ask(w, 'b', "p:{t:`g`,u:`alice`}");
	ask(w, 'a', "p:{t:`g`,u:`alice`}");
	heard(w, DONE("a") GETS("a", "`p`:{`u`:`alice`,`v`:`https://pics/alice.png`}")
	      GETS("b", "`p`:{`u`:`alice`,`v`:``}")
	      GETS("b", "`p`:{`u`:`alice`,`v`:`https://pics/alice.png`}"));
	ask(w, 'a', "p:{t:`s`,v:``}");
	ask(w, 'b', "p:{t:`g`,u:`alice`}");
	heard(w, DONE("a") GETS("b", "`p`:{`u`:`alice`,`v`:``}"));
	world_destroy(w);
}

static void a_status_is_set_and_cleared_and_is_not_the_picture(void **state)
{
	struct world *w = talk_begin(state, "ab");
	ask(w, 'b', "st:{t:`g`,u:`alice`}");
	ask(w, 'a', "st:{t:`s`,s:`At the gym`}");
	ask(w, 'b', "st:{t:`g`,u:`alice`}");
	ask(w, 'b', "p:{t:`g`,u:`alice`}");
	heard(w, DONE("a") GETS("b", "`st`:{`u`:`alice`,`s`:``}")
	      GETS("b", "`st`:{`u`:`alice`,`s`:`At the gym`}") GETS("b", "`p`:{`u`:`alice`,`v`:``}"));
	ask(w, 'a', "st:{t:`s`,s:``}");
	ask(w, 'b', "st:{t:`g`,u:`alice`}");
	heard(w, DONE("a") GETS("b", "`st`:{`u`:`alice`,`s`:``}"));
	world_destroy(w);
}

static const struct refused refusals[] = {
	{ 'a', "s:{u:`zed`}", "404", "Not found: user 'zed'." },
	{ 'a', "s:{u:`g1`}", "404", "Not found: user 'g1'." },
	{ 'a', "p:{t:`g`,u:`zed`}", "404", "Not found: user 'zed'." },
	{ 'a', "p:{t:`g`,u:`g1`}", "404", "Not found: user 'g1'." },
	{ 'a', "p:{t:`s`}", "400", "'v' is missing." },
	{ 'a', "p:{t:`x`,v:`1`}", "400", "Unknown request." },
	{ 'a', "p:{t:`g`}", "400", "It is not clear whom this is about: wrong or missing u, i or b." },
	{ 'a', "p:{t:`s`,v:`1`,u:`bob`}", "400", "It is not clear whom this is about: wrong or missing u, i or b." },
	{ 'a', "st:{t:`g`,u:`zed`}", "404", "Not found: user 'zed'." },
	{ 'a', "st:{t:`s`}", "400", "'s' is missing." },
	{ 'a', "st:{t:`x`}", "400", "Unknown request." },
};

static void what_is_refused(void **state)
{
	struct world *w = talk_begin(state, "a");
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:``}");
	w->log_n = 0;
	ALL_REFUSED(w, refusals);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(state_is_online_or_when_one_left_or_never),
		BOTH(a_picture_is_set_and_cleared),
		BOTH(a_status_is_set_and_cleared_and_is_not_the_picture),
		BOTH(what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
