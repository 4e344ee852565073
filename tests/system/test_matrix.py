"""Who may do what: every request of protocol.md sections 4 to 12, asked by everyone who could ask.

ROLES say what the asker is. Beside him there are ann, who is online, has a picture and a status and
has written to him; max, a plain member of the group and receiver of the broadcast; wes, who is nothing
to anybody. Group and broadcast are fay's, or the asker's own from `owner` on."""

import pytest

import exercised
import packets
from client import names_of
from lempd import once

ROLES = [
    "stranger",   # neither in the group nor on the broadcast's list
    "member",     # in the group, and on the list
    "admin",      # of the group, beside fay; on the list
    "owner",      # made the group, is its only admin; owns the broadcast
    "blocked",    # like owner; ann blocks him
    "blocker",    # like owner; he blocks ann
    "operator",   # a stranger who is an administrator of the server
]
OWNING = ("owner", "blocked", "blocker")

ANN, MAX, WES, ME, GROUP, BROADCAST, NEW = "$ann", "$max", "$wes", "$me", "$group", "$broadcast", "$new"

# What happens in the columns of ROLES: "." success, a code that error, "=V" success with the value V.
TABLE = [
    # 4, 5
    ({"rq": {"a": {"i": ME, "t": "x"}}},                                "400 400 400 400 400 400 400"),
    ({"rq": {"lo": {"r": "bye"}}},                                      ".   .   .   .   .   .   ."),
    ({"rq": {"af": [{"u": WES, "n": "W"}]}},                            ".   .   .   .   .   .   ."),
    ({"rq": {"af": [{"u": ME}]}},                                       "400 400 400 400 400 400 400"),
    ({"rq": {"af": [{"u": GROUP}]}},                                    "404 404 404 404 404 404 404"),
    ({"rq": {"rf": [ANN]}},                                             ".   .   .   .   .   .   ."),
    ({"rq": {"uf": [{"u": ANN, "n": "Annie"}]}},                        ".   .   .   .   .   .   ."),
    ({"rq": {"uf": [{"u": WES, "n": "W"}]}},                            "404 404 404 404 404 404 404"),
    ({"rq": {"get": {"o": "f"}}},                                       ".   .   .   .   .   .   ."),
    ({"rq": {"get": {"o": "fr"}}},                                      ".   .   .   .   .   .   ."),
    ({"rq": {"get": {"o": "g"}}},                                       ".   .   .   .   .   .   ."),
    ({"rq": {"get": {"o": "br"}}},                                      ".   .   .   .   .   .   ."),
    ({"rq": {"get": {"o": "pr"}}},                                      ".   .   .   .   .   .   ."),
    # 6, 7
    ({"rq": {"s": {"u": ANN}}},                                         "=0  =0  =0  =0  =-1 =0  =0"),
    ({"rq": {"s": {"u": ME}}},                                          "=0  =0  =0  =0  =0  =0  =0"),
    ({"rq": {"s": {"u": NEW}}},                                         "404 404 404 404 404 404 404"),
    ({"rq": {"p": {"t": "s", "v": "mine"}}},                            ".   .   .   .   .   .   ."),
    ({"rq": {"p": {"t": "g", "u": ANN}}},                               "=pp =pp =pp =pp =   =pp =pp"),
    ({"rq": {"p": {"t": "g", "u": NEW}}},                               "404 404 404 404 404 404 404"),
    ({"rq": {"st": {"t": "s", "s": "mine"}}},                           ".   .   .   .   .   .   ."),
    ({"rq": {"st": {"t": "g", "u": ANN}}},                              "=ss =ss =ss =ss =   =ss =ss"),
    ({"rq": {"st": {"t": "g", "u": NEW}}},                              "404 404 404 404 404 404 404"),
    # 8
    ({"rq": {"b": {"u": ANN}}},                                         ".   .   .   .   .   .   ."),
    ({"rq": {"b": {"u": ME}}},                                          "400 400 400 400 400 400 400"),
    ({"rq": {"b": {"u": NEW}}},                                         "404 404 404 404 404 404 404"),
    ({"rq": {"ub": {"u": ANN}}},                                        ".   .   .   .   .   .   ."),
    ({"rq": {"ub": {"u": ME}}},                                         "400 400 400 400 400 400 400"),
    ({"rq": {"ub": {"u": NEW}}},                                        "404 404 404 404 404 404 404"),
    # 9
    ({"rq": {"g": {"t": "c", "i": NEW, "n": "x", "m": [WES]}}},         ".   .   .   .   .   .   ."),
    ({"rq": {"g": {"t": "c", "i": NEW, "n": "x", "m": [WES, ANN]}}},    ".   .   .   .   403 .   ."),
    ({"rq": {"g": {"t": "c", "i": GROUP, "n": "x"}}},                   "409 409 409 409 409 409 409"),
    ({"rq": {"g": {"t": "a", "i": GROUP, "m": [WES]}}},                 "403 403 .   .   .   .   403"),
    ({"rq": {"g": {"t": "a", "i": GROUP, "m": [ANN]}}},                 "403 403 .   .   403 .   403"),
    ({"rq": {"g": {"t": "a", "i": GROUP, "m": [NEW]}}},                 "403 403 404 404 404 404 403"),
    ({"rq": {"g": {"t": "b", "i": GROUP, "m": [MAX]}}},                 "403 403 .   .   .   .   403"),
    ({"rq": {"g": {"t": "b", "i": GROUP, "m": [ME]}}},                  "403 403 400 400 400 400 403"),
    ({"rq": {"g": {"t": "b", "i": GROUP, "m": [WES]}}},                 "403 403 404 404 404 404 403"),
    ({"rq": {"g": {"t": "l", "i": GROUP}}},                             "403 .   .   .   .   .   403"),
    ({"rq": {"g": {"t": "t", "i": GROUP}}},                             "403 403 .   .   .   .   403"),
    ({"rq": {"g": {"t": "i", "i": GROUP}}},                             "403 .   .   .   .   .   403"),
    ({"rq": {"g": {"t": "i", "i": NEW}}},                               "404 404 404 404 404 404 404"),
    ({"rq": {"g": {"t": "i", "i": BROADCAST}}},                         "404 404 404 404 404 404 404"),
    ({"rq": {"g": {"t": "aad", "i": GROUP, "ad": [MAX]}}},              "403 403 .   .   .   .   403"),
    ({"rq": {"g": {"t": "aad", "i": GROUP, "ad": [ME]}}},               "403 403 .   .   .   .   403"),
    ({"rq": {"g": {"t": "aad", "i": GROUP, "ad": [WES]}}},              "403 403 404 404 404 404 403"),
    ({"rq": {"g": {"t": "rad", "i": GROUP, "ad": [MAX]}}},              "403 403 .   .   .   .   403"),
    ({"rq": {"g": {"t": "rad", "i": GROUP, "ad": [ME]}}},               "403 403 .   400 400 400 403"),
    ({"rq": {"g": {"t": "rad", "i": GROUP, "ad": [WES]}}},              "403 403 404 404 404 404 403"),
    ({"rq": {"g": {"t": "ad", "i": GROUP}}},                            "403 .   .   .   .   .   403"),
    ({"rq": {"p": {"t": "s", "i": GROUP, "v": "x"}}},                   "403 403 .   .   .   .   403"),
    ({"rq": {"p": {"t": "g", "i": GROUP}}},                             "403 =gp =gp =gp =gp =gp 403"),
    ({"rq": {"n": {"t": "s", "i": GROUP, "n": "x"}}},                   "403 403 .   .   .   .   403"),
    ({"rq": {"n": {"t": "g", "i": GROUP}}},                             "403 =gn =gn =gn =gn =gn 403"),
    ({"rq": {"mt": {"i": GROUP, "t": "1790000000000"}}},                "403 .   .   .   .   .   403"),
    ({"rq": {"umt": {"i": GROUP}}},                                     "403 .   .   .   .   .   403"),
    # 10
    ({"rq": {"br": {"t": "c", "i": NEW, "n": "x", "m": [ANN]}}},        ".   .   .   .   .   .   ."),
    ({"rq": {"br": {"t": "c", "i": BROADCAST, "n": "x"}}},              "409 409 409 409 409 409 409"),
    ({"rq": {"br": {"t": "a", "i": BROADCAST, "m": [ANN]}}},            "403 403 403 .   .   .   403"),
    ({"rq": {"br": {"t": "b", "i": BROADCAST, "m": [MAX]}}},            "403 403 403 .   .   .   403"),
    ({"rq": {"br": {"t": "b", "i": BROADCAST, "m": [WES]}}},            "403 403 403 404 404 404 403"),
    ({"rq": {"br": {"t": "t", "i": BROADCAST}}},                        "403 403 403 .   .   .   403"),
    ({"rq": {"br": {"t": "i", "i": BROADCAST}}},                        "403 403 403 .   .   .   403"),
    ({"rq": {"br": {"t": "i", "i": GROUP}}},                            "404 404 404 404 404 404 404"),
    ({"rq": {"br": {"t": "i", "i": NEW}}},                              "404 404 404 404 404 404 404"),
    ({"rq": {"p": {"t": "s", "b": BROADCAST, "v": "x"}}},               "403 403 403 .   .   .   403"),
    ({"rq": {"p": {"t": "g", "b": BROADCAST}}},                         "403 403 403 =bp =bp =bp 403"),
    ({"rq": {"n": {"t": "s", "b": BROADCAST, "n": "x"}}},               "403 403 403 .   .   .   403"),
    ({"rq": {"n": {"t": "g", "b": BROADCAST}}},                         "403 403 403 =bn =bn =bn 403"),
    # 11
    ({"srq": {"t": "t"}},                                               ".   .   .   .   .   .   ."),
    ({"srq": {"t": "k"}},                                               ".   .   .   .   .   .   ."),
    ({"rq": {"ad": {"c": "cr", "i": NEW, "t": "x"}}},                   "403 403 403 403 403 403 ."),
    ({"rq": {"ad": {"c": "cr", "i": GROUP, "t": "x"}}},                 "403 403 403 403 403 403 409"),
    ({"rq": {"ad": {"c": "del", "i": WES}}},                            "403 403 403 403 403 403 ."),
    ({"rq": {"ad": {"c": "del", "i": ME}}},                             "403 403 403 403 403 403 400"),
    ({"rq": {"ad": {"c": "up", "i": WES, "t": "x"}}},                   "403 403 403 403 403 403 ."),
    ({"rq": {"ad": {"c": "up", "i": ME, "ty": "1"}}},                   "403 403 403 403 403 403 ."),
    # 12
    ({"m": {"r": ANN, "c": "x"}},                                       ".   .   .   .   .   .   ."),
    ({"m": {"r": ME, "c": "x"}},                                        ".   .   .   .   .   .   ."),
    ({"m": {"r": NEW, "c": "x"}},                                       "404 404 404 404 404 404 404"),
    ({"m": {"r": GROUP, "c": "x"}},                                     "403 .   .   .   .   .   403"),
    ({"m": {"r": GROUP, "c": "x", "p": "0"}},                           "403 .   .   .   .   .   403"),
    ({"m": {"r": BROADCAST, "c": "x"}},                                 "403 403 403 .   .   .   403"),
    ({"m": {"r": BROADCAST, "c": "x", "p": "0"}},                       "403 403 403 .   .   .   403"),
    ({"m": {"dm": {"id": "of ann"}}},                                   ".   .   .   .   .   .   ."),
    ({"m": {"nm": {"id": "of ann"}}},                                   ".   .   .   .   .   .   ."),
    ({"m": {"dm": {"id": "of nobody"}}},                                "404 404 404 404 404 404 404"),
]


CELLS = [pytest.param(packet, role, expected, id=f"{packets.write(packet)}-{role}")
         for packet, row in TABLE for role, expected in zip(ROLES, row.split(), strict=True)]


async def together(client, *bodies):
    """Requests sent in one go, all of which succeed."""
    ids = [client.new_id() for _ in bodies]
    for id, body in zip(ids, bodies):
        await client.send({"rq": {"id": id, **body}})
    for id in ids:
        assert await client.response(id) == {}


async def cast(world, role):
    """The asker and what the words with a $ stand for."""
    if role == "operator":
        account = world.server.admin_account()
        ann, max_, wes, fay = await world.accounts("ann", "max", "wes", "fay")
        asker = await world.login(account)
    else:
        account, ann, max_, wes, fay = await world.accounts(role, "ann", "max", "wes", "fay")
        asker = await world.login(account)
    ann = await world.login(ann)
    founder = asker if role in OWNING else await world.login(fay)
    names = {ANN: ann.name, MAX: max_.name, WES: wes.name, ME: asker.name, GROUP: world.fresh("group"),
             BROADCAST: world.fresh("broadcast"), NEW: world.fresh("new")}
    inside = names_of([max_, asker] if role in ("member", "admin") else [max_])
    await together(founder, {"g": {"t": "c", "i": names[GROUP], "n": "gn", "p": "gp", "m": inside}},
                   {"br": {"t": "c", "i": names[BROADCAST], "n": "bn", "p": "bp", "m": inside}},
                   *([{"g": {"t": "aad", "i": names[GROUP], "ad": [asker.name]}}] if role == "admin" else []))
    await ann.tell(asker, "hello", f"of ann {asker.name} {ann.name}")
    await together(ann, {"p": {"t": "s", "v": "pp"}}, {"st": {"t": "s", "s": "ss"}},
                   *([{"b": {"u": asker.name}}] if role == "blocked" else []))
    await asker.until(packets.message(f"of ann {asker.name} {ann.name}", ann.name, asker.name, "hello"))
    await together(asker, {"af": [{"u": ann.name}]}, *([{"b": {"u": ann.name}}] if role == "blocker" else []))
    names["of ann"] = f"of ann {asker.name} {ann.name}"
    asker.kept.clear()
    return asker, names


async def outcome(client, packet, names):
    """As written in the table."""
    text = packets.write({datum: {"id": "asked", **body} for datum, body in packet.items()})
    for short, name in names.items():
        text = text.replace(f'"{short}"', f'"{name}"')
    await client.send(text)
    if "lo" in packet.get("rq", {}):
        return "." if await client.closed() == 1000 else "another close"
    while True:
        got = await client.recv()
        if got == packets.sr("asked"):
            return "."
        answer = got.get("srp") or got.get("rp") or {}
        if answer.get("id") == "asked":
            return packets.code(answer) or value_of(answer)


def value_of(answer):
    for key, member in (("s", "v"), ("p", "v"), ("st", "s"), ("n", "n")):
        if key in answer:
            return "=" + answer[key][member]
    return "."


@once
@pytest.mark.parametrize("packet, role, expected", CELLS)
async def test_what_anyone_asks_has_the_outcome_of_the_table(world, packet, role, expected):
    asker, names = await cast(world, role)
    assert await outcome(asker, packet, names) == expected


async def test_before_login_none_of_it_is_answered_but_with_401(world):
    client = await world.connect()
    for packet, _ in TABLE:
        datum, body = next(iter(packet.items()))
        if "a" not in body:
            await client.send({datum: {"id": "1", **body}})
            got = await client.recv()
            assert packets.code(got.get("srp") or got["rp"]) == "401", packet
    await client.login(await world.account("alice"))


def test_the_table_has_every_row_of_the_dispatch_table():
    rows = {exercised.row_of({datum: {"id": "1", **body} for datum, body in packet.items()})[1] for packet, _ in TABLE}
    assert set(exercised.ROWS) <= rows, set(exercised.ROWS) - rows
