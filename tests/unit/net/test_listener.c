#include "base/err.h"
#include "net/address.h"
#include "net/listener.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

struct world {
	struct loop *loop;
	struct net *net;
	struct net_settings settings;
	struct metrics metrics;
	struct listener *listener;
	char name[ADDRESS_TEXT_MAX];
	unsigned admitted, admit_max;
};

static void on_conn(void *ctx, struct conn *conn)
{
	(void)ctx;
	(void)conn;
}

static void on_bytes(void *ctx, struct conn *conn, char *p, size_t n)
{
	(void)ctx;
	(void)conn;
	(void)p;
	(void)n;
}

static void on_pong(void *ctx, struct conn *conn, const void *p, size_t n)
{
	(void)ctx;
	(void)conn;
	(void)p;
	(void)n;
}

static const struct net_handler handler = { on_conn, on_bytes, on_pong, on_conn, on_conn };

static bool admit(void *ctx, const struct sockaddr *address)
{
	struct world *w = ctx;
	assert_true(address->sa_family != AF_UNSPEC);
	return w->admitted++ < w->admit_max;
}

static int64_t turn(void *ctx)
{
	struct world *w = ctx;
	net_flush(w->net);
	loop_stop(w->loop);
	return 0;
}

static void open_world(struct world *w, const char *address)
{
	char why[128];
	*w = (struct world){ .admit_max = 1000 };
	w->settings = (struct net_settings){ .handshake_ms = 60000, .close_ms = 60000 };
	w->loop = loop_create();
	w->net = net_create(w->loop, &w->settings, &handler, w, &w->metrics);
	assert_non_null(w->net);
	int fd = listen_open(str_of(address), true, why, sizeof(why));
	assert_true(fd >= 0);
	listen_name(fd, w->name, sizeof(w->name));
	w->listener = listener_create(w->loop, w->net, fd, admit, w);
	assert_non_null(w->listener);
}

static void close_world(struct world *w)
{
	listener_destroy(&w->listener);
	assert_null(w->listener);
	net_destroy(&w->net);
	loop_destroy(&w->loop);
}

static int connect_to(const char *name)
{
	struct sockaddr_storage address;
	socklen_t n;
	assert_int_equal(address_parse(str_of(name), &address, &n), 0);
	int fd = socket(address.ss_family, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, n) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void run_turns(struct world *w, unsigned n)
{
	while (n-- > 0)
		loop_run(w->loop, turn, w);
}

static void addresses_are_read_and_written_back(void **state)
{
	(void)state;
	static const char *const good[] = {
		"127.0.0.1:8025", "0.0.0.0:0", "[::1]:8025", "[::]:65535", "unix:/tmp/x", "unix:x y",
	};
	static const char *const bad[] = {
		"", ":", "127.0.0.1", "127.0.0.1:", ":8025", "127.0.0.1:65536", "127.0.0.1:080255", "127.0.0.1:-1",
		"127.0.0.1:8025x", "127.0.0:1", "localhost:8025", "::1:8025", "[::1]", "[::1]8025", "[127.0.0.1]:1",
		"[::1:8025", "unix:", "256.0.0.1:1", "[::1%lo]:80",
	};
	struct sockaddr_storage address;
	socklen_t n;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char back[ADDRESS_TEXT_MAX];
		assert_int_equal(address_parse(str_of(good[i]), &address, &n), 0);
		address_write((struct sockaddr *)&address, n, back);
		assert_string_equal(back, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(address_parse(str_of(bad[i]), &address, &n), ERR_INVALID);
	char path[200];
	memset(path, 'p', sizeof(path));
	memcpy(path, "unix:", 5);
	assert_int_equal(address_parse((struct str){ path, sizeof(path) }, &address, &n), ERR_INVALID);
}

static void what_cannot_be_listened_on_is_explained(void **state)
{
	(void)state;
	char why[128], name[ADDRESS_TEXT_MAX];
	assert_int_equal(listen_open(STR("nonsense"), false, why, sizeof(why)), ERR_INVALID);
	assert_string_equal(why, "'nonsense' is no address");
	int fd = listen_open(STR("127.0.0.1:0"), false, why, sizeof(why));
	assert_true(fd >= 0);
	listen_name(fd, name, sizeof(name));
	assert_int_equal(listen_open(str_of(name), false, why, sizeof(why)), ERR_EXISTS);
	assert_non_null(strstr(why, "in use"));
	close(fd);
	assert_int_equal(listen_open(STR("unix:/nowhere/at/all"), false, why, sizeof(why)), ERR_IO);
	assert_non_null(strstr(why, "bind: "));
}

static void one_port_may_be_listened_on_twice_when_asked_for(void **state)
{
	(void)state;
	char why[128], name[ADDRESS_TEXT_MAX];
	int first = listen_open(STR("127.0.0.1:0"), true, why, sizeof(why));
	listen_name(first, name, sizeof(name));
	int second = listen_open(str_of(name), true, why, sizeof(why));
	assert_true(second >= 0);
	close(first);
	close(second);
}

static void connections_are_accepted_on_every_kind_of_address(void **state)
{
	(void)state;
	char dir[] = "/tmp/lemp_listener_XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "unix:%s/s", dir);
	const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", path };
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct world w;
		if (addresses[i][0] == '[' && connect_to("[::1]:1") < 0 && errno == EADDRNOTAVAIL)
			continue; /* a machine without IPv6 */
		open_world(&w, addresses[i]);
		int a = connect_to(w.name), b = connect_to(w.name);
		assert_true(a >= 0 && b >= 0);
		run_turns(&w, 2);
		assert_int_equal(net_count(w.net), 2);
		close(a);
		close(b);
		run_turns(&w, 3);
		assert_int_equal(net_count(w.net), 0);
		close_world(&w);
	}
	unlink(path + 5);
	rmdir(dir);
}

static void who_is_not_admitted_is_closed_at_once(void **state)
{
	(void)state;
	struct world w;
	char byte;
	open_world(&w, "127.0.0.1:0");
	w.admit_max = 1;
	int a = connect_to(w.name), b = connect_to(w.name);
	run_turns(&w, 2);
	assert_int_equal(net_count(w.net), 1);
	assert_int_equal(recv(b, &byte, 1, 0), 0);
	assert_int_equal(recv(a, &byte, 1, MSG_DONTWAIT), -1);
	close(a);
	close(b);
	close_world(&w);
}

static void a_path_left_by_a_dead_server_is_taken_over_but_no_other(void **state)
{
	(void)state;
	char dir[] = "/tmp/lemp_listener_XXXXXX", address[64], why[128];
	assert_non_null(mkdtemp(dir));
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	int dead = listen_open(str_of(address), false, why, sizeof(why));
	assert_true(dead >= 0);
	assert_int_equal(listen_open(str_of(address), false, why, sizeof(why)), ERR_EXISTS);
	close(dead);
	int fd = listen_open(str_of(address), false, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
	unlink(address + 5);
	int file = open(address + 5, O_CREAT | O_WRONLY, 0600); /* somebody's file */
	assert_int_equal(listen_open(str_of(address), false, why, sizeof(why)), ERR_EXISTS);
	assert_int_equal(access(address + 5, F_OK), 0);
	close(file);
	unlink(address + 5);
	rmdir(dir);
}

static void out_of_descriptors_it_pauses_and_recovers(void **state)
{
	(void)state;
	struct world w;
	struct rlimit before, none;
	open_world(&w, "127.0.0.1:0");
	int first = connect_to(w.name);
	run_turns(&w, 2);
	assert_int_equal(net_count(w.net), 1);
	int waiting = connect_to(w.name);
	int probe = dup(0);
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)probe; /* no descriptor is below it */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_turns(&w, 10);
	assert_int_equal(net_count(w.net), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	while (net_count(w.net) < 2)
		run_turns(&w, 1);
	close(first);
	close(waiting);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written_back),
		cmocka_unit_test(what_cannot_be_listened_on_is_explained),
		cmocka_unit_test(one_port_may_be_listened_on_twice_when_asked_for),
		cmocka_unit_test(connections_are_accepted_on_every_kind_of_address),
		cmocka_unit_test(who_is_not_admitted_is_closed_at_once),
		cmocka_unit_test(a_path_left_by_a_dead_server_is_taken_over_but_no_other),
		cmocka_unit_test(out_of_descriptors_it_pauses_and_recovers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
