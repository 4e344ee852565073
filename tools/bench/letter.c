#include "letter.h"
#include "base/clock.h"
#include "base/err.h"
#include "packet/json.h"
#include <sys/random.h>

#define ID_NUMBER_AT (LETTER_TAG_CHARS + 3) /* TAG . m . number */
#define ID_CHARS (ID_NUMBER_AT + 8)
#define TIME_CHARS 13
#define BYTES_MAX ((size_t)LETTER_CONTENT_BYTES_MAX + 4096)

static void put_hex(char *to, uint32_t v)
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 7; i >= 0; i--, v >>= 4)
		to[i] = digits[v & 15];
}

static void put_time(char *to, int64_t ms)
{
	for (int i = TIME_CHARS - 1; i >= 0; i--, ms /= 10)
		to[i] = (char)('0' + ms % 10);
}

struct letter_tag letter_tag_make(void)
{
	struct letter_tag tag = { "" };
	uint32_t random;
	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	put_hex(tag.text, random);
	return tag;
}

int letter_message(struct letter *l, struct letter_tag tag, struct str receiver, size_t size,
		   const char *members)
{
	struct buf *b = &l->text;
	*l = (struct letter){ 0 };
	buf_init(b, BYTES_MAX);
	BUF_LIT(b, "{\"m\":{\"id\":\"");
	l->_id_at = b->n;
	buf_printf(b, "%s.m.00000000\",\"r\":", tag.text);
	json_put_string(b, receiver);
	BUF_LIT(b, ",\"t\":\"t\",\"c\":\"");
	for (size_t i = 0; i < size; i++)
		buf_u8(b, (uint8_t)('a' + i % 26));
	BUF_LIT(b, "\",\"st\":");
	l->_time_at = b->n;
	buf_printf(b, "%0*d%s}}", TIME_CHARS, 0, members);
	return b->failed ? ERR_NOMEM : OK;
}

int letter_dm(struct letter *l, struct letter_tag tag)
{
	struct buf *b = &l->text;
	*l = (struct letter){ 0 };
	buf_init(b, BYTES_MAX);
	BUF_LIT(b, "{\"m\":{\"id\":\"");
	l->_id_at = b->n;
	buf_printf(b, "%s.d.00000000\",\"st\":", tag.text);
	l->_time_at = b->n;
	buf_printf(b, "%0*d,\"dm\":{\"id\":\"", TIME_CHARS, 0);
	l->_of_at = b->n;
	buf_printf(b, "%s.m.00000000\"}}}", tag.text);
	return b->failed ? ERR_NOMEM : OK;
}

void letter_deinit(struct letter *l)
{
	buf_deinit(&l->text);
}

struct str letter_write(struct letter *l, uint32_t number)
{
	put_hex(l->text.p + l->_id_at + ID_NUMBER_AT, number);
	if (l->_of_at)
		put_hex(l->text.p + l->_of_at + ID_NUMBER_AT, number);
	put_time(l->text.p + l->_time_at, wall_now().ms);
	return buf_view(&l->text);
}

char letter_id(struct letter_tag tag, struct str id, uint32_t *number_out)
{
	uint32_t v = 0;
	if (id.n != ID_CHARS || memcmp(id.p, tag.text, LETTER_TAG_CHARS) != 0)
		return 0;
	for (size_t i = ID_NUMBER_AT; i < ID_CHARS; i++) {
		char c = id.p[i];
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*number_out = v;
	return id.p[LETTER_TAG_CHARS + 1];
}
