/* A view of bytes somebody else owns: never freed through, never terminated by NUL.
 * Lives as long as what it points into; functions that keep one say so. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p; /* NULL only together with n == 0 and meaning "absent" */
	size_t n;      /* bytes */
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).p

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_begins(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline struct str str_of(const char *z)
{
	return (struct str){ z, strlen(z) };
}

/* Orders byte for byte, the shorter first when one begins the other. <0, 0, >0. */
static inline int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}
