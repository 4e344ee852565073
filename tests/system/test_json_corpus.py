"""Each file of the public JSON parsing corpus as the content of a message (shared/corpora/json,
or LEMP_JSON_CORPUS): the verdict of expect.tsv's column for strict JSON, and where that says
either, of its column for LEMP."""

import os
import pathlib

import pytest

import packets
import wsraw
from lempd import ROOT

CORPUS = pathlib.Path(os.environ.get("LEMP_JSON_CORPUS") or ROOT.parent / "shared" / "corpora" / "json")


def rows():
    expect = CORPUS / "expect.tsv"
    if not expect.is_file():
        return [pytest.param(None, None, marks=pytest.mark.skip(
            reason=f"no JSON corpus in {CORPUS}; LEMP_JSON_CORPUS may name its directory"), id="no corpus")]
    found = []
    for line in expect.read_text().splitlines():
        if line and not line.startswith("#"):
            name, strict, lemp = line.split("\t")
            found.append(pytest.param(name, strict if strict != "either" else lemp, id=name))
    return found


def is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("name, verdict", rows())
async def test_content_of_the_corpus_is_judged_as_strict_json(world, name, verdict):
    content = (CORPUS / "parsing" / name).read_bytes()
    user = await world.login_raw(await world.account("alice"))
    packet = b'{"m":{"id":"1","r":"%s","p":0,"sc":0,"st":1,"c":%s}}' % (user.name.encode(), content)
    await user.raw.send(wsraw.text(packet))
    if not is_utf8(content):
        assert verdict == "reject"
        assert await user.closed() == 1007
        return
    await user.send({"srq": {"id": "2", "t": "k"}})
    opcode, text = await user.raw.read_frame()
    assert opcode == wsraw.TEXT
    want = (b'{"m":{"id":"1","s":"%s","r":"%s","t":"t","c":%s,"st":1,"p":"0","sc":"0"}}'
            % (user.name.encode(), user.name.encode(), content.strip(b" \t\r\n")))
    if text == packets.write(packets.knock("2")).encode():  # the message may come behind the response
        opcode, text = await user.raw.read_frame()
    else:
        await user.expect(packets.knock("2"))
    accepted = text == want
    refused = text.startswith((b'{"rp":{"e":{"c":"400","d":"', b'{"rp":{"id":"1","e":{"c":"400","d":"'))
    assert accepted or refused, text[:300]
    if verdict != "either":
        assert accepted == (verdict == "accept"), text[:300]


def short_accepted_rows():
    return [row for row in rows() if row.values[0] is None or row.values[1] == "accept" and
            (CORPUS / "parsing" / row.values[0]).stat().st_size <= 200]


@pytest.mark.parametrize("name, verdict", short_accepted_rows())
async def test_the_verdict_does_not_depend_on_how_a_message_is_cut(world, name, verdict):
    content = (CORPUS / "parsing" / name).read_bytes()
    user = await world.login_raw(await world.account("alice"))
    packet = b'{"m":{"id":"1","r":"%s","p":0,"sc":0,"st":1,"c":%s}}' % (user.name.encode(), content)
    answers = set()
    first = packet.index(b',"c":')
    for cut in range(first, len(packet)):
        await user.raw.send(b"".join(wsraw.fragments([packet[:cut], packet[cut:]])))
    for _ in range(first, len(packet)):
        answers.add(await user.recv_text())
    assert len(answers) == 1 and '"m":{' in answers.pop()
