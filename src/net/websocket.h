/* RFC 6455 frames, both roles, without I/O. No extensions (reserved bits: 1002).
 * Strict: non-minimal lengths and lengths over 2^63 are 1002, unmasked frames from a client (masked ones
 * from a server) 1002, UTF-8 is checked as it arrives (1007), a close frame's code and text too. */
#pragma once
#include "base/buf.h"
#include "net/utf8.h"

enum ws_role { WS_SERVER, WS_CLIENT }; /* whose side this is */
enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum ws_event {
	WS_EVENT_NONE,    /* needs more bytes */
	WS_EVENT_TEXT,    /* one whole message */
	WS_EVENT_PING, WS_EVENT_PONG,
	WS_EVENT_CLOSE,   /* the peer closes: close_code (1005 if none given) */
	WS_EVENT_FAIL,    /* close_code says how the connection must be closed */
};

/* Reads frames. A message that lies whole in the input is unmasked and given out where it
 * stands, without a copy; else it gathers in `message`, which grows with what arrived, not with what was announced. */
struct ws_reader {
	enum ws_role role;
	size_t message_max;  /* over it: FAIL 1009; may be changed at any time */
	uint16_t close_code; /* after CLOSE and FAIL */
	uint64_t frames;     /* read whole so far, of any kind: a sign of life */
	struct buf _message;
	struct utf8_state _utf8;
	uint64_t _left;      /* payload bytes of the current frame still to come */
	uint8_t _mask[4], _mask_at, _opcode, _fin, _in_message, _in_frame;
	uint8_t _control[125], _control_n;
};
void ws_reader_init(struct ws_reader *r, enum ws_role role, size_t message_max);
void ws_reader_deinit(struct ws_reader *r);
/* Takes bytes from in[0..n), which it may change. *used_out: how many were taken (the rest, a
 * part of a frame header, must come again with more behind it). *payload_out: for TEXT, PING, PONG and
 * CLOSE (the reason); valid until the next call; its bytes may be changed by the caller (TEXT). Call again
 * until NONE; after FAIL never. A binary message is FAIL 1003, no memory for a message FAIL 1011. */
enum ws_event ws_read(struct ws_reader *r, char *in, size_t n, size_t *used_out, char **payload_out,
		      size_t *payload_n_out);

/* Appends one whole frame. A client masks with `mask`, a server passes NULL. */
void ws_put(struct buf *out, enum ws_opcode opcode, const void *payload, size_t n, const uint8_t mask[4]);
/* The reason is cut to the 123 bytes that fit. Code 1005 gives a close frame without any. */
void ws_put_close(struct buf *out, uint16_t code, struct str reason, const uint8_t mask[4]);
/* May this code stand in a close frame (RFC 6455 section 7.4)? */
bool ws_close_code_valid(uint16_t code);
/* Bytes of the whole frame that starts at `frame`, whose header is there. */
size_t ws_frame_bytes(const char *frame);
#define WS_HEADER_BYTES_MAX 14
#define WS_CONTROL_BYTES_MAX 125 /* payload of a control frame */
