"""protocol.md section 12: mailboxes, their limits, and receivers that read slowly."""

import asyncio

import pytest

import lempd
import packets
import wsraw
from client import Closed
from lempd import once


async def test_the_mailbox_comes_right_after_the_login_response_in_order(world):
    alice, carol = await world.users("alice", "carol")
    bob = await world.account("bob")
    want = []
    for n in range(30):
        sender = (alice, carol)[n % 2]
        id = await sender.tell(bob.name, n)
        want.append(packets.message(id, sender.name, bob.name, n))
    bob = await world.login(bob)
    await bob.expect(*want)


async def test_a_mailbox_of_2000_messages_is_delivered_whole(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    ids = [await alice.post(bob.name, n) for n in range(2000)]
    for id in ids:
        await alice.expect(packets.sr(id))
    bob = await world.login(bob)
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, n))


async def test_a_full_mailbox_refuses_with_507_and_takes_more_once_emptied(make_world):
    world = make_world({"limits.mailbox_max_messages": 3})
    alice, account = await world.user("alice"), await world.account("bob")
    for n in range(3):
        await alice.tell(account.name, n, f"m{n}")
    for _ in range(2):
        await alice.post(account.name, "too much", "m3")
        await alice.expect(packets.error(507, "m3"))
    await alice.tell(account.name, "a repeat is receipted", "m1")
    bob = await world.login(account)
    await bob.expect(*(packets.message(f"m{n}", alice.name, bob.name, n) for n in range(3)))
    await bob.dm("m0")
    await bob.nm("m2")
    await alice.tell(bob, "room again", "m3")
    await bob.expect(packets.message("m3", alice.name, bob.name, "room again"))
    await alice.tell(bob, "and the last", "m4")
    await alice.post(bob, "too much", "m5")
    await alice.until(packets.error(507, "m5"))


async def test_messages_shown_but_not_acknowledged_count_too(make_world):
    world = make_world({"limits.mailbox_max_messages": 3})
    alice, bob = await world.users("alice", "bob")
    for n in range(3):
        await alice.tell(bob, n)
        await bob.recv()
    await alice.post(bob, "too much", "m3")
    await alice.expect(packets.error(507, "m3"))


async def test_what_comes_in_one_breath_is_held_to_the_limit(make_world):
    world = make_world({"limits.mailbox_max_messages": 10})
    alice, account = await world.user("alice"), await world.account("bob")
    for n in range(50):
        await alice.post(account.name, n, f"m{n}")
    await alice.expect_all(*(packets.sr(f"m{n}") for n in range(10)),
                           *(packets.error(507, f"m{n}") for n in range(10, 50)))
    bob = await world.login(account)
    await bob.expect(*(packets.message(f"m{n}", alice.name, bob.name, n) for n in range(10)))
    await alice.nothing_for(bob)


async def test_the_bytes_of_a_mailbox_are_limited(make_world):
    world = make_world({"limits.mailbox_max_bytes": "64KiB"})
    alice, account = await world.user("alice"), await world.account("bob")
    taken = 0
    while True:
        await alice.post(account.name, "x" * 10000, f"m{taken}")
        if await alice.recv() == packets.error(507, f"m{taken}"):
            break
        taken += 1
        assert taken < 10
    assert 5 <= taken <= 6
    bob = await world.login(account)
    for n in range(taken):
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, "x" * 10000))
        await bob.dm(f"m{n}")
    await alice.tell(bob, "room again")


async def test_a_full_mailbox_still_takes_p_0_messages_while_its_user_is_there(make_world):
    world = make_world({"limits.mailbox_max_messages": 1})
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "one", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "one"))
    await alice.tell(bob, "not stored", "m2", p="0")
    await bob.expect(packets.message("m2", alice.name, bob.name, "not stored", p="0"))


async def test_receipts_are_stored_even_when_a_mailbox_is_full(make_world):
    world = make_world({"limits.mailbox_max_messages": 2})
    alice, bob = await world.users("alice", "bob")
    for n in range(2):
        await alice.tell(bob, n, f"m{n}")
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n))
    await alice.leave()
    for n in range(2):
        await bob.tell(alice, n, f"b{n}")
    await bob.post(alice, "too much", "b2")
    await bob.expect(packets.error(507, "b2"))
    await bob.dm("m0", "d0")
    await bob.nm("m1", "n1")
    alice = await world.login(alice.account)
    await alice.expect(packets.message("b0", bob.name, alice.name, 0), packets.message("b1", bob.name, alice.name, 1),
                       packets.receipt("d0", bob.name, alice.name, "dm", "m0"),
                       packets.receipt("n1", bob.name, alice.name, "nm", "m1"))


async def test_one_full_mailbox_does_not_hinder_others(make_world):
    world = make_world({"limits.mailbox_max_messages": 1})
    alice = await world.user("alice")
    full, other = await world.accounts("full", "other")
    await alice.tell(full.name, 1)
    for n in range(5):
        await alice.post(full.name, n, f"f{n}")
        await alice.expect(packets.error(507, f"f{n}"))
    await alice.tell(other.name, "fine")


# -- slow readers -------------------------------------------------------------------

SMALL_BUFFER = {"limits.max_packet": "64KiB", "limits.send_buffer": "128KiB"}
BIG = "x" * 40000
COUNT = 400  # 16 MB: more than the send buffer and what the kernel may hold for a socket


async def test_a_slow_reader_gets_the_stored_messages_as_it_drains(make_world):
    world = make_world(SMALL_BUFFER)
    alice = await world.user("alice")
    bob = await world.login_raw(await world.account("bob"), receive_buffer=4096)
    ids = [await alice.post(bob, [n, BIG]) for n in range(COUNT)]
    for id in ids:  # all receipted though bob has read nothing
        await alice.expect(packets.sr(id))
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, [n, BIG]))
    await alice.nothing_for(bob)


async def test_a_slow_reader_drops_only_p_0_messages_and_the_server_stays_small(make_world):
    world = make_world(SMALL_BUFFER)
    alice = await world.user("alice")
    bob = await world.login_raw(await world.account("bob"), receive_buffer=4096)
    await alice.quiet()
    before = world.server.rss_kib()
    for n in range(COUNT * 2):
        await alice.post(bob, [n, BIG], f"m{n}", p="0", sc="0", pc="0")
    await alice.tell(bob, "stored", "last")
    grown = world.server.rss_kib() - before
    assert lempd.sanitized() or grown < 8 * 1024, f"{grown} KiB for {COUNT * 2 * len(BIG) // 1024} KiB not read"
    got = []
    while not got or got[-1] != "last":
        got.append((await bob.recv())["m"]["id"])
    numbers = [int(id[1:]) for id in got[:-1]]
    assert numbers == sorted(set(numbers)) and len(numbers) < COUNT * 2


@once
async def test_a_reader_without_progress_is_closed_and_loses_nothing(make_world):
    world = make_world({**SMALL_BUFFER, "limits.stall_timeout": "500ms"})
    alice = await world.user("alice")
    bob = await world.login_raw(await world.account("bob"), receive_buffer=4096)
    ids = [await alice.tell(bob, [n, BIG]) for n in range(COUNT)]
    while bob.name in world.server.ctl_ok("session", "list"):
        await asyncio.sleep(0.05)
    with pytest.raises(Closed) as end:
        for _ in range(COUNT + 1):
            await bob.recv()
    assert end.value.code in (4003, None)  # 13.13: sent if it can be
    bob = await world.login(bob.account)
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, [n, BIG]))


async def test_a_slow_reader_does_not_hold_up_others(make_world):
    world = make_world(SMALL_BUFFER)
    alice, carol = await world.users("alice", "carol")
    bob = await world.login_raw(await world.account("bob"), receive_buffer=4096)
    for n in range(COUNT):
        await alice.post(bob, BIG, sc="0")
        if n % 20 == 0:
            await alice.tell(carol, n, f"c{n}")
            await carol.expect(packets.message(f"c{n}", alice.name, carol.name, n))


@once
async def test_a_peer_that_pings_and_does_not_read_is_bounded(make_world):
    world = make_world(SMALL_BUFFER)
    alice = await world.login_raw(await world.account("alice"), receive_buffer=4096)
    flood = wsraw.frame(wsraw.PING, b"x" * 125) * 1000
    before = world.server.rss_kib()
    with pytest.raises(asyncio.TimeoutError):
        for _ in range(400):  # 52 MB; the server stops reading long before
            await asyncio.wait_for(alice.raw.send(flood), 1)
    assert lempd.sanitized() or world.server.rss_kib() - before < 8 * 1024
    await world.user("bob")
