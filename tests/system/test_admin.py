"""protocol.md sections 11 and 13.12: server requests and administration."""

import re
import time

import pytest

import packets
from lempd import Account, once


# -- server requests --------------------------------------------------------------

async def test_the_time_is_told_with_the_offset_inside_and_outside(world):
    user = await world.user("alice")
    before = int(time.time() * 1000)
    await user.send({"srq": {"id": "20", "t": "t"}})
    text = await user.recv_text()
    after = int(time.time() * 1000)
    told = re.fullmatch(r'\{"srp":\{"id":"20","t":"t","tm":"(\d+)","o":(-?[\d.]+)\},"o":(-?[\d.]+)\}', text)
    assert told, text
    assert before - 1 <= int(told[1]) <= after + 1
    assert told[2] == told[3]


@pytest.mark.parametrize("zone, offset", [
    ("UTC0", "0"), ("XXX-2", "2"), ("XXX+5", "-5"), ("XXX-5:30", "5.5"), ("XXX-5:45", "5.75"), ("XXX+9:30", "-9.5"),
])
@once
async def test_the_offset_is_in_hours_and_whole_where_it_is_whole(make_world, zone, offset):
    world = make_world(env={"TZ": zone})
    user = await world.user("alice")
    await user.send({"srq": {"id": "1", "t": "t"}})
    text = await user.recv_text()
    assert text.endswith(f'"o":{offset}}},"o":{offset}}}'), text


async def test_a_knock_is_answered(world):
    user = await world.user("alice")
    await user.send({"srq": {"id": "21", "t": "k"}})
    assert await user.recv_text() == '{"srp":{"id":"21","t":"k"}}'


@pytest.mark.parametrize("datum, id", [
    ({"id": "1", "t": "x"}, "1"), ({"id": "1", "t": ""}, "1"), ({"id": "1"}, "1"), ({"id": "1", "t": 1}, "1"),
    ({"id": "1", "t": "kk"}, "1"), ({"id": "1", "t": "K"}, "1"), ({"t": "k"}, None), ({"id": "1", "t": "x" * 500}, "1"),
    ({"id": "1", "t": None}, "1"), ({"id": "", "t": "k"}, None), ({"id": [], "t": "k"}, None), ([], None), ("k", None),
])
async def test_a_wrong_server_request_is_answered_with_srp_and_its_error(world, datum, id):
    user = await world.user("alice")
    await user.send({"srq": datum})
    got = await user.recv()
    assert got.get("srp", {}).get("e", {}).get("c") in ("400", "413"), got
    assert got["srp"].get("id") == id
    await user.quiet()


async def test_an_error_to_a_server_request_carries_its_type(world):
    user = await world.user("alice")
    await user.send({"srq": {"id": "1", "t": "x"}})
    await user.expect(packets.server_error(400, "1", "x"))


async def test_a_thousand_knocks_are_answered_in_any_order_but_all(world):
    user = await world.user("alice")
    for n in range(1000):
        await user.send({"srq": {"id": n, "t": "k"}})
    await user.expect_all(*(packets.knock(str(n)) for n in range(1000)))


# -- administration ---------------------------------------------------------------

async def test_an_admin_creates_a_user_who_can_log_in(world):
    admin = await world.admin()
    account = Account(world.fresh("dave"), "secret")
    await admin.send({"rq": {"id": "22", "ad": {"c": "cr", "i": account.name, "t": "secret", "ty": "0"}}})
    assert await admin.recv_text() == '{"rp":{"id":"22"}}'
    dave = await world.login(account)
    assert (await dave.ad("cr", world.fresh("eve"), t="x"))["e"]["c"] == "403"


@pytest.mark.parametrize("type", ["1", 1])
async def test_an_admin_creates_another_admin(world, type):
    admin = await world.admin()
    account = Account(world.fresh("dave"), "secret")
    assert await admin.ad("cr", account.name, t="secret", ty=type) == {}
    dave = await world.login(account)
    assert await dave.ad("cr", world.fresh("eve"), t="x") == {}


@pytest.mark.parametrize("type", [None, "0", 0])
async def test_a_user_is_no_admin_by_default(world, type):
    admin = await world.admin()
    account = Account(world.fresh("dave"), "secret")
    more = {} if type is None else {"ty": type}
    assert await admin.ad("cr", account.name, t="secret", **more) == {}
    dave = await world.login(account)
    for c in ("cr", "del", "up"):
        assert (await dave.ad(c, account.name, t="x"))["e"]["c"] == "403"


async def test_a_user_made_admin_by_a_packet_of_his_own_is_refused(world):
    alice = await world.user("alice")
    assert (await alice.ad("up", alice.name, ty="1"))["e"]["c"] == "403"
    assert (await alice.ad("cr", world.fresh("x"), t="x", ty="1"))["e"]["c"] == "403"
    assert (await alice.ad("del", alice.name))["e"]["c"] == "403"


async def test_a_taken_name_is_409_and_its_token_stays(world):
    admin = await world.admin()
    account = await world.account("dave")
    assert (await admin.ad("cr", account.name, t="other", ty="1"))["e"]["c"] == "409"
    dave = await world.login(account)
    assert (await dave.ad("del", world.fresh("x")))["e"]["c"] == "403"


async def test_two_creations_at_once_of_one_name_give_one_user(world):
    admin = await world.admin()
    name = world.fresh("dave")
    for n in range(10):
        await admin.send({"rq": {"id": f"c{n}", "ad": {"c": "cr", "i": name, "t": f"token {n}"}}})
    answers = [await admin.response(f"c{n}") for n in range(10)]
    made = [n for n, answer in enumerate(answers) if answer == {}]
    assert len(made) == 1 and all(a == {} or a["e"]["c"] == "409" for a in answers)
    await world.login(Account(name, f"token {made[0]}"))


@pytest.mark.parametrize("ad", [
    {}, {"c": "cr"}, {"i": "x", "t": "y"}, {"c": "xx", "i": "x", "t": "y"}, {"c": "", "i": "x"}, {"c": "CR", "i": "x", "t": "y"},
    {"c": "cr", "i": "x"}, {"c": "cr", "i": "x", "t": 1}, {"c": "cr", "i": "x", "t": None},
    {"c": "cr", "i": "x", "t": "y", "ty": "2"}, {"c": "cr", "i": "x", "t": "y", "ty": ""},
    {"c": "cr", "i": "x", "t": "y", "ty": None}, {"c": 1, "i": "x", "t": "y"}, {"c": "del"},
    {"c": "cr", "i": "x", "t": "y", "ty": True},
])
async def test_a_wrong_admin_request_is_400(world, ad):
    admin = await world.admin()
    assert (await admin.rq(ad=ad))["e"]["c"] == "400"


async def test_a_token_longer_than_1_kib_is_413(world):
    admin = await world.admin()
    name = world.fresh("dave")
    assert (await admin.ad("cr", name, t="x" * 1025))["e"]["c"] == "413"
    assert (await admin.ad("del", name))["e"]["c"] == "404"
    account = await world.account("erin")
    assert (await admin.ad("up", account.name, t="x" * 1025))["e"]["c"] == "413"
    await world.login(account)


async def test_deleting_an_unknown_user_is_404_and_oneself_400(world):
    admin = await world.admin()
    assert (await admin.ad("del", world.fresh("nobody")))["e"]["c"] == "404"
    assert (await admin.ad("del", admin.name))["e"]["c"] == "400"
    await admin.quiet()


async def test_changing_an_unknown_user_is_404_and_changing_nothing_400(world):
    admin = await world.admin()
    account = await world.account("dave")
    assert (await admin.ad("up", world.fresh("nobody"), t="x"))["e"]["c"] == "404"
    assert (await admin.ad("up", account.name))["e"]["c"] == "400"


async def test_a_changed_token_counts_for_the_next_login_and_sessions_stay(world):
    admin = await world.admin()
    dave = await world.user("dave")
    assert await admin.ad("up", dave.name, t="new") == {}
    await dave.quiet()
    client = await world.connect(local="127.8.0.1")
    await client.login(dave.account, accepted=0)
    assert client.account == dave.account
    await client.login(Account(dave.name, "new"))
    assert await dave.closed() == 4001


async def test_a_changed_type_counts_at_once(world):
    admin = await world.admin()
    dave = await world.user("dave")
    assert await admin.ad("up", dave.name, ty="1") == {}
    assert await dave.ad("cr", world.fresh("x"), t="x") == {}
    assert await admin.ad("up", dave.name, ty="0") == {}
    assert (await dave.ad("cr", world.fresh("x"), t="x"))["e"]["c"] == "403"
    await world.login(dave.account)  # the token stayed


async def test_a_deleted_user_is_closed_with_4002_and_cannot_log_in(world):
    admin = await world.admin()
    dave = await world.user("dave")
    assert await admin.ad("del", dave.name) == {}
    assert await dave.closed() == 4002
    client = await world.connect(local="127.8.0.2")
    await client.login(dave.account, accepted=0)
    alice = await world.user("alice")
    id = await alice.post(dave.name, "hello?")
    await alice.expect(packets.error(404, id))
    assert (await admin.ad("del", dave.name))["e"]["c"] == "404"


async def test_one_who_takes_the_name_of_a_deleted_user_is_somebody_else(world):
    admin = await world.admin()
    alice = await world.user("alice")
    dave = await world.account("dave")
    await alice.tell(dave.name, "for the old dave", "m1")
    assert await admin.ad("del", dave.name) == {}
    assert await admin.ad("cr", dave.name, t="another") == {}
    new = await world.login(Account(dave.name, "another"))
    await alice.nothing_for(new)  # the old one's mailbox is gone
    await alice.tell(dave.name, "for the new dave", "m2")
    await new.expect(packets.message("m2", alice.name, dave.name, "for the new dave"))


async def test_after_deletion_the_ids_the_user_sent_are_forgotten(world):
    admin = await world.admin()
    alice = await world.user("alice")
    dave = await world.user("dave")
    await dave.tell(alice, "of the old dave", "m1")
    await alice.expect(packets.message("m1", dave.name, alice.name, "of the old dave"))
    await alice.dm("m1")
    assert await admin.ad("del", dave.name) == {}
    assert await admin.ad("cr", dave.name, t="another") == {}
    new = await world.login(Account(dave.name, "another"))
    await new.tell(alice, "of the new dave", "m1")
    await alice.expect(packets.message("m1", dave.name, alice.name, "of the new dave"))


async def test_what_a_deleted_user_sent_is_still_delivered_and_its_receipts_vanish(world):
    admin = await world.admin()
    bob = await world.account("bob")
    dave = await world.user("dave")
    await dave.tell(bob.name, "testament", "m1")
    assert await admin.ad("del", dave.name) == {}
    assert await admin.ad("cr", dave.name, t="another") == {}
    new = await world.login(Account(dave.name, "another"))
    bob = await world.login(bob)
    await bob.expect(packets.message("m1", dave.name, bob.name, "testament"))
    await bob.dm("m1")
    await bob.nothing_for(new)
