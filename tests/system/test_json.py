"""protocol.md sections 2, 13.1-13.4: JSON, names, ids, malformed packets."""

import json

import pytest

import packets
from lempd import once

KNOCK = '{"srq":{"id":"%s","t":"k"}}'


async def answer(client, text):
    await client.send(text)
    return await client.recv()


# -- what is read ---------------------------------------------------------------

@pytest.mark.parametrize("text", [
    '{srq:{id:"1",t:"k"}}',
    '{srq:{"id":"1",t:"k"}}',
    ' \t\r\n{ srq : { id : "1" , t : "k" } } \r\n',
    '{"srq":{"id":"1","t":"k","$x_1":{a:1,$:2,_:3,A9$_:[{b:null}]}}}',
    '{srq:{id:"1",t:"k"},true:1,null:2,false:3}',
    '{"\\u0073rq":{"\\u0069d":"1","t":"\\u006b"}}',
    '{"srq":{"t":"k","id":"1"}}',
    '{"srq":{"id":"1","t":"k","unknown":{"x":[1,2]}},"unknown":[{}]}',
    '{"srq":{"id":"1","t":"k","x":{"a":1,"a":2}}}',
    '{"srq":{"id":1,"t":"k"}}',
])
async def test_names_without_quotes_and_unknown_members_are_taken(world, text):
    user = await world.user("alice")
    await user.send(text)
    assert await user.recv_text() == '{"srp":{"id":"1","t":"k"}}'


MALFORMED = {
    "empty": "", "blank": " ", "no object": "[]", "string": '"x"', "number": "1", "null": "null",
    "garbage": "hello", "unclosed": '{"srq":{"id":"1","t":"k"}', "extra brace": '{"srq":{"id":"1","t":"k"}}}',
    "two packets": KNOCK % 1 + KNOCK % 2, "trailing comma": '{"srq":{"id":"1","t":"k",}}',
    "comment": '{"srq":{"id":"1",/* c */"t":"k"}}', "line comment": '{"srq":{"id":"1","t":"k"}}//',
    "single quotes": "{'srq':{'id':'1','t':'k'}}", "unquoted value": '{"srq":{"id":"1","t":k}}',
    "number as name": '{"srq":{"id":"1","t":"k",1:2}}', "dash in name": '{"srq":{"id":"1","t":"k",a-b:2}}',
    "letter outside ASCII": '{"srq":{"id":"1","t":"k",é:2}}', "NaN": '{"srq":{"id":"1","t":"k","x":NaN}}',
    "Infinity": '{"srq":{"id":"1","t":"k","x":Infinity}}', "leading zero": '{"srq":{"id":"1","t":"k","x":01}}',
    "plus": '{"srq":{"id":"1","t":"k","x":+1}}', "dot": '{"srq":{"id":"1","t":"k","x":1.}}',
    "hex": '{"srq":{"id":"1","t":"k","x":0x1}}', "byte order mark": "\ufeff" + KNOCK % 1,
    "lone high surrogate": '{"srq":{"id":"1","t":"k","x":"\\ud800"}}',
    "lone low surrogate": '{"srq":{"id":"1","t":"k","x":"\\udc00"}}',
    "surrogates swapped": '{"srq":{"id":"1","t":"k","x":"\\udc00\\ud800"}}',
    "control in string": '{"srq":{"id":"1","t":"k","x":"\x01"}}', "newline in string": '{"srq":{"id":"1\n","t":"k"}}',
    "NUL": '{"srq":{"id":"1","t":"k"}}\0', "form feed": '{"srq":\f{"id":"1","t":"k"}}',
    "bad escape": '{"srq":{"id":"1","t":"k","x":"\\x41"}}', "short escape": '{"srq":{"id":"1","t":"k","x":"\\u12"}}',
    "repeated datum": '{"srq":{"id":"1","t":"k"},"srq":{"id":"2","t":"k"}}',
    "repeated member": '{"srq":{"id":"1","t":"k","t":"k"}}',
    "repeated unknown member": '{"srq":{"id":"1","t":"k","x":1,"x":1}}',
    "repeated, once by escape": '{"srq":{"id":"1","t":"k","\\u0074":"k"}}',
    "repeated, once without quotes": '{"srq":{"id":"1",t:"k","t":"k"}}',
    "repeated in the request": '{"rq":{"id":"1","lo":{"r":"a","r":"b"}}}',
    "repeated in the message": '{"m":{"id":"1","r":"a","c":1,"c":2}}',
    "repeated in dm": '{"m":{"id":"1","dm":{"id":"1","id":"1"}}}',
    "content not strict": '{"m":{"id":"1","r":"a","c":{a:1}}}',
    "unknown member not strict": '{"m":{"id":"1","r":"a","c":1,"x":{a:1}}}',
}


def is_refusal(packet, code="400"):
    """An error, with or without the id (of whichever kind the packet could still be told to be)."""
    datum = packet.get("rp") or packet.get("srp")
    return datum and datum.get("e", {}).get("c") == code and "response" not in datum


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_cannot_be_parsed_gets_400_and_the_connection_stays(world, name):
    user = await world.user("alice")
    assert is_refusal(await answer(user, MALFORMED[name]))
    await user.quiet()


@pytest.mark.parametrize("name", ["empty", "garbage", "unclosed", "byte order mark"])
async def test_what_cannot_be_parsed_gets_400_before_login_too(world, name):
    client = await world.connect()
    assert is_refusal(await answer(client, MALFORMED[name]))
    await client.login(await world.account("alice"))


async def test_a_malformed_packet_without_a_readable_id_is_answered_exactly_as_written(world):
    user = await world.user("alice")
    await user.send("garbage")
    await user.expect(packets.error(400))
    assert user.text.startswith('{"rp":{"e":{"c":"400","d":"') and user.text.endswith('"}}}')


@pytest.mark.parametrize("depth, good", [(1, True), (30, True), (31, False), (32, False), (1000, False)])
async def test_objects_and_arrays_nest_32_levels_and_no_deeper(world, depth, good):
    user = await world.user("alice")
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        value = opening * depth + ("1" if opening != "[" else "") + closing * depth
        got = await answer(user, '{"srq":{"id":"1","t":"k","x":%s}}' % value)
        assert got == packets.knock("1") if good else is_refusal(got)


async def test_content_nests_as_deep_as_the_packet_allows(world):
    user = await world.user("alice")
    content = "[" * 30 + "]" * 30
    await user.send('{"m":{"id":"1","r":"%s","c":%s,"p":0,"sc":0}}' % (user.name, content))
    await user.expect(packets.message("1", user.name, user.name, json.loads(content), p="0", sc="0"))
    await user.send('{"m":{"id":"1","r":"%s","c":[%s],"p":0,"sc":0}}' % (user.name, content))
    assert is_refusal(await user.recv())


# -- the row of malformed packets -----------------------------------------------

async def test_the_16th_malformed_packet_in_a_row_is_answered_and_closes_with_1008(world):
    for client in (await world.connect(), await world.user("alice")):
        for _ in range(16):
            await client.send("garbage")
        for _ in range(16):
            assert is_refusal(await client.recv())
        assert await client.closed() == 1008


@pytest.mark.parametrize("between", [
    '{"srq":{"id":"1","t":"k"}}', '{"rq":{"id":"1","nonsense":{}}}', '{"m":{}}', "{}", '{"x":1}',
    '{"rp":{"id":"1"}}', '{"srq":{"id":"1"}}', '{"m":{"id":"1","r":"nobody at all","c":1}}',
])
async def test_any_packet_that_parses_ends_the_row(world, between):
    user = await world.user("alice")
    for text in ["garbage"] * 15 + [between] + ["garbage"] * 15:
        await user.send(text)
    for _ in range(31):
        await user.recv()
    await user.quiet()


async def test_wrong_but_parsable_packets_never_close(world):
    user = await world.user("alice")
    for _ in range(40):
        await user.send('{"m":{"id":"1"}}')
    for _ in range(40):
        await user.expect(packets.error(400, "1"))
    await user.quiet()


async def test_the_row_goes_on_over_the_login(world):
    account = await world.account("alice")
    client = await world.connect()
    for _ in range(15):
        await client.send("garbage")
    for _ in range(15):
        assert is_refusal(await client.recv())
    await client.login(account)  # parses, so it ends the row
    await client.send("garbage")
    assert is_refusal(await client.recv())
    await client.quiet()


# -- one datum, one request --------------------------------------------------------

@pytest.mark.parametrize("text, id", [
    ("{}", None), ('{"x":{"id":"1"}}', None),
    ('{"rp":{"id":"1"}}', None), ('{"srp":{"id":"1","t":"k"}}', None), ('{"i":{"id":"1","li":"x"}}', None),
    ('{"rq":{"id":"1"}}', "1"), ('{"rq":{"id":"1","nonsense":{}}}', "1"),
    ('{"rq":{"id":"1","lo":{"r":"x"},"ad":{"c":"del","i":"x"}}}', "1"),
    ('{"rq":{"id":"1","a":{"i":"x","t":"y"},"lo":{"r":"x"}}}', "1"),
    ('{"rq":{"lo":{"r":"x"}}}', None), ('{"rq":{"id":"","lo":{"r":"x"}}}', None),
    ('{"rq":{"id":null,"ad":{"c":"cr","i":"x","t":"y"}}}', None),
    ('{"rq":{"id":1.5,"ad":{"c":"cr","i":"x","t":"y"}}}', None),
    ('{"rq":{"id":-0,"nonsense":{}}}', "-0"),
    ('{"rq":{"id":["1"],"ad":{"c":"cr","i":"x","t":"y"}}}', None),
    ('{"rq":[]}', None), ('{"rq":"x"}', None), ('{"rq":null}', None), ('{"m":[]}', None), ('{"m":1}', None),
    ('{"rq":{"id":"1","ad":[]}}', "1"), ('{"rq":{"id":"1","ad":"x"}}', "1"), ('{"rq":{"id":"1","ad":null}}', "1"),
    ('{"rq":{"id":"1","lo":1}}', "1"),
    ('{"m":{"r":"x","c":1}}', None), ('{"m":{"id":"1","r":"x"}}', "1"), ('{"m":{"id":"1","c":1}}', "1"),
    ('{"m":{"id":true,"r":"x","c":1}}', None),
])
async def test_a_wrong_datum_id_or_field_is_error_400(world, text, id):
    user = await world.user("alice")
    got = await answer(user, text)
    assert is_refusal(got)
    if id is not None:
        assert got == packets.error(400, id)
    await user.quiet()


@pytest.mark.parametrize("text", [
    '{"srq":{"id":"1","t":"k"},"m":{"id":"2","r":"x","c":1}}',
    '{"srq":{"id":"1","t":"k"},"rp":{"id":"2"}}',
    '{"srq":{"id":"1","t":"k"},"i":{"id":"2"}}',
    '{"rq":{"id":"1","lo":{"r":"x"}},"srq":{"id":"2","t":"k"}}',
])
async def test_several_data_in_one_packet_are_error_400_and_nothing_happens(world, text):
    user = await world.user("alice")
    assert is_refusal(await answer(user, text))
    await user.quiet()


async def test_each_refused_packet_is_answered_with_the_id_it_came_with(world):
    user = await world.user("alice")
    await user.send('{"rq":{"id":"the id","nonsense":{}}}')
    text = await user.recv_text()
    assert text.startswith('{"rp":{"id":"the id","e":{"c":"400","d":"')


# -- ids ------------------------------------------------------------------------

@pytest.mark.parametrize("written, answered", [
    ('"1"', "1"), ("1", "1"), ("0", "0"), ("-7", "-7"), ("12345678901234567890", "12345678901234567890"),
    ('"' + "x" * 128 + '"', "x" * 128), ('"ä€😀"', "ä€😀"), ('"\\u00e4\\ud83d\\ude00"', "ä😀"),
    ('"a\\"b\\\\c"', 'a"b\\c'), ('"\\n\\t\\u0000"', "\n\t\0"), ('" "', " "), ('"/"', "/"), ('"\\/"', "/"),
    ("1" * 128, "1" * 128),
])
async def test_a_response_carries_the_id_of_its_request(world, written, answered):
    user = await world.user("alice")
    await user.send('{"srq":{"id":%s,"t":"k"}}' % written)
    await user.expect(packets.knock(answered))


@pytest.mark.parametrize("written", ['"' + "x" * 129 + '"', '"' + "é" * 65 + '"', "1" * 129, '"' + "x" * 100000 + '"'])
async def test_an_id_over_128_bytes_is_413_without_the_id(world, written):
    user = await world.user("alice")
    await user.send('{"rq":{"id":%s,"nonsense":{}}}' % written)
    got = await user.recv()
    assert is_refusal(got, "413") or is_refusal(got, "400")  # several errors at once: any that applies
    assert "id" not in got["rp"]
    await user.send('{"m":{"id":%s,"r":"%s","c":1}}' % (written, user.name))
    assert await user.recv() == packets.error(413)
    await user.quiet()


# -- flags and times ------------------------------------------------------------

@pytest.mark.parametrize("written, passed_on", [('"0"', "0"), ('"1"', "1"), ("0", "0"), ("1", "1")])
@pytest.mark.parametrize("flag", ["p", "sc", "pc"])
async def test_flags_come_as_string_or_integer_and_leave_as_string(world, flag, written, passed_on):
    user = await world.user("alice")
    others = "".join(f',"{other}":0' for other in ("p", "sc") if other != flag)
    await user.send('{"m":{"id":"1","r":"%s","c":1,"%s":%s%s}}' % (user.name, flag, written, others))
    wanted = {"p": "0", "sc": "0", flag: passed_on}
    want = [packets.message("1", user.name, user.name, 1, **wanted)]
    await user.expect_all(*want, *([packets.sr("1")] if wanted["sc"] == "1" else []))


@pytest.mark.parametrize("flag", ["p", "sc", "pc"])
async def test_a_flag_that_is_none_is_400(world, flag):
    user = await world.user("alice")
    for wrong in ("2", "-1", '"2"', '""', '"01"', "true", "null", "1.0", "[]", '"yes"', "0e0", '" 1"'):
        await user.send('{"m":{"id":"1","r":"%s","c":1,"%s":%s}}' % (user.name, flag, wrong))
        assert is_refusal(await user.recv()), wrong
    await user.quiet()


# -- names ----------------------------------------------------------------------

GOOD_NAMES = ["x", "a b", "ä", "名前", "😀", "a" * 128, "é" * 64, "a.b@c/d\\e", 'q"q', "a\u00a0b", "²", "\u0301a", "%00", "e\u0301"]
REFUSED = [*range(0, 0x20), 0x7f, *range(0x80, 0xa0), 0x61c, 0x180e, *range(0x200b, 0x2010),
           *range(0x202a, 0x202f), *range(0x2060, 0x2070), 0xfeff]
WHITE_SPACE = [0x20, 0xa0, 0x1680, *range(0x2000, 0x200b), 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]


async def test_good_names_can_be_created_and_log_in(world):
    admin = await world.admin()
    for n, name in enumerate(GOOD_NAMES):
        name = name if len(name.encode()) >= 120 else f"{name}{world.fresh('')}x"
        got = await admin.ad("cr", name, t="t")
        assert got == {} or (got["e"]["c"] == "409" and len(name.encode()) >= 120), name
        other = await world.connect()
        await other.send({"rq": {"id": "1", "a": {"i": name, "t": "t"}}})
        await other.expect(packets.login_answer("1", 1))
        await other.tell(name, n)
        await other.until(packets.message(packets.ANY, name, name, n))


@pytest.mark.parametrize("place", ["a{}b", "{}b", "a{}"])
async def test_refused_characters_are_400_anywhere_in_a_name(world, place):
    admin = await world.admin()
    for code in REFUSED:
        got = await admin.ad("cr", place.format(chr(code)), t="t")
        assert got.get("e", {}).get("c") == "400", f"U+{code:04X} in {place}"


@pytest.mark.parametrize("place", ["{}b", "a{}"])
async def test_white_space_at_either_end_of_a_name_is_400(world, place):
    admin = await world.admin()
    for code in WHITE_SPACE:
        got = await admin.ad("cr", place.format(chr(code)), t="t")
        assert got.get("e", {}).get("c") == "400", f"U+{code:04X} in {place}"


@pytest.mark.parametrize("name, code", [("", "400"), ("a" * 129, "413"), ("é" * 65, "413"), ("a" * 10000, "413")])
async def test_empty_names_are_400_and_long_ones_413(world, name, code):
    admin = await world.admin()
    assert (await admin.ad("cr", name, t="t"))["e"]["c"] == code
    await admin.post(name, "hello", "1")
    await admin.expect(packets.error(code, "1"))
    await admin.send({"m": {"id": "2", "r": name, "dm": {"id": "x"}}})
    await admin.expect(packets.error(code, "2"))


@pytest.mark.parametrize("written", ["1", "null", "true", "[]", "{}"])
async def test_a_name_that_is_no_string_is_400(world, written):
    admin = await world.admin()
    await admin.send('{"rq":{"id":"1","ad":{"c":"cr","i":%s,"t":"t"}}}' % written)
    await admin.expect(packets.error(400, "1"))


async def test_names_are_compared_byte_for_byte(world):
    admin = await world.admin()
    base = world.fresh("É")
    for name in (base, base.lower(), base.replace("É", "E\u0301")):
        assert await admin.ad("cr", name, t="t") == {}


@once
async def test_limits_names_ascii_refuses_all_but_printable_ascii(make_world):
    world = make_world({"limits.names": "ascii"})
    admin = await world.admin()
    for name, good in (("alice", True), ("al ice", True), ("~!", True), ("аlice", False), ("ﬁ", False),
                       ("é", False), ("e\u0301", False), ("名", False), ("alice\u00a0x", False)):
        got = await admin.ad("cr", name, t="t")
        assert got == {} if good else got["e"]["c"] == "400", name


# -- what is written --------------------------------------------------------------

async def test_content_and_unknown_members_pass_byte_for_byte_in_order(world):
    user = await world.user("alice")
    content = '{ "b" : [ 1.0e+2 , -0, "\\u0041\\/ä" ],\t"a":{ } , "a" : null }'
    await user.send('{m:{"zz":[ 1 ],id:"1",_u : {"k":"\\u00e9"},r:"%s","\\u0061b\\"":  1e400 ,c: %s ,st:5,p:0,sc:0}}'
                    % (user.name, content))
    text = await user.recv_text()
    assert text == ('{"m":{"id":"1","s":"%s","r":"%s","t":"t","c":%s,"st":5,"p":"0","sc":"0",'
                    '"zz":[ 1 ],"_u":{"k":"\\u00e9"},"ab\\"":1e400}}' % (user.name, user.name, content)) or \
        text == ('{"m":{"id":"1","s":"%s","r":"%s","t":"t","c":%s,"st":5,"p":"0","sc":"0",'
                 '"zz":[ 1 ],"_u":{"k":"\\u00e9"},"\\u0061b\\"":1e400}}' % (user.name, user.name, content))
