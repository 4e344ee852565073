"""interface.md: lempctl backup and restore, lempd --check-data."""

import asyncio

import pytest

import lempd
import packets

pytestmark = pytest.mark.durable


def check(data):
    return lempd.run("--check-data", str(data))


async def drained(world, account, n):
    client = await world.login(account)
    return [await client.recv() for _ in range(n)]


async def test_a_backup_made_under_load_has_all_that_was_receipted_before_and_is_whole(make_world, make_server, tmp_path):
    world = make_world()
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(20):
        await alice.tell(bob.name, f"before {n}", f"m{n}")
    loop = asyncio.get_running_loop()
    backup = loop.run_in_executor(None, world.server.ctl, "backup", tmp_path / "backup")
    sent = 20
    while not backup.done():
        await alice.tell(bob.name, f"meanwhile {sent}", f"m{sent}")
        sent += 1
    done = await backup
    assert done.status == 0 and "copied" in done.out, done
    whole = check(tmp_path / "backup")
    assert whole.status == 0 and "is whole" in whole.out, whole
    restored = world.server.ctl("restore", tmp_path / "backup", "--data", tmp_path / "data")
    assert restored.status == 0, restored
    other = make_world(data=tmp_path / "data")
    got = await drained(other, bob, 20)
    for n, packet in enumerate(got):
        assert packet == packets.message(f"m{n}", alice.name, bob.name, f"before {n}"), packet


async def test_a_backup_that_cannot_be_made_says_why_and_changes_nothing(make_world, tmp_path):
    world = make_world()
    (tmp_path / "there").mkdir()
    for path, word in [(tmp_path / "there", "exists"), (tmp_path / "no" / "dir", "No such")]:
        done = world.server.ctl("backup", path)
        assert done.status == 1 and word in done.err, done
    assert not any((tmp_path / "there").iterdir())
    assert world.server.alive()


def test_restore_wants_a_whole_backup_and_a_new_directory(tmp_path):
    def restore(*args):
        return lempd.run(*args, program=lempd.LEMPCTL)
    (tmp_path / "half").mkdir()
    (tmp_path / "there").mkdir()
    assert restore("restore", tmp_path / "half").status == 64
    done = restore("restore", tmp_path / "half", "--data", tmp_path / "new")
    assert done.status == 1 and "whole backup" in done.err and not (tmp_path / "new").exists()
    (tmp_path / "half" / "format").write_text("lempd data 3\n")
    done = restore("restore", tmp_path / "half", "--data", tmp_path / "there")
    assert done.status == 1 and "there" in done.err


async def test_check_data_names_the_file_and_place_of_damage(make_world, tmp_path):
    world = make_world()
    alice, bob = await world.user("alice"), await world.account("bob")
    for n in range(10):
        await alice.tell(bob.name, f"text {n} of some length", f"m{n}")
    busy = check(world.server.data)
    assert busy.status == 69 and "in use by process" in busy.err, busy
    world.server.kill()
    whole = check(world.server.data)
    assert whole.status == 0 and "is whole" in whole.out, whole
    segment = next((world.server.data / "journal").glob("0*.seg"))
    damaged = bytearray(segment.read_bytes())
    at = damaged.index(b"text 3 of some length")
    damaged[at] ^= 1
    segment.write_bytes(damaged)
    found = check(world.server.data)
    assert found.status == 65 and segment.name in found.err and "offset" in found.err, found
    damaged[at] ^= 1
    segment.write_bytes(damaged)
    assert check(world.server.data).status == 0
    await world.restarted()


def test_check_data_refuses_what_is_no_data_directory(tmp_path):
    assert check(tmp_path / "none").status == 69
    empty = check(tmp_path)
    assert empty.status == 65 and "no data directory" in empty.err
