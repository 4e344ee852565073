#include "net/address.h"
#include "base/err.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>

#define UNIX_PREFIX "unix:"

static bool port_parse(struct str s, in_port_t *out)
{
	unsigned port = 0;
	if (s.n == 0 || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		port = port * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = htons((uint16_t)port);
	return port <= UINT16_MAX;
}

static int parse_unix(struct str path, struct sockaddr_storage *out, socklen_t *n_out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (path.n == 0 || path.n >= sizeof(un.sun_path) || memchr(path.p, 0, path.n))
		return ERR_INVALID;
	memcpy(un.sun_path, path.p, path.n);
	memcpy(out, &un, sizeof(un));
	*n_out = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return OK;
}

int address_parse(struct str text, struct sockaddr_storage *out, socklen_t *n_out)
{
	size_t prefix_n = sizeof(UNIX_PREFIX) - 1;
	*out = (struct sockaddr_storage){ 0 };
	if (text.n >= prefix_n && memcmp(text.p, UNIX_PREFIX, prefix_n) == 0)
		return parse_unix((struct str){ text.p + prefix_n, text.n - prefix_n }, out, n_out);

	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	if (!colon)
		return ERR_INVALID;
	struct str host = { text.p, (size_t)(colon - text.p) };
	struct str port = { colon + 1, text.n - host.n - 1 };
	bool v6 = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (v6)
		host = (struct str){ host.p + 1, host.n - 2 };
	char zero_ended[INET6_ADDRSTRLEN];
	if (host.n >= sizeof(zero_ended))
		return ERR_INVALID;
	memcpy(zero_ended, host.p, host.n);
	zero_ended[host.n] = '\0';

	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	if (v6 && port_parse(port, &in6.sin6_port) &&
	    inet_pton(AF_INET6, zero_ended, &in6.sin6_addr) == 1) {
		memcpy(out, &in6, sizeof(in6));
		*n_out = sizeof(in6);
		return OK;
	}
	if (!v6 && port_parse(port, &in.sin_port) &&
	    inet_pton(AF_INET, zero_ended, &in.sin_addr) == 1) {
		memcpy(out, &in, sizeof(in));
		*n_out = sizeof(in);
		return OK;
	}
	return ERR_INVALID;
}

void address_write(const struct sockaddr *address, socklen_t n, char out[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(in.sin_port));
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(in6.sin6_port));
	} else {
		struct sockaddr_un un = { 0 };
		memcpy(&un, address, n < sizeof(un) ? n : sizeof(un));
		snprintf(out, ADDRESS_TEXT_MAX, UNIX_PREFIX "%.*s", (int)sizeof(un.sun_path),
			 un.sun_path);
	}
}

void address_peer(const struct sockaddr *address, char out[ADDRESS_PEER_MAX])
{
	struct sockaddr_in6 in6;
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, out, ADDRESS_PEER_MAX);
		return;
	}
	if (address->sa_family != AF_INET6) {
		snprintf(out, ADDRESS_PEER_MAX, "unix");
		return;
	}
	memcpy(&in6, address, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], out, ADDRESS_PEER_MAX);
		return;
	}
	bool loopback = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	if (!loopback) /* one household or server has a /64 of its own to choose from */
		memset(&in6.sin6_addr.s6_addr[8], 0, 8);
	inet_ntop(AF_INET6, &in6.sin6_addr, out, ADDRESS_PEER_MAX);
	if (!loopback)
		memcpy(out + strlen(out), "/64", sizeof("/64"));
}
