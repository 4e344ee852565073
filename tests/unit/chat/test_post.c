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
		cmocka_unit_test(a_request_carries_its_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
