#include "packet/name.h"
#include <stdint.h>

struct range { uint32_t first, last; };

/* protocol.md 13.1: controls (C0, C1, DEL), zero-width and bidirectional-control characters. */
static const struct range refused[] = {
	{ 0x0000, 0x001F }, { 0x007F, 0x009F }, { 0x061C, 0x061C }, { 0x180E, 0x180E },
	{ 0x200B, 0x200F }, { 0x202A, 0x202E }, { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF },
};

/* Unicode's White_Space (PropList.txt) but for those refused anyway. */
static const struct range blanks[] = {
	{ 0x0020, 0x0020 }, { 0x00A0, 0x00A0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200A },
	{ 0x2028, 0x2029 }, { 0x202F, 0x202F }, { 0x205F, 0x205F }, { 0x3000, 0x3000 },
};

#define RANGE_HAS(ranges, c) range_has(ranges, sizeof(ranges) / sizeof((ranges)[0]), c)

static bool range_has(const struct range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

/* The character at *at of valid UTF-8; moves *at past it. */
static uint32_t character_next(struct str s, size_t *at)
{
	const unsigned char *p = (const unsigned char *)s.p + *at;
	if (p[0] < 0x80) {
		*at += 1;
		return p[0];
	}
	if (p[0] < 0xE0) {
		*at += 2;
		return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
	}
	if (p[0] < 0xF0) {
		*at += 3;
		return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
	}
	*at += 4;
	return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
}

enum name_verdict name_check(struct str name, bool ascii_only)
{
	if (!name.n)
		return NAME_EMPTY;
	if (name.n > NAME_BYTES_MAX)
		return NAME_TOO_LONG;
	bool ascii = true, blank_first = false, blank = false;
	for (size_t at = 0; at < name.n;) {
		bool first = at == 0;
		uint32_t c = character_next(name, &at);
		if (c > 0x20 && c < 0x7F) {
			blank = false;
			continue;
		}
		if (RANGE_HAS(refused, c))
			return NAME_BAD_CHARACTER;
		ascii = ascii && c < 0x80;
		blank = RANGE_HAS(blanks, c);
		blank_first = blank_first || (first && blank);
	}
	if (blank_first || blank)
		return NAME_BLANK_END;
	return ascii_only && !ascii ? NAME_NOT_ASCII : NAME_GOOD;
}

const char *name_verdict_text(enum name_verdict v)
{
	static const char *const texts[] = {
		[NAME_GOOD] = "is a good name",
		[NAME_EMPTY] = "is empty",
		[NAME_TOO_LONG] = "is longer than 128 bytes",
		[NAME_BAD_CHARACTER] =
			"holds a control, zero-width or bidirectional-control character",
		[NAME_BLANK_END] = "begins or ends with white space",
		[NAME_NOT_ASCII] = "holds characters outside ASCII, which this server refuses",
	};
	return texts[v];
}
