#include "net/http_head.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool http_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

static struct str from(struct str s, size_t at)
{
	return (struct str){ s.p + at, s.n - at };
}

static struct str trim(struct str s)
{
	while (s.n > 0 && is_one_of(s.p[0], " \t"))
		s = from(s, 1);
	while (s.n > 0 && is_one_of(s.p[s.n - 1], " \t"))
		s.n--;
	return s;
}

/* Where `c` first stands in s, or s.n. */
static size_t index_of(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;
	return p ? (size_t)(p - s.p) : s.n;
}

/* RFC 9110 section 5.6.2 */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !is_one_of(s.p[i], "!#$%&'*+-.^_`|~"))
			return false;
	return s.n > 0;
}

/* RFC 3986: unreserved, sub-delims, %HH, and what else `more` allows. */
static bool is_uri_text(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
				return false;
			i += 2;
		} else if (!is_alnum(c) && !is_one_of(c, "-._~!$&'()*+,;=") && !is_one_of(c, more)) {
			return false;
		}
	}
	return true;
}

/* uri-host [ ":" port ], without userinfo (RFC 9110 sections 4.2.4 and 7.2) */
static bool is_host(struct str s)
{
	size_t host_n;
	if (s.n > 0 && s.p[0] == '[') {
		host_n = index_of(s, ']') + 1;
		if (host_n > s.n || host_n == 2 ||
		    !is_uri_text((struct str){ s.p + 1, host_n - 2 }, ":"))
			return false;
	} else {
		host_n = index_of(s, ':');
		if (host_n == 0 || !is_uri_text((struct str){ s.p, host_n }, ""))
			return false;
	}
	if (host_n == s.n)
		return true;
	if (s.p[host_n] != ':')
		return false;
	for (size_t i = host_n + 1; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

/* origin-form, or absolute-form, which a server must accept too (RFC 9112 section 3.2.2). */
static bool read_target(struct str target, struct str *path_out)
{
	static const char *const schemes[] = { "http://", "https://", "ws://", "wss://" };
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct str scheme = str_of(schemes[i]);
		if (target.n < scheme.n ||
		    !http_eq_nocase((struct str){ target.p, scheme.n }, scheme))
			continue;
		struct str rest = from(target, scheme.n);
		size_t slash = index_of(rest, '/');
		if (!is_host((struct str){ rest.p, slash }))
			return false;
		target = from(rest, slash);
		break;
	}
	if (target.n == 0 || target.p[0] != '/' || !is_uri_text(target, ":@/?"))
		return false;
	*path_out = (struct str){ target.p, index_of(target, '?') };
	return true;
}

static bool read_request_line(struct str line, struct http_head *head)
{
	size_t method_n = index_of(line, ' ');
	head->method = (struct str){ line.p, method_n };
	if (method_n == line.n || !is_token(head->method))
		return false;
	struct str rest = from(line, method_n + 1);
	size_t target_n = index_of(rest, ' ');
	if (target_n == rest.n || !str_eq(from(rest, target_n + 1), STR("HTTP/1.1")))
		return false;
	/* Other methods know other forms of target; they are refused whatever it is. */
	if (!str_eq(head->method, STR("GET")))
		return target_n > 0;
	return read_target((struct str){ rest.p, target_n }, &head->path);
}

/* The next element of a comma-separated list, trimmed; empty ones are skipped (RFC 9110
 * section 5.6.1). */
static bool next_item(struct str *list, struct str *item_out)
{
	while (list->n > 0) {
		size_t comma = index_of(*list, ',');
		*item_out = trim((struct str){ list->p, comma });
		*list = from(*list, comma < list->n ? comma + 1 : comma);
		if (item_out->n > 0)
			return true;
	}
	return false;
}

static bool lists(struct str list, struct str item)
{
	struct str each;
	while (next_item(&list, &each))
		if (http_eq_nocase(each, item))
			return true;
	return false;
}

static bool read_subprotocols(struct str list, struct str wanted, struct http_head *head)
{
	struct str each;
	while (next_item(&list, &each)) {
		if (!is_token(each))
			return false;
		if (str_eq(each, wanted))
			head->subprotocol_offered = true;
	}
	return true;
}

static struct str *unrepeatable(struct http_head *head, struct str name)
{
	const struct { const char *name; struct str *value; } rows[] = {
		{ "host", &head->host },
		{ "sec-websocket-key", &head->key },
		{ "sec-websocket-version", &head->version },
		{ "origin", &head->origin },
		{ "content-length", &head->content_length },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (http_eq_nocase(name, str_of(rows[i].name)))
			return rows[i].value;
	return NULL;
}

static bool read_header(struct str line, struct str subprotocol, struct http_head *head)
{
	size_t colon = index_of(line, ':');
	struct str name = { line.p, colon };
	/* A name that is no token covers obsolete folding and a space before the colon, too. */
	if (colon == line.n || !is_token(name))
		return false;
	struct str value = trim(from(line, colon + 1));
	struct str *once = unrepeatable(head, name);
	if (once) {
		if (once->p)
			return false;
		*once = value;
	} else if (http_eq_nocase(name, STR("connection"))) {
		head->connection_upgrade |= lists(value, STR("upgrade"));
	} else if (http_eq_nocase(name, STR("upgrade"))) {
		head->upgrade_websocket |= lists(value, STR("websocket"));
	} else if (http_eq_nocase(name, STR("transfer-encoding"))) {
		head->transfer_encoding = true;
	} else if (http_eq_nocase(name, STR("sec-websocket-protocol"))) {
		return read_subprotocols(value, subprotocol, head);
	}
	return true;
}

/* The line that starts at `at`: up to its CR LF. No other CR, LF or control but the tab. */
static enum http_head_result next_line(struct str in, size_t at, struct str *line_out)
{
	for (size_t i = at; i < in.n; i++) {
		uint8_t c = (uint8_t)in.p[i];
		if (c == '\r' && i + 1 == in.n)
			return HTTP_HEAD_MORE;
		if (c == '\r' && in.p[i + 1] == '\n') {
			*line_out = (struct str){ in.p + at, i - at };
			return HTTP_HEAD_DONE;
		}
		if ((c < ' ' && c != '\t') || c == 0x7F)
			return HTTP_HEAD_BAD;
	}
	return HTTP_HEAD_MORE;
}

static bool headers_agree(const struct http_head *head)
{
	for (size_t i = 0; i < head->content_length.n; i++)
		if (!is_digit(head->content_length.p[i]))
			return false;
	if (head->content_length.p && (head->content_length.n == 0 || head->transfer_encoding))
		return false;
	return is_host(head->host);
}

enum http_head_result http_head_read(struct str in, struct str subprotocol, struct http_head *head_out,
				     size_t *used_out)
{
	*head_out = (struct http_head){ 0 };
	/* One empty line before the request is to be ignored (RFC 9112 section 2.2). */
	size_t at = in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n' ? 2 : 0;
	struct str line;
	for (bool first = true;; first = false) {
		enum http_head_result result = next_line(in, at, &line);
		if (result != HTTP_HEAD_DONE)
			return result;
		at += line.n + 2;
		if (first) {
			if (!read_request_line(line, head_out))
				return HTTP_HEAD_BAD;
		} else if (line.n == 0) {
			*used_out = at;
			return headers_agree(head_out) ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
		} else if (!read_header(line, subprotocol, head_out)) {
			return HTTP_HEAD_BAD;
		}
	}
}
