"""protocol.md sections 9 and 13.9: groups, who may do what in them, and who is told."""

import asyncio
import time

import pytest

import packets
from client import names_of
from lempd import once


async def three(world, **options):
    """A group of alice, who made it, bob and carol, all online."""
    alice, bob, carol = await world.users("alice", "bob", "carol")
    return alice, bob, carol, await world.group(alice, bob, carol, **options)


async def nobody_else(witness, *others):
    """Nothing came to these, and whoever was to be told has been told already."""
    for other in others:
        await witness.nothing_for(other)


async def heard_of(sender, group, member):
    """All information the member got up to a message that is sent now."""
    id = await sender.tell(group, "mark")
    await member.until(packets.message(id, sender.name, group, "mark"))
    heard = [packet["i"]["g"] for packet in member.kept]
    member.kept.clear()
    return heard


def replay(members, admins, heard):
    """The lists as one knows them who was told of every change."""
    for info in heard:
        if info["t"] == "a":
            assert not set(members) & set(info["m"])
            members = members + info["m"]
        elif info["t"] == "b":
            members = [name for name in members if name != info["m"]]
            admins = [name for name in admins if name != info["m"]]
        elif info["t"] == "aad":
            assert not set(admins) & set(info["m"])
            admins = admins + info["m"]
        elif info["t"] == "rad":
            admins = [name for name in admins if name not in info["m"]]
    return members, [name for name in members if name in admins]


# -- create -----------------------------------------------------------------------------

async def test_a_group_is_made_asked_and_left_exactly_as_the_protocol_shows(world):
    alice, bob = await world.users("alice", "bob")
    group = world.fresh("g1")
    before = int(time.time() * 1000)
    for client, text, answer in (
        (alice, '{"rq":{"id":"1","g":{"t":"c","i":"G","n":"name","p":"cGlj","m":["B"]}}}', '{"rp":{"id":"1"}}'),
        (alice, '{"rq":{"id":"2","g":{"t":"ad","i":"G"}}}', '{"rp":{"id":"2","g":{"i":"G","ad":["A"]}}}'),
        (bob, '{rq:{id:"3",p:{t:"g",i:"G"}}}', '{"rp":{"id":"3","p":{"i":"G","v":"cGlj"}}}'),
        (alice, '{"rq":{"id":"4","n":{"t":"g","i":"G"}}}', '{"rp":{"id":"4","n":{"i":"G","n":"name"}}}'),
        (alice, '{"rq":{"id":"5","g":{"t":"aad","i":"G","ad":["B"]}}}', '{"rp":{"id":"5"}}'),
        (alice, '{"rq":{"id":"6","get":{"o":"g"}}}', '{"rp":{"id":"6","g":[{"i":"G","n":"name"}]}}'),
        (alice, '{"rq":{"id":"7","mt":{"i":"G","t":"1790000000000"}}}', '{"rp":{"id":"7"}}'),
        (alice, '{"rq":{"id":"8","umt":{"i":"G"}}}', '{"rp":{"id":"8"}}'),
    ):
        await client.send(text.replace('"G"', f'"{group}"').replace('"B"', f'"{bob.name}"'))
        while "i" in (packet := await client.recv()):
            pass
        assert client.text == answer.replace('"G"', f'"{group}"').replace('"A"', f'"{alice.name}"'), packet
    await alice.send({"rq": {"id": "9", "g": {"t": "i", "i": group}}})
    created = (await alice.recv())["rp"]["g"]["c"]
    assert alice.text == '{"rp":{"id":"9","g":{"i":"%s","c":"%s","mt":"0","m":["%s","%s"],"n":"name"}}}' % (
        group, created, alice.name, bob.name)
    assert before - 1 <= int(created) <= int(time.time() * 1000) + 1


@pytest.mark.parametrize("text", [
    '{rq:{id:"1",g:{t:"c",i:"G2",n:"name",m:["B"]}}}', '{rq:{id:"1",g:{t:"a",i:"G",m:["B"]}}}',
    '{rq:{id:"1",g:{t:"b",i:"G",m:["C"]}}}', '{rq:{id:"1",g:{t:"l",i:"G"}}}', '{rq:{id:"1",g:{t:"t",i:"G"}}}',
    '{rq:{id:"1",g:{t:"aad",i:"G",ad:["C"]}}}', '{rq:{id:"1",g:{t:"rad",i:"G",ad:["C"]}}}',
    '{rq:{id:"1",p:{t:"s",i:"G",v:"cGlj"}}}', '{rq:{id:"1",n:{t:"s",i:"G",n:"new"}}}',
    '{rq:{id:"1",mt:{i:"G",t:1790000000000}}}', '{rq:{id:"1",umt:{i:"G"}}}',
])
async def test_names_without_quotes_are_taken_in_every_request_about_a_group(world, text):
    alice, (bob, carol) = await world.user("alice"), await world.accounts("bob", "carol")
    group = await world.group(alice, carol)
    for short, name in (('"G"', group), ('"G2"', world.fresh("group")), ('"B"', bob.name), ('"C"', carol.name)):
        text = text.replace(short, f'"{name}"')
    await alice.send(text)
    assert await alice.recv_text() == '{"rp":{"id":"1"}}'


async def test_the_creator_comes_first_then_the_members_as_given_oneself_and_repeats_skipped(world):
    alice = await world.user("alice")
    z, b, a = await world.accounts("z", "b", "a")
    group = world.fresh("group")
    await alice.done(g={"t": "c", "i": group, "n": "x", "m": names_of([z, alice, b, z, a, b, alice])})
    assert await alice.members(group) == ([alice.name, z.name, b.name, a.name], [alice.name])


@pytest.mark.parametrize("more", [{}, {"m": []}, {"p": ""}, {"p": "cGlj", "m": []}])
async def test_a_group_may_have_one_member_and_no_picture(world, more):
    alice, group = await world.user("alice"), world.fresh("group")
    await alice.done(g={"t": "c", "i": group, "n": "", **more})
    assert await alice.members(group) == ([alice.name], [alice.name])
    assert await alice.rq(p={"t": "g", "i": group}) == {"p": {"i": group, "v": more.get("p", "")}}
    assert await alice.rq(n={"t": "g", "i": group}) == {"n": {"i": group, "n": ""}}


async def test_the_first_members_are_told_of_a_new_group_and_the_creator_is_not(world):
    alice, bob, carol, dave = await world.users("alice", "bob", "carol", "dave")
    group = world.fresh("group")
    await alice.done(g={"t": "c", "i": group, "n": "näme", "p": "cGlj", "m": names_of([bob, carol])})
    for member in (bob, carol):
        got = await member.expect(packets.info("c", group, n="näme"))
        assert member.text == '{"i":{"id":"%s","g":{"t":"c","i":"%s","n":"näme"}}}' % (got["i"]["id"], group)
    await nobody_else(bob, alice, dave, carol)


async def test_an_unknown_user_in_the_list_is_404_by_name_and_there_is_no_group(world):
    alice, bob = await world.users("alice", "bob")
    group, nobody = world.fresh("group"), world.fresh("nobody")
    other = await world.group(alice)
    for name in (nobody, other):
        for members in ([bob.name, name], [name, bob.name]):
            assert name in await alice.refused(404, g={"t": "c", "i": group, "n": "x", "m": members})
    await alice.refused(404, g={"t": "i", "i": group})
    assert await bob.get("g") == []
    await nobody_else(alice, bob)
    await bob.done(g={"t": "c", "i": group, "n": "mine"})


async def test_groups_are_listed_with_their_names_sorted_by_id(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    groups = sorted((world.fresh(base) for base in ("b", "c", "a", "é", "Z")), key=str.encode)
    for group in groups[::-1]:
        await alice.done(g={"t": "c", "i": group, "n": f"name of {group}", "m": [bob.name]})
    want = [{"i": group, "n": f"name of {group}"} for group in groups]
    assert await alice.get("g") == want
    await alice.done(n={"t": "s", "i": groups[0], "n": "new"})
    await alice.done(g={"t": "l", "i": groups[1]})
    want[0]["n"] = "new"
    assert await alice.get("g") == [want[0], *want[2:]]
    bob = await world.login(bob)
    assert await bob.get("g") == want


# -- add, banish ------------------------------------------------------------------------

async def test_all_members_and_the_added_are_told_of_an_addition_but_not_the_one_who_asked(world):
    alice, bob, carol, group = await three(world)
    dave, erin, stranger = await world.users("dave", "erin", "stranger")
    await alice.done(g={"t": "a", "i": group, "m": names_of([dave, erin])})
    for member in (bob, carol, dave, erin):
        await member.expect(packets.info("a", group, m=names_of([dave, erin])))
    await nobody_else(bob, alice, stranger, dave)
    assert (await erin.members(group))[0] == names_of([alice, bob, carol, dave, erin])


async def test_of_those_added_only_the_new_ones_are_told_of_and_once(world):
    alice, bob, carol, group = await three(world)
    dave = await world.user("dave")
    await alice.done(g={"t": "a", "i": group, "m": names_of([bob, dave, alice, dave, carol])})
    for member in (bob, carol, dave):
        await member.expect(packets.info("a", group, m=[dave.name]))
    await alice.done(g={"t": "a", "i": group, "m": names_of([bob, alice])})
    await alice.done(g={"t": "a", "i": group, "m": []})
    await alice.mark(group, bob, carol, dave)
    assert (await alice.members(group))[0] == names_of([alice, bob, carol, dave])


async def test_an_unknown_user_among_those_added_is_404_by_name_and_nobody_is_added(world):
    alice, bob, carol, group = await three(world)
    dave, nobody = await world.user("dave"), world.fresh("nobody")
    assert nobody in await alice.refused(404, g={"t": "a", "i": group, "m": [dave.name, nobody]})
    assert (await alice.members(group))[0] == names_of([alice, bob, carol])
    await alice.mark(group, bob, carol)
    await nobody_else(bob, dave)


async def test_those_who_stay_and_the_banished_are_told_one_packet_for_each(world):
    alice, bob, carol, group = await three(world)
    dave, = await world.users("dave")
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    for member in (bob, carol, dave):
        await member.expect(packets.info("a", group, m=[dave.name]))
    await alice.done(g={"t": "b", "i": group, "m": names_of([dave, bob, dave])})
    await carol.expect_all(packets.info("b", group, m=dave.name), packets.info("b", group, m=bob.name))
    await dave.expect(packets.info("b", group, m=dave.name))
    await bob.expect(packets.info("b", group, m=bob.name))
    assert await alice.members(group) == (names_of([alice, carol]), [alice.name])
    await alice.mark(group, carol)
    await nobody_else(carol, alice, bob, dave)
    for gone in (bob, dave):
        await gone.refused(403, g={"t": "i", "i": group})
        assert await gone.get("g") == []


async def test_an_admin_can_be_banished_by_another(world):
    alice, bob, carol, group = await three(world)
    await alice.done(g={"t": "aad", "i": group, "ad": [bob.name]})
    await bob.done(g={"t": "b", "i": group, "m": [alice.name]})
    assert await bob.members(group) == (names_of([bob, carol]), [bob.name])
    await alice.expect(packets.info("b", group, m=alice.name))


async def test_banishing_oneself_is_400_and_one_who_is_no_member_404_and_nothing_happens(world):
    alice, bob, carol, group = await three(world)
    stranger = await world.user("stranger")
    await alice.refused(400, g={"t": "b", "i": group, "m": names_of([bob, alice])})
    for name in (stranger.name, world.fresh("nobody")):
        assert name in await alice.refused(404, g={"t": "b", "i": group, "m": [bob.name, name]})
    await alice.done(g={"t": "b", "i": group, "m": []})
    await alice.mark(group, bob, carol)
    assert (await alice.members(group))[0] == names_of([alice, bob, carol])


async def test_one_banished_can_come_back_as_the_last_and_no_admin(world):
    alice, bob, carol, group = await three(world)
    await alice.done(g={"t": "aad", "i": group, "ad": [bob.name]})
    await alice.done(g={"t": "b", "i": group, "m": [bob.name]})
    await alice.done(g={"t": "a", "i": group, "m": [bob.name]})
    assert await bob.members(group) == (names_of([alice, carol, bob]), [alice.name])
    await bob.until(packets.info("a", group, m=[bob.name]))


# -- leave, terminate -------------------------------------------------------------------

async def test_those_who_stay_are_told_of_one_who_leaves(world):
    alice, bob, carol, group = await three(world)
    await bob.done(g={"t": "l", "i": group})
    for member in (alice, carol):
        await member.expect(packets.info("l", group, m=bob.name))
    await nobody_else(alice, bob)
    assert await alice.members(group) == (names_of([alice, carol]), [alice.name])
    await bob.refused(403, g={"t": "l", "i": group})
    assert await bob.get("g") == []


async def test_when_the_last_admin_leaves_the_longest_standing_member_becomes_one_and_all_are_told(world):
    alice, bob, carol, group = await three(world)
    dave = await world.user("dave")
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    await alice.done(g={"t": "aad", "i": group, "ad": [dave.name]})
    await alice.done(g={"t": "rad", "i": group, "ad": [dave.name]})
    await alice.mark(group)
    for member in (bob, carol, dave):
        await member.until(packets.message(packets.ANY, alice.name, group, "mark"))
        member.kept.clear()
    await alice.done(g={"t": "l", "i": group})
    for member in (bob, carol, dave):
        await member.expect(packets.info("l", group, m=alice.name), packets.info("aad", group, m=[bob.name]))
    assert await carol.members(group) == (names_of([bob, carol, dave]), [bob.name])
    await bob.mark(group, carol, dave)
    await nobody_else(bob, alice)


async def test_when_one_of_several_admins_leaves_nobody_becomes_one(world):
    alice, bob, carol, group = await three(world)
    await alice.done(g={"t": "aad", "i": group, "ad": [carol.name]})
    for member in (bob, carol):
        await member.expect(packets.info("aad", group, m=[carol.name]))
    await alice.done(g={"t": "l", "i": group})
    for member in (bob, carol):
        await member.expect(packets.info("l", group, m=alice.name))
    await carol.mark(group, bob)
    assert await bob.members(group) == (names_of([bob, carol]), [carol.name])


async def test_the_last_one_out_ends_the_group_and_its_name_is_free(world):
    alice, bob = await world.users("alice", "bob")
    group = await world.group(alice, bob)
    await alice.done(p={"t": "s", "i": group, "v": "cGlj"})
    await alice.done(g={"t": "l", "i": group})
    await bob.until(packets.info("aad", group, m=[bob.name]))
    bob.kept.clear()
    await bob.done(g={"t": "l", "i": group})
    await bob.refused(404, g={"t": "i", "i": group})
    id = await bob.post(group, "anyone?")
    await bob.expect(packets.error(404, id))
    admin = await world.admin()
    assert await admin.ad("cr", group, t="x") == {} == await admin.ad("del", group)
    await bob.done(g={"t": "c", "i": group, "n": "another"})
    assert await bob.rq(p={"t": "g", "i": group}) == {"p": {"i": group, "v": ""}}
    assert await bob.members(group) == ([bob.name], [bob.name])
    await nobody_else(bob, alice)


async def test_an_admin_ends_a_group_and_all_others_are_told(world):
    alice, bob, carol, group = await three(world)
    stranger = await world.user("stranger")
    await alice.done(g={"t": "aad", "i": group, "ad": [bob.name]})
    await carol.expect(packets.info("aad", group, m=[bob.name]))
    await bob.expect(packets.info("aad", group, m=[bob.name]))
    await bob.done(g={"t": "t", "i": group})
    for member in (alice, carol):
        got = await member.expect(packets.info("t", group))
        assert member.text == '{"i":{"id":"%s","g":{"t":"t","i":"%s"}}}' % (got["i"]["id"], group)
        assert await member.get("g") == []
        await member.refused(404, g={"t": "i", "i": group})
    await nobody_else(alice, bob, stranger)
    await stranger.done(g={"t": "c", "i": group, "n": "free again"})


async def test_messages_and_ids_of_a_group_that_ended_have_nothing_to_do_with_the_next_of_its_name(world):
    alice, bob = await world.users("alice", "bob")
    group = await world.group(alice, bob)
    await alice.tell(group, "old", "m1")
    await bob.expect(packets.message("m1", alice.name, group, "old"))
    await bob.dm("m1", "d1")
    await alice.expect(packets.receipt("d1", bob.name, alice.name, "dm", "m1"))
    await alice.done(g={"t": "t", "i": group})
    await bob.expect(packets.info("t", group))
    await alice.done(g={"t": "c", "i": group, "n": "x", "m": [bob.name]})
    await bob.expect(packets.info("c", group, n="x"))
    await alice.tell(group, "new", "m1")
    await bob.expect(packets.message("m1", alice.name, group, "new"))


# -- admins -----------------------------------------------------------------------------

async def test_all_others_are_told_of_new_admins_and_of_those_who_are_no_longer(world):
    alice, bob, carol, group = await three(world)
    stranger = await world.user("stranger")
    for t in ("aad", "rad"):
        await alice.done(g={"t": t, "i": group, "ad": names_of([carol, bob, carol])})
        for member in (bob, carol):
            await member.expect(packets.info(t, group, m=names_of([carol, bob])))
        assert (await bob.members(group))[1] == (names_of([alice, bob, carol]) if t == "aad" else [alice.name])
    await nobody_else(bob, alice, stranger)


@pytest.mark.parametrize("t", ["aad", "rad"])
async def test_information_names_only_those_for_whom_something_changed(world, t):
    alice, bob, carol, group = await three(world)
    if t == "aad":
        await alice.done(g={"t": "aad", "i": group, "ad": [bob.name]})
        changed, unchanged = carol, bob
    else:
        await alice.done(g={"t": "aad", "i": group, "ad": [carol.name]})
        changed, unchanged = carol, bob
    for member in (bob, carol):
        await member.recv()
    await alice.done(g={"t": t, "i": group, "ad": [unchanged.name]})
    await alice.done(g={"t": t, "i": group, "ad": []})
    await alice.mark(group, bob, carol)
    await alice.done(g={"t": t, "i": group, "ad": names_of([unchanged, changed])})
    for member in (bob, carol):
        await member.expect(packets.info(t, group, m=[changed.name]))
    await alice.mark(group, bob, carol)


@pytest.mark.parametrize("t", ["aad", "rad"])
async def test_one_who_is_no_member_can_be_made_neither_admin_nor_none(world, t):
    alice, bob, carol, group = await three(world)
    stranger = await world.user("stranger")
    for name in (stranger.name, world.fresh("nobody")):
        assert name in await alice.refused(404, g={"t": t, "i": group, "ad": [bob.name, name]})
    await alice.mark(group, bob, carol)
    assert (await alice.members(group))[1] == [alice.name]


async def test_the_last_admins_rights_stay(world):
    alice, bob, carol, group = await three(world)
    await alice.refused(400, g={"t": "rad", "i": group, "ad": [alice.name]})
    await alice.refused(400, g={"t": "rad", "i": group, "ad": names_of([bob, alice])})
    await alice.done(g={"t": "aad", "i": group, "ad": [bob.name]})
    await alice.refused(400, g={"t": "rad", "i": group, "ad": names_of([bob, alice])})
    assert (await alice.members(group))[1] == names_of([alice, bob])
    await alice.done(g={"t": "rad", "i": group, "ad": [alice.name]})
    await alice.refused(403, g={"t": "rad", "i": group, "ad": [bob.name]})
    assert (await alice.members(group))[1] == [bob.name]
    await bob.refused(400, g={"t": "rad", "i": group, "ad": [bob.name]})


# -- picture, name, mute ----------------------------------------------------------------

async def test_a_new_picture_or_name_is_told_to_all_others(world):
    alice, bob, carol, group = await three(world)
    stranger = await world.user("stranger")
    await alice.done(p={"t": "s", "i": group, "v": "cGlj"})
    await alice.done(n={"t": "s", "i": group, "n": "a new näme"})
    for member in (bob, carol):
        got = await member.expect(packets.info("p", group))
        assert member.text == '{"i":{"id":"%s","g":{"t":"p","i":"%s"}}}' % (got["i"]["id"], group)
        await member.expect(packets.info("n", group, n="a new näme"))
        assert await member.rq(p={"t": "g", "i": group}) == {"p": {"i": group, "v": "cGlj"}}
        assert await member.rq(n={"t": "g", "i": group}) == {"n": {"i": group, "n": "a new näme"}}
        assert (await member.g("i", group))["g"]["n"] == "a new näme"
    await alice.done(p={"t": "s", "i": group, "v": ""})
    for member in (bob, carol):
        await member.expect(packets.info("p", group))
    assert await alice.rq(p={"t": "g", "i": group}) == {"p": {"i": group, "v": ""}}
    await nobody_else(bob, alice, stranger)


@pytest.mark.parametrize("text", ["", "x" * 1024, "é" * 512, 'q"\\\n\u0000\u200d\U0001f600'])
async def test_a_name_is_any_text_of_1_kib_and_more_is_413(world, text):
    alice = await world.user("alice")
    group = await world.group(alice)
    await alice.done(n={"t": "s", "i": group, "n": text})
    for longer in ("x" * 1025, "é" * 513):
        await alice.refused(413, n={"t": "s", "i": group, "n": longer})
        await alice.refused(413, g={"t": "c", "i": world.fresh("group"), "n": longer})
    assert await alice.rq(n={"t": "g", "i": group}) == {"n": {"i": group, "n": text}}


async def test_a_picture_has_128_kib_and_more_is_413(world):
    alice = await world.user("alice")
    group = await world.group(alice)
    picture = "x" * (128 * 1024)
    await alice.done(p={"t": "s", "i": group, "v": picture})
    await alice.refused(413, p={"t": "s", "i": group, "v": picture + "x"})
    await alice.refused(413, g={"t": "c", "i": world.fresh("group"), "n": "", "p": picture + "x"})
    await alice.done(g={"t": "c", "i": (other := world.fresh("group")), "n": "", "p": picture})
    for name in (group, other):
        assert await alice.rq(p={"t": "g", "i": name}) == {"p": {"i": name, "v": picture}}


async def test_muting_is_the_members_own_setting_and_messages_still_arrive(world):
    alice, bob, carol, group = await three(world)

    async def muted(client):
        return (await client.g("i", group))["g"]["mt"]

    assert await muted(alice) == await muted(bob) == "0"
    for till, told in ((1790000000000, "1790000000000"), ("9007199254740991", "9007199254740991"), ("1", "1"), (0, "0")):
        await bob.done(mt={"i": group, "t": till})
        assert await muted(bob) == told and await muted(alice) == await muted(carol) == "0"
    await bob.done(mt={"i": group, "t": 2 ** 53 - 1})
    await alice.mark(group, bob, carol)
    await bob.done(umt={"i": group})
    await bob.done(umt={"i": group})
    assert await muted(bob) == "0"
    await alice.mark(group, bob, carol)


# -- form -------------------------------------------------------------------------------

@pytest.mark.parametrize("body, code", [
    ({"g": {}}, 400), ({"g": []}, 400), ({"g": "x"}, 400), ({"g": {"i": "G"}}, 400), ({"g": {"t": "i"}}, 400),
    ({"g": {"t": "x", "i": "G"}}, 400), ({"g": {"t": "", "i": "G"}}, 400), ({"g": {"t": 1, "i": "G"}}, 400),
    ({"g": {"t": "c", "i": "NEW"}}, 400), ({"g": {"t": "c", "n": "x"}}, 400), ({"g": {"t": "c", "i": "NEW", "n": 1}}, 400),
    ({"g": {"t": "c", "i": "NEW", "n": "x", "p": 1}}, 400), ({"g": {"t": "c", "i": "NEW", "n": "x", "m": "B"}}, 400),
    ({"g": {"t": "c", "i": "NEW", "n": "x", "m": [1]}}, 400), ({"g": {"t": "c", "i": "NEW", "n": "x", "m": ["B", ""]}}, 400),
    ({"g": {"t": "c", "i": "NEW", "n": "x", "m": {"u": "B"}}}, 400), ({"g": {"t": "c", "i": "", "n": "x"}}, 400),
    ({"g": {"t": "c", "i": "NEW ", "n": "x"}}, 400), ({"g": {"t": "c", "i": "a\u200db", "n": "x"}}, 400),
    ({"g": {"t": "c", "i": "x" * 129, "n": "x"}}, 413), ({"g": {"t": "c", "i": "NEW", "n": "x", "m": ["x" * 129]}}, 413),
    ({"g": {"t": "a", "i": "G"}}, 400), ({"g": {"t": "a", "i": "G", "ad": ["B"]}}, 400), ({"g": {"t": "b", "i": "G"}}, 400),
    ({"g": {"t": "a", "i": "G", "m": None}}, 400), ({"g": {"t": "aad", "i": "G"}}, 400), ({"g": {"t": "rad", "i": "G"}}, 400),
    ({"g": {"t": "aad", "i": "G", "m": ["B"]}}, 400), ({"g": {"t": "aad", "i": "G", "ad": "B"}}, 400),
    ({"g": {"t": "i", "b": "G"}}, 400), ({"g": {"t": "l", "i": 1}}, 400),
    ({"p": {"t": "s", "i": "G"}}, 400), ({"p": {"t": "s", "i": "G", "v": 1}}, 400), ({"p": {"t": "x", "i": "G", "v": "x"}}, 400),
    ({"p": {"t": "s", "i": "G", "b": "G", "v": "x"}}, 400), ({"p": {"t": "s", "i": "G", "u": "B", "v": "x"}}, 400),
    ({"p": {"t": "s", "i": None, "v": "x"}}, 400), ({"n": {}}, 400), ({"n": {"t": "s", "n": "x"}}, 400),
    ({"n": {"t": "g"}}, 400), ({"n": {"t": "s", "i": "G"}}, 400), ({"n": {"t": "x", "i": "G", "n": "x"}}, 400),
    ({"n": {"t": "s", "i": "G", "n": 1}}, 400), ({"n": {"t": "g", "i": "G", "b": "G"}}, 400), ({"n": {"t": "g", "u": "B"}}, 400),
    ({"mt": {}}, 400), ({"mt": {"i": "G"}}, 400), ({"mt": {"t": 1}}, 400), ({"mt": {"i": "G", "t": -1}}, 400),
    ({"mt": {"i": "G", "t": "x"}}, 400), ({"mt": {"i": "G", "t": 2 ** 53}}, 400), ({"mt": {"i": "G", "t": 1.5}}, 400),
    ({"mt": {"i": "G", "t": None}}, 400), ({"umt": {}}, 400), ({"umt": "G"}, 400), ({"umt": {"i": 1}}, 400),
])
@once
async def test_a_request_of_another_form_is_refused_and_nothing_changes(world, body, code):
    alice, bob = await world.user("alice"), await world.account("bob")
    group, new = await world.group(alice), world.fresh("group")
    text = packets.write({"rq": {"id": "x", **body}})
    for short, name in (("G", group), ("NEW", new), ("B", bob.name), ("NEW ", new + " ")):
        text = text.replace(f'"{short}"', f'"{name}"')
    await alice.send(text)
    got = await alice.recv()
    assert got == packets.error(code, "x"), got
    await alice.refused(404, g={"t": "i", "i": new})
    assert await alice.members(group) == ([alice.name], [alice.name])
    assert (await alice.g("i", group))["g"] == {"i": group, "c": packets.ANY, "mt": "0", "m": [alice.name], "n": "a group"}


@pytest.mark.parametrize("body", [
    {"g": {"t": t, "i": "I", "m": [], "ad": []}} for t in ("a", "b", "l", "t", "i", "aad", "rad", "ad")] + [
    {"p": {"t": "s", "i": "I", "v": ""}}, {"p": {"t": "g", "i": "I"}}, {"n": {"t": "s", "i": "I", "n": ""}},
    {"n": {"t": "g", "i": "I"}}, {"mt": {"i": "I", "t": 1}}, {"umt": {"i": "I"}},
])
@once
async def test_what_is_no_group_is_404_by_name_whatever_is_asked(world, body):
    alice = await world.user("alice")
    for name in (world.fresh("nothing"), alice.name, await world.broadcast(alice)):
        await alice.send(packets.write({"rq": {"id": "x", **body}}).replace('"I"', f'"{name}"'))
        assert await alice.expect(packets.error(404, "x")) and name in alice.text


# -- stored -----------------------------------------------------------------------------

async def test_information_is_stored_for_those_offline_and_keeps_its_place_among_messages(world):
    alice, bob, account = *await world.users("alice", "bob"), await world.account("carol")
    group = await world.group(alice, bob, account)
    await alice.tell(group, 1, "m1")
    await alice.done(n={"t": "s", "i": group, "n": "new"})
    await alice.tell(group, 2, "m2")
    await alice.done(g={"t": "aad", "i": group, "ad": [account.name]})
    await alice.tell(group, 3, "m3")
    await alice.done(p={"t": "s", "i": group, "v": "x"})
    await alice.done(g={"t": "b", "i": group, "m": [account.name]})
    await alice.tell(group, 4, "m4")
    shared = [packets.message("m1", alice.name, group, 1), packets.info("n", group, n="new"),
              packets.message("m2", alice.name, group, 2), packets.info("aad", group, m=[account.name]),
              packets.message("m3", alice.name, group, 3), packets.info("p", group),
              packets.info("b", group, m=account.name)]
    await bob.expect(*shared, packets.message("m4", alice.name, group, 4))
    for _ in range(2):  # the same again, till it is acknowledged
        carol = await world.login(account)
        await carol.expect(packets.info("c", group, n="a group"), *shared)
    await alice.nothing_for(carol)


async def test_a_session_acknowledges_information_by_its_pong(make_world):
    world = make_world({"delivery.ack_ping_delay": "100ms"})
    alice, account = await world.user("alice"), await world.account("bob")
    group = await world.group(alice, account)
    bob = await world.login_raw(account)
    await bob.expect(packets.info("c", group, n="a group"))
    await bob.pong(await bob.ping_payload())
    await bob.knock()
    bob = await world.login(account)
    await alice.mark(group, bob)


async def test_an_information_has_the_same_id_for_all_and_each_another(world):
    alice, bob, carol, group = await three(world)
    for name in ("one", "two"):
        await alice.done(n={"t": "s", "i": group, "n": name})
    ids = [[(await member.recv())["i"]["id"] for _ in range(2)] for member in (bob, carol)]
    assert ids[0] == ids[1] and len(set(ids[0])) == 2


# -- many -------------------------------------------------------------------------------

@once
async def test_a_group_has_as_many_members_as_max_group_members(make_world):
    world = make_world({"limits.max_group_members": 4})
    alice = await world.user("alice")
    users = names_of(await world.accounts(*(f"u{n}" for n in range(6))))
    group, other = world.fresh("group"), world.fresh("group")
    await alice.refused(413, g={"t": "c", "i": group, "n": "x", "m": users[:4]})
    await alice.refused(404, g={"t": "i", "i": group})
    await alice.done(g={"t": "c", "i": group, "n": "x", "m": users[:3] + users[:3] + [alice.name]})
    await alice.refused(413, g={"t": "a", "i": group, "m": [users[3]]})
    await alice.done(g={"t": "a", "i": group, "m": users[:3]})
    await alice.done(g={"t": "b", "i": group, "m": [users[0]]})
    await alice.refused(413, g={"t": "a", "i": group, "m": users[3:5]})
    await alice.done(g={"t": "a", "i": group, "m": [users[3]]})
    assert (await alice.members(group))[0] == [alice.name, *users[1:4]]
    await alice.done(br={"t": "c", "i": other, "n": "x", "m": users[:4]})
    await alice.refused(413, br={"t": "a", "i": other, "m": [users[4]]})


@once
async def test_of_changes_by_many_at_once_a_member_is_told_what_makes_the_final_list(world):
    admins = await world.users(*(f"a{n}" for n in range(4)))
    witness = await world.user("witness")
    others = names_of(await world.accounts(*(f"u{n}" for n in range(8))))
    group = await world.group(admins[0], *admins[1:], witness, admins=admins[1:])

    async def churn(client, at):
        for n in range(10):
            pair = [others[(at * 3 + n) % len(others)], others[(at + n * 5) % len(others)]]
            await client.g("a", group, m=pair)
            await client.g("b", group, m=pair[1:])
            await client.g("aad", group, ad=pair[:1])
            await client.g("rad", group, ad=pair[:1])

    await asyncio.gather(*(churn(client, at) for at, client in enumerate(admins)))
    told = replay(names_of([*admins, witness]), names_of(admins), await heard_of(admins[0], group, witness))
    for client in (*admins, witness):
        assert await client.members(group) == told


@once
@pytest.mark.durable
async def test_a_group_outlives_a_crash(make_world):
    world = make_world()
    alice, bob, carol = await world.users("alice", "bob", "carol")
    dave = await world.account("dave")
    group = await world.group(alice, bob, carol)
    await alice.done(p={"t": "s", "i": group, "v": "cGlj"})
    await alice.done(n={"t": "s", "i": group, "n": "new"})
    await bob.done(mt={"i": group, "t": 1790000000000})
    await alice.done(g={"t": "aad", "i": group, "ad": [carol.name]})
    await alice.done(g={"t": "a", "i": group, "m": [dave.name]})
    await alice.done(g={"t": "b", "i": group, "m": [carol.name]})
    await alice.done(g={"t": "a", "i": group, "m": [carol.name]})
    answers = [await bob.g("i", group), await bob.g("ad", group), await bob.rq(p={"t": "g", "i": group})]
    world.server.kill()
    await world.restarted()
    bob, dave = await world.login(bob.account), await world.login(dave)
    assert [await bob.g("i", group), await bob.g("ad", group), await bob.rq(p={"t": "g", "i": group})] == answers
    assert answers[0]["g"]["mt"] == "1790000000000"
    assert (await bob.members(group)) == (names_of([alice, bob, dave, carol]), [alice.name])
    await dave.until(packets.info("b", group, m=carol.name))
    assert await dave.get("g") == [{"i": group, "n": "new"}]
