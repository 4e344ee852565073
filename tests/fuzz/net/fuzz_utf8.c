/* The fast checker and its scalar twin agree, on the whole text and cut at any two places. */
#include "base/check.h"
#include "net/utf8.h"

static bool fed(bool (*feed)(struct utf8_state *, const void *, size_t), const uint8_t *p, size_t n,
		size_t first, size_t second)
{
	struct utf8_state s = { 0 };
	return feed(&s, p, first) && feed(&s, p + first, second - first) &&
	       feed(&s, p + second, n - second) && utf8_complete(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const uint8_t *p = data + 2;
	size_t n = size - 2;
	size_t first = data[0] % (n + 1), second = first + data[1] % (n - first + 1);
	bool valid = fed(utf8_feed_scalar, p, n, n, n);
	CHECK(utf8_valid(p, n) == valid);
	CHECK(fed(utf8_feed, p, n, first, second) == valid);
	CHECK(fed(utf8_feed_scalar, p, n, first, second) == valid);
	return 0;
}
