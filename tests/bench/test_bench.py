"""lemp-bench against a server that does exactly what it is told to, also wrong."""

import collections
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import sys

import pytest

import fake_server

ROOT = pathlib.Path(__file__).parent.parent.parent
BENCH = os.environ.get("LEMP_BENCH", str(ROOT / "build" / "lemp-bench"))
FAKE = str(pathlib.Path(__file__).parent / "fake_server.py")
OK, TROUBLE, USAGE, NO_SERVER, INTERRUPTED = 0, 1, 64, 69, 130

Result = collections.namedtuple("Result", "status out err")


class Fake:
    def __init__(self, *faults):
        self.process = subprocess.Popen([sys.executable, FAKE, *map(str, faults)], text=True,
                                        stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().strip()

    def end(self):
        """Ends it; returns what it has seen."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)
        return json.loads(out)


@pytest.fixture
def make_fake():
    fakes = []

    def make(*faults):
        fakes.append(Fake(*faults))
        return fakes[-1]

    yield make
    for fake in fakes:
        if fake.process.poll() is None:
            fake.process.kill()
            fake.process.communicate()


@pytest.fixture
def fake(make_fake):
    return make_fake()


def command(url, *args):
    return [BENCH, "pairs", "--url", url, "--admin", fake_server.ADMIN, "--warm-up", "0",
            *map(str, args)]


ENVIRONMENT = {**os.environ, "LEMP_ADMIN_TOKEN": fake_server.ADMIN_TOKEN}


def run(words, env=None):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=env or ENVIRONMENT)
    return Result(done.returncode, done.stdout, done.stderr)


def measure(fake, *args, status=OK):
    """A run with --json; returns its report."""
    result = run(command(fake.url, "--json", *args))
    assert result.status == status, result
    return json.loads(result.out)


def troubles(report):
    return {name: n for name, n in report["trouble"].items() if n}


# --- what is counted ---------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("flags, packets", [("default", 6), ("p0", 2)])
def test_counts_as_many_messages_as_asked_for_and_as_the_server_saw(fake, flags, packets, threads):
    report = measure(fake, "--pairs", 3, "--window", 2, "--messages", 201, "--flags", flags,
                     "--threads", threads)
    seen = fake.end()
    assert report["messages"] == seen["messages"] == 201
    assert report["packets"] == 201 * packets
    assert seen["delivered"] == (201 if flags == "default" else 0)
    assert not troubles(report)


def test_a_warm_up_is_not_counted(fake):
    report = measure(fake, "--pairs", 1, "--messages", 10, "--warm-up", "0.2")
    seen = fake.end()
    assert report["messages"] == 10 < seen["messages"]
    assert report["latency_ns"]["delivery"]["count"] == 10
    assert report["packets"] == 60


def test_a_window_bounds_what_is_under_way(fake):
    measure(fake, "--pairs", 2, "--window", 5, "--messages", 400)
    assert fake.end()["most_under_way"] == 5


@pytest.mark.parametrize("flags, members", [("default", {}), ("p0", {"p": "0", "sc": "0", "pc": "0"})])
def test_sends_the_flags_and_the_size_asked_for(fake, flags, members):
    measure(fake, "--pairs", 1, "--messages", 4, "--size", 77, "--flags", flags)
    seen = fake.end()
    assert seen["flags"] == [members]
    assert seen["sizes"] == [77]


def test_measures_for_the_time_asked_for(fake):
    report = measure(fake, "--pairs", 1, "--seconds", "0.3")
    assert report["seconds"] >= 0.3
    assert report["messages"] == fake.end()["messages"]


def test_an_open_loop_sends_at_its_rate_and_says_how_late(fake):
    report = measure(fake, "--pairs", 2, "--rate", 200, "--seconds", "0.5")
    assert report["messages"] == fake.end()["messages"] == 100
    assert report["seconds"] > 0.4, "the last message is due after 99 / 200 s"
    assert report["latency_ns"]["sending"]["count"] == 100


def test_an_open_loop_counts_latency_from_when_a_message_was_due(fake):
    """One at a time and far faster than the server answers: most wait for their turn."""
    report = measure(fake, "--pairs", 1, "--window", 1, "--rate", 1e6, "--messages", 300)
    latency = report["latency_ns"]
    assert latency["sending"]["max"] <= latency["delivery"]["max"]
    assert latency["delivery"]["p50"] > report["seconds"] * 1e9 / 4


# --- what is reported --------------------------------------------------------


def test_the_json_report_has_its_shape(fake):
    report = measure(fake, "--pairs", 2, "--messages", 50, "--pid", fake.process.pid)
    for name in ("delivery", "receipt", "dm"):
        latency = report["latency_ns"][name]
        assert latency["count"] == 50
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
        assert 0 < latency["mean"] <= latency["max"]
    assert report["scenario"] == "pairs"
    assert report["settings"]["users"] == 4
    assert report["settings"]["rate"] is None
    assert report["messages_per_second"] == pytest.approx(50 / report["seconds"], rel=1e-3)
    server = report["server"]
    assert server["cpu_ns_per_message"] > 0
    assert server["resident_bytes"]["max"] >= server["resident_bytes"]["after"] > 0
    assert report["client"]["cpu_ns_per_message"] > 0
    assert report["interrupted"] is False


def test_without_a_process_the_server_is_not_metered(fake):
    assert measure(fake, "--pairs", 1, "--messages", 5)["server"] is None


def test_finds_the_process_by_its_data_directory(fake, tmp_path):
    (tmp_path / "lock").write_text(f"{fake.process.pid}\n")
    report = measure(fake, "--pairs", 1, "--messages", 5, "--data", tmp_path)
    assert report["server"]["cpu_ns_per_message"] > 0


def test_the_report_for_people_names_what_was_measured(fake):
    result = run(command(fake.url, "--pairs", 2, "--messages", 40, "--pid", fake.process.pid))
    assert result.status == OK, result
    for words in ("4 users", "closed loop, window 16", "40 messages", "delivery", "receipt", "dm",
                  "us CPU a message", "each connection", "0 lost, 0 refused"):
        assert words in result.out
    assert result.err == "", "no progress bar without a terminal"


def test_shows_progress_on_a_terminal(fake):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command(fake.url, "--pairs", 1, "--seconds", "0.5"), stderr=theirs,
                               stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait(30) == OK
    assert b"measuring" in shown and b"messages/s" in shown


# --- users -------------------------------------------------------------------


def test_deletes_the_users_it_created(fake):
    measure(fake, "--pairs", 40, "--messages", 80)
    seen = fake.end()
    assert (seen["created"], seen["deleted"]) == (80, 80)


def test_keeps_the_users_if_told_to(fake):
    measure(fake, "--pairs", 2, "--messages", 8, "--keep-users")
    seen = fake.end()
    assert (seen["created"], seen["deleted"]) == (4, 0)


def test_users_that_were_there_get_a_new_token_and_stay(fake):
    measure(fake, "--pairs", 1, "--messages", 4, "--keep-users")
    measure(fake, "--pairs", 2, "--messages", 4)
    seen = fake.end()
    assert (seen["created"], seen["changed"], seen["deleted"]) == (4, 2, 2)


def run_with_file(fake, users, text):
    users.write_text(text)
    return run([BENCH, "pairs", "--url", fake.url, "--users", users, "--pairs", "1", "--messages", "4",
                "--warm-up", "0"])


@pytest.mark.parametrize("text", [
    "alice,wonder land\nbob,builder\n",
    "name,token,type\r\nalice,wonder land,0\r\nbob,builder,\r\n",
    "bob,builder\n\nalice,wonder land\nzed,not needed",
])
def test_takes_users_from_a_file(fake, tmp_path, text):
    result = run_with_file(fake, tmp_path / "users.csv", text)
    assert result.status == OK, result
    seen = fake.end()
    assert seen["messages"] == 4
    assert seen["created"] == seen["deleted"] == 0


def test_says_who_cannot_log_in(fake, tmp_path):
    result = run_with_file(fake, tmp_path / "users.csv", "alice,wonder land\nbob,wrong\n")
    assert result.status == TROUBLE
    assert "bob: login refused" in result.err
    assert result.out == ""


@pytest.mark.parametrize("text, message", [
    ("alice,a\n", "fewer users"),
    ("alice,a\nbob\n", ":2: not name,token"),
    ('alice,a\n"bob",b\n', ":2: not name,token"),
])
def test_refuses_a_file_without_enough_users(fake, tmp_path, text, message):
    result = run_with_file(fake, tmp_path / "users.csv", text)
    assert result.status == USAGE
    assert message in result.err


def test_says_so_when_the_administrator_is_refused(fake):
    result = run(command(fake.url), env={**ENVIRONMENT, "LEMP_ADMIN_TOKEN": "wrong"})
    assert result.status == TROUBLE
    assert "administrator root: login refused" in result.err


# --- what must not happen ----------------------------------------------------


@pytest.mark.parametrize("fault, flags, name", [
    ("--lose", "p0", "lost"),
    ("--refuse", "default", "refused"),
    ("--repeat", "p0", "repeated"),
    ("--repeat", "default", "repeated"),
    ("--swap", "default", "out_of_order"),
])
def test_counts_what_the_server_does_wrong(make_fake, fault, flags, name):
    fake = make_fake(fault, 10)
    report = measure(fake, "--pairs", 1, "--window", 8, "--messages", 101, "--flags", flags,
                     "--patience", "0.5", status=TROUBLE)
    assert report["trouble"][name] > 0


@pytest.mark.parametrize("flags", ["default", "p0"])
def test_tells_how_often_and_why_the_server_refused(make_fake, flags):
    fake = make_fake("--refuse", 10)
    report = measure(fake, "--pairs", 1, "--window", 8, "--messages", 101, "--flags", flags, status=TROUBLE)
    trouble = report["trouble"]
    assert trouble["first_refusal"] == "507 Full."
    assert trouble["refused"] + (trouble["lost"] if flags == "p0" else 0) == 10
    assert report["messages"] == 91


def test_ends_when_the_server_falls_silent(make_fake):
    fake = make_fake("--mute-after", 50)
    report = measure(fake, "--pairs", 1, "--window", 4, "--messages", 100, "--patience", "0.3", "--keep-users",
                     status=TROUBLE)
    assert report["trouble"]["unfinished"] == 100 - report["messages"] > 0


def test_reports_what_it_has_when_the_server_hangs_up(make_fake):
    fake = make_fake("--hang-up-after", 50)
    result = run(command(fake.url, "--pairs", 1, "--messages", 100, "--json"))
    assert result.status == NO_SERVER
    assert "closed by the server with 4003 told to" in result.err
    assert 0 < json.loads(result.out)["messages"] < 100


def test_an_interrupt_prints_what_was_measured(make_fake):
    fake = make_fake("--tell-at", 20)
    process = subprocess.Popen(command(fake.url, "--pairs", 1, "--rate", 200, "--seconds", 60, "--json"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert fake.process.stdout.readline() == "told\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED, err
    report = json.loads(out)
    assert report["interrupted"] is True and report["messages"] >= 19
    assert not troubles(report)
    assert fake.end()["deleted"] == 2


# --- groups ------------------------------------------------------------------


def measure_group(fake, *args, status=OK):
    result = run([BENCH, "group", "--url", fake.url, "--admin", fake_server.ADMIN, "--warm-up", "0", "--settle",
                  "0", "--seconds", "0.4", "--json", *map(str, args)])
    assert result.status == status, result
    return json.loads(result.out)


@pytest.mark.parametrize("more", ["", "--dm", "--threads 3", "--rate 50", "--dm --threads 2"])
def test_a_group_counts_as_the_server_saw(fake, more):
    more = more.split()
    report = measure_group(fake, "--members", 7, "--senders", 3, "--pair-rate", 100, *more)
    seen = fake.end()
    latency = report["latency_ns"]
    assert seen["groups"] == [7]
    assert report["messages"] == seen["group_messages"] > 0
    assert report["deliveries"] == seen["group_receivers"] == latency["delivery"]["count"] == 6 * report["messages"]
    assert latency["receipt"]["count"] == report["messages"]
    assert report["pair_messages"] == seen["messages"] - seen["group_messages"]
    assert latency["pair_alone"]["count"] + latency["pair_loaded"]["count"] == report["pair_messages"]
    assert latency["pair_loaded"]["count"] == latency["pair_late"]["count"] >= 20
    assert seen["delivered"] == report["pair_messages"] + ("--dm" in more) * report["deliveries"]
    assert report["packets"] == report["messages"] * (2 + 6 * (4 if "--dm" in more else 1))
    assert not troubles(report)


def test_a_group_is_silent_half_of_the_time(fake):
    report = measure_group(fake, "--members", 3, "--senders", 1, "--rate", 100, "--pair-rate", 100,
                           "--pid", fake.process.pid)
    assert report["seconds"] == pytest.approx(0.4, abs=0.15)
    assert report["messages"] == pytest.approx(40, abs=10)
    assert report["latency_ns"]["pair_alone"]["count"] == pytest.approx(40, abs=10)
    assert report["server"]["cores_busy"] > report["server"]["cores_busy_without"] > 0


def test_a_window_bounds_what_each_sender_has_under_way(fake):
    measure_group(fake, "--members", 4, "--senders", 2, "--window", 3, "--dm")
    assert fake.end()["most_under_way_in_groups"] == 3


def test_groups_are_measured_one_after_another_and_end_with_their_users(fake):
    reports = measure_group(fake, "--members", "3,6", "--senders", 2)
    seen = fake.end()
    assert [report["settings"]["members"] for report in reports] == seen["groups"] == [3, 6]
    assert seen["created"] == seen["deleted"] == 5 + 8
    assert seen["groups_left"] == 0


@pytest.mark.parametrize("fault, name", [
    ("--lose", "unfinished"),
    ("--refuse", "refused"),
    ("--repeat", "repeated"),
    ("--swap", "out_of_order"),
])
def test_counts_what_goes_wrong_in_a_group(make_fake, fault, name):
    report = measure_group(make_fake(fault, 7), "--members", 5, "--senders", 1, "--window", 8, "--pair-rate", 1,
                           "--patience", "0.5", status=TROUBLE)
    assert report["trouble"][name] > 0


# --- usage -------------------------------------------------------------------


@pytest.mark.parametrize("args, message", [
    ([], "which scenario?"),
    (["triples"], "no scenario 'triples'"),
    (["pairs", "now"], "a word too many: 'now'"),
    (["pairs"], "users are needed"),
    (["pairs", "--admin", "root", "--users", "f"], "exclude each other"),
    (["pairs", "--admin", "root", "--messages", "1", "--seconds", "1"], "exclude each other"),
    (["pairs", "--admin", "root", "--pairs", "0"], "--pairs: '0'"),
    (["pairs", "--admin", "root", "--pairs", "2x"], "--pairs: '2x'"),
    (["pairs", "--admin", "root", "--window", "1.5"], "not a whole number"),
    (["pairs", "--admin", "root", "--rate", "nan"], "--rate: 'nan'"),
    (["pairs", "--admin", "root", "--flags", "p2"], "--flags knows default and p0"),
    (["pairs", "--admin", "root", "--threads", "5", "--pairs", "4"], "more --threads than --pairs"),
    (["pairs", "--admin", "root", "--url", "http://127.0.0.1/"], "no ws://HOST:PORT/PATH"),
    (["pairs", "--admin", "root", "--data", "/nowhere"], "no server's number"),
    (["pairs", "--size"], "--size wants a value"),
    (["group", "--admin", "root", "--members", "10,1"], "between 2 and"),
    (["group", "--admin", "root", "--members", "10,"], "separated by commas"),
    (["group", "--admin", "root", "--members", "10;20"], "separated by commas"),
    (["group", "--admin", "root", "--members", ",".join(["9"] * 17)], "up to 16 numbers"),
    (["group", "--admin", "root", "--members", "9,3"], "no more than there are members"),
    (["group", "--admin", "root", "--messages", "100"], "not --messages"),
    (["group", "--admin", "root", "--flags", "p2"], "--flags knows default and p0"),
    (["group", "--admin", "root", "--threads", "11"], "more --threads than members"),
    (["pairs", "--colour"], "--colour is no option"),
])
def test_wrong_usage_is_status_64_and_says_why(args, message):
    env = {**ENVIRONMENT}
    if not args or args == ["pairs"]:
        del env["LEMP_ADMIN_TOKEN"]
    result = run([BENCH, *args], env=env)
    assert result.status == USAGE
    assert message in result.err
    assert result.out == ""


def test_no_server_is_status_69():
    with socket.socket() as s:  # bound, but not listening: nobody else gets the port
        s.bind(("127.0.0.1", 0))
        result = run(command(f"ws://127.0.0.1:{s.getsockname()[1]}/lemp"))
    assert result.status == NO_SERVER
    assert "Connection refused" in result.err


def test_a_server_that_speaks_no_websocket_is_status_69():
    with socket.create_server(("127.0.0.1", 0)) as s:
        process = subprocess.Popen(command(f"ws://127.0.0.1:{s.getsockname()[1]}/lemp"), text=True,
                                   stderr=subprocess.PIPE, env=ENVIRONMENT)
        peer, _ = s.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            _, err = process.communicate(timeout=30)
    assert process.returncode == NO_SERVER
    assert "refused the WebSocket handshake" in err


def test_help_names_every_scenario_and_option():
    result = run([BENCH, "--help"])
    assert result.status == OK
    for word in ("pairs:", "group:", "--window", "--rate", "--json", "six packets"):
        assert word in result.out


def test_the_manual_has_every_option():
    manual = (ROOT / "docs" / "man" / "lemp-bench.1").read_text().replace("\\-", "-")
    options = re.findall(r"^  (--[a-z-]+)", run([BENCH, "--help"]).out, re.MULTILINE)
    assert len(options) > 15
    assert [option for option in options if option not in manual] == []
