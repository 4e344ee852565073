#include "answer.h"
#include "base/err.h"

void answer_reader_init(struct answer_reader *r, size_t packet_max)
{
	packet_reader_init(&r->_packets, false, packet_max);
	r->_json = NULL;
}

void answer_reader_deinit(struct answer_reader *r)
{
	packet_reader_deinit(&r->_packets);
	json_decref(r->_json);
}

/* Nearly all a server sends begins so, and a server's `m` is read by the rows of a client's. */
static bool is_plain_message(const char *text, size_t n)
{
	static const char begin[] = "{\"m\":";
	return n >= sizeof(begin) && memcmp(text, begin, sizeof(begin) - 1) == 0;
}

static int message_read(struct answer_reader *r, char *text, size_t n, struct answer *out)
{
	struct packet p;
	if (packet_read(&r->_packets, text, n, &p) != PACKET_OK || p.kind != PACKET_M)
		return ERR_INVALID;
	out->id = p.m.id;
	out->of = p.m.sr.p ? p.m.sr : p.m.dm.p ? p.m.dm : p.m.nm;
	out->kind = p.m.sr.p ? ANSWER_RECEIPT
		  : p.m.dm.p ? ANSWER_DELIVERED
		  : p.m.nm.p ? ANSWER_NOTICED
			     : ANSWER_MESSAGE;
	return OK;
}

static struct str member(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return json_is_string(value)
		       ? (struct str){ json_string_value(value), json_string_length(value) }
		       : STR_NONE;
}

static void response_take(const json_t *rp, struct answer *out)
{
	const json_t *error = json_object_get(rp, "e");
	const json_t *response = json_object_get(rp, "response");
	out->kind = ANSWER_RESPONSE;
	out->id = member(rp, "id");
	out->code = member(error, "c");
	out->sentence = member(error, "d");
	out->accepted = !error && (!response || json_integer_value(response) == 1);
}

static void message_take(const json_t *m, struct answer *out)
{
	static const struct { const char *name; enum answer_kind kind; } receipts[] = {
		{ "sr", ANSWER_RECEIPT }, { "dm", ANSWER_DELIVERED }, { "nm", ANSWER_NOTICED },
	};
	out->kind = ANSWER_MESSAGE;
	out->id = member(m, "id");
	for (size_t i = 0; i < sizeof(receipts) / sizeof(receipts[0]); i++) {
		const json_t *receipt = json_object_get(m, receipts[i].name);
		if (receipt) {
			out->kind = receipts[i].kind;
			out->of = member(receipt, "id");
		}
	}
}

int answer_read(struct answer_reader *r, char *text, size_t n, struct answer *out)
{
	*out = (struct answer){ .kind = ANSWER_OTHER };
	if (is_plain_message(text, n))
		return message_read(r, text, n, out);
	json_decref(r->_json);
	r->_json = json_loadb(text, n, 0, NULL);
	const json_t *datum;
	if (!json_is_object(r->_json))
		return ERR_INVALID;
	if ((datum = json_object_get(r->_json, "rp")) != NULL)
		response_take(datum, out);
	else if ((datum = json_object_get(r->_json, "m")) != NULL)
		message_take(datum, out);
	else if (json_object_get(r->_json, "i"))
		out->kind = ANSWER_INFO;
	return OK;
}
