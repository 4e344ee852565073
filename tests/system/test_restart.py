"""What is on durable storage outlives the process (protocol.md section 12, promises 1 to 4)."""

import asyncio

import pytest

import packets
from lempd import Account

pytestmark = pytest.mark.durable

PINGS = {"delivery.ack_ping_delay": "100ms"}


async def crash(world):
    world.server.kill()
    await world.restarted()


async def stop(world):
    stopped = asyncio.get_running_loop().run_in_executor(None, world.server.terminate)
    assert await stopped == 0
    await world.restarted()


both_ways = pytest.mark.parametrize("again", [crash, stop])


@both_ways
async def test_receipted_messages_are_delivered_in_order_after_a_restart(make_world, again):
    world = make_world()
    alice, carol, bob = await world.user("alice"), await world.user("carol"), await world.account("bob")
    want = []
    for n in range(60):
        sender = (alice, carol)[n % 3 == 2]
        await sender.tell(bob.name, [n, "ä€😀" * n], f"m{n}", **({"pc": "1"} if n % 2 else {}), extra={"n": n})
        want.append(packets.message(f"m{n}", sender.name, bob.name, [n, "ä€😀" * n],
                                    **({"pc": "1"} if n % 2 else {}), extra={"n": n}))
    await again(world)
    for _ in range(2):
        bob_now = await world.login(bob)
        for_sender = {alice.name: [], carol.name: []}
        for _ in want:
            packet = await bob_now.recv()
            for_sender[packet["m"]["s"]].append(packet)
        for name, got in for_sender.items():
            assert got == [packet for packet in want if packet["m"]["s"] == name]


@both_ways
async def test_what_was_receipted_before_comes_before_what_is_sent_after(make_world, again):
    world = make_world()
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(3):
        for m in range(5):
            await alice.tell(bob.name, [n, m], f"m{n}.{m}")
        await again(world)
        alice = await world.login(alice.account)
    bob = await world.login(bob)
    for n in range(3):
        for m in range(5):
            await bob.expect(packets.message(f"m{n}.{m}", alice.name, bob.name, [n, m]))
    await alice.nothing_for(bob)


@both_ways
async def test_a_receipted_dm_is_durable_and_so_is_the_release(make_world, again):
    world = make_world()
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "hello", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "hello"))
    await alice.leave()
    await bob.dm("m1", "d1")
    await bob.nm("m1", "n1")
    await again(world)
    alice = await world.login(alice.account)
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                       packets.receipt("n1", bob.name, alice.name, "nm", "m1"))
    bob = await world.login(bob.account)
    await alice.nothing_for(bob)
    await bob.dm("m1", "d2")  # the second one is receipted and not passed on
    await bob.nothing_for(alice)


@both_ways
async def test_a_repeat_after_the_restart_is_receipted_and_not_delivered_again(make_world, again):
    world = make_world()
    alice, bob = await world.users("alice", "bob")
    for id in ("released", "stored"):
        await alice.tell(bob, id, id)
        await bob.expect(packets.message(id, alice.name, bob.name, id))
    await bob.dm("released", "d1")
    await again(world)
    alice = await world.login(alice.account)
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "released"))
    for id in ("released", "stored"):
        await alice.tell(bob, "again", id)
    bob = await world.login(bob.account)
    await bob.expect(packets.message("stored", alice.name, bob.name, "stored"))
    await alice.nothing_for(bob)


@both_ways
async def test_after_the_restart_a_message_can_be_dmed_and_noticed(make_world, again):
    world = make_world()
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "hello", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "hello"))
    await bob.dm("m1", "d1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))
    await again(world)
    bob = await world.login(bob.account)
    await bob.nm("m1", "n1")
    alice = await world.login(alice.account)
    seen = [await alice.recv(), await alice.recv()]
    assert seen == [packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                    packets.receipt("n1", bob.name, alice.name, "nm", "m1")]


async def test_an_acknowledgement_by_pong_is_durable_within_one_second(make_world):
    world = make_world(PINGS)
    alice, account = await world.user("alice"), await world.account("bob")
    for n in range(5):
        await alice.tell(account.name, n, f"m{n}")
    bob = await world.login_raw(account)
    for n in range(5):
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n))
    await bob.pong(await bob.ping_payload())
    await bob.knock()
    await asyncio.sleep(1.2)  # the promise itself is one of time
    await crash(world)
    alice = await world.login(alice.account)
    bob = await world.login(account)
    await alice.nothing_for(bob)


async def test_an_acknowledgement_is_durable_after_sigterm_at_once(make_world):
    world = make_world(PINGS)
    alice, account = await world.user("alice"), await world.account("bob")
    await alice.tell(account.name, "hello", "m1")
    bob = await world.login_raw(account)
    await bob.expect(packets.message("m1", alice.name, bob.name, "hello"))
    await bob.pong(await bob.ping_payload())
    await bob.knock()
    await world.close()  # a client that does not answer the close would only take time
    await stop(world)
    alice = await world.login(alice.account)
    bob = await world.login(account)
    await alice.nothing_for(bob)


@both_ways
async def test_users_and_their_changes_are_durable(make_world, again):
    world = make_world()
    admin = await world.admin()
    for name in ("kept", "deleted", "changed"):
        assert await admin.ad("cr", name, t="old") == {}
    assert await admin.ad("del", "deleted") == {}
    assert await admin.ad("up", "changed", t="new", ty="1") == {}
    await again(world)
    kept = await world.login(Account("kept", "old"))
    changed = await world.login(Account("changed", "new"))
    assert (await kept.ad("del", "changed"))["e"]["c"] == "403"
    assert (await changed.ad("del", "deleted"))["e"]["c"] == "404"
    client = await world.connect()
    await client.login(Account("changed", "old"), accepted=0)
    await client.login(Account("deleted", "old"), accepted=0)


@both_ways
async def test_a_deleted_users_mailbox_stays_deleted(make_world, again):
    world = make_world()
    admin = await world.admin()
    alice = await world.user("alice")
    assert await admin.ad("cr", "dave", t="1") == {}
    await alice.tell("dave", "for the old dave")
    assert await admin.ad("del", "dave") == {}
    await again(world)
    admin = await world.admin()
    assert await admin.ad("cr", "dave", t="2") == {}
    dave = await world.login(Account("dave", "2"))
    alice = await world.login(alice.account)
    await alice.nothing_for(dave)


@both_ways
async def test_a_full_mailbox_is_still_full_after_a_restart(make_world, again):
    world = make_world({"limits.mailbox_max_messages": 3})
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(3):
        await alice.tell(bob.name, n, f"m{n}")
    await again(world)
    alice = await world.login(alice.account)
    await alice.post(bob.name, "too much", "m3")
    await alice.expect(packets.error(507, "m3"))


async def test_a_message_that_got_no_receipt_is_whole_or_absent_and_may_be_sent_again(make_world):
    world = make_world()
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(200):
        await alice.post(bob.name, [n, "x" * 1000], f"m{n}")
    world.server.kill()
    receipted = set()
    try:
        while True:
            receipted.add((await alice.recv())["m"]["sr"]["id"])
    except Exception as end:
        assert hasattr(end, "code"), end
    world.server.start_again()
    alice = await world.login(alice.account)
    for n in range(200):
        if f"m{n}" not in receipted:
            await alice.tell(bob.name, [n, "x" * 1000], f"m{n}")
    bob = await world.login(bob)
    for n in range(200):
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, [n, "x" * 1000]))
    await alice.nothing_for(bob)


@pytest.mark.parametrize("durability", ["fsync", "os"])
async def test_a_kill_in_the_middle_of_work_keeps_what_was_receipted(make_world, durability):
    world = make_world({"delivery.durability": durability})
    alice, bob = await world.user("alice"), await world.account("bob")
    sent = 0
    for _ in range(5):
        for _ in range(37):
            await alice.tell(bob.name, sent, f"m{sent}")
            sent += 1
        await crash(world)
        alice = await world.login(alice.account)
    bob = await world.login(bob)
    for n in range(sent):
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n))


async def test_a_server_started_with_another_number_of_threads_serves_the_same_data(make_world):
    world = make_world()
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(20):
        await alice.tell(bob.name, n, f"m{n}")
    world.server.settings["server.threads"] = 3 - world.server.settings["server.threads"]
    await crash(world)
    alice = await world.login(alice.account)
    await alice.tell(bob.name, "again", "m0")
    bob = await world.login(bob)
    for n in range(20):
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n))
    await alice.nothing_for(bob)
