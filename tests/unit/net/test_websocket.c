#include "net/websocket.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX 1000

/* A script of frames is told in text: "81:hello" is a frame whose first byte is 81 with its
 * payload, masked; "!" before it says not masked; "=" takes the bytes in hex as they are. */
struct row {
	const char *name;  /* after the sections of RFC 6455 */
	const char *input;
	const char *events; /* T:text P:ping O:pong C:code:reason F:code */
};

static const struct row rows[] = {
	{ "5.2 text", "81:hello", "T:hello " },
	{ "5.2 empty text", "81:", "T: " },
	{ "5.2 two texts", "81:a 81:b", "T:a T:b " },
	{ "5.2 text of 125 and of 126 bytes", "81:*125 81:*126", "T:*125 T:*126 " },
	{ "5.2 text of the greatest length", "81:*1000", "T:*1000 " },
	{ "5.2 length 125 in two bytes", "=81FE007D", "F:1002 " },
	{ "5.2 length 0 in two bytes", "=81FE0000", "F:1002 " },
	{ "5.2 length 126 in two bytes, but short of data", "=81FE007E01020304", "" },
	{ "5.2 length 65535 in eight bytes", "=81FF000000000000FFFF", "F:1002 " },
	{ "5.2 length 0 in eight bytes", "=81FF0000000000000000", "F:1002 " },
	{ "5.2 length over 2^63", "=81FF8000000000000000", "F:1002 " },
	{ "5.2 length 2^64 - 1", "=81FFFFFFFFFFFFFFFFFF", "F:1002 " },
	{ "5.2 length 2^63 - 1", "=81FF7FFFFFFFFFFFFFFF", "F:1009 " },
	{ "5.2 length 65536, over the limit", "=81FF0000000000010000", "F:1009 " },
	{ "5.2 one over the limit is told before any payload", "=81FE03E9", "F:1009 " },
	{ "5.2 reserved bit 1", "C1:a", "F:1002 " },
	{ "5.2 reserved bit 2", "A1:a", "F:1002 " },
	{ "5.2 reserved bit 3", "91:a", "F:1002 " },
	{ "5.2 all reserved bits, ping", "F9:a", "F:1002 " },
	{ "5.2 reserved opcode 3", "83:a", "F:1002 " },
	{ "5.2 reserved opcode 4", "84:", "F:1002 " },
	{ "5.2 reserved opcode 7", "87:a", "F:1002 " },
	{ "5.2 reserved opcode 11", "8B:a", "F:1002 " },
	{ "5.2 reserved opcode 12", "8C:", "F:1002 " },
	{ "5.2 reserved opcode 15", "8F:a", "F:1002 " },
	{ "5.2 reserved opcode after a message", "81:hi 83:a", "T:hi F:1002 " },
	{ "5.3 not masked", "!81:a", "F:1002 " },
	{ "5.3 not masked, empty", "!81:", "F:1002 " },
	{ "5.3 not masked ping", "!89:", "F:1002 " },
	{ "5.4 fragments", "01:he 00:l 80:lo", "T:hello " },
	{ "5.4 empty fragments", "01: 00: 80:", "T: " },
	{ "5.4 fragments, the middle one full", "01: 00:x 80:", "T:x " },
	{ "5.4 message after fragments", "01:a 80:b 81:c", "T:ab T:c " },
	{ "5.4 continuation without a start", "80:a", "F:1002 " },
	{ "5.4 continuation without a start, not last", "00:a", "F:1002 " },
	{ "5.4 continuation after an end", "01:a 80:b 80:c", "T:ab F:1002 " },
	{ "5.4 text within fragments", "01:a 81:b", "F:1002 " },
	{ "5.4 first fragment twice", "01:a 01:b", "F:1002 " },
	{ "5.4 binary within fragments", "01:a 82:b", "F:1002 " },
	{ "5.4 fragments to the limit", "01:*500 80:*500", "T:*1000 " },
	{ "5.4 fragments over the limit", "01:*500 80:*501", "F:1009 " },
	{ "5.4 fragments over the limit, told at once", "01:*999 =80FE7FFF", "F:1009 " },
	{ "5.5 ping within fragments", "01:a 89:p 80:b", "P:p T:ab " },
	{ "5.5 pong and ping within fragments", "01:a 8A:q 89:p 00:b 89: 80:c", "O:q P:p P: T:abc " },
	{ "5.5 close within fragments", "01:a 88:", "C:1005: " },
	{ "5.5 fragmented ping", "09:a", "F:1002 " },
	{ "5.5 fragmented pong", "0A:a", "F:1002 " },
	{ "5.5 fragmented close", "08:", "F:1002 " },
	{ "5.5 ping of 125 bytes", "89:*125", "P:*125 " },
	{ "5.5 ping of 126 bytes", "89:*126", "F:1002 " },
	{ "5.5 pong of 126 bytes", "8A:*126", "F:1002 " },
	{ "5.5 close of 126 bytes", "88:*126", "F:1002 " },
	{ "5.5 ping with an eight byte length", "=89FF", "F:1002 " },
	{ "5.5.1 close without code", "88:", "C:1005: " },
	{ "5.5.1 close of one byte", "88:a", "F:1002 " },
	{ "5.5.1 close 1000", "88:\\03\\E8", "C:1000: " },
	{ "5.5.1 close with reason", "88:\\03\\E8bye", "C:1000:bye " },
	{ "5.5.1 close reason no UTF-8", "88:\\03\\E8\\FF", "F:1007 " },
	{ "5.5.1 close reason breaks off", "88:\\03\\E8\\C3", "F:1007 " },
	{ "5.5.2 ping", "89:", "P: " },
	{ "5.5.3 pong unasked for", "8A:x", "O:x " },
	{ "5.6 binary", "82:a", "F:1003 " },
	{ "5.6 binary, empty", "82:", "F:1003 " },
	{ "5.6 binary, first fragment", "02:a", "F:1003 " },
	{ "8.1 UTF-8", "81:\\C3\\A4\\E2\\82\\AC\\F0\\9F\\98\\80", "T:\\C3\\A4\\E2\\82\\AC\\F0\\9F\\98\\80 " },
	{ "8.1 UTF-8 cut by fragments", "01:\\F0\\9F 00:\\98 80:\\80", "T:\\F0\\9F\\98\\80 " },
	{ "8.1 UTF-8 cut by fragments with a ping", "01:\\F0\\9F 89: 80:\\98\\80", "P: T:\\F0\\9F\\98\\80 " },
	{ "8.1 bad UTF-8", "81:a\\FFb", "F:1007 " },
	{ "8.1 surrogate", "81:\\ED\\A0\\80", "F:1007 " },
	{ "8.1 breaks off", "81:a\\C3", "F:1007 " },
	{ "8.1 breaks off in the last fragment", "01:a 80:\\E2\\82", "F:1007 " },
	{ "8.1 bad in the first fragment: at once", "01:a\\FF", "F:1007 " },
	{ "8.1 bad at the seam of fragments", "01:\\E2\\82 00:x", "F:1007 " },
	{ "8.1 bad within an unfinished frame: at once", "=81FE03E800000000F4908080", "F:1007 " },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

static uint8_t hex_byte(const char *p)
{
	return (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
}

/* Text up to a blank: "\HH" is a byte, "*N" are N times 'x'. */
static const char *expand(const char *p, struct buf *out)
{
	if (*p == '*') {
		char *end;
		for (unsigned long n = strtoul(p + 1, &end, 10); n > 0; n--)
			buf_u8(out, 'x');
		return end;
	}
	for (; *p && *p != ' '; p++) {
		if (*p == '\\') {
			buf_u8(out, hex_byte(p + 1));
			p += 2;
		} else {
			buf_u8(out, (uint8_t)*p);
		}
	}
	return p;
}

static void put_frame(struct buf *out, uint8_t first, const struct buf *payload, const uint8_t mask[4])
{
	size_t at = out->n;
	ws_put(out, WS_TEXT, payload->p, payload->n, mask);
	out->p[at] = (char)first;
}

static void compile(const char *script, struct buf *out)
{
	static const uint8_t mask[4] = { 0x37, 0xFA, 0x21, 0x3D };
	while (*script) {
		struct buf payload;
		buf_init(&payload, 100000);
		bool raw = *script == '=', naked = *script == '!';
		script += raw || naked;
		if (raw) {
			for (; *script && *script != ' '; script += 2)
				buf_u8(out, hex_byte(script));
		} else {
			uint8_t first = hex_byte(script);
			script = expand(script + 3, &payload);
			put_frame(out, first, &payload, naked ? NULL : mask);
		}
		while (*script == ' ')
			script++;
		buf_deinit(&payload);
	}
}

static void expected(const char *events, struct buf *out)
{
	while (*events) {
		buf_add(out, events, 2);
		events = expand(events + 2, out) + 1;
		buf_u8(out, ' ');
	}
}

static void write_event(struct buf *out, enum ws_event event, const struct ws_reader *r, char *payload, size_t n)
{
	static const char letters[] = { [WS_EVENT_TEXT] = 'T', [WS_EVENT_PING] = 'P', [WS_EVENT_PONG] = 'O',
					[WS_EVENT_CLOSE] = 'C', [WS_EVENT_FAIL] = 'F' };
	buf_u8(out, (uint8_t)letters[event]);
	buf_u8(out, ':');
	if (event == WS_EVENT_CLOSE || event == WS_EVENT_FAIL)
		buf_i64(out, r->close_code);
	if (event == WS_EVENT_CLOSE)
		buf_u8(out, ':');
	if (event != WS_EVENT_FAIL)
		buf_add(out, payload, n);
	if (event == WS_EVENT_TEXT)
		memset(payload, '#', n); /* which the caller may do */
	buf_u8(out, ' ');
}

/* Feeds all there is, as a connection does; moves what is left to the front. True after the last event. */
static bool feed(struct ws_reader *r, struct buf *in, struct buf *events)
{
	size_t at = 0;
	for (;;) {
		char *payload = NULL;
		size_t used = 0, n = 0;
		/* A copy of its own, so that a read beyond its end is found. */
		size_t left = in->n - at;
		char *copy = malloc(left ? left : 1);
		memcpy(copy, in->p + at, left);
		enum ws_event event = ws_read(r, copy, left, &used, &payload, &n);
		assert_true(used <= left);
		at += used;
		if (event != WS_EVENT_NONE)
			write_event(events, event, r, payload, n);
		free(copy);
		if (event == WS_EVENT_FAIL || event == WS_EVENT_CLOSE)
			return true;
		if (event == WS_EVENT_NONE)
			break;
	}
	assert_true(in->n - at < WS_HEADER_BYTES_MAX);
	buf_consume(in, at);
	return false;
}

/* Feeds `input` in pieces of `step` bytes, the first of `first`; compares the events. */
static void check(const struct row *row, size_t first, size_t step)
{
	struct buf input, want, got, in;
	struct ws_reader r;
	buf_init(&input, 100000);
	buf_init(&want, 100000);
	buf_init(&got, 100000);
	buf_init(&in, 100000);
	compile(row->input, &input);
	expected(row->events, &want);
	ws_reader_init(&r, WS_SERVER, MESSAGE_MAX);
	bool ended = false;
	for (size_t at = 0, n = first; at < input.n && !ended; at += n, n = step) {
		n = n < input.n - at ? n : input.n - at;
		buf_add(&in, input.p + at, n);
		ended = feed(&r, &in, &got);
	}
	if (!str_eq(buf_view(&got), buf_view(&want)))
		fail_msg("%s, cut at %zu: %.*s instead of %.*s", row->name, first, (int)got.n, got.p,
			 (int)want.n, want.p);
	ws_reader_deinit(&r);
	buf_deinit(&input);
	buf_deinit(&want);
	buf_deinit(&got);
	buf_deinit(&in);
}

static void each_case_of_rfc_6455_gives_its_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		check(&rows[i], SIZE_MAX / 2, 1);
}

static void each_case_gives_the_same_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		check(&rows[i], 1, 1);
}

static void each_case_gives_the_same_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		for (size_t cut = 1; cut < 1100; cut++)
			check(&rows[i], cut, 7000);
}

static void close_codes_are_those_that_may_stand_in_a_frame(void **state)
{
	(void)state;
	const struct { uint16_t from, to; bool valid; } ranges[] = {
		{ 0, 999, false }, { 1000, 1003, true }, { 1004, 1006, false }, { 1007, 1014, true },
		{ 1015, 2999, false }, { 3000, 4999, true }, { 5000, 65535, false },
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (unsigned code = ranges[i].from; code <= ranges[i].to; code++)
			assert_int_equal(ws_close_code_valid((uint16_t)code), ranges[i].valid);
}

static void a_close_frame_with_a_code_that_may_not_stand_there_is_1002(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 65536; code++) {
		char frame[] = { (char)0x88, (char)0x82, 0, 0, 0, 0, (char)(code >> 8), (char)code };
		struct ws_reader r;
		size_t used, n;
		char *payload;
		ws_reader_init(&r, WS_SERVER, MESSAGE_MAX);
		bool valid = ws_close_code_valid((uint16_t)code);
		assert_int_equal(ws_read(&r, frame, sizeof(frame), &used, &payload, &n),
				 valid ? WS_EVENT_CLOSE : WS_EVENT_FAIL);
		assert_int_equal(r.close_code, valid ? code : 1002);
		ws_reader_deinit(&r);
	}
}

static void what_one_side_puts_the_other_reads(void **state)
{
	(void)state;
	static const size_t sizes[] = { 0, 1, 2, 7, 8, 31, 32, 33, 125, 126, 127, 65535, 65536,
					  70000, 16 << 20 };
	static const uint8_t mask[4] = { 1, 2, 0xFF, 0 };
	size_t max = sizes[sizeof(sizes) / sizeof(sizes[0]) - 1];
	char *text = malloc(max);
	assert_non_null(text);
	for (size_t k = 0; k < max; k++)
		text[k] = (char)('a' + k % 26);
	for (int client = 0; client < 2; client++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct buf out;
			struct ws_reader r;
			size_t used, n;
			char *payload;
			buf_init(&out, max + WS_HEADER_BYTES_MAX);
			ws_put(&out, WS_TEXT, text, sizes[i], client ? mask : NULL);
			assert_int_equal(ws_frame_bytes(out.p), out.n);
			ws_reader_init(&r, client ? WS_SERVER : WS_CLIENT, max);
			assert_int_equal(ws_read(&r, out.p, out.n, &used, &payload, &n), WS_EVENT_TEXT);
			assert_int_equal(used, out.n);
			assert_int_equal(n, sizes[i]);
			assert_memory_equal(payload, text, n);
			assert_true(payload >= out.p && payload + n <= out.p + out.n); /* no copy */
			assert_int_equal(r.frames, 1);
			ws_reader_deinit(&r);
			buf_deinit(&out);
		}
	}
	free(text);
}

static void a_client_refuses_masked_frames(void **state)
{
	(void)state;
	char frame[] = "\x81\x81\1\2\3\4x";
	struct ws_reader r;
	size_t used, n;
	char *payload;
	ws_reader_init(&r, WS_CLIENT, MESSAGE_MAX);
	assert_int_equal(ws_read(&r, frame, sizeof(frame) - 1, &used, &payload, &n), WS_EVENT_FAIL);
	assert_int_equal(r.close_code, 1002);
	ws_reader_deinit(&r);
}

static void memory_grows_with_what_arrived_not_with_what_was_announced(void **state)
{
	(void)state;
	char header[] = "\x81\xFF\0\0\0\0\x3F\xFF\xFF\xFF\0\0\0\0x";
	struct ws_reader r;
	size_t used, n;
	char *payload;
	ws_reader_init(&r, WS_SERVER, (size_t)1 << 30);
	assert_int_equal(ws_read(&r, header, sizeof(header) - 1, &used, &payload, &n), WS_EVENT_NONE);
	assert_int_equal(used, sizeof(header) - 1);
	assert_in_range(r._message.cap, 1, 4096);
	ws_reader_deinit(&r);
}

static void the_gathered_message_is_freed_by_the_next_call(void **state)
{
	(void)state;
	char first[] = "\x01\x81\0\0\0\0a", second[] = "\x80\x81\0\0\0\0b";
	struct ws_reader r;
	size_t used, n;
	char *payload;
	ws_reader_init(&r, WS_SERVER, MESSAGE_MAX);
	assert_int_equal(ws_read(&r, first, 7, &used, &payload, &n), WS_EVENT_NONE);
	assert_int_equal(ws_read(&r, second, 7, &used, &payload, &n), WS_EVENT_TEXT);
	assert_int_equal(n, 2);
	assert_memory_equal(payload, "ab", 2);
	assert_int_equal(ws_read(&r, second, 0, &used, &payload, &n), WS_EVENT_NONE);
	assert_null(r._message.p);
	ws_reader_deinit(&r);
}

static void a_lower_limit_counts_for_the_message_under_way(void **state)
{
	(void)state;
	char first[] = "\x01\x81\0\0\0\0a", second[] = "\x80\x81\0\0\0\0b";
	struct ws_reader r;
	size_t used, n;
	char *payload;
	ws_reader_init(&r, WS_SERVER, MESSAGE_MAX);
	assert_int_equal(ws_read(&r, first, 7, &used, &payload, &n), WS_EVENT_NONE);
	r.message_max = 1;
	assert_int_equal(ws_read(&r, second, 7, &used, &payload, &n), WS_EVENT_FAIL);
	assert_int_equal(r.close_code, 1009);
	ws_reader_deinit(&r);
}

static void a_close_frame_is_put_with_its_reason_cut_between_characters(void **state)
{
	(void)state;
	char reason[200];
	struct buf out;
	buf_init(&out, 1000);
	ws_put_close(&out, 1000, STR("bye"), NULL);
	assert_int_equal(out.n, 7);
	assert_memory_equal(out.p, "\x88\x05\x03\xE8" "bye", 7);
	buf_clear(&out);
	ws_put_close(&out, 1005, STR("ignored"), NULL);
	assert_int_equal(out.n, 2);
	assert_memory_equal(out.p, "\x88\x00", 2);
	for (size_t i = 0; i + 1 < sizeof(reason); i += 2)
		memcpy(reason + i, "\xC3\xA4", 2);
	buf_clear(&out);
	ws_put_close(&out, 1000, (struct str){ reason, sizeof(reason) }, NULL);
	assert_int_equal(out.n, 2 + 2 + 122);
	assert_true(utf8_valid(out.p + 4, 122));
	buf_deinit(&out);
}

static void a_frame_that_does_not_fit_is_not_begun(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 10);
	ws_put(&out, WS_TEXT, "123456789", 9, NULL);
	assert_true(out.failed);
	assert_int_equal(out.n, 0);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_of_rfc_6455_gives_its_events),
		cmocka_unit_test(each_case_gives_the_same_byte_by_byte),
		cmocka_unit_test(each_case_gives_the_same_cut_anywhere),
		cmocka_unit_test(close_codes_are_those_that_may_stand_in_a_frame),
		cmocka_unit_test(a_close_frame_with_a_code_that_may_not_stand_there_is_1002),
		cmocka_unit_test(what_one_side_puts_the_other_reads),
		cmocka_unit_test(a_client_refuses_masked_frames),
		cmocka_unit_test(memory_grows_with_what_arrived_not_with_what_was_announced),
		cmocka_unit_test(the_gathered_message_is_freed_by_the_next_call),
		cmocka_unit_test(a_lower_limit_counts_for_the_message_under_way),
		cmocka_unit_test(a_close_frame_is_put_with_its_reason_cut_between_characters),
		cmocka_unit_test(a_frame_that_does_not_fit_is_not_begun),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
