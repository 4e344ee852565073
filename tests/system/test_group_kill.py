"""kill -9 during requests about a group (case C11 of the crash tests): each happened whole or not at
all, with the information about it, and may be sent again without harm."""

import os
import random

import pytest

import packets
from client import Closed, names_of
from lempd import once
from test_groups import replay

pytestmark = [pytest.mark.durable, once]


class Group:
    """What its admin asked for, and what can have come of it."""

    def __init__(self, world, name, accounts, random_):
        self.world, self.name, self.random = world, name, random_
        self.others = names_of(accounts)
        self.certain = None   # members, admins, name after all that was answered
        self.possible = None  # the same if the request under way happened, too

    def plan(self):
        members, admins, title = self.certain
        some = self.random.sample(self.others, 4)
        there = [name for name in members if name in some]
        kind = self.random.choice(["a", "b", "aad", "rad", "n"])
        if kind == "a":
            return {"g": {"t": "a", "i": self.name, "m": some}}
        if kind in ("aad", "rad"):
            return {"g": {"t": kind, "i": self.name, "ad": there}}
        if kind == "b":
            return {"g": {"t": "b", "i": self.name, "m": there}}
        return {"n": {"t": "s", "i": self.name, "n": f"name {self.random.random()}"}}

    def after(self, body):
        members, admins, title = self.certain
        if "n" in body:
            return members, admins, body["n"]["n"]
        g = body["g"]
        if g["t"] == "a":
            return members + [name for name in g["m"] if name not in members], admins, title
        if g["t"] == "b":
            return ([name for name in members if name not in g["m"]], [name for name in admins if name not in g["m"]], title)
        changed = set(admins) | set(g["ad"]) if g["t"] == "aad" else set(admins) - set(g["ad"])
        return members, [name for name in members if name in changed], title

    async def change(self, client, count):
        """So many requests, or till the server ends."""
        for _ in range(count):
            body = self.plan()
            self.possible = self.after(body)
            assert await client.rq(**body) == {}, body
            self.certain = self.possible

    async def look(self, client):
        members, admins = await client.members(self.name)
        return members, admins, (await client.rq(n={"t": "g", "i": self.name}))["n"]["n"]


async def through_kills(make_world, rounds, most):
    seed = int(os.environ.get("LEMP_SEED") or random.SystemRandom().randrange(2 ** 32))
    print(f"LEMP_SEED={seed}")
    world = make_world({"log.level": "info"})
    alice, (witness, *accounts) = await world.user("alice"), await world.accounts("witness", *(f"u{n}" for n in range(8)))
    group = Group(world, await world.group(alice, witness), accounts, random.Random(seed))
    first = group.certain = names_of([alice, witness]), [alice.name], "a group"
    for _ in range(rounds):
        await group.change(alice, group.random.randrange(most))
        body = group.plan()
        group.possible = group.after(body)
        await alice.send({"rq": {"id": "last", **body}})
        if group.random.random() < 0.5:
            await alice.send({"srq": {"id": "k", "t": "k"}})
            await alice.recv()
        world.server.kill()
        try:
            while (await alice.recv()) != packets.done("last"):
                pass
            group.certain = group.possible
        except Closed:
            pass
        await world.restarted()
        alice = await world.login(alice.account)
        found = await group.look(alice)
        assert found in (group.certain, group.possible), f"seed {seed}"
        group.certain = group.possible = found
        answer = await alice.rq(**body)  # again
        assert packets.code(answer) in ("", "404"), answer  # banished already
        group.certain = await group.look(alice)
        witness_now = await world.login(witness)
        id = await alice.tell(group.name, "mark")
        heard = []
        while (packet := await witness_now.recv()) != packets.message(id, alice.name, group.name, "mark"):
            heard += [packet["i"]["g"]] if "i" in packet else []
        titles = [info["n"] for info in heard if info["t"] in ("c", "n")]
        assert (*replay(first[0], first[1], heard), titles[-1]) == group.certain, f"seed {seed}"


async def test_a_request_that_met_a_crash_happened_whole_or_not_at_all(make_world):
    await through_kills(make_world, 6, 5)


@pytest.mark.kill
@pytest.mark.timeout(400)
async def test_of_200_crashes_none_left_a_request_half_done(make_world):
    await through_kills(make_world, 200, 10)
