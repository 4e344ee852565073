"""docs/lemp.schema.json and docs/asyncapi.yaml: sound, complete, and able to fail. That they tell the
truth is checked everywhere else: exercised.py holds every packet of every test against the schema, and a
whole run fails if one kind of packet was never seen."""

import asyncio
import copy
import json
import re
import shutil

import jsonschema_rs
import pytest
import yaml

import exercised
import schema
from lempd import ROOT
from schema import CLIENT, SERVER

ASYNCAPI = ROOT / "docs" / "asyncapi.yaml"
DOCUMENT = yaml.load(ASYNCAPI.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)  # ten times as fast as safe_load
MESSAGES = DOCUMENT["components"]["messages"]
DEFS = schema.SCHEMA["$defs"]
FIELD = re.compile(r'^FIELD\((\w+), \w+, "(\w*)", (\w+), (\d+), (\w+), ', re.MULTILINE)
REQUEST = re.compile(r'^\s*X\((?:RQ_)?\w+, "(\w+)", \w+\)', re.MULTILINE)

each_kind = pytest.mark.parametrize("side, kind", [(side, kind) for side in (CLIENT, SERVER) for kind in side.kinds],
                                    ids=lambda value: value if isinstance(value, str) else value.name)

# Members that need not stand there; all others must.
OPTIONAL = {
    "Logout": {"r"}, "CreateGroup": {"p", "m"}, "CreateBroadcast": {"p", "m"}, "CreateUser": {"ty"},
    "ChangeUser": {"t", "ty"}, "Follow": {"n"}, "SendMessage": {"t", "st", "p", "sc", "pc", "x-urgent"},
    "SendDelivered": {"st"}, "SendNoticed": {"st"},
    "ServerRequestRefused": {"id", "t"}, "Message": {"p", "sc", "pc"},
}
# Members whose value is passed on or ignored, whatever it is.
ANYTHING = {"SendMessage": {"c", "x-urgent"}, "Message": {"c"}}


def payloads(kind):
    return [example["payload"] for example in MESSAGES[kind]["examples"]]


def kinds_that_allow(packet, side):
    return [kind for kind in side.kinds if side.is_kind(packet, kind)]


# -- the schema ---------------------------------------------------------------------

def objects(value):
    """All objects within, each after what it holds."""
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)
    if isinstance(value, dict):
        yield value


def test_the_schema_is_one():
    jsonschema_rs.meta.validate(schema.SCHEMA)


def test_every_definition_is_used_and_every_reference_leads_to_one():
    used = {found["$ref"] for found in objects(schema.SCHEMA) if "$ref" in found}
    assert used == {f"#/$defs/{name}" for name in DEFS}


def test_the_schema_uses_only_words_that_draft_07_has_too():
    """So that tools for AsyncAPI, whose schemas are draft-07, understand it."""
    draft_07 = {"title", "description", "type", "properties", "required", "additionalProperties", "items", "maxItems",
                "minLength", "maxLength", "pattern", "minimum", "maximum", "enum", "const", "not", "allOf", "anyOf",
                "oneOf", "$ref"}
    for name, definition in DEFS.items():
        for found in objects(definition):
            is_schema = not any(found is other.get("properties") for other in objects(definition))
            assert not is_schema or found.keys() <= draft_07, (name, found)
            assert "$ref" not in found or found.keys() <= {"$ref", "description"}, (name, found)


def test_every_kind_of_packet_says_what_it_is():
    for kind in CLIENT.kinds + SERVER.kinds:
        assert DEFS[kind]["title"] and DEFS[kind]["description"], kind


def test_the_server_adds_no_members_but_those_passed_on():
    open_ended = {kind for kind in SERVER.kinds for found in objects(DEFS[kind])
                  if found.get("type") == "object" and found.get("additionalProperties") is not False}
    assert open_ended == {"Message"}


# -- beside the tables of the server ------------------------------------------------

def bodies(definition):
    """What stands under the key of a client's packet, with that key: ("g", {...})."""
    (datum, packet), = definition["properties"].items()
    if datum != "rq":
        return datum, packet
    (key, body), = ((key, body) for key, body in packet["properties"].items() if key != "id")
    return key, body


def members(kind):
    """(object, key) of packets.def: how the schema describes that member in this kind of packet."""
    key, body = bodies(DEFS[kind])
    if body.get("type") == "array" and "properties" in body["items"]:
        key, body = "pair", body["items"]
    return {(key, name): (value, name in body.get("required", ())) for name, value in body.get("properties", {}).items()}


def test_the_schema_knows_every_member_a_client_may_send():
    described = {member for kind in CLIENT.kinds for member in members(kind)}
    fields = {(object, key) for object, key, *_ in FIELD.findall((ROOT / "src/packet/packets.def").read_text()) if key}
    not_there = {("rq", "id"), ("dm", "id"),  # one level above and below what members() looks at
                 ("m", "sr")}  # only a server sends it
    assert described == fields - not_there


def test_what_must_stand_there_is_required_and_limits_are_the_same():
    rows = FIELD.findall((ROOT / "src/packet/packets.def").read_text())
    for kind in CLIENT.kinds:
        for member, (value, required) in members(kind).items():
            (form, most, need), = (row[2:] for row in rows if row[:2] == member)
            assert required or need == "MAY", (kind, member)
            value = DEFS[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            if form in ("ID", "NAME", "TEXT") and int(most):
                assert value["maxLength"] == int(most), (kind, member)


def test_the_schema_knows_every_request_and_every_error_code():
    keys = REQUEST.findall((ROOT / "src/packet/packet.h").read_text())
    assert keys and {bodies(DEFS[kind])[0] for kind in CLIENT.kinds} == set(keys)
    one_of = [key for choice in DEFS["client"]["properties"]["rq"]["oneOf"] for key in choice["required"]]
    assert set(one_of) | {"srq", "m"} == set(keys)
    assert DEFS["Error"]["properties"]["c"]["enum"] == exercised.CODES


def test_each_row_of_the_dispatch_table_is_one_kind_of_packet():
    rows = [exercised.row_of(payloads(kind)[0])[1] for kind in CLIENT.kinds]
    assert set(rows) == set(exercised.ROWS)
    assert [row.kind for row in rows if rows.count(row) > 1] == ["M"] * 3  # a message and two receipts


# -- it can fail --------------------------------------------------------------------

def places(value, path=()):
    """The paths to all members and elements within a packet."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(part, (*path, key))


def mutated(packet, path, change):
    """A copy in which `change` was done to what holds the last step of the path."""
    packet = copy.deepcopy(packet)
    holder = packet
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return packet


def checked_places(kind, packet):
    """Those whose value means something."""
    anything = ANYTHING.get(kind, set())
    return [path for path in places(packet) if not anything.intersection(path)]


@each_kind
def test_the_examples_are_of_their_kind_and_no_other(side, kind):
    for packet in payloads(kind):
        side.check(packet)
        assert kinds_that_allow(packet, side) == [kind]


@each_kind
def test_a_missing_member_is_noticed(side, kind):
    for packet in payloads(kind)[:1]:
        for path in places(packet):
            if isinstance(path[-1], str) and path[-1] not in OPTIONAL.get(kind, ()):
                without = mutated(packet, path, lambda holder, key: holder.pop(key))
                assert not schema.validator(kind).is_valid(without), without


@each_kind
def test_a_value_of_the_wrong_type_is_noticed(side, kind):
    for packet in payloads(kind):
        for path in checked_places(kind, packet):
            for wrong in (None, True, {}, 1.5, ["x"]):
                there = packet
                for step in path:
                    there = there[step]
                if type(there) is type(wrong) or (path[-1] == "o" and wrong == 1.5):
                    continue
                if there == {} or (kind == "Logout" and path[-1] == "lo"):
                    continue
                bad = mutated(packet, path, lambda holder, key: holder.__setitem__(key, wrong))
                assert not kinds_that_allow(bad, side), bad


@each_kind
def test_another_member_is_ignored_from_clients_and_noticed_from_the_server(side, kind):
    for packet in payloads(kind):
        holders = [(), *(path for path in checked_places(kind, packet))]
        for path in holders:
            more = copy.deepcopy(packet)
            holder = more
            for step in path:
                holder = holder[step]
            if not isinstance(holder, dict):
                continue
            holder["more"] = 1
            passed_on = kind == "Message" and path == ("m",)
            assert (kinds_that_allow(more, side) == [kind]) == (side is CLIENT or passed_on), more


@pytest.mark.parametrize("packet", [
    {}, [], "rq", {"o": 2}, {"rp": {"id": "1"}, "i": {"id": "1", "li": "a"}}, {"rp": {"id": "1"}, "o": 2},
    {"rp": {"id": 1}}, {"rp": {"id": ""}}, {"rp": {"id": "1" * 129}}, {"rp": {}}, {"rq": {"id": "1", "lo": {}}},
    {"rp": {"id": "1", "response": True}}, {"rp": {"id": "1", "response": 2}},
    {"rp": {"id": "1", "e": {"c": 404, "d": "x"}}}, {"rp": {"id": "1", "e": {"c": "405", "d": "x"}}},
    {"rp": {"id": "1", "e": {"c": "404", "d": ""}}}, {"rp": {"e": {"c": "404", "d": "x"}}},
    {"rp": {"id": "1", "response": 1, "e": {"c": "429", "d": "x"}}},
    {"rp": {"id": "1", "s": {"u": "bob", "v": 0}}}, {"rp": {"id": "1", "s": {"u": "bob", "v": "-2"}}},
    {"rp": {"id": "1", "s": {"u": " bob", "v": "0"}}}, {"rp": {"id": "1", "s": {"u": "b\u200bob", "v": "0"}}},
    {"rp": {"id": "1", "p": {"u": "bob", "i": "g1", "v": ""}}},
    {"i": {"id": "1", "li": "a", "lo": "a"}}, {"i": {"li": "a"}},
    {"i": {"id": "1", "g": {"t": "b", "i": "g1", "m": ["dave"]}}},
    {"i": {"id": "1", "g": {"t": "a", "i": "g1", "m": "dave"}}},
    {"i": {"id": "1", "g": {"t": "t", "i": "g1", "n": "x"}}}, {"i": {"id": "1", "g": {"t": "x", "i": "g1"}}},
    {"i": {"id": "1", "g": {"t": "gap", "i": "g1", "u": "a", "c": "1"}}},
    {"i": {"id": "1", "g": {"t": "gap", "i": "g1", "c": "0"}}},
    {"m": {"id": "1", "s": "a", "r": "b", "t": "t", "c": 1, "st": "1"}},
    {"m": {"id": "1", "s": "a", "r": "b", "t": "t", "c": 1, "st": 2 ** 53}},
    {"m": {"id": "1", "s": "a", "r": "b", "t": "y", "c": 1, "st": 1}},
    {"m": {"id": "1", "s": "a", "r": "b", "t": "t", "c": 1, "st": 1, "p": 1}},
    {"m": {"id": "1", "s": "a", "r": "b", "t": "t", "c": 1, "st": 1, "dm": {"id": "1"}}},
    {"m": {"id": "1", "s": "a", "r": "b", "st": 1, "dm": {"id": "1"}, "nm": {"id": "1"}}},
    {"m": {"id": "1", "s": "a", "r": "b", "st": 1, "dm": {"id": "1"}, "sc": "0"}},
    {"m": {"id": "1", "s": "a", "sr": {"id": "1"}}},
], ids=json.dumps)
def test_no_server_sends(packet):
    with pytest.raises(AssertionError):
        SERVER.check(packet)


@pytest.mark.parametrize("packet", [
    {}, {"rp": {"id": "1"}}, {"rq": {"id": "1", "lo": {}}, "rp": {}}, {"rq": {"id": "1", "lo": {}}, "m": {}},
    {"rq": {"id": "1"}}, {"rq": {"id": "1", "lo": {}, "b": {"u": "x"}}}, {"rq": {"lo": {}}},
    {"rq": {"id": "", "lo": {}}}, {"rq": {"id": 1.5, "lo": {}}}, {"rq": {"id": "1", "lo": "bye"}},
    {"rq": {"id": "1", "af": {"u": "bob"}}}, {"rq": {"id": "1", "uf": [{"u": "bob"}]}},
    {"rq": {"id": "1", "rf": ["x"] * 1001}}, {"rq": {"id": "1", "get": {"o": "x"}}},
    {"rq": {"id": "1", "p": {"t": "s", "v": "x", "u": "bob"}}}, {"rq": {"id": "1", "p": {"t": "g", "i": "g", "b": "b"}}},
    {"rq": {"id": "1", "st": {"t": "s"}}}, {"rq": {"id": "1", "b": {"u": "bob "}}}, {"rq": {"id": "1", "g": {"t": "x", "i": "g"}}},
    {"rq": {"id": "1", "mt": {"i": "g", "t": "-1"}}}, {"rq": {"id": "1", "mt": {"i": "g", "t": 2 ** 53}}},
    {"rq": {"id": "1", "ad": {"c": "up", "i": "x"}}}, {"rq": {"id": "1", "ad": {"c": "up", "i": "x", "ty": 2}}},
    {"srq": {"id": "1", "t": "x"}}, {"m": {"id": "1", "r": "bob"}}, {"m": {"id": "1", "c": 1}},
    {"m": {"id": "1", "r": "bob", "c": 1, "t": "x-"}}, {"m": {"id": "1", "r": "bob", "c": 1, "p": "2"}},
    {"m": {"id": "1", "r": "bob", "c": 1, "dm": {"id": "1"}}}, {"m": {"id": "1", "dm": {"id": "1"}, "nm": {"id": "1"}}},
    {"m": {"id": "1", "dm": "1"}}, {"m": {"id": "1", "sr": {"id": "1"}}},
], ids=lambda packet: json.dumps(packet)[:100])
def test_no_client_may_send(packet):
    with pytest.raises(AssertionError):
        CLIENT.check(packet)


@pytest.mark.parametrize("packet", [
    {"rq": {"id": -17, "lo": {}}}, {"rq": {"id": "1", "af": []}}, {"rq": {"id": "1", "mt": {"i": "g", "t": "0"}}},
    {"rq": {"id": "1", "b": {"u": "böb 😀"}, "colour": "red"}, "v": 2}, {"m": {"id": "1", "r": "x", "c": None, "st": "5", "p": 0}},
    {"m": {"id": "1", "r": "x", "c": {"dm": 1}, "t": "x-\n"}}, {"m": {"id": "1", "nm": {"id": 7}, "p": "1", "x": []}},
], ids=json.dumps)
def test_a_client_may_send(packet):
    CLIENT.check(packet)


@pytest.fixture
def record(monkeypatch):
    """One whose packets do not count as seen in this run."""
    monkeypatch.setattr(exercised, "seen", set())
    return exercised.Record()


def test_a_wrong_packet_of_the_server_fails_the_test_in_which_it_comes(record):
    with pytest.raises(AssertionError, match="as Done, at rp: .*more"):
        record.received({"rp": {"id": "1", "more": 1}})


def test_a_wrong_packet_of_a_client_fails_the_test_in_which_it_succeeds(record):
    for id, answer in (("1", {"rp": {"id": "1", "e": {"c": "400", "d": "No."}}}), ("2", {"rp": {"id": "2"}})):
        record.sent(json.dumps({"rq": {"id": id, "b": {"u": " bob"}}}))
        if id == "1":
            record.received(answer)
        else:
            with pytest.raises(AssertionError, match="as Block, at rq/b/u"):
                record.received(answer)


def test_kinds_of_packets_that_were_never_seen_are_missing(record):
    everything = set(exercised.missing(set()))
    record.sent('{rq:{id:"1",b:{u:"bob"}}}')
    record.received({"rp": {"id": "1"}})
    assert everything - set(exercised.missing(exercised.seen)) == {
        'row RQ_B, "", OWN', "packet Block of the client", "packet Done of the server"}


# -- the AsyncAPI document ----------------------------------------------------------

def named(references):
    return [reference["$ref"].rpartition("/")[2] for reference in references]


def test_asyncapi_has_every_kind_of_packet_and_nothing_else():
    kinds = CLIENT.kinds + SERVER.kinds
    assert list(MESSAGES) == kinds == list(DOCUMENT["channels"]["lemp"]["messages"])
    for kind in kinds:
        assert MESSAGES[kind]["payload"] == {"$ref": f"./lemp.schema.json#/$defs/{kind}"}


def test_asyncapi_has_one_operation_for_every_packet_of_a_client_and_every_one_that_comes_unasked():
    received, unasked, replies = [], [], set()
    for name, operation in DOCUMENT["operations"].items():
        kinds = named(operation["messages"])
        (received if operation["action"] == "receive" else unasked).extend(kinds)
        replies.update(named(operation.get("reply", {}).get("messages", ())))
        assert ("reply" in operation) == (operation["action"] == "receive" and kinds != ["Logout"]), name
    assert received == CLIENT.kinds
    assert sorted([*unasked, *replies]) == sorted(SERVER.kinds)


def test_correlation_ids_of_asyncapi_are_where_it_says():
    for kind, message in MESSAGES.items():
        if "correlationId" in message:
            name = message["correlationId"]["$ref"].rpartition("/")[2]
            value = payloads(kind)[0]
            for step in DOCUMENT["components"]["correlationIds"][name]["location"].partition("#/")[2].split("/"):
                value = value[step]
            assert isinstance(value, str), kind


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
async def test_the_parser_of_asyncapi_finds_nothing_wrong_but_what_is(node_modules, tmp_path):
    shutil.copy(ROOT / "docs" / "lemp.schema.json", tmp_path)
    broken = tmp_path / "broken.yaml"
    broken.write_text(ASYNCAPI.read_text(encoding="utf-8").replace("/messages/Followers'", "/messages/Nobody'", 1))
    process = await asyncio.create_subprocess_exec(
        "node", str(node_modules / "asyncapi.mjs"), str(ASYNCAPI), str(broken), stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    good, bad = map(json.loads, output.splitlines())
    assert good == []
    assert "Nobody" in " ".join(bad), bad
