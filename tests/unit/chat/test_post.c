#include "chat/post.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_str(struct str got, const char *want)
{
	if (!want) {
		assert_null(got.p);
		return;
	}
	assert_non_null(got.p);
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void posts_come_out_as_they_went_in_and_in_order(void **state)
{
	struct buf bytes;
	struct post post;
	size_t cursor = 0;
	(void)state;
	buf_init(&bytes, 1 << 16);
	struct mail_in mail = { .session = 7, .ack_seq = 9, .flags = MAIL_NO_PC, .stored = true,
				.sender = STR("alice"), .target = STR("bob"), .id = STR("m1"),
				.text = STR("{}") };
	struct answer answer = { .session = 8, .refusal = REFUSAL_NOT_FOUND, .sender = STR("a"),
				 .id = STR(""), .target = STR("zed") };
	struct reply reply = { 5, STR("text") };
	post_put(&bytes, POST_MAIL, &mail);
	post_put(&bytes, POST_ANSWER, &answer);
	post_put(&bytes, POST_REPLY, &reply);

	assert_true(post_next(buf_view(&bytes), &cursor, &post));
	assert_int_equal(post.kind, POST_MAIL);
	assert_int_equal(post.mail.session, 7);
	assert_int_equal(post.mail.ack_seq, 9);
	assert_true(post.mail.stored);
	assert_str(post.mail.sender, "alice");
	assert_str(post.mail.target, "bob");
	assert_str(post.mail.id, "m1");
	assert_str(post.mail.ack_id, NULL);
	assert_str(post.mail.text, "{}");
	assert_true(post_next(buf_view(&bytes), &cursor, &post));
	assert_int_equal(post.kind, POST_ANSWER);
	assert_int_equal(post.answer.refusal, REFUSAL_NOT_FOUND);
	assert_str(post.answer.id, "");
	assert_str(post.answer.target, "zed");
	assert_true(post_next(buf_view(&bytes), &cursor, &post));
	assert_int_equal(post.kind, POST_REPLY);
	assert_str(post.reply.text, "text");
	assert_false(post_next(buf_view(&bytes), &cursor, &post));
	buf_deinit(&bytes);
}

/* One of each kind that is about many names. */
static void posts_about_many_keep_their_views(void **state)
{
	struct buf bytes;
	struct post post;
	size_t cursor = 0;
	(void)state;
	buf_init(&bytes, 1 << 16);
	struct guard_ask ask = { 1, 2, 3, STR("alice"), STR("names") };
	struct guard_facts facts = { 4, STR("n"), STR("facts") };
	struct unguard unguard = { STR("who") };
	struct freeze freeze = { 5, 6, 1, STR("bob"), STR("g1") };
	struct frozen frozen = { 7, 8, 0, STR("ops") };
	struct thaw thaw = { 9, 1 };
	struct forget forget = { 15, STR("gone"), STR("bb") };
	struct fan_slice fan = { .fanout = 10, .slice = 11, .r = { 12, 13 }, .sender = STR("s"), .target = STR("t"),
				 .id = STR("i"), .text = STR("text"), .receivers = STR("rr") };
	struct fanned fanned = { 14 };
	struct presence presence = { 1, STR("carol"), STR("ff") };
	post_put(&bytes, POST_ASK, &ask);
	post_put(&bytes, POST_FACTS, &facts);
	post_put(&bytes, POST_UNGUARD, &unguard);
	post_put(&bytes, POST_FREEZE, &freeze);
	post_put(&bytes, POST_FROZEN, &frozen);
	post_put(&bytes, POST_THAW, &thaw);
	post_put(&bytes, POST_FORGET, &forget);
	post_put(&bytes, POST_FAN, &fan);
	post_put(&bytes, POST_FANNED, &fanned);
	post_put(&bytes, POST_PRESENCE, &presence);

	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_ASK);
	assert_str(post.ask.user, "alice");
	assert_str(post.ask.names, "names");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_FACTS);
	assert_str(post.facts.names, "n");
	assert_str(post.facts.facts, "facts");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_UNGUARD);
	assert_str(post.unguard.names, "who");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_FREEZE);
	assert_str(post.freeze.user, "bob");
	assert_str(post.freeze.group, "g1");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_FROZEN);
	assert_int_equal(post.frozen.freeze, 8);
	assert_str(post.frozen.ops, "ops");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_THAW);
	assert_int_equal(post.thaw.freeze, 9);
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_FORGET);
	assert_str(post.forget.user, "gone");
	assert_str(post.forget.blockers, "bb");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_FAN);
	assert_int_equal(post.fan.r.n, 13);
	assert_str(post.fan.sender, "s");
	assert_str(post.fan.target, "t");
	assert_str(post.fan.id, "i");
	assert_str(post.fan.text, "text");
	assert_str(post.fan.receivers, "rr");
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_FANNED);
	assert_int_equal(post.fanned.fanout, 14);
	assert_true(post_next(buf_view(&bytes), &cursor, &post) && post.kind == POST_PRESENCE);
	assert_str(post.presence.user, "carol");
	assert_str(post.presence.followers, "ff");
	assert_false(post_next(buf_view(&bytes), &cursor, &post));
	buf_deinit(&bytes);
}

static void a_request_carries_its_packet(void **state)
{
	struct buf bytes;
	struct post post;
	size_t cursor = 0;
	(void)state;
	buf_init(&bytes, 1 << 16);
	struct request r = { .session = 3, .user = STR("admin"), .about = STR("dave") };
	r.packet.kind = PACKET_RQ_AD;
	r.packet.id = STR("22");
	r.packet.ad = (struct packet_ad){ .c = STR("cr"), .i = STR("dave"), .t = STR("secret"), .ty = 1 };
	post_put(&bytes, POST_REQUEST, &r);
	memset(&r, 0xee, sizeof(r));
	assert_true(post_next(buf_view(&bytes), &cursor, &post));
	assert_str(post.request.packet.id, "22");
	assert_str(post.request.packet.ad.c, "cr");
	assert_str(post.request.packet.ad.i, "dave");
	assert_str(post.request.packet.ad.t, "secret");
	assert_int_equal(post.request.packet.ad.ty, 1);
	buf_deinit(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_come_out_as_they_went_in_and_in_order),
		cmocka_unit_test(posts_about_many_keep_their_views),
		cmocka_unit_test(a_request_carries_its_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
