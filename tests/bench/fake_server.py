"""A LEMP server for tests of lemp-bench: logs in, relays, receipts, keeps nothing, and does wrong
what it is told to do wrong. Prints its URL when it is ready, and at its end (SIGTERM) what it has
seen as one line of JSON.

    fake_server.py [--lose N] [--repeat N] [--swap N] [--refuse N] [--mute-after N] [--hang-up-after N]
                   [--tell-at N]

N: with every Nth message, for the last two faults from the Nth message on. --tell-at prints a line when
the Nth message comes.
"""

import argparse
import asyncio
import json
import signal

from websockets.asyncio.server import serve

ADMIN, ADMIN_TOKEN = "root", "let me in"
USERS = {"alice": "wonder land", "bob": "builder"}  # there from the beginning


def write(packet):
    return json.dumps(packet, separators=(",", ":"))


class Server:
    def __init__(self, faults):
        self.faults = faults
        self.tokens = {ADMIN: ADMIN_TOKEN, **USERS}
        self.sessions = {}  # user: connection
        self.senders = {}  # (receiver, message id): sender
        self.groups = {}  # id: members
        self.held = None  # the delivery that --swap keeps back: (receiver, packet)
        self.seen = {"created": 0, "changed": 0, "deleted": 0, "messages": 0, "delivered": 0,
                     "packets": 0, "sizes": [], "flags": [], "most_under_way": 0,
                     "groups": [], "group_messages": 0, "group_receivers": 0,
                     "most_under_way_in_groups": 0}
        self.under_way = {}  # (sender, receiver): messages without dm
        self.owed = {}  # (sender, id) of a message to a group: the dms that are missing

    def every(self, fault):
        n = getattr(self.faults, fault)
        return n and self.seen["messages"] % n == 0

    def after(self, fault):
        n = getattr(self.faults, fault)
        return n and self.seen["messages"] >= n

    async def send(self, user, packet):
        if user in self.sessions and not self.after("mute_after"):
            await self.sessions[user].send(write(packet))

    async def connection(self, socket):
        user = None
        async for text in socket:
            packet = json.loads(text)
            if user is None:
                user = await self.login(socket, packet["rq"])
            elif "g" in packet.get("rq", ()):
                await self.group(user, packet["rq"])
            elif "rq" in packet:
                await self.administration(user, packet["rq"])
            elif "dm" in packet["m"]:
                await self.delivered(user, packet["m"])
            else:
                await self.message(socket, user, packet["m"])
        if user and self.sessions.get(user) is socket:
            del self.sessions[user]

    async def login(self, socket, rq):
        name = rq["a"]["i"]
        good = self.tokens.get(name) == rq["a"]["t"]
        await socket.send(write({"rp": {"id": rq["id"], "response": int(good)}}))
        if good:
            self.sessions[name] = socket
            return name
        return None

    async def administration(self, user, rq):
        ad, answer = rq["ad"], {"id": rq["id"]}
        if user != ADMIN:
            answer["e"] = {"c": "403", "d": "Not an administrator."}
        elif ad["c"] == "cr" and ad["i"] in self.tokens:
            answer["e"] = {"c": "409", "d": "Taken."}
        elif ad["c"] == "del":
            del self.tokens[ad["i"]]
            self.seen["deleted"] += 1
        else:
            self.tokens[ad["i"]] = ad["t"]
            self.seen["created" if ad["c"] == "cr" else "changed"] += 1
        await self.send(user, {"rp": answer})

    async def group(self, user, rq):
        g = rq["g"]
        if g["t"] == "c":
            self.groups[g["i"]] = [user, *g["m"]]
            self.seen["groups"].append(len(self.groups[g["i"]]))
        else:
            del self.groups[g["i"]]
        await self.send(user, {"rp": {"id": rq["id"]}})

    async def delivered(self, user, m):
        self.seen["packets"] += 1
        self.seen["delivered"] += 1
        sender = self.senders.pop((user, m["dm"]["id"]), None)
        await self.send(user, {"m": {"id": "x", "sr": {"id": m["id"]}}})
        if sender:
            if (sender, m["dm"]["id"]) in self.owed:
                self.owed[sender, m["dm"]["id"]] -= 1
            else:
                self.under_way[sender, user] -= 1
            await self.send(sender, {"m": {"id": m["id"], "s": user, "r": sender, "st": m["st"],
                                           "dm": m["dm"]}})

    def note(self, user, m):
        self.seen["packets"] += 1
        self.seen["messages"] += 1
        flags = {name: m[name] for name in ("p", "sc", "pc") if name in m}
        if flags not in self.seen["flags"]:
            self.seen["flags"].append(flags)
        if len(m["c"]) not in self.seen["sizes"]:
            self.seen["sizes"].append(len(m["c"]))
        if m["r"] in self.groups:
            self.seen["group_messages"] += 1
            self.senders.update({(member, m["id"]): user for member in self.groups[m["r"]]})
            self.owed[user, m["id"]] = len(self.groups[m["r"]]) - 1
            mine = sum(sender == user and dms > 0 for (sender, _), dms in self.owed.items())
            self.seen["most_under_way_in_groups"] = max(self.seen["most_under_way_in_groups"], mine)
        elif m.get("pc") != "0":
            pair = user, m["r"]
            self.senders[m["r"], m["id"]] = user
            self.under_way[pair] = self.under_way.get(pair, 0) + 1
            self.seen["most_under_way"] = max(self.seen["most_under_way"], self.under_way[pair])

    async def message(self, socket, user, m):
        self.note(user, m)
        if self.seen["messages"] == self.faults.tell_at:
            print("told", flush=True)
        if self.after("hang_up_after"):
            await socket.close(4003, "told to")
            return
        if self.every("refuse"):
            await self.send(user, {"rp": {"id": m["id"], "e": {"c": "507", "d": "Full."}}})
            return
        if m.get("sc") != "0":
            await self.send(user, {"m": {"id": "x", "sr": {"id": m["id"]}}})
        if self.every("lose"):
            return
        delivery = {"m": {"id": m["id"], "s": user, **{k: v for k, v in m.items() if k != "id"}}}
        if self.every("swap") and not self.held:
            self.held = m["r"], user, delivery
            return
        await self.deliver(m["r"], user, delivery)
        if self.every("repeat"):
            await self.deliver(m["r"], user, delivery)
        if self.held and self.held[0] == m["r"]:
            held, self.held = self.held, None
            await self.deliver(*held)

    async def deliver(self, to, sender, packet):
        receivers = [member for member in self.groups.get(to, [to]) if member != sender or to == sender]
        if to in self.groups:
            self.seen["group_receivers"] += len(receivers)
        for receiver in receivers:
            await self.send(receiver, packet)


async def main():
    parser = argparse.ArgumentParser()
    for fault in ("lose", "repeat", "swap", "refuse", "mute-after", "hang-up-after",
                  "tell-at"):
        parser.add_argument("--" + fault, type=int, default=0)
    server = Server(parser.parse_args())
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    async with serve(server.connection, "127.0.0.1", 0, compression=None, ping_interval=None) as listening:
        port = listening.sockets[0].getsockname()[1]
        print(f"ws://127.0.0.1:{port}/lemp", flush=True)
        await end.wait()
    print(json.dumps({**server.seen, "groups_left": len(server.groups)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
