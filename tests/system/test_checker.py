"""The checker must name each kind of violation, and accept what is right."""

import copy

import pytest

import checker


class Story:
    """Events in the order they happen."""

    def __init__(self):
        self.events = []

    def add(self, who, event, session=1, **more):
        self.events.append({"t": float(len(self.events)), "who": who, "session": session, "event": event, **more})

    def send(self, number, sender="alice", receiver="bob", session=1):
        id = f"{sender}-{number}"
        self.add(sender, "send", session, id=id, to=receiver, content=checker.content("run", sender, number))
        self.add(sender, "sr", session, id=id)

    def recv(self, number, sender="alice", receiver="bob", session=1):
        self.add(receiver, "recv", session, id=f"{sender}-{number}", sender=sender,
                 content=checker.content("run", sender, number))

    def receipt(self, kind, number, sender="alice", receiver="bob", session=1):
        id, of = f"{kind} {sender}-{number}", f"{sender}-{number}"
        self.add(receiver, f"{kind}_out", session, id=id, to=sender, of=of)
        self.add(receiver, "sr", session, id=id)
        self.add(sender, f"{kind}_in", 1, id=id, sender=receiver, of=of)


def good():
    """Three messages with dm and nm, one of them shown again after a crash, one never receipted."""
    story = Story()
    for who in ("alice", "bob"):
        story.add(who, "login")
    for n in (1, 2, 3):
        story.send(n)
    for n in (1, 2, 3):
        story.recv(n)
        if n < 3:
            story.receipt("dm", n)
            story.receipt("nm", n)
    story.add("bob", "login", 2)
    story.recv(3, session=2)
    story.receipt("dm", 3, session=2)
    story.add("alice", "send", id="lost", to="bob", content=checker.content("run", "alice", "lost"))
    story.add("alice", "refused", id="no", code="404")
    return story.events


def find(events, **wanted):
    return next(e for e in events if all(e.get(k) == v for k, v in wanted.items()))


def drop_a_recv(events):
    events[:] = [e for e in events if not (e["event"] == "recv" and e["id"] == "alice-1")]


def drop_all_of_one(events):
    gone = ("dm alice-2", "nm alice-2")
    events[:] = [e for e in events if e.get("id") not in gone and (e["event"], e.get("id")) != ("recv", "alice-2")]


def change_the_order(events):
    find(events, event="recv", id="alice-3")["t"] = find(events, event="recv", id="alice-1")["t"] - 0.5


def change_the_order_of_receipts(events):
    dm, nm = (find(events, event=kind, of="alice-1") for kind in ("dm_in", "nm_in"))
    dm["t"] = nm["t"] + 0.5


def add_one(events):
    events.append({**find(events, event="recv", id="alice-1"), "id": "alice-9", "t": 99.0})


def come_twice(events):
    events.append({**find(events, event="recv", id="alice-3"), "t": 17.5, "session": 1})


def come_after_the_release(events):
    events.append({**find(events, event="recv", id="alice-1"), "t": 99.0, "session": 2})


def change_a_byte(events):
    recv = find(events, event="recv", id="alice-2")
    recv["content"] = recv["content"].replace("run", "ruN")


def change_it_on_both_sides(events):
    for e in events:
        if e["event"] in ("send", "recv") and e["id"] == "alice-2":
            e["content"] = e["content"].replace("run", "ruN")


def arrive_though_refused(events):
    find(events, event="refused")["id"] = "alice-3"
    events[:] = [e for e in events if not (e["event"] == "sr" and e["id"] == "alice-3")]


def reach_another(events):
    find(events, event="recv", id="alice-3")["who"] = "carol"


def dm_by_a_stranger(events):
    for kind, who, sender in (("dm_out", "mallory", None), ("dm_in", "alice", "mallory")):
        events.append({"t": 90.0 + (who == "alice"), "who": who, "session": 1, "event": kind, "id": "x", "of": "alice-1",
                       **({"to": "alice"} if who == "mallory" else {"sender": sender})})


def dm_nobody_sent(events):
    events.append({"t": 90.0, "who": "alice", "session": 1, "event": "dm_in", "id": "x", "of": "alice-1", "sender": "bob"})


def dm_before_the_message(events):
    find(events, event="recv", id="alice-1")["t"] = 40.0
    find(events, event="recv", id="alice-2")["t"] = 41.0


def two_dms_for_one(events):
    events.append({**find(events, event="dm_out", of="alice-1"), "id": "second", "t": 90.0})
    events.append({**find(events, event="dm_in", of="alice-1"), "id": "second", "t": 91.0})


def lose_a_dm(events):
    events.remove(find(events, event="dm_in", of="alice-1"))


def lose_an_nm(events):
    events.remove(find(events, event="nm_in", of="alice-2"))


def receipt_for_another(events):
    events.append({**find(events, event="sr", id="alice-1"), "who": "bob", "t": 90.0})


def receipt_twice(events):
    events.append({**find(events, event="sr", id="alice-1"), "t": 90.0})


PLANTED = [
    (drop_a_recv, {"I1", "I6"}), (drop_all_of_one, {"I1"}), (change_the_order, {"I4"}), (change_the_order_of_receipts, {"I4"}), (add_one, {"I2"}), (come_twice, {"I3"}),
    (come_after_the_release, {"I3"}), (change_a_byte, {"I2"}), (change_it_on_both_sides, {"I2"}),
    (arrive_though_refused, {"I2"}), (reach_another, {"I1", "I2"}), (dm_by_a_stranger, {"I6"}), (dm_nobody_sent, {"I2", "I6"}),
    (dm_before_the_message, {"I6", "I4"}), (two_dms_for_one, {"I6"}), (lose_a_dm, {"I6"}), (lose_an_nm, {"I6"}),
    (receipt_for_another, {"I6"}), (receipt_twice, {"I6"}),
]


def test_a_good_log_has_no_violation():
    report = checker.check(good())
    assert report.violations == []
    assert report.counts["duplicates"] == 1 and report.counts["indeterminate"] == 1


@pytest.mark.parametrize("plant, invariants", PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_each_planted_violation_is_named(plant, invariants):
    events = copy.deepcopy(good())
    plant(events)
    named = {violation.invariant for violation in checker.check(events).violations}
    assert named and named <= invariants


def test_a_second_dm_that_is_only_receipted_is_right():
    events = good()
    first = find(events, event="dm_out", of="alice-1")
    events.append({**first, "id": "second", "t": 90.0})
    events.append({"t": 91.0, "who": "bob", "session": 1, "event": "sr", "id": "second"})
    assert checker.check(events).violations == []
