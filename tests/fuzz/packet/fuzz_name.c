/* What is a name has none of the bytes that would let it pass for another, and stays one beside
 * others; a name of ASCII is a name. The bytes become characters here, as name_check asks for UTF-8. */
#include "base/check.h"
#include "packet/json.h"
#include "packet/name.h"
#include <stdint.h>
#include <stdio.h>

/* Two bytes make one character, by way of the escape that stands for it. */
static struct str name_make(const uint8_t *data, size_t size, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i + 1 < size; i += 2) {
		unsigned c = (unsigned)data[i] << 8 | data[i + 1];
		if (c >= 0xD800 && c <= 0xDFFF)
			c = data[i + 1];
		snprintf(to + n, 7, "\\u%04x", c);
		n += 6;
	}
	return json_decode(to, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[6 * 80 + 1], twice[1024];
	struct str name = name_make(data, size > 160 ? 160 : size, text);
	enum name_verdict verdict = name_check(name, false), ascii = name_check(name, true);
	CHECK(name_verdict_text(verdict)[0]);
	CHECK(verdict == ascii || ascii == NAME_NOT_ASCII);
	CHECK((verdict == NAME_EMPTY) == (name.n == 0));
	CHECK((verdict == NAME_TOO_LONG) == (name.n > NAME_BYTES_MAX));
	if (verdict != NAME_GOOD)
		return 0;
	for (size_t i = 0; i < name.n; i++)
		CHECK((unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7F);
	CHECK(name.p[0] != ' ' && name.p[name.n - 1] != ' ');
	memcpy(twice, name.p, name.n);
	memcpy(twice + name.n, name.p, name.n);
	enum name_verdict both = name_check((struct str){ twice, 2 * name.n }, false);
	CHECK(both == (2 * name.n > NAME_BYTES_MAX ? NAME_TOO_LONG : NAME_GOOD));
	return 0;
}
