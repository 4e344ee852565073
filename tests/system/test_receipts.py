"""protocol.md sections 12, 13.5-13.7: dm and nm."""

import pytest

import packets


async def exchange(world, **more):
    """A message of alice that bob has been shown."""
    alice, bob = await world.users("alice", "bob")
    id = await alice.post(bob, "hello", "m1", **more)
    if more.get("sc") != "0":
        await alice.expect(packets.sr(id))
    await bob.expect(packets.message(id, alice.name, bob.name, "hello", **more))
    return alice, bob


@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_a_receipt_reaches_the_sender_exactly_as_the_protocol_shows(world, kind):
    alice, bob = await exchange(world)
    await bob.send('{"m":{"id":"d1","st":1790000000100,"%s":{"id":"m1"}}}' % kind)
    await bob.expect(packets.sr("d1"))
    assert await alice.recv_text() == '{"m":{"id":"d1","s":"%s","r":"%s","st":1790000000100,"%s":{"id":"m1"}}}' % (
        bob.name, alice.name, kind)


async def test_a_receipt_without_a_time_gets_the_servers(world):
    alice, bob = await exchange(world)
    await bob.dm("m1", "d1")
    got = await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))
    assert isinstance(got["m"]["st"], int)


async def test_unknown_members_flags_and_content_of_a_receipt_are_not_passed_on(world):
    alice, bob = await exchange(world)
    await bob.send({"m": {"id": "d1", "s": "forged", "x": 1, "t": "p", "p": "1", "sc": "1", "pc": "1", "st": 5,
                          "dm": {"id": "m1", "y": {"z": 2}}}})
    await bob.expect(packets.sr("d1"))
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1", st=5))


async def test_dm_and_then_nm_both_reach_the_sender(world):
    alice, bob = await exchange(world)
    await bob.dm("m1", "d1")
    await bob.nm("m1", "n1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                       packets.receipt("n1", bob.name, alice.name, "nm", "m1"))


async def test_a_dm_after_an_nm_is_the_first_dm_and_passed_on(world):
    alice, bob = await exchange(world)
    await bob.nm("m1", "n1")
    await bob.dm("m1", "d1")
    await alice.expect(packets.receipt("n1", bob.name, alice.name, "nm", "m1"),
                       packets.receipt("d1", bob.name, alice.name, "dm", "m1"))


@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_a_second_receipt_of_a_kind_is_receipted_and_not_passed_on(world, kind):
    alice, bob = await exchange(world)
    await bob.receipt(kind, "m1", "r1")
    await alice.expect(packets.receipt("r1", bob.name, alice.name, kind, "m1"))
    await bob.receipt(kind, "m1", "r1")
    await bob.receipt(kind, "m1", "r2")
    await bob.nothing_for(alice)


async def test_two_receipts_in_one_breath_are_passed_on_once(world):
    alice, bob = await exchange(world)
    for n in range(5):
        await bob.send({"m": {"id": f"d{n}", "dm": {"id": "m1"}}})
    for n in range(5):
        await bob.expect(packets.sr(f"d{n}"))
    await alice.expect(packets.receipt("d0", bob.name, alice.name, "dm", "m1"))
    await bob.nothing_for(alice)


async def test_a_receipt_may_name_the_sender_who_then_must_match(world):
    alice, bob = await exchange(world)
    carol = await world.user("carol")
    for wrong in (carol.name, bob.name, world.fresh("nobody")):
        await bob.send({"m": {"id": "d0", "r": wrong, "dm": {"id": "m1"}}})
        await bob.expect(packets.error(404, "d0"))
    await bob.dm("m1", "d1", r=alice.name)
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))


@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_a_receipt_for_a_message_one_never_got_is_404(world, kind):
    alice, bob = await exchange(world)
    for id, client in (("unknown", bob), ("m1", alice)):
        await client.send({"m": {"id": "x1", kind: {"id": id}}})
        await client.expect(packets.error(404, "x1"))
    await alice.nothing_for(bob)
    await bob.nothing_for(alice)


async def test_without_sc_a_receipt_gets_no_server_receipt(world):
    alice, bob = await exchange(world)
    await bob.send({"m": {"id": "d1", "sc": "0", "dm": {"id": "m1"}}})
    await bob.send({"m": {"id": "n1", "sc": 0, "nm": {"id": "m1"}}})
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                       packets.receipt("n1", bob.name, alice.name, "nm", "m1"))
    await bob.quiet()


async def test_of_a_message_with_pc_0_nothing_is_passed_on_but_it_is_released(world):
    alice, bob = await exchange(world, pc="0")
    await bob.dm("m1")
    await bob.nm("m1")
    await bob.dm("m1")
    await bob.nothing_for(alice)
    bob = await world.login(bob.account)
    await alice.nothing_for(bob)


async def test_a_released_message_is_not_delivered_again(world):
    for kind in ("dm", "nm"):
        alice, bob = await exchange(world)
        await bob.receipt(kind, "m1")
        bob = await world.login(bob.account)
        await alice.nothing_for(bob)


async def test_after_a_new_login_an_acknowledged_message_can_still_be_noticed(world):
    alice, bob = await exchange(world)
    await bob.dm("m1", "d1")
    await bob.leave()
    bob = await world.login(bob.account)
    await bob.nm("m1", "n1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                       packets.receipt("n1", bob.name, alice.name, "nm", "m1"))
    await bob.dm("m1", "d2")
    await bob.nothing_for(alice)


async def test_receipts_are_stored_for_a_sender_who_is_offline(world):
    alice, bob = await exchange(world)
    await alice.leave()
    await bob.dm("m1", "d1")
    await bob.nm("m1", "n1")
    for _ in range(2):  # nothing but a pong acknowledges them
        alice = await world.login(alice.account)
        await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                           packets.receipt("n1", bob.name, alice.name, "nm", "m1"))
        await bob.nothing_for(alice)


async def test_a_receipt_is_never_acknowledged_by_another(world):
    alice, bob = await exchange(world)
    await bob.dm("m1", "d1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))
    await alice.send({"m": {"id": "x1", "dm": {"id": "d1"}}})
    await alice.expect(packets.error(404, "x1"))
    await alice.nothing_for(bob)


async def test_two_senders_of_the_same_id_are_told_apart(world):
    alice, carol, bob = await world.users("alice", "carol", "bob")
    await alice.tell(bob, "of alice", "same")
    await bob.expect(packets.message("same", alice.name, bob.name, "of alice"))
    await carol.tell(bob, "of carol", "same")
    await bob.expect(packets.message("same", carol.name, bob.name, "of carol"))
    await bob.dm("same", "d1", r=carol.name)
    await carol.expect(packets.receipt("d1", bob.name, carol.name, "dm", "same"))
    await bob.nothing_for(alice)
    await bob.dm("same", "d2")
    await alice.expect(packets.receipt("d2", bob.name, alice.name, "dm", "same"))


async def test_without_a_name_the_oldest_message_of_the_id_is_acknowledged(world):
    alice, carol, bob = await world.users("alice", "carol", "bob")
    await alice.tell(bob, "first", "same")
    await carol.tell(bob, "second", "same")
    await bob.expect(packets.message("same", alice.name, bob.name, "first"),
                     packets.message("same", carol.name, bob.name, "second"))
    await bob.dm("same", "d1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "same"))
    await bob.dm("same", "d2")
    await carol.expect(packets.receipt("d2", bob.name, carol.name, "dm", "same"))


async def test_messages_may_be_acknowledged_in_any_order(world):
    alice, bob = await world.users("alice", "bob")
    ids = [await alice.tell(bob, n) for n in range(20)]
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, n))
    for id in ids[::-2]:
        dm = await bob.dm(id)
        await alice.expect(packets.receipt(dm, bob.name, alice.name, "dm", id))
    bob = await world.login(bob.account)
    for n, id in enumerate(ids):
        if n % 2 == 0:
            await bob.expect(packets.message(id, alice.name, bob.name, n))
    await alice.nothing_for(bob)


async def test_a_message_to_oneself_can_be_acknowledged(world):
    user = await world.user("alice")
    await user.post(user, "note", "m1")
    await user.expect_all(packets.sr("m1"), packets.message("m1", user.name, user.name, "note"))
    await user.send({"m": {"id": "d1", "dm": {"id": "m1"}}})
    await user.expect_all(packets.sr("d1"), packets.receipt("d1", user.name, user.name, "dm", "m1"))


# -- p 0 (13.5) -------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_a_receipt_for_a_p_0_message_is_passed_on(world, kind):
    alice, bob = await exchange(world, p="0")
    await bob.receipt(kind, "m1", "r1")
    await alice.expect(packets.receipt("r1", bob.name, alice.name, kind, "m1"))


async def test_a_receipt_for_a_p_0_message_is_p_0_itself(world):
    alice, bob = await exchange(world, p="0")
    await alice.leave()
    await bob.dm("m1", "d1")
    alice = await world.login(alice.account)
    await bob.nothing_for(alice)


async def test_a_receipt_for_a_p_0_message_with_pc_0_is_404(world):
    alice, bob = await exchange(world, p="0", pc="0")
    await bob.send({"m": {"id": "d1", "dm": {"id": "m1"}}})
    await bob.expect(packets.error(404, "d1"))
    await bob.nothing_for(alice)


async def test_a_session_remembers_the_last_1024_p_0_messages_it_was_shown(world):
    alice, bob = await world.users("alice", "bob")
    for n in range(1025):
        await alice.post(bob, n, f"m{n}", p="0", sc="0")
        if n % 100 == 50:
            await alice.post(bob, n, f"not remembered {n}", p="0", sc="0", pc="0")
    got = [(await bob.recv())["m"]["id"] for _ in range(1025 + 10)]
    assert got.count("m1024") == 1
    await bob.send({"m": {"id": "d0", "dm": {"id": "m0"}}})
    await bob.expect(packets.error(404, "d0"))
    for id in ("m1", "m1024", "m500"):
        dm = await bob.dm(id)
        await alice.expect(packets.receipt(dm, bob.name, alice.name, "dm", id))


async def test_another_session_does_not_remember_p_0_messages(world):
    alice, bob = await exchange(world, p="0")
    bob = await world.login(bob.account)
    await bob.send({"m": {"id": "d1", "dm": {"id": "m1"}}})
    await bob.expect(packets.error(404, "d1"))
