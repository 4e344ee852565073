"""protocol.md section 1: transport."""

import asyncio
import signal

import pytest

import packets
import wsraw
from client import Closed
from lempd import once


@pytest.mark.parametrize("offered, selected", [
    (None, None), ("lemp", "lemp"), ("chat, lemp", "lemp"), ("lemp,chat", "lemp"), ("chat", None),
    ("LEMP", None),
])
async def test_subprotocol_lemp_is_selected_when_offered_and_none_is_required(server, offered, selected):
    headers = [("Sec-WebSocket-Protocol", offered)] if offered else None
    raw = await wsraw.Raw.open(server.port, headers=headers)
    assert raw.subprotocol == selected
    await raw.finish()


async def test_subprotocols_offered_in_two_headers_are_one_list(server):
    raw = await wsraw.Raw.open(server.port, headers=[("Sec-WebSocket-Protocol", "chat"),
                                                     ("Sec-WebSocket-Protocol", "lemp")])
    assert raw.subprotocol == "lemp"
    await raw.finish()


async def test_one_packet_may_come_in_fragments(world):
    client = await world.connect()
    await client.send_parts(['{"srq":{"i', 'd":"1",', '"t":"k"', "}}"])
    await client.expect(packets.server_error(401, "1", "k"))


@pytest.mark.parametrize("payload, code", [
    (wsraw.frame(wsraw.BINARY, b'{"srq":{"id":"1","t":"k"}}'), 1003),
    (wsraw.frame(wsraw.BINARY, b""), 1003),
    (wsraw.text(b'{"srq":{"id":"\xff","t":"k"}}'), 1007),
    (wsraw.text(b"", rsv=4), 1002),
])
async def test_what_is_no_text_closes_with_its_code(server, payload, code):
    raw = await wsraw.Raw.open(server.port)
    await raw.send(payload)
    assert await raw.read_close() == code


def padded(n, id="1"):
    head = '{"srq":{"id":"%s","t":"k"}' % id
    return head + " " * (n - len(head) - 1) + "}"


async def test_a_packet_of_max_packet_is_taken_and_a_longer_one_closes_with_1009(make_world):
    world = make_world({"limits.max_packet": 4096})
    user = await world.user("alice")
    await user.send(padded(4096))
    await user.expect(packets.knock("1"))
    await user.send(padded(4097))
    assert await user.closed() == 1009


async def test_max_packet_is_256_kib_by_default(world):
    user = await world.user("alice")
    await user.send(padded(256 * 1024))
    await user.expect(packets.knock("1"))
    await user.send(padded(256 * 1024 + 1))
    assert await user.closed() == 1009


async def test_fragments_that_sum_up_to_more_than_max_packet_close_with_1009(make_world):
    world = make_world({"limits.max_packet": 4096})
    user = await world.user("alice")
    text = padded(4097)
    with pytest.raises(Closed) as end:
        await user.send_parts([text[:2000], text[2000:4000], text[4000:]])
        await user.recv()
    assert end.value.code == 1009


async def test_an_idle_connection_is_pinged_and_its_pong_keeps_it(make_world):
    world = make_world({"limits.ping_interval": "100ms", "limits.ping_timeout": "400ms"})
    account = await world.account("alice")
    user = await world.login_raw(account)
    for _ in range(6):  # longer than ping_interval + ping_timeout
        await user.pong(await user.ping_payload())
    await user.quiet()


async def test_a_peer_silent_after_a_ping_is_ended(make_world):
    world = make_world({"limits.ping_interval": "100ms", "limits.ping_timeout": "200ms"})
    account = await world.account("alice")
    user = await world.login_raw(account)
    await user.ping_payload()
    with pytest.raises(Closed):
        await user.recv()
    await world.login(account)


async def test_any_frame_within_ping_timeout_keeps_the_session(make_world):
    world = make_world({"limits.ping_interval": "200ms", "limits.ping_timeout": "400ms"})
    account = await world.account("alice")
    user = await world.login_raw(account)
    for _ in range(4):
        await user.ping_payload()
        await user.raw.send(wsraw.frame(wsraw.PONG, b"unsolicited"))
    await user.quiet()


async def test_sigterm_closes_sessions_with_1001_and_ends_with_status_0(make_world):
    world = make_world()
    logged_in = await world.user("alice")
    not_logged_in = await world.connect()
    await logged_in.quiet()
    stopped = asyncio.get_running_loop().run_in_executor(None, world.server.terminate)
    assert await logged_in.closed() == 1001
    assert await not_logged_in.closed() == 1001
    assert await stopped == 0


async def test_sigint_ends_it_likewise(make_world):
    world = make_world()
    user = await world.user("alice")
    stopped = asyncio.get_running_loop().run_in_executor(None, world.server.terminate, signal.SIGINT)
    assert await user.closed() == 1001
    assert await stopped == 0


@once
async def test_a_peer_that_never_answers_the_close_does_not_hold_up_the_end(make_world):
    world = make_world()
    await world.login_raw(await world.account("alice"))
    await world.connect_raw()
    assert await asyncio.get_running_loop().run_in_executor(None, world.server.terminate) == 0


ORIGIN_CASES = [
    ("https://good.example", 101), ("https://GOOD.example", 101), ("HTTPS://good.example", 101),
    ("http://localhost:3000", 101),
    ("https://evil.example", 403), ("https://good.example.evil", 403), ("http://good.example", 403),
    ("https://good.example:8443", 403), ("http://localhost:3001", 403), ("http://localhost", 403),
    ("https://sub.good.example", 403), ("https://good.example@evil.example", 403), ("null", 403),
    ("https://good.example/path", 403), (None, 101),
]


@once
async def test_origin_is_checked_when_allowed_origins_is_configured(make_server, tmp_path):
    config = tmp_path / "lempd.yaml"
    config.write_text("auth:\n  allowed_origins:\n    - https://good.example\n    - http://localhost:3000\n")
    server = make_server(args=["--config", str(config)]).start()
    got = []
    for origin, _ in ORIGIN_CASES:
        raw = await wsraw.Raw.connect(server.port)
        status, _ = await raw.upgrade(headers=[("Origin", origin)] if origin else None)
        got.append((origin, status))
        raw.drop()
    assert got == ORIGIN_CASES


async def test_any_origin_is_allowed_by_default(server):
    raw = await wsraw.Raw.open(server.port, headers=[("Origin", "https://anywhere.example")])
    await raw.finish()
