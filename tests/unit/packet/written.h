/* One packet written at a time. For the tests of the writers. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet/json.h"
#include "packet/packet.h"
#include "packet/packet_table.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct buf out;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_deinit(&out);
	return 0;
}

static void written_check(const char *expected)
{
	assert_false(out.failed);
	if (!str_eq(buf_view(&out), str_of(expected)))
		fail_msg("wrote %.*s\nnot   %s", STR_ARG(buf_view(&out)), expected);
	assert_true(json_valid(buf_view(&out), JSON_RFC8259));
	buf_clear(&out);
}
