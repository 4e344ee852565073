"""protocol.md sections 4, 13.1, 13.10: login and logout."""

import time

import pytest

import packets
from lempd import Account

EVERY_KIND = [
    '{"rq":{"id":"1","lo":{"r":"bye"}}}', '{"rq":{"id":"1","ad":{"c":"cr","i":"x","t":"y"}}}',
    '{"rq":{"id":"1","af":[{"u":"bob"}]}}', '{"rq":{"id":"1","nonsense":{}}}', '{"rq":{"id":"1"}}',
    '{"srq":{"id":"1","t":"t"}}', '{"srq":{"id":"1","t":"k"}}', '{"srq":{"id":"1","t":"x"}}',
    '{"m":{"id":"1","r":"bob","c":1}}', '{"m":{"id":"1","dm":{"id":"2"}}}', '{"m":{"id":"1","nm":{"id":"2"}}}',
    '{"m":{"id":"1"}}', '{"rp":{"id":"1"}}', '{"srp":{"id":"1"}}', '{"i":{"id":"1"}}', "{}",
]

_address = iter(f"127.7.{a}.{b}" for a in range(1, 255) for b in range(1, 255))


def address():
    """A loopback address of one's own: failures are counted by address, too."""
    return next(_address)


async def attempt(client, identity, token, id="1"):
    await client.send({"rq": {"id": id, "a": {"i": identity, "t": token}}})
    return await client.recv()


async def test_a_login_with_the_right_token_is_answered_1(world):
    account = await world.account("alice")
    client = await world.connect()
    await client.send({"rq": {"id": "1", "a": {"i": account.name, "t": account.token}}})
    assert await client.recv_text() == '{"rp":{"id":"1","response":1}}'
    await client.quiet()


async def test_a_wrong_token_and_an_unknown_user_look_alike(world):
    account = await world.account("alice")
    client = await world.connect(local=address())
    answers = []
    for identity, token in ((account.name, "wrong"), ("nobody at all", account.token), (account.name, ""),
                            (account.name, account.token + "x")):
        await client.send({"rq": {"id": "1", "a": {"i": identity, "t": token}}})
        answers.append(await client.recv_text())
    assert set(answers) == {'{"rp":{"id":"1","response":0}}'}


@pytest.mark.parametrize("identity", ["", "x" * 129, "a\u200db", " x", "x\n", "é" * 2000])
async def test_an_identity_that_is_no_name_is_a_refused_login(world, identity):
    client = await world.connect(local=address())
    await client.send({"rq": {"id": "1", "a": {"i": identity, "t": "t"}}})
    await client.expect(packets.login_answer("1", 0))


async def test_a_token_over_1_kib_is_a_refused_login(world):
    account = await world.account("alice")
    client = await world.connect(local=address())
    assert await attempt(client, account.name, "x" * 1025) in (packets.login_answer("1", 0), packets.error(413, "1"))
    await client.login(account)


async def test_a_token_of_1_kib_works(world):
    admin = await world.admin()
    account = Account(world.fresh("alice"), "é" * 512)
    assert await admin.ad("cr", account.name, t=account.token) == {}
    await world.login(account)


async def test_a_token_is_compared_after_its_escapes_are_decoded(world):
    admin = await world.admin()
    name = world.fresh("alice")
    assert await admin.ad("cr", name, t='ä"\\\u0000\n😀') == {}
    client = await world.connect()
    await client.send('{"rq":{"id":"1","a":{"i":"%s","t":"\\u00e4\\"\\\\\\u0000\\n\\ud83d\\ude00"}}}' % name)
    await client.expect(packets.login_answer("1", 1))


async def test_after_a_refused_login_the_connection_can_log_in(world):
    account = await world.account("alice")
    client = await world.connect(local=address())
    assert await attempt(client, account.name, "wrong") == packets.login_answer("1", 0)
    await client.login(account)


@pytest.mark.parametrize("body", ['{}', '{"i":"x"}', '{"t":"x"}', '{"i":1,"t":"x"}', '{"i":"x","t":1}', '[]',
                                  '{"i":null,"t":"x"}'])
async def test_a_login_with_missing_or_wrong_fields_is_400(world, body):
    client = await world.connect(local=address())
    await client.send('{"rq":{"id":"1","a":%s}}' % body)
    await client.expect(packets.error(400, "1"))


@pytest.mark.parametrize("text", EVERY_KIND)
async def test_before_login_all_that_parses_but_is_no_login_is_401(world, text):
    client = await world.connect()
    await client.send(text)
    got = await client.recv()
    datum = got.get("rp") or got.get("srp")
    assert datum["e"]["c"] == "401"
    await client.login(await world.account("alice"))


async def test_401_carries_the_id_and_a_server_request_is_answered_by_srp(world):
    client = await world.connect()
    await client.send('{"rq":{"id":"7","lo":{"r":"x"}}}')
    await client.expect(packets.error(401, "7"))
    await client.send('{"m":{"id":"8","r":"x","c":1}}')
    await client.expect(packets.error(401, "8"))
    await client.send('{"srq":{"id":"9","t":"t"}}')
    await client.expect(packets.server_error(401, "9", "t"))


async def test_what_was_refused_before_login_has_no_effect(world):
    alice, bob = await world.accounts("alice", "bob")
    client = await world.connect()
    await client.send({"m": {"id": "1", "r": bob.name, "c": "too early"}})
    await client.expect(packets.error(401, "1"))
    await client.login(alice)
    bob = await world.login(bob)
    await client.nothing_for(bob)


async def test_a_login_when_already_logged_in_is_400(world):
    alice, bob = await world.accounts("alice", "bob")
    client = await world.login(alice)
    for account in (alice, bob):
        assert await attempt(client, account.name, account.token, "9") == packets.error(400, "9")
    await client.tell(client, "still here")


async def test_packets_right_behind_the_login_take_effect_after_it(world):
    account = await world.account("alice")
    client = await world.connect()
    await client.send({"rq": {"id": "1", "a": {"i": account.name, "t": account.token}}})
    for n in range(50):
        await client.send({"srq": {"id": f"k{n}", "t": "k"}})
    await client.expect(packets.login_answer("1", 1), *(packets.knock(f"k{n}") for n in range(50)))


async def test_logout_has_no_response_and_closes_with_1000(world):
    for body in ({"r": "bye"}, {}, {"r": "ä" * 1000}):
        user = await world.user("alice")
        await user.send({"rq": {"id": "2", "lo": body}})
        assert await user.closed() == 1000
        await world.login(user.account)


async def test_what_was_sent_before_the_logout_is_taken_in(world):
    alice, bob = await world.users("alice", "bob")
    id = await alice.post(bob, "last words")
    await alice.send({"rq": {"id": "2", "lo": {"r": "bye"}}})
    await bob.expect(packets.message(id, alice.name, bob.name, "last words"))


async def test_what_comes_after_the_logout_is_not(world):
    alice, bob = await world.users("alice", "bob")
    await alice.send({"rq": {"id": "2", "lo": {"r": "bye"}}})
    try:
        await alice.post(bob, "too late")
    except Exception:
        pass  # the connection may have gone by then
    alice = await world.login(alice.account)
    await alice.nothing_for(bob)


async def test_no_login_within_login_timeout_closes_with_1008(make_world):
    world = make_world({"limits.login_timeout": "300ms"})
    start = time.monotonic()
    client = await world.connect()
    assert await client.closed() == 1008
    assert time.monotonic() - start >= 0.25


async def test_refused_packets_do_not_put_off_the_login_timeout(make_world):
    world = make_world({"limits.login_timeout": "300ms"})
    client = await world.connect_raw(answer_pings=True)
    code = None
    while code is None:
        try:
            await client.send('{"srq":{"id":"1","t":"k"}}')
            await client.recv()
        except Exception as end:
            code = getattr(end, "code", 0)
    assert code == 1008


async def test_a_session_outlives_login_timeout(make_world):
    world = make_world({"limits.login_timeout": "300ms"})
    user = await world.user("alice")
    other = await world.connect()
    assert await other.closed() == 1008
    await user.quiet()


async def test_five_failed_logins_on_one_connection_close_with_1008(world):
    account = await world.account("alice")
    client = await world.connect(local=address())
    for n in range(5):
        assert await attempt(client, account.name, "wrong", str(n)) == packets.login_answer(str(n), 0)
    assert await client.closed() == 1008


async def test_max_login_failures_can_be_set(make_world):
    world = make_world({"limits.max_login_failures": 2})
    account = await world.account("alice")
    client = await world.connect()
    for n in range(2):
        await attempt(client, f"{account.name}{n}", "wrong")
    assert await client.closed() == 1008


async def test_failures_on_one_connection_count_over_identities(world):
    client = await world.connect(local=address())
    for n in range(5):
        assert await attempt(client, world.fresh("nobody"), "wrong") == packets.login_answer("1", 0)
    assert await client.closed() == 1008


TOO_MANY = {"rp": {"id": "1", "response": 0, "e": {"c": "429", "d": packets.ANY}}}


async def failures(world, identity, count, local):
    """Answers to so many wrong logins, and how long each took."""
    answers = []
    client = None
    for n in range(count):
        if n % 5 == 0:
            client = await world.connect(local=local)
        start = time.monotonic()
        answers.append((await attempt(client, identity, "wrong"), time.monotonic() - start))
    return answers


@pytest.mark.parametrize("exists", [True, False])
async def test_more_than_10_failures_for_one_identity_are_429_with_a_growing_delay(world, exists):
    name = (await world.account("alice")).name if exists else world.fresh("nobody")
    answers = await failures(world, name, 14, address())
    assert [a for a, _ in answers[:10]] == [packets.login_answer("1", 0)] * 10
    assert [a for a, _ in answers[10:]] == [TOO_MANY] * 4
    delays = [took for _, took in answers]
    assert delays[13] > delays[11] > delays[9]


async def test_the_right_token_logs_in_whatever_the_count_of_failures(world):
    account, other = await world.accounts("alice", "bob")
    local = address()
    await failures(world, account.name, 12, local)
    await (await world.connect(local=local)).login(account)
    start = time.monotonic()
    await (await world.connect(local=address())).login(other)
    assert time.monotonic() - start < 1, "another identity is held up"


async def test_a_held_up_login_does_not_hold_up_others(world):
    account, other = await world.accounts("alice", "bob")
    await failures(world, account.name, 13, address())
    slow = await world.connect(local=address())
    await slow.send({"rq": {"id": "1", "a": {"i": account.name, "t": "wrong"}}})
    await (await world.connect(local=address())).login(other)
    await slow.expect(TOO_MANY)


async def test_more_than_100_failures_from_one_address_are_429_and_other_addresses_are_not(make_world):
    world = make_world({"limits.max_login_failures": 1000})
    account = await world.account("alice")
    local = address()
    client = await world.connect(local=local)
    for n in range(100):
        assert await attempt(client, f"nobody {n}", "wrong") == packets.login_answer("1", 0)
    assert await attempt(client, "nobody else", "wrong") == TOO_MANY
    other = await world.connect(local=address())
    assert await attempt(other, "nobody either", "wrong") == packets.login_answer("1", 0)
    await client.login(account)


# -- several connections ----------------------------------------------------------

async def test_a_login_elsewhere_closes_the_older_session_with_4001(world):
    old = await world.user("alice")
    new = await world.login(old.account)
    assert await old.closed() == 4001
    await new.quiet()


async def test_undelivered_messages_move_to_the_newer_session(world):
    alice, bob = await world.users("alice", "bob")
    ids = [await alice.tell(bob, n) for n in range(5)]
    for n, id in enumerate(ids):
        await bob.expect(packets.message(id, alice.name, bob.name, n))
    await bob.dm(ids[0])
    new = await world.login(bob.account)
    for n, id in enumerate(ids[1:], 1):
        await new.expect(packets.message(id, alice.name, bob.name, n))
    late = await alice.tell(bob, "late")
    await new.expect(packets.message(late, alice.name, bob.name, "late"))
    assert await bob.closed() == 4001


async def test_a_refused_login_elsewhere_leaves_the_session_alone(world):
    user = await world.user("alice")
    other = await world.connect(local=address())
    assert await attempt(other, user.name, "wrong") == packets.login_answer("1", 0)
    await user.quiet()


async def test_many_logins_at_once_leave_exactly_one_session(world):
    account = await world.account("alice")
    clients = [await world.connect() for _ in range(20)]
    for client in clients:
        await client.send({"rq": {"id": "1", "a": {"i": account.name, "t": account.token}}})
    for client in clients:
        await client.expect(packets.login_answer("1", 1))
    sender = await world.user("bob")
    id = await sender.tell(account.name, "who is there?")
    stayed = 0
    for client in clients:
        try:
            await client.expect(packets.message(id, sender.name, account.name, "who is there?"))
            stayed += 1
        except Exception as end:
            assert getattr(end, "code", None) == 4001
    assert stayed == 1


async def test_with_max_sessions_each_session_gets_every_message(make_world):
    world = make_world({"limits.max_sessions": 2})
    alice, bob = await world.users("alice", "bob")
    second = await world.login(bob.account)
    id = await alice.tell(bob, "both of you")
    for session in (bob, second):
        await session.expect(packets.message(id, alice.name, bob.name, "both of you"))


async def test_with_max_sessions_the_first_acknowledgement_releases_the_message(make_world):
    world = make_world({"limits.max_sessions": 2})
    alice, bob = await world.users("alice", "bob")
    second = await world.login(bob.account)
    id = await alice.tell(bob, "hello")
    for session in (bob, second):
        await session.expect(packets.message(id, alice.name, bob.name, "hello"))
    dm = await second.dm(id)
    await alice.expect(packets.receipt(dm, bob.name, alice.name, "dm", id))
    await bob.dm(id)  # receipted and not passed on
    await bob.nothing_for(alice)
    await bob.leave()
    await second.leave()
    again = await world.login(bob.account)
    await alice.nothing_for(again)


async def test_with_max_sessions_one_more_replaces_the_oldest(make_world):
    world = make_world({"limits.max_sessions": 2})
    account = await world.account("alice")
    first, second, third = [await world.login(account) for _ in range(3)]
    assert await first.closed() == 4001
    await second.quiet()
    await third.quiet()


async def test_a_session_that_left_leaves_the_other_online(make_world):
    world = make_world({"limits.max_sessions": 2})
    alice, bob = await world.users("alice", "bob")
    second = await world.login(bob.account)
    await bob.leave()
    id = await alice.tell(bob, "hello", p="0")
    await second.expect(packets.message(id, alice.name, bob.name, "hello", p="0"))


async def test_tokens_hashed_with_argon2id_log_in(make_world):
    world = make_world({"auth.token_hash": "argon2id"})
    alice, bob = await world.users("alice", "bob")
    other = await world.connect()
    assert await attempt(other, alice.name, bob.account.token) == packets.login_answer("1", 0)
    for _ in range(3):
        alice = await world.login(alice.account)
    await alice.tell(bob, "hello")


async def test_a_client_that_leaves_while_its_token_is_hashed_does_no_harm(make_world):
    world = make_world({"auth.token_hash": "argon2id"})
    account = await world.account("alice")
    for _ in range(5):
        client = await world.connect()
        await client.send({"rq": {"id": "1", "a": {"i": account.name, "t": "wrong"}}})
        client.drop()
    await world.login(account)
