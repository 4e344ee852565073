"""Users who chat while the server is killed: they log all they do and see, come back after each
crash, and send again what they saw no receipt for."""

import asyncio
import collections
import contextlib
import json
import random
import time

from websockets.exceptions import InvalidHandshake

from checker import content
from client import Client, Closed

WINDOW = 16  # messages of one user waiting for their receipts


class Chatter:
    """One user. `plan` is what it will send: (id, receiver, content)."""

    def __init__(self, server, account, plan, sends_dm):
        self.server, self.account, self.sends_dm = server, account, sends_dm
        self.plan = collections.deque(plan)
        self.waiting = {}   # id -> packet, without a receipt so far, in the order sent
        self.seen = set()   # (sender, id) of messages
        self.told = set()   # (sender, of) of dms
        self.log = []
        self.receipts = 0
        self.session = 0
        self.client = None
        self.unanswered = None
        self.stopping = False

    def note(self, event, **more):
        self.log.append({"t": time.monotonic(), "who": self.account.name, "session": self.session, "event": event, **more})

    async def run(self):
        while not self.stopping:
            try:
                await self._chat()
            except (Closed, OSError, InvalidHandshake) as end:
                self.note("close", reason=repr(end))
                await asyncio.sleep(0.01)

    async def _chat(self):
        self.client = await Client.open(self.server.port, self.account, open_timeout=5)
        self.session += 1
        try:
            await self.client.login()
            self.note("login")
            for id, packet in list(self.waiting.items()):
                await self._send(id, packet)
            while True:
                while self.plan and len(self.waiting) < WINDOW:
                    await self._say(*self.plan.popleft())
                self._take(await self.client.recv(seconds=3600))
                await self._answer()
        except Closed:
            await self._take_the_rest()
            raise
        finally:
            self.client.drop()

    async def _take_the_rest(self):
        """What came before the end; the library may have answered a ping behind it."""
        with contextlib.suppress(Closed):
            while True:
                self._take(await self.client.recv(seconds=1))
                self._owe()

    async def _say(self, id, receiver, text):
        await self._send(id, {"m": {"id": id, "r": receiver, "c": text}})

    async def _send(self, id, packet):
        m = packet["m"]
        self.waiting[id] = packet
        if "dm" in m:
            self.note("dm_out", id=id, to=m["r"], of=m["dm"]["id"])
        else:
            self.note("send", id=id, to=m["r"], content=m["c"])
        await self.client.send(packet)

    def _take(self, packet):
        self.unanswered = None
        m = packet.get("m")
        if m is None:
            self.note("refused", id=packet["rp"].get("id"), code=packet["rp"]["e"]["c"])
        elif "sr" in m:
            self.note("sr", id=m["sr"]["id"])
            self.receipts += 1
            self.waiting.pop(m["sr"]["id"], None)
        elif "dm" in m:
            self.note("dm_in", id=m["id"], sender=m["s"], of=m["dm"]["id"])
            self.told.add((m["s"], m["dm"]["id"]))
        else:
            self.note("recv", id=m["id"], sender=m["s"], content=m["c"])
            self.seen.add((m["s"], m["id"]))
            self.unanswered = m

    def _owe(self):
        """Writes down the dm for what was just taken, to be sent; returns its id."""
        m = self.unanswered
        id = "dm " + m["id"] if m else None
        if not m or not self.sends_dm or id in self.waiting:
            return None
        self.waiting[id] = {"m": {"id": id, "r": m["s"], "dm": {"id": m["id"]}}}
        return id

    async def _answer(self):
        id = self._owe()
        if id:
            await self._send(id, self.waiting[id])

    def stop(self):
        self.stopping = True


class Crowd:
    """So many users and messages, all from one seed."""

    def __init__(self, server, users, messages, seed):
        self.server = server
        self.random = random.Random(seed)
        self.messages = messages
        accounts = server.import_users([f"user{n}" for n in range(users)])
        plans = self._plans([a.name for a in accounts], messages)
        self.chatters = [Chatter(server, account, plans[account.name], n % 2 == 0) for n, account in enumerate(accounts)]
        self.by_name = {c.account.name: c for c in self.chatters}
        self.to_see = collections.Counter(r for plan in plans.values() for _, r, _ in plan)
        self.to_be_told = collections.Counter(name for name, plan in plans.items() for _, r, _ in plan
                                              if self.by_name[r].sends_dm)

    def _plans(self, names, messages):
        """Each user has a few friends, so that order means something."""
        friends = {name: self.random.sample([n for n in names if n != name], min(4, len(names) - 1)) for name in names}
        plans = {name: [] for name in names}
        for number in range(messages):
            name = self.random.choice(names)
            plans[name].append((f"{name}-{number}", self.random.choice(friends[name]), content("run", name, number)))
        return plans

    def receipted(self):
        return sum(c.receipts for c in self.chatters)

    def done(self):
        return all(not c.plan and not c.waiting and len(c.seen) >= self.to_see[c.account.name]
                   and len(c.told) >= self.to_be_told[c.account.name] for c in self.chatters)

    def events(self):
        return [event for c in self.chatters for event in c.log]

    async def run(self, kills, seconds):
        """Lets them chat through so many kills, till all has arrived or the time is over."""
        tasks = [asyncio.create_task(c.run()) for c in self.chatters]
        deadline = time.monotonic() + seconds
        total = self.messages + self.to_be_told.total()  # server receipts to come, for messages and dms
        try:
            for kill in range(kills):
                share = (kill + self.random.random()) / (kills + 1)
                await self._until(lambda: self.receipted() >= share * total, deadline)
                await self._crash(twice=kill % 3 == 2)
            await self._until(self.done, deadline)
            await asyncio.sleep(0.5)  # time for something to come twice
        finally:
            for chatter in self.chatters:
                chatter.stop()
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended

    async def _until(self, condition, deadline):
        while not condition() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    async def _crash(self, twice):
        loop = asyncio.get_running_loop()
        self.server.kill()
        if twice:  # and once more while it recovers
            await loop.run_in_executor(None, self.server.start_and_kill, self.random.random() * 0.05)
        await loop.run_in_executor(None, self.server.start_again)

    def write_logs(self, path):
        with open(path, "w") as out:
            for event in sorted(self.events(), key=lambda e: e["t"]):
                out.write(json.dumps(event) + "\n")
