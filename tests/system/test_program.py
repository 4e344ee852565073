"""interface.md: how lempd is started, configured and ended."""

import asyncio
import itertools
import json
import re
import signal
import socket

import pytest

import lempd
import packets
import wsraw
from client import Client, World
from lempd import once


def refused(server):
    """Starts a server that must not start."""
    with pytest.raises(lempd.StartFailed) as failed:
        server.start()
    return failed.value


def test_version_prints_the_version_and_nothing_else():
    done = lempd.run("--version")
    assert done.status == 0 and done.err == ""
    assert re.fullmatch(r"lempd \d+\.\d+\.\d+\S*\n", done.out)


def test_help_names_every_option():
    done = lempd.run("--help")
    assert done.status == 0 and done.err == ""
    for option in ("--config", "--listen", "--data", "--set", "--check", "--version", "--help"):
        assert option in done.out


@once
def test_ready_is_one_line_with_version_and_address(make_server):
    server = make_server().start()
    assert server.ready_line == f"lempd {server.version} ready on ws://127.0.0.1:{server.port}/lemp\n"
    assert lempd.run("--version").out == f"lempd {server.version}\n"
    assert server.terminate() == 0
    assert server.rest_of_output == ""


@pytest.mark.parametrize("args", [
    ["--nonsense"], ["nonsense"], ["--set"], ["--config"], ["--listen"], ["--data"], ["-x"], ["--set", "no-equals-sign"],
])
def test_wrong_usage_is_status_64(args):
    done = lempd.run(*args)
    assert done.status == 64 and done.err and done.out == ""


@pytest.mark.parametrize("setting, hint", [
    ("limits.max_paket=1", "limits.max_packet"), ("limit.max_packet=1", "limits.max_packet"),
    ("nonsense=1", None), ("=1", None), ("limits=1", None),
    ("limits.max_packet=abc", "limits.max_packet"), ("limits.max_packet=-1", "limits.max_packet"),
    ("limits.max_packet=1XB", "limits.max_packet"), ("limits.max_packet=", "limits.max_packet"),
    ("limits.login_timeout=10 parsecs", "limits.login_timeout"), ("limits.login_timeout=10KiB", "limits.login_timeout"),
    ("delivery.durability=maybe", "delivery.durability"), ("auth.token_hash=md5", "auth.token_hash"),
    ("log.level=loud", "log.level"), ("store.engine=paper", "store.engine"),
    ("server.threads=0", "server.threads"), ("server.threads=many", "server.threads"), ("limits.names=latin1", "limits.names"),
])
def test_a_bad_setting_is_status_78_and_names_the_key(setting, hint, tmp_path):
    for more in ([], ["--check"]):
        done = lempd.run("--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--set", setting, *more)
        assert done.status == 78, done
        assert hint is None or hint in done.err
        assert done.out == ""
    assert not (tmp_path / "data").exists(), "a bad configuration created the data directory"


@pytest.mark.parametrize("text, line, hint", [
    ("limits:\n  max_packet: 64KiB\n  max_paket: 1\n", 3, "max_packet"),
    ("limits:\n  max_packet: sixty\n", 2, "max_packet"),
    ("limits: [1, 2\n", None, None),
    ("nonsense:\n  x: 1\n", 1, "nonsense"),
    ("limits:\n  max_packet: 1KiB\n  max_packet: 2KiB\n", 3, "max_packet"),
])
def test_a_bad_file_is_status_78_with_file_line_and_key(text, line, hint, tmp_path):
    config = tmp_path / "lempd.yaml"
    config.write_text(text)
    for more in ([], ["--check"]):
        done = lempd.run("--config", config, "--data", tmp_path / "data", "--listen", "127.0.0.1:0", *more)
        assert done.status == 78, done
        assert str(config) in done.err
        assert line is None or re.search(rf"\b{line}\b", done.err.replace(str(config), "")), done.err
        assert hint is None or hint in done.err


def test_a_missing_file_is_status_78(tmp_path):
    done = lempd.run("--config", tmp_path / "none.yaml", "--check")
    assert done.status == 78 and "none.yaml" in done.err


def test_check_of_a_good_configuration_is_status_0_and_starts_nothing(tmp_path):
    config = tmp_path / "lempd.yaml"
    config.write_text("server:\n  listen: 127.0.0.1:0\n  data: %s\nlimits:\n  max_packet: 64KiB\n" % (tmp_path / "data"))
    done = lempd.run("--config", config, "--check")
    assert done.status == 0, done
    assert not (tmp_path / "data").exists()
    assert "ready" not in done.out


async def largest_packet(port, candidates=(4096, 8192, 16384, 32768)):
    """Which of the candidates is max_packet?"""
    for size in candidates:
        client = await Client.open(port)
        head = '{"srq":{"id":"1","t":"k"}'
        await client.send(head + " " * (size + 1 - len(head) - 1) + "}")
        try:
            await client.recv()
        except Exception as end:
            if getattr(end, "code", None) == 1009:
                return size
            raise
        finally:
            client.drop()
    return None


@once
async def test_command_line_beats_environment_beats_file_beats_default(make_server, tmp_path):
    config = tmp_path / "lempd.yaml"
    config.write_text("limits:\n  max_packet: 4KiB\n")
    file, environment, line = (["--config", str(config)], {"LEMP_LIMITS_MAX_PACKET": "8192"},
                               {"limits.max_packet": "16KiB"})
    for settings, args, env, want in ((None, file, None, 4096), (None, file, environment, 8192),
                                      (line, file, environment, 16384), (None, (), environment, 8192),
                                      (None, (), None, None)):
        server = make_server(settings, args=args, env=env).start()
        assert await largest_packet(server.port) == want
        assert server.terminate() == 0


async def test_it_listens_on_several_addresses(make_server):
    server = make_server(args=["--listen", "[::1]:0"])
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    server.start()
    await (await Client.open(server.port)).leave()
    assert server.terminate() == 0


async def test_it_listens_on_a_unix_socket(make_server):
    server = make_server()
    path = server.home / "lemp.sock"
    server.args = ["--listen", f"unix:{path}"]
    server.start()
    reader, writer = await asyncio.open_unix_connection(str(path))
    raw = wsraw.Raw(reader, writer)
    assert (await raw.upgrade())[0] == 101
    await raw.send(wsraw.text('{"srq":{"id":"1","t":"k"}}'))
    opcode, payload = await raw.read_frame()
    assert packets.read(payload.decode()) == packets.server_error(401, "1", "k")
    await raw.finish()


async def test_another_path_can_be_configured(make_server):
    server = make_server({"server.path": "/chat/here"}).start()
    assert server.url.endswith("/chat/here")
    await (await Client.open(server.port, path="/chat/here")).leave()
    raw = await wsraw.Raw.connect(server.port)
    assert (await raw.upgrade(path="/lemp"))[0] == 404
    raw.drop()


def test_a_port_in_use_is_status_69(make_server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = make_server()
        server.port = taken.getsockname()[1]
        failed = refused(server)
    assert failed.status == 69
    assert str(server.port) in failed.err


def test_the_port_of_another_lempd_is_status_69(make_server):
    first = make_server().start()
    second = make_server()
    second.port = first.port
    assert refused(second).status == 69


@pytest.mark.durable
def test_a_second_process_on_the_same_data_is_refused_with_a_clear_message(make_server):
    first = make_server().start()
    second = make_server(data=first.data)
    failed = refused(second)
    assert failed.status == 69
    assert str(first.data) in failed.err
    assert first.alive()
    first.add_user("alice")


@pytest.mark.durable
def test_after_the_first_has_gone_another_process_may_serve_the_data(make_server):
    first = make_server().start()
    first.add_user("alice")
    first.kill()
    second = make_server(data=first.data).start()
    assert "alice" in second.ctl_ok("user", "list")


@pytest.mark.durable
def test_a_data_directory_that_is_a_file_is_status_65(make_server):
    server = make_server()
    server.data.write_text("not a directory")
    assert refused(server).status == 65


@pytest.mark.durable
def test_damaged_data_is_status_65_and_left_as_it_is(make_server):
    server = make_server().start()
    server.add_user("alice")
    assert server.terminate() == 0
    for path in server.data_bytes():
        path.write_bytes(b"this is no store" * 100)
    before = server.data_bytes()
    failed = refused(server)
    assert failed.status == 65 and failed.err
    assert {path: server.data_bytes().get(path) for path in before if path.suffix in (".sst", ".log", ".lemp")} \
        == {path: content for path, content in before.items() if path.suffix in (".sst", ".log", ".lemp")}


def test_a_data_directory_that_cannot_be_made_is_refused(make_server):
    server = make_server()
    server.data = server.home / "file" / "data"
    (server.home / "file").write_text("in the way")
    assert refused(server).status in (65, 69)


@once
def test_the_log_is_one_logfmt_line_an_event(make_server):
    server = make_server({"log.level": "info"}).start()
    server.add_user("alice")
    assert server.terminate() == 0
    lines = server.log().splitlines()
    assert lines
    for line in lines:
        assert re.match(r'\S+ level=(error|warn|info|debug) event=\S+( \w+=("([^"\\]|\\.)*"|[^\s"]*))*$', line), line


@once
def test_the_log_can_be_json(make_server):
    server = make_server({"log.format": "json"}).start()
    assert server.terminate() == 0
    lines = server.log().splitlines()
    assert lines
    for line in lines:
        event = json.loads(line)
        assert event["level"] in ("error", "warn", "info", "debug") and event["event"]


@once
async def test_the_log_level_is_heeded(make_world):
    world = make_world({"log.level": "error"})
    await world.user("alice")
    assert world.server.log() == ""


@once
async def test_the_log_can_go_to_a_file(make_server, tmp_path):
    path = tmp_path / "lempd.log"
    server = make_server({"log.file": str(path)}).start()
    assert server.terminate() == 0
    assert "event=" in path.read_text() and server.log() == ""


async def test_sighup_reads_the_configuration_again_without_dropping_a_session(make_server, tmp_path):
    config = tmp_path / "lempd.yaml"
    config.write_text("limits:\n  mailbox_max_messages: 1000\n")
    server = make_server(args=["--config", str(config)]).start()
    world = World(server, itertools.count(1))
    alice, bob = await world.users("alice", "bob")
    await alice.tell(bob, "one")
    config.write_text("limits:\n  mailbox_max_messages: 1\n")
    server.process.send_signal(signal.SIGHUP)
    for n in range(1000):  # taken over when the main thread gets to it
        id = await alice.post(bob, "two", f"m{n}")
        got = await alice.recv()
        if got == packets.error(507, id):
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("SIGHUP had no effect")
    await world.close()
