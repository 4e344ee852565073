/* One packet at a time: the text lives on the heap without NUL, so that the address sanitizer sees
 * a step too far. For the tests of the reader. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet/packet.h"
#include "packet/packet_table.h"

static struct packet_reader reader;
static struct packet packet;
static char *text;

static int setup(void **state)
{
	(void)state;
	packet_reader_init(&reader, false, 4 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	packet_reader_deinit(&reader);
	free(text);
	text = NULL;
	return 0;
}

static enum packet_status read_bytes(const char *p, size_t n)
{
	free(text);
	text = malloc(n ? n : 1);
	assert_non_null(text);
	if (n)
		memcpy(text, p, n);
	return packet_read(&reader, text, n, &packet);
}

static enum packet_status read_text(const char *z)
{
	return read_bytes(z, strlen(z));
}

#define assert_str(s, z)                                                               \
	do {                                                                           \
		struct str s_ = (s);                                                   \
		if (!s_.p || !str_eq(s_, str_of(z)))                                   \
			fail_msg("is %.*s, not %s", s_.p ? (int)s_.n : 6, s_.p ? s_.p : "absent", z); \
	} while (0)
#define assert_absent(s) assert_null((s).p)

#define X16 "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16

struct refused_case {
	const char *text;
	enum packet_kind kind;
	const char *id; /* NULL: none */
};

static void refused_check(const struct refused_case *cases, size_t n, enum packet_status status,
			  enum refusal refusal)
{
	for (size_t i = 0; i < n; i++) {
		enum packet_status is = read_text(cases[i].text);
		if (is != status || packet.kind != cases[i].kind || packet.refusal != refusal ||
		    !packet.why[0])
			fail_msg("status %d kind %d refusal %d for %s (%s)", is, packet.kind, packet.refusal,
				 cases[i].text, packet.why);
		if (cases[i].id)
			assert_str(packet.id, cases[i].id);
		else
			assert_absent(packet.id);
	}
}
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define REFUSED_CHECK(cases, status, refusal) refused_check(cases, COUNT(cases), status, refusal)
