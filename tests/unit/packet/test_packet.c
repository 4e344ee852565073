#include "packet/one_packet.h"

/* ---- what each packet gives ---- */

static void a_login_gives_who_and_token(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"alice\",\"t\":\"secret\"}}}"),
			 PACKET_OK);
	assert_int_equal(packet.kind, PACKET_RQ_A);
	assert_int_equal(packet.refusal, REFUSAL_NONE);
	assert_str(packet.id, "1");
	assert_str(packet.a.i, "alice");
	assert_str(packet.a.t, "secret");
	assert_absent(packet.extra);
	assert_int_equal(packet.why[0], 0);
}

static void a_login_may_carry_any_name(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\" \\u0000\",\"t\":\"\"}}}"),
			 PACKET_OK);
	assert_int_equal(packet.a.i.n, 2);
	assert_str(packet.a.t, "");
}

static void a_logout_may_give_a_reason(void **state)
{
	(void)state;
	assert_int_equal(read_text("{rq:{id:\"2\",lo:{r:\"bye\"}}}"), PACKET_OK);
	assert_int_equal(packet.kind, PACKET_RQ_LO);
	assert_str(packet.lo.r, "bye");
	assert_int_equal(read_text("{rq:{id:\"2\",lo:{}}}"), PACKET_OK);
	assert_absent(packet.lo.r);
}

static void an_administration_gives_its_fields(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"rq\":{\"id\":22,\"ad\":{\"c\":\"cr\",\"i\":\"dave\","
				   "\"t\":\"token\",\"ty\":\"1\"}}}"), PACKET_OK);
	assert_int_equal(packet.kind, PACKET_RQ_AD);
	assert_str(packet.id, "22");
	assert_str(packet.ad.c, "cr");
	assert_str(packet.ad.i, "dave");
	assert_str(packet.ad.t, "token");
	assert_int_equal(packet.ad.ty, 1);
	assert_int_equal(read_text("{rq:{ad:{c:\"del\",i:\"dave\"},id:\"23\"}}"), PACKET_OK);
	assert_str(packet.id, "23");
	assert_absent(packet.ad.t);
	assert_int_equal(packet.ad.ty, -1);
}

static void a_server_request_gives_its_type(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"srq\":{\"id\":\"20\",\"t\":\"t\"}}"), PACKET_OK);
	assert_int_equal(packet.kind, PACKET_SRQ);
	assert_str(packet.id, "20");
	assert_str(packet.srq.t, "t");
}

static void a_message_gives_all_its_fields(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"m\":{\"id\":\"m1\",\"s\":{x:1},\"r\":\"bob\",\"t\":\"x-y\","
				   "\"c\": {\"a\" : [1, \"\\u0041\"]} ,\"st\":1790000000000,\"p\":\"1\","
				   "\"sc\":0,\"pc\":1}}"), PACKET_OK);
	assert_int_equal(packet.kind, PACKET_M);
	assert_str(packet.id, "m1");
	assert_str(packet.m.id, "m1");
	assert_absent(packet.m.s);
	assert_str(packet.m.r, "bob");
	assert_str(packet.m.t, "x-y");
	assert_str(packet.m.c, "{\"a\" : [1, \"\\u0041\"]}");
	assert_int_equal(packet.m.st, INT64_C(1790000000000));
	assert_int_equal(packet.m.p, 1);
	assert_int_equal(packet.m.sc, 0);
	assert_int_equal(packet.m.pc, 1);
	assert_absent(packet.m.dm);
	assert_absent(packet.m.nm);
	assert_absent(packet.m.sr);
	assert_absent(packet.extra);
}

static void a_message_needs_no_more_than_an_id(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"m\":{\"id\":\"m1\"}}"), PACKET_OK);
	assert_absent(packet.m.r);
	assert_absent(packet.m.t);
	assert_absent(packet.m.c);
	assert_int_equal(packet.m.st, -1);
	assert_int_equal(packet.m.p, -1);
	assert_int_equal(packet.m.sc, -1);
	assert_int_equal(packet.m.pc, -1);
}

static void a_receipt_gives_the_id_it_is_about(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"m\":{\"id\":\"d1\",\"dm\":{\"x\":{y:1},\"id\":\"m1\"}}}"), PACKET_OK);
	assert_str(packet.m.dm, "m1");
	assert_int_equal(read_text("{m:{id:\"n1\",nm:{id:7}}}"), PACKET_OK);
	assert_str(packet.m.nm, "7");
	assert_absent(packet.m.dm);
	assert_int_equal(read_text("{m:{id:\"n1\",sr:{id:\"7\"}}}"), PACKET_OK);
	assert_str(packet.m.sr, "7");
}

static void content_keeps_the_bytes_it_was(void **state)
{
	(void)state;
	static const char *const contents[] = {
		"\"hello\"", "\"\"", "\"\\u00e9\\/\\\"\"", "1", "-0.5e+7", "true", "false", "null", "[]", "{}",
		"[ 1 , { \"a\" : \"\\u0061\", \"a\": 2 } ]", "\"\xC3\xA9\"", "123456789012345678901234567890",
	};
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		char packet_text[256];
		snprintf(packet_text, sizeof(packet_text),
			 "{ \"m\" : { \"c\" : %s , \"id\" : \"\\u0031\" } }", contents[i]);
		assert_int_equal(read_text(packet_text), PACKET_OK);
		assert_str(packet.m.c, contents[i]);
		assert_str(packet.id, "1");
	}
}

static void unknown_members_of_a_message_are_gathered_as_received(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"m\":{\"x\": [1, \"\\u0041\"] ,\"id\":\"1\",y:\"a\\nb\",\"\\u0072\":\"bob\","
				   "\"\\u0041\\n\":{},\"\":null,\"c\":1,$z:0}}"), PACKET_OK);
	assert_str(packet.extra, ",\"x\":[1, \"\\u0041\"],\"y\":\"a\\nb\",\"\\u0041\\n\":{},\"\":null,\"$z\":0");
	assert_str(packet.m.r, "bob");
	assert_str(packet.m.c, "1");
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"c\":1}}"), PACKET_OK);
	assert_absent(packet.extra);
}

static void unknown_members_elsewhere_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(read_text("{v:1,\"rq\":{\"x\":[{y:1}],\"id\":\"1\",\"zz\":{\"a\":{}},\"a\":{\"q\":null,"
				   "\"i\":\"al\",\"t\":\"s\",e:[]}},\"w\":{\"rq\":{}}}"), PACKET_OK);
	assert_int_equal(packet.kind, PACKET_RQ_A);
	assert_str(packet.a.i, "al");
	assert_str(packet.a.t, "s");
	assert_absent(packet.extra);
}

static void white_space_may_stand_between_any_two_tokens(void **state)
{
	(void)state;
	assert_int_equal(read_text("\n\t {\r\n\"m\" : { id : \"1\" , \"p\" : 1 ,\n dm : { \"id\" : \"2\" } } } \n"),
			 PACKET_OK);
	assert_str(packet.m.dm, "2");
	assert_int_equal(packet.m.p, 1);
}

static void names_and_strings_are_compared_decoded(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"\\u0072q\":{\"i\\u0064\":\"\\ud83d\\ude00\",\"\\u0061\":"
				   "{\"\\u0069\":\"a\\/b\",\"t\":\"\\\"\"}}}"), PACKET_OK);
	assert_int_equal(packet.kind, PACKET_RQ_A);
	assert_str(packet.id, "\xF0\x9F\x98\x80");
	assert_str(packet.a.i, "a/b");
	assert_str(packet.a.t, "\"");
	assert_int_equal(read_text("{\"srq\":{\"id\":\"1\",\"t\\u0000\":\"x\",\"t\":\"k\"}}"), PACKET_OK);
	assert_str(packet.srq.t, "k");
}

/* ---- values of one field, each in its place ---- */

struct value_case {
	const char *value, *taken; /* NULL: refused with … */
	enum refusal refusal;
};

static void values_check(const char *format, const struct value_case *cases, size_t n,
			 struct str (*taken)(void))
{
	for (size_t i = 0; i < n; i++) {
		char packet_text[2048];
		snprintf(packet_text, sizeof(packet_text), format, cases[i].value);
		enum packet_status status = read_text(packet_text);
		if (status != (cases[i].taken ? PACKET_OK : PACKET_BAD))
			fail_msg("status %d for %s (%s)", status, packet_text, packet.why);
		if (cases[i].taken)
			assert_str(taken(), cases[i].taken);
		else if (packet.refusal != cases[i].refusal || !packet.why[0])
			fail_msg("refusal %d for %s", packet.refusal, packet_text);
	}
}
#define VALUES_CHECK(format, cases, taken) \
	values_check(format, cases, sizeof(cases) / sizeof((cases)[0]), taken)

static struct str taken_id(void) { return packet.id; }
static struct str taken_dm(void) { return packet.m.dm; }
static struct str taken_r(void) { return packet.m.r; }
static struct str taken_t(void) { return packet.m.t; }

static struct str taken_number(int64_t v)
{
	static char digits[24];
	snprintf(digits, sizeof(digits), "%lld", (long long)v);
	return str_of(digits);
}
static struct str taken_st(void) { return taken_number(packet.m.st); }
static struct str taken_p(void) { return taken_number(packet.m.p); }

static const struct value_case id_cases[] = {
	{ "\"1\"", "1", 0 }, { "\"a b\\n\"", "a b\n", 0 }, { "0", "0", 0 }, { "17", "17", 0 },
	{ "-0", "-0", 0 }, { "-5", "-5", 0 }, { "\"" X128 "\"", X128, 0 },
	{ "123456789012345678901234567890", "123456789012345678901234567890", 0 },
	{ "\"" X128 "x\"", NULL, REFUSAL_TOO_LONG }, { "\"" X128 X128 "\"", NULL, REFUSAL_TOO_LONG },
	{ "1" "00000000000000000000000000000000" "00000000000000000000000000000000"
	  "00000000000000000000000000000000" "00000000000000000000000000000000",
	  NULL, REFUSAL_TOO_LONG },
	{ "\"\"", NULL, REFUSAL_BAD }, { "1.0", NULL, REFUSAL_BAD }, { "1e3", NULL, REFUSAL_BAD },
	{ "null", NULL, REFUSAL_BAD }, { "true", NULL, REFUSAL_BAD }, { "[1]", NULL, REFUSAL_BAD },
	{ "{\"id\":1}", NULL, REFUSAL_BAD },
};

static void an_id_is_a_short_string_or_an_integer(void **state)
{
	(void)state;
	VALUES_CHECK("{\"m\":{\"id\":%s}}", id_cases, taken_id);
	VALUES_CHECK("{\"srq\":{\"t\":\"k\",\"id\":%s}}", id_cases, taken_id);
	VALUES_CHECK("{\"rq\":{\"lo\":{},\"id\":%s}}", id_cases, taken_id);
	VALUES_CHECK("{\"m\":{\"id\":\"1\",\"dm\":{\"id\":%s}}}", id_cases, taken_dm);
}

static void an_escape_counts_as_what_it_stands_for(void **state)
{
	(void)state;
	char packet_text[1024] = "{\"m\":{\"id\":\"";
	for (int i = 0; i < 128; i++)
		strncat(packet_text, "\\u0041", 7);
	strncat(packet_text, "\"}}", 4);
	assert_int_equal(read_text(packet_text), PACKET_OK);
	assert_int_equal(packet.id.n, 128);
}

static void a_receiver_is_a_name(void **state)
{
	(void)state;
	static const struct value_case cases[] = {
		{ "\"bob\"", "bob", 0 }, { "\"zo\\u00eb\"", "zo\xC3\xAB", 0 },
		{ "\"" X128 "\"", X128, 0 }, { "\"" X128 "x\"", NULL, REFUSAL_TOO_LONG },
		{ "\"\"", NULL, REFUSAL_BAD }, { "\" bob\"", NULL, REFUSAL_BAD },
		{ "\"b\\u0000b\"", NULL, REFUSAL_BAD }, { "\"b\\u200bb\"", NULL, REFUSAL_BAD },
		{ "1", NULL, REFUSAL_BAD }, { "null", NULL, REFUSAL_BAD }, { "[\"bob\"]", NULL, REFUSAL_BAD },
	};
	VALUES_CHECK("{\"m\":{\"id\":\"1\",\"r\":%s}}", cases, taken_r);
}

static void a_type_too_long_to_be_known_is_a_wrong_type(void **state)
{
	(void)state;
	static const struct value_case cases[] = {
		{ "\"t\"", "t", 0 }, { "\"\"", "", 0 }, { "\"" X16 X16 "\"", X16 X16, 0 },
		{ "\"" X16 X16 "x\"", NULL, REFUSAL_BAD }, { "1", NULL, REFUSAL_BAD },
		{ "null", NULL, REFUSAL_BAD },
	};
	VALUES_CHECK("{\"m\":{\"id\":\"1\",\"t\":%s}}", cases, taken_t);
	assert_int_equal(read_text("{srq:{id:\"1\",t:\"123456789\"}}"), PACKET_BAD);
	assert_int_equal(packet.refusal, REFUSAL_BAD);
	assert_int_equal(packet.kind, PACKET_SRQ);
	assert_absent(packet.srq.t);
}

static void a_time_is_an_integer_up_to_2_to_53(void **state)
{
	(void)state;
	static const struct value_case cases[] = {
		{ "0", "0", 0 }, { "\"0\"", "0", 0 }, { "1790000000000", "1790000000000", 0 },
		{ "\"1790000000000\"", "1790000000000", 0 }, { "\"\\u0031\"", "1", 0 },
		{ "9007199254740991", "9007199254740991", 0 }, { "9007199254740992", NULL, REFUSAL_BAD },
		{ "\"9007199254740992\"", NULL, REFUSAL_BAD }, { "10000000000000000", NULL, REFUSAL_BAD },
		{ "99999999999999999999", NULL, REFUSAL_BAD }, { "18446744073709551617", NULL, REFUSAL_BAD },
		{ "-1", NULL, REFUSAL_BAD }, { "-0", NULL, REFUSAL_BAD }, { "1.0", NULL, REFUSAL_BAD },
		{ "1e3", NULL, REFUSAL_BAD }, { "\"01\"", NULL, REFUSAL_BAD }, { "\"00\"", NULL, REFUSAL_BAD },
		{ "\"+1\"", NULL, REFUSAL_BAD }, { "\"-1\"", NULL, REFUSAL_BAD }, { "\"\"", NULL, REFUSAL_BAD },
		{ "\" 1\"", NULL, REFUSAL_BAD }, { "\"1x\"", NULL, REFUSAL_BAD }, { "null", NULL, REFUSAL_BAD },
		{ "true", NULL, REFUSAL_BAD }, { "[]", NULL, REFUSAL_BAD },
	};
	VALUES_CHECK("{\"m\":{\"id\":\"1\",\"st\":%s}}", cases, taken_st);
}

static void a_flag_is_zero_or_one(void **state)
{
	(void)state;
	static const struct value_case cases[] = {
		{ "0", "0", 0 }, { "1", "1", 0 }, { "\"0\"", "0", 0 }, { "\"1\"", "1", 0 },
		{ "\"\\u0031\"", "1", 0 }, { "2", NULL, REFUSAL_BAD }, { "-1", NULL, REFUSAL_BAD },
		{ "10", NULL, REFUSAL_BAD }, { "1.0", NULL, REFUSAL_BAD }, { "-0", NULL, REFUSAL_BAD },
		{ "\"\"", NULL, REFUSAL_BAD }, { "\"2\"", NULL, REFUSAL_BAD }, { "\"01\"", NULL, REFUSAL_BAD },
		{ "\"true\"", NULL, REFUSAL_BAD }, { "true", NULL, REFUSAL_BAD }, { "false", NULL, REFUSAL_BAD },
		{ "null", NULL, REFUSAL_BAD }, { "{}", NULL, REFUSAL_BAD }, { "[1]", NULL, REFUSAL_BAD },
	};
	VALUES_CHECK("{\"m\":{\"id\":\"1\",\"p\":%s}}", cases, taken_p);
}

static void a_server_of_ascii_names_refuses_other_receivers(void **state)
{
	(void)state;
	reader.names_ascii = true;
	assert_int_equal(read_text("{\"m\":{\"id\":\"zo\xC3\xAB\",\"r\":\"bob\",\"c\":\"\xC3\xAB\"}}"),
			 PACKET_OK);
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"r\":\"zo\xC3\xAB\"}}"), PACKET_BAD);
	assert_int_equal(packet.refusal, REFUSAL_BAD);
}

static void a_token_of_a_kibibyte_is_as_long_as_allowed(void **state)
{
	(void)state;
	static const struct { int n; enum packet_status status; } cases[] = {
		{ 1024, PACKET_OK }, { 1025, PACKET_BAD },
	};
	char packet_text[2048];
	for (size_t i = 0; i < 2; i++) {
		snprintf(packet_text, sizeof(packet_text),
			 "{rq:{id:\"1\",ad:{c:\"up\",i:\"d\",t:\"%0*d\"}}}", cases[i].n, 0);
		assert_int_equal(read_text(packet_text), cases[i].status);
	}
	assert_int_equal(packet.refusal, REFUSAL_TOO_LONG);
	assert_int_equal(packet.kind, PACKET_RQ_AD);
	assert_str(packet.id, "1");
	snprintf(packet_text, sizeof(packet_text), "{rq:{id:\"1\",a:{i:\"%0*d\",t:\"\"}}}", 1500, 0);
	assert_int_equal(read_text(packet_text), PACKET_OK); /* a refused login, no error */
}

/* ---- what breaks a rule ---- */

static void what_parses_but_breaks_a_rule_is_bad(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		/* no object at all, no datum, or not just one */
		{ "1", PACKET_UNKNOWN, NULL }, { "[]", PACKET_UNKNOWN, NULL },
		{ "\"rq\"", PACKET_UNKNOWN, NULL }, { "null", PACKET_UNKNOWN, NULL },
		{ "[{\"m\":{\"id\":\"1\"}}]", PACKET_UNKNOWN, NULL }, { "[{a:1}]", PACKET_UNKNOWN, NULL },
		{ "{}", PACKET_UNKNOWN, NULL }, { "{\"x\":1}", PACKET_UNKNOWN, NULL },
		{ "{\"RQ\":{}}", PACKET_UNKNOWN, NULL },
		{ "{\"m\":{\"id\":\"1\"},\"srq\":{\"id\":\"2\",\"t\":\"k\"}}", PACKET_UNKNOWN, "1" },
		{ "{\"srq\":{\"id\":\"2\",\"t\":\"k\"},\"rq\":{\"id\":\"1\",\"lo\":{}}}", PACKET_UNKNOWN, "2" },
		{ "{\"rq\":{\"id\":\"1\",\"lo\":{}},\"m\":{\"id\":\"2\",\"id\":\"2\"}}", PACKET_UNKNOWN, "1" },
		/* what only servers send */
		{ "{\"rp\":{\"id\":\"1\"}}", PACKET_UNKNOWN, NULL }, { "{\"srp\":{}}", PACKET_UNKNOWN, NULL },
		{ "{\"i\":1}", PACKET_UNKNOWN, NULL },
		{ "{\"m\":{\"id\":\"1\"},\"rp\":{}}", PACKET_M, "1" },
		{ "{\"i\":{},\"srq\":{\"id\":\"1\",\"t\":\"k\"}}", PACKET_SRQ, "1" },
		/* a datum that is no object */
		{ "{\"m\":1}", PACKET_M, NULL }, { "{\"srq\":[]}", PACKET_SRQ, NULL },
		{ "{\"rq\":null}", PACKET_UNKNOWN, NULL }, { "{\"rq\":\"a\"}", PACKET_UNKNOWN, NULL },
		/* no request, an unknown one, several, or one that is no object */
		{ "{\"rq\":{}}", PACKET_UNKNOWN, NULL }, { "{\"rq\":{\"id\":\"1\"}}", PACKET_UNKNOWN, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"zz\":{}}}", PACKET_UNKNOWN, "1" },
		{ "{\"rq\":{\"a\":{\"i\":\"a\",\"t\":\"t\"},\"id\":\"1\",\"lo\":{}}}", PACKET_UNKNOWN, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"a\":1}}", PACKET_RQ_A, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"lo\":null}}", PACKET_RQ_LO, "1" },
		/* a field missing */
		{ "{\"rq\":{\"lo\":{}}}", PACKET_RQ_LO, NULL }, { "{\"m\":{}}", PACKET_M, NULL },
		{ "{\"srq\":{\"t\":\"k\"}}", PACKET_SRQ, NULL }, { "{\"srq\":{\"id\":\"1\"}}", PACKET_SRQ, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"a\"}}}", PACKET_RQ_A, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"a\":{\"t\":\"a\"}}}", PACKET_RQ_A, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"ad\":{\"c\":\"cr\"}}}", PACKET_RQ_AD, "1" },
		{ "{\"m\":{\"id\":\"1\",\"dm\":{}}}", PACKET_M, "1" },
		/* a field of the wrong type */
		{ "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":1,\"t\":\"a\"}}}", PACKET_RQ_A, "1" },
		{ "{\"m\":{\"dm\":\"m1\",\"id\":\"1\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"dm\":[{\"id\":\"2\"}],\"id\":\"1\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"dm\":null,\"id\":\"1\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":null,\"c\":1}}", PACKET_M, NULL },
	};
	REFUSED_CHECK(cases, PACKET_BAD, REFUSAL_BAD);
}

static void what_is_too_long_says_so(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "{\"m\":{\"id\":\"" X128 "x\",\"r\":\"bob\"}}", PACKET_M, NULL },
		{ "{\"rq\":{\"id\":\"" X128 "x\",\"lo\":{}}}", PACKET_RQ_LO, NULL },
		{ "{\"m\":{\"id\":\"1\",\"r\":\"" X128 "x\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"nm\":{\"id\":\"" X128 "x\"}}}", PACKET_M, "1" },
		{ "{\"rq\":{\"ad\":{\"c\":\"cr\",\"i\":\"" X128 "x\"},\"id\":\"1\"}}", PACKET_RQ_AD, "1" },
	};
	REFUSED_CHECK(cases, PACKET_BAD, REFUSAL_TOO_LONG);
}

static void the_type_of_a_bad_server_request_is_kept_for_its_answer(void **state)
{
	(void)state;
	assert_int_equal(read_text("{\"srq\":{\"id\":null,\"t\":\"k\"}}"), PACKET_BAD);
	assert_str(packet.srq.t, "k");
	assert_int_equal(read_text("{\"srq\":{\"id\":\"1\",\"t\":1}}"), PACKET_BAD);
	assert_absent(packet.srq.t);
	assert_int_equal(read_text("{\"srq\":1}"), PACKET_BAD);
	assert_absent(packet.srq.t);
}

static void what_is_broken_is_malformed_and_says_where(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "", PACKET_UNKNOWN, NULL }, { " ", PACKET_UNKNOWN, NULL }, { "{", PACKET_UNKNOWN, NULL },
		{ "}", PACKET_UNKNOWN, NULL }, { "nope", PACKET_UNKNOWN, NULL }, { "{}{}", PACKET_UNKNOWN, NULL },
		{ "[1,]", PACKET_UNKNOWN, NULL }, { "{,}", PACKET_UNKNOWN, NULL },
		{ "{\"m\"", PACKET_UNKNOWN, NULL }, { "{\"m\":", PACKET_M, NULL },
		{ "{\"m\":{\"id\":\"1\"}", PACKET_M, "1" }, { "{\"m\":{\"id\":\"1\"}}x", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",}}", PACKET_M, "1" }, { "{\"m\":{\"id\":\"1\"},}", PACKET_M, "1" },
		{ "{\"m\":{\"c\":,\"id\":\"1\"}}", PACKET_M, NULL },
		{ "{\"m\":{\"id\":\"1\",\"c\":nul}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\" \"c\":1}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"c\":\"\\ud800\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":01}}", PACKET_M, NULL }, { "{'m':{}}", PACKET_UNKNOWN, NULL },
		{ "{m:{id:'1'}}", PACKET_M, NULL }, { "\xEF\xBB\xBF{}", PACKET_UNKNOWN, NULL },
		/* whatever rule the packet breaks as well */
		{ "{\"m\":{\"id\":null},\"m\":1}", PACKET_M, NULL },
		{ "{\"m\":{\"id\":\"1\",\"p\":7,\"c\":\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\"},\"srq\":{]}", PACKET_UNKNOWN, "1" },
		{ "{\"rp\":{},\"x\":}", PACKET_UNKNOWN, NULL }, { "[] []", PACKET_UNKNOWN, NULL },
		{ "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"a\"}", PACKET_RQ_A, "1" },
	};
	REFUSED_CHECK(cases, PACKET_MALFORMED, REFUSAL_BAD);
	read_text("{\"m\":{\"id\":\"1\",}}");
	assert_string_equal(packet.why, "Malformed at byte 15: name missing.");
}

static void what_is_passed_on_must_be_strict_json(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "{\"m\":{\"id\":\"1\",\"c\":{a:1}}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"c\":[[{\"a\":{b:1}}]]}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"x\":{a:1}}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",x:[{a:1}]}}", PACKET_M, "1" },
	};
	REFUSED_CHECK(cases, PACKET_MALFORMED, REFUSAL_BAD);
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"s\":{a:1},\"dm\":{\"id\":1,\"x\":{a:1}}}}"), PACKET_OK);
}

static void a_name_that_stands_twice_is_malformed(void **state)
{
	(void)state;
	static const struct refused_case cases[] = {
		{ "{\"m\":{\"id\":\"1\",\"id\":\"1\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",id:\"1\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"\\u0069d\":\"1\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"c\":1,\"c\":1}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"x\":1,\"y\":2,\"x\":1}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"x\":1,x:1}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"x\":1,\"\\u0078\":1}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"\":1,\"\":1}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"dm\":{\"id\":\"1\",\"id\":\"1\"}}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\",\"nm\":{\"x\":1,\"id\":\"1\",\"x\":1}}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\"},\"m\":{\"id\":\"2\"}}", PACKET_M, "1" },
		{ "{\"m\":{\"id\":\"1\"},\"v\":1,\"v\":1}", PACKET_M, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"lo\":{},\"lo\":{}}}", PACKET_RQ_LO, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"x\":1,\"x\":1}}", PACKET_UNKNOWN, "1" },
		{ "{\"rq\":{\"id\":\"1\",\"a\":{\"i\":\"a\",\"i\":\"a\"}}}", PACKET_RQ_A, "1" },
		{ "{\"srq\":{\"id\":\"1\",\"t\":\"k\",\"t\":\"k\"}}", PACKET_SRQ, "1" },
		{ "{\"rp\":1,\"rp\":1}", PACKET_UNKNOWN, NULL },
	};
	REFUSED_CHECK(cases, PACKET_MALFORMED, REFUSAL_BAD);
}

static void a_name_may_stand_twice_where_lemp_does_not_look(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{\"m\":{\"id\":\"1\",\"c\":{\"a\":1,\"a\":1}}}",
		"{\"m\":{\"id\":\"1\",\"x\":{\"a\":1,\"a\":1}}}",
		"{\"m\":{\"id\":\"1\",\"s\":{\"a\":1,\"a\":1}}}",
		"{\"srq\":{\"id\":\"1\",\"t\":\"k\",\"x\":[{a:1,\"a\":1}]}}",
		/* once in each of several objects */
		"{\"m\":{\"id\":\"1\",\"x\":1,\"dm\":{\"id\":\"2\",\"x\":1},\"nm\":{\"id\":\"2\",\"x\":1}},\"x\":1}",
		"{\"rq\":{\"id\":\"1\",\"x\":1,\"lo\":{\"x\":1,\"id\":1}},\"x\":1,\"id\":1}",
		/* names that only begin alike */
		"{\"m\":{\"id\":\"1\",\"x\":1,\"xx\":1,\"x\\u0000\":1,\"\":1,\"X\":1}}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (read_text(texts[i]) != PACKET_OK)
			fail_msg("%s: %s", texts[i], packet.why);
	}
}

/* ---- extremes ---- */

static void the_packet_itself_is_the_first_level(void **state)
{
	(void)state;
	static const struct { const char *before, *after; int levels; } cases[] = {
		{ "", "", 0 }, { "{\"x\":", "}", 1 }, { "{\"m\":{\"id\":\"1\",\"c\":", "}}", 2 },
		{ "{\"rq\":{\"id\":\"1\",\"x\":", "}}", 2 },
		{ "{\"rq\":{\"id\":\"1\",\"lo\":{\"x\":", "}}}", 3 },
		{ "{\"m\":{\"id\":\"1\",\"dm\":{\"id\":\"2\",\"x\":", "}}}", 3 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
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

static void deep_nesting_is_refused_without_depth_of_our_own(void **state)
{
	(void)state;
	static const char *const before[] = { "", "{\"m\":", "{\"m\":{\"c\":", "{\"m\":{\"dm\":{\"x\":" };
	static const char *const units[] = { "[", "{\"m\":", "{a:[", "{\"dm\":" };
	struct buf b;
	buf_init(&b, 2 << 20);
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < 4; k++) {
			buf_clear(&b);
			buf_str(&b, str_of(before[i]));
			for (int n = 0; n < 100000; n++)
				buf_str(&b, str_of(units[k]));
			assert_false(b.failed);
			assert_int_equal(read_bytes(b.p, b.n), PACKET_MALFORMED);
		}
	}
	buf_deinit(&b);
}

/* Quadratic work would make these take minutes and the test run out of time. */
static void many_members_are_told_apart(void **state)
{
	(void)state;
	static const char *const forms[] = {
		"{\"m\":{\"id\":\"1\"%s}}", "{\"rq\":{\"id\":\"1\",\"lo\":{}%s}}",
		"{\"rq\":{\"id\":\"1\",\"lo\":{\"r\":\"\"%s}}}", "{\"srq\":{\"id\":\"1\",\"t\":\"k\"}%s}",
		"{\"m\":{\"id\":\"1\",\"nm\":{\"id\":\"2\"%s}}}",
	};
	struct buf members, whole;
	buf_init(&members, 1 << 20);
	buf_init(&whole, 2 << 20);
	for (int n = 0; n < 40000; n++)
		buf_printf(&members, ",\"n%d\":%d", n, n);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t head = (size_t)(strchr(forms[i], '%') - forms[i]);
		for (int repeated = 0; repeated <= 1; repeated++) {
			buf_clear(&whole);
			buf_add(&whole, forms[i], head);
			buf_str(&whole, buf_view(&members));
			if (repeated)
				BUF_LIT(&whole, ",\"n0\":0");
			buf_str(&whole, str_of(forms[i] + head + 2));
			assert_int_equal(read_bytes(whole.p, whole.n),
					 repeated ? PACKET_MALFORMED : PACKET_OK);
		}
	}
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"n1\":1,\"n2\":2}}"), PACKET_OK); /* and after */
	buf_deinit(&members);
	buf_deinit(&whole);
}

static void a_repeated_name_is_found_however_many_stand_between(void **state)
{
	(void)state;
	for (int n = 0; n < 70; n++) {
		for (int twice = 0; twice <= n; twice++) {
			struct buf b;
			buf_init(&b, 8192);
			BUF_LIT(&b, "{\"m\":{\"id\":\"1\"");
			for (int i = 0; i < n; i++)
				buf_printf(&b, ",n%d:0", i);
			if (twice < n)
				buf_printf(&b, ",\"n%d\":0", twice);
			BUF_LIT(&b, "}}");
			assert_int_equal(read_bytes(b.p, b.n), twice < n ? PACKET_MALFORMED : PACKET_OK);
			buf_deinit(&b);
		}
	}
}

static void unknown_members_beyond_the_room_are_refused(void **state)
{
	(void)state;
	packet_reader_deinit(&reader);
	packet_reader_init(&reader, false, 64);
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"x\":\"" X128 "\"}}"), PACKET_BAD);
	assert_int_equal(packet.refusal, REFUSAL_TOO_LONG);
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"x\":0}}"), PACKET_OK);
}

static void any_beginning_of_a_packet_is_malformed(void **state)
{
	(void)state;
	static const char whole[] = "{\"m\":{\"id\":\"\\u0031\",\"r\":\"bob\",\"x\":[-1.5e3,true,{\"y\":null}],"
				    "\"c\":{\"a\":\"\\ud83d\\ude00\"},\"st\":\"17\",\"p\":1,dm:{id:\"2\"}}}";
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_int_equal(read_bytes(whole, n), PACKET_MALFORMED);
	assert_int_equal(read_bytes(whole, sizeof(whole) - 1), PACKET_OK);
}

/* ---- views and tables ---- */

static void the_views_of_a_packet_are_all_its_strings(void **state)
{
	(void)state;
	struct str *views[PACKET_VIEWS_MAX];
	assert_int_equal(read_text("{\"m\":{\"id\":\"1\",\"r\":\"bob\",\"c\":2,\"x\":3,\"dm\":{\"id\":\"4\"}}}"), PACKET_OK);
	unsigned n = packet_views(&packet, views);
	assert_ptr_equal(views[0], &packet.id);
	assert_ptr_equal(views[1], &packet.extra);
	assert_int_equal(n, 10);
	struct str *const m[] = { &packet.m.id, &packet.m.s, &packet.m.r, &packet.m.t,
				  &packet.m.c, &packet.m.dm, &packet.m.nm, &packet.m.sr };
	for (unsigned i = 0; i < 8; i++)
		assert_ptr_equal(views[2 + i], m[i]);
	assert_int_equal(read_text("{}"), PACKET_BAD);
	assert_int_equal(packet_views(&packet, views), 2);
}

static void the_table_holds_every_object_and_member(void **state)
{
	(void)state;
	const struct packet_object *m = &packet_objects[PACKET_OBJECT_m];
	assert_string_equal(m->name, "m");
	assert_int_equal(m->count, 12);
	assert_string_equal(m->fields[0].key, "id");
	assert_int_equal(m->fields[0].need, PACKET_NEED_MUST);
	assert_int_equal(m->must, 1);
	assert_int_equal(m->fields[5].offset, offsetof(struct packet_m, st));
	assert_string_equal(packet_type_names[m->fields[5].type], "TIME");
	for (int k = PACKET_UNKNOWN + 1; k < PACKET_KIND_COUNT; k++)
		assert_non_null(packet_kind_objects[k]);
	assert_null(packet_kind_objects[PACKET_UNKNOWN]);
}

static void every_close_and_refusal_has_a_code(void **state)
{
	(void)state;
	assert_int_equal(close_rows[CLOSE_REPLACED].code, 4001);
	for (int i = 0; i < CLOSE_COUNT; i++) {
		assert_in_range(close_rows[i].code, 1000, 4999);
		assert_in_range(strlen(close_rows[i].text), 1, 123); /* RFC 6455 section 5.5 */
	}
	assert_string_equal(refusal_codes[REFUSAL_NONE], "");
	assert_string_equal(refusal_codes[REFUSAL_MAILBOX_FULL], "507");
	for (int i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++)
		assert_int_equal(strlen(refusal_codes[i]), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_login_gives_who_and_token),
		TEST(a_login_may_carry_any_name),
		TEST(a_logout_may_give_a_reason),
		TEST(an_administration_gives_its_fields),
		TEST(a_server_request_gives_its_type),
		TEST(a_message_gives_all_its_fields),
		TEST(a_message_needs_no_more_than_an_id),
		TEST(a_receipt_gives_the_id_it_is_about),
		TEST(content_keeps_the_bytes_it_was),
		TEST(unknown_members_of_a_message_are_gathered_as_received),
		TEST(unknown_members_elsewhere_are_ignored),
		TEST(white_space_may_stand_between_any_two_tokens),
		TEST(names_and_strings_are_compared_decoded),
		TEST(an_id_is_a_short_string_or_an_integer),
		TEST(an_escape_counts_as_what_it_stands_for),
		TEST(a_receiver_is_a_name),
		TEST(a_type_too_long_to_be_known_is_a_wrong_type),
		TEST(a_time_is_an_integer_up_to_2_to_53),
		TEST(a_flag_is_zero_or_one),
		TEST(a_server_of_ascii_names_refuses_other_receivers),
		TEST(a_token_of_a_kibibyte_is_as_long_as_allowed),
		TEST(what_parses_but_breaks_a_rule_is_bad),
		TEST(what_is_too_long_says_so),
		TEST(the_type_of_a_bad_server_request_is_kept_for_its_answer),
		TEST(what_is_broken_is_malformed_and_says_where),
		TEST(what_is_passed_on_must_be_strict_json),
		TEST(a_name_that_stands_twice_is_malformed),
		TEST(a_name_may_stand_twice_where_lemp_does_not_look),
		TEST(the_packet_itself_is_the_first_level),
		TEST(deep_nesting_is_refused_without_depth_of_our_own),
		TEST(many_members_are_told_apart),
		TEST(a_repeated_name_is_found_however_many_stand_between),
		TEST(unknown_members_beyond_the_room_are_refused),
		TEST(any_beginning_of_a_packet_is_malformed),
		TEST(the_views_of_a_packet_are_all_its_strings),
		TEST(the_table_holds_every_object_and_member),
		TEST(every_close_and_refusal_has_a_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
