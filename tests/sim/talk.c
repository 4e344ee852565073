#include "talk.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void said_free(struct said **said)
{
	if (*said) {
		free((*said)->text);
		free((*said)->passed_on);
		free(*said);
		*said = NULL;
	}
}

/* False if there is a member of that name that is no string of fitting length. */
static bool heard_text(const json_t *object, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(object, key);
	out[0] = 0;
	if (!v)
		return true;
	if (!json_is_string(v) || json_string_length(v) >= size)
		return false;
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return true;
}

static const char *heard_error(const json_t *object, struct heard *out)
{
	const json_t *e = json_object_get(object, "e");
	if (!e)
		return NULL;
	if (!heard_text(e, "c", out->code, sizeof(out->code)) || !out->code[0])
		return "an error without a code";
	if (!json_is_string(json_object_get(e, "d")))
		return "an error without a sentence";
	return NULL;
}

static const char *heard_response(const json_t *rp, struct heard *out)
{
	const json_t *response = json_object_get(rp, "response");
	const char *why = heard_error(rp, out);
	if (why || !heard_text(rp, "id", out->id, sizeof(out->id)))
		return why ? why : "a response whose id is no string";
	if (response) {
		if (!json_is_integer(response))
			return "a login response that is no number";
		out->kind = HEARD_LOGIN;
		out->accepted = json_integer_value(response) == 1;
	} else if (out->code[0]) {
		out->kind = HEARD_ERROR;
	} else {
		out->kind = json_object_size(rp) > 1 ? HEARD_CONTENT : HEARD_DONE;
	}
	return NULL;
}

static const char *heard_server_response(const json_t *srp, struct heard *out)
{
	const char *why = heard_error(srp, out);
	char t[8];
	if (why || !heard_text(srp, "id", out->id, sizeof(out->id)) || !heard_text(srp, "t", t, sizeof(t)))
		return why ? why : "a server response whose id or type is no string";
	out->server = true;
	if (out->code[0]) {
		out->kind = HEARD_ERROR;
	} else if (strcmp(t, "t") == 0) {
		out->kind = HEARD_TIME;
		if (!json_is_string(json_object_get(srp, "tm")) || !json_is_number(json_object_get(srp, "o")))
			return "a time without tm or o";
	} else if (strcmp(t, "k") == 0) {
		out->kind = HEARD_KNOCK;
	} else {
		return "a server response of no known type";
	}
	return NULL;
}

/* `o` beside the datum is the one member that may stand there (section 11). */
static const char *heard_message(const json_t *m, struct heard *out)
{
	const json_t *sr = json_object_get(m, "sr"), *dm = json_object_get(m, "dm");
	const json_t *nm = json_object_get(m, "nm"), *c = json_object_get(m, "c");
	const json_t *receipt = sr ? sr : dm ? dm : nm;
	char flag[4];
	if (!!sr + !!dm + !!nm + !!c != 1)
		return "a message with none or several of c, dm, nm, sr";
	if (!heard_text(m, "id", out->id, sizeof(out->id)) || !out->id[0])
		return "a message without id";
	if (receipt && (!heard_text(receipt, "id", out->of, sizeof(out->of)) || !out->of[0]))
		return "a receipt for nothing";
	if (!heard_text(m, "s", out->from, sizeof(out->from)) || !heard_text(m, "r", out->to, sizeof(out->to)))
		return "a message whose s or r is no string";
	if (!sr && (!out->from[0] || !out->to[0]))
		return "a message without s or r";
	if (!heard_text(m, "p", flag, sizeof(flag)))
		return "a flag that is no string";
	out->p0 = strcmp(flag, "0") == 0;
	if (!heard_text(m, "pc", flag, sizeof(flag)))
		return "a flag that is no string";
	out->pc0 = strcmp(flag, "0") == 0;
	out->kind = sr ? HEARD_SR : dm ? HEARD_DM : nm ? HEARD_NM : HEARD_MESSAGE;
	return NULL;
}

static const char *heard_gap(const json_t *g, struct heard *out)
{
	char count[16];
	if (!heard_text(g, "c", count, sizeof(count)) || !count[0])
		return "a gap without a count";
	if (json_object_get(g, "u") && !heard_text(g, "u", out->to, sizeof(out->to)))
		return "a gap whose u is no string";
	out->kind = HEARD_GAP;
	out->count = (unsigned)strtoul(count, NULL, 10);
	return out->count && out->to[0] ? NULL : "a gap of nothing";
}

static const char *heard_information(const json_t *i, struct heard *out)
{
	const json_t *g = json_object_get(i, "g");
	const char *who = json_object_get(i, "li") ? "li" : "lo";
	char t[8];
	if (!heard_text(i, "id", out->id, sizeof(out->id)) || !out->id[0] || json_object_size(i) != 2)
		return "information that is not an id and one thing more";
	if (!g) {
		out->kind = who[1] == 'i' ? HEARD_LI : HEARD_LO;
		return heard_text(i, who, out->from, sizeof(out->from)) && out->from[0] ? NULL
			: "information of no known kind";
	}
	if (!heard_text(g, "t", t, sizeof(t)) || !heard_text(g, "i", out->to, sizeof(out->to)))
		return "group information whose t or i is no string";
	if (strcmp(t, "gap") == 0)
		return heard_gap(g, out);
	out->kind = HEARD_INFO;
	return t[0] && out->to[0] ? NULL : "group information without t or i";
}

bool heard_is_mail(const struct heard *h)
{
	switch (h->kind) {
	case HEARD_MESSAGE:
	case HEARD_DM:
	case HEARD_NM:
	case HEARD_LI:
	case HEARD_LO:
	case HEARD_INFO:
	case HEARD_GAP:
		return true;
	default:
		return false;
	}
}

void heard_parse(const char *text, size_t n, struct heard *out)
{
	json_error_t error;
	*out = (struct heard){ .kind = HEARD_STRANGE };
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	const json_t *rp = json_object_get(root, "rp"), *srp = json_object_get(root, "srp");
	const json_t *m = json_object_get(root, "m"), *i = json_object_get(root, "i");
	if (!root)
		out->why = "no JSON";
	else if (!!rp + !!srp + !!m + !!i != 1 || json_object_size(root) != (srp && json_object_get(root, "o") ? 2 : 1))
		out->why = "not one datum out of rp, srp, m, i";
	else
		out->why = rp ? heard_response(rp, out) : srp ? heard_server_response(srp, out)
			   : m ? heard_message(m, out) : heard_information(i, out);
	if (out->why)
		out->kind = HEARD_STRANGE;
	json_decref(root);
}
