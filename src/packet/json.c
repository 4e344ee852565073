#include "packet/json_scan.h"
#include <stdint.h>

/* Bytes of the UTF-8 sequence that begins at p (RFC 3629: shortest form, no surrogates, up to
 * U+10FFFF), 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
	size_t bytes;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF) {
		bytes = 2;
	} else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		bytes = 3;
		low = p[0] == 0xE0 ? 0xA0 : 0x80;
		high = p[0] == 0xED ? 0x9F : 0xBF;
	} else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		bytes = 4;
		low = p[0] == 0xF0 ? 0x90 : 0x80;
		high = p[0] == 0xF4 ? 0x8F : 0xBF;
	} else {
		return 0;
	}
	if (n < bytes || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < bytes; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return bytes;
}

static bool utf8_good(struct str text)
{
	for (size_t at = 0; at < text.n;) {
		size_t n = utf8_sequence((const unsigned char *)text.p + at, text.n - at);
		if (!n)
			return false;
		at += n;
	}
	return true;
}

bool json_valid(struct str text, enum json_dialect dialect)
{
	if (!text.n || !utf8_good(text))
		return false;
	/* The scanner changes nothing; its cursor is writable for packet_read, which does. */
	char *p = (char *)(uintptr_t)text.p;
	struct json_scan s = { p, p + text.n, NULL };
	struct json_value v;
	return json_scan_value(&s, dialect, 0, &v) && json_scan_end(&s);
}

static const char hex_digits[] = "0123456789abcdef";

/* The letter of a short escape, or 0. */
static char escape_letter(char c)
{
	switch (c) {
	case '"': case '\\': return c;
	case '\b': return 'b';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	default: return '\0';
	}
}

size_t json_string_bytes(struct str s)
{
	size_t n = s.n + 2;
	const char *end = s.n ? s.p + s.n : s.p;
	for (const char *p = s.p; p < end; p++) {
		p = json_plain_end(p, end);
		if (p < end)
			n += escape_letter(*p) ? 1 : 5;
		else
			break;
	}
	return n;
}

char *json_string_write(char *to, struct str s)
{
	const char *end = s.n ? s.p + s.n : s.p;
	*to++ = '"';
	for (const char *p = s.p; p < end; p++) {
		const char *stop = json_plain_end(p, end);
		memcpy(to, p, (size_t)(stop - p));
		to += stop - p;
		p = stop;
		if (p == end)
			break;
		*to++ = '\\';
		char letter = escape_letter(*p);
		if (letter) {
			*to++ = letter;
			continue;
		}
		memcpy(to, "u00", 3);
		to[3] = hex_digits[*p >> 4 & 1];
		to[4] = hex_digits[*p & 15];
		to += 5;
	}
	*to++ = '"';
	return to;
}

void json_put_string(struct buf *out, struct str s)
{
	size_t n = json_string_bytes(s);
	char *to = buf_reserve(out, n);
	if (!to)
		return;
	json_string_write(to, s);
	buf_commit(out, n);
}

static unsigned hex_value(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return v;
}

static char *utf8_write(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xC0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xE0 | c >> 12);
		} else {
			*to++ = (char)(0xF0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3F));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3F));
	}
	*to++ = (char)(0x80 | (c & 0x3F));
	return to;
}

/* Decodes the escape at *from to `to`, which it never passes: an escape is longer than what it
 * stands for. Moves *from past it and returns the end of what was written. */
static char *escape_decode(const char **from, char *to)
{
	const char *p = *from;
	*from += 2;
	switch (p[1]) {
	case 'b': *to++ = '\b'; return to;
	case 'f': *to++ = '\f'; return to;
	case 'n': *to++ = '\n'; return to;
	case 'r': *to++ = '\r'; return to;
	case 't': *to++ = '\t'; return to;
	default: *to++ = p[1]; return to;
	case 'u': break;
	}
	unsigned c = hex_value(p + 2);
	*from += 4;
	if (c >= 0xD800 && c <= 0xDBFF) {
		c = 0x10000 + ((c - 0xD800) << 10) + (hex_value(p + 8) - 0xDC00);
		*from += 6;
	}
	return utf8_write(to, c);
}

struct str json_decode(char *p, size_t n)
{
	const char *from = n ? memchr(p, '\\', n) : NULL;
	if (!from)
		return (struct str){ p, n };
	const char *end = p + n;
	char *to = p + (from - p);
	while (from < end) {
		if (*from == '\\')
			to = escape_decode(&from, to);
		else
			*to++ = *from++;
	}
	return (struct str){ p, (size_t)(to - p) };
}
