"""protocol.md sections 6 and 11: who is online, and what followers are told of it."""

import time

import pytest

import packets
from lempd import once


async def follow(user, *followers):
    for follower in followers:
        await follower.done(af=[{"u": user.name}])


async def state_of(client, user):
    answer = await client.rq(s={"u": user.name})
    assert answer["s"]["u"] == user.name
    return answer["s"]["v"]


# -- information to followers -----------------------------------------------------------

async def test_a_follower_is_told_of_login_and_logout_exactly_as_the_protocol_shows(world):
    alice, bob = await world.account("alice"), await world.user("bob")
    await follow(alice, bob)
    client = await world.login(alice)
    await bob.expect(packets.li(alice.name))
    assert bob.text.startswith('{"i":{"id":"') and bob.text.endswith('","li":"%s"}}' % alice.name)
    await client.log_out()
    await bob.expect(packets.lo(alice.name))
    assert bob.text.startswith('{"i":{"id":"') and bob.text.endswith('","lo":"%s"}}' % alice.name)


@pytest.mark.parametrize("end", ["leave", "drop", "log_out"])
async def test_however_a_session_ends_followers_are_told(world, end):
    alice, bob, carol = await world.users("alice", "bob", "carol")
    await follow(alice, bob, carol)
    if end == "drop":
        alice.drop()
    else:
        await getattr(alice, end)()
    for follower in (bob, carol):
        await follower.expect(packets.lo(alice.name))


async def test_each_information_has_an_id_of_its_own(world):
    alice, bob = await world.account("alice"), await world.user("bob")
    await follow(alice, bob)
    ids = []
    for _ in range(3):
        client = await world.login(alice)
        ids.append((await bob.expect(packets.li(alice.name)))["i"]["id"])
        await client.log_out()
        ids.append((await bob.expect(packets.lo(alice.name)))["i"]["id"])
    assert len(set(ids)) == 6 and all(ids)


async def test_one_who_does_not_follow_or_no_longer_is_told_nothing(world):
    alice = await world.account("alice")
    follower, former, stranger, followed = await world.users("follower", "former", "stranger", "followed")
    await follow(alice, follower, former)
    await former.done(rf=[alice.name])
    client = await world.login(alice)
    await client.done(af=[{"u": followed.name}])
    await follower.expect(packets.li(alice.name))
    await client.log_out()
    await follower.expect(packets.lo(alice.name))
    for other in (former, stranger, followed):
        await follower.nothing_for(other)


async def test_one_who_begins_to_follow_is_told_nothing_till_something_changes(world):
    alice, bob = await world.users("alice", "bob")
    await follow(alice, bob)
    await alice.nothing_for(bob)


async def test_login_and_logout_are_never_stored(world):
    alice, bob = await world.accounts("alice", "bob")
    client = await world.login(bob)
    await follow(alice, client)
    await client.log_out()
    alice = await world.login(alice)
    await alice.log_out()
    alice = await world.login(alice.account)
    bob = await world.login(bob)
    await alice.nothing_for(bob)
    assert await state_of(bob, alice) == "0"


async def test_a_blocked_follower_is_told_nothing_and_again_once_unblocked(world):
    alice, bob, mallory = await world.users("alice", "bob", "mallory")
    await follow(alice, bob, mallory)
    await alice.done(b={"u": mallory.name})
    await alice.log_out()
    await bob.expect(packets.lo(alice.name))
    alice = await world.login(alice.account)
    await bob.expect(packets.li(alice.name))
    await bob.nothing_for(mallory)
    await alice.done(ub={"u": mallory.name})
    await alice.log_out()
    await mallory.expect(packets.lo(alice.name))


async def test_a_login_elsewhere_tells_followers_nothing(world):
    alice, bob = await world.users("alice", "bob")
    await follow(alice, bob)
    for _ in range(5):
        newer = await world.login(alice.account)
        assert await alice.closed() == 4001
        alice = newer
    await alice.nothing_for(bob)


async def test_of_several_sessions_only_the_first_and_the_last_count(make_world):
    world = make_world({"limits.max_sessions": 3})
    account, bob = await world.account("alice"), await world.user("bob")
    await follow(account, bob)
    sessions = [await world.login(account)]
    await bob.expect(packets.li(account.name))
    sessions += [await world.login(account) for _ in range(3)]
    assert await sessions.pop(0).closed() == 4001
    for session in sessions[:-1]:
        await session.log_out()
    await sessions[-1].nothing_for(bob)
    await sessions[-1].log_out()
    await bob.expect(packets.lo(account.name))


async def hear(follower, user, online, *, was):
    """Takes what the follower is told till that is `online` and no more comes; one is never told twice."""
    while was != online or follower.kept:
        packet = await follower.recv()
        assert packet == (packets.lo(user.name) if was else packets.li(user.name))
        was = not was
        await follower.knock()


async def test_of_many_quick_logins_each_li_has_its_lo(world):
    account = await world.account("alice")
    followers = await world.users("bob", "carol")
    await follow(account, *followers)
    for _ in range(30):
        (await world.login(account)).drop()
    alice = await world.login(account)
    for follower in followers:
        await hear(follower, alice, True, was=False)
    await alice.log_out()
    for follower in followers:
        await hear(follower, alice, False, was=True)


async def test_a_deleted_user_goes_offline_for_his_followers(world):
    admin = await world.admin()
    alice, bob = await world.users("alice", "bob")
    await follow(alice, bob)
    assert await admin.ad("del", alice.name) == {}
    await bob.expect(packets.lo(alice.name))


async def test_a_crowd_of_followers_is_told(world):
    account = await world.account("alice")
    followers = await world.users(*(f"f{n}" for n in range(15)))
    for follower in followers:
        await follower.send({"rq": {"id": "x", "af": [{"u": account.name}]}})
    for follower in followers:
        assert await follower.response("x") == {}
    alice = await world.login(account)
    for follower in followers:
        await follower.expect(packets.li(alice.name))
    await alice.log_out()
    for follower in followers:
        await follower.expect(packets.lo(alice.name))


# -- state ------------------------------------------------------------------------------

async def test_the_state_is_told_exactly_as_the_protocol_shows(world):
    alice, bob = await world.users("alice", "bob")
    await alice.send({"rq": {"id": "7", "s": {"u": bob.name}}})
    assert await alice.recv_text() == '{"rp":{"id":"7","s":{"u":"%s","v":"0"}}}' % bob.name


async def test_the_state_is_0_online_else_when_the_user_went_offline_and_minus_1_before_the_first_login(world):
    alice, account = await world.user("alice"), await world.account("bob")
    assert await state_of(alice, account) == "-1"
    bob = await world.login(account)
    assert await state_of(alice, bob) == "0" == await state_of(bob, bob)
    before = int(time.time() * 1000)
    await follow(bob, alice)
    await bob.log_out()
    await alice.expect(packets.lo(bob.name))
    assert before - 1 <= int(await state_of(alice, bob)) <= int(time.time() * 1000) + 1
    await world.login(account)
    assert await state_of(alice, bob) == "0"


async def test_the_state_of_somebody_unknown_or_of_no_user_is_404(world):
    alice = await world.user("alice")
    for name in (world.fresh("nobody"), await world.group(alice), await world.broadcast(alice)):
        assert name in await alice.refused(404, s={"u": name})


@pytest.mark.parametrize("body, code", [
    ({}, 400), ([], 400), ("bob", 400), (None, 400), ({"u": 1}, 400), ({"u": None}, 400), ({"u": ""}, 400),
    ({"u": " x"}, 400), ({"u": "x" * 129}, 413), ({"i": "x"}, 400),
])
@once
async def test_a_state_request_of_another_form_is_refused(world, body, code):
    alice = await world.user("alice")
    await alice.refused(code, s=body)


async def test_to_one_who_is_blocked_a_user_was_never_seen(world):
    alice, bob = await world.users("alice", "bob")
    await alice.done(b={"u": bob.name})
    assert await state_of(bob, alice) == "-1"
    assert await state_of(alice, bob) == "0"
    await alice.done(ub={"u": bob.name})
    assert await state_of(bob, alice) == "0"


@once
@pytest.mark.durable
async def test_when_a_user_was_seen_outlives_a_crash(make_world):
    world = make_world()
    alice, bob, never = *await world.users("alice", "bob"), await world.account("never")
    await follow(bob, alice)
    await bob.log_out()
    await alice.expect(packets.lo(bob.name))
    gone = await state_of(alice, bob)
    await alice.tell(bob, "so that all before is durable")
    world.server.kill()
    await world.restarted()
    alice = await world.login(alice.account)
    assert await state_of(alice, bob) == gone
    assert await state_of(alice, never) == "-1"


@once
@pytest.mark.durable
async def test_one_who_was_online_in_a_crash_was_seen(make_world):
    world = make_world()
    alice, bob = await world.users("alice", "bob")
    await bob.done(st={"t": "s", "s": "now all before is on disk, too"})
    world.server.kill()
    await world.restarted()
    alice = await world.login(alice.account)
    assert int(await state_of(alice, bob)) > 0
