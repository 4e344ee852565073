"""docs/lemp.schema.json, held against every packet that passes in the tests (exercised.py does it)."""

import json

import jsonschema_rs

from lempd import ROOT

SCHEMA = json.loads((ROOT / "docs" / "lemp.schema.json").read_text(encoding="utf-8"))
_validators = jsonschema_rs.validator_map_for(SCHEMA)


def validator(name):
    return _validators[f"#/$defs/{name}"]


class Side:
    """The packets of one side: of clients or of the server."""

    def __init__(self, name):
        self.name = name
        self.kinds = [kind["$ref"].rpartition("/")[2] for kind in SCHEMA["$defs"][name]["oneOf"]]
        self._validator = validator(name)
        self._validators = {kind: validator(kind) for kind in self.kinds}

    def check(self, packet):
        if not self._validator.is_valid(packet):
            raise AssertionError(f"docs/lemp.schema.json has no such packet of the {self.name}: "
                                 f"{json.dumps(packet, ensure_ascii=False)[:2000]}\n{self._why(packet)}")

    def is_kind(self, packet, kind):
        return self._validators[kind].is_valid(packet)

    def _why(self, packet):
        """What is wrong with it, taken as the kind it is most like: the first fault lies deep, and is not in
        what tells kinds apart."""
        faults = {kind: list(validator.iter_errors(packet)) for kind, validator in self._validators.items()}
        if fitting := [kind for kind in self.kinds if not faults[kind]]:
            return f"it is {' and '.join(fitting)}, and holds what none may hold"
        depth = {kind: min(len(fault.instance_path) for fault in faults[kind]) for kind in faults}
        other = {kind: sum(fault.schema_path[-1] == "const" for fault in faults[kind]) for kind in faults}
        kind = min(faults, key=lambda kind: (-depth[kind], other[kind], len(faults[kind])))
        return "\n".join(f"as {kind}, at {'/'.join(map(str, fault.instance_path))}: {fault.message[:500]}"
                         for fault in faults[kind])


CLIENT = Side("client")
SERVER = Side("server")
