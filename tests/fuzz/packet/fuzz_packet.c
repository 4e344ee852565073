/* Any UTF-8 may be read; whatever is taken as a message is written as strict JSON, and reads back
 * as the same message, also with another receiver; whatever is taken as a list holds names, and no
 * more than it may. */
#include "base/check.h"
#include "packet/json.h"
#include "packet/name.h"
#include "packet/packet.h"
#include "packet/packet_table.h"
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

static void same_message(const struct packet *a, const struct packet *b, const char *receiver)
{
	bool receipt = a->m.dm.p || a->m.nm.p;
	CHECK(b->kind == PACKET_M);
	CHECK(str_eq(a->m.id, b->m.id));
	CHECK(str_eq(b->m.r, str_of(receiver)));
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

static void written_check(const struct packet *p, struct buf *out, const char *receiver)
{
	struct packet_reader reader;
	struct packet again;
	CHECK(!out->failed);
	CHECK(json_valid(buf_view(out), JSON_RFC8259));
	packet_reader_init(&reader, false, 16 * TEXT_BYTES_MAX);
	CHECK(packet_read(&reader, out->p, out->n, &again) == PACKET_OK);
	same_message(p, &again, receiver);
	packet_reader_deinit(&reader);
}

static void message_check(const struct packet *p)
{
	static const char *const receivers[] = { "bob \"b\"", "c\\" };
	struct buf out, other;
	buf_init(&out, 16 * TEXT_BYTES_MAX);
	buf_init(&other, 16 * TEXT_BYTES_MAX);
	packet_put_message(&out, p, STR("alice"), str_of(receivers[0]));
	packet_put_readdressed(&other, buf_view(&out), packet_find_receiver(buf_view(&out)),
			       str_of(receivers[1]));
	written_check(p, &out, receivers[0]);
	written_check(p, &other, receivers[1]);
	buf_deinit(&out);
	buf_deinit(&other);
}

/* As a response: whatever stands in a list can be written. */
static void list_written_check(struct str list, bool pairs)
{
	struct buf out;
	buf_init(&out, 16 * TEXT_BYTES_MAX);
	if (pairs)
		packet_put_pairs(&out, STR("1"), "f", "u", list);
	else
		packet_put_names(&out, STR("1"), "fr", list);
	CHECK(!out.failed && json_valid(buf_view(&out), JSON_RFC8259));
	buf_deinit(&out);
}

static void list_check(const struct packet_field *f, struct str list)
{
	bool pairs = f->type == PACKET_TYPE_PAIRS;
	struct str s;
	size_t cursor = 0, count = 0;
	int more;
	while ((more = strs_next(list, &cursor, &s)) == 1) {
		if (pairs && count++ % 2)
			CHECK(!s.p || s.n <= 1024);
		else
			CHECK(s.p && name_check(s, false) == NAME_GOOD);
	}
	CHECK(more == 0 && cursor == list.n);
	CHECK(!f->bytes_max || strs_count(list) <= (size_t)f->bytes_max << pairs);
	CHECK(!pairs || count % 2 == 0);
	list_written_check(list, pairs);
}

static void fields_check(struct packet *p)
{
	struct str *views[PACKET_VIEWS_MAX];
	const struct packet_object *o = packet_kind_objects[p->kind];
	CHECK(packet_views(p, views) <= PACKET_VIEWS_MAX);
	for (unsigned i = 0; i < o->count; i++) {
		const struct packet_field *f = &o->fields[i];
		struct str member = packet_member(p, (struct str){ f->key, f->key_n });
		CHECK(member.p || f->need == PACKET_NEED_MAY);
		if (member.p && (f->type == PACKET_TYPE_NAMES || f->type == PACKET_TYPE_PAIRS))
			list_check(f, member);
	}
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
	if (status == PACKET_OK)
		fields_check(&p);
	if (status == PACKET_OK && p.kind == PACKET_M)
		message_check(&p);
	packet_reader_deinit(&reader);
	free(text);
	return 0;
}
