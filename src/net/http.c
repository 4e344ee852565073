#include "net/http.h"
#include "net/http_head.h"
#include "net/sha1.h"
#include <sodium.h>

#define KEY_BYTES 16
#define BASE64_BYTES(n) (4 * (((n) + 2) / 3))
#define KEY_TEXT_BYTES BASE64_BYTES(KEY_BYTES)
#define ACCEPT_TEXT_BYTES BASE64_BYTES(SHA1_BYTES)

struct refusal_row {
	int status;
	const char *title;
	const char *headers; /* beside those all have */
	const char *body;    /* for a person who looks with a browser */
};

static const struct refusal_row refusals[] = {
	{ 400, "Bad Request", "", "This is not a valid WebSocket handshake." },
	{ 403, "Forbidden", "", "Pages of this origin may not connect." },
	{ 404, "Not Found", "", "There is no WebSocket endpoint here." },
	{ 405, "Method Not Allowed", "Allow: GET\r\n", "Only GET is understood here." },
	{ 426, "Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
	  "This is a WebSocket endpoint (RFC 6455, version 13)." },
	{ 431, "Request Header Fields Too Large", "", "The request is too long." },
};

static void refuse(const struct refusal_row *row, bool body, struct buf *out)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\n%sConnection: %sclose\r\n", row->status, row->title,
		   row->headers, row->status == 426 ? "Upgrade, " : "");
	buf_printf(out, "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		   strlen(row->body) + 1);
	if (body)
		buf_printf(out, "%s\n", row->body);
}

static bool key_valid(struct str key)
{
	uint8_t bytes[KEY_BYTES];
	size_t n = 0;
	return key.p && sodium_base642bin(bytes, sizeof(bytes), key.p, key.n, NULL, &n, NULL,
					  sodium_base64_VARIANT_ORIGINAL) == 0 && n == KEY_BYTES;
}

static bool all_zeros(struct str digits)
{
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] != '0')
			return false;
	return true;
}

/* Only browsers send an Origin, and only they can be made to connect by a foreign page; who sends
 * none is no browser. */
static bool origin_allowed(const struct http_settings *s, struct str origin)
{
	if (s->origin_count == 0 || !origin.p)
		return true;
	for (size_t i = 0; i < s->origin_count; i++)
		if (http_eq_nocase(origin, s->origins[i]))
			return true;
	return false;
}

static int judge(const struct http_settings *s, const struct http_head *head)
{
	if (!str_eq(head->method, STR("GET")))
		return 405;
	if (head->transfer_encoding || !all_zeros(head->content_length))
		return 400;
	if (!str_eq(head->path, s->path))
		return 404;
	if (!head->connection_upgrade || !head->upgrade_websocket ||
	    !str_eq(head->version, STR("13")))
		return 426;
	if (!key_valid(head->key))
		return 400;
	if (!origin_allowed(s, head->origin))
		return 403;
	return 101;
}

/* RFC 6455 section 4.2.2 */
static void accept_upgrade(const struct http_settings *s, const struct http_head *head,
			   struct buf *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char joined[KEY_TEXT_BYTES + sizeof(guid)];
	uint8_t hash[SHA1_BYTES];
	char text[ACCEPT_TEXT_BYTES + 1];

	CHECK(head->key.n == KEY_TEXT_BYTES); /* key_valid */
	memcpy(joined, head->key.p, head->key.n);
	memcpy(joined + head->key.n, guid, sizeof(guid) - 1);
	sha1((struct str){ joined, head->key.n + sizeof(guid) - 1 }, hash);
	sodium_bin2base64(text, sizeof(text), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);

	BUF_LIT(out, "HTTP/1.1 101 Switching Protocols\r\n"
		     "Upgrade: websocket\r\nConnection: Upgrade\r\n");
	buf_printf(out, "Sec-WebSocket-Accept: %s\r\n", text);
	if (head->subprotocol_offered)
		buf_printf(out, "Sec-WebSocket-Protocol: %.*s\r\n", STR_ARG(s->subprotocol));
	BUF_LIT(out, "\r\n");
}

enum http_result http_handshake(const struct http_settings *s, struct str in, struct buf *out,
				size_t *used_out, int *status_out)
{
	struct http_head head;
	struct str seen = { in.p, in.n < HTTP_HEAD_BYTES_MAX ? in.n : HTTP_HEAD_BYTES_MAX };
	int status = 400;
	switch (http_head_read(seen, s->subprotocol, &head, used_out)) {
	case HTTP_HEAD_MORE:
		if (seen.n < HTTP_HEAD_BYTES_MAX)
			return HTTP_MORE;
		status = 431;
		break;
	case HTTP_HEAD_DONE:
		status = judge(s, &head);
		break;
	case HTTP_HEAD_BAD:
		break;
	}
	*status_out = status;
	if (status == 101) {
		accept_upgrade(s, &head, out);
		return HTTP_UPGRADE;
	}
	/* An answer to HEAD has no body (RFC 9110 section 9.3.2). */
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].status == status)
			refuse(&refusals[i], !str_eq(head.method, STR("HEAD")), out);
	return HTTP_REFUSED;
}
