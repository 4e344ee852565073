#include "peer.h"
#include "base/err.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INPUT_BYTES 65536
#define PACKET_BYTES_MAX ((size_t)1 << 20)
#define HEAD_BYTES_MAX 8192
#define OUT_BYTES_MAX ((size_t)16 << 20) /* a server that takes no more is as good as gone */
#define CODE_NORMAL 1000

/* RFC 6455's own example (section 1.3): a nonce whose answer is known, so that thousands of
 * handshakes cost the generator no hashing. */
#define NONCE "dGhlIHNhbXBsZSBub25jZQ=="
#define NONCE_ANSWER "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void io_ready(struct loop_io *io, bool readable, bool writable);

int peers_init(struct peers *all, struct loop *loop, const struct target *target,
	       const struct peer_events *events, void *ctx)
{
	*all = (struct peers){ .loop = loop, .target = target, .events = events, .ctx = ctx };
	all->now = mono_now();
	all->_masks = (uint64_t)all->now.ns | 1;
	list_init(&all->_dirty);
	all->_input = malloc(INPUT_BYTES);
	if (!all->_input)
		return ERR_NOMEM;
	answer_reader_init(&all->_answers, PACKET_BYTES_MAX);
	return OK;
}

void peers_deinit(struct peers *all)
{
	if (!all->_input)
		return;
	answer_reader_deinit(&all->_answers);
	free(all->_input);
	all->_input = NULL;
}

void peer_init(struct peer *p, struct peers *all, const struct account *account)
{
	*p = (struct peer){ ._all = all, .account = account, ._io = { .fd = -1, .ready = io_ready } };
	list_init(&p->_node);
}

/* --- writing --- */

static void dirty(struct peer *p)
{
	if (list_alone(&p->_node))
		list_append(&p->_all->_dirty, &p->_node);
}

/* A mask that differs from frame to frame (xorshift64). No page's script chooses what we send, so
 * nothing hangs on it being unpredictable. */
static void mask_next(struct peers *all, uint8_t mask[4])
{
	all->_masks ^= all->_masks << 13;
	all->_masks ^= all->_masks >> 7;
	all->_masks ^= all->_masks << 17;
	memcpy(mask, &all->_masks, 4);
}

static void frame(struct peer *p, enum ws_opcode opcode, const char *payload, size_t n)
{
	uint8_t mask[4];
	mask_next(p->_all, mask);
	ws_put(&p->_out, opcode, payload, n, mask);
	dirty(p);
}

void peer_send(struct peer *p, const char *packet, size_t n)
{
	if (p->state == PEER_CLOSED)
		return;
	p->_all->sent++;
	frame(p, WS_TEXT, packet, n);
}

static void shut(struct peer *p)
{
	if (p->state == PEER_CLOSED)
		return;
	p->state = PEER_CLOSED;
	if (p->_io.fd >= 0) {
		loop_remove(p->_all->loop, &p->_io);
		close(p->_io.fd);
		p->_io.fd = -1;
	}
	list_remove(&p->_node);
	ws_reader_deinit(&p->_reader);
	buf_deinit(&p->_head);
	buf_deinit(&p->_out);
}

static void lose(struct peer *p, bool refused, const char *why)
{
	shut(p);
	p->_all->events->lost(p->_all->ctx, p, refused, why);
}

static void flush(struct peer *p)
{
	if (p->state == PEER_CLOSED || p->state == PEER_CONNECTING)
		return;
	if (p->_out.failed) {
		lose(p, false, "the server does not read what is sent");
		return;
	}
	while (p->_out_at < p->_out.n) {
		ssize_t n = send(p->_io.fd, p->_out.p + p->_out_at, p->_out.n - p->_out_at,
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			lose(p, false, strerror(errno));
			return;
		}
		p->_out_at += (size_t)n;
	}
	bool all = p->_out_at == p->_out.n;
	if (all) {
		buf_clear(&p->_out);
		p->_out_at = 0;
	}
	loop_change(p->_all->loop, &p->_io, true, !all);
}

void peers_flush(struct peers *all)
{
	while (!list_empty(&all->_dirty)) {
		struct peer *p = LIST_ENTRY(all->_dirty.next, struct peer, _node);
		list_remove(&p->_node);
		flush(p);
	}
}

/* --- handshake and login --- */

static void upgrade(struct peer *p)
{
	const struct target *t = p->_all->target;
	buf_printf(&p->_out,
		   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Key: " NONCE "\r\nSec-WebSocket-Version: 13\r\n\r\n",
		   t->path, t->host);
	p->state = PEER_UPGRADING;
	dirty(p);
}

static void log_in(struct peer *p)
{
	struct buf packet;
	buf_init(&packet, PACKET_BYTES_MAX);
	BUF_LIT(&packet, "{\"rq\":{\"id\":\"login\",\"a\":{\"i\":");
	json_put_string(&packet, p->account->name);
	BUF_LIT(&packet, ",\"t\":");
	json_put_string(&packet, p->account->token);
	BUF_LIT(&packet, "}}}");
	frame(p, WS_TEXT, packet.p, packet.n);
	buf_deinit(&packet);
	p->state = PEER_LOGGING_IN;
}

void peer_open(struct peer *p)
{
	const struct target *t = p->_all->target;
	int on = 1;
	CHECK(p->state == PEER_CLOSED);
	p->state = PEER_CONNECTING;
	p->_carry_n = 0;
	p->_out_at = 0;
	ws_reader_init(&p->_reader, WS_CLIENT, PACKET_BYTES_MAX);
	buf_init(&p->_head, HEAD_BYTES_MAX);
	buf_init(&p->_out, OUT_BYTES_MAX);
	p->_io.fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->_io.fd < 0 || loop_add(p->_all->loop, &p->_io, false, true) != OK) {
		if (p->_io.fd >= 0)
			close(p->_io.fd);
		p->_io.fd = -1;
		lose(p, false, "no more file descriptors");
		return;
	}
	(void)setsockopt(p->_io.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower */
	if (connect(p->_io.fd, (const struct sockaddr *)&t->address, t->address_n) != 0 &&
	    errno != EINPROGRESS)
		lose(p, false, strerror(errno));
}

static void connected(struct peer *p)
{
	int err = 0;
	socklen_t n = sizeof(err);
	if (getsockopt(p->_io.fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		err = errno;
	if (err)
		lose(p, false, strerror(err));
	else
		upgrade(p);
}

void peer_close(struct peer *p)
{
	if (p->state == PEER_READY) {
		uint8_t mask[4];
		mask_next(p->_all, mask);
		ws_put_close(&p->_out, CODE_NORMAL, STR_NONE, mask);
		flush(p);
	}
	shut(p);
}

/* --- reading --- */

static void take_login(struct peer *p, const struct answer *a)
{
	char why[256];
	if (a->kind != ANSWER_RESPONSE)
		return;
	if (!a->accepted) {
		snprintf(why, sizeof(why), "login refused %.*s %.*s", STR_ARG(a->code),
			 STR_ARG(a->sentence));
		lose(p, true, why);
		return;
	}
	p->state = PEER_READY;
	p->_all->events->ready(p->_all->ctx, p);
}

static void take_text(struct peer *p, char *text, size_t n)
{
	struct answer a;
	if (answer_read(&p->_all->_answers, text, n, &a) != OK) {
		lose(p, false, "the server sent what is no packet");
	} else if (p->state == PEER_READY) {
		p->_all->heard++;
		p->_all->events->heard(p->_all->ctx, p, &a);
	} else {
		take_login(p, &a);
	}
}

static void take_event(struct peer *p, enum ws_event event, char *payload, size_t n)
{
	char why[256];
	switch (event) {
	case WS_EVENT_TEXT: take_text(p, payload, n); break;
	case WS_EVENT_PING: frame(p, WS_PONG, payload, n); break;
	case WS_EVENT_CLOSE:
		snprintf(why, sizeof(why), "closed by the server with %u %.*s", p->_reader.close_code,
			 (int)(n < 128 ? n : 128), payload);
		lose(p, false, why);
		break;
	case WS_EVENT_FAIL:
		snprintf(why, sizeof(why), "the server's frames are wrong (%u)", p->_reader.close_code);
		lose(p, false, why);
		break;
	case WS_EVENT_PONG:
	case WS_EVENT_NONE: break;
	}
}

static void take_frames(struct peer *p, char *in, size_t n)
{
	size_t used;
	for (enum ws_event event = WS_EVENT_TEXT; event != WS_EVENT_NONE; in += used, n -= used) {
		char *payload = NULL;
		size_t payload_n = 0;
		event = ws_read(&p->_reader, in, n, &used, &payload, &payload_n);
		take_event(p, event, payload, payload_n);
		if (p->state == PEER_CLOSED)
			return;
	}
	CHECK(n <= sizeof(p->_carry));
	memcpy(p->_carry, in, n);
	p->_carry_n = (uint8_t)n;
}

/* The whole head of a response is there. */
static const char *head_wrong(const char *head)
{
	if (strncmp(head, "HTTP/1.1 101 ", 13) != 0)
		return "the server refused the WebSocket handshake";
	if (!strstr(head, NONCE_ANSWER))
		return "the server's WebSocket handshake is wrong";
	return NULL;
}

static void take_head(struct peer *p, const char *in, size_t n)
{
	buf_add(&p->_head, in, n);
	const char *end = p->_head.failed ? NULL : memmem(p->_head.p, p->_head.n, "\r\n\r\n", 4);
	if (!end) {
		if (p->_head.failed)
			lose(p, false, "the server's answer to the WebSocket handshake is too long");
		return;
	}
	p->_head.p[end + 2 - p->_head.p] = '\0';
	const char *wrong = head_wrong(p->_head.p);
	if (wrong) {
		lose(p, false, wrong);
		return;
	}
	buf_deinit(&p->_head);
	log_in(p);
}

static void input(struct peer *p)
{
	struct peers *all = p->_all;
	memcpy(all->_input, p->_carry, p->_carry_n);
	ssize_t n = recv(p->_io.fd, all->_input + p->_carry_n, INPUT_BYTES - p->_carry_n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(p, false, n < 0 ? strerror(errno) : "the server ended the connection");
		return;
	}
	all->now = mono_now();
	if (p->state == PEER_UPGRADING)
		take_head(p, all->_input, (size_t)n);
	else
		take_frames(p, all->_input, (size_t)n + p->_carry_n);
}

static void io_ready(struct loop_io *io, bool readable, bool writable)
{
	struct peer *p = LIST_ENTRY(io, struct peer, _io);
	if (p->state == PEER_CONNECTING) {
		connected(p);
		return;
	}
	if (writable)
		dirty(p);
	if (readable)
		input(p);
}
