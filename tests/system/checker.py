"""Judges the logs of clients by the invariants I1 to I4 and I6 of docs (reliability): no loss,
nothing invented, no duplicates but those a fault explains, order, receipts.

A log is a list of events, each a dict with `t` (monotonic seconds), `who`, `session` (counted by
the client) and `event`:

    login                                a session begins
    send    id to content                before the message is written to the socket
    dm_out  id to of     nm_out …        likewise for receipts of messages received
    sr      id                           the server receipt for one of these came
    refused id code                      an error came instead
    recv    id sender content            a message came
    dm_in   id sender of nm_in …         a receipt for a message sent came

Content is made by content(): it holds the sender, a number and a checksum."""

import collections
import zlib

Report = collections.namedtuple("Report", "violations counts")
Violation = collections.namedtuple("Violation", "invariant text")

SENDS = ("send", "dm_out", "nm_out")
ARRIVALS = {"recv": "send", "dm_in": "dm_out", "nm_in": "nm_out"}


def content(run, sender, number):
    text = f"{run}:{sender}:{number}"
    return f"{text}:{zlib.crc32(text.encode()):08x}"


def is_whole(text):
    body, _, checksum = text.rpartition(":")
    return checksum == f"{zlib.crc32(body.encode()):08x}"


class Checker:
    def __init__(self, events):
        self.events = sorted(events, key=lambda e: e["t"])
        self.violations = []
        self.counts = collections.Counter()
        self.sends = {}                                  # (who, id) -> first send
        self.sendings = collections.Counter()            # (who, session, id)
        self.receipted = collections.defaultdict(list)   # (who, id) -> sr events
        self.refused = set()
        self.arrivals = collections.defaultdict(list)    # (receiver, sender, id) -> events
        for event in self.events:
            self._sort_in(event)

    def _sort_in(self, event):
        kind, who = event["event"], event["who"]
        self.counts[kind] += 1
        if kind in SENDS:
            self.sends.setdefault((who, event["id"]), event)
            self.sendings[who, event["session"], event["id"]] += 1
        elif kind == "sr":
            self.receipted[who, event["id"]].append(event)
        elif kind == "refused":
            self.refused.add((who, event["id"]))
        elif kind in ARRIVALS:
            self.arrivals[who, event["sender"], event["id"]].append(event)

    def wrong(self, invariant, text):
        self.violations.append(Violation(invariant, text))

    def run(self):
        self.no_loss()
        self.nothing_invented()
        self.no_duplicates()
        self.order()
        self.server_receipts()
        self.receipts_of_receivers()
        return Report(self.violations, dict(self.counts))

    # -- I1 ---------------------------------------------------------------------------

    def no_loss(self):
        for (who, id), send in self.sends.items():
            if not self.receipted[who, id]:
                self.counts["indeterminate"] += 1
                continue
            if self.arrivals.get((send["to"], who, id)):
                continue
            if send["event"] == "send":
                self.wrong("I1", f"message {id} of {who} to {send['to']} was receipted and never arrived")
            elif not self._superseded(who, send):
                self.wrong("I6", f"{send['event']} {id} of {who} was receipted and never reached {send['to']}")

    def _superseded(self, who, send):
        """A second dm for one message is receipted and not passed on."""
        first = min((s for (w, _), s in self.sends.items()
                     if w == who and s["event"] == send["event"] and s["of"] == send["of"] and s["to"] == send["to"]),
                    key=lambda s: s["t"])
        return first is not send

    # -- I2 ---------------------------------------------------------------------------

    def nothing_invented(self):
        for (receiver, sender, id), events in self.arrivals.items():
            send = self.sends.get((sender, id))
            for event in events:
                if not send or send["to"] != receiver or send["event"] != ARRIVALS[event["event"]]:
                    self.wrong("I2", f"{event['event']} {id} from {sender} came to {receiver}, who was never sent it")
                elif event["event"] == "recv" and (event["content"] != send["content"] or not is_whole(event["content"])):
                    self.wrong("I2", f"message {id} of {sender} came to {receiver} with other content")
                elif event["event"] != "recv" and event["of"] != send["of"]:
                    self.wrong("I2", f"{event['event']} {id} of {sender} names another message")
                elif event["t"] < send["t"]:
                    self.wrong("I2", f"{event['event']} {id} came before it was sent")
            if (sender, id) in self.refused and not self.receipted[sender, id]:
                self.wrong("I2", f"{id} of {sender} was refused and arrived nevertheless")

    # -- I3 ---------------------------------------------------------------------------

    def no_duplicates(self):
        for (receiver, sender, id), events in self.arrivals.items():
            self.counts["duplicates"] += len(events) - 1
            sessions = [event["session"] for event in events]
            if len(set(sessions)) < len(sessions):
                self.wrong("I3", f"{id} of {sender} came to {receiver} twice in one session")
            if len(events) > 1 and events[0]["event"] == "recv":
                self._not_after_release(receiver, sender, id, events)

    def _not_after_release(self, receiver, sender, id, events):
        """Once a dm or nm has its server receipt, the message is released for good."""
        released = [sr["t"] for (who, out), send in self.sends.items()
                    if who == receiver and send["event"] in ("dm_out", "nm_out") and send["of"] == id and send["to"] == sender
                    for sr in self.receipted[who, out]]
        if released and events[-1]["t"] > min(released):
            self.wrong("I3", f"{id} of {sender} came to {receiver} again after its receipt was receipted")

    # -- I4 ---------------------------------------------------------------------------

    def order(self):
        firsts = collections.defaultdict(list)
        for (receiver, sender, id), events in self.arrivals.items():
            if self.receipted[sender, id] and (sender, id) in self.sends:
                firsts[sender, receiver].append((events[0]["t"], self.sends[sender, id]["t"], id))
        for (sender, receiver), arrived in firsts.items():
            arrived.sort()
            for (_, before, id), (_, after, next_id) in zip(arrived, arrived[1:]):
                if after < before:
                    self.wrong("I4", f"{next_id} came to {receiver} after {id}, which {sender} sent later")

    # -- I6 ---------------------------------------------------------------------------

    def server_receipts(self):
        for (who, id), receipts in self.receipted.items():
            if receipts and (who, id) not in self.sends:
                self.wrong("I6", f"a server receipt for {id} came to {who}, who never sent it")
            for session, count in collections.Counter(e["session"] for e in receipts).items():
                if count > self.sendings[who, session, id]:
                    self.wrong("I6", f"{count} server receipts for {id} in session {session} of {who}, sent "
                                     f"{self.sendings[who, session, id]} times")

    def receipts_of_receivers(self):
        passed_on = collections.defaultdict(set)
        for (who, sender, id), events in self.arrivals.items():
            for event in events:
                if event["event"] == "recv":
                    continue
                kind, of = event["event"], event["of"]
                passed_on[who, sender, kind, of].add(id)
                original = self.sends.get((who, of))
                if not original or original["event"] != "send" or original["to"] != sender:
                    self.wrong("I6", f"{kind} {id} came to {who} from {sender}, no receiver of {of}")
                    continue
                shown = self.arrivals.get((sender, who, of))
                if not shown or shown[0]["t"] > event["t"]:
                    self.wrong("I6", f"{kind} {id} came to {who} before {sender} had {of}")
        for (who, sender, kind, of), ids in passed_on.items():
            if len(ids) > 1:
                self.wrong("I6", f"{len(ids)} different {kind} for {of} came to {who} from {sender}")


def check(events):
    return Checker(events).run()
