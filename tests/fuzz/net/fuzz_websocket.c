/* Frames give the same events however the bytes are cut; messages are valid UTF-8 within the
 * limit; what is put back as frames is read again as it was. */
#include "base/check.h"
#include "net/websocket.h"
#include <stdlib.h>

#define MESSAGE_MAX 2000

static void write_event(struct buf *out, const struct ws_reader *r, enum ws_event event,
			const char *payload, size_t n)
{
	buf_u8(out, (uint8_t)event);
	if (event == WS_EVENT_CLOSE || event == WS_EVENT_FAIL)
		buf_i64(out, r->close_code);
	if (event == WS_EVENT_FAIL)
		return;
	CHECK(n <= MESSAGE_MAX);
	CHECK(event == WS_EVENT_PING || event == WS_EVENT_PONG || utf8_valid(payload, n));
	buf_i64(out, (int64_t)n);
	buf_add(out, payload, n);
}

/* Takes what there is. False after the last event. */
static bool take(struct ws_reader *r, struct buf *in, struct buf *events)
{
	size_t at = 0;
	for (;;) {
		size_t used = 0, n = 0, left = in->n - at;
		char *payload = NULL;
		char *copy = malloc(left ? left : 1); /* a read beyond its end is found */
		CHECK(copy);
		if (left)
			memcpy(copy, in->p + at, left);
		enum ws_event event = ws_read(r, copy, left, &used, &payload, &n);
		CHECK(used <= left);
		at += used;
		if (event != WS_EVENT_NONE)
			write_event(events, r, event, payload, n);
		free(copy);
		if (event == WS_EVENT_FAIL || event == WS_EVENT_CLOSE)
			return false;
		if (event == WS_EVENT_NONE)
			break;
	}
	CHECK(in->n - at < WS_HEADER_BYTES_MAX);
	buf_consume(in, at);
	return true;
}

/* Reads it all, in pieces of sizes that `seed` chooses; 0: in one. */
static void read_all(enum ws_role role, const uint8_t *p, size_t n, uint32_t seed, struct buf *events)
{
	bool whole = seed == 0;
	struct ws_reader r;
	struct buf in;
	buf_init(&in, 1 << 20);
	ws_reader_init(&r, role, MESSAGE_MAX);
	bool more = true;
	for (size_t at = 0; at < n && more;) {
		seed = seed * 1664525 + 1013904223;
		size_t piece = seed >> 24 < 128 ? 1 : (seed >> 16 & 63) + 1;
		if (whole || piece > n - at)
			piece = n - at;
		buf_add(&in, p + at, piece);
		at += piece;
		more = take(&r, &in, events);
	}
	ws_reader_deinit(&r);
	buf_deinit(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 8192)
		return 0;
	enum ws_role role = data[0] & 1 ? WS_CLIENT : WS_SERVER;
	struct buf whole, cut;
	buf_init(&whole, 1 << 20);
	buf_init(&cut, 1 << 20);
	read_all(role, data + 2, size - 2, 0, &whole);
	read_all(role, data + 2, size - 2, data[1] + 1U, &cut);
	CHECK(!whole.failed && !cut.failed);
	CHECK(str_eq(buf_view(&whole), buf_view(&cut)));

	static const uint8_t mask[4] = { 0xA5, 0, 0xFF, 0x3C };
	struct buf frame;
	buf_init(&frame, 1 << 20);
	size_t n = size - 2 < MESSAGE_MAX ? size - 2 : MESSAGE_MAX;
	ws_put(&frame, WS_TEXT, data + 2, n, role == WS_SERVER ? mask : NULL);
	CHECK(ws_frame_bytes(frame.p) == frame.n);
	struct ws_reader r;
	char *payload;
	size_t used, payload_n;
	ws_reader_init(&r, role, MESSAGE_MAX);
	enum ws_event event = ws_read(&r, frame.p, frame.n, &used, &payload, &payload_n);
	CHECK((event == WS_EVENT_TEXT) == utf8_valid(data + 2, n));
	if (event == WS_EVENT_TEXT)
		CHECK(payload_n == n && memcmp(payload, data + 2, n) == 0);
	ws_reader_deinit(&r);
	buf_deinit(&frame);
	buf_deinit(&whole);
	buf_deinit(&cut);
	return 0;
}
