/* Section 9 of protocol.md: who may what in a group, and what a group says of itself. */
#include "talk.c.inc"

#define G1 "`i`:`g1`"
#define ADMINS(who, list) GETS(who, "`g`:{" G1 ",`ad`:[" list "]}")

/* alice created g1, bob and carol are in it, dave is not. */
static struct world *group_begin(void **state)
{
	struct world *w = talk_begin(state, "abcd");
	ask(w, 'a', "g:{t:`c`,i:`g1`,n:`Team`,m:[`bob`,`carol`]}");
	w->log_n = 0;
	return w;
}

static void admins_are_made_and_only_those_who_were_none_are_named(void **state)
{
	struct world *w = group_begin(state);
	ask(w, 'a', "g:{t:`aad`,i:`g1`,ad:[`carol`]}");
	heard(w, DONE("a") TOLD("b", "`t`:`aad`," G1 ",`m`:[`carol`]")
	      TOLD("c", "`t`:`aad`," G1 ",`m`:[`carol`]"));
	ask(w, 'c', "g:{t:`aad`,i:`g1`,ad:[`carol`,`bob`,`alice`,`bob`]}");
	heard(w, TOLD("a", "`t`:`aad`," G1 ",`m`:[`bob`]") TOLD("b", "`t`:`aad`," G1 ",`m`:[`bob`]") DONE("c"));
	ask(w, 'b', "g:{t:`aad`,i:`g1`,ad:[`carol`,`alice`]}");
	ask(w, 'b', "g:{t:`ad`,i:`g1`}");
	heard(w, DONE("b") ADMINS("b", "`alice`,`bob`,`carol`"));
	world_destroy(w);
}

static void admins_are_unmade_but_never_the_last(void **state)
{
	static const struct refused last[] = {
		{ 'a', "g:{t:`rad`,i:`g1`,ad:[`carol`,`alice`]}", "400",
		  "A group needs an administrator: 'g1' would have none." },
	};
	struct world *w = group_begin(state);
	ask(w, 'a', "g:{t:`aad`,i:`g1`,ad:[`carol`]}");
	w->log_n = 0;
	ALL_REFUSED(w, last);
	ask(w, 'a', "g:{t:`rad`,i:`g1`,ad:[`bob`]}"); /* is none */
	heard(w, DONE("a"));
	ask(w, 'a', "g:{t:`rad`,i:`g1`,ad:[`bob`,`alice`]}"); /* oneself */
	heard(w, DONE("a") TOLD("b", "`t`:`rad`," G1 ",`m`:[`alice`]")
	      TOLD("c", "`t`:`rad`," G1 ",`m`:[`alice`]"));
	ask(w, 'a', "g:{t:`ad`,i:`g1`}");
	heard(w, ADMINS("a", "`carol`"));
	world_destroy(w);
}

static void members_are_told_of_a_new_picture_and_name(void **state)
{
	struct world *w = group_begin(state);
	ask(w, 'a', "p:{t:`s`,i:`g1`,v:`P`}");
	ask(w, 'a', "n:{t:`s`,i:`g1`,n:`Crew`}");
	heard(w, DONE("a") DONE("a") TOLD("b", "`t`:`p`," G1) TOLD("b", "`t`:`n`," G1 ",`n`:`Crew`")
	      TOLD("c", "`t`:`p`," G1) TOLD("c", "`t`:`n`," G1 ",`n`:`Crew`"));
	ask(w, 'b', "p:{t:`g`,i:`g1`}");
	ask(w, 'b', "n:{t:`g`,i:`g1`}");
	ask(w, 'b', "get:{o:`g`}");
	heard(w, GETS("b", "`p`:{" G1 ",`v`:`P`}") GETS("b", "`n`:{" G1 ",`n`:`Crew`}")
	      GETS("b", "`g`:[{`i`:`g1`,`n`:`Crew`}]"));
	world_destroy(w);
}

#define INFO(who, muted)                                                                            \
	GETS(who, "`g`:{" G1 ",`c`:`1790000000000`,`mt`:`" muted "`,`m`:[`alice`,`bob`,`carol`],`n`:`Team`}")

static void muting_is_ones_own_and_ends_with_unmuting(void **state)
{
	struct world *w = group_begin(state);
	ask(w, 'b', "mt:{i:`g1`,t:`1790000060000`}");
	ask(w, 'b', "g:{t:`i`,i:`g1`}");
	ask(w, 'c', "g:{t:`i`,i:`g1`}");
	heard(w, DONE("b") INFO("b", "1790000060000") INFO("c", "0"));
	ask(w, 'b', "umt:{i:`g1`}");
	ask(w, 'b', "umt:{i:`g1`}");
	ask(w, 'b', "g:{t:`i`,i:`g1`}");
	heard(w, DONE("b") DONE("b") INFO("b", "0"));
	world_destroy(w);
}

static void an_admin_who_mutes_stays_admin(void **state)
{
	struct world *w = group_begin(state);
	ask(w, 'a', "mt:{i:`g1`,t:5}");
	ask(w, 'a', "g:{t:`aad`,i:`g1`,ad:[`alice`]}");
	ask(w, 'a', "g:{t:`ad`,i:`g1`}");
	heard(w, DONE("a") DONE("a") ADMINS("a", "`alice`"));
	world_destroy(w);
}

/* --- who may --- */

enum right { MEMBER, ADMINISTRATOR };
static const struct { const char *request; enum right needs; } requests[] = {
	{ "g:{t:`a`,i:`g1`,m:[`erin`]}", ADMINISTRATOR },
	{ "g:{t:`b`,i:`g1`,m:[`carol`]}", ADMINISTRATOR },
	{ "g:{t:`l`,i:`g1`}", MEMBER },
	{ "g:{t:`t`,i:`g1`}", ADMINISTRATOR },
	{ "g:{t:`i`,i:`g1`}", MEMBER },
	{ "g:{t:`aad`,i:`g1`,ad:[`carol`]}", ADMINISTRATOR },
	{ "g:{t:`rad`,i:`g1`,ad:[`carol`]}", ADMINISTRATOR },
	{ "g:{t:`ad`,i:`g1`}", MEMBER },
	{ "p:{t:`s`,i:`g1`,v:`P`}", ADMINISTRATOR },
	{ "p:{t:`g`,i:`g1`}", MEMBER },
	{ "n:{t:`s`,i:`g1`,n:`N`}", ADMINISTRATOR },
	{ "n:{t:`g`,i:`g1`}", MEMBER },
	{ "mt:{i:`g1`,t:5}", MEMBER },
	{ "umt:{i:`g1`}", MEMBER },
};
#define REQUEST_COUNT (sizeof(requests) / sizeof(requests[0]))

static void strangers_members_and_admins_may_what_the_table_says(void **state)
{
	for (size_t i = 0; i < REQUEST_COUNT; i++) {
		const struct refused stranger[] = { { 'd', requests[i].request, "403",
						      "You are not a member of 'g1'." } };
		const struct refused member[] = { { 'b', requests[i].request, "403",
						    "You are not an administrator of 'g1'." } };
		struct world *w = group_begin(state);
		world_user(w, "erin", false);
		ALL_REFUSED(w, stranger);
		if (requests[i].needs == ADMINISTRATOR)
			ALL_REFUSED(w, member);
		w->log_n = 0;
		ask(w, requests[i].needs == ADMINISTRATOR ? 'a' : 'b', requests[i].request);
		assert_null(memmem(w->log, w->log_n, "\"e\":", 4));
		world_destroy(w);
	}
}

static void what_is_no_group_is_not_found_whoever_asks(void **state)
{
	struct world *w = talk_begin(state, "a");
	char request[128], want[128];
	for (size_t i = 0; i < REQUEST_COUNT; i++) {
		static const char *const names[] = { "g9", "b1", "alice" };
		ask(w, 'a', "br:{t:`c`,i:`b1`,n:``}");
		w->log_n = 0;
		for (size_t n = 0; n < 3; n++) {
			const char *at = strstr(requests[i].request, "g1");
			snprintf(request, sizeof(request), "%.*s%s%s", (int)(at - requests[i].request),
				 requests[i].request, names[n], at + 2);
			snprintf(want, sizeof(want), "Not found: group '%s'.", names[n]);
			const struct refused none[] = { { 'a', request, "404", want } };
			ALL_REFUSED(w, none);
		}
	}
	world_destroy(w);
}

static const struct refused refusals[] = {
	{ 'a', "g:{t:`aad`,i:`g1`,ad:[`bob`,`dave`]}", "404", "Not found: 'dave' is not in 'g1'." },
	{ 'a', "g:{t:`rad`,i:`g1`,ad:[`alice`,`zed`]}", "404", "Not found: 'zed' is not in 'g1'." },
	{ 'a', "g:{t:`aad`,i:`g1`}", "400", "'ad' is missing." },
	{ 'a', "g:{t:`rad`,i:`g1`}", "400", "'ad' is missing." },
	{ 'a', "p:{t:`s`,i:`g1`}", "400", "'v' is missing." },
	{ 'a', "p:{t:`s`,i:`g1`,b:`b1`,v:`P`}", "400",
	  "It is not clear whom this is about: wrong or missing u, i or b." },
	{ 'a', "n:{t:`s`,i:`g1`}", "400", "'n' is missing." },
	{ 'a', "n:{t:`g`}", "400", "It is not clear whom this is about: wrong or missing u, i or b." },
	{ 'a', "n:{t:`zz`,i:`g1`}", "400", "Unknown request." },
};

static void what_is_refused_changes_nothing(void **state)
{
	struct world *w = group_begin(state);
	ALL_REFUSED(w, refusals);
	ask(w, 'a', "g:{t:`ad`,i:`g1`}");
	ask(w, 'a', "g:{t:`i`,i:`g1`}");
	heard(w, ADMINS("a", "`alice`") INFO("a", "0"));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(admins_are_made_and_only_those_who_were_none_are_named),
		BOTH(admins_are_unmade_but_never_the_last),
		BOTH(members_are_told_of_a_new_picture_and_name),
		BOTH(muting_is_ones_own_and_ends_with_unmuting),
		BOTH(an_admin_who_mutes_stays_admin),
		BOTH(strangers_members_and_admins_may_what_the_table_says),
		BOTH(what_is_no_group_is_not_found_whoever_asks),
		BOTH(what_is_refused_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
