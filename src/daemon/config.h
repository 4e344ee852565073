/* The configuration: one row of settings.def per key. Values come from four places, the later one
 * wins: defaults < file < environment < command line.
 *
 * Owner: the main thread makes and fills one; from then on it is constant and counted by
 * references, as each worker keeps the one it uses until it has taken over a newer one.
 *
 * Errors do not end the reading: each is a line "PLACE: KEY: what is wrong" in a buffer, where
 * PLACE is FILE:LINE, the environment variable or the option. */
#pragma once
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/str.h"
#include <stdatomic.h>
#include <stdint.h>

#define CONFIG_LIST_MAX 64
#define CONFIG_VALUE_BYTES_MAX 4096
#define CONFIG_FILE_BYTES_MAX (1 << 20)
#define CONFIG_ERRORS_BYTES_MAX (1 << 16)

/* CHOICE values, in the order of the words in settings.def. */
enum { CONFIG_NAMES_UTF8, CONFIG_NAMES_ASCII };
enum { CONFIG_DURABILITY_FSYNC, CONFIG_DURABILITY_OS };
enum { CONFIG_TOKEN_ARGON2ID, CONFIG_TOKEN_BLAKE2B };
enum { CONFIG_ENGINE_EMBEDDED, CONFIG_ENGINE_MEMORY };

struct config_list {
	struct str item[CONFIG_LIST_MAX]; /* each ends with a NUL, too */
	unsigned n;
	char *_bytes;
};

#define CONFIG_TYPE_COUNT int64_t    /* 0: auto, or none */
#define CONFIG_TYPE_SIZE int64_t     /* bytes */
#define CONFIG_TYPE_DURATION int64_t /* milliseconds */
#define CONFIG_TYPE_CHOICE int64_t   /* which word */
#define CONFIG_TYPE_TEXT char *      /* never NULL or empty; "auto" where settings.def says so */
#define CONFIG_TYPE_LIST struct config_list

enum config_key {
#define SETTING(key, member, kind, range, text, when, meaning) CONFIG_##member,
#include "daemon/settings.def"
#undef SETTING
	CONFIG_KEYS
};

struct config {
	_Atomic unsigned _refs;
	char *_place[CONFIG_KEYS]; /* where it was set; NULL: a default */
#define SETTING(key, member, kind, range, text, when, meaning) CONFIG_TYPE_##kind member;
#include "daemon/settings.def"
#undef SETTING
};

/* What there is to know about a key. */
struct config_row {
	const char *key, *text, *meaning; /* text: the default, as it would be written */
	const char *words;                /* CHOICE: "this|that" */
	bool live;                        /* a change counts without a restart */
};
const struct config_row *config_row(enum config_key key);

struct config *config_create(void); /* all defaults; NULL: out of memory */
struct config *config_ref(struct config *config);
void config_unref(struct config **config);

/* Each of these appends what is wrong to `errors` (config_errors_init) and goes on. */
void config_errors_init(struct buf *errors);
/* One value; `place` names where it stands. LIST: items separated by commas. */
void config_set(struct config *config, struct str key, struct str value, const char *place,
		struct buf *errors);
/* A YAML file of sections and keys, as docs/lempd.yaml. */
void config_read_file(struct config *config, const char *path, struct buf *errors);
/* The same from memory; `path` is for messages. */
void config_read_text(struct config *config, const char *path, struct str text, struct buf *errors);
/* LEMP_SECTION_KEY=value …, ended by NULL. Others are ignored, but not ones that begin with
 * LEMP_SECTION_ of a section we have. */
void config_read_environment(struct config *config, char *const *environment, struct buf *errors);
/* What concerns several keys; call it last. */
void config_check(const struct config *config, struct buf *errors);

/* Where lempctl finds the server: the socket's path, with NUL. 0 or ERR_FULL (too long for a socket). */
#define CONFIG_SOCKET_PATH_MAX 108
int config_admin_socket(const struct config *config, char out[CONFIG_SOCKET_PATH_MAX]) WARN_UNUSED;
/* Has the value of a key changed? */
bool config_differs(const struct config *a, const struct config *b, enum config_key key);
/* Gives `config` the old values of keys that cannot change in a running server. */
void config_keep(struct config *config, const struct config *old);
/* Text of the user in a message: cut, and with nothing a terminal would act on. */
void config_say_value(struct str value, struct buf *errors);
/* The known key, or section, most like this one. */
struct str config_nearest(struct str key);
struct str config_nearest_section(struct str section);
