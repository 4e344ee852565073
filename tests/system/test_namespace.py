"""protocol.md section 2: users, groups and broadcasts share one name space."""

import asyncio

import pytest

import packets
from lempd import once

KINDS = ["user", "group", "broadcast"]


async def create(world, client, kind, name):
    """Asks for it; `client` must be an administrator for a user."""
    if kind == "user":
        return await client.ad("cr", name, t="a token")
    if kind == "group":
        return await client.g("c", name, n="x")
    return await client.br("c", name, n="x")


async def kind_of(client, name):
    """What a name is, as an administrator sees it who made it."""
    for kind, body in (("user", {"s": {"u": name}}), ("group", {"g": {"t": "i", "i": name}}),
                       ("broadcast", {"br": {"t": "i", "i": name}})):
        if packets.code(await client.rq(**body)) != "404":
            return kind
    return None


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
async def test_a_taken_name_is_409_whatever_took_it(world, first, second):
    admin, name = await world.admin(), world.fresh("name")
    assert await create(world, admin, first, name) == {}
    answer = await create(world, admin, second, name)
    assert packets.code(answer) == "409" and name in answer["e"]["d"]
    assert await kind_of(admin, name) == first
    if second == "user":
        assert world.server.ctl("user", "add", name).status == 1
        assert world.server.ctl("user", "import", "-", stdin=f"{world.fresh('x')},t,0\n{name},t,0\n").status == 1


async def test_ones_own_name_and_that_of_ones_group_are_taken_too(world):
    alice = await world.user("alice")
    await alice.refused(409, g={"t": "c", "i": alice.name, "n": "x"})
    await alice.refused(409, br={"t": "c", "i": alice.name, "n": "x"})
    group = await world.group(alice)
    for name in (group, await world.broadcast(alice)):
        await alice.refused(409, g={"t": "c", "i": name, "n": "x", "m": [world.fresh("nobody")]})


@pytest.mark.parametrize("first", KINDS)
async def test_a_name_is_free_for_anything_once_what_took_it_is_gone(world, first):
    admin, name = await world.admin(), world.fresh("name")
    for second in KINDS:
        for kind in (first, second):
            assert await create(world, admin, kind, name) == {}
            assert await kind_of(admin, name) == kind
            if kind == "user":
                assert await admin.ad("del", name) == {}
            else:
                assert await (admin.g if kind == "group" else admin.br)("t", name) == {}
    assert await kind_of(admin, name) is None


async def test_a_creation_that_failed_takes_no_name(world):
    admin, name, nobody = await world.admin(), world.fresh("name"), world.fresh("nobody")
    await admin.refused(404, g={"t": "c", "i": name, "n": "x", "m": [nobody]})
    await admin.refused(404, br={"t": "c", "i": name, "n": "x", "m": [nobody]})
    await admin.refused(413, ad={"c": "cr", "i": name, "t": "x" * 1025})
    assert await create(world, admin, "user", name) == {}


@once
async def test_of_creations_at_once_from_sessions_of_different_workers_one_wins(world):
    """User names are spread over both workers, and a session lives where its user does."""
    admins = [await world.login(world.server.add_user(world.fresh("admin"), admin=True)) for _ in range(6)]
    names = [world.fresh("name") for _ in range(40)]
    kinds = [KINDS[n % 3] for n in range(6)]
    winners = set()
    for n, name in enumerate(names):
        order = [(n + at) % 6 for at in range(6)]  # each is the first to send now and then
        answers = await asyncio.gather(*(create(world, admins[at], kinds[at], name) for at in order))
        codes = [packets.code(answers[order.index(at)]) for at in range(6)]
        assert sorted(codes) == [""] + ["409"] * 5, name
        winner = codes.index("")
        assert await kind_of(admins[winner], name) == kinds[winner]
        winners.add(winner)
    assert len(winners) > 1, "no race at all"
