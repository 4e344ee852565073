/* The opening handshake: HTTP/1.1 request in, response out (RFC 9112, RFC 6455 section 4). Pure. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#define HTTP_HEAD_BYTES_MAX 8192 /* request line and headers; more: 431 */

struct http_settings {
	struct str path;             /* the WebSocket endpoint */
	const struct str *origins;   /* allowed Origin values; compared whole, scheme and host without case */
	size_t origin_count;         /* 0: any */
	struct str subprotocol;      /* selected if offered; may be absent */
};

enum http_result {
	HTTP_MORE,    /* the head is not complete yet */
	HTTP_UPGRADE, /* `out` holds the 101 response */
	HTTP_REFUSED, /* `out` holds a response 400, 403, 404, 405, 426 or 431 that closes the connection */
};
/* Looks at the bytes read so far; a strict parser: whatever RFC 9112 calls invalid is 400.
 * *used_out: bytes of the head, when UPGRADE. *status_out: the HTTP status, when not MORE. */
enum http_result http_handshake(const struct http_settings *s, struct str in, struct buf *out,
				size_t *used_out, int *status_out);
