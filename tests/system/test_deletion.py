"""protocol.md sections 11 and 13.12: what goes with a user who is deleted, and what stays."""

import pytest

import packets
from client import names_of
from lempd import Account, once

by_packet_and_by_hand = pytest.mark.parametrize("by", ["ad", "lempctl"])


async def delete(world, user, by="ad"):
    if by == "lempctl":
        world.server.ctl_ok("user", "del", user.name)
    else:
        admin = await world.admin()
        assert await admin.ad("del", user.name) == {}


async def somebody_else(world, user):
    """One who takes the name, logged in."""
    admin = await world.admin()
    assert await admin.ad("cr", user.name, t="another token") == {}
    return await world.login(Account(user.name, "another token"))


@by_packet_and_by_hand
async def test_his_sessions_end_with_4002(make_world, by):
    world = make_world({"limits.max_sessions": 3})
    dave = await world.account("dave")
    sessions = [await world.login(dave) for _ in range(3)]
    await delete(world, dave, by)
    for session in sessions:
        assert await session.closed() == 4002


@by_packet_and_by_hand
async def test_followings_go_both_ways(world, by):
    dave, follower, followed = await world.users("dave", "follower", "followed")
    await dave.done(af=[{"u": followed.name, "n": "F"}])
    await follower.done(af=[{"u": dave.name, "n": "D"}, {"u": followed.name}])
    await delete(world, dave, by)
    await follower.expect(packets.lo(dave.name))
    assert await follower.get("f") == [{"u": followed.name, "n": ""}]
    assert await followed.get("fr") == [follower.name]
    await follower.refused(404, uf=[{"u": dave.name, "n": "x"}])
    dave = await somebody_else(world, dave)
    assert await dave.get("f") == [] == await dave.get("fr")
    await follower.refused(404, uf=[{"u": dave.name, "n": "x"}])
    await dave.nothing_for(follower)  # no li, among others


@by_packet_and_by_hand
async def test_blocks_go_both_ways(world, by):
    dave, blocker, blocked = await world.users("dave", "blocker", "blocked")
    await dave.done(b={"u": blocked.name})
    await blocker.done(b={"u": dave.name})
    await delete(world, dave, by)
    assert await blocker.get("pr") == []
    dave = await somebody_else(world, dave)
    assert await dave.get("pr") == []
    for sender, receiver in ((dave, blocker), (blocked, dave), (blocker, dave)):
        id = await sender.tell(receiver, "hello")
        await receiver.expect(packets.message(id, sender.name, receiver.name, "hello"))
    assert await dave.rq(s={"u": blocker.name}) == {"s": {"u": blocker.name, "v": "0"}}


@by_packet_and_by_hand
async def test_picture_status_and_when_he_was_seen_go(world, by):
    dave, alice = await world.users("dave", "alice")
    await dave.done(p={"t": "s", "v": "a picture"})
    await dave.done(st={"t": "s", "s": "a status"})
    await delete(world, dave, by)
    for body in ({"p": {"t": "g", "u": dave.name}}, {"st": {"t": "g", "u": dave.name}}, {"s": {"u": dave.name}}):
        await alice.refused(404, **body)
    admin = await world.admin()
    assert await admin.ad("cr", dave.name, t="x") == {}
    assert await alice.rq(p={"t": "g", "u": dave.name}) == {"p": {"u": dave.name, "v": ""}}
    assert await alice.rq(st={"t": "g", "u": dave.name}) == {"st": {"u": dave.name, "s": ""}}
    assert await alice.rq(s={"u": dave.name}) == {"s": {"u": dave.name, "v": "-1"}}


@by_packet_and_by_hand
async def test_his_groups_are_told_that_he_left(world, by):
    alice, dave, bob, carol = await world.users("alice", "dave", "bob", "carol")
    plain = await world.group(alice, dave, bob)
    administered = await world.group(dave, bob, carol)
    alone = await world.group(dave)
    await delete(world, dave, by)
    await alice.expect(packets.info("l", plain, m=dave.name))
    await carol.expect(packets.info("l", administered, m=dave.name), packets.info("aad", administered, m=[bob.name]))
    await bob.expect_all(packets.info("l", plain, m=dave.name), packets.info("l", administered, m=dave.name),
                         packets.info("aad", administered, m=[bob.name]))
    assert await alice.members(plain) == (names_of([alice, bob]), [alice.name])
    assert await bob.members(administered) == (names_of([bob, carol]), [bob.name])
    await alice.refused(404, g={"t": "i", "i": alone})
    await alice.done(g={"t": "c", "i": alone, "n": "free again"})
    dave = await somebody_else(world, dave)
    assert await dave.get("g") == []
    for group in (plain, administered):
        await dave.refused(403, g={"t": "i", "i": group})
        id = await dave.post(group, "let me in")
        await dave.expect(packets.error(403, id))
    await alice.mark(plain, bob)
    await bob.mark(administered, carol)
    await alice.nothing_for(dave)


@by_packet_and_by_hand
async def test_broadcasts_of_his_end_and_he_is_taken_off_those_of_others(world, by):
    alice, dave, bob = await world.users("alice", "dave", "bob")
    his, hers = await world.broadcast(dave, bob, alice), await world.broadcast(alice, dave, bob)
    await delete(world, dave, by)
    await alice.refused(404, br={"t": "i", "i": his})
    await alice.done(g={"t": "c", "i": his, "n": "free again"})
    assert (await alice.br("i", hers))["br"]["m"] == [bob.name]
    dave = await somebody_else(world, dave)
    assert await dave.get("br") == []
    await dave.refused(403, br={"t": "i", "i": hers})
    await alice.tell(hers, "without dave", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "without dave"))
    await alice.nothing_for(dave)


@by_packet_and_by_hand
async def test_his_mailbox_goes_with_messages_information_and_receipts(world, by):
    alice, dave = await world.users("alice", "dave")
    group = await world.group(alice, dave)
    await dave.tell(alice, "will be acknowledged", "d1")
    await alice.expect(packets.message("d1", dave.name, alice.name, "will be acknowledged"))
    await dave.log_out()
    await alice.tell(dave.name, "direct")
    await alice.tell(group, "in the group")
    await alice.done(n={"t": "s", "i": group, "n": "new"})
    await alice.dm("d1")
    await delete(world, dave, by)
    await alice.expect(packets.info("l", group, m=dave.name))
    dave = await somebody_else(world, dave)
    await alice.nothing_for(dave)
    id = await alice.tell(dave, "hello")
    await dave.expect(packets.message(id, alice.name, dave.name, "hello"))


@by_packet_and_by_hand
async def test_what_he_sent_before_is_still_delivered_and_its_receipts_vanish(world, by):
    dave, (bob, carol) = await world.user("dave"), await world.accounts("bob", "carol")
    group, broadcast = await world.group(dave, bob, carol), await world.broadcast(dave, bob)
    await dave.tell(bob.name, "to bob", "m1")
    await dave.tell(group, "to the group", "m2")
    await dave.tell(broadcast, "to many", "m3")
    await delete(world, dave, by)
    dave = await somebody_else(world, dave)
    bob = await world.login(bob)
    for want in (packets.message("m1", dave.name, bob.name, "to bob"), packets.message("m2", dave.name, group, "to the group"),
                 packets.message("m3", dave.name, bob.name, "to many"), packets.info("l", group, m=dave.name)):
        await bob.until(want)
    for n in (1, 2, 3):
        await bob.dm(f"m{n}")
        await bob.nm(f"m{n}")
    await bob.nothing_for(dave)
    carol = await world.login(carol)
    await carol.until(packets.message("m2", dave.name, group, "to the group"))


async def test_ids_he_sent_are_forgotten_in_groups_and_by_broadcast_receivers_too(world):
    alice, dave, bob = await world.users("alice", "dave", "bob")
    group = await world.group(alice, dave, bob)
    await dave.tell(group, "old", "m1")
    await dave.tell(bob, "old", "m2")
    for member in (alice, bob):
        await member.expect(packets.message("m1", dave.name, group, "old"))
    await bob.expect(packets.message("m2", dave.name, bob.name, "old"))
    await delete(world, dave)
    for member in (alice, bob):
        await member.expect(packets.info("l", group, m=dave.name))
    dave = await somebody_else(world, dave)
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    for member in (bob, dave):
        await member.expect(packets.info("a", group, m=[dave.name]))
    await dave.tell(group, "new", "m1")
    for member in (alice, bob):
        await member.expect(packets.message("m1", dave.name, group, "new"))
    await dave.tell(bob, "new", "m2")
    await bob.expect(packets.message("m2", dave.name, bob.name, "new"))
    await dave.br("c", broadcast := world.fresh("broadcast"), n="x", m=[bob.name])
    await dave.tell(broadcast, "a repeat", "m2")
    await dave.nothing_for(bob)


async def test_deleting_somebody_unknown_oneself_or_what_is_no_user_changes_nothing(world):
    admin, alice = await world.admin(), await world.user("alice")
    for name in (world.fresh("nobody"), await world.group(alice), await world.broadcast(alice)):
        assert packets.code(await admin.ad("del", name)) == "404"
        assert packets.code(await admin.ad("up", name, t="x")) == "404"
        assert world.server.ctl("user", "del", name).status == 1
    assert packets.code(await admin.ad("del", admin.name)) == "400"
    assert len(await alice.get("g")) == len(await alice.get("br")) == 1


async def test_a_request_that_meets_a_deletion_under_way_is_503_or_as_before_or_after(world):
    """Till one has been seen: an observer asks while users go."""
    admin, alice, observer = await world.admin(), await world.user("alice"), await world.user("observer")
    seen = set()
    for _ in range(40):
        dave = await world.account("dave")
        for _ in range(5):
            await world.group(alice, dave)
        await admin.send({"rq": {"id": "del", "ad": {"c": "del", "i": dave.name}}})
        code = ""
        while code != "404":
            code = packets.code(await observer.rq(rf=[dave.name]))
            assert code in ("", "503", "404")
            seen.add(code)
        assert await admin.response("del") == {}
        await observer.refused(404, rf=[dave.name])
        if "503" in seen:
            break
    assert "503" in seen


@once
async def test_deletions_of_many_who_share_groups_leave_them_consistent(world):
    admin, alice = await world.admin(), await world.user("alice")
    accounts = await world.accounts(*(f"d{n}" for n in range(12)))
    groups = [await world.group(alice, *accounts[n:n + 6]) for n in range(0, 7, 2)]
    for account in accounts:
        await admin.send({"rq": {"id": account.name, "ad": {"c": "del", "i": account.name}}})
    for account in accounts[::2]:  # and by hand at the same time
        world.server.ctl("user", "del", account.name)
    for account in accounts:
        assert packets.code(await admin.response(account.name)) in ("", "404")
    left = [packets.info("l", group, m=account.name) for at, group in enumerate(groups)
            for account in accounts[at * 2:at * 2 + 6]]
    await alice.expect_all(*left)
    for group in groups:
        assert await alice.members(group) == ([alice.name], [alice.name])


@once
@pytest.mark.durable
async def test_all_of_it_outlives_a_crash(make_world):
    world = make_world()
    dave, alice = await world.users("dave", "alice")
    bob = await world.account("bob")
    group, broadcast = await world.group(dave, alice, bob), await world.broadcast(dave, alice)
    await alice.done(af=[{"u": dave.name}])
    await alice.done(b={"u": dave.name})
    await dave.tell(bob.name, "testament", "m1")
    await delete(world, dave)
    world.server.kill()
    await world.restarted()
    alice = await world.login(alice.account)
    await alice.expect(packets.info("c", group, n="a group"), packets.info("l", group, m=dave.name),
                       packets.info("aad", group, m=[alice.name]))
    assert await alice.get("f") == [] == await alice.get("pr")
    assert await alice.members(group) == (names_of([alice, bob]), [alice.name])
    await alice.refused(404, br={"t": "i", "i": broadcast})
    bob = await world.login(bob)
    await bob.until(packets.message("m1", dave.name, bob.name, "testament"))
    dave = await somebody_else(world, dave)
    for o in ("f", "fr", "g", "br", "pr"):
        assert await dave.get(o) == []
