#include "daemon/systemd.h"
#include "base/str.h"
#include "daemon/units.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

static int64_t number_of(const char *variable)
{
	const char *text = getenv(variable);
	int64_t n;
	return text && units_count(str_of(text), &n) == 0 ? n : -1;
}

unsigned systemd_sockets(int *first_out)
{
	int64_t pid = number_of("LISTEN_PID"), n = number_of("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	*first_out = FIRST_FD;
	if (pid != getpid() || n <= 0 || n > 64)
		return 0;
	for (int fd = FIRST_FD; fd < FIRST_FD + (int)n; fd++) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	return (unsigned)n;
}

void systemd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	if (n == 0 || n >= sizeof(un.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(un.sun_path, path, n);
	if (path[0] == '@') /* the abstract name space */
		un.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody to tell if even this fails: systemd's own timeout ends the start. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&un,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}
