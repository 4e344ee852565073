#include "net/http.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define HOST "Host: localhost:8025\r\n"
#define LINE "GET /lemp HTTP/1.1\r\n"
#define WS UPGRADE KEY VERSION "\r\n"

struct row { const char *request; size_t n; int status; };
#define ROW(status, request) { request, sizeof(request) - 1, status }

static const struct row rows[] = {
	ROW(101, LINE HOST WS),
	ROW(101, "\r\n" LINE HOST WS),
	ROW(101, "GET /lemp?x=1&y=/%41 HTTP/1.1\r\n" HOST WS),
	ROW(101, "GET http://localhost:8025/lemp HTTP/1.1\r\n" HOST WS),
	ROW(101, "GET WS://[::1]:8025/lemp?a HTTP/1.1\r\n" HOST WS),
	ROW(101, LINE "host:example.org\r\n" WS),
	ROW(101, LINE "HOST: [::1]:8025 \t\r\n" WS),
	ROW(101, LINE HOST "upgrade: h2c, WebSocket\r\nconnection: keep-alive ,\tUPGRADE\r\n" KEY VERSION "\r\n"),
	ROW(101, LINE HOST "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"),
	ROW(101, LINE HOST "Connection: ,,Upgrade,\r\nUpgrade: , websocket\r\n" KEY VERSION "\r\n"),
	ROW(101, LINE HOST "Content-Length: 0\r\n" WS),
	ROW(101, LINE HOST "X-Anything: \xC3\xA4\t\x80 ok\r\nX-Empty:\r\n" WS),
	ROW(101, LINE HOST "Cookie: a=b\r\nCookie: c=d\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" WS),
	ROW(101, LINE HOST "Origin: https://good.example\r\n" WS),
	ROW(101, LINE HOST "Origin: HTTPS://Good.Example\r\n" WS),
	/* request line */
	ROW(400, "GET  /lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp  HTTP/1.1\r\n" HOST WS),
	ROW(400, " GET /lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp HTTP/1.1 \r\n" HOST WS),
	ROW(400, "GET\t/lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp\r\n" HOST WS),
	ROW(400, "GET  HTTP/1.1\r\n" HOST WS),
	ROW(400, "G(T /lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp HTTP/1.0\r\n" HOST WS),
	ROW(400, "GET /lemp HTTP/2.0\r\n" HOST WS),
	ROW(400, "GET /lemp http/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp HTTP/1.1x\r\n" HOST WS),
	ROW(400, "GET lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET * HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET localhost:8025 HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET ftp://localhost/lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET http://user@localhost/lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET http:///lemp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp#x HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /le%zzmp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp%4 HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /le\"mp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /l\xC3\xA4mp HTTP/1.1\r\n" HOST WS),
	ROW(400, "GET /lemp HTTP/1.1\n" HOST WS),
	ROW(400, "GET /lemp HTTP/1.1\r" HOST WS),
	ROW(400, "GET /le\0mp HTTP/1.1\r\n" HOST WS),
	ROW(400, "\r\n\r\n" LINE HOST WS),
	ROW(400, "\x16\x03\x01\x02\x00\x01\x00"),
	/* header lines */
	ROW(400, LINE WS),
	ROW(400, LINE "Host:\r\n" WS),
	ROW(400, LINE HOST HOST WS),
	ROW(400, LINE "Host: a b\r\n" WS),
	ROW(400, LINE "Host: a/b\r\n" WS),
	ROW(400, LINE "Host: a@b\r\n" WS),
	ROW(400, LINE "Host: a,b:c\r\n" WS),
	ROW(400, LINE "Host: [::1\r\n" WS),
	ROW(400, LINE "Host: []\r\n" WS),
	ROW(400, LINE "Host: [::1]x\r\n" WS),
	ROW(400, LINE "Host : localhost\r\n" WS),
	ROW(400, LINE " Host: localhost\r\n" WS),
	ROW(400, LINE HOST " folded\r\n" WS),
	ROW(400, LINE HOST "X-A: b\r\n\tfolded\r\n" WS),
	ROW(400, LINE HOST "NoColon\r\n" WS),
	ROW(400, LINE HOST ": empty\r\n" WS),
	ROW(400, LINE HOST "X(A): b\r\n" WS),
	ROW(400, LINE HOST "X\xC3\xA4: b\r\n" WS),
	ROW(400, LINE HOST "X-A: b\rc\r\n" WS),
	ROW(400, LINE HOST "X-A: b\nX-B: c\r\n" WS),
	ROW(400, LINE HOST "X-A: b\0c\r\n" WS),
	ROW(400, LINE HOST "X-A: \x1B[31m\r\n" WS),
	ROW(400, LINE HOST "X-A: \x7F\r\n" WS),
	/* bodies */
	ROW(400, LINE HOST "Content-Length: 5\r\n" WS "hello"),
	ROW(400, LINE HOST "Content-Length: -0\r\n" WS),
	ROW(400, LINE HOST "Content-Length: 0x0\r\n" WS),
	ROW(400, LINE HOST "Content-Length:\r\n" WS),
	ROW(400, LINE HOST "Content-Length: 0\r\nContent-Length: 0\r\n" WS),
	ROW(400, LINE HOST "Content-Length: 0, 0\r\n" WS),
	ROW(400, LINE HOST "Transfer-Encoding: chunked\r\n" WS),
	ROW(400, LINE HOST "Transfer-Encoding: identity\r\nContent-Length: 0\r\n" WS),
	/* the key */
	ROW(400, LINE HOST UPGRADE VERSION "\r\n"),
	ROW(400, LINE HOST KEY WS),
	ROW(400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n"),
	ROW(400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n"),
	ROW(400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy\r\n\r\n"),
	ROW(400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n"),
	ROW(400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhb XBsZSBub25jZQ==\r\n\r\n"),
	ROW(400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key:\r\n\r\n"),
	ROW(400, LINE HOST VERSION WS),
	ROW(400, LINE HOST "Origin: https://good.example\r\nOrigin: https://good.example\r\n" WS),
	ROW(400, LINE HOST "Sec-WebSocket-Protocol: le mp\r\n" WS),
	/* other refusals */
	ROW(403, LINE HOST "Origin: https://good.example.evil\r\n" WS),
	ROW(403, LINE HOST "Origin: http://good.example\r\n" WS),
	ROW(403, LINE HOST "Origin: https://good.example:8443\r\n" WS),
	ROW(403, LINE HOST "Origin: null\r\n" WS),
	ROW(403, LINE HOST "Origin:\r\n" WS),
	ROW(404, "GET / HTTP/1.1\r\n" HOST "\r\n"),
	ROW(404, "GET /lemp/ HTTP/1.1\r\n" HOST WS),
	ROW(404, "GET /LEMP HTTP/1.1\r\n" HOST WS),
	ROW(404, "GET /%6Cemp HTTP/1.1\r\n" HOST WS),
	ROW(404, "GET /../lemp HTTP/1.1\r\n" HOST WS),
	ROW(405, "POST /lemp HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"),
	ROW(405, "get /lemp HTTP/1.1\r\n" HOST WS),
	ROW(405, "HEAD /lemp HTTP/1.1\r\n" HOST WS),
	ROW(405, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
	ROW(426, "GET /lemp HTTP/1.1\r\n" HOST "\r\n"),
	ROW(426, LINE HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n"),
	ROW(426, LINE HOST "Connection: Upgrade\r\n" KEY VERSION "\r\n"),
	ROW(426, LINE HOST "Upgrade: websockets\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"),
	ROW(426, LINE HOST UPGRADE KEY "\r\n"),
	ROW(426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"),
	ROW(426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n"),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct str origins[] = { { "https://other.example", 21 }, { "https://good.example", 20 } };
static struct http_settings settings(void)
{
	return (struct http_settings){ .path = STR("/lemp"), .origins = origins, .origin_count = 2,
				       .subprotocol = STR("lemp") };
}

/* The status of a request; 0: HTTP_MORE. */
static int ask(struct http_settings s, const char *request, size_t n, struct buf *out, size_t *used)
{
	int status = 0;
	buf_clear(out);
	enum http_result result = http_handshake(&s, (struct str){ request, n }, out, used, &status);
	assert_false(out->failed);
	assert_int_equal(result == HTTP_MORE, out->n == 0);
	assert_int_equal(result == HTTP_UPGRADE, status == 101);
	return result == HTTP_MORE ? 0 : status;
}

static bool contains(const struct buf *out, const char *text)
{
	return memmem(out->p, out->n, text, strlen(text)) != NULL;
}

static void each_request_gets_its_status(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ROWS; i++) {
		size_t used = 0;
		int status = ask(settings(), rows[i].request, rows[i].n, &out, &used);
		if (status != rows[i].status)
			fail_msg("%d instead of %d for:\n%s", status, rows[i].status, rows[i].request);
		char line[16];
		snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
		assert_memory_equal(out.p, line, strlen(line));
		if (status == 101)
			assert_int_equal(used, rows[i].n);
		else
			assert_true(contains(&out, "close\r\n"));
	}
	buf_deinit(&out);
}

static void a_request_that_arrives_byte_by_byte_gets_the_same_status(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ROWS; i++) {
		size_t used = 0, n = 0;
		int status = 0;
		while (status == 0 && n < rows[i].n)
			status = ask(settings(), rows[i].request, ++n, &out, &used);
		assert_int_equal(status, rows[i].status);
		if (status == 101)
			assert_int_equal(n, rows[i].n);
	}
	buf_deinit(&out);
}

static void the_accept_value_is_that_of_rfc_6455(void **state)
{
	(void)state;
	struct buf out;
	size_t used;
	buf_init(&out, 4096);
	assert_int_equal(ask(settings(), rows[0].request, rows[0].n, &out, &used), 101);
	assert_true(contains(&out, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_true(contains(&out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
	assert_false(contains(&out, "Sec-WebSocket-Extensions"));
	buf_deinit(&out);
}

static void bytes_behind_the_head_are_not_taken(void **state)
{
	(void)state;
	static const char request[] = LINE HOST WS "\x81\x80";
	struct buf out;
	size_t used;
	buf_init(&out, 4096);
	assert_int_equal(ask(settings(), request, sizeof(request) - 1, &out, &used), 101);
	assert_int_equal(used, sizeof(request) - 1 - 2);
	buf_deinit(&out);
}

static void the_subprotocol_is_selected_only_if_offered(void **state)
{
	(void)state;
	const struct { const char *header; bool selected; } cases[] = {
		{ "", false },
		{ "Sec-WebSocket-Protocol: lemp\r\n", true },
		{ "Sec-WebSocket-Protocol: mqtt,lemp , soap\r\n", true },
		{ "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: lemp\r\n", true },
		{ "Sec-WebSocket-Protocol: LEMP\r\n", false },
		{ "Sec-WebSocket-Protocol: lempx, xlemp\r\n", false },
	};
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char request[512];
		size_t used;
		int n = snprintf(request, sizeof(request), LINE HOST "%s" WS, cases[i].header);
		assert_int_equal(ask(settings(), request, (size_t)n, &out, &used), 101);
		assert_int_equal(contains(&out, "\r\nSec-WebSocket-Protocol: lemp\r\n"), cases[i].selected);
		struct http_settings none = settings();
		none.subprotocol = STR_NONE;
		assert_int_equal(ask(none, request, (size_t)n, &out, &used), 101);
		assert_false(contains(&out, "Sec-WebSocket-Protocol"));
	}
	buf_deinit(&out);
}

static void any_origin_is_fine_when_none_are_listed(void **state)
{
	(void)state;
	static const char request[] = LINE HOST "Origin: https://evil.example\r\n" WS;
	struct http_settings s = settings();
	struct buf out;
	size_t used;
	s.origin_count = 0;
	buf_init(&out, 4096);
	assert_int_equal(ask(s, request, sizeof(request) - 1, &out, &used), 101);
	buf_deinit(&out);
}

static void a_refusal_says_what_would_be_right(void **state)
{
	(void)state;
	struct buf out;
	size_t used;
	buf_init(&out, 4096);
	static const char old[] = LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n";
	assert_int_equal(ask(settings(), old, sizeof(old) - 1, &out, &used), 426);
	assert_true(contains(&out, "\r\nSec-WebSocket-Version: 13\r\n"));
	assert_true(contains(&out, "\r\nUpgrade: websocket\r\n"));
	assert_true(contains(&out, "\r\nConnection: Upgrade, close\r\n"));
	static const char post[] = "POST /lemp HTTP/1.1\r\n" HOST "\r\n";
	assert_int_equal(ask(settings(), post, sizeof(post) - 1, &out, &used), 405);
	assert_true(contains(&out, "\r\nAllow: GET\r\n"));
	buf_deinit(&out);
}

static void the_body_has_the_length_told_and_head_gets_none(void **state)
{
	(void)state;
	struct buf out;
	size_t used;
	buf_init(&out, 4096);
	for (int head = 0; head < 2; head++) {
		const char *request = head ? "HEAD / HTTP/1.1\r\n" HOST "\r\n" : "GET / HTTP/1.1\r\n" HOST "\r\n";
		assert_int_equal(ask(settings(), request, strlen(request), &out, &used), head ? 405 : 404);
		buf_u8(&out, 0);
		const char *end = strstr(out.p, "\r\n\r\n") + 4;
		unsigned length = 0;
		assert_int_equal(sscanf(strstr(out.p, "Content-Length: "), "Content-Length: %u", &length), 1);
		assert_true(length > 0);
		assert_int_equal(strlen(end), head ? 0 : length);
	}
	buf_deinit(&out);
}

static void a_head_longer_than_the_limit_is_431(void **state)
{
	(void)state;
	static const char start[] = LINE HOST "X-Long: ";
	static const char end[] = "\r\n" WS;
	char request[HTTP_HEAD_BYTES_MAX + 1];
	struct buf out;
	size_t used;
	buf_init(&out, 4096);
	for (size_t over = 0; over < 2; over++) {
		size_t n = HTTP_HEAD_BYTES_MAX + over;
		memset(request, 'x', n);
		memcpy(request, start, sizeof(start) - 1);
		memcpy(request + n - (sizeof(end) - 1), end, sizeof(end) - 1);
		assert_int_equal(ask(settings(), request, n, &out, &used), over ? 431 : 101);
	}
	memset(request, 'x', sizeof(request)); /* a request line without end */
	assert_int_equal(ask(settings(), request, HTTP_HEAD_BYTES_MAX - 1, &out, &used), 0);
	assert_int_equal(ask(settings(), request, HTTP_HEAD_BYTES_MAX, &out, &used), 431);
	buf_deinit(&out);
}

static void an_answer_that_does_not_fit_fails_the_buffer_and_nothing_else(void **state)
{
	(void)state;
	struct http_settings s = settings();
	for (size_t max = 0; max < 100; max += 9) {
		struct buf out;
		size_t used;
		int status;
		buf_init(&out, max);
		assert_int_equal(http_handshake(&s, (struct str){ rows[0].request, rows[0].n }, &out, &used, &status),
				 HTTP_UPGRADE);
		assert_true(out.failed);
		buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_gets_its_status),
		cmocka_unit_test(a_request_that_arrives_byte_by_byte_gets_the_same_status),
		cmocka_unit_test(the_accept_value_is_that_of_rfc_6455),
		cmocka_unit_test(bytes_behind_the_head_are_not_taken),
		cmocka_unit_test(the_subprotocol_is_selected_only_if_offered),
		cmocka_unit_test(any_origin_is_fine_when_none_are_listed),
		cmocka_unit_test(a_refusal_says_what_would_be_right),
		cmocka_unit_test(the_body_has_the_length_told_and_head_gets_none),
		cmocka_unit_test(a_head_longer_than_the_limit_is_431),
		cmocka_unit_test(an_answer_that_does_not_fit_fails_the_buffer_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
