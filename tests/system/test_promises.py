"""protocol.md section 12, the promises: until acknowledged, once, in order, no silent drop."""

import pytest

import packets
import wsraw

PINGS = {"delivery.ack_ping_delay": "100ms"}


async def sent(world, count=3, **more):
    """Messages of alice to bob, who is not there."""
    alice, bob = await world.user("alice"), await world.account("bob")
    ids = [await alice.tell(bob.name, n, **more) for n in range(count)]
    return alice, bob, ids


def arrived(alice, bob, ids):
    return [packets.message(id, alice.name, bob.name, n) for n, id in enumerate(ids)]


# -- promise 2: until acknowledged --------------------------------------------------

async def test_what_is_unacknowledged_when_a_session_ends_is_delivered_again(world):
    alice, account, ids = await sent(world)
    for end in ("leave", "drop", "leave"):
        bob = await world.login(account)
        await bob.expect(*arrived(alice, bob, ids))
        if end == "leave":
            await bob.leave()
        else:
            bob.drop()
    bob = await world.login(account)
    await bob.expect(*arrived(alice, bob, ids))
    await alice.nothing_for(bob)


async def test_the_logout_does_not_acknowledge(world):
    alice, account, ids = await sent(world)
    bob = await world.login(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.send({"rq": {"id": "1", "lo": {"r": "bye"}}})
    assert await bob.closed() == 1000
    bob = await world.login(account)
    await bob.expect(*arrived(alice, bob, ids))


async def test_within_a_session_nothing_is_seen_twice(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world)
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.ping_payload()
    await alice.nothing_for(bob)


async def test_the_pong_to_a_ping_behind_messages_acknowledges_them(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world)
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.pong(await bob.ping_payload())
    await bob.knock()
    bob.drop()
    bob = await world.login(account)
    await alice.nothing_for(bob)


async def test_a_client_that_only_answers_pings_loses_nothing_and_sees_nothing_twice(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world, 10)
    seen = []
    for _ in range(3):
        bob = await world.login_raw(account)
        await alice.tell(account.name, len(ids), f"live {len(ids)}")
        ids.append(f"live {len(ids)}")
        while len(seen) < len(ids):
            seen.append((await bob.recv())["m"]["id"])
        await bob.pong(await bob.ping_payload())
        await bob.knock()
        bob.drop()
    assert seen == ids


async def test_only_what_stood_before_the_ping_is_acknowledged(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world)
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    payload = await bob.ping_payload()
    late = await alice.tell(bob, "behind the ping")
    await bob.expect(packets.message(late, alice.name, bob.name, "behind the ping"))
    await bob.pong(payload)
    await bob.knock()
    bob.drop()
    bob = await world.login(account)
    await bob.expect(packets.message(late, alice.name, bob.name, "behind the ping"))
    await alice.nothing_for(bob)


@pytest.mark.parametrize("payload", [b"", b"x", b"\0" * 8, b"\xff" * 125])
async def test_other_pongs_mean_nothing(make_world, payload):
    world = make_world(PINGS)
    alice, account, ids = await sent(world)
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.ping_payload()
    await bob.pong(payload)
    await bob.knock()
    bob.drop()
    bob = await world.login(account)
    await bob.expect(*arrived(alice, bob, ids))


async def test_the_pong_of_an_earlier_session_means_nothing(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world)
    bob = await world.login_raw(account)
    payload = await bob.ping_payload()
    bob.drop()
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.pong(payload)
    second = await bob.ping_payload()
    await bob.knock()
    bob.drop()
    if second != payload:
        bob = await world.login(account)
        await bob.expect(*arrived(alice, bob, ids))


async def test_there_is_no_ping_when_all_is_acknowledged_by_dm(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world)
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    for id in ids:
        await bob.dm(id)
    bob.pings.clear()
    # carol is shown a message after all of that was acknowledged; by the time she is pinged
    # for it, bob would have been pinged long since
    carol = await world.login_raw(await world.account("carol"))
    await alice.tell(carol, "hello")
    await carol.ping_payload()
    await bob.quiet()
    assert not bob.pings


async def test_a_message_acknowledged_by_pong_can_be_dmed_and_noticed_later(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world, 1)
    bob = await world.login_raw(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.pong(await bob.ping_payload())
    await bob.knock()
    bob.drop()
    bob = await world.login(account)
    await bob.dm(ids[0], "d1")
    await bob.nm(ids[0], "n1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", ids[0]),
                       packets.receipt("n1", bob.name, alice.name, "nm", ids[0]))


async def test_the_pong_releases_receipts(make_world):
    world = make_world(PINGS)
    alice, account, ids = await sent(world, 1)
    await alice.leave()
    bob = await world.login(account)
    await bob.expect(*arrived(alice, bob, ids))
    await bob.dm(ids[0], "d1")
    again = await world.login_raw(alice.account)
    await again.expect(packets.receipt("d1", bob.name, alice.name, "dm", ids[0]))
    await again.pong(await again.ping_payload())
    await again.knock()
    again.drop()
    alice = await world.login(alice.account)
    await bob.nothing_for(alice)


# -- promise 3: once -----------------------------------------------------------------

async def test_each_sending_of_an_id_gets_its_receipt_and_one_is_delivered(world):
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "first", "m1")
    await alice.tell(bob, "second", "m1")
    await alice.tell(bob, "third", "m1", t="p", sc="1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "first"))
    await alice.nothing_for(bob)


async def test_repeats_in_one_breath_are_delivered_once(world):
    alice, bob = await world.users("alice", "bob")
    for n in range(20):
        await alice.post(bob, n, "m1")
    for _ in range(20):
        await alice.expect(packets.sr("m1"))
    await bob.expect(packets.message("m1", alice.name, bob.name, 0))
    await alice.nothing_for(bob)


async def test_a_repeat_to_somebody_offline_does_not_replace_what_is_stored(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    await alice.tell(bob.name, "first", "m1")
    await alice.tell(bob.name, "second", "m1")
    bob = await world.login(bob)
    await bob.expect(packets.message("m1", alice.name, bob.name, "first"))
    await alice.nothing_for(bob)


@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_a_repeat_after_the_release_is_receipted_and_not_delivered(world, kind):
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "first", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "first"))
    await bob.receipt(kind, "m1", "r1")
    await alice.expect(packets.receipt("r1", bob.name, alice.name, kind, "m1"))
    await alice.tell(bob, "again", "m1")
    await alice.nothing_for(bob)
    bob = await world.login(bob.account)
    await alice.nothing_for(bob)


async def test_a_repeat_from_another_session_of_the_sender_is_one(world):
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "first", "m1")
    alice = await world.login(alice.account)
    await alice.tell(bob, "again", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "first"))
    await alice.nothing_for(bob)


async def test_the_same_id_to_another_receiver_is_another_message(world):
    alice, bob, carol = await world.users("alice", "bob", "carol")
    for receiver in (bob, carol, bob, carol):
        await alice.tell(receiver, receiver.name, "m1")
    for receiver in (bob, carol):
        await receiver.expect(packets.message("m1", alice.name, receiver.name, receiver.name))
        await alice.nothing_for(receiver)


async def test_the_same_id_of_another_sender_is_another_message(world):
    alice, carol, bob = await world.users("alice", "carol", "bob")
    for sender in (alice, carol):
        await sender.tell(bob, sender.name, "m1")
        await bob.expect(packets.message("m1", sender.name, bob.name, sender.name))


async def test_an_id_first_sent_with_p_1_and_again_with_p_0_is_a_repeat(world):
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "first", "m1")
    await alice.tell(bob, "again", "m1", p="0")
    await bob.expect(packets.message("m1", alice.name, bob.name, "first"))
    await alice.nothing_for(bob)


async def test_an_id_first_sent_with_p_0_and_again_with_p_1_is_delivered_twice(world):
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "first", "m1", p="0")
    await alice.tell(bob, "again", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "first", p="0"),
                     packets.message("m1", alice.name, bob.name, "again"))


async def test_an_integer_id_and_its_text_are_the_same_id(world):
    alice, bob = await world.users("alice", "bob")
    await alice.send('{"m":{"id":17,"r":"%s","c":"first"}}' % bob.name)
    await alice.expect(packets.sr("17"))
    await alice.tell(bob, "again", "17")
    await bob.expect(packets.message("17", alice.name, bob.name, "first"))
    await alice.nothing_for(bob)


# -- promise 4: in order ---------------------------------------------------------------

async def test_stored_messages_come_before_live_ones_and_in_the_order_sent(world):
    alice, account, ids = await sent(world, 100)
    bob = await world.connect()
    await bob.send({"rq": {"id": "1", "a": {"i": account.name, "t": account.token}}})
    ids += [await alice.post(account.name, n) for n in range(100, 200)]
    await bob.expect(packets.login_answer("1", 1))
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, account.name, n))


async def test_messages_and_receipts_of_one_sender_keep_their_order(world):
    alice, bob = await world.users("alice", "bob")
    for n in range(50):
        await alice.post(bob, n, f"m{n}", sc="0")
    for n in range(50):
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n, sc="0"))
    for n in range(50):  # answers and receipts, mixed
        await bob.send({"m": {"id": f"d{n}", "sc": "0", "dm": {"id": f"m{n}"}}})
        await bob.post(alice, n, f"a{n}", sc="0")
        await bob.send({"m": {"id": f"n{n}", "sc": "0", "nm": {"id": f"m{n}"}}})
    for n in range(50):
        await alice.expect(packets.receipt(f"d{n}", bob.name, alice.name, "dm", f"m{n}"),
                           packets.message(f"a{n}", bob.name, alice.name, n, sc="0"),
                           packets.receipt(f"n{n}", bob.name, alice.name, "nm", f"m{n}"))


async def test_the_order_holds_over_the_receivers_sessions(world):
    alice, account = await world.user("alice"), await world.account("bob")
    ids, seen = [], []
    for round_ in range(10):
        ids += [await alice.post(account.name, n, sc="0") for n in range(20)]
        bob = await world.login(account)
        for _ in range(7):
            m = (await bob.recv())["m"]
            if m["id"] not in seen:
                seen.append(m["id"])
            await bob.send({"m": {"id": f"d{m['id']}", "sc": "0", "dm": {"id": m["id"]}}})
        await bob.knock()
        bob.drop() if round_ % 2 else await bob.leave()
    bob = await world.login(account)
    while len(seen) < len(ids):
        id = (await bob.recv())["m"]["id"]
        if id not in seen:
            seen.append(id)
    assert seen == ids


async def test_server_receipts_come_in_the_order_sent_for_one_receiver(world):
    alice, bob = await world.users("alice", "bob")
    ids = [await alice.post(bob, n) for n in range(500)]
    for id in ids:
        await alice.expect(packets.sr(id))


# -- promise 5: no silent drop -----------------------------------------------------------

async def test_every_message_is_refused_or_receipted(world):
    alice, bob = await world.users("alice", "bob")
    nobody = world.fresh("nobody")
    left = set()
    for n in range(300):
        wanted = n % 3
        id = await alice.post(nobody if wanted == 1 else bob, n, **({"t": "nonsense"} if wanted == 2 else {}))
        left.add((id, ("", "404", "400")[wanted]))
    for _ in range(300):
        packet = await alice.recv()
        left.remove((packet["m"]["sr"]["id"], "") if "m" in packet
                    else (packet["rp"]["id"], packet["rp"]["e"]["c"]))
    assert not left


async def test_a_connection_that_ends_in_mid_frame_leaves_only_whole_packets_behind(world):
    alice = await world.login_raw(await world.account("alice"))
    bob = await world.user("bob")
    await alice.tell(bob, "whole", "m1")
    half = wsraw.text(packets.write({"m": {"id": "m2", "r": bob.name, "c": "half"}}))[:-1]
    await alice.raw.send(half)
    alice.drop()
    await bob.expect(packets.message("m1", alice.name, bob.name, "whole"))
    again = await world.login(alice.account)
    await again.nothing_for(bob)
