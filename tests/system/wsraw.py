"""WebSocket frames by hand: nothing here is checked or put right before it is sent."""

import asyncio
import base64
import hashlib
import json
import os
import socket
import struct

import exercised

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SECONDS = 10


class Ended(Exception):
    """The TCP connection ended where a frame was expected."""


def mask_bytes(payload, key):
    if not payload:
        return b""
    long_key = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long_key, "big")).to_bytes(len(payload), "big")


def frame(opcode, payload=b"", *, fin=True, rsv=0, masked=True, key=None, length=None, width=None):
    """One frame. `length` announces another length, `width` (0, 2, 8) takes another form of it."""
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload) if length is None else length
    if width is None:
        width = 0 if n < 126 else 2 if n < 65536 else 8
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    head = bytes([first, (0x80 if masked else 0) | {0: n if width == 0 else 0, 2: 126, 8: 127}[width]])
    head += {0: b"", 2: struct.pack(">H", n & 0xffff), 8: struct.pack(">Q", n)}[width]
    if not masked:
        return head + payload
    key = b"\x37\xfa\x21\x3d" if key is None else key
    return head + key + mask_bytes(payload, key)


def text(payload, **kw):
    return frame(TEXT, payload, **kw)


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def fragments(parts, opcode=TEXT):
    """The parts as one fragmented message, a frame each."""
    last = len(parts) - 1
    return [frame(CONTINUATION if i else opcode, part, fin=i == last) for i, part in enumerate(parts)]


class Raw:
    """A TCP connection that can speak HTTP and frames."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.subprotocol = None

    @classmethod
    async def connect(cls, port, *, local=None, receive_buffer=None, limit=2 ** 16):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if local:
            sock.bind((local, 0))
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port)), SECONDS)
        return cls(*await asyncio.open_connection(sock=sock, limit=limit))

    @classmethod
    async def open(cls, port, *, path="/lemp", headers=None, **kw):
        """Connected and upgraded."""
        raw = await cls.connect(port, **kw)
        status, _ = await raw.upgrade(path=path, headers=headers)
        assert status == 101, f"the handshake was answered {status}"
        return raw

    # -- HTTP ---------------------------------------------------------------

    async def upgrade(self, *, path="/lemp", headers=None, key=None):
        key = key or base64.b64encode(os.urandom(16))
        await self.send(handshake(path=path, key=key, extra=headers))
        status, fields = await self.response()
        if status == 101:
            want = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
            assert fields["sec-websocket-accept"] == want
            self.subprotocol = fields.get("sec-websocket-protocol")
        return status, fields

    async def response(self):
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SECONDS)
        first, *lines = head.decode("ascii").split("\r\n")[:-2]
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = {}
        for line in lines:
            name, value = line.split(":", 1)
            assert name == name.strip() and name.lower() not in fields, f"header {line!r}"
            fields[name.lower()] = value.strip()
        return int(status), fields

    # -- bytes and frames ---------------------------------------------------

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def send_chopped(self, data, size=1):
        for at in range(0, len(data), size):
            await self.send(data[at:at + size])
            await asyncio.sleep(0)

    async def read(self, n):
        try:
            return await asyncio.wait_for(self.reader.readexactly(n), SECONDS)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended(repr(error)) from None

    async def read_frame(self):
        """(opcode, payload); whatever a server may not send is an assertion."""
        first, second = await self.read(2)
        assert not first & 0x70, "the server set a reserved bit"
        assert not second & 0x80, "the server masked a frame"
        n = second & 0x7f
        opcode = first & 0x0f
        if n == 126:
            n, = struct.unpack(">H", await self.read(2))
            assert n >= 126, "a length in a longer form than it needs"
        elif n == 127:
            n, = struct.unpack(">Q", await self.read(8))
            assert n >= 65536, "a length in a longer form than it needs"
        assert opcode < 8 or (first & 0x80 and n <= 125), "a fragmented or long control frame"
        assert first & 0x80, "the server fragments"
        payload = await self.read(n)
        if opcode == TEXT:
            exercised.sent_by_server(json.loads(payload.decode()))
        return opcode, payload

    async def read_close(self):
        """The close code (None if there is none) of the next frame, which must be a close."""
        opcode, payload = await self.read_frame()
        assert opcode == CLOSE, f"frame {opcode} {payload[:200]!r} instead of a close"
        assert len(payload) != 1
        payload[2:].decode()
        return struct.unpack(">H", payload[:2])[0] if payload else None

    async def read_end(self):
        """Nothing but the end of the connection comes."""
        try:
            rest = await asyncio.wait_for(self.reader.read(), SECONDS)
        except ConnectionError:
            return
        assert rest == b"", f"{rest[:200]!r} after the close"

    async def finish(self, code=1000):
        """A clean close from this side."""
        await self.send(close(code))
        assert await self.read_close() == code
        await self.read_end()

    def drop(self):
        """Ends without a word: a reset, or at best the end of the stream."""
        self.writer.transport.abort()


def handshake(*, path="/lemp", key=b"dGhlIHNhbXBsZSBub25jZQ==", method="GET", version="HTTP/1.1", without=(),
              replace=None, extra=None):
    """The bytes of an opening handshake, with headers left out, replaced or added (also twice)."""
    fields = {
        "Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": key.decode() if isinstance(key, bytes) else key, "Sec-WebSocket-Version": "13",
    }
    fields.update(replace or {})
    for name in without:
        del fields[name]
    lines = [f"{method} {path} {version}"] + [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"{name}: {value}" for name, value in (extra or [])]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
