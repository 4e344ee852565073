"""docs/protocol.md: its examples happen as printed, also without quotes about member names, and leave
out no packet."""

import re

import pytest

import examples
import exercised
from lempd import ROOT

DOCUMENT = examples.PROTOCOL.read_text()
EXAMPLES = examples.read(DOCUMENT)
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=[example.title for example in EXAMPLES])


@pytest.fixture
def stage_for(world, make_world):
    """The shared server is for examples that want no settings of their own."""
    def choose(example):
        settings = examples.settings_of(example)
        return examples.Stage(make_world(settings) if settings else world)
    return choose


@each_example
async def test_each_example_happens_as_printed(stage_for, example):
    await stage_for(example).play(example)


@each_example
async def test_each_example_happens_as_printed_with_member_names_without_quotes(stage_for, example):
    await stage_for(example).play(example, quoted=False)


# -- nothing is left out ------------------------------------------------------------

OBJECT = re.compile(r'^OBJECT_BEGIN\((\w+), |^FIELD\((\w+), \w+, "(\w*)", ', re.MULTILINE)


def members_of_packets():
    """Every member of every object in packets.def, as (object, key)."""
    fields = OBJECT.findall((ROOT / "src/packet/packets.def").read_text())
    return {(object, key) for _, object, key in fields if key}


def members_sent(packet):
    """Likewise of one packet."""
    for datum in ("srq", "m"):
        yield from ((datum, key) for key in packet.get(datum, {}))
    for kind in ("dm", "nm", "sr"):
        if kind in packet.get("m", {}):
            yield from (("dm", key) for key in packet["m"][kind])
    for request, body in packet.get("rq", {}).items():
        if request == "id":
            yield "rq", "id"
        for element in body if isinstance(body, list) else ():
            yield from (("pair", key) for key in element if isinstance(element, dict))
        if isinstance(body, dict):
            yield from ((request, key) for key in body)


def test_each_member_of_each_packet_is_sent_in_an_example():
    missing = members_of_packets() - {member for packet in examples.sent(EXAMPLES) for member in members_sent(packet)}
    assert not missing, sorted(missing)


def test_each_request_that_is_answered_has_an_example():
    missing = set(exercised.ROWS) - {exercised.row_of(packet)[1] for packet in examples.sent(EXAMPLES)}
    assert not missing, missing


def test_each_request_has_a_part_of_its_own_under_whose_heading_it_is_sent():
    """`### `g` `aad`: …`: the words in backticks are the row's key and select."""
    titled = {tuple(re.findall(r"`(\w+)`", title)) for title in re.findall(r"^### (.*)$", DOCUMENT, re.MULTILINE)}
    for row in exercised.ROWS:
        key = row.kind.removeprefix("RQ_").lower()
        assert (key,) in titled or (key, row.select) in titled or (key, row.subject.lower()) in titled, row


def test_each_packet_a_server_sends_stands_in_an_example():
    heard = " ".join(line.text for example in EXAMPLES for line in example.lines if line.what == "<")
    for part in ('"rp":{"id"', '"rp":{"e"', '"response":1', '"response":0', '"srp":', '"f":[', '"fr":[', '"g":[', '"br":[',
                 '"pr":[', '"s":{"u"', '"p":{"u"', '"p":{"i"', '"p":{"b"', '"st":{"u"', '"n":{"i"', '"n":{"b"', '"mt":"',
                 '"ad":[', '"br":{"i"', '"li":"', '"lo":"', '"sr":{', '"dm":{', '"nm":{', '"t":"gap","i"', '"t":"gap","u"',
                 *(f'"g":{{"t":"{t}"' for t in "c a b l t p n aad rad".split())):
        assert part in heard, part


# -- the tables LEMP came from ------------------------------------------------------

# What protocol.md took from the document that LEMP was first written down in (and its own (+) beside it),
# as printed: `>` from a client, `<` directly under it the answer; what has none succeeds. Members that
# stand there without a value, words in capitals and `…` may have any.
ORIGINALS = """
> {rq:{id:"1",lo:{r:"bye"}}}

< {"rp":{"e":{"c":"400","d":"…"}}}
< {"rp":{"id":"ID"}}
< {"rp":{"id":"ID","e":{"c":"404","d":"Not found: user 'zed'."}}}
< {"srp":{"id":"ID","t":"t","e":{…}}}
> {"rq":{"id":"1","a":{"i":"alice","t":"secret"}}}
< {"rp":{"id":"1","response":1}}
> {"rq":{"id":"2","lo":{"r":"bye"}}}
> {"rq":{"id":"3","af":[{"u":"bob","n":"Bobby"},{"u":"carol","n":"C"}]}}
> {"rq":{"id":"4","rf":["bob"]}}
> {"rq":{"id":"5","uf":[{"u":"carol","n":"Caro"}]}}
> {"rq":{"id":"6","get":{"o":"f"}}}
< {"rp":{"id":"6","f":[{"u":"carol","n":"Caro"}]}}

< "fr":["dave"]
< "g":[{"i":"g1","n":"name"}]
> {"rq":{"id":"7","s":{"u":"bob"}}}
< {"rp":{"id":"7","s":{"u":"bob","v":"0"}}}
> {"rq":{"id":"8","p":{"t":"s","v":"https://pics/alice.png"}}}
> {"rq":{"id":"9","p":{"t":"g","u":"bob"}}}
< {"rp":{"id":"9","p":{"u":"bob","v":"https://…"}}}
> {"rq":{"id":"10","st":{"t":"s","s":"At the gym"}}}
> {"rq":{"id":"11","st":{"t":"g","u":"bob"}}}
< {"rp":{"id":"11","st":{"u":"bob","s":"At the gym"}}}
> {"rq":{"id":"12","b":{"u":"mallory"}}}
> {"rq":{"id":"13","ub":{"u":"mallory"}}}
> {"rq":{"id":"14","get":{"o":"pr"}}}
< {"rp":{"id":"14","pr":["mallory"]}}
> g:{t:"c",i,n,p,m:[…]}
> g:{t:"a",i,m:[…]}
> g:{t:"b",i,m:[…]}
> g:{t:"l",i}
> g:{t:"t",i}
> g:{t:"i",i}
< {"rp":{"id","g":{"i":"g1","c":"CREATED","mt":"MUTED TILL","m":[…],"n":"name"}}}
> g:{t:"aad",i,ad:[…]}
> g:{t:"rad",i,ad:[…]}
> g:{t:"ad",i}
< {"rp":{"id","g":{"i":"g1","ad":[…]}}}
> p:{t:"s",i,v}
> p:{t:"g",i}
< {"rp":{"id","p":{"i":"g1","v":"base64"}}}
> n:{t:"s",i,n}
> n:{t:"g",i}
< {"rp":{"id","n":{"i":"g1","n":"name"}}}
> mt:{i,t}
> umt:{i}

< {"i":{"id":"…","g":{"t":"c","i":"g1","n":"name"}}}
< {"i":{"id":"…","g":{"t":"a","i":"g1","m":["dave"]}}}
< {"i":{"id":"…","g":{"t":"b","i":"g1","m":"dave"}}}
< {"i":{"id":"…","g":{"t":"l","i":"g1","m":"dave"}}}
< {"i":{"id":"…","g":{"t":"t","i":"g1"}}}
< {"i":{"id":"…","g":{"t":"p","i":"g1"}}}
< {"i":{"id":"…","g":{"t":"n","i":"g1","n":"new name"}}}
< {"i":{"id":"…","g":{"t":"aad","i":"g1","m":["dave"]}}}
> br:{t:"c",i,n,p,m:[…]}
> br:{t:"a",i,m:[…]}
> br:{t:"b",i,m:[…]}
> br:{t:"t",i}
> br:{t:"i",i}
< {"rp":{"id","br":{"i":"b1","c":"CREATED","n":"name","m":[…]}}}
> p:{t,b,v}
> n:{t,b,n}

< "p":{"b":"b1","v":"…"}
< "n":{"b":"b1","n":"…"}

> {"srq":{"id":"20","t":"t"}}
< {"srp":{"id":"20","t":"t","tm":"1790000000000","o":2},"o":2}
> {"srq":{"id":"21","t":"k"}}
< {"srp":{"id":"21","t":"k"}}
> {"rq":{"id":"22","ad":{"c":"cr","i":"dave","t":"token","ty":"0"}}}
> {"rq":{"id":"23","ad":{"c":"del","i":"dave"}}}
> {"rq":{"id":"24","ad":{"c":"up","i":"dave","t":"new","ty":"1"}}}

< {"i":{"id":"…","li":"alice"}}
< {"i":{"id":"…","lo":"alice"}}
> {"m":{"id":"m1","r":"bob","t":"t","c":"hello","st":1790000000000,"p":"1","sc":"1","pc":"1"}}
< {"m":{"id":"…","sr":{"id":"m1"}}}

< {"m":{"id":"m1","s":"alice","r":"bob","t":"t","c":"hello","st":1790000000000,"p":"1","sc":"1","pc":"1"}}
> {"m":{"id":"d1","st":1790000000100,"dm":{"id":"m1"}}}

< {"m":{"id":"d1","s":"bob","r":"alice","st":1790000000100,"dm":{"id":"m1"}}}
> {"m":{"id":"n1","st":1790000000900,"nm":{"id":"m1"}}}

< {"i":{"id":"…","g":{"t":"gap","i":"g1","c":"COUNT"}}}
"""


ANYTHING = re.compile(r'"(?:[A-Z ]{2,}|base64|…)"')
SUCCESS = re.compile(r'\{"rp":\{"id":"\w+"\}\}|\{"m":\{"id":"…","sr":.*|1000')


def original_cases():
    """(what is sent or None, what is printed as heard or None)"""
    for group in ORIGINALS.strip().split("\n\n"):
        sent = None
        for way, printed in (line.split(" ", 1) for line in group.splitlines()):
            if way == ">" and sent:
                yield sent, None
            if way == "<":
                yield sent, printed
            sent = printed if way == ">" else None
        if sent:
            yield sent, None


def original_pattern(printed):
    """Of the same packet written without quotes about its names."""
    text = printed if printed.startswith("{") else "{" + printed
    text = re.sub(r'([{,])"?(\w+)"?(?=[,}])', r'\1\2:"…"', text)
    text = ANYTHING.sub('"…"', examples.without_quotes(text))
    return re.compile(re.escape(text.removeprefix("{")).replace('"…"', '"[^"]*"').replace("…", r"[^\]]*"))


def is_printed(printed, line):
    return original_pattern(printed).search(examples.without_quotes(line.text)) or (
        "…" in line.text and examples.pattern(line.text).fullmatch(printed))


def answer(example, at):
    """To what is sent in this line: the next thing that happens to the sender."""
    return next(line for line in example.lines[at + 1:] if line.who == example.lines[at].who and line.what != ">")


def original_example(sent, heard):
    for example in EXAMPLES:
        for at, line in enumerate(example.lines):
            if sent and line.what == ">" and is_printed(sent, line):
                answered = answer(example, at)
                if is_printed(heard, answered) if heard else SUCCESS.fullmatch(answered.text):
                    return example
            elif not sent and line.what == "<" and is_printed(heard, line):
                return example
    return None


@pytest.mark.parametrize("sent, heard", list(original_cases()))
async def test_original_tables_hold_and_are_examples_of_the_document(stage_for, sent, heard):
    example = original_example(sent, heard)
    assert example, "no example shows it"
    if sent and not sent.startswith('{"'):
        assert sent in DOCUMENT
    await stage_for(example).play(example, quoted=False)
