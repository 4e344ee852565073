#include "chat/group.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static struct group *group_made(void)
{
	struct op_name_put put = { .name = STR("g1"), .kind = STORE_GROUP, .born = 1, .created_ms = 2,
				   .title = STR("Friends"), .owner = STR("") };
	return group_new(&put);
}

static void link_member(struct group *g, const char *name, uint64_t order, bool admin)
{
	struct op_link_put put = { .kind = LINK_MEMBER, .from = str_of(name), .to = STR("g1"), .born = 5,
				   .order = order, .flags = admin ? LINK_ADMIN : 0, .text = STR("") };
	group_link(g, &put);
}

static void members_stand_in_the_order_they_joined(void **state)
{
	struct group *g = group_made();
	(void)state;
	link_member(g, "carol", 30, false); /* as a store may give them: by name */
	link_member(g, "alice", 10, true);
	link_member(g, "bob", 20, false);
	assert_int_equal(g->member_n, 3);
	assert_true(str_eq(g->members[0]->name, STR("alice")));
	assert_true(str_eq(g->members[1]->name, STR("bob")));
	assert_true(str_eq(g->members[2]->name, STR("carol")));
	group_free(g);
}

static void admins_are_counted_through_every_change(void **state)
{
	struct group *g = group_made();
	(void)state;
	link_member(g, "alice", 10, true);
	link_member(g, "bob", 20, false);
	assert_int_equal(g->admin_n, 1);
	link_member(g, "bob", 20, true);
	link_member(g, "bob", 20, true);
	assert_int_equal(g->admin_n, 2);
	link_member(g, "alice", 10, false);
	assert_int_equal(g->admin_n, 1);
	group_unlink(g, STR("bob"));
	assert_int_equal(g->admin_n, 0);
	assert_int_equal(g->member_n, 1);
	group_free(g);
}

static void one_who_is_no_member_can_be_taken_out_without_harm(void **state)
{
	struct group *g = group_made();
	(void)state;
	link_member(g, "alice", 10, true);
	group_unlink(g, STR("zed"));
	assert_int_equal(g->member_n, 1);
	assert_null(group_find(g, STR("zed")));
	assert_non_null(group_find(g, STR("alice")));
	group_free(g);
}

static void a_new_title_leaves_the_rest_as_it_is(void **state)
{
	struct group *g = group_made();
	struct op_name_put put = { .name = STR("g1"), .kind = STORE_GROUP, .born = 1, .created_ms = 2,
				   .title = STR("Others"), .owner = STR("") };
	(void)state;
	link_member(g, "alice", 10, true);
	group_put(g, &put);
	assert_true(str_eq(g->title, STR("Others")));
	assert_int_equal(g->created_ms, 2);
	assert_int_equal(g->member_n, 1);
	group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_stand_in_the_order_they_joined),
		cmocka_unit_test(admins_are_counted_through_every_change),
		cmocka_unit_test(one_who_is_no_member_can_be_taken_out_without_harm),
		cmocka_unit_test(a_new_title_leaves_the_rest_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
