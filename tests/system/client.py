"""LEMP clients for the tests: Client speaks through the `websockets` library, RawClient
through frames made by hand (it sees pings and need not answer them). Same methods."""

import asyncio
import collections
import contextlib
import itertools
import struct

import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed

import exercised
import packets
import wsraw
from lempd import Account

SECONDS = 10
_marks = itertools.count(1)


class Closed(Exception):
    """The connection was closed: .code is the server's (None: ended without a close frame)."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason}")
        self.code, self.reason = code, reason


class Peer:
    """What every client can do, on top of _send_text and _recv_text."""

    def __init__(self, account=None):
        self.account = account
        self.name = account.name if account else None
        self._ids = itertools.count(1)
        self.kept = collections.deque()  # packets that came while something else was awaited
        self._record = exercised.Record()

    def new_id(self):
        return f"{next(self._ids)}"

    # -- packets ------------------------------------------------------------

    async def send(self, packet):
        """A packet, or text as it is."""
        text = packet if isinstance(packet, str) else packets.write(packet)
        self._record.sent(text)
        await self._send_text(text)

    async def _next(self, seconds):
        try:
            text = await asyncio.wait_for(self._recv_text(), seconds)
        except Closed as end:
            self._record.closed(end.code)
            raise
        self.text = text
        packet = packets.read(text)
        self._record.received(packet)
        return packet

    async def recv(self, seconds=SECONDS):
        """The next packet; its text stays in .text."""
        return self.kept.popleft() if self.kept else await self._next(seconds)

    async def read_rest(self):
        """What has come by now is held against the schema even if the test did not want it."""

    async def recv_text(self, seconds=SECONDS):
        assert not self.kept, self.kept
        await self._next(seconds)
        return self.text

    async def expect(self, *wanted, seconds=SECONDS):
        """The next packets are these, in this order."""
        for want in wanted:
            got = await self.recv(seconds)
            assert got == want
        return got

    async def expect_all(self, *wanted):
        """The next packets are these, in any order."""
        left = list(wanted)
        for _ in wanted:
            got = await self.recv()
            assert got in left, f"{got} is none of {left}"
            left.remove(got)

    async def until(self, want):
        """Keeps what comes before the packet `want`, which is returned."""
        for at, packet in enumerate(self.kept):
            if packet == want:
                del self.kept[at]
                return packet
        while True:
            packet = await self._next(SECONDS)
            if packet == want:
                return packet
            self.kept.append(packet)

    async def closed(self):
        """Nothing comes any more but the end; returns the close code."""
        assert not self.kept, f"{self.kept} before the close"
        try:
            packet = await self._next(SECONDS)
        except Closed as end:
            return end.code
        raise AssertionError(f"{packet} instead of a close")

    # -- what clients do ----------------------------------------------------

    async def login(self, account=None, *, accepted=1):
        """Logs in; the response comes before all else."""
        if account:
            self.account, self.name = account, account.name
        id = self.new_id()
        await self.send({"rq": {"id": id, "a": {"i": self.account.name, "t": self.account.token}}})
        await self.expect(packets.login_answer(id, accepted))
        return self

    async def rq(self, **body):
        """A request and its response (without the id)."""
        id = self.new_id()
        await self.send({"rq": {"id": id, **body}})
        return await self.response(id)

    async def response(self, id):
        while True:
            packet = await self._next(SECONDS)
            if packet.get("rp", {}).get("id") == id:
                return {name: value for name, value in packet["rp"].items() if name != "id"}
            self.kept.append(packet)

    async def done(self, **body):
        """A request answered with success and nothing else."""
        assert await self.rq(**body) == {}

    async def refused(self, code, **body):
        """A request answered with this error; returns its sentence."""
        answer = await self.rq(**body)
        assert packets.code(answer) == str(code), answer
        return answer["e"]["d"]

    async def get(self, o):
        """One of the user's own lists."""
        answer = await self.rq(get={"o": o})
        assert list(answer) == [o], answer
        return answer[o]

    async def ad(self, c, i, **more):
        return await self.rq(ad={"c": c, "i": i, **more})

    async def g(self, t, i, **more):
        return await self.rq(g={"t": t, "i": i, **more})

    async def br(self, t, i, **more):
        return await self.rq(br={"t": t, "i": i, **more})

    async def members(self, group):
        """Of a group this user is in: members and admins as listed."""
        members, admins = await self.g("i", group), await self.g("ad", group)
        return members["g"]["m"], admins["g"]["ad"]

    async def log_out(self):
        await self.send({"rq": {"id": self.new_id(), "lo": {"r": "bye"}}})
        assert await self.closed() == 1000

    async def knock(self):
        """Answered once all sent before has been taken in."""
        id = "knock " + self.new_id()
        await self.send({"srq": {"id": id, "t": "k"}})
        await self.until(packets.knock(id))

    async def quiet(self):
        """Nothing unread came to this client up to now (as far as its own connection can tell)."""
        await self.knock()
        assert not self.kept, f"unexpected: {list(self.kept)}"

    async def post(self, r, c, id=None, **more):
        """Sends a message without waiting; returns its id."""
        id = id or f"{self.name} {next(_marks)}"
        r = name_of(r)
        await self.send({"m": {"id": id, "r": r, "c": c, **more}})
        return id

    async def tell(self, r, c, id=None, **more):
        """Sends a message and awaits its server receipt; returns its id."""
        id = await self.post(r, c, id, **more)
        await self.until(packets.sr(id))
        return id

    async def receipt(self, kind, of, id=None, **more):
        """Sends dm or nm and awaits its server receipt; returns its id."""
        id = id or f"{kind} {next(_marks)}"
        await self.send({"m": {"id": id, kind: {"id": of}, **more}})
        await self.until(packets.sr(id))
        return id

    async def dm(self, of, id=None, **more):
        return await self.receipt("dm", of, id, **more)

    async def nm(self, of, id=None, **more):
        return await self.receipt("nm", of, id, **more)

    async def nothing_for(self, other):
        """Nothing this user sent before reaches `other`: a p 0 message keeps its place behind
        (protocol.md 13.5), and it is the first thing to come."""
        id = await self.post(other, "mark", p="0", sc="0", pc="0")
        await other.expect(packets.message(id, self.name, other.name, "mark", p="0", sc="0", pc="0"))


    async def mark(self, group, *others):
        """A message to a group that is the next thing each of these members gets."""
        id = await self.tell(group, "mark")
        for other in others:
            await other.expect(packets.message(id, self.name, group, "mark"))


def name_of(who):
    return who if isinstance(who, str) else who.name


def names_of(everybody):
    return [name_of(who) for who in everybody]


class Client(Peer):
    def __init__(self, connection, account=None):
        super().__init__(account)
        self.connection = connection

    @classmethod
    async def open(cls, port, account=None, *, local=None, path="/lemp", **options):
        options = {"compression": None, "max_size": None, "max_queue": None, "ping_interval": None,
                   "close_timeout": 2, "proxy": None, **options}
        if local:
            options["local_addr"] = (local, 0)
        connection = await websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}{path}", **options)
        return cls(connection, account)

    async def _send_text(self, text):
        await self._guard(self.connection.send(text))

    async def send_parts(self, parts):
        """One packet as a fragmented message."""
        await self._guard(self.connection.send(list(parts)))

    async def _recv_text(self):
        text = await self._guard(self.connection.recv())
        assert isinstance(text, str), "a binary message"
        return text

    async def read_rest(self):
        with contextlib.suppress(TimeoutError, Closed):
            async with asyncio.timeout(0):  # which is over when there is something to wait for
                while True:
                    exercised.sent_by_server(packets.read(await self._recv_text()))

    async def _guard(self, what):
        try:
            return await what
        except ConnectionClosed as end:
            raise Closed(end.rcvd.code if end.rcvd else None, end.rcvd.reason if end.rcvd else "") from None

    async def leave(self):
        """Ends the connection without logging out."""
        await self.connection.close()

    def drop(self):
        """Ends it without a word."""
        self.connection.transport.abort()


class RawClient(Peer):
    def __init__(self, raw, account=None, *, answer_pings=False):
        super().__init__(account)
        self.raw = raw
        self.answer_pings = answer_pings
        self.pings = collections.deque()  # payloads seen and not answered

    @classmethod
    async def open(cls, port, account=None, *, answer_pings=False, **options):
        return cls(await wsraw.Raw.open(port, **options), account, answer_pings=answer_pings)

    async def _send_text(self, text):
        await self.raw.send(wsraw.text(text))

    async def pong(self, payload):
        await self.raw.send(wsraw.frame(wsraw.PONG, payload))

    async def _recv_text(self):
        while True:
            text = await self._frame()
            if text is not None:
                return text

    async def _frame(self):
        """The text of the next frame, None if it was another one."""
        try:
            opcode, payload = await self.raw.read_frame()
        except wsraw.Ended:
            raise Closed(None) from None
        if opcode == wsraw.CLOSE:
            with contextlib.suppress(ConnectionError):
                await self.raw.send(wsraw.frame(wsraw.CLOSE, payload))
            raise Closed(struct.unpack(">H", payload[:2])[0] if payload else 1005,
                         payload[2:].decode())
        if opcode == wsraw.PING:
            if self.answer_pings:
                await self.pong(payload)
            else:
                self.pings.append(payload)
        elif opcode == wsraw.TEXT:
            return payload.decode()
        else:
            assert opcode == wsraw.PONG, f"frame of opcode {opcode}"
        return None

    async def ping_payload(self):
        """Awaits a ping of the server; packets that come before it are kept."""
        while not self.pings:
            text = await self._frame()
            if text is not None:
                self.kept.append(packets.read(text))
        return self.pings.popleft()

    async def leave(self):
        await self.raw.send(wsraw.close(1000))
        with contextlib.suppress(wsraw.Ended):
            while (await self.raw.read_frame())[0] != wsraw.CLOSE:
                pass
        await self.raw.read_end()

    def drop(self):
        self.raw.drop()


class World:
    """The users of one test: names nobody else has, clients closed at its end."""

    def __init__(self, server, names):
        self.server = server
        self._names = names
        self._clients = []
        self._admin = None

    def fresh(self, base):
        return f"{base}.{next(self._names)}"

    async def connect(self, **options):
        """A connection that has not logged in."""
        client = await Client.open(self.server.port, **options)
        self._clients.append(client)
        return client

    async def connect_raw(self, **options):
        client = await RawClient.open(self.server.port, **options)
        self._clients.append(client)
        return client

    async def admin(self):
        if not self._admin:
            self._admin = await (await self.connect()).login(self.server.admin_account())
        return self._admin

    async def restarted(self):
        """Starts the server again; all clients are gone."""
        await asyncio.get_running_loop().run_in_executor(None, self.server.start_again)
        self._admin = None

    async def accounts(self, *bases):
        """Users that exist but are not online."""
        admin = await self.admin()
        made = [Account(self.fresh(base), f"token of {base}") for base in bases]
        for account in made:
            id = "create " + account.name
            await admin.send({"rq": {"id": id, "ad": {"c": "cr", "i": account.name, "t": account.token}}})
        for account in made:
            assert await admin.response("create " + account.name) == {}
        return made

    async def account(self, base):
        return (await self.accounts(base))[0]

    async def login(self, account, **options):
        """A client of this user, logged in."""
        return await (await self.connect(**options)).login(account)

    async def login_raw(self, account, **options):
        return await (await self.connect_raw(**options)).login(account)

    async def users(self, *bases):
        """Clients of new users, logged in."""
        return [await self.login(account) for account in await self.accounts(*bases)]

    async def user(self, base):
        return (await self.users(base))[0]

    async def group(self, founder, *members, admins=()):
        """A new group; members who are online have taken note of it. Returns its id."""
        group = self.fresh("group")
        assert await founder.g("c", group, n="a group", m=names_of(members)) == {}
        for member in members:
            if isinstance(member, Peer):
                await member.until(packets.info("c", group, n="a group"))
        if admins:
            assert await founder.g("aad", group, ad=names_of(admins)) == {}
            for member in members:
                if isinstance(member, Peer):
                    await member.until(packets.info("aad", group, m=names_of(admins)))
        return group

    async def broadcast(self, owner, *receivers):
        broadcast = self.fresh("broadcast")
        assert await owner.br("c", broadcast, n="a broadcast", m=names_of(receivers)) == {}
        return broadcast

    async def close(self):
        for client in self._clients:
            await client.read_rest()
            client.drop()
        await asyncio.sleep(0)  # in which the sockets are closed
