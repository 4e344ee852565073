"""kill -9 while users chat: nothing receipted is lost, nothing comes twice after repeats are
removed by sender and id, order holds for each sender and receiver (checker.py says it exactly)."""

import os
import random

import pytest

import checker
from crash import Crowd

pytestmark = pytest.mark.durable


async def chat_through_kills(make_server, tmp_path, users, messages, kills, seconds):
    seed = int(os.environ.get("LEMP_SEED") or random.SystemRandom().randrange(2 ** 32))
    print(f"LEMP_SEED={seed}")
    server = make_server({"delivery.ack_ping_delay": "200ms", "log.level": "info"}).start()
    crowd = Crowd(server, users, messages, seed)
    await crowd.run(kills, seconds)
    crowd.write_logs(tmp_path / "events.jsonl")
    report = checker.check(crowd.events())
    print(report.counts)
    assert not report.violations, f"seed {seed}, log in {tmp_path}: " + "; ".join(
        f"{v.invariant} {v.text}" for v in report.violations[:20])
    assert crowd.done(), f"seed {seed}: not all arrived in {seconds} s, log in {tmp_path}"
    assert report.counts.get("indeterminate", 0) == 0
    assert report.counts["send"] >= messages and report.counts["recv"] >= messages
    return report


async def test_nothing_is_lost_doubled_or_disordered_without_kills(make_server, tmp_path):
    report = await chat_through_kills(make_server, tmp_path, 10, 500, 0, 30)
    assert report.counts["duplicates"] == 0


async def test_1000_messages_survive_3_kills(make_server, tmp_path):
    await chat_through_kills(make_server, tmp_path, 20, 1000, 3, 60)


@pytest.mark.kill
@pytest.mark.timeout(400)
async def test_10000_messages_between_50_users_survive_10_kills(make_server, tmp_path):
    await chat_through_kills(make_server, tmp_path, 50, 10000, 10, 300)
