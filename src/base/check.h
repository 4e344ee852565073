/* CHECK is for what the program believes of itself, never for bytes from outside.
 * It is compiled into every build: it prints the condition, file and line on standard
 * error (no user data) and aborts. DCHECK is for costly ones and debug builds only. */
#pragma once

_Noreturn void check_failed(const char *what, const char *file, int line);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
#ifdef NDEBUG
#define DCHECK(cond) ((void)sizeof(cond))
#else
#define DCHECK(cond) CHECK(cond)
#endif

/* For what cannot be reached. */
#define CHECK_NEVER(what) check_failed((what), __FILE__, __LINE__)

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
