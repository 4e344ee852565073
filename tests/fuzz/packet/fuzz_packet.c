/* Any UTF-8 may be read; whatever is taken as a message is written as strict JSON, and reads back
 * as the same message. */
#include "base/check.h"
#include "packet/json.h"
#include "packet/packet.h"
#include <iconv.h>
#include <stdlib.h>

#define TEXT_BYTES_MAX 65536

static bool is_utf8(const uint8_t *data, size_t size)
{
	static char sink[2 * TEXT_BYTES_MAX];
	static iconv_t converter;
	if (!converter)
		converter = iconv_open("UTF-16LE", "UTF-8");
	char *from = (char *)(uintptr_t)data, *to = sink;
	size_t left = sizeof(sink);
	iconv(converter, NULL, NULL, NULL, NULL);
	return iconv(converter, &from, &size, &to, &left) == 0;
}

static void same_message(const struct packet *a, const struct packet *b)
{
	bool receipt = a->m.dm.p || a->m.nm.p;
	CHECK(b->kind == PACKET_M);
	CHECK(str_eq(a->m.id, b->m.id));
	CHECK(str_eq(b->m.r, STR("bob \"b\"")));
	CHECK(a->m.st == b->m.st);
	CHECK(str_eq(a->m.dm, b->m.dm) && str_eq(a->m.nm, b->m.nm));
	CHECK(!b->m.sr.p);
	CHECK(str_eq(b->m.c, receipt ? STR_NONE : a->m.c));
	CHECK(str_eq(b->extra, receipt ? STR_NONE : a->extra));
	if (receipt)
		return;
	CHECK(str_eq(b->m.t, a->m.t.p ? a->m.t : STR("t")));
	CHECK(a->m.p == b->m.p && a->m.sc == b->m.sc && a->m.pc == b->m.pc);
}

static void message_check(struct packet *p)
{
	struct packet_reader reader;
	struct packet again;
	struct buf out;
	buf_init(&out, 16 * TEXT_BYTES_MAX);
	packet_put_message(&out, p, STR("alice"), STR("bob \"b\""));
	CHECK(!out.failed);
	CHECK(json_valid(buf_view(&out), JSON_RFC8259));
	packet_reader_init(&reader, false, 16 * TEXT_BYTES_MAX);
	CHECK(packet_read(&reader, out.p, out.n, &again) == PACKET_OK);
	same_message(p, &again);
	packet_reader_deinit(&reader);
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > TEXT_BYTES_MAX || !is_utf8(data, size))
		return 0;
	struct packet_reader reader;
	struct packet p;
	char *text = malloc(size + !size);
	CHECK(text);
	memcpy(text, data, size);
	bool valid = json_valid((struct str){ text, size }, JSON_LEMP);
	packet_reader_init(&reader, false, TEXT_BYTES_MAX);
	enum packet_status status = packet_read(&reader, text, size, &p);
	CHECK(valid || status == PACKET_MALFORMED);
	CHECK((status == PACKET_OK) == (p.refusal == REFUSAL_NONE));
	CHECK((status == PACKET_OK) == !p.why[0]);
	if (status == PACKET_OK && p.kind == PACKET_M)
		message_check(&p);
	packet_reader_deinit(&reader);
	free(text);
	return 0;
}
