"""protocol.md sections 12 and 13.4: messages and their fields."""

import json
import time

import pytest

import packets


async def test_a_message_is_receipted_and_delivered_exactly_as_the_protocol_shows(world):
    alice, bob = await world.users("alice", "bob")
    await alice.send('{"m":{"id":"m1","r":"%s","t":"t","c":"hello","st":1790000000000,"p":"1","sc":"1","pc":"1"}}'
                     % bob.name)
    receipt = json.loads(await alice.recv_text())
    assert receipt == packets.sr("m1") and receipt["m"]["id"]
    assert await bob.recv_text() == (
        '{"m":{"id":"m1","s":"%s","r":"%s","t":"t","c":"hello","st":1790000000000,"p":"1","sc":"1","pc":"1"}}'
        % (alice.name, bob.name))


async def test_flags_not_written_are_not_passed_on_and_the_type_is_text(world):
    alice, bob = await world.users("alice", "bob")
    await alice.send('{"m":{"id":"m1","r":"%s","c":[],"st":1}}' % bob.name)
    await alice.expect(packets.sr("m1"))
    assert await bob.recv_text() == '{"m":{"id":"m1","s":"%s","r":"%s","t":"t","c":[],"st":1}}' % (alice.name, bob.name)


async def test_unknown_members_are_passed_on_last_in_the_order_received(world):
    alice, bob = await world.users("alice", "bob")
    await alice.send('{"m":{"x-b":{"n":[1,2.50]},"id":"m1","a":null,"r":"%s","c":"hi","zz":"\\u00e4","st":1,B:true}}'
                     % bob.name)
    assert await bob.recv_text() == (
        '{"m":{"id":"m1","s":"%s","r":"%s","t":"t","c":"hi","st":1,"x-b":{"n":[1,2.50]},"a":null,"zz":"\\u00e4",'
        '"B":true}}' % (alice.name, bob.name))


async def test_unknown_members_are_kept_with_a_stored_message(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    await alice.tell(bob.name, "hi", "m1", unknown={"deep": [1, {"er": None}]}, another="x" * 5000)
    bob = await world.login(bob)
    await bob.expect(packets.message("m1", alice.name, bob.name, "hi", unknown={"deep": [1, {"er": None}]},
                                     another="x" * 5000))


@pytest.mark.parametrize("content", [
    "0", "-0", "1.0e+2", "123456789012345678901234567890", "1e400", "true", "false", "null", '""', '"x"', "[]", "{}",
    '"\\u0000\\ud83d\\ude00\\/"', '"😀"', '[1, 2 ,3]', '{"a": {"a": 1, "a": 2}}', '"' + "x" * 200000 + '"', '"\u2028\u2029\ufeff\u200b"',
    '"\\"c\\":1"', "[" * 30 + "]" * 30,
])
async def test_content_is_any_json_value_passed_on_byte_for_byte(world, content):
    alice, bob = await world.users("alice", "bob")
    await alice.send('{"m":{"id":"1","r":"%s","c":%s,"st":1}}' % (bob.name, content))
    await alice.expect(packets.sr("1"))
    assert await bob.recv_text() == '{"m":{"id":"1","s":"%s","r":"%s","t":"t","c":%s,"st":1}}' % (
        alice.name, bob.name, content)


@pytest.mark.parametrize("type", ["t", "p", "v", "a", "l", "x-1", "x-" + "y" * 30, "x-ä€"])
async def test_known_types_and_those_of_the_application_are_passed_on(world, type):
    user = await world.user("alice")
    await user.post(user, "c", "1", t=type, p=0, sc=0)
    await user.expect(packets.message("1", user.name, user.name, "c", t=type, p="0", sc="0"))


@pytest.mark.parametrize("type", ["", "x", "x-", "X-1", "T", "tt", "text", "x-" + "y" * 31, "x-" + "é" * 16, "g", 1, None, [], True])
async def test_another_type_is_400(world, type):
    user = await world.user("alice")
    await user.post(user, "c", "1", t=type)
    got = await user.recv()
    assert got == packets.error(400, "1") or (got == packets.error(413, "1") and len(str(type)) > 10)
    await user.quiet()


@pytest.mark.parametrize("written, passed_on", [
    ("0", 0), ("1", 1), ("9007199254740991", 2 ** 53 - 1), ('"0"', 0), ('"1790000000000"', 1790000000000),
    ('"9007199254740991"', 2 ** 53 - 1),
])
async def test_the_senders_time_is_passed_on_as_a_number(world, written, passed_on):
    user = await world.user("alice")
    await user.send('{"m":{"id":"1","r":"%s","c":1,"st":%s,"p":0,"sc":0}}' % (user.name, written))
    assert await user.recv_text() == '{"m":{"id":"1","s":"%s","r":"%s","t":"t","c":1,"st":%d,"p":"0","sc":"0"}}' % (
        user.name, user.name, passed_on)


@pytest.mark.parametrize("written", [
    "-1", "-0", "9007199254740992", "1e3", "1.0", "1.5", '""', '"-1"', '"+1"', '"01"', '" 1"', '"1 "', '"x"', '"1.0"', "true",
    "null", "[]", "99999999999999999999999999", '"9007199254740992"', '"18446744073709551617"', '"0x10"',
])
async def test_a_senders_time_that_is_none_is_400(world, written):
    user = await world.user("alice")
    await user.send('{"m":{"id":"1","r":"%s","c":1,"st":%s}}' % (user.name, written))
    await user.expect(packets.error(400, "1"))
    await user.quiet()


async def test_without_the_senders_time_the_servers_is_told(world):
    user = await world.user("alice")
    before = int(time.time() * 1000)
    await user.post(user, "c", "1", p=0, sc=0)
    got = await user.recv()
    assert before - 1 <= got["m"]["st"] <= int(time.time() * 1000) + 1


async def test_the_sender_is_always_the_sessions_user(world):
    alice, bob = await world.users("alice", "bob")
    for n, forged in enumerate((bob.name, "x", "", 1, None, {"a": [1]}, alice.name)):
        await alice.tell(bob, n, f"m{n}", s=forged)
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n))


async def test_one_can_write_to_oneself(world):
    user = await world.user("alice")
    await user.post(user, "note", "m1")
    await user.expect_all(packets.sr("m1"), packets.message("m1", user.name, user.name, "note"))
    await user.post(user, "unused", "x1", p="0", sc="0")
    await user.expect(packets.message("x1", user.name, user.name, "unused", p="0", sc="0"))


async def test_an_unknown_receiver_is_404(world):
    user = await world.user("alice")
    for flags in ({}, {"p": 0}, {"sc": 0}, {"p": 0, "sc": 0, "pc": 0}):
        await user.post(world.fresh("nobody"), "c", "1", **flags)
        await user.expect(packets.error(404, "1"))
    await user.quiet()


@pytest.mark.parametrize("m", [
    {"r": "R"}, {"c": 1}, {}, {"r": None, "c": 1}, {"r": 1, "c": 1}, {"r": "", "c": 1}, {"r": ["R"], "c": 1},
    {"r": "R", "sr": {"id": "x"}}, {"r": "R", "c": 1, "sr": {"id": "x"}}, {"sr": {"id": "x"}},
    {"r": "R", "c": 1, "dm": {"id": "x"}}, {"r": "R", "c": 1, "nm": {"id": "x"}}, {"dm": {"id": "x"}, "nm": {"id": "x"}},
    {"r": "R", "c": None, "dm": {"id": "x"}},
    {"dm": {}}, {"dm": "x"}, {"dm": None}, {"dm": {"id": ""}}, {"dm": {"id": None}}, {"dm": {"id": {}}}, {"nm": []},
    {"nm": {"id": True}}, {"dm": {"id": 1.5}},
])
async def test_a_message_that_is_neither_content_nor_one_receipt_is_400(world, m):
    user = await world.user("alice")
    await user.send({"m": {"id": "1", **{k: user.name if v == "R" else v for k, v in m.items()}}})
    await user.expect(packets.error(400, "1"))
    await user.quiet()


async def test_without_sc_there_is_no_server_receipt(world):
    alice, bob = await world.users("alice", "bob")
    for n, sc in enumerate(("0", 0)):
        await alice.post(bob, "quietly", f"m{n}", sc=sc)
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, "quietly", sc="0"))
    await alice.quiet()


async def test_without_sc_a_refusal_is_told_nevertheless(world):
    user = await world.user("alice")
    await user.post(world.fresh("nobody"), "c", "1", sc=0)
    await user.expect(packets.error(404, "1"))


async def test_a_p_0_message_reaches_whoever_is_online(world):
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "now", "m1", p="0")
    await bob.expect(packets.message("m1", alice.name, bob.name, "now", p="0"))


async def test_a_p_0_message_to_somebody_offline_is_receipted_and_dropped(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    await alice.tell(bob.name, "lost", p="0")
    await alice.tell(bob.name, "kept", "m2")
    bob = await world.login(bob)
    await bob.expect(packets.message("m2", alice.name, bob.name, "kept"))
    await alice.nothing_for(bob)


async def test_p_0_messages_are_not_remembered(world):
    alice, bob = await world.users("alice", "bob")
    for n in range(3):
        await alice.tell(bob, n, "same", p="0")
        await bob.expect(packets.message("same", alice.name, bob.name, n, p="0"))


async def test_a_p_0_message_keeps_its_place_behind_stored_ones(world):
    alice, bob = await world.users("alice", "bob")
    ids = [await alice.post(bob, n, sc="0", **({"p": "0"} if n % 3 == 1 else {})) for n in range(300)]
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, n, sc="0", **({"p": "0"} if n % 3 == 1 else {})))


async def test_a_conversation_of_many_users_arrives_whole_and_in_order(world):
    users = await world.users(*(f"u{n}" for n in range(8)))
    count = 40
    for n in range(count):
        for sender in users:
            for receiver in users:
                if sender is not receiver:
                    await sender.post(receiver, n, f"{sender.name}/{receiver.name}/{n}", sc="0")
    for receiver in users:
        next_of = {sender.name: 0 for sender in users if sender is not receiver}
        for _ in range(count * len(next_of)):
            m = (await receiver.recv())["m"]
            assert m["c"] == next_of[m["s"]] and m["r"] == receiver.name
            next_of[m["s"]] += 1


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 4096, 65535, 65536, 200000])
async def test_messages_of_every_size_are_stored_and_delivered_unchanged(world, size):
    alice, bob = await world.user("alice"), await world.account("bob")
    content = "".join(chr(0x21 + n % 90) for n in range(size))
    await alice.tell(bob.name, content, "m1")
    bob = await world.login(bob)
    await bob.expect(packets.message("m1", alice.name, bob.name, content))
    await alice.tell(bob.name, content, "m2")
    await bob.expect(packets.message("m2", alice.name, bob.name, content))
