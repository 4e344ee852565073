"""protocol.md sections 9, 12 and 13: messages to groups."""

import asyncio

import pytest

import packets
from client import Closed
from lempd import once, one_thread


async def three(world):
    """A group of alice, who made it, bob and carol, all online."""
    alice, bob, carol = await world.users("alice", "bob", "carol")
    return alice, bob, carol, await world.group(alice, bob, carol)


async def test_every_other_member_receives_a_message_exactly_as_the_protocol_shows(world):
    alice, bob, carol, group = await three(world)
    await alice.send('{"m":{"id":"m1","r":"%s","t":"t","c":"hello","st":1790000000000,"p":"1","sc":"1","pc":"1","x":[1.0]}}'
                     % group)
    await alice.expect(packets.sr("m1"))
    for member in (bob, carol):
        assert await member.recv_text() == (
            '{"m":{"id":"m1","s":"%s","r":"%s","t":"t","c":"hello","st":1790000000000,"p":"1","sc":"1","pc":"1","x":[1.0]}}'
            % (alice.name, group))
    await bob.nothing_for(alice)


async def test_one_who_is_no_member_any_more_or_yet_is_refused_with_403(world):
    alice, bob, carol, group = await three(world)
    stranger = await world.user("stranger")
    await bob.done(g={"t": "l", "i": group})
    await alice.done(g={"t": "b", "i": group, "m": [carol.name]})
    await carol.until(packets.info("b", group, m=carol.name))
    carol.kept.clear()
    for client in (stranger, bob, carol):
        for more in ({}, {"p": "0"}, {"sc": "0"}):
            await client.post(group, "hello", "m1", **more)
            await client.expect(packets.error(403, "m1"))
    await alice.tell(group, "alone", "m2")
    await alice.done(g={"t": "a", "i": group, "m": [stranger.name]})
    await stranger.expect(packets.info("a", group, m=[stranger.name]))
    await stranger.tell(group, "in", "m1")
    await alice.until(packets.message("m1", stranger.name, group, "in"))


async def test_a_message_to_a_group_of_one_is_receipted(world):
    alice = await world.user("alice")
    group = await world.group(alice)
    for _ in range(2):
        await alice.tell(group, "to nobody", "m1")
    await alice.tell(group, "to nobody", p="0")
    await alice.quiet()


@once
async def test_all_members_see_the_messages_of_all_in_one_order(world):
    senders = await world.users(*(f"u{n}" for n in range(6)))
    witness = await world.user("witness")
    group = await world.group(senders[0], *senders[1:], witness)
    count = 40
    for n in range(count):
        for sender in senders:
            await sender.post(group, n, f"{n}", sc="0")

    async def heard(member, total):
        return [(m["s"], m["c"]) for m in [(await member.recv())["m"] for _ in range(total)]]

    order = await heard(witness, count * len(senders))
    for sender in senders:
        assert [n for s, n in order if s == sender.name] == list(range(count))
        assert await heard(sender, count * (len(senders) - 1)) == [entry for entry in order if entry[0] != sender.name]


async def test_those_offline_get_it_later_in_the_same_order(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    want = []
    for n in range(20):
        sender = (alice, bob)[n % 3 == 1]
        await sender.tell(group, n, f"m{n}")
        want.append(packets.message(f"m{n}", sender.name, group, n))
    for _ in range(2):
        carol = await world.login(account)
        await carol.expect(packets.info("c", group, n="a group"), *want)
    await alice.mark(group, carol)


# -- once -------------------------------------------------------------------------------

async def test_a_repeat_is_receipted_and_delivered_to_nobody_again(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    await alice.tell(group, "once", "m1")
    await bob.expect(packets.message("m1", alice.name, group, "once"))
    await alice.tell(group, "twice", "m1")
    await bob.dm("m1")
    await alice.until(packets.receipt(packets.ANY, bob.name, alice.name, "dm", "m1"))
    await alice.tell(group, "thrice", "m1")
    await alice.tell(group, "p 0", "m1", p="0")
    await alice.mark(group, bob)
    carol = await world.login(account)
    await carol.expect(packets.info("c", group, n="a group"), packets.message("m1", alice.name, group, "once"),
                       packets.message(packets.ANY, alice.name, group, "mark"))


async def test_a_repeat_is_not_delivered_to_a_member_who_joined_since(world):
    alice, bob, carol, group = await three(world)
    dave = await world.user("dave")
    await alice.tell(group, "before dave", "m1")
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    await dave.expect(packets.info("a", group, m=[dave.name]))
    await alice.tell(group, "before dave", "m1")
    await alice.mark(group, dave)


async def test_the_same_id_of_another_sender_or_to_another_group_or_user_is_another_message(world):
    alice, bob, carol, group = await three(world)
    other = await world.group(alice, bob)
    for sender, r, hears in ((alice, group, [bob, carol]), (bob, group, [alice, carol]), (alice, other, [bob]),
                             (alice, bob.name, [bob])):
        await sender.tell(r, r, "m1")
        for member in hears:
            await member.expect(packets.message("m1", sender.name, r, r))


async def test_a_message_that_was_refused_can_be_sent_again_under_its_id(world):
    alice, bob, carol, group = await three(world)
    dave = await world.user("dave")
    await dave.post(group, "too early", "m1")
    await dave.expect(packets.error(403, "m1"))
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    await dave.expect(packets.info("a", group, m=[dave.name]))
    await dave.tell(group, "in time", "m1")
    for member in (alice, bob, carol):
        await member.until(packets.message("m1", dave.name, group, "in time"))


# -- receipts ---------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_each_members_receipt_goes_to_the_sender_and_no_further(world, kind):
    alice, bob, carol, group = await three(world)
    await alice.tell(group, "hello", "m1")
    for member in (bob, carol):
        await member.expect(packets.message("m1", alice.name, group, "hello"))
        await member.send('{"m":{"id":"d1","st":5,"%s":{"id":"m1"}}}' % kind)
        await member.expect(packets.sr("d1"))
        assert await alice.recv_text() == '{"m":{"id":"d1","s":"%s","r":"%s","st":5,"%s":{"id":"m1"}}}' % (
            member.name, alice.name, kind)
    await carol.receipt(kind, "m1")  # again: receipted and not passed on
    await alice.mark(group, bob, carol)
    await alice.quiet()


async def test_dm_and_then_nm_and_both_also_from_one_who_was_offline(world):
    alice, account = await world.user("alice"), await world.account("bob")
    group = await world.group(alice, account)
    await alice.tell(group, "hello", "m1")
    bob = await world.login(account)
    await bob.until(packets.message("m1", alice.name, group, "hello"))
    await bob.dm("m1", "d1")
    await bob.nm("m1", "n1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"),
                       packets.receipt("n1", bob.name, alice.name, "nm", "m1"))
    bob = await world.login(account)
    await bob.expect(packets.info("c", group, n="a group"))
    await alice.mark(group, bob)


async def test_a_receipt_may_name_the_sender_but_not_the_group_or_another(world):
    alice, bob, carol, group = await three(world)
    await alice.tell(group, "hello", "m1")
    await bob.expect(packets.message("m1", alice.name, group, "hello"))
    for r in (group, carol.name, bob.name):
        await bob.send({"m": {"id": "d0", "r": r, "dm": {"id": "m1"}}})
        await bob.expect(packets.error(404, "d0"))
    await bob.dm("m1", "d1", r=alice.name)
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))


async def test_only_those_to_whom_a_message_was_shown_can_acknowledge_it(world):
    alice, bob, carol, group = await three(world)
    dave = await world.user("dave")
    await alice.tell(group, "hello", "m1")
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    for client in (alice, dave):
        await client.send({"m": {"id": "d1", "dm": {"id": "m1"}}})
        await client.until(packets.error(404, "d1"))


async def test_with_pc_0_receipts_release_and_are_not_passed_on(world):
    alice, bob, carol, group = await three(world)
    await alice.tell(group, "hello", "m1", pc="0")
    await bob.expect(packets.message("m1", alice.name, group, "hello", pc="0"))
    await bob.dm("m1")
    await bob.nothing_for(alice)
    bob = await world.login(bob.account)
    await bob.expect(packets.info("c", group, n="a group"))
    await alice.mark(group, bob)


async def test_a_receipt_of_one_who_left_since_still_reaches_the_sender(world):
    alice, bob, carol, group = await three(world)
    await alice.tell(group, "hello", "m1")
    await bob.expect(packets.message("m1", alice.name, group, "hello"))
    await bob.done(g={"t": "l", "i": group})
    await bob.dm("m1", "d1")
    await alice.until(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))


# -- p 0 --------------------------------------------------------------------------------

async def test_a_p_0_message_reaches_the_members_who_are_online_and_is_not_stored_or_remembered(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    for n in range(3):
        await alice.tell(group, n, "same", p="0")
        await bob.expect(packets.message("same", alice.name, group, n, p="0"))
    carol = await world.login(account)
    await carol.expect(packets.info("c", group, n="a group"))
    await alice.mark(group, bob, carol)


async def test_a_p_0_message_keeps_its_place_behind_stored_ones(world):
    alice, bob, carol, group = await three(world)
    want = []
    for n in range(90):
        more = {"p": "0"} if n % 3 == 1 else {}
        await alice.post(group, n, f"m{n}", sc="0", **more)
        want.append(packets.message(f"m{n}", alice.name, group, n, sc="0", **more))
    for member in (bob, carol):
        await member.expect(*want)


async def test_the_receipt_of_a_p_0_message_is_passed_on(world):
    alice, bob, carol, group = await three(world)
    await alice.tell(group, "hello", "m1", p="0")
    await bob.expect(packets.message("m1", alice.name, group, "hello", p="0"))
    await bob.dm("m1", "d1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))


async def test_without_sc_there_is_no_server_receipt(world):
    alice, bob, carol, group = await three(world)
    for p in ("0", "1"):
        await alice.post(group, "quietly", f"m{p}", sc="0", p=p)
        for member in (bob, carol):
            await member.expect(packets.message(f"m{p}", alice.name, group, "quietly", p=p, sc="0"))
    await alice.quiet()


# -- who is in it when ------------------------------------------------------------------

async def test_what_was_sent_while_one_was_a_member_and_nothing_else_reaches_him(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob)
    await alice.tell(group, "before")
    await alice.done(g={"t": "a", "i": group, "m": [account.name]})
    await alice.tell(group, "during", "m1")
    await alice.done(g={"t": "b", "i": group, "m": [account.name]})
    await alice.tell(group, "after")
    carol = await world.login(account)
    await carol.expect(packets.info("a", group, m=[account.name]), packets.message("m1", alice.name, group, "during"),
                       packets.info("b", group, m=account.name))
    await alice.nothing_for(carol)
    await carol.dm("m1", "d1")
    await alice.until(packets.receipt("d1", carol.name, alice.name, "dm", "m1"))


async def test_what_was_sent_before_a_group_ended_is_still_delivered(world):
    alice, account = await world.user("alice"), await world.account("bob")
    group = await world.group(alice, account)
    await alice.tell(group, "last words", "m1")
    await alice.done(g={"t": "t", "i": group})
    bob = await world.login(account)
    await bob.expect(packets.info("c", group, n="a group"), packets.message("m1", alice.name, group, "last words"),
                     packets.info("t", group))


async def test_several_sessions_of_a_member_all_get_it_and_those_of_the_sender_do_not(make_world):
    world = make_world({"limits.max_sessions": 2})
    alice, bob = await world.users("alice", "bob")
    other_alice, other_bob = await world.login(alice.account), await world.login(bob.account)
    group = await world.group(alice, bob)
    await other_bob.expect(packets.info("c", group, n="a group"))
    await alice.mark(group, bob, other_bob)
    await bob.nothing_for(other_alice)


# -- full mailboxes ---------------------------------------------------------------------

async def fill(sender, receiver):
    """Sends to him till his mailbox is full; returns what it holds of these."""
    ids = []
    while True:
        id = await sender.post(receiver, "fills")
        answer = await sender.recv()
        if answer == packets.error(507, id):
            return ids
        assert answer == packets.sr(id)
        ids.append(id)


FULL = {"limits.mailbox_max_messages": 3}


async def missed(sender, group, count, witness):
    """Messages to a group that a witness has got, and so all who share his home."""
    for n in range(count):
        id = await sender.tell(group, n, pc="0")
        await witness.until(packets.message(id, sender.name, group, n, pc="0"))
        await witness.dm(id)


@one_thread
async def test_a_full_mailbox_costs_its_owner_the_message_and_he_is_told_first_of_all(make_world):
    world = make_world(FULL)
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    filling = await fill(alice, account)
    await alice.tell(group, "missed", "m1")
    await missed(alice, group, 1, bob)
    carol = await world.login(account)
    await carol.expect(packets.info("gap", group, c="2"))
    assert carol.text.endswith(',"g":{"t":"gap","i":"%s","c":"2"}}}' % group)
    await carol.expect(packets.info("c", group, n="a group"),
                       *(packets.message(id, alice.name, carol.name, "fills") for id in filling))
    for id in filling:
        await carol.dm(id)
    await alice.tell(group, "a repeat", "m1")  # is none of his any more
    await alice.mark(group, carol)


@one_thread
async def test_a_gap_counts_for_each_group_and_comes_till_it_is_acknowledged(make_world):
    world = make_world(FULL)
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    one, two = [await world.group(alice, bob, account) for _ in range(2)]
    await fill(alice, account)
    await missed(alice, one, 2, bob)
    await missed(alice, two, 1, bob)
    await missed(alice, one, 1, bob)
    for _ in range(2):
        carol = await world.login(account)
        await carol.expect_all(packets.info("gap", one, c="3"), packets.info("gap", two, c="1"))
        await carol.expect(packets.info("c", one, n="a group"), packets.info("c", two, n="a group"))


@one_thread
async def test_a_gap_is_released_by_the_pong_and_counts_anew(make_world):
    world = make_world({**FULL, "delivery.ack_ping_delay": "100ms"})
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    await fill(alice, account)
    for count in (2, 1):
        await missed(alice, group, count, bob)
        carol = await world.login_raw(account)
        await carol.expect(packets.info("gap", group, c=str(count)))
        await carol.pong(await carol.ping_payload())
        await carol.knock()
        carol.drop()
        while not await fill(alice, account):
            pass  # till what the pong acknowledged has made room
    carol = await world.login_raw(account)
    assert "m" in await carol.recv()


@one_thread
async def test_one_online_who_does_not_acknowledge_is_told_of_his_gap_at_the_next_login(make_world):
    world = make_world(FULL)
    alice, bob, carol = await world.users("alice", "bob", "carol")
    group = await world.group(alice, bob, carol)
    filling = await fill(alice, carol)
    await missed(alice, group, 3, bob)
    await carol.expect(*(packets.message(id, alice.name, carol.name, "fills") for id in filling))
    await carol.dm(filling[0])
    await alice.mark(group, carol)
    carol = await world.login(carol.account)
    await carol.expect(packets.info("gap", group, c="3"), packets.info("c", group, n="a group"))


@one_thread
async def test_p_0_messages_leave_no_gap(make_world):
    world = make_world({"limits.mailbox_max_messages": 1})
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    await alice.tell(group, "now or never", "m1", p="0")
    await bob.expect(packets.message("m1", alice.name, group, "now or never", p="0"))
    carol = await world.login(account)
    await carol.expect(packets.info("c", group, n="a group"))
    await alice.nothing_for(carol)


async def test_information_is_stored_even_when_a_mailbox_is_full(make_world):
    world = make_world({"limits.mailbox_max_messages": 1})
    alice, account = await world.user("alice"), await world.account("bob")
    group = await world.group(alice, account)
    for name in ("one", "two"):
        await alice.done(n={"t": "s", "i": group, "n": name})
    bob = await world.login(account)
    await bob.expect(packets.info("c", group, n="a group"), packets.info("n", group, n="one"), packets.info("n", group, n="two"))


# -- many -------------------------------------------------------------------------------

@once
async def test_a_group_of_10000_members_works(make_world):
    world = make_world({"log.level": "info"})
    accounts = world.server.import_users([f"m{n:05}" for n in range(9999)])
    alice = await world.user("alice")
    sample = [await world.login(accounts[n]) for n in range(0, 9999, 500)]
    group = world.fresh("group")
    await alice.done(g={"t": "c", "i": group, "n": "all", "m": [account.name for account in accounts]})
    await alice.tell(group, "hello", "m1")
    for member in sample:
        await member.expect(packets.info("c", group, n="all"), packets.message("m1", alice.name, group, "hello"))
    await alice.done(g={"t": "aad", "i": group, "ad": [sample[0].name]})
    await sample[0].tell(group, "back", "m2")
    await alice.expect(packets.message("m2", sample[0].name, group, "back"))
    for member in sample[1:]:
        await member.expect(packets.info("aad", group, m=[sample[0].name]),
                            packets.message("m2", sample[0].name, group, "back"))
        await member.dm("m1", "d1")
        await alice.expect(packets.receipt("d1", member.name, alice.name, "dm", "m1"))
    for account in accounts[1::2500]:  # was offline
        member = await world.login(account)
        await member.expect(packets.info("c", group, n="all"), packets.message("m1", alice.name, group, "hello"),
                            packets.info("aad", group, m=[sample[0].name]),
                            packets.message("m2", sample[0].name, group, "back"))
    members, admins = await alice.members(group)
    assert members == ["alice." + alice.name.split(".")[1], *(account.name for account in accounts)]
    assert admins == [alice.name, sample[0].name]


@once
async def test_one_member_who_reads_slowly_does_not_hold_up_the_others(make_world):
    world = make_world({"limits.max_packet": "64KiB", "limits.send_buffer": "128KiB"})
    alice, bob = await world.users("alice", "bob")
    slow = await world.login_raw(await world.account("slow"), receive_buffer=4096)
    group = await world.group(alice, bob, slow.account)
    big = "x" * 40000
    for n in range(200):
        await alice.tell(group, [n, big], f"m{n}")
        await bob.expect(packets.message(f"m{n}", alice.name, group, [n, big]))
    await slow.expect(packets.info("c", group, n="a group"))
    for n in range(200):
        await slow.expect(packets.message(f"m{n}", alice.name, group, [n, big]))


# -- crashes ----------------------------------------------------------------------------

@pytest.mark.durable
async def test_what_was_receipted_reaches_every_member_after_a_crash(make_world):
    world = make_world()
    alice, (bob, carol) = await world.user("alice"), await world.accounts("bob", "carol")
    group = await world.group(alice, bob, carol)
    sent = 0
    for _ in range(3):
        for _ in range(7):
            await alice.tell(group, sent, f"m{sent}")
            sent += 1
        world.server.kill()
        await world.restarted()
        alice = await world.login(alice.account)
        await alice.tell(group, "again", f"m{sent - 1}")
    for account in (bob, carol):
        member = await world.login(account)
        await member.expect(packets.info("c", group, n="a group"),
                            *(packets.message(f"m{n}", alice.name, group, n) for n in range(sent)))
        await alice.nothing_for(member)


@pytest.mark.durable
@once
async def test_messages_that_got_no_receipt_reach_all_members_or_none_and_may_be_sent_again(make_world):
    world = make_world()
    alice, accounts = await world.user("alice"), await world.accounts(*(f"m{n}" for n in range(6)))
    group = await world.group(alice, *accounts)
    for n in range(150):
        await alice.post(group, [n, "x" * 500], f"m{n}")
    await alice.expect(packets.sr("m0"))
    world.server.kill()
    receipted = {"m0"}
    try:
        while True:
            receipted.add((await alice.recv())["m"]["sr"]["id"])
    except Closed:
        pass
    world.server.settings["server.threads"] = 1  # fan-outs under way go on with other homes
    await world.restarted()
    alice = await world.login(alice.account)
    first = await world.login(accounts[0])
    seen = set()
    await first.until(packets.info("c", group, n="a group"))
    await alice.tell(group, "after", "after")
    while (packet := await first.recv())["m"]["id"] != "after":
        seen.add(packet["m"]["id"])
    assert receipted <= seen
    for account in accounts[1:]:
        member = await world.login(account)
        await member.until(packets.info("c", group, n="a group"))
        got = []
        while (packet := await member.recv())["m"]["id"] != "after":
            got.append(packet["m"]["id"])
        assert set(got) == seen and len(got) == len(seen)
    for n in range(150):
        await alice.post(group, [n, "x" * 500], f"m{n}")
        await alice.until(packets.sr(f"m{n}"))
        if f"m{n}" not in seen:
            await first.expect(packets.message(f"m{n}", alice.name, group, [n, "x" * 500]))
    await alice.mark(group, first)
