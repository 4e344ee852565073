"""The README's conversation happens as printed (numbers and times the server chooses aside)."""

import json
import pathlib
import re

from client import Client

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
LINE = re.compile(r"^(alice|bob)\s+([<>])\s+(\{.*\})")


def conversation():
    lines = [LINE.match(line) for line in README.read_text().splitlines()]
    return [(m[1], m[2], json.loads(m[3])) for m in lines if m]


def settled(packet, like):
    """With the id of a server receipt and a time the server filled in taken from the page."""
    if "sr" in packet.get("m", {}):
        packet["m"]["id"] = like["m"]["id"]
    if "st" in packet.get("m", {}):
        packet["m"]["st"] = like["m"]["st"]
    return packet


async def test_the_conversation_on_the_front_page_happens_as_printed(make_server):
    server = make_server().start()
    alice, bob = server.add_user("alice", "secret"), server.add_user("bob", "secret")
    clients = {"alice": await Client.open(server.port, alice), "bob": await Client.open(server.port, bob)}
    await clients["bob"].login()
    steps = conversation()
    assert len(steps) == 7
    for who, way, packet in steps:
        if way == ">":
            await clients[who].send(packet)
        else:
            assert settled(await clients[who].recv(), packet) == packet
    for client in clients.values():
        client.drop()
