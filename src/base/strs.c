#include "base/strs.h"
#include "base/err.h"

#define ABSENT UINT32_MAX

void strs_add(struct buf *list, struct str s)
{
	uint32_t n = s.p ? (uint32_t)s.n : ABSENT;
	CHECK(s.n < ABSENT);
	buf_add(list, &n, sizeof(n));
	buf_str(list, s);
}

int strs_next(struct str list, size_t *cursor, struct str *out)
{
	uint32_t n;
	size_t left = list.n - *cursor;
	if (*cursor >= list.n)
		return *cursor == list.n ? 0 : ERR_CORRUPT;
	if (left < sizeof(n))
		return ERR_CORRUPT;
	memcpy(&n, list.p + *cursor, sizeof(n));
	left -= sizeof(n);
	if (n != ABSENT && n > left)
		return ERR_CORRUPT;
	*cursor += sizeof(n);
	*out = n == ABSENT ? STR_NONE : (struct str){ list.p + *cursor, n };
	*cursor += out->n;
	return 1;
}

size_t strs_count(struct str list)
{
	size_t cursor = 0, n = 0;
	struct str s;
	while (strs_next(list, &cursor, &s) == 1)
		n++;
	return n;
}
