"""protocol.md section 5: followings and the lists a user can ask for."""

import pytest

import packets
from lempd import once


def pairs(*followed):
    return [{"u": user.name, "n": nick} for user, nick in followed]


async def sorted_users(world, count):
    return sorted(await world.accounts(*(f"u{n}" for n in range(count))), key=lambda a: a.name.encode())


async def test_followings_are_added_removed_renamed_and_listed_as_the_protocol_shows(world):
    alice = await world.user("alice")
    bob, carol = await world.accounts("bob", "carol")
    for text, answer in (
        ('{"rq":{"id":"3","af":[{"u":"BOB","n":"Bobby"},{"u":"CAROL","n":"C"}]}}', '{"rp":{"id":"3"}}'),
        ('{"rq":{"id":"4","rf":["BOB"]}}', '{"rp":{"id":"4"}}'),
        ('{"rq":{"id":"5","uf":[{"u":"CAROL","n":"Caro"}]}}', '{"rp":{"id":"5"}}'),
        ('{"rq":{"id":"6","get":{"o":"f"}}}', '{"rp":{"id":"6","f":[{"u":"CAROL","n":"Caro"}]}}'),
    ):
        await alice.send(text.replace("BOB", bob.name).replace("CAROL", carol.name))
        assert await alice.recv_text() == answer.replace("CAROL", carol.name)


async def test_names_without_quotes_are_taken_everywhere_in_a_following(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    for text in ('{rq:{id:"3",af:[{u:"%s",n:"Bobby"}]}}', '{rq:{id:"3",uf:[{u:"%s",n:"Bob"}]}}',
                 '{rq:{id:"3",rf:["%s"]}}'):
        await alice.send(text % bob.name)
        assert await alice.recv_text() == '{"rp":{"id":"3"}}'
    await alice.send('{rq:{id:"6",get:{o:"f"}}}')
    assert await alice.recv_text() == '{"rp":{"id":"6","f":[]}}'


async def test_lists_are_sorted_by_user_name_byte_for_byte(world):
    alice = await world.user("alice")
    users = await world.accounts("b", "a", "B", "é", "a b", "z", "10", "9", "\U0001f600", "\uffee")
    await alice.done(af=[{"u": user.name, "n": user.name[:1]} for user in users])
    want = sorted((user.name for user in users), key=str.encode)
    assert [pair["u"] for pair in await alice.get("f")] == want


async def test_followers_are_listed_sorted(world):
    alice = await world.user("alice")
    followers = await world.users("c", "a", "b")
    for follower in followers:
        await follower.done(af=[{"u": alice.name}])
    assert await alice.get("fr") == sorted(follower.name for follower in followers)
    await followers[0].done(rf=[alice.name])
    assert await alice.get("fr") == sorted(follower.name for follower in followers[1:])


async def test_all_five_lists_are_empty_in_the_beginning(world):
    alice = await world.user("alice")
    for o in ("f", "fr", "g", "br", "pr"):
        await alice.send({"rq": {"id": "1", "get": {"o": o}}})
        assert await alice.recv_text() == '{"rp":{"id":"1","%s":[]}}' % o


async def test_a_nick_never_given_is_empty_and_one_given_before_stays_when_none_comes(world):
    alice = await world.user("alice")
    bob, carol = await sorted_users(world, 2)
    await alice.done(af=[{"u": bob.name}, {"u": carol.name, "n": "C"}])
    await alice.done(af=[{"u": carol.name}])
    assert await alice.get("f") == pairs((bob, ""), (carol, "C"))


async def test_adding_one_followed_already_updates_the_nick(world):
    alice = await world.user("alice")
    bob, carol = await sorted_users(world, 2)
    await alice.done(af=pairs((bob, "B"), (carol, "C")))
    await alice.done(af=pairs((carol, "Caro")))
    await alice.done(af=pairs((bob, "")))
    assert await alice.get("f") == pairs((bob, ""), (carol, "Caro"))


@pytest.mark.parametrize("request_", ["af", "uf"])
async def test_the_last_of_a_repeated_user_wins(world, request_):
    alice = await world.user("alice")
    bob, carol = await sorted_users(world, 2)
    await alice.done(af=pairs((bob, "x"), (carol, "y")))
    await alice.done(**{request_: pairs((bob, "1"), (carol, "2"), (bob, "3"), (bob, "4"))})
    assert await alice.get("f") == pairs((bob, "4"), (carol, "2"))


async def test_one_who_is_not_followed_can_be_removed_and_removed_twice(world):
    alice = await world.user("alice")
    bob, carol = await sorted_users(world, 2)
    await alice.done(af=pairs((bob, "B")))
    await alice.done(rf=[carol.name, bob.name, bob.name])
    await alice.done(rf=[bob.name])
    assert await alice.get("f") == []


@pytest.mark.parametrize("request_", ["af", "rf", "uf"])
async def test_an_unknown_user_is_404_by_name_and_nothing_changes(world, request_):
    alice = await world.user("alice")
    bob, carol, dave = await sorted_users(world, 3)
    nobody = world.fresh("nobody")
    await alice.done(af=pairs((bob, "B"), (carol, "C")))
    users = [bob.name, dave.name if request_ == "af" else carol.name, nobody]
    for order in (users, users[::-1]):
        body = order if request_ == "rf" else [{"u": user, "n": "new"} for user in order]
        assert nobody in await alice.refused(404, **{request_: body})
        assert await alice.get("f") == pairs((bob, "B"), (carol, "C"))


async def test_renaming_one_not_followed_is_404_by_name_and_nothing_changes(world):
    alice = await world.user("alice")
    bob, carol = await sorted_users(world, 2)
    await alice.done(af=pairs((bob, "B")))
    assert carol.name in await alice.refused(404, uf=pairs((bob, "new"), (carol, "C")))
    assert await alice.get("f") == pairs((bob, "B"))


async def test_a_group_or_broadcast_cannot_be_followed(world):
    alice = await world.user("alice")
    for name in (await world.group(alice), await world.broadcast(alice)):
        assert name in await alice.refused(404, af=[{"u": name}])


async def test_following_oneself_is_400_and_nothing_changes(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    await alice.refused(400, af=[{"u": bob.name}, {"u": alice.name, "n": "me"}])
    assert await alice.get("f") == [] == await alice.get("fr")


async def test_two_users_can_follow_each_other(world):
    alice, bob = await world.users("alice", "bob")
    await alice.done(af=pairs((bob, "B")))
    await bob.done(af=pairs((alice, "A")))
    for user, other, nick in ((alice, bob, "B"), (bob, alice, "A")):
        assert await user.get("f") == pairs((other, nick)) and await user.get("fr") == [other.name]


@pytest.mark.parametrize("nick", ["", "x" * 1024, "é" * 512, 'q"\\\n\u0000\u200d\U0001f600', " "])
async def test_a_nick_is_any_text_of_1_kib(world, nick):
    alice, bob = await world.user("alice"), await world.account("bob")
    await alice.done(af=pairs((bob, nick)))
    assert await alice.get("f") == pairs((bob, nick))


@pytest.mark.parametrize("request_", ["af", "uf"])
@pytest.mark.parametrize("nick", ["x" * 1025, "é" * 513])
async def test_a_longer_nick_is_413_and_nothing_changes(world, request_, nick):
    alice = await world.user("alice")
    bob, carol = await sorted_users(world, 2)
    await alice.done(af=pairs((bob, "B")))
    await alice.refused(413, **{request_: pairs((bob, nick))})
    await alice.refused(413, af=pairs((carol, "C"), (bob, nick)))
    assert await alice.get("f") == pairs((bob, "B"))


async def test_a_name_that_is_too_long_is_413_and_one_that_is_none_400(world):
    alice = await world.user("alice")
    for name, code in (("x" * 129, 413), (" x", 400), ("", 400), ("a\u200db", 400)):
        await alice.refused(code, af=[{"u": name}])
        await alice.refused(code, uf=[{"u": name, "n": "x"}])
        await alice.refused(code, rf=[name])


@pytest.mark.parametrize("body", [
    {"af": {}}, {"af": "x"}, {"af": None}, {"af": ["x"]}, {"af": [{}]}, {"af": [{"n": "x"}]}, {"af": [[]]},
    {"af": [{"u": 1}]}, {"af": [{"u": "USER", "n": 1}]}, {"af": [{"u": "USER", "n": None}]}, {"af": [{"u": "USER"}, 1]},
    {"rf": {}}, {"rf": "x"}, {"rf": [1]}, {"rf": [None]}, {"rf": [{"u": "x"}]}, {"rf": ["USER", []]},
    {"uf": "x"}, {"uf": [{}]}, {"uf": [{"u": "USER"}]}, {"uf": [{"n": "x"}]}, {"uf": ["x"]},
    {"get": {}}, {"get": []}, {"get": "f"}, {"get": {"o": "x"}}, {"get": {"o": ""}}, {"get": {"o": 1}},
    {"get": {"o": None}}, {"get": {"o": "F"}}, {"get": {"o": "ff"}}, {"get": {"o": "f" * 100}},
])
@once
async def test_a_request_of_another_form_is_400_and_nothing_changes(world, body):
    alice, bob = await world.user("alice"), await world.account("bob")
    await alice.done(af=pairs((bob, "B")))
    text = packets.write({"rq": {"id": "x", **body}}).replace("USER", bob.name)
    await alice.send(text)
    await alice.expect(packets.error(400, "x"))
    assert await alice.get("f") == pairs((bob, "B"))


async def test_an_empty_list_changes_nothing(world):
    alice = await world.user("alice")
    for request in ("af", "rf", "uf"):
        await alice.done(**{request: []})
    assert await alice.get("f") == []


async def test_requests_of_one_connection_take_effect_in_the_order_sent(world):
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(20):
        await alice.send({"rq": {"id": f"a{n}", "af": [{"u": bob.name, "n": f"{n}"}]}})
        await alice.send({"rq": {"id": f"r{n}", "rf": [bob.name]}})
    await alice.send({"rq": {"id": "last", "af": [{"u": bob.name}]}})
    assert await alice.response("last") == {}
    assert await alice.get("f") == pairs((bob, ""))


async def test_many_followers_of_one_user_are_all_listed(world):
    alice = await world.user("alice")
    followers = await world.users(*(f"f{n}" for n in range(12)))
    for follower in followers:
        await follower.send({"rq": {"id": "x", "af": [{"u": alice.name}]}})
    for follower in followers:
        assert await follower.response("x") == {}
    assert await alice.get("fr") == sorted(follower.name for follower in followers)


@once
async def test_up_to_1000_per_request_and_10000_per_user(make_world):
    world = make_world()
    names = [f"user {n:05}" for n in range(10002)]
    world.server.import_users(names)
    alice = await world.user("alice")
    await alice.refused(413, af=[{"u": name} for name in names[:1001]])
    await alice.refused(413, rf=names[:1001])
    await alice.refused(413, uf=[{"u": name, "n": ""} for name in names[:1001]])
    assert await alice.get("f") == []
    for at in range(0, 9000, 1000):
        await alice.done(af=[{"u": name} for name in names[at:at + 1000]])
    await alice.done(af=[{"u": name} for name in names[9000:9999]])
    await alice.refused(413, af=[{"u": name} for name in names[9999:10001]])
    await alice.done(af=[{"u": names[9999], "n": "the last"}])
    await alice.refused(413, af=[{"u": names[10000]}])
    await alice.done(af=[{"u": name, "n": "x"} for name in names[:1000]])  # followed already
    await alice.done(rf=[names[0]])
    await alice.done(af=[{"u": names[10000], "n": ""}])
    followed = await alice.get("f")
    assert [pair["u"] for pair in followed] == names[1:10001]
    assert [pair["n"] for pair in followed] == ["x"] * 999 + [""] * 8999 + ["the last", ""]


@once
@pytest.mark.durable
async def test_followings_outlive_a_crash(make_world):
    world = make_world()
    alice, bob = await world.users("alice", "bob")
    carol, dave = await world.accounts("carol", "dave")
    await alice.done(af=pairs((bob, "B"), (carol, "C"), (dave, "D")))
    await alice.done(uf=pairs((carol, "Caro")))
    await alice.done(rf=[dave.name])
    world.server.kill()
    await world.restarted()
    alice, bob = await world.login(alice.account), await world.login(bob.account)
    assert await alice.get("f") == pairs((bob, "B"), (carol, "Caro"))
    assert await bob.get("fr") == [alice.name]
