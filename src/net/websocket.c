#include "net/websocket.h"

#define WS_HEADER_BYTES_MIN 2
#define MASK_BYTES 4

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0F, MASKED = 0x80, LENGTH = 0x7F, CONTROL = 0x08 };
enum { LENGTH_16 = 126, LENGTH_64 = 127 }; /* the length follows in 2 or 8 bytes */

enum {
	CODE_PROTOCOL = 1002,
	CODE_BINARY = 1003,
	CODE_NONE = 1005,
	CODE_UTF8 = 1007,
	CODE_TOO_BIG = 1009,
	CODE_NO_MEMORY = 1011,
};

void ws_reader_init(struct ws_reader *r, enum ws_role role, size_t message_max)
{
	*r = (struct ws_reader){ .role = role, .message_max = message_max };
	buf_init(&r->_message, message_max);
}

void ws_reader_deinit(struct ws_reader *r)
{
	buf_deinit(&r->_message);
}

bool ws_close_code_valid(uint16_t code)
{
	/* 1004, 1005, 1006 and 1015 never stand in a frame; 1012-1014 came by the IANA registry. */
	if (code >= 1000 && code < 1015)
		return code != 1004 && code != CODE_NONE && code != 1006;
	return code >= 3000 && code < 5000;
}

static enum ws_event fail(struct ws_reader *r, uint16_t code)
{
	r->close_code = code;
	return WS_EVENT_FAIL;
}

/* XORs with the mask, 8 bytes at a time. Returns where in the mask the next byte stands. */
static uint8_t apply_mask(char *p, size_t n, const uint8_t mask[MASK_BYTES], uint8_t at)
{
	uint8_t key_bytes[8];
	uint64_t key, word[4];
	size_t i = 0;
	for (unsigned k = 0; k < 8; k++)
		key_bytes[k] = mask[(at + k) % MASK_BYTES];
	memcpy(&key, key_bytes, 8);
	for (; n - i >= 32; i += 32) {
		memcpy(word, p + i, 32);
		word[0] ^= key;
		word[1] ^= key;
		word[2] ^= key;
		word[3] ^= key;
		memcpy(p + i, word, 32);
	}
	for (; n - i >= 8; i += 8) {
		memcpy(word, p + i, 8);
		word[0] ^= key;
		memcpy(p + i, word, 8);
	}
	for (; i < n; i++)
		p[i] = (char)((uint8_t)p[i] ^ key_bytes[i % 8]);
	return (uint8_t)((at + n) % MASK_BYTES);
}

/* What the first two bytes may say at this place. 0 or the code to close with. */
static uint16_t check_first_bytes(const struct ws_reader *r, uint8_t first, uint8_t second)
{
	uint8_t opcode = first & OPCODE;
	if (first & RESERVED)
		return CODE_PROTOCOL;
	if (((second & MASKED) != 0) != (r->role == WS_SERVER))
		return CODE_PROTOCOL;
	if (opcode & CONTROL) {
		bool short_enough = (second & LENGTH) <= WS_CONTROL_BYTES_MAX;
		return opcode <= WS_PONG && (first & FIN) && short_enough ? 0 : CODE_PROTOCOL;
	}
	if (opcode > WS_BINARY || (opcode == WS_CONTINUATION) != (r->_in_message != 0))
		return CODE_PROTOCOL;
	return opcode == WS_BINARY ? CODE_BINARY : 0;
}

static size_t length_bytes(uint8_t second)
{
	uint8_t length = second & LENGTH;
	return length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
}

static uint64_t frame_length(const uint8_t *header)
{
	size_t n = length_bytes(header[1]);
	if (n == 0)
		return header[1] & LENGTH;
	uint64_t length = 0;
	for (size_t i = 0; i < n; i++)
		length = length << 8 | header[2 + i];
	return length;
}

static uint16_t check_length(const struct ws_reader *r, const uint8_t *header, uint64_t length)
{
	size_t n = length_bytes(header[1]);
	if ((n == 2 && length < LENGTH_16) || (n == 8 && (length <= UINT16_MAX || length >> 63)))
		return CODE_PROTOCOL;
	if (header[0] & CONTROL)
		return 0;
	size_t before = r->_in_message ? r->_message.n : 0;
	return before > r->message_max || length > r->message_max - before ? CODE_TOO_BIG : 0;
}

/* Starts a frame if its header is there; else *used_out stays 0. Returns 0 or the code to close
 * with, as soon as the bytes show it. */
static uint16_t read_header(struct ws_reader *r, const char *in, size_t n, size_t *used_out)
{
	const uint8_t *header = (const uint8_t *)in;
	if (n < WS_HEADER_BYTES_MIN)
		return 0;
	uint16_t code = check_first_bytes(r, header[0], header[1]);
	size_t length_end = WS_HEADER_BYTES_MIN + length_bytes(header[1]);
	if (code || n < length_end)
		return code;
	uint64_t length = frame_length(header);
	code = check_length(r, header, length);
	size_t end = length_end + (r->role == WS_SERVER ? MASK_BYTES : 0);
	if (code || n < end)
		return code;
	if (r->role == WS_SERVER)
		memcpy(r->_mask, header + length_end, MASK_BYTES);
	r->_mask_at = 0;
	r->_left = length;
	r->_opcode = header[0] & OPCODE;
	r->_fin = header[0] & FIN;
	r->_in_frame = 1;
	r->_control_n = 0;
	if (!(r->_opcode & CONTROL))
		r->_message.max = r->message_max;
	if (r->_opcode == WS_TEXT) {
		r->_in_message = 1;
		r->_utf8 = (struct utf8_state){ 0 };
	}
	*used_out = end;
	return 0;
}

static enum ws_event close_event(struct ws_reader *r, char **payload, size_t *payload_n)
{
	if (*payload_n == 0) {
		r->close_code = CODE_NONE;
		return WS_EVENT_CLOSE;
	}
	if (*payload_n == 1)
		return fail(r, CODE_PROTOCOL);
	const uint8_t *code = (const uint8_t *)*payload;
	r->close_code = (uint16_t)(code[0] << 8 | code[1]);
	if (!ws_close_code_valid(r->close_code))
		return fail(r, CODE_PROTOCOL);
	*payload += 2;
	*payload_n -= 2;
	return utf8_valid(*payload, *payload_n) ? WS_EVENT_CLOSE : fail(r, CODE_UTF8);
}

/* Takes n more bytes of a control frame, unmasked. */
static enum ws_event take_control(struct ws_reader *r, char *p, size_t n, char **payload_out,
				  size_t *payload_n_out)
{
	*payload_out = p;
	*payload_n_out = n;
	if (r->_left > 0 || r->_control_n > 0) {
		memcpy(r->_control + r->_control_n, p, n);
		r->_control_n = (uint8_t)(r->_control_n + n);
		*payload_out = (char *)r->_control;
		*payload_n_out = r->_control_n;
	}
	if (r->_left > 0)
		return WS_EVENT_NONE;
	if (r->_opcode == WS_CLOSE)
		return close_event(r, payload_out, payload_n_out);
	return r->_opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
}

/* Takes n more bytes of a text message, unmasked. `whole`: they are all of a frame. */
static enum ws_event take_text(struct ws_reader *r, char *p, size_t n, bool whole, char **payload_out,
			       size_t *payload_n_out)
{
	if (!utf8_feed(&r->_utf8, p, n))
		return fail(r, CODE_UTF8);
	bool last = r->_left == 0 && r->_fin;
	if (last && !utf8_complete(&r->_utf8))
		return fail(r, CODE_UTF8);
	*payload_out = p;
	*payload_n_out = n;
	if (!(whole && last && r->_opcode == WS_TEXT)) {
		buf_add(&r->_message, p, n);
		if (r->_message.failed)
			return fail(r, CODE_NO_MEMORY);
		if (r->_message.n > 0)
			*payload_out = r->_message.p;
		*payload_n_out = r->_message.n;
	}
	if (!last)
		return WS_EVENT_NONE;
	r->_in_message = 0;
	return WS_EVENT_TEXT;
}

enum ws_event ws_read(struct ws_reader *r, char *in, size_t n, size_t *used_out, char **payload_out,
		      size_t *payload_n_out)
{
	*used_out = 0;
	if (!r->_in_message && r->_message.p) { /* was given out by the last call */
		buf_deinit(&r->_message);
		buf_init(&r->_message, r->message_max);
	}
	for (;;) {
		bool whole = false;
		if (!r->_in_frame) {
			size_t header_n = 0;
			uint16_t code = read_header(r, in + *used_out, n - *used_out, &header_n);
			if (code)
				return fail(r, code);
			if (!r->_in_frame)
				return WS_EVENT_NONE;
			*used_out += header_n;
			whole = r->_left <= n - *used_out;
		}
		size_t left = n - *used_out;
		size_t take = r->_left < left ? (size_t)r->_left : left;
		char *p = in + *used_out;
		if (r->role == WS_SERVER)
			r->_mask_at = apply_mask(p, take, r->_mask, r->_mask_at);
		*used_out += take;
		r->_left -= take;
		enum ws_event event =
			r->_opcode & CONTROL
				? take_control(r, p, take, payload_out, payload_n_out)
				: take_text(r, p, take, whole, payload_out, payload_n_out);
		if (r->_left > 0 || event == WS_EVENT_FAIL)
			return event;
		r->_in_frame = 0;
		r->frames++;
		if (event != WS_EVENT_NONE)
			return event;
	}
}

void ws_put(struct buf *out, enum ws_opcode opcode, const void *payload, size_t n,
	    const uint8_t mask[4])
{
	uint8_t header[WS_HEADER_BYTES_MAX];
	size_t header_n = WS_HEADER_BYTES_MIN;
	size_t length_n = n < LENGTH_16 ? 0 : n <= UINT16_MAX ? 2 : 8;
	header[0] = (uint8_t)(FIN | opcode);
	header[1] = (uint8_t)((length_n == 0 ? n : length_n == 2 ? LENGTH_16 : LENGTH_64) |
			      (mask ? MASKED : 0));
	for (size_t i = 0; i < length_n; i++)
		header[header_n++] = (uint8_t)((uint64_t)n >> 8 * (length_n - 1 - i));
	if (mask) {
		memcpy(header + header_n, mask, MASK_BYTES);
		header_n += MASK_BYTES;
	}
	char *to = buf_reserve(out, header_n + n);
	if (!to)
		return;
	memcpy(to, header, header_n);
	if (n > 0)
		memcpy(to + header_n, payload, n);
	if (mask)
		(void)apply_mask(to + header_n, n, mask, 0);
	buf_commit(out, header_n + n);
}

void ws_put_close(struct buf *out, uint16_t code, struct str reason, const uint8_t mask[4])
{
	uint8_t payload[WS_CONTROL_BYTES_MAX];
	size_t n = reason.n < sizeof(payload) - 2 ? reason.n : sizeof(payload) - 2;
	if (code == CODE_NONE) {
		ws_put(out, WS_CLOSE, NULL, 0, mask);
		return;
	}
	/* A cut may not fall within a character: the peer checks the reason's UTF-8. */
	while (n < reason.n && n > 0 && ((uint8_t)reason.p[n] & 0xC0) == 0x80)
		n--;
	payload[0] = (uint8_t)(code >> 8);
	payload[1] = (uint8_t)code;
	if (n > 0)
		memcpy(payload + 2, reason.p, n);
	ws_put(out, WS_CLOSE, payload, n + 2, mask);
}

size_t ws_frame_bytes(const char *frame)
{
	const uint8_t *header = (const uint8_t *)frame;
	return WS_HEADER_BYTES_MIN + length_bytes(header[1]) + (header[1] & MASKED ? MASK_BYTES : 0) +
	       (size_t)frame_length(header);
}
