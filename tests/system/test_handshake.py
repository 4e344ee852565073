"""The opening handshake: RFC 6455 section 4, RFC 9112."""

import asyncio

import pytest

import wsraw
from wsraw import handshake

GOOD = {
    "plain": handshake(),
    "names in other cases": handshake().replace(b"Host", b"hOST").replace(b"Upgrade: ", b"uPGRADE: ").replace(b"Sec-", b"sEC-"),
    "values in other cases": handshake(replace={"Upgrade": "WebSocket", "Connection": "uPGRADE"}),
    "connection list": handshake(replace={"Connection": "keep-alive, Upgrade"}),
    "connection in two headers": handshake(replace={"Connection": "keep-alive"}, extra=[("connection", "upgrade")]),
    "upgrade list": handshake(replace={"Upgrade": "h2c, websocket"}),
    "no space after the colon": handshake().replace(b": ", b":"),
    "white space around values": handshake().replace(b": websocket", b":  \t websocket \t "),
    "other headers": handshake(extra=[("User-Agent", "x" * 1000), ("Cookie", "a=b"), ("X-Empty", "")]),
    "query": handshake(path="/lemp?x=1"),
    "extensions offered": handshake(extra=[("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]),
    "host with port": handshake(replace={"Host": "127.0.0.1:8025"}),
    "bytes over 127 in a value": handshake(extra=[("X-Name", "\xe9")]),
    "long, but within 8 KiB": handshake(extra=[("X-Long", "x" * 7900)]),
}

REFUSED = {
    # 400: what RFC 9112 calls invalid, or RFC 6455 lacks
    "no host": (handshake(without=["Host"]), {400}),
    "two hosts": (handshake(extra=[("host", "other")]), {400}),
    "no key": (handshake(without=["Sec-WebSocket-Key"]), {400}),
    "two keys": (handshake(extra=[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]), {400}),
    "empty key": (handshake(key=""), {400}),
    "short key": (handshake(key="dGhlIHNhbXBsZSBub25j"), {400}),
    "long key": (handshake(key="dGhlIHNhbXBsZSBub25jZWRlZg=="), {400}),
    "key no base64": (handshake(key="dGhlIHNhbXBsZSBub2!jZQ=="), {400}),
    "key without padding": (handshake(key="dGhlIHNhbXBsZSBub25jZQ"), {400}),
    "space before the colon": (handshake().replace(b"Host:", b"Host :"), {400}),
    "folded header": (handshake(extra=[("X-Fold", "a\r\n b")]), {400}),
    "header without colon": (handshake(extra=[]).replace(b"\r\n\r\n", b"\r\nnonsense\r\n\r\n"), {400}),
    "header without name": (handshake().replace(b"\r\n\r\n", b"\r\n: x\r\n\r\n"), {400}),
    "bad character in a name": (handshake(extra=[("X(y)", "z")]), {400}),
    "control in a value": (handshake(extra=[("X", "a\x01b")]), {400}),
    "NUL in a value": (handshake(extra=[("X", "a\0b")]), {400}),
    "bare carriage return": (handshake(extra=[("X", "a\rb")]), {400}),
    "leading space in the first header": (handshake().replace(b"\r\nHost", b"\r\n Host"), {400}),
    "two spaces in the request line": (handshake().replace(b"GET ", b"GET  ", 1), {400}),
    "no version": (handshake(version="").replace(b"/lemp \r\n", b"/lemp\r\n"), {400}),
    "version in small letters": (handshake(version="http/1.1"), {400}),
    "nonsense version": (handshake(version="HTTP/x.y"), {400}),
    "HTTP/1.0": (handshake(version="HTTP/1.0"), {400, 426, 505}),
    "HTTP/2.0": (handshake(version="HTTP/2.0"), {400, 505}),
    "a tab in the request line": (handshake().replace(b"GET /", b"GET\t/", 1), {400}),
    "control in the path": (handshake(path="/le\x01mp"), {400}),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n", {400}),
    # 404
    "other path": (handshake(path="/other"), {404}), "path below": (handshake(path="/lemp/x"), {404}),
    "path with slash": (handshake(path="/lemp/"), {404}), "path in capitals": (handshake(path="/LEMP"), {404}),
    "prefix of the path": (handshake(path="/lem"), {404}), "traversal": (handshake(path="/../etc/passwd"), {400, 404}),
    # 405
    "POST": (handshake(method="POST"), {405}), "HEAD": (handshake(method="HEAD"), {405}), "PUT": (handshake(method="PUT"), {405}),
    "OPTIONS": (handshake(method="OPTIONS"), {405}), "get in small letters": (handshake(method="get"), {405}),
    # 426
    "version 8": (handshake(replace={"Sec-WebSocket-Version": "8"}), {426}),
    "version 14": (handshake(replace={"Sec-WebSocket-Version": "14"}), {426}),
    "version 013": (handshake(replace={"Sec-WebSocket-Version": "013"}), {400, 426}),
    "no version header": (handshake(without=["Sec-WebSocket-Version"]), {400, 426}),
    "no upgrade": (handshake(without=["Upgrade"]), {426}),
    "upgrade to something else": (handshake(replace={"Upgrade": "h2c"}), {426}),
    "connection without upgrade": (handshake(replace={"Connection": "keep-alive"}), {400, 426}),
    "no connection": (handshake(without=["Connection"]), {400, 426}),
    "plain GET": (b"GET /lemp HTTP/1.1\r\nHost: localhost\r\n\r\n", {426}),
    # 431
    "head over 8 KiB": (handshake(extra=[("X-Long", "x" * 9000)]), {431}),
    "many headers": (handshake(extra=[(f"X-{n}", "y" * 50) for n in range(200)]), {431}),
    "a path over 8 KiB": (handshake(path="/" + "x" * 9000), {414, 431}),
}


@pytest.mark.parametrize("request_", GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize("chop", [None, 1, 13])
async def test_a_good_handshake_is_answered_101(server, request_, chop):
    if chop == 1 and len(request_) > 2000:
        chop = 13
    raw = await wsraw.Raw.connect(server.port)
    await (raw.send_chopped(request_, chop) if chop else raw.send(request_))
    status, fields = await raw.response()
    assert status == 101
    assert fields["upgrade"].lower() == "websocket" and fields["connection"].lower() == "upgrade"
    assert fields["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "sec-websocket-extensions" not in fields and "sec-websocket-protocol" not in fields
    await raw.finish()


@pytest.mark.parametrize("request_, statuses", REFUSED.values(), ids=REFUSED.keys())
async def test_a_refused_handshake_is_answered_and_the_connection_closed(server, request_, statuses):
    raw = await wsraw.Raw.connect(server.port)
    await raw.send(request_)
    status, fields = await raw.response()
    assert status in statuses
    if status == 426:
        assert fields["upgrade"].lower() == "websocket" and "upgrade" in fields["connection"].lower()
        assert fields["sec-websocket-version"] == "13"
    elif status == 405:
        assert fields["allow"] == "GET"
    assert "close" in fields["connection"].lower()
    body = await asyncio.wait_for(raw.reader.read(), wsraw.SECONDS)
    assert int(fields.get("content-length", len(body))) == len(body) or "HEAD" in str(request_[:4])


async def test_bare_line_feeds_are_refused_or_no_end_of_head(server):
    raw = await wsraw.Raw.connect(server.port)
    await raw.send(handshake().replace(b"\r\n", b"\n") + b"\r\n\r\n")
    assert (await raw.response())[0] == 400


async def test_frames_in_the_same_segment_as_the_handshake_are_read(server):
    raw = await wsraw.Raw.connect(server.port)
    await raw.send(handshake() + wsraw.text('{"srq":{"id":"1","t":"k"}}') + wsraw.frame(wsraw.PING, b"p"))
    assert (await raw.response())[0] == 101
    assert (await raw.read_frame())[0] == wsraw.TEXT
    assert await raw.read_frame() == (wsraw.PONG, b"p")
    await raw.finish()


async def test_an_endless_head_is_cut_off(server):
    raw = await wsraw.Raw.connect(server.port)
    try:
        await raw.send(b"GET /lemp HTTP/1.1\r\n")
        for _ in range(2000):
            await raw.send(b"X: " + b"y" * 997 + b"\r\n")
    except ConnectionError:
        return
    assert (await raw.response())[0] == 431


async def test_an_endless_request_line_is_cut_off(server):
    raw = await wsraw.Raw.connect(server.port)
    try:
        for _ in range(2000):
            await raw.send(b"x" * 1000)
    except ConnectionError:
        return
    assert (await raw.response())[0] in (400, 414, 431)


@pytest.mark.parametrize("data", [b"", b"GET", handshake()[:-2], handshake()[:-1]])
async def test_half_a_handshake_is_ended_in_time(make_server, data):
    server = make_server({"limits.login_timeout": "300ms"}).start()
    raw = await wsraw.Raw.connect(server.port)
    await raw.send(data)
    await asyncio.wait_for(raw.reader.read(), wsraw.SECONDS)


async def test_dripping_does_not_put_off_the_end(make_server):
    server = make_server({"limits.login_timeout": "300ms"}).start()
    raw = await wsraw.Raw.connect(server.port)
    with pytest.raises(ConnectionError):
        for byte in handshake(extra=[("X", "y" * 2000)]):
            await raw.send(bytes([byte]))
            await asyncio.sleep(0.01)
