"""RFC 6455, by the case groups of the Autobahn test suite (1 framing, 2 pings, 3 reserved bits,
4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing, 9 limits, 10 misc), then masking, lengths, floods.
test_handshake.py has the opening.

A table row says what the peer sends and all that must come back: ANSWER (a text message),
PONG with its payload, or CLOSE with its code. A row that does not end in CLOSE must leave a
connection that still answers and closes cleanly."""

import json

import pytest

import packets
import wsraw
from wsraw import BINARY, CONTINUATION, PING, frame, fragments, text
from lempd import once


def knock(id="k", extra=""):
    return json.dumps({"srq": {"id": id, "t": "k", "x": extra}}, ensure_ascii=False).encode()


ANSWER = ("answer",)


def PONG(payload):
    return ("pong", payload)


def CLOSE(code):
    return ("close", code)


async def event(raw):
    opcode, payload = await raw.read_frame()
    if opcode == wsraw.TEXT:
        packets.read(payload.decode())
        return ANSWER
    if opcode == wsraw.PONG:
        return PONG(payload)
    assert opcode == wsraw.CLOSE, f"frame of opcode {opcode}"
    payload[2:].decode()
    return CLOSE(int.from_bytes(payload[:2], "big") if payload else None)


async def check(server, data, wanted, chop=None):
    """Sends the bytes (in pieces of `chop`) and compares all that comes back."""
    raw = await wsraw.Raw.open(server.port)
    data = b"".join(data) if isinstance(data, (list, tuple)) else data
    try:
        await (raw.send_chopped(data, chop) if chop else raw.send(data))
    except ConnectionError:
        assert wanted[-1][0] == "close", "the server hung up"
    got = [await event(raw) for _ in wanted]
    assert got == list(wanted)
    if wanted[-1][0] == "close":
        try:
            await raw.send(wsraw.close(1000))
        except ConnectionError:
            pass
        await raw.read_end()
        return
    await raw.send(text(knock("alive")))
    assert await event(raw) == ANSWER
    await raw.finish()


def table(rows):
    return pytest.mark.parametrize("data, wanted", rows.values(), ids=rows.keys())


# -- 1 framing ------------------------------------------------------------------------

SIZES = [0, 125, 126, 127, 128, 65535, 65536]


@pytest.mark.parametrize("size", SIZES)
async def test_1_1_text_messages_of_every_length_form_are_answered(server, size):
    await check(server, text(b" " * size), [ANSWER])
    await check(server, text(b" " * size), [ANSWER], chop=997)


@pytest.mark.parametrize("size", SIZES)
async def test_1_2_binary_messages_of_every_length_form_close_with_1003(server, size):
    await check(server, frame(BINARY, b"\xfe" * size), [CLOSE(1003)])


# -- 2 pings and pongs ------------------------------------------------------------------

@table({
    "2.1 without payload": (frame(PING), [PONG(b"")]),
    "2.2 text": (frame(PING, b"Hello, world!"), [PONG(b"Hello, world!")]),
    "2.3 binary": (frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), [PONG(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]),
    "2.4 125 bytes": (frame(PING, b"\xfe" * 125), [PONG(b"\xfe" * 125)]),
    "2.5 126 bytes": (frame(PING, b"\xfe" * 126), [CLOSE(1002)]),
    "2.7 unsolicited pong": (frame(wsraw.PONG), []),
    "2.8 unsolicited pong with payload": (frame(wsraw.PONG, b"unsolicited"), []),
    "2.9 unsolicited pong, then ping": (frame(wsraw.PONG, b"x") + frame(PING, b"y"), [PONG(b"y")]),
    "2.10 ten pings": (b"".join(frame(PING, b"%d" % n) for n in range(10)), [PONG(b"%d" % n) for n in range(10)]),
    "pong of 126 bytes": (frame(wsraw.PONG, b"x" * 126), [CLOSE(1002)]),
    "ping between messages": (text(b"1") + frame(PING, b"p") + text(b"2"), [ANSWER, PONG(b"p"), ANSWER]),
})
async def test_2_pings_are_answered_in_order(server, data, wanted):
    wanted = wanted or [PONG(b"mark")]
    if wanted == [PONG(b"mark")]:
        data += frame(PING, b"mark")
    await check(server, data, wanted)
    await check(server, data, wanted, chop=1)


# -- 3 reserved bits --------------------------------------------------------------------

@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [wsraw.TEXT, BINARY, PING, wsraw.PONG, wsraw.CLOSE])
async def test_3_reserved_bits_close_with_1002_after_what_came_before_is_answered(server, rsv, opcode):
    await check(server, text(knock()) + frame(opcode, b"", rsv=rsv) + frame(PING, b"late"), [ANSWER, CLOSE(1002)])
    await check(server, text(knock()) + frame(opcode, b"", rsv=rsv), [ANSWER, CLOSE(1002)], chop=1)


async def test_3_reserved_bits_in_a_continuation_close_with_1002(server):
    await check(server, text(b"a", fin=False) + frame(CONTINUATION, b"b", rsv=4), [CLOSE(1002)])


# -- 4 opcodes --------------------------------------------------------------------------

@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_4_unknown_opcodes_close_with_1002(server, opcode):
    for payload in (b"", b"payload"):
        await check(server, frame(opcode, payload), [CLOSE(1002)])
    await check(server, text(knock()) + frame(opcode, b"payload") + frame(PING), [ANSWER, CLOSE(1002)])
    await check(server, text(b"a", fin=False) + frame(opcode), [CLOSE(1002)])


# -- 5 fragmentation --------------------------------------------------------------------

PARTS = [b'{"srq":{"id":"1"', b',"t":"k"}}']


@table({
    "5.1 fragmented ping": (frame(PING, b"1", fin=False) + frame(CONTINUATION, b"2"), [CLOSE(1002)]),
    "5.2 fragmented pong": (frame(wsraw.PONG, b"1", fin=False) + frame(CONTINUATION, b"2"), [CLOSE(1002)]),
    "fragmented close": (frame(wsraw.CLOSE, b"", fin=False), [CLOSE(1002)]),
    "5.3 two fragments": (fragments(PARTS), [ANSWER]),
    "5.6 ping between": ([text(PARTS[0], fin=False), frame(PING, b"p"), frame(CONTINUATION, PARTS[1])], [PONG(b"p"), ANSWER]),
    "5.9 continuation of nothing": (frame(CONTINUATION, b"x"), [CLOSE(1002)]),
    "5.12 open continuation of nothing": (frame(CONTINUATION, b"x", fin=False), [CLOSE(1002)]),
    "5.15 continuation after the end": (b"".join(fragments(PARTS)) + frame(CONTINUATION, b"x"), [ANSWER, CLOSE(1002)]),
    "5.18 text within text": (text(PARTS[0], fin=False) + text(PARTS[1]), [CLOSE(1002)]),
    "binary within text": (text(PARTS[0], fin=False) + frame(BINARY, PARTS[1]), [CLOSE(1002)]),
    "5.19 five fragments and pings": (
        [text(b'{"srq":', fin=False), frame(CONTINUATION, b'{"id":', fin=False), frame(PING, b"1"),
         frame(CONTINUATION, b'"1",', fin=False), frame(CONTINUATION, b'"t":"k"', fin=False), frame(PING, b"2"),
         frame(CONTINUATION, b"}}")], [PONG(b"1"), PONG(b"2"), ANSWER]),
    "empty fragments": (fragments([b"", *PARTS, b""]), [ANSWER]),
    "only empty fragments": (fragments([b"", b"", b""]), [ANSWER]),
    "each octet a fragment": (fragments([bytes([b]) for b in b"".join(PARTS)]), [ANSWER]),
    "pong between": ([text(PARTS[0], fin=False), frame(wsraw.PONG, b"p"), frame(CONTINUATION, PARTS[1])], [ANSWER]),
    "two fragmented messages": (fragments(PARTS) + fragments(PARTS), [ANSWER, ANSWER]),
    "fragmented binary": (fragments(PARTS, opcode=BINARY), [CLOSE(1003)]),
})
@pytest.mark.parametrize("chop", [None, 1, 7])
async def test_5_fragments_make_one_message_and_their_order_is_kept(server, data, wanted, chop):
    await check(server, data, wanted, chop)


# -- 6 UTF-8 ----------------------------------------------------------------------------

KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"  # kosme, its second letter of three bytes
VALID = {
    "6.2 german": "Hello-µ@ßöäüàá-UTF-8!!".encode(), "6.5 greek": KOSME,
    "6.7.1 U+0000": b"\x00", "6.7.2 U+0080": b"\xc2\x80", "6.7.3 U+0800": b"\xe0\xa0\x80", "6.7.4 U+10000": b"\xf0\x90\x80\x80",
    "6.9.1 U+007F": b"\x7f", "6.9.2 U+07FF": b"\xdf\xbf", "6.9.3 U+FFFF": b"\xef\xbf\xbf", "6.9.4 U+10FFFF": b"\xf4\x8f\xbf\xbf",
    "6.11.1 U+D7FF": b"\xed\x9f\xbf", "6.11.2 U+E000": b"\xee\x80\x80", "6.11.3 U+FFFD": b"\xef\xbf\xbd", "6.11.4 U+10FFFF": b"\xf4\x8f\xbf\xbf",
    **{f"6.22 U+{plane:X}{low:X}": chr(plane * 0x10000 + low).encode() for plane in range(17) for low in (0xFFFE, 0xFFFF)},
    **{f"6.23 U+{code:X}": chr(code).encode() for code in (0xFFF9, 0xFFFA, 0xFFFB, 0xFFFC, 0xFFFD, 0xFEFF, 0xFDD0, 0x2028)},
    "6.6 whole prefixes": KOSME[:2] + KOSME[:5] + KOSME[:7] + KOSME[:9],
}
INVALID = {
    "6.3 surrogate amid text": KOSME + b"\xed\xa0\x80" + b"edited",
    **{f"6.6 prefix of {n}": KOSME[:n] for n in range(1, len(KOSME)) if n not in (2, 5, 7, 9)},
    "6.8.1 5 bytes": b"\xf8\x88\x80\x80\x80", "6.8.2 6 bytes": b"\xfc\x84\x80\x80\x80\x80",
    "6.10.1 1FFFFF": b"\xf7\xbf\xbf\xbf", "6.10.2 3FFFFFF": b"\xfb\xbf\xbf\xbf\xbf", "6.10.3 7FFFFFFF": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "6.11.5 110000": b"\xf4\x90\x80\x80",
    **{f"6.12 {n} continuations": b"\x80\xbf" * (n // 2) + b"\x80" * (n % 2) for n in range(1, 8)},
    "6.12.8 all continuations": bytes(range(0x80, 0xc0)),
    **{f"6.13 lonely {lead:02x}": bytes([lead, 0x20]) for lead in (*range(0xc0, 0xfe), 0xc1, 0xdf, 0xe0, 0xef, 0xf0, 0xf4)},
    **{f"6.14 incomplete {s.hex()}": s for s in (
        b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf", b"\xf4\x8f\xbf", b"\xf0\x90", b"\xf4")},
    "6.15 incomplete ones in a row": b"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf",
    "6.16.1 FE": b"\xfe", "6.16.2 FF": b"\xff", "6.16.3 FEFEFFFF": b"\xfe\xfe\xff\xff",
    **{f"6.17-19 overlong {s.hex()}": s for s in (
        b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf",
        b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf",
        b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80")},
    **{f"6.20 surrogate {s.hex()}": s for s in (
        b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf")},
    **{f"6.21 pair {s.hex()}": s for s in (
        b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xa0\x80\xed\xbf\xbf", b"\xed\xad\xbf\xed\xb0\x80", b"\xed\xad\xbf\xed\xbf\xbf",
        b"\xed\xae\x80\xed\xb0\x80", b"\xed\xae\x80\xed\xbf\xbf", b"\xed\xaf\xbf\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf")},
    "good, then bad after 100 bytes": b"a" * 100 + b"\xff" + b"a" * 100,
    "bad in the last byte of 64": b"a" * 63 + b"\xc3",
}


def octets(payload):
    return [bytes([b]) for b in payload]


@pytest.mark.parametrize("payload", VALID.values(), ids=VALID.keys())
async def test_6_valid_utf8_is_taken_whole_in_fragments_and_in_pieces(server, payload):
    await check(server, text(payload), [ANSWER])
    await check(server, fragments(octets(payload)), [ANSWER])
    await check(server, text(payload), [ANSWER], chop=1)


@pytest.mark.parametrize("payload", INVALID.values(), ids=INVALID.keys())
async def test_6_invalid_utf8_closes_with_1007_whole_in_fragments_and_in_pieces(server, payload):
    await check(server, text(payload), [CLOSE(1007)])
    await check(server, fragments(octets(payload)), [CLOSE(1007)])
    await check(server, text(payload), [CLOSE(1007)], chop=1)


@pytest.mark.parametrize("payload", [KOSME + b"\xf4\x90", KOSME + b"\xed\xa0", KOSME + b"\xc0", KOSME + b"\xe0\x80",
                                     KOSME + b"\xf5", KOSME + b"\x80", KOSME + b"\xce\x20"])
async def test_6_4_invalid_utf8_fails_as_soon_as_it_is_seen(server, payload):
    await check(server, text(payload, fin=False), [CLOSE(1007)])  # the last fragment never comes
    await check(server, text(KOSME, fin=False) + frame(CONTINUATION, payload[len(KOSME):], fin=False), [CLOSE(1007)])
    await check(server, text(payload, length=len(payload) + 100), [CLOSE(1007)])  # nor the rest of the frame
    await check(server, text(payload, length=len(payload) + 100), [CLOSE(1007)], chop=1)


async def test_6_a_character_may_be_cut_by_fragments_and_a_ping(server):
    await check(server, [text(b"\xf0\x9f", fin=False), frame(PING, b"p"), frame(CONTINUATION, b"\x98\x80")], [PONG(b"p"), ANSWER])


async def test_6_a_binary_message_may_hold_anything(server):
    await check(server, frame(BINARY, b"\xff\xfe"), [CLOSE(1003)])


# -- 7 closing --------------------------------------------------------------------------

@table({
    "7.1.1 after a message": (text(knock()) + wsraw.close(1000), [ANSWER, CLOSE(1000)]),
    "7.1.2 two closes": (wsraw.close(1000) + wsraw.close(1000), [CLOSE(1000)]),
    "7.1.3 ping after close": (wsraw.close(1000) + frame(PING), [CLOSE(1000)]),
    "7.1.4 text after close": (wsraw.close(1000) + text(knock()), [CLOSE(1000)]),
    "7.1.5 close between fragments": (text(b"a", fin=False) + wsraw.close(1000) + frame(CONTINUATION, b"b"), [CLOSE(1000)]),
    "7.1.6 after a large message": (text(b" " * 262144) + wsraw.close(1000) + frame(PING), [ANSWER, CLOSE(1000)]),
    "7.3.2 one byte": (frame(wsraw.CLOSE, b"a"), [CLOSE(1002)]),
    "7.3.3 code": (wsraw.close(1000), [CLOSE(1000)]),
    "7.3.4 code and reason": (wsraw.close(1000, b"Hello World!"), [CLOSE(1000)]),
    "7.3.5 the longest reason": (wsraw.close(1000, b"*" * 123), [CLOSE(1000)]),
    "7.3.6 too long a reason": (wsraw.close(1000, b"*" * 124), [CLOSE(1002)]),
    "7.5.1 reason no UTF-8": (wsraw.close(1000, KOSME + b"\xed\xa0\x80"), [CLOSE(1007)]),
    "reason cut in a character": (wsraw.close(1000, b"\xc3"), [CLOSE(1007)]),
    "garbage after the close": (wsraw.close(1000) + b"\xff" * 200, [CLOSE(1000)]),
})
@pytest.mark.parametrize("chop", [None, 1])
async def test_7_a_close_is_answered_and_ends_the_connection(server, data, wanted, chop):
    await check(server, data, wanted, None if len(data) > 10000 else chop)


async def test_7_3_1_a_close_without_code_is_answered_with_none_or_1000(server):
    raw = await wsraw.Raw.open(server.port)
    await raw.send(wsraw.close())
    assert await raw.read_close() in (None, 1000)
    await raw.read_end()


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
async def test_7_7_valid_codes_are_echoed(server, code):
    await check(server, wsraw.close(code), [CLOSE(code)])


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
async def test_7_9_invalid_codes_close_with_1002(server, code):
    await check(server, wsraw.close(code), [CLOSE(1002)])


async def test_7_a_peer_that_just_hangs_up_does_no_harm(server):
    for data in (b"", b"\x81", text(b"x")[:3], text(b"a", fin=False)):
        raw = await wsraw.Raw.open(server.port)
        await raw.send(data)
        raw.drop()
    await check(server, text(knock()), [ANSWER])


@once
async def test_7_after_the_close_the_server_waits_for_no_answer_for_ever(make_server):
    server = make_server({"limits.login_timeout": "100ms"}).start()
    raw = await wsraw.Raw.open(server.port)
    assert await raw.read_close() == 1008
    await raw.read_end()


# -- 9 limits, 10 misc --------------------------------------------------------------------

async def echo(client, content):
    """A message to oneself comes back as it was."""
    id = await client.post(client, content, p="0", sc="0", pc="0")
    await client.expect(packets.message(id, client.name, client.name, content, p="0", sc="0", pc="0"))


@pytest.mark.parametrize("payload", [v.decode() for k, v in VALID.items() if not k.startswith("6.22")],
                         ids=[k for k in VALID if not k.startswith("6.22")])
async def test_6_valid_content_comes_back_unchanged(world, payload):
    await echo(await world.login_raw(await world.account("alice")), payload)


@pytest.mark.parametrize("size", [65536, 131072, 262000])
@pytest.mark.parametrize("chop", [64, 997, 4096, 65536])
async def test_9_large_messages_come_back_however_they_are_cut(world, size, chop):
    user = await world.login_raw(await world.account("alice"))
    content = ("0123456789äß€😀" * (size // 20))[:size // 2]
    packet = packets.write({"m": {"id": "1", "r": user.name, "c": content, "p": 0, "sc": 0}}).encode()
    want = packets.message("1", user.name, user.name, content, p="0", sc="0")
    parts = [packet[at:at + chop] for at in range(0, len(packet), chop)]
    await user.raw.send(b"".join(fragments(parts)))
    await user.expect(want)
    await user.raw.send_chopped(text(packet), max(chop, 997))
    await user.expect(want)


@pytest.mark.parametrize("size", [0, 16, 64, 256, 1024])
async def test_9_7_many_small_messages_come_back_one_by_one(world, size):
    user = await world.login_raw(await world.account("alice"))
    for _ in range(100):
        await echo(user, "x" * size)


@pytest.mark.parametrize("size", [0, 16, 256, 1024])
async def test_9_8_many_small_messages_in_one_breath_come_back_in_order(world, size):
    user = await world.login_raw(await world.account("alice"))
    for n in range(500):
        await user.post(user, [n, "x" * size], f"e{n}", p="0", sc="0", pc="0")
    for n in range(500):
        await user.expect(packets.message(f"e{n}", user.name, user.name, [n, "x" * size], p="0", sc="0", pc="0"))


async def test_10_1_1_a_message_in_fragments_of_1300_octets_is_one(server):
    payload = knock(extra="*" * 65536)
    await check(server, fragments([payload[at:at + 1300] for at in range(0, len(payload), 1300)]), [ANSWER])


# -- masking and lengths ------------------------------------------------------------------

@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04", b"\x80\0\0\x01"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000])
async def test_every_mask_and_alignment_is_undone(server, key, size):
    payload = knock(extra="ä" * size)
    await check(server, text(payload, key=key) + frame(PING, b"x" * min(size, 125), key=key),
                [ANSWER, PONG(b"x" * min(size, 125))], chop=size or None)


@pytest.mark.parametrize("data", [
    text(knock(), masked=False), frame(PING, b"x", masked=False), frame(wsraw.CLOSE, b"\x03\xe8", masked=False),
    text(b"a", fin=False) + frame(CONTINUATION, b"b", masked=False), frame(BINARY, b"", masked=False),
])
async def test_unmasked_frames_close_with_1002(server, data):
    await check(server, data, [CLOSE(1002)])


@pytest.mark.parametrize("data", [
    text(b" " * 125, width=2), text(b" " * 125, width=8), text(b" " * 126, width=8), text(b" " * 65535, width=8),
    text(b"", width=2), text(b"", width=8), text(b"x", width=2),
    frame(PING, b"x", width=2), frame(PING, b"x" * 125, width=8), frame(wsraw.CLOSE, b"", width=2),
])
async def test_lengths_in_a_longer_form_than_needed_close_with_1002(server, data):
    await check(server, data, [CLOSE(1002)])


@pytest.mark.parametrize("length, code", [
    (262145, 1009), (2 ** 31, 1009), (2 ** 32, 1009), (2 ** 32 + 1, 1009), (2 ** 40, 1009), (2 ** 63 - 1, 1009),
    (2 ** 63, 1002), (2 ** 64 - 1, 1002),
])
async def test_too_long_a_frame_is_refused_before_its_payload_comes(server, length, code):
    await check(server, text(b"", length=length, width=8), [CLOSE(code)])


async def test_a_fragment_that_exceeds_the_limit_is_refused_before_its_payload_comes(server):
    await check(server, text(b" " * 200000, fin=False) + frame(CONTINUATION, b"", length=62145), [CLOSE(1009)])


@pytest.mark.parametrize("opcode", [PING, wsraw.PONG, wsraw.CLOSE])
@pytest.mark.parametrize("length, width", [(126, 2), (65535, 2), (65536, 8), (2 ** 40, 8)])
async def test_a_control_frame_that_announces_more_than_125_bytes_closes_with_1002(server, opcode, length, width):
    await check(server, frame(opcode, b"", length=length, width=width), [CLOSE(1002)])


# -- floods -------------------------------------------------------------------------------

async def test_a_flood_of_pings_is_answered_in_order(server):
    count = 5000
    await check(server, [frame(PING, b"%d" % n) for n in range(count)], [PONG(b"%d" % n) for n in range(count)])


async def test_a_flood_of_unsolicited_pongs_is_ignored(server):
    await check(server, frame(wsraw.PONG, b"x" * 125) * 10000 + frame(PING, b"y"), [PONG(b"y")])


async def test_a_flood_of_empty_fragments_is_one_message(server):
    await check(server, text(b"1", fin=False) + frame(CONTINUATION, b"", fin=False) * 20000 + frame(CONTINUATION, b" "), [ANSWER])


async def test_a_flood_of_tiny_messages_is_answered(world):
    user = await world.login_raw(await world.account("alice"))
    await user.raw.send(b"".join(text(b'{srq:{id:%d,t:"k"}}' % n) for n in range(5000)))
    await user.expect(*(packets.knock(str(n)) for n in range(5000)))


async def test_many_connections_at_once_are_all_served(server):
    raws = [await wsraw.Raw.open(server.port) for _ in range(300)]
    for raw in raws:
        await raw.send(text(knock()))
    for raw in raws:
        assert await event(raw) == ANSWER
    for raw in raws:
        await raw.finish()
