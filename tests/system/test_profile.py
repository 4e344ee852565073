"""protocol.md section 7: picture and status of users."""

import pytest

import packets
from lempd import once

# what -> the request that sets it, the one that gets it, the member of the answer, its limit
PICTURE = ("p", "v", 128 * 1024)
STATUS = ("st", "s", 1024)
both = pytest.mark.parametrize("what", [PICTURE, STATUS], ids=["picture", "status"])


async def put(client, what, value):
    key, member, _ = what
    await client.done(**{key: {"t": "s", member: value}})


async def see(client, what, user):
    key, member, _ = what
    answer = await client.rq(**{key: {"t": "g", "u": user.name}})
    assert answer[key]["u"] == user.name
    return answer[key][member]


async def test_picture_and_status_are_set_and_told_exactly_as_the_protocol_shows(world):
    alice, bob = await world.users("alice", "bob")
    for client, text, answer in (
        (alice, '{"rq":{"id":"8","p":{"t":"s","v":"https://pics/alice.png"}}}', '{"rp":{"id":"8"}}'),
        (bob, '{"rq":{"id":"9","p":{"t":"g","u":"ALICE"}}}', '{"rp":{"id":"9","p":{"u":"ALICE","v":"https://pics/alice.png"}}}'),
        (alice, '{"rq":{"id":"10","st":{"t":"s","s":"At the gym"}}}', '{"rp":{"id":"10"}}'),
        (bob, '{"rq":{"id":"11","st":{"t":"g","u":"ALICE"}}}', '{"rp":{"id":"11","st":{"u":"ALICE","s":"At the gym"}}}'),
        (bob, '{rq:{id:"9",p:{t:"g",u:"ALICE"}}}', '{"rp":{"id":"9","p":{"u":"ALICE","v":"https://pics/alice.png"}}}'),
    ):
        await client.send(text.replace("ALICE", alice.name))
        assert await client.recv_text() == answer.replace("ALICE", alice.name)


@both
async def test_what_was_never_set_is_empty_and_what_is_set_empty_is_cleared(world, what):
    alice, bob = await world.user("alice"), await world.account("bob")
    assert await see(alice, what, bob) == "" == await see(alice, what, alice)
    await put(alice, what, "mine")
    assert await see(alice, what, alice) == "mine"
    await put(alice, what, "")
    assert await see(alice, what, alice) == ""


@both
async def test_what_was_set_last_counts_also_of_one_who_is_offline(world, what):
    alice, bob = await world.users("alice", "bob")
    for value in ("one", "two", "three"):
        await put(bob, what, value)
    await bob.log_out()
    assert await see(alice, what, bob) == "three"


async def test_picture_and_status_do_not_mix(world):
    alice = await world.user("alice")
    await put(alice, PICTURE, "a picture")
    await put(alice, STATUS, "a status")
    assert (await see(alice, PICTURE, alice), await see(alice, STATUS, alice)) == ("a picture", "a status")
    await put(alice, PICTURE, "")
    assert (await see(alice, PICTURE, alice), await see(alice, STATUS, alice)) == ("", "a status")


@both
@pytest.mark.parametrize("value", ['"\\\n\t\u0000', "\u200bäöü\U0001f600\u2028", " ", "null"])
async def test_any_text_comes_back_as_it_was(world, what, value):
    alice, bob = await world.users("alice", "bob")
    await put(alice, what, value)
    assert await see(bob, what, alice) == value


@both
async def test_the_limit_is_in_bytes_and_more_is_413(world, what):
    key, member, limit = what
    alice = await world.user("alice")
    for value in ("x" * limit, "é" * (limit // 2)):
        await put(alice, what, value)
        assert await see(alice, what, alice) == value
        await alice.refused(413, **{key: {"t": "s", member: value + "y"}})
        assert await see(alice, what, alice) == value


@both
async def test_somebody_unknown_and_what_is_no_user_are_404(world, what):
    key, _, _ = what
    alice = await world.user("alice")
    for name in (world.fresh("nobody"), await world.group(alice), await world.broadcast(alice)):
        assert name in await alice.refused(404, **{key: {"t": "g", "u": name}})


@both
async def test_to_one_who_is_blocked_both_are_empty(world, what):
    alice, bob, carol = await world.users("alice", "bob", "carol")
    await put(alice, what, "mine")
    await put(bob, what, "his")
    await alice.done(b={"u": bob.name})
    assert await see(bob, what, alice) == ""
    assert await see(carol, what, alice) == "mine" == await see(alice, what, alice)
    assert await see(alice, what, bob) == "his"
    await alice.done(ub={"u": bob.name})
    assert await see(bob, what, alice) == "mine"


@pytest.mark.parametrize("body, code", [
    ({"p": {}}, 400), ({"p": []}, 400), ({"p": {"t": "x", "v": "x"}}, 400), ({"p": {"v": "x"}}, 400),
    ({"p": {"t": "s"}}, 400), ({"p": {"t": "s", "v": 1}}, 400), ({"p": {"t": "s", "v": None}}, 400),
    ({"p": {"t": "g"}}, 400), ({"p": {"t": "g", "u": ""}}, 400), ({"p": {"t": "g", "u": "x" * 129}}, 413),
    ({"p": {"t": "s", "u": "x", "v": "x"}}, 400), ({"p": {"t": "g", "u": "x", "i": "y"}}, 400),
    ({"p": {"t": "g", "i": "x", "b": "y"}}, 400), ({"p": {"t": 1, "v": "x"}}, 400), ({"p": {"t": "S", "v": "x"}}, 400),
    ({"st": {}}, 400), ({"st": "x"}, 400), ({"st": {"t": "x", "s": "x"}}, 400), ({"st": {"s": "x"}}, 400),
    ({"st": {"t": "s"}}, 400), ({"st": {"t": "s", "s": 1}}, 400), ({"st": {"t": "s", "s": ["x"]}}, 400),
    ({"st": {"t": "g"}}, 400), ({"st": {"t": "g", "u": 1}}, 400), ({"st": {"t": "g", "u": "x" * 129}}, 413),
    ({"st": {"t": "s", "u": "x", "s": "x"}}, 400),
])
@once
async def test_a_request_of_another_form_is_refused_and_nothing_changes(world, body, code):
    alice = await world.user("alice")
    await put(alice, PICTURE, "a picture")
    await put(alice, STATUS, "a status")
    await alice.refused(code, **body)
    assert (await see(alice, PICTURE, alice), await see(alice, STATUS, alice)) == ("a picture", "a status")


async def test_nobody_is_told_of_a_new_picture_or_status(world):
    alice, bob = await world.users("alice", "bob")
    await bob.done(af=[{"u": alice.name}])
    for what in (PICTURE, STATUS):
        await put(alice, what, "new")
    await alice.nothing_for(bob)


@once
@pytest.mark.durable
async def test_picture_and_status_outlive_a_crash(make_world):
    world = make_world()
    alice, bob = await world.users("alice", "bob")
    for user in (alice, bob):
        await put(user, PICTURE, user.name * 1000)
        await put(user, STATUS, "here")
    await put(bob, STATUS, "")
    world.server.kill()
    await world.restarted()
    alice = await world.login(alice.account)
    for user in (alice, bob):
        assert await see(alice, PICTURE, user) == user.name * 1000
    assert (await see(alice, STATUS, alice), await see(alice, STATUS, bob)) == ("here", "")
