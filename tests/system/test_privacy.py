"""protocol.md sections 8 and 13.11: what blocking somebody means."""

import pytest

import packets
from lempd import once


async def two(world):
    """alice, who blocks mallory; both online."""
    alice, mallory = await world.users("alice", "mallory")
    await alice.done(b={"u": mallory.name})
    return alice, mallory


# -- the list ---------------------------------------------------------------------------

async def test_the_list_is_kept_exactly_as_the_protocol_shows(world):
    alice, mallory = await world.user("alice"), await world.account("mallory")
    for text, answer in (
        ('{"rq":{"id":"12","b":{"u":"M"}}}', '{"rp":{"id":"12"}}'),
        ('{rq:{id:"12",b:{u:"M"}}}', '{"rp":{"id":"12"}}'),
        ('{"rq":{"id":"14","get":{"o":"pr"}}}', '{"rp":{"id":"14","pr":["M"]}}'),
        ('{"rq":{"id":"13","ub":{"u":"M"}}}', '{"rp":{"id":"13"}}'),
        ('{rq:{id:"13",ub:{u:"M"}}}', '{"rp":{"id":"13"}}'),
        ('{"rq":{"id":"14","get":{"o":"pr"}}}', '{"rp":{"id":"14","pr":[]}}'),
    ):
        await alice.send(text.replace('"M"', f'"{mallory.name}"'))
        assert await alice.recv_text() == answer.replace('"M"', f'"{mallory.name}"')


async def test_blocked_users_are_listed_sorted_and_only_to_the_one_who_blocks(world):
    alice = await world.user("alice")
    others = await world.users("c", "a", "b")
    for other in others:
        await alice.done(b={"u": other.name})
    assert await alice.get("pr") == sorted(other.name for other in others)
    assert await others[0].get("pr") == []


@pytest.mark.parametrize("request_", ["b", "ub"])
async def test_an_unknown_user_is_404_and_oneself_400(world, request_):
    alice = await world.user("alice")
    for name in (world.fresh("nobody"), await world.group(alice), await world.broadcast(alice)):
        assert name in await alice.refused(404, **{request_: {"u": name}})
    await alice.refused(400, **{request_: {"u": alice.name}})
    assert await alice.get("pr") == []


@pytest.mark.parametrize("request_", ["b", "ub"])
@pytest.mark.parametrize("body, code", [
    ({}, 400), ([], 400), ("bob", 400), (None, 400), ({"u": 1}, 400), ({"u": None}, 400), ({"u": ""}, 400),
    ({"u": ["bob"]}, 400), ({"u": "x" * 129}, 413), ({"i": "x"}, 400),
])
@once
async def test_a_request_of_another_form_is_refused(world, request_, body, code):
    alice = await world.user("alice")
    await alice.refused(code, **{request_: body})


# -- messages and receipts --------------------------------------------------------------

@pytest.mark.parametrize("more", [{}, {"p": "0"}, {"pc": "0"}])
async def test_messages_of_one_who_is_blocked_are_receipted_and_vanish(world, more):
    alice, mallory = await two(world)
    for n in range(3):
        await mallory.tell(alice, "hello?", **more)
    await alice.nothing_for(alice)
    await alice.log_out()
    await mallory.tell(alice, "still there?", **more)
    alice = await world.login(alice.account)
    await alice.nothing_for(alice)


async def test_the_one_who_blocks_can_still_write_and_gets_no_receipts_for_it(world):
    alice, mallory = await two(world)
    await alice.tell(mallory, "last word", "m1")
    await mallory.expect(packets.message("m1", alice.name, mallory.name, "last word"))
    await mallory.dm("m1")
    await mallory.nm("m1")
    await alice.nothing_for(alice)
    await alice.done(ub={"u": mallory.name})
    await mallory.tell(alice, "so long", "m2")
    await alice.expect(packets.message("m2", mallory.name, alice.name, "so long"))


async def test_a_receipt_that_vanishes_releases_its_message(world):
    alice, mallory = await two(world)
    await alice.tell(mallory, "hello", "m1")
    await mallory.expect(packets.message("m1", alice.name, mallory.name, "hello"))
    await mallory.dm("m1")
    mallory = await world.login(mallory.account)
    await alice.nothing_for(mallory)


async def test_what_was_sent_during_the_block_does_not_come_after_it_nor_when_sent_again(world):
    alice, mallory = await two(world)
    await mallory.tell(alice, "lost", "m1")
    await alice.done(ub={"u": mallory.name})
    await mallory.tell(alice, "lost", "m1")
    await mallory.tell(alice, "hello", "m2")
    await alice.expect(packets.message("m2", mallory.name, alice.name, "hello"))


async def test_messages_before_the_block_and_after_it_come(world):
    alice, mallory = await world.users("alice", "mallory")
    await mallory.tell(alice, 1, "m1")
    await alice.expect(packets.message("m1", mallory.name, alice.name, 1))
    await alice.done(b={"u": mallory.name})
    await alice.done(b={"u": mallory.name})
    await mallory.tell(alice, 2, "m2")
    await alice.done(ub={"u": mallory.name})
    await alice.done(ub={"u": mallory.name})
    await mallory.tell(alice, 3, "m3")
    await alice.expect(packets.message("m3", mallory.name, alice.name, 3))


async def test_blocking_is_one_way_and_between_two(world):
    alice, mallory = await two(world)
    bob = await world.user("bob")
    for sender, receiver in ((alice, mallory), (bob, alice), (mallory, bob), (bob, mallory)):
        id = await sender.tell(receiver, "hello")
        await receiver.expect(packets.message(id, sender.name, receiver.name, "hello"))


async def test_two_who_block_each_other_hear_nothing_of_each_other(world):
    alice, mallory = await two(world)
    await mallory.done(b={"u": alice.name})
    await alice.tell(mallory, "x")
    await mallory.tell(alice, "y")
    await alice.nothing_for(alice)
    await mallory.nothing_for(mallory)


async def test_what_was_stored_before_the_block_may_come_or_not_and_the_mailbox_drains(make_world):
    world = make_world({"limits.mailbox_max_messages": 4})
    mallory, bob = await world.users("mallory", "bob")
    account = await world.account("alice")
    for n, sender in enumerate((mallory, bob, mallory, bob)):
        await sender.tell(account.name, n, f"m{n}")
    await bob.post(account.name, "too much", "m4")
    await bob.expect(packets.error(507, "m4"))
    await (await world.login(account)).done(b={"u": mallory.name})  # leaves without acknowledging anything
    alice = await world.login(account)
    for n in (1, 3):
        await alice.until(packets.message(f"m{n}", bob.name, alice.name, n))
    for packet in alice.kept:
        assert packet["m"]["s"] == mallory.name
        await alice.dm(packet["m"]["id"])
    alice.kept.clear()
    await alice.dm("m1")
    await alice.dm("m3")
    alice = await world.login(account)
    await alice.nothing_for(alice)
    for n in range(5, 9):  # there is room for as many as ever
        await bob.tell(alice, n, f"m{n}")
        await alice.expect(packets.message(f"m{n}", bob.name, alice.name, n))


async def test_what_was_stored_before_the_block_is_stuck_at_no_login(world):
    mallory, account = await world.user("mallory"), await world.account("alice")
    for n in range(50):
        await mallory.post(account.name, n, f"m{n}")
    await mallory.knock()
    await (await world.login(account)).done(b={"u": mallory.name})
    bob = await world.user("bob")
    id = await bob.tell(account.name, "hello")
    for _ in range(2):
        alice = await world.login(account)
        await alice.until(packets.message(id, bob.name, alice.name, "hello"))
        alice.kept.clear()
    await alice.dm(id)
    await bob.expect(packets.receipt(packets.ANY, alice.name, bob.name, "dm", id))


async def test_one_who_is_blocked_gets_507_like_anyone(make_world):
    world = make_world({"limits.mailbox_max_messages": 1})
    alice, mallory = await two(world)
    bob = await world.user("bob")
    await mallory.tell(alice, "vanishes", "m1")
    await bob.tell(alice, "fills it", "b1")
    for sender in (bob, mallory):
        await sender.post(alice, "too much", "x1")
        await sender.expect(packets.error(507, "x1"))


# -- what he sees -----------------------------------------------------------------------

async def test_to_one_who_is_blocked_the_other_looks_like_one_never_seen(world):
    alice, mallory = await world.users("alice", "mallory")
    await alice.done(p={"t": "s", "v": "a picture"})
    await alice.done(st={"t": "s", "s": "a status"})
    views = [{"s": {"u": alice.name}}, {"p": {"t": "g", "u": alice.name}}, {"st": {"t": "g", "u": alice.name}}]
    before = [await mallory.rq(**view) for view in views]
    await alice.done(b={"u": mallory.name})
    assert [await mallory.rq(**view) for view in views] == [
        {"s": {"u": alice.name, "v": "-1"}}, {"p": {"u": alice.name, "v": ""}}, {"st": {"u": alice.name, "s": ""}}]
    await alice.done(ub={"u": mallory.name})
    assert [await mallory.rq(**view) for view in views] == before == [
        {"s": {"u": alice.name, "v": "0"}}, {"p": {"u": alice.name, "v": "a picture"}},
        {"st": {"u": alice.name, "s": "a status"}}]


async def test_one_who_is_blocked_can_follow_and_hears_nothing(world):
    alice, mallory = await two(world)
    await mallory.done(af=[{"u": alice.name}])
    assert await alice.get("fr") == [mallory.name]
    await alice.log_out()
    await world.login(alice.account)
    await mallory.nothing_for(mallory)


# -- groups -----------------------------------------------------------------------------

async def test_one_who_is_blocked_cannot_add_the_other_to_a_group(world):
    alice, mallory = await two(world)
    bob = await world.account("bob")
    new, group = world.fresh("group"), await world.group(mallory)
    await mallory.refused(403, g={"t": "c", "i": new, "n": "x", "m": [bob.name, alice.name]})
    await mallory.refused(404, g={"t": "i", "i": new})
    await mallory.refused(403, g={"t": "a", "i": group, "m": [bob.name, alice.name]})
    assert (await mallory.members(group))[0] == [mallory.name]
    await alice.nothing_for(alice)
    await alice.done(ub={"u": mallory.name})
    await mallory.done(g={"t": "a", "i": group, "m": [bob.name, alice.name]})
    await alice.expect(packets.info("a", group, m=[bob.name, alice.name]))


async def test_the_one_who_blocks_can_add_the_other_to_a_group(world):
    alice, mallory = await two(world)
    group = await world.group(alice, mallory)
    assert (await mallory.members(group))[0] == [alice.name, mallory.name]


async def test_somebody_else_can_bring_both_into_one_group(world):
    alice, mallory = await two(world)
    bob = await world.user("bob")
    group = await world.group(bob, alice, mallory)
    assert (await alice.members(group))[0] == [bob.name, alice.name, mallory.name]


async def test_in_a_group_of_both_messages_and_information_arrive_and_receipts_do_not(world):
    alice, mallory = await world.users("alice", "mallory")
    bob = await world.user("bob")
    group = await world.group(mallory, alice, bob)
    await alice.done(b={"u": mallory.name})
    await mallory.tell(group, "for all", "m1")
    for member in (alice, bob):
        await member.expect(packets.message("m1", mallory.name, group, "for all"))
    await mallory.done(n={"t": "s", "i": group, "n": "new"})
    for member in (alice, bob):
        await member.expect(packets.info("n", group, n="new"))
    await alice.tell(group, "back", "a1")
    for member in (mallory, bob):
        await member.expect(packets.message("a1", alice.name, group, "back"))
    await mallory.dm("a1")
    await mallory.nm("a1")
    await bob.dm("a1", "d1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "a1"))
    await alice.dm("m1", "d2")  # the other way they do
    await mallory.expect(packets.receipt("d2", alice.name, mallory.name, "dm", "m1"))


async def test_a_group_message_stored_for_one_who_blocks_its_sender_is_delivered(world):
    alice, mallory = await two(world)
    bob = await world.user("bob")
    group = await world.group(bob, alice, mallory)
    await alice.log_out()
    await mallory.tell(group, "stored", "m1")
    alice = await world.login(alice.account)
    await alice.until(packets.message("m1", mallory.name, group, "stored"))


@once
@pytest.mark.durable
async def test_a_block_outlives_a_crash(make_world):
    world = make_world()
    alice, mallory = await two(world)
    await mallory.tell(alice, "lost", "m1")
    world.server.kill()
    await world.restarted()
    alice, mallory = await world.login(alice.account), await world.login(mallory.account)
    assert await alice.get("pr") == [mallory.name]
    await mallory.tell(alice, "lost, too", "m2")
    await alice.done(ub={"u": mallory.name})
    await mallory.tell(alice, "again", "m1")
    await mallory.tell(alice, "hello", "m3")
    await alice.expect(packets.message("m3", mallory.name, alice.name, "hello"))
