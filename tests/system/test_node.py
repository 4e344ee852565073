"""The same server spoken to by another implementation: Node's ws beside Python's websockets."""

import asyncio
import json
import shutil

import pytest

import packets
from client import SECONDS, Closed, Peer

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")


class NodeClient(Peer):
    """A client in a process of Node's; node/client.js does what it is told."""

    def __init__(self, process, account):
        super().__init__(account)
        self.process = process
        self.pings = []

    @classmethod
    async def start(cls, directory, url, account=None, **options):
        process = await asyncio.create_subprocess_exec(
            "node", str(directory / "client.js"), cwd=directory, limit=2 ** 24,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        client = cls(process, account)
        await client.do("open", url=url, options=options)
        client.opened = await client.event()
        return client

    async def do(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
        await self.process.stdin.drain()

    async def event(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), SECONDS)
        assert line, "node ended"
        return json.loads(line)

    async def _send_text(self, text):
        await self.do("send", text=text)

    async def _recv_text(self):
        while True:
            event = await self.event()
            if event["event"] == "message":
                assert not event["binary"]
                return event["text"]
            if event["event"] == "close":
                raise Closed(event["code"], event["text"])
            assert event["event"] == "ping", event
            self.pings.append(event["text"])

    async def ping_seen(self):
        while not self.pings:
            event = await self.event()
            assert event["event"] == "ping", event
            self.pings.append(event["text"])

    async def stop(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.fixture
async def node(node_modules):
    clients = []

    async def start(world, account=None, **options):
        clients.append(await NodeClient.start(node_modules, f"ws://127.0.0.1:{world.server.port}/lemp",
                                              account, **options))
        if account:
            await clients[-1].login()
        return clients[-1]

    yield start
    for client in clients:
        await client.stop()


async def test_node_is_offered_the_subprotocol(world, node):
    client = await node(world)
    assert client.opened == {"event": "open", "protocol": "lemp"}


async def test_a_chat_between_python_and_node(world, node):
    alice = await world.user("alice")
    bob = await node(world, await world.account("bob"))
    id = await alice.tell(bob, "hello, Node ä€😀")
    await bob.expect(packets.message(id, alice.name, bob.name, "hello, Node ä€😀"))
    dm = await bob.dm(id)
    await alice.expect(packets.receipt(dm, bob.name, alice.name, "dm", id))
    answer = await bob.tell(alice, {"hello": ["Python", None, 1.5]})
    await alice.expect(packets.message(answer, bob.name, alice.name, {"hello": ["Python", None, 1.5]}))
    nm = await alice.nm(answer)
    await bob.expect(packets.receipt(nm, alice.name, bob.name, "nm", answer))


async def test_a_thousand_messages_each_way_arrive_in_order(world, node):
    alice = await world.user("alice")
    bob = await node(world, await world.account("bob"))
    for n in range(1000):
        await alice.post(bob, n, f"a{n}", sc="0")
        await bob.post(alice, n, f"b{n}", sc="0")
    for n in range(1000):
        await bob.expect(packets.message(f"a{n}", alice.name, bob.name, n, sc="0"))
        await alice.expect(packets.message(f"b{n}", bob.name, alice.name, n, sc="0"))


async def test_unquoted_names_from_node(world, node):
    alice = await world.user("alice")
    bob = await node(world, await world.account("bob"))
    await bob.send('{m:{id:"m1",r:"%s",c:"hi",st:1}}' % alice.name)
    await bob.expect(packets.sr("m1"))
    assert await alice.recv_text() == '{"m":{"id":"m1","s":"%s","r":"%s","t":"t","c":"hi","st":1}}' % (
        bob.name, alice.name)


async def test_fragments_from_node_make_one_packet(world, node):
    client = await node(world, await world.account("alice"))
    await client.do("parts", parts=list('{"srq":{"id":"ä","t":"k"}}'))
    await client.expect(packets.knock("ä"))
    await client.do("ping", text="payload")
    assert await client.event() == {"event": "pong", "text": "payload"}


async def test_large_messages_to_and_from_node(world, node):
    alice = await world.user("alice")
    bob = await node(world, await world.account("bob"))
    content = "ä😀" * 40000
    id = await alice.tell(bob, content)
    await bob.expect(packets.message(id, alice.name, bob.name, content))
    id = await bob.tell(alice, content)
    await alice.expect(packets.message(id, bob.name, alice.name, content))


async def test_nodes_own_pongs_acknowledge(make_world, node):
    world = make_world({"delivery.ack_ping_delay": "100ms"})
    alice = await world.user("alice")
    bob = await node(world, await world.account("bob"))
    id = await alice.tell(bob, "hello")
    await bob.expect(packets.message(id, alice.name, bob.name, "hello"))
    await bob.ping_seen()
    await bob.knock()
    await bob.do("end")
    bob = await node(world, bob.account)
    await alice.nothing_for(bob)


async def test_without_pongs_of_node_the_message_comes_again(make_world, node):
    world = make_world({"delivery.ack_ping_delay": "100ms"})
    alice = await world.user("alice")
    bob = await node(world, await world.account("bob"), autoPong=False)
    id = await alice.tell(bob, "hello")
    await bob.expect(packets.message(id, alice.name, bob.name, "hello"))
    await bob.ping_seen()
    await bob.do("end")
    bob = await node(world, bob.account)
    await bob.expect(packets.message(id, alice.name, bob.name, "hello"))


async def test_node_sees_the_close_codes(world, node):
    account = await world.account("alice")
    client = await node(world, account)
    await client.send({"rq": {"id": "1", "lo": {"r": "bye"}}})
    assert await client.closed() == 1000
    client = await node(world, account)
    await client.do("binary", text="x")
    assert await client.closed() == 1003
    client = await node(world, account)
    await world.login(account)
    assert await client.closed() == 4001
    client = await node(world, account)
    await client.do("close", code=1000)
    assert await client.closed() == 1000
