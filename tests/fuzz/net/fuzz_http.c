/* A request gives the same answer whole and byte by byte; an answer is whole and never both. */
#include "base/check.h"
#include "net/http.h"
#include <stdlib.h>

struct answer { enum http_result result; size_t used; int status; };

static struct answer ask(const struct http_settings *s, const uint8_t *data, size_t n, struct buf *out)
{
	struct answer a = { .used = 0 };
	/* A copy of its own, so that a read beyond its end is found. */
	char *copy = malloc(n ? n : 1);
	CHECK(copy);
	if (n)
		memcpy(copy, data, n);
	buf_clear(out);
	a.result = http_handshake(s, (struct str){ copy, n }, out, &a.used, &a.status);
	free(copy);
	CHECK(!out->failed);
	CHECK((a.result == HTTP_MORE) == (out->n == 0));
	if (a.result != HTTP_MORE) {
		CHECK(out->n > 4);
		CHECK((a.result == HTTP_UPGRADE) == (a.status == 101));
	}
	if (a.result == HTTP_UPGRADE)
		CHECK(a.used <= n && a.used >= 4 && memcmp(data + a.used - 4, "\r\n\r\n", 4) == 0);
	return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str origins[] = { { "https://good.example", 20 } };
	const struct http_settings s = { .path = STR("/lemp"), .origins = origins, .origin_count = 1,
					 .subprotocol = STR("lemp") };
	struct buf whole, part;
	if (size > 1024)
		return 0;
	buf_init(&whole, 4096);
	buf_init(&part, 4096);
	struct answer all = ask(&s, data, size, &whole), now = { .result = HTTP_MORE };
	for (size_t n = 0; n <= size && now.result == HTTP_MORE; n++)
		now = ask(&s, data, n, &part);
	CHECK(now.result == all.result);
	CHECK(now.result == HTTP_MORE || now.status == all.status);
	CHECK(now.result != HTTP_UPGRADE || now.used == all.used);
	CHECK(str_eq(buf_view(&whole), buf_view(&part)));
	buf_deinit(&whole);
	buf_deinit(&part);
	return 0;
}
