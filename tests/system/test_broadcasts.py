"""protocol.md sections 10, 12 and 13.6: broadcasts."""

import time

import pytest

import packets
from client import names_of
from lempd import Account, once, one_thread


async def three(world):
    """A broadcast of alice to bob and carol, all online."""
    alice, bob, carol = await world.users("alice", "bob", "carol")
    return alice, bob, carol, await world.broadcast(alice, bob, carol)


async def receivers(owner, broadcast):
    return (await owner.br("i", broadcast))["br"]["m"]


async def mark(sender, broadcast, *others):
    """A message that is the next thing each of these receivers gets."""
    id = await sender.tell(broadcast, "mark")
    for other in others:
        await other.expect(packets.message(id, sender.name, other.name, "mark"))


# -- requests ---------------------------------------------------------------------------

async def test_a_broadcast_is_made_asked_and_ended_exactly_as_the_protocol_shows(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    broadcast = world.fresh("b1")
    before = int(time.time() * 1000)
    for text, answer in (
        ('{"rq":{"id":"1","br":{"t":"c","i":"X","n":"name","p":"cGlj","m":["B"]}}}', '{"rp":{"id":"1"}}'),
        ('{"rq":{"id":"2","p":{"t":"g","b":"X"}}}', '{"rp":{"id":"2","p":{"b":"X","v":"cGlj"}}}'),
        ('{"rq":{"id":"3","n":{"t":"g","b":"X"}}}', '{"rp":{"id":"3","n":{"b":"X","n":"name"}}}'),
        ('{"rq":{"id":"4","n":{"t":"s","b":"X","n":"new"}}}', '{"rp":{"id":"4"}}'),
        ('{"rq":{"id":"5","p":{"t":"s","b":"X","v":"bmV3"}}}', '{"rp":{"id":"5"}}'),
        ('{rq:{id:"6",p:{t:"g",b:"X"}}}', '{"rp":{"id":"6","p":{"b":"X","v":"bmV3"}}}'),
        ('{rq:{id:"7",get:{o:"br"}}}', '{"rp":{"id":"7","br":[{"i":"X","n":"new"}]}}'),
    ):
        await alice.send(text.replace('"X"', f'"{broadcast}"').replace('"B"', f'"{bob.name}"'))
        assert await alice.recv_text() == answer.replace('"X"', f'"{broadcast}"')
    await alice.send('{rq:{id:"8",br:{t:"i",i:"%s"}}}' % broadcast)
    created = (await alice.recv())["rp"]["br"]["c"]
    assert alice.text == '{"rp":{"id":"8","br":{"i":"%s","c":"%s","n":"new","m":["%s"]}}}' % (
        broadcast, created, bob.name)
    assert before - 1 <= int(created) <= int(time.time() * 1000) + 1
    await alice.send('{rq:{id:"9",br:{t:"t",i:"%s"}}}' % broadcast)
    assert await alice.recv_text() == '{"rp":{"id":"9"}}'
    assert await alice.get("br") == []


async def test_receivers_are_listed_as_they_joined_without_the_owner_and_repeats(world):
    alice = await world.user("alice")
    z, b, a, c = await world.accounts("z", "b", "a", "c")
    broadcast = world.fresh("broadcast")
    await alice.done(br={"t": "c", "i": broadcast, "n": "x", "m": names_of([z, alice, b, z])})
    assert await receivers(alice, broadcast) == names_of([z, b])
    await alice.done(br={"t": "a", "i": broadcast, "m": names_of([b, a, alice, a])})
    assert await receivers(alice, broadcast) == names_of([z, b, a])
    await alice.done(br={"t": "b", "i": broadcast, "m": names_of([z, z])})
    await alice.done(br={"t": "a", "i": broadcast, "m": names_of([c, z])})
    assert await receivers(alice, broadcast) == names_of([b, a, c, z])
    await alice.done(br={"t": "b", "i": broadcast, "m": names_of([b, a, c, z])})
    assert await receivers(alice, broadcast) == []
    await alice.tell(broadcast, "to nobody")


async def test_nobody_is_informed_of_anything(world):
    alice, bob, carol, broadcast = await three(world)
    dave = await world.user("dave")
    await alice.done(br={"t": "a", "i": broadcast, "m": [dave.name]})
    await alice.done(n={"t": "s", "b": broadcast, "n": "new"})
    await alice.done(p={"t": "s", "b": broadcast, "v": "new"})
    await alice.done(br={"t": "b", "i": broadcast, "m": [bob.name]})
    await mark(alice, broadcast, carol, dave)
    await alice.done(br={"t": "t", "i": broadcast})
    for other in (bob, carol, dave):
        await alice.nothing_for(other)
        assert await other.get("br") == [] == await other.get("g")


async def test_broadcasts_are_listed_with_their_names_sorted_by_id(world):
    alice = await world.user("alice")
    ids = sorted((world.fresh(base) for base in ("b", "c", "a", "Z")), key=str.encode)
    for id in ids[::-1]:
        await alice.done(br={"t": "c", "i": id, "n": f"name of {id}"})
    assert await alice.get("br") == [{"i": id, "n": f"name of {id}"} for id in ids]


async def test_an_unknown_user_in_a_list_is_404_by_name_and_nothing_changes(world):
    alice, bob, carol, broadcast = await three(world)
    dave, nobody, new = await world.account("dave"), world.fresh("nobody"), world.fresh("broadcast")
    for name in (nobody, broadcast):
        assert name in await alice.refused(404, br={"t": "c", "i": new, "n": "x", "m": [bob.name, name]})
        assert name in await alice.refused(404, br={"t": "a", "i": broadcast, "m": [dave.name, name]})
    assert dave.name in await alice.refused(404, br={"t": "b", "i": broadcast, "m": [bob.name, dave.name]})
    await alice.refused(404, br={"t": "i", "i": new})
    assert await receivers(alice, broadcast) == names_of([bob, carol])


async def test_the_owner_cannot_be_removed_from_what_he_is_not_on(world):
    alice, bob, carol, broadcast = await three(world)
    assert packets.code(await alice.br("b", broadcast, m=[alice.name])) in ("400", "404")
    assert await receivers(alice, broadcast) == names_of([bob, carol])


EVERY_REQUEST = [
    {"br": {"t": "a", "i": "X", "m": ["B"]}}, {"br": {"t": "b", "i": "X", "m": ["B"]}}, {"br": {"t": "t", "i": "X"}},
    {"br": {"t": "i", "i": "X"}}, {"p": {"t": "s", "b": "X", "v": ""}}, {"p": {"t": "g", "b": "X"}},
    {"n": {"t": "s", "b": "X", "n": ""}}, {"n": {"t": "g", "b": "X"}},
]


@pytest.mark.parametrize("body", EVERY_REQUEST)
@once
async def test_everything_is_for_the_owner_only_and_of_a_broadcast_only(world, body):
    alice, bob, carol, broadcast = await three(world)
    text = packets.write({"rq": {"id": "x", **body}}).replace('"B"', f'"{bob.name}"')
    for client in (bob, carol):
        await client.send(text.replace('"X"', f'"{broadcast}"'))
        await client.expect(packets.error(403, "x"))
    for name in (world.fresh("nothing"), bob.name, alice.name, await world.group(alice)):
        await alice.send(text.replace('"X"', f'"{name}"'))
        await alice.expect(packets.error(404, "x"))
        assert name in alice.text
    await alice.send(text.replace('"X"', f'"{broadcast}"'))
    assert "e" not in (await alice.recv())["rp"]


@pytest.mark.parametrize("body, code", [
    ({"br": {}}, 400), ({"br": []}, 400), ({"br": {"i": "X"}}, 400), ({"br": {"t": "i"}}, 400), ({"br": {"t": "x", "i": "X"}}, 400),
    ({"br": {"t": "l", "i": "X"}}, 400), ({"br": {"t": "aad", "i": "X", "ad": ["B"]}}, 400), ({"br": {"t": "ad", "i": "X"}}, 400),
    ({"br": {"t": "c", "i": "NEW"}}, 400), ({"br": {"t": "c", "i": "NEW", "n": 1}}, 400),
    ({"br": {"t": "c", "i": "NEW", "n": "x", "m": "B"}}, 400), ({"br": {"t": "c", "i": "NEW", "n": "x", "m": [1]}}, 400),
    ({"br": {"t": "c", "i": "", "n": "x"}}, 400), ({"br": {"t": "c", "i": "x" * 129, "n": "x"}}, 413),
    ({"br": {"t": "c", "i": "NEW", "n": "x" * 1025}}, 413), ({"br": {"t": "c", "i": "NEW", "n": "x", "p": "x" * 131073}}, 413),
    ({"br": {"t": "a", "i": "X"}}, 400), ({"br": {"t": "b", "i": "X"}}, 400), ({"br": {"t": "a", "i": "X", "m": {}}}, 400),
    ({"br": {"t": "i", "b": "X"}}, 400), ({"p": {"t": "s", "b": "X"}}, 400), ({"p": {"t": "s", "b": "X", "v": 1}}, 400),
    ({"p": {"t": "s", "b": "X", "v": "x" * 131073}}, 413), ({"p": {"t": "g", "b": "X", "u": "B"}}, 400),
    ({"n": {"t": "s", "b": "X"}}, 400), ({"n": {"t": "s", "b": "X", "n": "x" * 1025}}, 413), ({"n": {"t": "g", "b": 1}}, 400),
    ({"mt": {"b": "X", "t": 1}}, 400), ({"umt": {"b": "X"}}, 400), ({"mt": {"i": "X", "t": 1}}, 404), ({"umt": {"i": "X"}}, 404),
])
@once
async def test_a_request_of_another_form_is_refused_and_nothing_changes(world, body, code):
    alice, bob = await world.user("alice"), await world.account("bob")
    broadcast, new = await world.broadcast(alice), world.fresh("broadcast")
    text = packets.write({"rq": {"id": "x", **body}})
    for short, name in (("X", broadcast), ("NEW", new), ("B", bob.name)):
        text = text.replace(f'"{short}"', f'"{name}"')
    await alice.send(text)
    await alice.expect(packets.error(code, "x"))
    await alice.refused(404, br={"t": "i", "i": new})
    assert (await alice.br("i", broadcast))["br"] == {"i": broadcast, "c": packets.ANY, "n": "a broadcast", "m": []}


# -- messages ---------------------------------------------------------------------------

async def test_a_message_reaches_each_receiver_as_an_ordinary_one_to_him(world):
    alice, bob, carol, broadcast = await three(world)
    content = '{"r":"%s","c":[1.0, "\\"r\\":\\"%s\\""]}' % (broadcast, broadcast)
    await alice.send('{"m":{"id":"m1","x":{"r":"%s"},"r":"%s","c":%s,"st":1790000000000,"sc":"1","pc":"1"}}'
                     % (broadcast, broadcast, content))
    await alice.expect(packets.sr("m1"))
    for receiver in (bob, carol):
        assert await receiver.recv_text() == (
            '{"m":{"id":"m1","s":"%s","r":"%s","t":"t","c":%s,"st":1790000000000,"sc":"1","pc":"1","x":{"r":"%s"}}}'
            % (alice.name, receiver.name, content, broadcast))
    await alice.quiet()


async def test_names_that_need_escapes_are_written_with_them(world):
    alice, admin = await world.user("alice"), await world.admin()
    accounts = [Account(world.fresh(base), "t") for base in ('q"\\', "\U0001f600é", "{r}", "x" * 100)]
    for account in accounts:
        assert await admin.ad("cr", account.name, t="t") == {}
    broadcast = world.fresh('b"\\é')
    await alice.done(br={"t": "c", "i": broadcast, "n": "", "m": names_of(accounts)})
    await alice.tell(broadcast, broadcast, "m1")
    for account in accounts:
        receiver = await world.login(account)
        await receiver.expect(packets.message("m1", alice.name, account.name, broadcast))


@pytest.mark.parametrize("kind", ["dm", "nm"])
async def test_receivers_acknowledge_and_answer_it_as_an_ordinary_message(world, kind):
    alice, bob, carol, broadcast = await three(world)
    await alice.tell(broadcast, "hello", "m1")
    for receiver in (bob, carol):
        await receiver.expect(packets.message("m1", alice.name, receiver.name, "hello"))
        await receiver.send({"m": {"id": "d0", "r": broadcast, kind: {"id": "m1"}}})
        await receiver.expect(packets.error(404, "d0"))
        await receiver.receipt(kind, "m1", "d1", **({"r": alice.name} if receiver is bob else {}))
        await alice.expect(packets.receipt("d1", receiver.name, alice.name, kind, "m1"))
        id = await receiver.tell(alice, "an answer")
        await alice.expect(packets.message(id, receiver.name, alice.name, "an answer"))
    await bob.receipt(kind, "m1")  # again: receipted and not passed on
    await bob.nothing_for(alice)
    bob = await world.login(bob.account)
    await mark(alice, broadcast, bob, carol)


async def test_anyone_else_sending_to_it_is_403(world):
    alice, bob, carol, broadcast = await three(world)
    stranger = await world.user("stranger")
    for client in (bob, stranger):
        for more in ({}, {"p": "0"}):
            await client.post(broadcast, "hello", "m1", **more)
            await client.expect(packets.error(403, "m1"))
    await mark(alice, broadcast, bob, carol)


async def test_those_offline_get_it_later_and_all_in_the_order_sent(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    broadcast = await world.broadcast(alice, bob, account)
    for n in range(50):
        await alice.post(broadcast, n, f"m{n}")
    for n in range(50):
        await alice.expect(packets.sr(f"m{n}"))
    await bob.expect(*(packets.message(f"m{n}", alice.name, bob.name, n) for n in range(50)))
    for _ in range(2):
        carol = await world.login(account)
        await carol.expect(*(packets.message(f"m{n}", alice.name, carol.name, n) for n in range(50)))
    await mark(alice, broadcast, bob, carol)


async def test_what_is_sent_while_one_is_on_the_list_and_nothing_else_reaches_him(world):
    alice, bob, carol, broadcast = await three(world)
    await alice.done(br={"t": "b", "i": broadcast, "m": [bob.name]})
    await alice.tell(broadcast, "without bob", "m1")
    await carol.expect(packets.message("m1", alice.name, carol.name, "without bob"))
    await alice.done(br={"t": "a", "i": broadcast, "m": [bob.name]})
    await alice.tell(broadcast, "without bob", "m1")
    await mark(alice, broadcast, bob, carol)


async def test_a_broadcast_with_p_0_sc_0_and_pc_0(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    broadcast = await world.broadcast(alice, bob, account)
    for n in range(3):
        await alice.tell(broadcast, n, "same", p="0")
        await bob.expect(packets.message("same", alice.name, bob.name, n, p="0"))
    await alice.post(broadcast, "quietly", "m1", sc="0", pc="0")
    await bob.expect(packets.message("m1", alice.name, bob.name, "quietly", sc="0", pc="0"))
    await bob.dm("m1")
    await bob.nothing_for(alice)
    carol = await world.login(account)
    await carol.expect(packets.message("m1", alice.name, carol.name, "quietly", sc="0", pc="0"))


# -- once, for each receiver ------------------------------------------------------------

async def test_a_repeat_is_receipted_and_delivered_to_nobody_again(world):
    alice, bob, carol, broadcast = await three(world)
    await alice.tell(broadcast, "once", "m1")
    for receiver in (bob, carol):
        await receiver.expect(packets.message("m1", alice.name, receiver.name, "once"))
    await bob.dm("m1")
    await alice.until(packets.receipt(packets.ANY, bob.name, alice.name, "dm", "m1"))
    for more in ({}, {"p": "0"}):
        await alice.tell(broadcast, "twice", "m1", **more)
    await mark(alice, broadcast, bob, carol)


async def test_what_was_broadcast_counts_as_sent_to_each_receiver(world):
    alice, bob, carol, broadcast = await three(world)
    await alice.tell(broadcast, "for all", "m1")
    for receiver in (bob, carol):
        await receiver.expect(packets.message("m1", alice.name, receiver.name, "for all"))
    await alice.tell(bob, "for bob", "m1")
    await mark(alice, broadcast, bob, carol)


async def test_what_was_sent_to_one_is_not_broadcast_to_him_again(world):
    alice, bob, carol, broadcast = await three(world)
    other = await world.broadcast(alice, bob)
    await alice.tell(bob, "for bob", "m1")
    await bob.expect(packets.message("m1", alice.name, bob.name, "for bob"))
    await alice.tell(broadcast, "for all", "m1")
    await carol.expect(packets.message("m1", alice.name, carol.name, "for all"))
    await alice.tell(other, "for bob again", "m1")
    await mark(alice, broadcast, bob, carol)


# -- blocked, full ----------------------------------------------------------------------

async def test_one_who_blocks_the_owner_may_be_on_the_list_and_gets_nothing(world):
    alice, bob, carol = await world.users("alice", "bob", "carol")
    await bob.done(b={"u": alice.name})
    broadcast = world.fresh("broadcast")
    await alice.done(br={"t": "c", "i": broadcast, "n": "x", "m": [bob.name]})
    await alice.done(br={"t": "a", "i": broadcast, "m": [carol.name]})
    assert await receivers(alice, broadcast) == names_of([bob, carol])
    await alice.tell(broadcast, "hello", "m1")
    await alice.tell(broadcast, "hello", "m2", p="0")
    await carol.expect(packets.message("m1", alice.name, carol.name, "hello"),
                       packets.message("m2", alice.name, carol.name, "hello", p="0"))
    await bob.done(ub={"u": alice.name})
    await alice.tell(broadcast, "again", "m1")
    await alice.tell(bob, "and again", "m1")
    await mark(alice, broadcast, bob, carol)


FULL = {"limits.mailbox_max_messages": 2}


@one_thread
async def test_a_full_mailbox_costs_its_owner_the_message_and_he_is_told_whose_it_was(make_world):
    world = make_world(FULL)
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    one, two = await world.broadcast(alice, bob, account), await world.broadcast(alice, bob, account)
    for n in range(2):
        await alice.tell(account.name, n, f"c{n}")
    for n, broadcast in enumerate((one, two, one)):
        await alice.tell(broadcast, n, f"m{n}")
        await bob.expect(packets.message(f"m{n}", alice.name, bob.name, n))
        await bob.dm(f"m{n}")
    for _ in range(2):  # till it is acknowledged
        carol = await world.login(account)
        await carol.expect(packets.gap_of_broadcast(alice.name, 3))
        assert carol.text.endswith(',"g":{"t":"gap","u":"%s","c":"3"}}}' % alice.name)
        await carol.expect(*(packets.message(f"c{n}", alice.name, carol.name, n) for n in range(2)))
    for n in range(2):
        await carol.dm(f"c{n}")
    await alice.tell(one, "a repeat", "m0")
    await mark(alice, one, carol)


@once
async def test_a_broadcast_to_thousands_works(make_world):
    world = make_world({"log.level": "info"})
    accounts = world.server.import_users([f"r{n:05}" for n in range(5000)])
    alice = await world.user("alice")
    sample = [await world.login(accounts[n]) for n in range(0, 5000, 500)]
    broadcast = world.fresh("broadcast")
    await alice.done(br={"t": "c", "i": broadcast, "n": "all", "m": names_of(accounts)})
    await alice.tell(broadcast, "hello", "m1")
    for receiver in sample:
        await receiver.expect(packets.message("m1", alice.name, receiver.name, "hello"))
        await receiver.dm("m1", "d1")
        await alice.expect(packets.receipt("d1", receiver.name, alice.name, "dm", "m1"))
    for account in accounts[1::1700]:
        receiver = await world.login(account)
        await receiver.expect(packets.message("m1", alice.name, receiver.name, "hello"))
    assert await receivers(alice, broadcast) == names_of(accounts)


@pytest.mark.durable
async def test_a_broadcast_and_what_was_receipted_of_it_outlive_a_crash(make_world):
    world = make_world()
    alice, (bob, carol) = await world.user("alice"), await world.accounts("bob", "carol")
    broadcast = await world.broadcast(alice, bob, carol)
    await alice.done(p={"t": "s", "b": broadcast, "v": "cGlj"})
    for n in range(10):
        await alice.tell(broadcast, n, f"m{n}")
    world.server.kill()
    await world.restarted()
    alice = await world.login(alice.account)
    assert await receivers(alice, broadcast) == names_of([bob, carol])
    assert await alice.rq(p={"t": "g", "b": broadcast}) == {"p": {"b": broadcast, "v": "cGlj"}}
    await alice.tell(broadcast, "again", "m9")
    for account in (bob, carol):
        receiver = await world.login(account)
        await receiver.expect(*(packets.message(f"m{n}", alice.name, account.name, n) for n in range(10)))
        await alice.tell(receiver, "again", "m8")
        await alice.nothing_for(receiver)


@pytest.mark.durable
async def test_what_is_sent_to_a_receiver_after_a_broadcast_comes_after_it(make_world):
    """Also when the server has yet to read the names of those on the list."""
    world = make_world()
    crowd = world.server.import_users([f"r{n}" for n in range(600)])
    alice, bob = await world.user("alice"), await world.account("bob")
    broadcast = await world.broadcast(alice, *crowd, bob)
    world.server.kill()
    await world.restarted()
    alice = await world.login(alice.account)
    await alice.tell(broadcast, "first", "m1")
    await alice.tell(bob.name, "second", "m2")
    bob = await world.login(bob)
    await bob.expect(packets.message("m1", alice.name, bob.name, "first"),
                     packets.message("m2", alice.name, bob.name, "second"))


@pytest.mark.parametrize("stored", ["1", "0"])
async def test_what_follows_a_broadcast_at_once_comes_after_it(world, stored):
    """Without waiting for any receipt, and whatever worker they live on."""
    alice, *friends = await world.users("alice", "bob", "carol", "dave")
    broadcast = await world.broadcast(alice, *friends)
    for n in range(20):
        await alice.post(broadcast, n, f"b{n}", p=stored)
        for friend in friends:
            await alice.post(friend.name, n, f"d{n}")
    for friend in friends:
        for n in range(20):
            more = {"p": "0"} if stored == "0" else {"p": "1"}
            await friend.expect(packets.message(f"b{n}", alice.name, friend.name, n, **more),
                                packets.message(f"d{n}", alice.name, friend.name, n))
