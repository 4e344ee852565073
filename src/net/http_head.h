/* The head of an HTTP/1.1 request (RFC 9112): its lines, strictly, and what a WebSocket
 * handshake needs of them. Pure; all views point into the input. */
#pragma once
#include "base/str.h"
#include <stdint.h>

struct http_head {
	struct str method, path; /* path: without the query; absent if the method is not GET */
	/* Headers that must not be repeated; absent or trimmed. */
	struct str host, key, version, origin, content_length;
	bool transfer_encoding;
	bool connection_upgrade;  /* Connection lists "upgrade" */
	bool upgrade_websocket;   /* Upgrade lists "websocket" */
	bool subprotocol_offered; /* Sec-WebSocket-Protocol lists the one asked for */
};

enum http_head_result {
	HTTP_HEAD_MORE, /* fine so far, the end is not there */
	HTTP_HEAD_DONE,
	HTTP_HEAD_BAD,  /* not what RFC 9112 and RFC 6455 allow, as soon as a line shows it */
};
/* *used_out: bytes of the head with its empty line, when DONE. */
enum http_head_result http_head_read(struct str in, struct str subprotocol, struct http_head *head_out,
				     size_t *used_out);

/* Compares ASCII letters without case. */
bool http_eq_nocase(struct str a, struct str b);
