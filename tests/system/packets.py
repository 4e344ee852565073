"""What the tests know of packets: how they are written, compared and checked."""

import json
from unittest.mock import ANY

# Members in the order protocol.md shows them; unknown ones come last.
ORDERS = {
    "rp": ["id", "response", "f", "fr", "s", "p", "st", "pr", "g", "n", "br", "e"],
    "srp": ["id", "t", "tm", "o", "e"],
    "i": ["id", "li", "lo", "g"],
    "m": ["id", "s", "r", "t", "c", "st", "p", "sc", "pc", "dm", "nm", "sr"],
    "e": ["c", "d"],
}
# Of what responses and information hold, by the datum and the member.
INNER_ORDERS = {
    ("rp", "s"): ["u", "v"],
    ("rp", "p"): ["u", "i", "b", "v"],
    ("rp", "st"): ["u", "s"],
    ("rp", "g"): ["i", "c", "mt", "m", "n", "ad"],
    ("rp", "n"): ["i", "b", "n"],
    ("rp", "br"): ["i", "c", "n", "m"],
    ("i", "g"): ["t", "u", "i", "m", "n", "c"],
}


def write(packet):
    return json.dumps(packet, ensure_ascii=False, separators=(",", ":"))


def _members(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a repeated name in {names}"
    return dict(pairs)


def _constant(name):
    raise AssertionError(f"{name} is no JSON")


def _without_content(text, packet):
    """The text with what is passed on (content, unknown members) cut out."""
    at = text.find('"c":')
    return text[:at] if "m" in packet and at >= 0 else text


def _has_white_space(text):
    quoted = False
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in " \t\r\n":
            return True
    return False


def _check_order(datum, known):
    kept = [name for name in datum if name in known]
    assert kept == sorted(kept, key=known.index), f"members in the order {list(datum)}"
    unknown = [i for i, name in enumerate(datum) if name not in known]
    assert all(i >= len(kept) for i in unknown), f"an unknown member before a known one in {list(datum)}"


def read(text):
    """A packet from the server: strict JSON, one datum, members in order, no white space."""
    def pairs(found):
        return found  # checked below only where LEMP wrote the object

    packet = json.loads(text, parse_constant=_constant)
    assert isinstance(packet, dict), text
    data = [name for name in packet if name in ("rp", "srp", "i", "m")]
    assert len(data) == 1, f"not one datum in {text}"
    assert [name for name in packet if name not in data] in ([], ["o"]), text
    assert not _has_white_space(_without_content(text, packet)), f"white space in {text}"
    if data[0] != "m" or "c" not in packet["m"]:
        json.loads(text, object_pairs_hook=_members)
    datum = packet[data[0]]
    if data[0] in ORDERS:
        _check_order(datum, ORDERS[data[0]])
    if "e" in datum and data[0] in ("rp", "srp"):
        _check_error(datum["e"])
    for name, value in datum.items():
        known = INNER_ORDERS.get((data[0], name))
        if known and isinstance(value, dict):
            _check_order(value, known)
            assert all(member in known for member in value), f"an unknown member in {text}"
    return packet


def _check_error(e):
    assert list(e) == ["c", "d"], e
    assert isinstance(e["c"], str) and e["c"].isdigit(), e
    assert isinstance(e["d"], str) and e["d"], "an error without a sentence"


def done(id):
    return {"rp": {"id": id}}


def error(code, id=None):
    e = {"c": str(code), "d": ANY}
    return {"rp": {"e": e} if id is None else {"id": id, "e": e}}


def server_error(code, id=None, t=None):
    datum = {} if id is None else {"id": id}
    if t is not None:
        datum["t"] = t
    return {"srp": {**datum, "e": {"c": str(code), "d": ANY}}}


def knock(id):
    return {"srp": {"id": id, "t": "k"}}


def login_answer(id, accepted):
    return {"rp": {"id": id, "response": accepted}}


def sr(id):
    return {"m": {"id": ANY, "sr": {"id": id}}}


def message(id, s, r, c, *, t="t", st=ANY, **more):
    """What a receiver gets."""
    return {"m": {"id": id, "s": s, "r": r, "t": t, "c": c, "st": st, **more}}


def receipt(id, s, r, kind, of, st=ANY):
    return {"m": {"id": id, "s": s, "r": r, "st": st, kind: {"id": of}}}


def info(t, i, **more):
    """Information about a group: m, n, c as given."""
    return {"i": {"id": ANY, "g": {"t": t, "i": i, **more}}}


def gap_of_broadcast(owner, count):
    return {"i": {"id": ANY, "g": {"t": "gap", "u": owner, "c": str(count)}}}


def li(user):
    return {"i": {"id": ANY, "li": user}}


def lo(user):
    return {"i": {"id": ANY, "lo": user}}


def code(answer):
    """Of a response without its id: the code of its error, "" if it is none."""
    return answer["e"]["c"] if "e" in answer else ""
