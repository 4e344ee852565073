/* Any bytes may be judged; strict JSON is LEMP's too; any bytes written as a string decode to
 * themselves. */
#include "base/check.h"
#include "packet/json.h"
#include <stdint.h>

static bool wrapped_valid(struct str text, enum json_dialect dialect)
{
	struct buf b;
	buf_init(&b, text.n + 64);
	BUF_LIT(&b, " [");
	buf_str(&b, text);
	BUF_LIT(&b, ", 1]\n");
	bool valid = json_valid(buf_view(&b), dialect);
	buf_deinit(&b);
	return valid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	bool strict = json_valid(text, JSON_RFC8259), lemp = json_valid(text, JSON_LEMP);
	CHECK(lemp || !strict);
	/* what is no value is none inside an array either, unless a comma makes it two */
	CHECK(strict || !wrapped_valid(text, JSON_RFC8259) || memchr(data, ',', size));
	CHECK(lemp || !wrapped_valid(text, JSON_LEMP) || memchr(data, ',', size));
	struct buf b;
	buf_init(&b, 6 * size + 64);
	json_put_string(&b, text);
	CHECK(!b.failed);
	CHECK(str_eq(json_decode(b.p + 1, b.n - 2), text));
	buf_deinit(&b);
	return 0;
}
