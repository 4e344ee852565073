/* Where values come from: a YAML file (libyaml's events; they know their lines) and the
 * environment. The file is two levels deep: sections, and in them keys with a scalar or a list. */
#include "daemon/config.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <fcntl.h>
#include <yaml.h>

#define SECTION_BYTES_MAX 128

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	struct config *config;
	const char *path;
	struct buf *errors;
	struct buf seen;    /* "section.key\n" of those that came already */
	struct buf section;
	struct buf key;     /* "section.key" */
	struct buf value;
	bool stop;          /* the rest cannot be understood */
};

static struct str event_text(const struct reader *r)
{
	return (struct str){ (const char *)r->event.data.scalar.value, r->event.data.scalar.length };
}

static void say(struct reader *r, size_t line, const char *what)
{
	buf_printf(r->errors, "%s:%zu: ", r->path, line);
	if (r->key.n)
		buf_printf(r->errors, "%.*s: ", STR_ARG(buf_view(&r->key)));
	buf_printf(r->errors, "%s\n", what);
}

static size_t event_line(const struct reader *r)
{
	return r->event.start_mark.line + 1;
}

/* False at the end or after an error; frees the event before. */
static bool next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (r->stop)
		return false;
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		size_t line = r->parser.problem_mark.line + 1;
		say(r, line, r->parser.problem ? r->parser.problem : "cannot be read");
		r->stop = true;
		return false;
	}
	return true;
}

static bool stop(struct reader *r, const char *why)
{
	say(r, event_line(r), why);
	r->stop = true;
	return false;
}

/* A list: its items joined by commas, as config_set wants them. */
static bool read_items(struct reader *r)
{
	while (next(r) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		if (r->event.type != YAML_SCALAR_EVENT)
			return stop(r, "a list holds plain values");
		if (memchr(event_text(r).p, ',', event_text(r).n))
			return stop(r, "an item of a list has no comma");
		if (r->value.n)
			BUF_LIT(&r->value, ",");
		buf_str(&r->value, event_text(r));
	}
	return !r->stop;
}

static bool seen_before(struct reader *r)
{
	BUF_LIT(&r->key, "\n");
	bool seen = r->seen.n && memmem(r->seen.p, r->seen.n, r->key.p, r->key.n);
	if (!seen)
		buf_str(&r->seen, buf_view(&r->key));
	r->key.n--;
	return seen;
}

/* At the value of a key of a section. */
static bool read_value(struct reader *r, size_t line)
{
	char place[SECTION_BYTES_MAX + 32];
	buf_clear(&r->value);
	if (r->event.type == YAML_SEQUENCE_START_EVENT) {
		if (!read_items(r))
			return false;
	} else if (r->event.type == YAML_SCALAR_EVENT) {
		buf_str(&r->value, event_text(r));
	} else {
		return stop(r, "is a key with a value, not a section");
	}
	if (seen_before(r)) {
		say(r, line, "stands here a second time");
		return true;
	}
	snprintf(place, sizeof(place), "%.*s:%zu", SECTION_BYTES_MAX, r->path, line);
	config_set(r->config, buf_view(&r->key), buf_view(&r->value), place, r->errors);
	return true;
}

static bool read_section(struct reader *r)
{
	while (next(r) && r->event.type != YAML_MAPPING_END_EVENT) {
		if (r->event.type != YAML_SCALAR_EVENT)
			return stop(r, "a key is plain text");
		size_t line = event_line(r);
		buf_clear(&r->key);
		buf_str(&r->key, buf_view(&r->section));
		BUF_LIT(&r->key, ".");
		buf_str(&r->key, event_text(r));
		if (!next(r) || !read_value(r, line))
			return false;
		buf_clear(&r->key);
	}
	return !r->stop;
}

static bool is_section(struct str name)
{
	for (enum config_key k = 0; k < CONFIG_KEYS; k++) {
		const char *key = config_row(k)->key;
		if (str_eq(name, (struct str){ key, strcspn(key, ".") }))
			return true;
	}
	return false;
}

/* A section nobody knows: is told once, and its keys are passed over. */
static bool skip_section(struct reader *r, size_t line)
{
	int depth = 0;
	buf_printf(r->errors, "%s:%zu: ", r->path, line);
	config_say_value(buf_view(&r->section), r->errors);
	buf_printf(r->errors, ": no such section; did you mean %.*s?\n",
		   STR_ARG(config_nearest_section(buf_view(&r->section))));
	do {
		yaml_event_type_t type = r->event.type;
		depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
		depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
	} while (depth > 0 && next(r));
	return !r->stop;
}

/* At the name of a section. */
static bool read_one_section(struct reader *r)
{
	size_t line = event_line(r);
	if (r->event.type != YAML_SCALAR_EVENT || event_text(r).n > SECTION_BYTES_MAX)
		return stop(r, "a section is plain text");
	buf_clear(&r->section);
	buf_str(&r->section, event_text(r));
	if (!next(r))
		return false;
	if (!is_section(buf_view(&r->section)))
		return skip_section(r, line);
	if (r->event.type == YAML_SCALAR_EVENT && event_text(r).n == 0)
		return true; /* nothing in it */
	if (r->event.type == YAML_MAPPING_START_EVENT)
		return read_section(r);
	buf_str(&r->key, buf_view(&r->section));
	return stop(r, "is a section of keys, not a value");
}

/* At the first event of the document. */
static void read_sections(struct reader *r)
{
	if (r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0)
		return; /* nothing but comments */
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		stop(r, "a configuration is sections of keys");
		return;
	}
	while (next(r) && r->event.type != YAML_MAPPING_END_EVENT && read_one_section(r))
		;
}

void config_read_text(struct config *config, const char *path, struct str text, struct buf *errors)
{
	struct reader r = { .config = config, .path = path, .errors = errors };
	CHECK(yaml_parser_initialize(&r.parser));
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
	buf_init(&r.seen, CONFIG_FILE_BYTES_MAX);
	buf_init(&r.section, CONFIG_FILE_BYTES_MAX);
	buf_init(&r.key, CONFIG_FILE_BYTES_MAX);
	buf_init(&r.value, CONFIG_FILE_BYTES_MAX);
	bool first = true;
	while (next(&r) && r.event.type != YAML_STREAM_END_EVENT) {
		if (r.event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (!first)
			stop(&r, "a second document");
		else if (next(&r))
			read_sections(&r);
		first = false;
	}
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	buf_deinit(&r.seen);
	buf_deinit(&r.section);
	buf_deinit(&r.key);
	buf_deinit(&r.value);
}

/* 0 and its bytes, or an errno. */
static int slurp(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	while (!error) {
		char *to = buf_reserve(out, 4096);
		ssize_t n = to ? read(fd, to, 4096) : -1;
		if (!to)
			error = EFBIG;
		else if (n < 0)
			error = errno;
		else if (n == 0)
			break;
		else
			buf_commit(out, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return error;
}

void config_read_file(struct config *config, const char *path, struct buf *errors)
{
	struct buf text;
	char words[64];
	buf_init(&text, CONFIG_FILE_BYTES_MAX);
	int error = slurp(path, &text);
	if (error)
		buf_printf(errors, "%s: %s\n", path, strerror_r(error, words, sizeof(words)));
	else
		config_read_text(config, path, buf_view(&text), errors);
	buf_deinit(&text);
}

#define VARIABLE_BYTES_MAX 64

/* "limits.max_packet" -> "LEMP_LIMITS_MAX_PACKET"; returns how many bytes are before KEY. */
static size_t variable_name(const char *key, char out[VARIABLE_BYTES_MAX])
{
	int n = snprintf(out, VARIABLE_BYTES_MAX, "LEMP_%s", key);
	CHECK(n < VARIABLE_BYTES_MAX);
	char *dot = strchr(out, '.');
	*dot = '_';
	for (char *at = out; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return (size_t)(dot - out) + 1;
}

/* "LEMP_LIMITS_MAX_PACKT" with the section known -> "limits.max_packt" */
static void variable_key(struct str name, size_t section_n, struct buf *out)
{
	for (size_t i = sizeof("LEMP_") - 1; i < name.n; i++)
		buf_u8(out, i + 1 == section_n ? '.' : (uint8_t)tolower((unsigned char)name.p[i]));
}

void config_read_environment(struct config *config, char *const *environment, struct buf *errors)
{
	for (; *environment; environment++) {
		const char *equals = strchr(*environment, '=');
		struct str name = { *environment, equals ? (size_t)(equals - *environment) : 0 };
		size_t section_n = 0;
		for (enum config_key k = 0; k < CONFIG_KEYS && !section_n; k++) {
			char variable[VARIABLE_BYTES_MAX];
			size_t n = variable_name(config_row(k)->key, variable);
			if (name.n > n && memcmp(name.p, variable, n) == 0)
				section_n = n;
		}
		if (!section_n)
			continue;
		struct buf key;
		char place[SECTION_BYTES_MAX];
		buf_init(&key, CONFIG_FILE_BYTES_MAX);
		variable_key(name, section_n, &key);
		snprintf(place, sizeof(place), "%.*s", STR_ARG(name));
		config_set(config, buf_view(&key), str_of(equals + 1), place, errors);
		buf_deinit(&key);
	}
}
