"""protocol.md section 3: responses and errors."""

import packets
from lempd import Account


async def test_an_error_is_written_as_the_protocol_shows_it(world):
    admin = await world.admin()
    await admin.send({"rq": {"id": "1", "ad": {"c": "del", "i": "zed"}}})
    text = await admin.recv_text()
    assert text.startswith('{"rp":{"id":"1","e":{"c":"404","d":"') and "zed" in text and text.endswith('"}}}')


async def test_names_in_error_sentences_are_escaped(world):
    admin = await world.admin()
    await admin.send({"rq": {"id": "1", "ad": {"c": "del", "i": 'z"\\e"d'}}})
    await admin.expect(packets.error(404, "1"))


async def test_every_request_has_exactly_one_response(world):
    admin = await world.admin()
    for n in range(100):
        await admin.send({"rq": {"id": n, "ad": {"c": "del", "i": f"nobody {n}"}}})
    await admin.expect_all(*(packets.error(404, str(n)) for n in range(100)))
    await admin.quiet()


async def test_packets_of_one_connection_take_effect_in_the_order_sent(world):
    admin = await world.admin()
    name = world.fresh("dave")
    steps = [("cr", {"t": "1"}, {}), ("cr", {"t": "1"}, "409"), ("up", {"ty": "1"}, {}), ("del", {}, {}),
             ("del", {}, "404"), ("cr", {"t": "2"}, {}), ("del", {}, {}), ("up", {"t": "2"}, "404")]
    for n, (c, more, _) in enumerate(steps):
        await admin.send({"rq": {"id": f"s{n}", "ad": {"c": c, "i": name, **more}}})
    for n, (_, _, want) in enumerate(steps):
        got = await admin.response(f"s{n}")
        assert (got if want == {} else got["e"]["c"]) == want, f"step {n}"


async def test_a_response_says_that_every_earlier_packet_was_taken_in(world):
    alice, bob = await world.users("alice", "bob")
    ids = [await alice.post(bob, n) for n in range(200)]
    await alice.send({"srq": {"id": "k", "t": "k"}})
    await alice.until(packets.knock("k"))
    alice.drop()
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, n))


async def test_a_refused_message_gets_rp_with_its_id_and_no_server_receipt(world):
    alice = await world.user("alice")
    await alice.post("nobody at all", "hello?", "m1")
    text = await alice.recv_text()
    assert text.startswith('{"rp":{"id":"m1","e":{"c":"404","d":"')
    await alice.quiet()


async def test_a_refused_message_is_no_part_of_the_order_nor_of_the_ids(world):
    alice = await world.user("alice")
    name = world.fresh("dave")
    await alice.post(name, "too early", "m1")
    await alice.expect(packets.error(404, "m1"))
    admin = await world.admin()
    assert await admin.ad("cr", name, t="t") == {}
    await alice.tell(name, "in time", "m1")
    dave = await world.login(Account(name, "t"))
    await dave.expect(packets.message("m1", alice.name, name, "in time"))


async def test_the_same_request_id_may_be_used_again(world):
    user = await world.user("alice")
    for _ in range(3):
        await user.send({"srq": {"id": "same", "t": "k"}})
    for _ in range(3):
        await user.expect(packets.knock("same"))
