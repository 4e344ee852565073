#include "target.h"
#include "base/err.h"
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "ws://"

/* HOST:PORT, [HOST]:PORT, HOST. Cuts `text`. */
static void split(char *text, char **host_out, const char **port_out)
{
	char *colon = strrchr(text, ':');
	*host_out = text;
	*port_out = "80";
	if (colon && !strchr(colon, ']')) {
		*colon = '\0';
		*port_out = colon + 1;
	}
	size_t n = strlen(text);
	if (text[0] == '[' && text[n - 1] == ']') {
		text[n - 1] = '\0';
		*host_out = text + 1;
	}
}

static int look_up(struct target *t, char *why, size_t why_size)
{
	char text[sizeof(t->host)], *host;
	const char *port;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	memcpy(text, t->host, sizeof(text));
	split(text, &host, &port);
	int err = getaddrinfo(host, port, &hints, &found);
	if (err) {
		snprintf(why, why_size, "%s: %s", t->host, gai_strerror(err));
		return ERR_NOTFOUND;
	}
	memcpy(&t->address, found->ai_addr, found->ai_addrlen);
	t->address_n = found->ai_addrlen;
	freeaddrinfo(found);
	return OK;
}

int target_parse(const char *url, struct target *out, char *why, size_t why_size)
{
	*out = (struct target){ .path = "/" };
	const char *host = url + sizeof(SCHEME) - 1;
	bool ws = strncmp(url, SCHEME, sizeof(SCHEME) - 1) == 0;
	size_t n = ws ? strcspn(host, "/") : 0;
	if (n == 0 || n >= sizeof(out->host) || strlen(host + n) >= sizeof(out->path)) {
		snprintf(why, why_size, "'%s' is no ws://HOST:PORT/PATH", url);
		return ERR_INVALID;
	}
	memcpy(out->host, host, n);
	if (host[n])
		memcpy(out->path, host + n, strlen(host + n) + 1);
	return look_up(out, why, why_size);
}
