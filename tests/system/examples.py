"""The examples of docs/protocol.md, which happen as printed.

A block begins with ```lemp and, separated by semicolons, what it finds when it starts:

    online alice bob            users who are logged in
    offline carol               one who is not
    connected dave              a user with a connection on which nobody has logged in
    admin root                  an administrator of the server, logged in
    group g1 alice bob          a group called "name" that alice made, with bob
    broadcast b1 alice bob      a broadcast called "name" of alice's, with bob on its list
    alice follows bob · alice blocks bob
    free zed g2                 names that mean nothing yet
    set limits.max_sessions=2   a server of its own with this setting

Every user's token is "secret". The lines happen one after the other:

    alice> {"rq":…}             alice sends this
    alice< {"rp":…}             this is the next thing alice gets, to the byte
    alice connects              a new connection
    alice drops                 the connection ends without a word
    alice closed 1000           the server closes it

Two blanks end what is said; what follows is for the reader. In what is received `…` stands for what
nobody can know: within quotes for any text, without for any number. In the end nobody has got more
than is printed. Names are replaced by such as no other test has."""

import collections
import json
import pathlib
import re

import packets
from lempd import Account

PROTOCOL = pathlib.Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
FENCE = re.compile(r"^```lemp *(.*)$")
HEADING = re.compile(r"^#+ (.*)$")
LINE = re.compile(r"^(\w+)(>|<| connects| drops| closed) ?(.*?)(?: {2,}.*)?$")
QUOTED_NAME = re.compile(r'([{,])"([A-Za-z_$][A-Za-z0-9_$]*)":')

Line = collections.namedtuple("Line", "who what text")
Example = collections.namedtuple("Example", "title setting lines")


# -- reading ------------------------------------------------------------------------

def read(text):
    """All examples of a document; each is titled by the heading above it."""
    found, heading, lines, number = [], "", None, 0
    for line in text.splitlines():
        if lines is None and (fence := FENCE.match(line)):
            lines, number = [], number + 1
            setting = [clause.split() for clause in fence[1].split(";") if clause.strip()]
        elif lines is None and (title := HEADING.match(line)):
            heading, number = title[1], 0
        elif lines is not None and line == "```":
            found.append(Example(f"{heading} #{number}".replace("`", ""), setting, lines))
            lines = None
        elif lines is not None:
            match = LINE.match(line)
            assert match, f"under '{heading}' neither sent, received nor done: {line}"
            lines.append(Line(match[1], match[2].strip(), match[3]))
    assert lines is None, f"under '{heading}' a block does not end"
    return found


def without_quotes(text):
    """The packet with its member names as the original document writes them. Content that is an
    object is strict JSON and stays as it is."""
    head, content, tail = text.partition('"c":{')
    return QUOTED_NAME.sub(r"\1\2:", head) + content + tail


def sent(examples):
    """Every packet that clients send in them, read; what is broken on purpose is left out."""
    for example in examples:
        for line in example.lines:
            if line.what == ">":
                try:
                    packet = json.loads(re.sub(r"([{,])([A-Za-z_$][A-Za-z0-9_$]*):", r'\1"\2":', line.text))
                except ValueError:
                    continue
                yield packet


def pattern(text):
    """What is printed, as a regular expression of what may come."""
    number = re.escape(text).replace(":…", r":-?[0-9]+(?:\.[0-9]+)?")
    return re.compile(number.replace("…", r'[^"]+'))


# -- acting -------------------------------------------------------------------------

class Stage:
    """Where one example is played."""

    def __init__(self, world):
        self.world = world
        self.names = {}
        self.clients = {}
        self.live = set()

    def renamed(self, text):
        if not self.names:
            return text
        names = "|".join(map(re.escape, self.names))
        return re.sub(rf"""(["'])({names})\1""", lambda m: m[1] + self.names[m[2]] + m[1], text)

    # -- set up: one method for each clause

    async def set_up(self, setting):
        for first, *others in setting:
            if hasattr(self, "have_" + first):
                await getattr(self, "have_" + first)(*others)
            else:
                await getattr(self, "have_one_who_" + others[0])(first, *others[1:])

    async def have_set(self, *settings):
        pass  # see settings_of

    async def have_free(self, *names):
        for name in names:
            self.names[name] = self.world.fresh(name)

    async def have_offline(self, *users, type="0"):
        await self.have_free(*users)
        admin = await self.world.admin()
        for user in users:
            assert await admin.ad("cr", self.names[user], t="secret", ty=type) == {}

    async def have_connected(self, *users):
        await self.have_offline(*users)
        for user in users:
            self.clients[user] = await self.world.connect()

    async def have_online(self, *users, type="0"):
        await self.have_offline(*users, type=type)
        for user in users:
            self.clients[user] = await self.world.login(Account(self.names[user], "secret"))
            self.live.add(user)

    async def have_admin(self, user):
        await self.have_online(user, type="1")

    async def have_group(self, group, founder, *members):
        await self.have_free(group)
        id = self.names[group]
        await self.clients[founder].done(g={"t": "c", "i": id, "n": "name", "m": [self.names[m] for m in members]})
        for member in members:
            if member in self.clients:
                await self.clients[member].expect(packets.info("c", id, n="name"))

    async def have_broadcast(self, broadcast, owner, *receivers):
        await self.have_free(broadcast)
        await self.clients[owner].done(br={"t": "c", "i": self.names[broadcast], "n": "name",
                                           "m": [self.names[r] for r in receivers]})

    async def have_one_who_follows(self, user, other):
        await self.clients[user].done(af=[{"u": self.names[other]}])

    async def have_one_who_blocks(self, user, other):
        await self.clients[user].done(b={"u": self.names[other]})

    # -- play

    async def play(self, example, *, quoted=True):
        await self.set_up(example.setting)
        for line in example.lines:
            text = self.renamed(line.text)
            if line.what == ">":
                await self.clients[line.who].send(text if quoted else without_quotes(text))
            elif line.what == "<":
                await self.hear(line.who, text)
            elif line.what == "connects":
                self.clients[line.who] = await self.world.connect()
            elif line.what == "drops":
                self.gone(line.who).drop()
            else:
                assert await self.gone(line.who).closed() == int(text)
        for who in self.live:
            await self.clients[who].quiet()

    async def hear(self, who, text):
        got = await self.clients[who].recv_text()
        assert pattern(text).fullmatch(got), f"{who} got\n{got}\nand not\n{text}"
        if '"response":1' in text:
            self.live.add(who)

    def gone(self, who):
        self.live.discard(who)
        return self.clients.pop(who)


def settings_of(example):
    """Those of the server, None if any will do."""
    pairs = [pair.split("=") for first, *others in example.setting if first == "set" for pair in others]
    return dict(pairs) or None
