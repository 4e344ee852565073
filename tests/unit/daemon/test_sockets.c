/* Listening sockets of all workers, and what systemd passes and hears. */
#include "daemon/sockets.h"
#include "daemon/systemd.h"
#include "net/listener.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/test_sockets.XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct config_list one(const char *address)
{
	return (struct config_list){ .item = { str_of(address) }, .n = 1 };
}

static void each_worker_has_a_socket_of_its_own_on_the_same_port(void **state)
{
	struct config_list addresses = one("127.0.0.1:0");
	struct sockets s;
	char why[256], name[128];
	int fd[3];
	(void)state;
	assert_int_equal(sockets_open(&s, &addresses, 3, why, sizeof(why)), OK);
	assert_int_equal(s.n, 1);
	for (unsigned w = 0; w < 3; w++) {
		fd[w] = sockets_take(&s, 0, w);
		listen_name(fd[w], name, sizeof(name));
		assert_string_equal(name, s.first);
		assert_string_not_equal(name, "127.0.0.1:0");
		assert_true(w == 0 || fd[w] != fd[w - 1]);
	}
	sockets_close(&s);
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(close(fd[w]), 0);
}

static void a_port_that_another_server_shares_among_its_threads_is_in_use(void **state)
{
	struct config_list addresses = one("127.0.0.1:0"), same;
	struct sockets s, second;
	char why[256], name[128];
	(void)state;
	for (unsigned threads = 1; threads <= 2; threads++) {
		assert_int_equal(sockets_open(&s, &addresses, 2, why, sizeof(why)), OK);
		snprintf(name, sizeof(name), "%s", s.first);
		same = one(name);
		assert_int_equal(sockets_open(&second, &same, threads, why, sizeof(why)), ERR_EXISTS);
		assert_non_null(strstr(why, name));
		sockets_close(&s);
	}
}

static void a_path_is_shared_and_removed_at_the_end(void **state)
{
	char address[128], why[256];
	struct config_list addresses;
	struct sockets s;
	struct stat st;
	(void)state;
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	addresses = one(address);
	assert_int_equal(sockets_open(&s, &addresses, 2, why, sizeof(why)), OK);
	assert_string_equal(s.first, address);
	assert_int_equal(stat(address + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	sockets_close(&s);
	assert_int_equal(access(address + 5, F_OK), -1);
}

static void when_one_address_fails_nothing_stays_open(void **state)
{
	struct config_list addresses = { .item = { STR("127.0.0.1:0"), STR("192.0.2.1:1") }, .n = 2 };
	struct sockets s;
	char why[256];
	int before = dup(0);
	(void)state;
	close(before);
	assert_int_equal(sockets_open(&s, &addresses, 2, why, sizeof(why)), ERR_IO);
	assert_non_null(strstr(why, "192.0.2.1:1"));
	int after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void sockets_of_another_process_are_not_taken(void **state)
{
	int first;
	(void)state;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(systemd_sockets(&first), 0);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
}

static void what_was_passed_must_be_a_listening_socket(void **state)
{
	struct config_list addresses = one("127.0.0.1:0");
	struct sockets s;
	char why[256], pid[32];
	int saved = fcntl(3, F_DUPFD_CLOEXEC, 10);
	(void)state;
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(dup2(fd, 3) == 3);
	assert_int_equal(sockets_open(&s, &addresses, 1, why, sizeof(why)), ERR_INVALID);
	assert_string_equal(why, "descriptor 3 from systemd is no listening socket");
	if (fd != 3)
		close(fd);
	close(3);
	if (saved >= 0)
		dup2(saved, 3);
}

static void what_systemd_wants_to_hear_is_said(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char heard[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/notify", dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	systemd_notify("READY=1");
	assert_int_equal(recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT), 7);
	assert_string_equal(heard, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	systemd_notify("READY=1"); /* nobody listens */
	close(fd);
	unlink(un.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_has_a_socket_of_its_own_on_the_same_port),
		cmocka_unit_test(a_port_that_another_server_shares_among_its_threads_is_in_use),
		cmocka_unit_test(a_path_is_shared_and_removed_at_the_end),
		cmocka_unit_test(when_one_address_fails_nothing_stays_open),
		cmocka_unit_test(sockets_of_another_process_are_not_taken),
		cmocka_unit_test(what_was_passed_must_be_a_listening_socket),
		cmocka_unit_test(what_systemd_wants_to_hear_is_said),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
