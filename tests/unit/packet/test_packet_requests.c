/* The requests and their lists; what all packets share is in test_packet.c. */
#include "packet/one_packet.h"

/* ---- a packet as text, to compare ---- */

static struct buf shown;

static void show_str(struct str s)
{
	if (s.p)
		buf_str(&shown, s);
	else
		BUF_LIT(&shown, "-");
}

static void show_list(struct str list)
{
	struct str s;
	size_t cursor = 0;
	int more;
	BUF_LIT(&shown, "[");
	for (const char *comma = ""; (more = strs_next(list, &cursor, &s)) == 1; comma = ",") {
		buf_str(&shown, str_of(comma));
		show_str(s);
	}
	assert_int_equal(more, 0);
	BUF_LIT(&shown, "]");
}

static void show_field(const struct packet_field *f)
{
	const void *member = (const char *)&packet.m + f->offset;
	switch (f->type) {
	case PACKET_TYPE_FLAG: buf_i64(&shown, *(const int8_t *)member); return;
	case PACKET_TYPE_TIME: buf_i64(&shown, *(const int64_t *)member); return;
	case PACKET_TYPE_NAMES:
	case PACKET_TYPE_PAIRS:
		if (((const struct str *)member)->p) {
			show_list(*(const struct str *)member);
			return;
		} /* fall through */
	default: show_str(*(const struct str *)member);
	}
}

/* Members by their rows, `key=value` with a space between; absent ones are `-`, or -1. */
static const char *show(void)
{
	const struct packet_object *o = packet_kind_objects[packet.kind];
	buf_deinit(&shown);
	buf_init(&shown, 1 << 20);
	for (unsigned i = 0; i < o->count; i++) {
		buf_printf(&shown, "%s%s=", i ? " " : "", o->fields[i].key);
		show_field(&o->fields[i]);
	}
	buf_u8(&shown, '\0');
	assert_false(shown.failed);
	return shown.p;
}

static int show_teardown(void **state)
{
	buf_deinit(&shown);
	return teardown(state);
}

/* ---- what each request gives ---- */

struct request_case {
	const char *request; /* its key and value */
	enum packet_kind kind;
	const char *shown;
};

static const struct request_case request_cases[] = {
	{ "\"a\":{\"i\":\"alice\",\"t\":\"secret\"}", PACKET_RQ_A, "i=alice t=secret" },
	{ "lo:{r:\"bye\"}", PACKET_RQ_LO, "r=bye" },
	{ "\"af\":[{\"u\":\"bob\",\"n\":\"Bobby\"},{\"u\":\"carol\",\"n\":\"C\"}]", PACKET_RQ_AF,
	  "=[bob,Bobby,carol,C]" },
	{ "af:[{u:\"bob\"},{n:\"\",u:\"carol\"}]", PACKET_RQ_AF, "=[bob,-,carol,]" },
	{ "\"af\":[]", PACKET_RQ_AF, "=[]" },
	{ " af : [ ] ", PACKET_RQ_AF, "=[]" },
	{ "\"af\" :\t[ { \"u\" : \"bob\" , \"n\" : \"B\" }\n,\r{ u : \"bob\" } ] ", PACKET_RQ_AF,
	  "=[bob,B,bob,-]" },
	{ "\"\\u0061f\":[{\"\\u0075\":\"b\\u006fb\",\"n\":\"\\\"\\u00e9\\n\"}]", PACKET_RQ_AF,
	  "=[bob,\"\xC3\xA9\n]" },
	{ "\"af\":[{\"u\":\"bob\",\"x\":[{y:1}],\"z\":{}},{\"x\":null,\"u\":\"al\"}]", PACKET_RQ_AF,
	  "=[bob,-,al,-]" },
	{ "\"rf\":[\"bob\"]", PACKET_RQ_RF, "=[bob]" },
	{ "rf:[ \"bob\" , \"z\\u006f\\u00eb\",\"\xF0\x9F\x98\x80\",\"bob\" ]", PACKET_RQ_RF,
	  "=[bob,zo\xC3\xAB,\xF0\x9F\x98\x80,bob]" },
	{ "rf:[]", PACKET_RQ_RF, "=[]" },
	{ "\"rf\":[\"" X128 "\"]", PACKET_RQ_RF, "=[" X128 "]" },
	{ "\"uf\":[{\"u\":\"carol\",\"n\":\"Caro\"}]", PACKET_RQ_UF, "=[carol,Caro]" },
	{ "uf:[{u:\"carol\"}]", PACKET_RQ_UF, "=[carol,-]" },
	{ "\"get\":{\"o\":\"f\"}", PACKET_RQ_GET, "o=f" },
	{ "get:{o:\"pr\",x:[1]}", PACKET_RQ_GET, "o=pr" },
	{ "\"s\":{\"u\":\"bob\"}", PACKET_RQ_S, "u=bob" },
	{ "\"p\":{\"t\":\"s\",\"v\":\"https://pics/alice.png\"}", PACKET_RQ_P,
	  "t=s v=https://pics/alice.png u=- i=- b=-" },
	{ "p:{t:\"g\",u:\"bob\"}", PACKET_RQ_P, "t=g v=- u=bob i=- b=-" },
	{ "p:{b:\"b1\",i:\"g1\",v:\"\",t:\"s\"}", PACKET_RQ_P, "t=s v= u=- i=g1 b=b1" },
	{ "\"st\":{\"t\":\"s\",\"s\":\"At the gym\"}", PACKET_RQ_ST, "t=s u=- s=At the gym" },
	{ "st:{t:\"g\",u:\"bob\"}", PACKET_RQ_ST, "t=g u=bob s=-" },
	{ "\"b\":{\"u\":\"mallory\"}", PACKET_RQ_B, "u=mallory" },
	{ "ub:{u:\"mallory\"}", PACKET_RQ_UB, "u=mallory" },
	{ "\"g\":{\"t\":\"c\",\"i\":\"g1\",\"n\":\"name\",\"p\":\"AAAA\",\"m\":[\"bob\",\"carol\"]}",
	  PACKET_RQ_G, "t=c i=g1 n=name p=AAAA m=[bob,carol] ad=-" },
	{ "g:{ad:[\"dave\"],t:\"aad\",i:\"g1\",m:[]}", PACKET_RQ_G, "t=aad i=g1 n=- p=- m=[] ad=[dave]" },
	{ "g:{t:\"l\",i:\"g1\"}", PACKET_RQ_G, "t=l i=g1 n=- p=- m=- ad=-" },
	{ "\"n\":{\"t\":\"s\",\"i\":\"g1\",\"n\":\"new\"}", PACKET_RQ_N, "t=s i=g1 b=- n=new" },
	{ "n:{t:\"g\",b:\"b1\"}", PACKET_RQ_N, "t=g i=- b=b1 n=-" },
	{ "\"mt\":{\"i\":\"g1\",\"t\":1790000000000}", PACKET_RQ_MT, "i=g1 t=1790000000000" },
	{ "mt:{i:\"g1\",t:\"0\"}", PACKET_RQ_MT, "i=g1 t=0" },
	{ "umt:{i:\"g1\"}", PACKET_RQ_UMT, "i=g1" },
	{ "\"br\":{\"t\":\"c\",\"i\":\"b1\",\"n\":\"name\",\"m\":[\"bob\"],\"p\":\"\"}", PACKET_RQ_BR,
	  "t=c i=b1 n=name p= m=[bob]" },
	{ "br:{t:\"i\",i:\"b1\"}", PACKET_RQ_BR, "t=i i=b1 n=- p=- m=-" },
	{ "ad:{c:\"cr\",i:\"dave\",t:\"token\",ty:\"0\"}", PACKET_RQ_AD, "c=cr i=dave t=token ty=0" },
};

static void every_request_gives_its_members(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(request_cases); i++) {
		const struct request_case *c = &request_cases[i];
		for (int id_last = 0; id_last <= 1; id_last++) {
			char packet_text[512];
			snprintf(packet_text, sizeof(packet_text), "{\"rq\":{%s%s%s}}",
				 id_last ? "" : "\"id\":\"7\",", c->request, id_last ? ",\"id\":\"7\"" : "");
			if (read_text(packet_text) != PACKET_OK)
				fail_msg("%s: %s", packet_text, packet.why);
			assert_str(packet.id, "7");
			assert_int_equal(packet.kind, c->kind);
			assert_string_equal(show(), c->shown);
		}
	}
}

static void every_request_is_among_the_cases(void **state)
{
	(void)state;
#define X(KIND, key, object) PACKET_##KIND,
	static const enum packet_kind kinds[] = { PACKET_REQUESTS(X) };
#undef X
	for (size_t k = 0; k < COUNT(kinds); k++) {
		size_t i = 0;
		while (i < COUNT(request_cases) && request_cases[i].kind != kinds[k])
			i++;
		assert_in_range(i, 0, COUNT(request_cases) - 1);
	}
}

/* ---- what is refused ---- */

/* A request in a packet with the id 1, and the sentence it is refused with. */
struct sentence_case {
	const char *request;
	enum packet_kind kind;
	const char *why;
};

static void sentences_check(const struct sentence_case *cases, size_t n, enum refusal refusal)
{
	for (size_t i = 0; i < n; i++) {
		char packet_text[1024];
		snprintf(packet_text, sizeof(packet_text), "{\"rq\":{%s,\"id\":\"1\"}}", cases[i].request);
		if (read_text(packet_text) != PACKET_BAD || strcmp(packet.why, cases[i].why) != 0)
			fail_msg("%s: '%s'", packet_text, packet.why);
		assert_int_equal(packet.kind, cases[i].kind);
		assert_int_equal(packet.refusal, refusal);
		assert_str(packet.id, "1");
	}
}

static void what_a_request_needs_must_be_there(void **state)
{
	(void)state;
	static const struct sentence_case cases[] = {
		{ "af:[{}]", PACKET_RQ_AF, "'u' is missing in 'af'." },
		{ "af:[{u:\"bob\"},{n:\"x\"}]", PACKET_RQ_AF, "'u' is missing in 'af'." },
		{ "uf:[{\"n\":\"x\"}]", PACKET_RQ_UF, "'u' is missing in 'uf'." },
		{ "get:{}", PACKET_RQ_GET, "'o' is missing in 'get'." },
		{ "s:{}", PACKET_RQ_S, "'u' is missing in 's'." },
		{ "p:{u:\"bob\"}", PACKET_RQ_P, "'t' is missing in 'p'." },
		{ "st:{}", PACKET_RQ_ST, "'t' is missing in 'st'." },
		{ "b:{}", PACKET_RQ_B, "'u' is missing in 'b'." },
		{ "ub:{i:\"bob\"}", PACKET_RQ_UB, "'u' is missing in 'ub'." },
		{ "g:{i:\"g1\"}", PACKET_RQ_G, "'t' is missing in 'g'." },
		{ "g:{t:\"c\",m:[]}", PACKET_RQ_G, "'i' is missing in 'g'." },
		{ "n:{i:\"g1\",n:\"x\"}", PACKET_RQ_N, "'t' is missing in 'n'." },
		{ "mt:{i:\"g1\"}", PACKET_RQ_MT, "'t' is missing in 'mt'." },
		{ "mt:{t:0}", PACKET_RQ_MT, "'i' is missing in 'mt'." },
		{ "umt:{}", PACKET_RQ_UMT, "'i' is missing in 'umt'." },
		{ "br:{t:\"i\"}", PACKET_RQ_BR, "'i' is missing in 'br'." },
	};
	sentences_check(cases, COUNT(cases), REFUSAL_BAD);
}

static void what_a_request_holds_must_be_of_its_type(void **state)
{
	(void)state;
	static const struct sentence_case cases[] = {
		{ "af:{}", PACKET_RQ_AF, "'af' must be an array." },
		{ "af:{u:\"bob\"}", PACKET_RQ_AF, "'af' must be an array." },
		{ "af:null", PACKET_RQ_AF, "'af' must be an array." },
		{ "rf:\"bob\"", PACKET_RQ_RF, "'rf' must be an array." },
		{ "uf:1", PACKET_RQ_UF, "'uf' must be an array." },
		{ "g:{t:\"a\",i:\"g\",m:\"bob\"}", PACKET_RQ_G, "'m' must be an array." },
		{ "g:{t:\"aad\",i:\"g\",ad:{\"0\":\"bob\"}}", PACKET_RQ_G, "'ad' must be an array." },
		{ "br:{t:\"a\",i:\"b\",m:null}", PACKET_RQ_BR, "'m' must be an array." },
		{ "af:[\"bob\"]", PACKET_RQ_AF, "'af' must be an array of objects." },
		{ "af:[{u:\"bob\"},[]]", PACKET_RQ_AF, "'af' must be an array of objects." },
		{ "af:[null,{u:\"bob\"}]", PACKET_RQ_AF, "'af' must be an array of objects." },
		{ "uf:[[{u:\"bob\"}]]", PACKET_RQ_UF, "'uf' must be an array of objects." },
		{ "rf:[1]", PACKET_RQ_RF, "'rf' must be an array of strings." },
		{ "rf:[\"bob\",null,\"carol\"]", PACKET_RQ_RF, "'rf' must be an array of strings." },
		{ "rf:[{u:\"bob\"}]", PACKET_RQ_RF, "'rf' must be an array of strings." },
		{ "br:{t:\"c\",i:\"b\",m:[[\"bob\"]]}", PACKET_RQ_BR, "'m' must be an array of strings." },
		{ "af:[{u:1}]", PACKET_RQ_AF, "'u' must be a string." },
		{ "af:[{u:\"bob\",n:null}]", PACKET_RQ_AF, "'n' must be a string." },
		{ "rf:[\"\"]", PACKET_RQ_RF, "'rf' is empty." },
		{ "get:[]", PACKET_RQ_GET, "'get' must be an object." },
		{ "get:{o:1}", PACKET_RQ_GET, "'o' must be a string." },
		{ "get:{o:\"followers\"}", PACKET_RQ_GET, "'o' is none of the values it may have." },
		{ "s:\"bob\"", PACKET_RQ_S, "'s' must be an object." },
		{ "b:[\"bob\"]", PACKET_RQ_B, "'b' must be an object." },
		{ "mt:{i:\"g\",t:\"soon\"}", PACKET_RQ_MT, "'t' must be a time in milliseconds." },
		{ "g:{t:\"c\",i:\"g\",n:7}", PACKET_RQ_G, "'n' must be a string." },
		/* the first of several */
		{ "g:{t:1,i:2,m:3}", PACKET_RQ_G, "'t' must be a string." },
		{ "rf:[1,\"\"]", PACKET_RQ_RF, "'rf' must be an array of strings." },
	};
	sentences_check(cases, COUNT(cases), REFUSAL_BAD);
}

static void a_name_in_a_list_is_a_name(void **state)
{
	(void)state;
	static const char *const forms[] = {
		"{\"rq\":{\"id\":\"1\",\"rf\":[\"bob\",%s]}}", "{\"rq\":{\"id\":\"1\",\"af\":[{\"u\":%s}]}}",
		"{\"rq\":{\"id\":\"1\",\"g\":{\"t\":\"a\",\"i\":\"g\",\"m\":[%s,\"bob\"]}}}",
		"{\"rq\":{\"id\":\"1\",\"br\":{\"t\":\"a\",\"i\":%s,\"m\":[]}}}",
	};
	static const struct { const char *name; enum packet_status status; enum refusal refusal; } cases[] = {
		{ "\"al\"", PACKET_OK, REFUSAL_NONE }, { "\"" X128 "\"", PACKET_OK, REFUSAL_NONE },
		{ "\"" X128 "x\"", PACKET_BAD, REFUSAL_TOO_LONG }, { "\"\"", PACKET_BAD, REFUSAL_BAD },
		{ "\" al\"", PACKET_BAD, REFUSAL_BAD }, { "\"a\\u0000l\"", PACKET_BAD, REFUSAL_BAD },
		{ "\"a\\u200dl\"", PACKET_BAD, REFUSAL_BAD },
	};
	for (size_t i = 0; i < COUNT(forms) * COUNT(cases); i++) {
		char packet_text[512];
		size_t c = i % COUNT(cases);
		snprintf(packet_text, sizeof(packet_text), forms[i / COUNT(cases)], cases[c].name);
		if (read_text(packet_text) != cases[c].status || packet.refusal != cases[c].refusal)
			fail_msg("%s: '%s'", packet_text, packet.why);
	}
	reader.names_ascii = true;
	assert_int_equal(read_text("{rq:{id:\"1\",rf:[\"zo\xC3\xAB\"]}}"), PACKET_BAD);
	assert_int_equal(read_text("{rq:{id:\"1\",af:[{u:\"zoe\",n:\"zo\xC3\xAB\"}]}}"), PACKET_OK);
}

static void a_text_is_as_long_as_its_limit(void **state)
{
	(void)state;
	static const struct { const char *form; int limit; } cases[] = {
		{ "{rq:{id:\"1\",af:[{u:\"bob\",n:\"%0*d\"}]}}", 1024 },
		{ "{rq:{id:\"1\",uf:[{n:\"%0*d\",u:\"bob\"}]}}", 1024 },
		{ "{rq:{id:\"1\",st:{t:\"s\",s:\"%0*d\"}}}", 1024 },
		{ "{rq:{id:\"1\",p:{t:\"s\",v:\"%0*d\"}}}", 131072 },
		{ "{rq:{id:\"1\",g:{t:\"c\",i:\"g\",n:\"%0*d\"}}}", 1024 },
		{ "{rq:{id:\"1\",g:{t:\"c\",i:\"g\",p:\"%0*d\"}}}", 131072 },
		{ "{rq:{id:\"1\",br:{t:\"c\",i:\"g\",n:\"%0*d\"}}}", 1024 },
		{ "{rq:{id:\"1\",br:{t:\"c\",i:\"g\",p:\"%0*d\"}}}", 131072 },
		{ "{rq:{id:\"1\",n:{t:\"s\",i:\"g\",n:\"%0*d\"}}}", 1024 },
	};
	static char packet_text[132000];
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(packet_text, sizeof(packet_text), cases[i].form, cases[i].limit, 0);
		assert_int_equal(read_text(packet_text), PACKET_OK);
		snprintf(packet_text, sizeof(packet_text), cases[i].form, cases[i].limit + 1, 0);
		assert_int_equal(read_text(packet_text), PACKET_BAD);
		assert_int_equal(packet.refusal, REFUSAL_TOO_LONG);
	}
}

static enum packet_status read_list(const char *before, const char *element, const char *after, int n)
{
	struct buf b;
	buf_init(&b, 4 << 20);
	buf_str(&b, str_of(before));
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i ? "," : "", element);
	buf_str(&b, str_of(after));
	assert_false(b.failed);
	enum packet_status status = read_bytes(b.p, b.n);
	buf_deinit(&b);
	return status;
}

static void a_list_of_followings_has_up_to_a_thousand(void **state)
{
	(void)state;
	static const struct { const char *before, *element; const struct str *list; size_t strings; } cases[] = {
		{ "{rq:{id:\"1\",rf:[", "\"b\"", &packet.rf.list, 1 },
		{ "{rq:{id:\"1\",af:[", "{u:\"b\"}", &packet.af.list, 2 },
		{ "{rq:{id:\"1\",uf:[", "{\"u\":\"b\",\"n\":\"\",\"x\":1}", &packet.uf.list, 2 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_list(cases[i].before, cases[i].element, "]}}", 1000), PACKET_OK);
		assert_int_equal(strs_count(*cases[i].list), 1000 * cases[i].strings);
		assert_int_equal(read_list(cases[i].before, cases[i].element, "]}}", 1001), PACKET_BAD);
		assert_int_equal(packet.refusal, REFUSAL_TOO_LONG);
		assert_non_null(strstr(packet.why, "more than 1000 elements"));
		assert_str(packet.id, "1");
		assert_int_equal(read_list(cases[i].before, cases[i].element, "]}", 1001), PACKET_MALFORMED);
	}
}

static void a_list_of_members_is_as_long_as_the_packet(void **state)
{
	(void)state;
	assert_int_equal(read_list("{rq:{id:\"1\",g:{t:\"c\",i:\"g\",m:[", "\"b\"", "]}}}", 100000), PACKET_OK);
	assert_int_equal(strs_count(packet.g.m), 100000);
	assert_int_equal(read_list("{rq:{id:\"1\",br:{m:[", "\"b\"", "],t:\"c\",i:\"g\"}}}", 100000), PACKET_OK);
	assert_int_equal(strs_count(packet.br.m), 100000);
}

static void a_list_holds_what_strs_add_makes(void **state)
{
	(void)state;
	struct buf list;
	buf_init(&list, 100);
	strs_add(&list, STR("bob"));
	strs_add(&list, STR_NONE);
	strs_add(&list, STR("zo\xC3\xAB"));
	strs_add(&list, STR(""));
	assert_int_equal(read_text("{rq:{id:\"1\",af:[{u:\"bob\"},{u:\"z\\u006f\\u00eb\",n:\"\"}]}}"), PACKET_OK);
	assert_true(str_eq(packet.af.list, buf_view(&list)));
	buf_deinit(&list);
}

static void a_list_stays_where_it_is_while_the_next_is_read(void **state)
{
	(void)state;
	assert_int_equal(read_list("{rq:{id:\"1\",g:{t:\"c\",i:\"g\",m:[\"al\",\"bob\"],ad:[", "\"b\"", "]}}}", 50000),
			 PACKET_OK);
	struct str s;
	size_t cursor = 0;
	assert_int_equal(strs_next(packet.g.m, &cursor, &s), 1);
	assert_str(s, "al");
	assert_int_equal(strs_next(packet.g.m, &cursor, &s), 1);
	assert_str(s, "bob");
	assert_int_equal(strs_next(packet.g.m, &cursor, &s), 0);
	assert_int_equal(strs_count(packet.g.ad), 50000);
}

/* The most a list can grow: the shortest elements, in a packet of just the size the reader takes. */
static void every_list_fits_a_reader_of_its_packet(void **state)
{
	(void)state;
	static const struct { const char *before, *element, *after; } cases[] = {
		{ "{rq:{id:1,af:[", "{u:\"b\"}", "]}}" }, { "{rq:{id:1,rf:[", "\"b\"", "]}}" },
		{ "{rq:{id:1,g:{t:\"a\",i:\"g\",ad:[\"x\"],m:[", "\"b\"", "]}}}" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int n = 0; n <= 1000; n += n < 10 ? 1 : 330) {
			size_t bytes = strlen(cases[i].before) + strlen(cases[i].after) +
				       (strlen(cases[i].element) + 1) * (size_t)n - (n > 0);
			packet_reader_deinit(&reader);
			packet_reader_init(&reader, false, bytes);
			assert_int_equal(read_list(cases[i].before, cases[i].element, cases[i].after, n), PACKET_OK);
		}
	}
}

static void a_list_beyond_the_room_is_refused(void **state)
{
	(void)state;
	packet_reader_deinit(&reader);
	packet_reader_init(&reader, false, 32);
	assert_int_equal(read_text("{rq:{id:\"1\",rf:[\"bob\",\"carol\",\"dave\"]}}"), PACKET_BAD);
	assert_int_equal(packet.refusal, REFUSAL_TOO_LONG);
	assert_int_equal(read_text("{rq:{id:\"1\",rf:[\"bob\"]}}"), PACKET_OK);
	assert_string_equal(show(), "=[bob]");
}

static void a_list_of_a_refused_packet_is_absent(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{rq:{id:\"1\",rf:5}}", "{rq:{id:\"1\",rf:[\"bob\",5]}}", "{rq:{id:\"1\",rf:[\"\"]}}",
		"{rq:{id:\"\",rf:[\"bob\"]}}",
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(read_text("{rq:{id:\"1\",rf:[\"al\",\"bob\"]}}"), PACKET_OK);
		assert_int_equal(read_text(texts[i]), PACKET_BAD);
		assert_int_equal(packet.kind, PACKET_RQ_RF);
		assert_absent(packet.rf.list);
	}
}

/* ---- what is broken goes before any rule ---- */

static void a_broken_list_is_malformed(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "{rq:{id:\"1\",rf:[", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",rf:[\"b\"", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",rf:[\"b\",]}}", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",rf:[,]}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",rf:[\"b\" \"c\"]}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",rf:[\"b\"}}}", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",rf:]}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",rf:[b]}}", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",rf:['b']}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",rf:[\"\\ud800\"]}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",rf:[\"b\n\"]}}", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",rf:[01]}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",af:[{]}}", PACKET_RQ_AF, "1" }, { "{rq:{id:\"1\",af:[{u:\"b\"]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",af:[{u:\"b\"},]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",af:[{u:\"b\"}{u:\"c\"}]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",af:[{u:}]}}", PACKET_RQ_AF, "1" }, { "{rq:{id:\"1\",af:[{u:\"b\",}]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",g:{t:\"a\",m:[\"b\"}}}", PACKET_RQ_G, "1" },
		/* whatever rule it breaks before */
		{ "{rq:{id:\"1\",rf:[1,]}}", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",af:[5,{},{]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",rf:{a:}}}", PACKET_RQ_RF, "1" }, { "{rq:{id:\"1\",af:[[}]}}", PACKET_RQ_AF, "1" },
	};
	REFUSED_CHECK(cases, PACKET_MALFORMED, REFUSAL_BAD);
	read_text("{rq:{id:\"1\",rf:[\"b\" 1]}}");
	assert_string_equal(packet.why, "Malformed at byte 20: comma or closing bracket missing.");
}

static void a_name_that_stands_twice_in_an_object_of_a_list_is_malformed(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "{rq:{id:\"1\",af:[{u:\"b\",u:\"b\"}]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",af:[{u:\"b\",\"\\u0075\":\"b\"}]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",af:[{u:\"b\",n:\"x\",\"n\":\"y\"}]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",uf:[{u:\"b\"},{u:\"c\",x:1,x:2}]}}", PACKET_RQ_UF, "1" },
		{ "{rq:{id:\"1\",af:[7,{x:1,x:2}]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",af:[],af:[]}}", PACKET_RQ_AF, "1" },
		{ "{rq:{id:\"1\",rf:[\"b\"],\"r\\u0066\":[]}}", PACKET_RQ_RF, "1" },
		{ "{rq:{id:\"1\",g:{t:\"a\",i:\"g\",m:[],m:[]}}}", PACKET_RQ_G, "1" },
		{ "{rq:{id:\"1\",p:{t:\"s\",v:\"\",t:\"s\"}}}", PACKET_RQ_P, "1" },
	};
	REFUSED_CHECK(cases, PACKET_MALFORMED, REFUSAL_BAD);
	/* once in each object, and twice where LEMP does not look */
	assert_int_equal(read_text("{rq:{x:1,id:\"1\",af:[{u:\"b\",x:1},{u:\"b\",x:{a:1,a:2}}]},x:1}"), PACKET_OK);
}

static void more_than_one_request_is_refused(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "{rq:{id:\"1\",af:[{u:\"b\"}],rf:[\"b\"]}}", PACKET_UNKNOWN, "1" },
		{ "{rq:{b:{u:\"b\"},id:\"1\",ub:{u:\"b\"}}}", PACKET_UNKNOWN, "1" },
	};
	REFUSED_CHECK(cases, PACKET_BAD, REFUSAL_BAD);
}

static void lists_count_as_levels(void **state)
{
	(void)state;
	static const struct { const char *before, *after; int levels; } cases[] = {
		{ "{rq:{id:\"1\",af:", "}}", 2 }, { "{rq:{id:\"1\",af:[", "]}}", 3 },
		{ "{rq:{id:\"1\",af:[{u:\"b\",x:", "}]}}", 4 }, { "{rq:{id:\"1\",rf:[\"b\",", "]}}", 3 },
		{ "{rq:{id:\"1\",g:{t:\"a\",i:\"g\",m:[", "]}}}", 4 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int deep = 32; deep <= 33; deep++) {
			char packet_text[200];
			int more = deep - cases[i].levels;
			snprintf(packet_text, sizeof(packet_text), "%s%.*s%.*s%s", cases[i].before, more,
				 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", more,
				 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", cases[i].after);
			assert_int_equal(read_text(packet_text) == PACKET_MALFORMED, deep == 33);
		}
	}
}

static void deep_nesting_in_a_list_is_refused(void **state)
{
	(void)state;
	static const char *const units[] = { "[", "{\"u\":", "[{", "{af:[" };
	static const char *const before[] = { "{rq:{af:", "{rq:{af:[", "{rq:{rf:[", "{rq:{g:{m:[" };
	for (size_t i = 0; i < COUNT(units) * COUNT(before); i++) {
		struct buf b;
		buf_init(&b, 2 << 20);
		buf_str(&b, str_of(before[i % COUNT(before)]));
		for (int n = 0; n < 100000; n++)
			buf_str(&b, str_of(units[i / COUNT(before)]));
		assert_int_equal(read_bytes(b.p, b.n), PACKET_MALFORMED);
		buf_deinit(&b);
	}
}

static void any_beginning_of_a_request_is_malformed(void **state)
{
	(void)state;
	static const char *const wholes[] = {
		"{\"rq\":{\"id\":1,\"af\":[{\"u\":\"b\\u00eb\",\"n\":\"C\"} , {n:\"\",\"x\":[{}],u:\"c\"}]}}",
		"{\"rq\":{\"g\":{\"m\":[\"bob\",\"\\ud83d\\ude00\"],\"t\":\"a\",ad:[ ],\"i\":\"g\"},\"id\":\"1\"}}",
	};
	for (size_t i = 0; i < COUNT(wholes); i++) {
		for (size_t n = 0; n < strlen(wholes[i]); n++)
			assert_int_equal(read_bytes(wholes[i], n), PACKET_MALFORMED);
		assert_int_equal(read_text(wholes[i]), PACKET_OK);
	}
}

/* ---- members, selectors, views ---- */

static void a_member_is_found_by_its_key(void **state)
{
	(void)state;
	assert_int_equal(read_text("{rq:{id:\"1\",p:{t:\"s\",v:\"\",i:\"g1\"}}}"), PACKET_OK);
	assert_str(packet_member(&packet, STR("t")), "s");
	assert_str(packet_member(&packet, STR("v")), "");
	assert_str(packet_member(&packet, STR("i")), "g1");
	assert_absent(packet_member(&packet, STR("u")));
	assert_absent(packet_member(&packet, STR("z")));
	assert_absent(packet_member(&packet, STR("")));
	assert_int_equal(read_text("{rq:{id:\"1\",ad:{c:\"up\",i:\"d\",ty:0}}}"), PACKET_OK);
	assert_str(packet_member(&packet, STR("ty")), "");
	assert_absent(packet_member(&packet, STR("t")));
	assert_int_equal(read_text("{rq:{id:\"1\",ad:{c:\"up\",i:\"d\"}}}"), PACKET_OK);
	assert_absent(packet_member(&packet, STR("ty")));
	assert_int_equal(read_text("{rq:{id:\"1\",mt:{i:\"g\",t:0}}}"), PACKET_OK);
	assert_str(packet_member(&packet, STR("t")), "");
	assert_int_equal(read_text("{rq:{id:\"1\",g:{t:\"a\",i:\"g\",m:[\"b\"],ad:[]}}}"), PACKET_OK);
	assert_int_equal(strs_count(packet_member(&packet, STR("m"))), 1);
	assert_str(packet_member(&packet, STR("ad")), "");
	assert_absent(packet_member(&packet, STR("p")));
	assert_int_equal(read_text("{}"), PACKET_BAD);
	assert_absent(packet_member(&packet, STR("t")));
}

static void a_selector_tells_requests_of_one_key_apart(void **state)
{
	(void)state;
	static const struct { const char *text, *selector; } cases[] = {
		{ "{rq:{id:1,g:{t:\"aad\",i:\"g\"}}}", "aad" }, { "{rq:{id:1,br:{t:\"c\",i:\"g\"}}}", "c" },
		{ "{rq:{id:1,p:{t:\"g\"}}}", "g" }, { "{rq:{id:1,n:{t:\"s\"}}}", "s" },
		{ "{rq:{id:1,st:{t:\"s\"}}}", "s" }, { "{rq:{id:1,get:{o:\"fr\"}}}", "fr" },
		{ "{rq:{id:1,ad:{c:\"del\",i:\"d\"}}}", "del" }, { "{srq:{id:1,t:\"k\"}}", "k" },
		{ "{rq:{id:1,a:{i:\"a\",t:\"token\"}}}", NULL }, { "{rq:{id:1,mt:{i:\"g\",t:1}}}", NULL },
		{ "{m:{id:1,t:\"p\"}}", NULL }, { "{rq:{id:1,rf:[]}}", NULL }, { "{rq:{id:1,umt:{i:\"g\"}}}", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].text), PACKET_OK);
		if (cases[i].selector)
			assert_str(packet_selector(&packet), cases[i].selector);
		else
			assert_absent(packet_selector(&packet));
	}
}

static void the_views_of_a_request_are_all_its_strings_and_lists(void **state)
{
	(void)state;
	struct str *views[PACKET_VIEWS_MAX];
	assert_int_equal(read_text("{rq:{id:\"1\",g:{t:\"a\",i:\"g\",m:[\"b\"]}}}"), PACKET_OK);
	assert_int_equal(packet_views(&packet, views), 8);
	struct str *const g[] = { &packet.g.t, &packet.g.i, &packet.g.n,
				  &packet.g.p, &packet.g.m, &packet.g.ad };
	for (unsigned i = 0; i < COUNT(g); i++)
		assert_ptr_equal(views[2 + i], g[i]);
	assert_int_equal(read_text("{rq:{id:\"1\",af:[{u:\"b\"}]}}"), PACKET_OK);
	assert_int_equal(packet_views(&packet, views), 3);
	assert_ptr_equal(views[2], &packet.af.list);
	assert_int_equal(read_text("{rq:{id:\"1\",mt:{i:\"g\",t:5}}}"), PACKET_OK);
	assert_int_equal(packet_views(&packet, views), 3);
	assert_ptr_equal(views[2], &packet.mt.i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, show_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_request_gives_its_members),
		TEST(every_request_is_among_the_cases),
		TEST(what_a_request_needs_must_be_there),
		TEST(what_a_request_holds_must_be_of_its_type),
		TEST(a_name_in_a_list_is_a_name),
		TEST(a_text_is_as_long_as_its_limit),
		TEST(a_list_of_followings_has_up_to_a_thousand),
		TEST(a_list_of_members_is_as_long_as_the_packet),
		TEST(a_list_holds_what_strs_add_makes),
		TEST(a_list_stays_where_it_is_while_the_next_is_read),
		TEST(every_list_fits_a_reader_of_its_packet),
		TEST(a_list_beyond_the_room_is_refused),
		TEST(a_list_of_a_refused_packet_is_absent),
		TEST(a_broken_list_is_malformed),
		TEST(a_name_that_stands_twice_in_an_object_of_a_list_is_malformed),
		TEST(more_than_one_request_is_refused),
		TEST(lists_count_as_levels),
		TEST(deep_nesting_in_a_list_is_refused),
		TEST(any_beginning_of_a_request_is_malformed),
		TEST(a_member_is_found_by_its_key),
		TEST(a_selector_tells_requests_of_one_key_apart),
		TEST(the_views_of_a_request_are_all_its_strings_and_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
