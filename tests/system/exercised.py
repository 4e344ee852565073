"""What passes between clients and servers in a run: which rows of the dispatch table
(src/handlers/handlers.def) were answered with success, which error codes (src/packet/refusal.def) and
which kinds of packets (docs/lemp.schema.json) were seen. conftest.py asks at the end of a whole run,
which fails if one never was. And every packet is held against the schema as it passes."""

import collections
import json
import re

import schema
from lempd import ROOT

ROW = re.compile(r'^ROW\((\w+), "(\w*)", (\w+), ', re.MULTILINE)
REFUSAL = re.compile(r'^REFUSAL\(\w+, "(\d+)"\)', re.MULTILINE)
UNQUOTED = re.compile(r"([{,]\s*)([A-Za-z_$][A-Za-z0-9_$]*)(\s*:)")

# Members that tell requests of one key apart ("t" where nothing stands here), and what a request is about.
SELECTORS = {"get": "o", "ad": "c"}
SUBJECTS = {"u": "U", "i": "I", "b": "B"}
# Nothing that a client can do makes a server say these.
NOT_FROM_OUTSIDE = {
    "500": "where it would fail the server ends instead, and what was under way is done or not at the next start",
}

Row = collections.namedtuple("Row", "kind select subject")
ROWS = [Row(*found) for found in ROW.findall((ROOT / "src/handlers/handlers.def").read_text())]
CODES = REFUSAL.findall((ROOT / "src/packet/refusal.def").read_text())

seen = set()  # names of rows, codes and kinds of packets, as written by _name, _code and in KINDS


def _name(row):
    return f'row {row.kind}, "{row.select}", {row.subject}'


def _code(code):
    return f"error {code}"


# For each side the names of its kinds of packets, as they stand in `seen`.
KINDS = {side: {f"packet {kind} of the {side.name}": kind for kind in side.kinds}
         for side in (schema.CLIENT, schema.SERVER)}


def _check(side, packet):
    """Fails the test in which a packet passes that the schema does not know."""
    side.check(packet)
    for name in KINDS[side].keys() - seen:
        if side.is_kind(packet, KINDS[side][name]):
            seen.add(name)


def sent_by_server(packet):
    _check(schema.SERVER, packet)


def _row(kind, key, body):
    """The row a packet belongs to, None if to no one."""
    selector = body.get(SELECTORS.get(key, "t")) if isinstance(body, dict) else None
    rows = [row for row in ROWS if row.kind == kind and row.select in ("", selector)]
    if len(rows) > 1:
        about = {SUBJECTS[name] for name in SUBJECTS if name in body} & {row.subject for row in rows} or {"OWN"}
        rows = [row for row in rows if row.subject in about]
    return rows[0] if len(rows) == 1 else None


def row_of(packet):
    """The id and the row of a packet from a client, or two Nones."""
    for datum in ("srq", "m"):
        if isinstance(packet.get(datum), dict):
            return str(packet[datum].get("id")), _row(datum.upper(), datum, packet[datum])
    if isinstance(packet.get("rq"), dict):
        for key, body in packet["rq"].items():
            row = _row("RQ_" + key.upper(), key, body)
            if row:
                return str(packet["rq"].get("id")), row
    return None, None


def _loads(text):
    """An object, None if it is none or wrong on purpose."""
    try:
        packet = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return packet if isinstance(packet, dict) else None


class Record:
    """What one connection has sent and got no answer to."""

    def __init__(self):
        self._waiting = {}  # id: (packet, row)

    def sent(self, text):
        packet = _loads(text) or _loads(UNQUOTED.sub(r'\1"\2"\3', text))
        if packet:
            id, row = row_of(packet)
            self._waiting[id] = packet, row

    def received(self, packet):
        sent_by_server(packet)
        datum = packet.get("rp") or packet.get("srp") or packet.get("m", {}).get("sr") or {}
        sent, row = self._waiting.pop(datum.get("id"), (None, None))
        if "e" in datum:
            seen.add(_code(datum["e"]["c"]))
        elif row and datum.get("response") != 0:
            self._succeeded(sent, row)

    def closed(self, code):
        """A logout has no response but this."""
        for sent, row in self._waiting.values():
            if code == 1000 and row and row.kind == "RQ_LO":
                self._succeeded(sent, row)

    @staticmethod
    def _succeeded(sent, row):
        seen.add(_name(row))
        _check(schema.CLIENT, sent)


def missing(seen_by_all):
    """What should have been seen, and was not."""
    expected = {_name(row) for row in ROWS} | {_code(code) for code in CODES if code not in NOT_FROM_OUTSIDE}
    expected |= {name for names in KINDS.values() for name in names}
    return sorted(expected - set(seen_by_all))
