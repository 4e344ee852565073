#include "daemon/config.h"
#include "daemon/units.h"
#include "net/address.h"
#include <stdio.h>
#include <stdlib.h>

enum kind { COUNT, SIZE, DURATION, CHOICE, TEXT, LIST };

struct row {
	struct config_row shown;
	enum kind kind;
	size_t offset; /* of its member in struct config */
	int64_t min, max;
	bool has_auto; /* "auto" stands for 0 */
};

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define ANY .min = 0
#define RANGE(least, most) .min = (least), .max = (most)
#define AUTO(least, most) .has_auto = true, RANGE(least, most)
#define WORDS(list) .shown.words = (list)
#define LIVE true
#define START false
static const struct row rows[CONFIG_KEYS] = {
#define SETTING(name, member, type, range, default_text, when, what)                         \
	[CONFIG_##member] = { .shown.key = (name), .shown.text = (default_text),             \
			      .shown.meaning = (what), .shown.live = (when), .kind = (type), \
			      .offset = offsetof(struct config, member), range },
#include "daemon/settings.def"
#undef SETTING
};

const struct config_row *config_row(enum config_key key)
{
	return &rows[key].shown;
}

static void *member(const struct config *config, enum config_key key)
{
	return (char *)(uintptr_t)config + rows[key].offset;
}

void config_errors_init(struct buf *errors)
{
	buf_init(errors, CONFIG_ERRORS_BYTES_MAX);
}

/* --- one value --- */

/* The index of a word in "this|that", -1: none of them. */
static int64_t word_index(const char *words, struct str word)
{
	int64_t index = 0;
	for (const char *at = words; *at; index++) {
		size_t n = strcspn(at, "|");
		if (str_eq(word, (struct str){ at, n }))
			return index;
		at += n + (at[n] == '|');
	}
	return -1;
}

static int parse_number(const struct row *row, struct str value, int64_t *out)
{
	int err;
	if (row->has_auto && str_eq(value, STR("auto"))) {
		*out = 0;
		return OK;
	}
	if (row->kind == COUNT)
		err = units_count(value, out);
	else if (row->kind == SIZE)
		err = units_size(value, out);
	else
		err = units_duration(value, out);
	return err ? err : *out < row->min || *out > row->max ? ERR_INVALID : OK;
}

static struct str trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct str){ s.p + 1, s.n - 1 };
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Splits at commas; the items end with a NUL each. */
static int parse_list(struct str value, struct config_list *out)
{
	struct config_list list = { .n = 0 };
	list._bytes = strndup(value.p, value.n);
	CHECK(list._bytes);
	for (char *at = list._bytes, *end = at + value.n; at <= end && value.n; at++) {
		size_t n = strcspn(at, ",");
		struct str item = trim((struct str){ at, n });
		at += n;
		if (item.n == 0 || list.n == CONFIG_LIST_MAX) {
			free(list._bytes);
			return ERR_INVALID;
		}
		list._bytes[item.p + item.n - list._bytes] = '\0';
		list.item[list.n++] = item;
	}
	free(out->_bytes);
	*out = list;
	return OK;
}

static int parse_text(struct str value, char **out)
{
	if (value.n == 0)
		return ERR_INVALID;
	char *copy = strndup(value.p, value.n);
	CHECK(copy);
	free(*out);
	*out = copy;
	return OK;
}

static int parse(const struct row *row, struct str value, void *out)
{
	int64_t number;
	if (value.n > CONFIG_VALUE_BYTES_MAX || memchr(value.p, '\0', value.n))
		return ERR_INVALID;
	if (row->kind == LIST)
		return parse_list(value, out);
	if (row->kind == TEXT)
		return parse_text(value, out);
	if (row->kind == CHOICE)
		number = word_index(row->shown.words, value);
	else if (parse_number(row, value, &number) != OK)
		return ERR_INVALID;
	if (number < 0)
		return ERR_INVALID;
	memcpy(out, &number, sizeof(number));
	return OK;
}

/* Says what a key takes. */
static void say_wanted(const struct row *row, struct buf *errors)
{
	char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
	switch (row->kind) {
	case COUNT:
		buf_printf(errors, "is no number from %lld to %lld", (long long)row->min,
			   (long long)row->max);
		break;
	case SIZE:
		units_size_text(row->min, least);
		units_size_text(row->max, most);
		buf_printf(errors, "is no size from %s to %s (units: B, KiB, MiB, GiB)", least, most);
		break;
	case DURATION:
		units_duration_text(row->min, least);
		units_duration_text(row->max, most);
		buf_printf(errors, "is no time from %s to %s (units: ms, s, m, h, d)", least, most);
		break;
	case CHOICE:
		buf_printf(errors, "is none of %s", row->shown.words);
		break;
	case TEXT:
		BUF_LIT(errors, "is no text of 1 to 4096 bytes");
		break;
	case LIST:
		buf_printf(errors, "is no list of at most %d items, none of them empty", CONFIG_LIST_MAX);
	}
	if (row->has_auto)
		BUF_LIT(errors, ", or auto");
}

void config_say_value(struct str value, struct buf *errors)
{
	size_t n = value.n < 64 ? value.n : 64;
	for (size_t i = 0; i < n; i++)
		buf_u8(errors, (unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f
				       ? '?' : (uint8_t)value.p[i]);
	if (n < value.n)
		BUF_LIT(errors, "...");
}

void config_set(struct config *config, struct str key, struct str value, const char *place,
		struct buf *errors)
{
	enum config_key k = 0;
	while (k < CONFIG_KEYS && !str_eq(key, str_of(rows[k].shown.key)))
		k++;
	if (k == CONFIG_KEYS) {
		buf_printf(errors, "%s: ", place);
		config_say_value(key, errors);
		buf_printf(errors, ": no such key; did you mean %.*s?\n", STR_ARG(config_nearest(key)));
		return;
	}
	if (parse(&rows[k], value, member(config, k)) == OK) {
		free(config->_place[k]);
		config->_place[k] = strdup(place);
		CHECK(config->_place[k]);
		return;
	}
	buf_printf(errors, "%s: %s: '", place, rows[k].shown.key);
	config_say_value(value, errors);
	BUF_LIT(errors, "' ");
	say_wanted(&rows[k], errors);
	BUF_LIT(errors, "\n");
}

/* --- all of it --- */

struct config *config_create(void)
{
	struct config *config = calloc(1, sizeof(*config));
	if (!config)
		return NULL;
	atomic_init(&config->_refs, 1);
	for (enum config_key k = 0; k < CONFIG_KEYS; k++)
		CHECK(parse(&rows[k], str_of(rows[k].shown.text), member(config, k)) == OK);
	return config;
}

struct config *config_ref(struct config *config)
{
	atomic_fetch_add(&config->_refs, 1);
	return config;
}

void config_unref(struct config **config_slot)
{
	struct config *config = *config_slot;
	*config_slot = NULL;
	if (!config || atomic_fetch_sub(&config->_refs, 1) > 1)
		return;
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		free(config->_place[k]);
		if (rows[k].kind == TEXT)
			free(*(char **)member(config, k));
		else if (rows[k].kind == LIST)
			free(((struct config_list *)member(config, k))->_bytes);
	}
	free(config);
}

static const char *place_of(const struct config *config, enum config_key key)
{
	return config->_place[key] ? config->_place[key] : "default";
}

int config_admin_socket(const struct config *config, char out[CONFIG_SOCKET_PATH_MAX])
{
	bool is_auto = strcmp(config->server_admin_socket, "auto") == 0;
	int n = is_auto ? snprintf(out, CONFIG_SOCKET_PATH_MAX, "%s/admin.sock", config->server_data)
			: snprintf(out, CONFIG_SOCKET_PATH_MAX, "%s", config->server_admin_socket);
	return n < CONFIG_SOCKET_PATH_MAX ? OK : ERR_FULL;
}

static void check_send_buffer(const struct config *config, struct buf *errors)
{
	if (config->limits_send_buffer >= 2 * config->limits_max_packet)
		return;
	enum config_key at = config->_place[CONFIG_limits_send_buffer] ? CONFIG_limits_send_buffer
								       : CONFIG_limits_max_packet;
	char has[UNITS_TEXT_MAX], packet[UNITS_TEXT_MAX];
	units_size_text(config->limits_send_buffer, has);
	units_size_text(config->limits_max_packet, packet);
	buf_printf(errors, "%s: limits.send_buffer: %s is less than twice limits.max_packet (%s)\n",
		   place_of(config, at), has, packet);
}

static void check_listen(const struct config *config, struct buf *errors)
{
	const char *place = place_of(config, CONFIG_server_listen);
	if (config->server_listen.n == 0)
		buf_printf(errors, "%s: server.listen: there must be an address to listen on\n", place);
	for (unsigned i = 0; i < config->server_listen.n; i++) {
		struct sockaddr_storage address;
		socklen_t n;
		if (address_parse(config->server_listen.item[i], &address, &n) == OK)
			continue;
		buf_printf(errors, "%s: server.listen: '", place);
		config_say_value(config->server_listen.item[i], errors);
		BUF_LIT(errors, "' is neither HOST:PORT with a numeric host nor unix:PATH\n");
	}
}

void config_check(const struct config *config, struct buf *errors)
{
	char path[CONFIG_SOCKET_PATH_MAX];
	check_send_buffer(config, errors);
	check_listen(config, errors);
	if (config->server_path[0] != '/' || strpbrk(config->server_path, "?# "))
		buf_printf(errors, "%s: server.path: must begin with / and have no ?, # or blank\n",
			   place_of(config, CONFIG_server_path));
	if (config_admin_socket(config, path) != OK)
		buf_printf(errors, "%s: server.admin_socket: the path is longer than 107 bytes, more than a "
				   "socket can have: set a shorter one\n",
			   place_of(config, config->_place[CONFIG_server_admin_socket]
						    ? CONFIG_server_admin_socket : CONFIG_server_data));
}

static bool lists_differ(const struct config_list *a, const struct config_list *b)
{
	bool same = a->n == b->n;
	for (unsigned i = 0; same && i < a->n; i++)
		same = str_eq(a->item[i], b->item[i]);
	return !same;
}

bool config_differs(const struct config *a, const struct config *b, enum config_key key)
{
	const void *x = member(a, key), *y = member(b, key);
	if (rows[key].kind == TEXT)
		return strcmp(*(char *const *)x, *(char *const *)y) != 0;
	if (rows[key].kind == LIST)
		return lists_differ(x, y);
	return memcmp(x, y, sizeof(int64_t)) != 0;
}

static void copy_list(const struct config_list *from, struct config_list *to)
{
	struct buf joined;
	buf_init(&joined, CONFIG_LIST_MAX * (CONFIG_VALUE_BYTES_MAX + 1));
	for (unsigned i = 0; i < from->n; i++) {
		if (i)
			BUF_LIT(&joined, ",");
		buf_str(&joined, from->item[i]);
	}
	CHECK(parse_list(buf_view(&joined), to) == OK);
	buf_deinit(&joined);
}

void config_keep(struct config *config, const struct config *old)
{
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		void *to = member(config, k);
		const void *from = member(old, k);
		if (rows[k].shown.live)
			continue;
		if (rows[k].kind == LIST)
			copy_list(from, to);
		else if (rows[k].kind == TEXT)
			CHECK(parse_text(str_of(*(char *const *)from), to) == OK);
		else
			memcpy(to, from, sizeof(int64_t));
	}
}

/* --- the nearest key --- */

#define KEY_BYTES_MAX 64

/* Levenshtein's distance; b has at most KEY_BYTES_MAX bytes. */
static unsigned distance(struct str a, struct str b)
{
	unsigned row[KEY_BYTES_MAX + 1];
	for (unsigned j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b.n; j++) {
			unsigned least = diagonal + (a.p[i] != b.p[j]);
			diagonal = row[j + 1];
			if (diagonal + 1 < least)
				least = diagonal + 1;
			if (row[j] + 1 < least)
				least = row[j] + 1;
			row[j + 1] = least;
		}
	}
	return row[b.n];
}

static struct str nearest(struct str word, bool section)
{
	struct str best = STR_NONE;
	unsigned least = UINT32_MAX;
	word.n = word.n < KEY_BYTES_MAX ? word.n : KEY_BYTES_MAX;
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		const char *key = rows[k].shown.key;
		struct str known = { key, section ? strcspn(key, ".") : strlen(key) };
		unsigned d = distance(word, known);
		if (d < least) {
			least = d;
			best = known;
		}
	}
	return best;
}

struct str config_nearest(struct str key)
{
	return nearest(key, false);
}

struct str config_nearest_section(struct str section)
{
	return nearest(section, true);
}
